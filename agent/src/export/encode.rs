//! Spans and log records as OTLP messages.
//!
//! The ids, times and attributes go onto the wire as they come. Nothing here gathers, sends or waits.
//!
//! Invariant: what a message cannot hold is counted in the message (dropped attributes), never just left out.

use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1 as logs;
use opentelemetry_proto::tonic::resource::v1::Resource;
#[cfg(test)]
use opentelemetry_proto::tonic::trace::v1 as trace;
use prost::Message;

use super::counts::Signal;
use super::settings::Settings;
use super::wire;
#[cfg(test)]
use crate::builds::build::SpanKind;
use crate::builds::build::{Attributes, LogRecord, LogSeverity, Span, Value};

/// The semantic conventions that attribute names follow.
pub(super) const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.44.0";
/// Attributes of a span or log record beyond this number are dropped and counted in it: the limit of OpenTelemetry.
pub(super) const MOST_ATTRIBUTES: usize = 128;
/// The service name of a build whose repository is not known.
const UNKNOWN_SERVICE: &str = "go-build";
/// W3C trace flag: sampled.
pub(super) const SAMPLED: u32 = 1;

/// What can be exported: a span or a log record.
pub(super) trait Record: Send + 'static {
    const SIGNAL: Signal;

    /// Appends it as a message of its own.
    fn encode(self, out: &mut Vec<u8>);
}

impl Record for Span {
    const SIGNAL: Signal = Signal::Traces;

    fn encode(self, out: &mut Vec<u8>) {
        wire::span(&self, out);
    }
}

impl Record for LogRecord {
    const SIGNAL: Signal = Signal::Logs;

    fn encode(self, out: &mut Vec<u8>) {
        let (severity, text) = match self.severity {
            LogSeverity::Info => (logs::SeverityNumber::Info, "INFO"),
            LogSeverity::Warn => (logs::SeverityNumber::Warn, "WARN"),
            LogSeverity::Error => (logs::SeverityNumber::Error, "ERROR"),
        };
        let (attributes, dropped_attributes_count) = limited(self.attributes);
        let record = logs::LogRecord {
            time_unix_nano: nanos(self.time.as_nanos()),
            observed_time_unix_nano: nanos(self.observed.as_nanos()),
            severity_number: severity.into(),
            severity_text: text.into(),
            body: Some(string(self.body)),
            attributes,
            dropped_attributes_count,
            flags: if self.trace_id.is_some() { SAMPLED } else { 0 },
            trace_id: self.trace_id.map(|id| id.0.to_vec()).unwrap_or_default(),
            span_id: self.span_id.map(|id| id.0.to_vec()).unwrap_or_default(),
            event_name: self.event_name.into(),
        };
        out.extend_from_slice(&record.encode_to_vec());
    }
}

/// The records of one resource: a message of an export request, with its tag. Fields have the same numbers for both
/// signals: the resource 1, the scope with its records 2, in it the scope 1, the records 2 and the schema 3, and the
/// schema 3 again.
pub(super) fn group(resource: &[u8], records: &[u8], out: &mut Vec<u8>) {
    let mut end = Vec::with_capacity(SCHEMA_URL.len() + 4);
    wire::bytes(3, SCHEMA_URL.as_bytes(), &mut end);
    let mut begin = Vec::with_capacity(64);
    wire::bytes(1, &scope().encode_to_vec(), &mut begin);
    let scoped = begin.len() + records.len() + end.len();
    let mut head = Vec::with_capacity(resource.len() + 64);
    wire::bytes(1, resource, &mut head);
    wire::head(2, scoped, &mut head);
    wire::head(1, head.len() + scoped + end.len(), out);
    for part in [&head[..], &begin, records, &end, &end] {
        out.extend_from_slice(part);
    }
}

/// What the environment adds to the resource of every build.
#[derive(Debug, Clone)]
pub(super) struct Common {
    resource: Vec<(String, String)>,
    service_name: Option<String>,
}

impl Common {
    pub(super) fn new(settings: &Settings) -> Self {
        Self { resource: settings.resource.clone(), service_name: settings.service_name.clone() }
    }

    /// The resource of a build: what the build says itself wins, but for a service name that only says "unknown".
    pub(super) fn resource(&self, own: &Attributes) -> Resource {
        let further = self.resource.iter().filter(|(key, _)| own.iter().all(|(own, _)| own != key));
        let further = further.map(|(key, value)| key_value(key, string(value.clone())));
        let own = own.iter().map(|(key, value)| match (&self.service_name, *key, value) {
            (Some(name), "service.name", Value::Str(text)) if text == UNKNOWN_SERVICE => {
                key_value(key, string(name.clone()))
            }
            (_, _, value) => key_value(key, any_value(value.clone())),
        });
        Resource { attributes: own.chain(further).collect(), ..Resource::default() }
    }
}

fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: env!("CARGO_PKG_NAME").into(),
        version: env!("CARGO_PKG_VERSION").into(),
        ..InstrumentationScope::default()
    }
}

/// The attributes that fit, and how many did not.
fn limited(attributes: Attributes) -> (Vec<KeyValue>, u32) {
    let dropped = u32::try_from(attributes.len().saturating_sub(MOST_ATTRIBUTES)).unwrap_or(u32::MAX);
    let kept = attributes.into_iter().take(MOST_ATTRIBUTES);
    (kept.map(|(key, value)| key_value(key, any_value(value))).collect(), dropped)
}

fn key_value(key: &str, value: AnyValue) -> KeyValue {
    KeyValue { key: key.into(), value: Some(value), ..KeyValue::default() }
}

fn any_value(value: Value) -> AnyValue {
    match value {
        Value::Str(text) => string(text.into_owned()),
        Value::Int(number) => AnyValue { value: Some(any_value::Value::IntValue(number)) },
        Value::Float(number) => AnyValue { value: Some(any_value::Value::DoubleValue(number)) },
        Value::Strs(texts) => {
            let values = texts.into_iter().map(string).collect();
            AnyValue { value: Some(any_value::Value::ArrayValue(ArrayValue { values })) }
        }
        Value::Bool(truth) => AnyValue { value: Some(any_value::Value::BoolValue(truth)) },
    }
}

fn string(text: String) -> AnyValue {
    AnyValue { value: Some(any_value::Value::StringValue(text)) }
}

/// OTLP has no time before 1970.
pub(super) fn nanos(since_epoch: i64) -> u64 {
    u64::try_from(since_epoch).unwrap_or(0)
}

/// What the generated code makes of a span: what `wire` is held against.
#[cfg(test)]
pub(super) fn proto_of(span: Span) -> trace::Span {
    let kind = match span.kind {
        SpanKind::Internal => trace::span::SpanKind::Internal,
        SpanKind::Client => trace::span::SpanKind::Client,
    };
    let status = span.error.map(|message| trace::Status { message, code: trace::status::StatusCode::Error.into() });
    let (attributes, dropped_attributes_count) = limited(span.attributes);
    trace::Span {
        trace_id: span.trace_id.0.to_vec(),
        span_id: span.span_id.0.to_vec(),
        parent_span_id: span.parent.map(|id| id.0.to_vec()).unwrap_or_default(),
        flags: SAMPLED,
        name: span.name.into_owned(),
        kind: kind.into(),
        start_time_unix_nano: nanos(span.start.as_nanos()),
        end_time_unix_nano: nanos(span.end.max(span.start).as_nanos()),
        attributes,
        dropped_attributes_count,
        status,
        ..trace::Span::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(common: &Common, own: &Attributes) -> Vec<(String, String)> {
        let text = |pair: KeyValue| match pair.value.and_then(|value| value.value) {
            Some(any_value::Value::StringValue(text)) => (pair.key, text),
            other => panic!("{other:?}"),
        };
        common.resource(own).attributes.into_iter().map(text).collect()
    }

    fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_environment_adds_to_a_resource_what_the_build_does_not_say() {
        let resource = owned(&[("host.name", "from-env"), ("k8s.cluster.name", "a")]);
        let common = Common { resource, service_name: Some("team".to_owned()) };
        let known = vec![("service.name", Value::Str("shop".into())), ("host.name", Value::Str("ci-1".into()))];
        let expected = owned(&[("service.name", "shop"), ("host.name", "ci-1"), ("k8s.cluster.name", "a")]);
        assert_eq!(pairs(&common, &known), expected);
        let unknown = vec![("service.name", Value::Str("go-build".into()))];
        let expected = owned(&[("service.name", "team"), ("host.name", "from-env"), ("k8s.cluster.name", "a")]);
        assert_eq!(pairs(&common, &unknown), expected);
    }

    #[test]
    fn a_time_before_1970_and_an_end_before_the_start_do_not_wrap_around() {
        assert_eq!((nanos(-1), nanos(i64::MAX)), (0, i64::MAX as u64));
        let (start, end) = (gobeacon_formats::Timestamp::from_nanos(5), gobeacon_formats::Timestamp::from_nanos(3));
        let span = Span {
            trace_id: crate::builds::build::TraceId([1; 16]),
            span_id: crate::builds::build::SpanId([1; 8]),
            parent: None,
            name: "go".into(),
            kind: SpanKind::Internal,
            start,
            end,
            attributes: vec![("list", Value::Strs(vec!["a".to_owned(), "b".to_owned()]))],
            error: None,
        };
        let proto = proto_of(span);
        assert_eq!((proto.start_time_unix_nano, proto.end_time_unix_nano), (5, 5));
        let expected = ArrayValue { values: vec![string("a".to_owned()), string("b".to_owned())] };
        let value = proto.attributes[0].value.clone().and_then(|value| value.value);
        assert_eq!(value, Some(any_value::Value::ArrayValue(expected)));
    }
}
