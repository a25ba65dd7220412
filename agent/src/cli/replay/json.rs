//! A build as one JSON object: its summary, its resource, its spans and its log events.
//!
//! The names of the fields are a contract; times are RFC 3339, ids hexadecimal.

use std::io::{self, Write};

use gobeacon_formats::Timestamp;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::Finished;
use crate::builds::build::{Attributes, LogRecord, LogSeverity, Span, SpanId, SpanKind, TraceId, Value};
use crate::builds::summary::BuildSummary;

#[derive(Serialize)]
struct Build<'a> {
    #[serde(flatten)]
    summary: &'a BuildSummary,
    resource: Named<'a>,
    spans: Vec<SpanJson<'a>>,
    log_records: Vec<RecordJson<'a>>,
}

#[derive(Serialize)]
struct SpanJson<'a> {
    span_id: SpanId,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<SpanId>,
    name: &'a str,
    kind: &'static str,
    start: Timestamp,
    end: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    attributes: Named<'a>,
}

#[derive(Serialize)]
struct RecordJson<'a> {
    event_name: &'static str,
    time: Timestamp,
    severity: &'static str,
    body: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<TraceId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    span_id: Option<SpanId>,
    attributes: Named<'a>,
}

/// Attributes as an object.
struct Named<'a>(&'a Attributes);

impl Serialize for Named<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            match value {
                Value::Str(text) => map.serialize_entry(name, text)?,
                Value::Int(number) => map.serialize_entry(name, number)?,
                Value::Float(number) => map.serialize_entry(name, number)?,
                Value::Bool(truth) => map.serialize_entry(name, truth)?,
                Value::Strs(texts) => map.serialize_entry(name, texts)?,
            }
        }
        map.end()
    }
}

/// One object and a line end.
pub(super) fn write(build: &Finished, out: &mut impl Write) -> io::Result<()> {
    let mut spans: Vec<_> = build.spans.iter().collect();
    // the root first, then as they began
    spans.sort_by_key(|span| (span.parent.is_some(), span.start));
    let build = Build {
        summary: &build.summary,
        resource: Named(&build.resource),
        spans: spans.into_iter().map(span).collect(),
        log_records: build.logs.iter().map(record).collect(),
    };
    serde_json::to_writer(&mut *out, &build)?;
    writeln!(out)
}

fn span(span: &Span) -> SpanJson<'_> {
    SpanJson {
        span_id: span.span_id,
        parent_span_id: span.parent,
        name: &span.name,
        kind: match span.kind {
            SpanKind::Internal => "internal",
            SpanKind::Client => "client",
        },
        start: span.start,
        end: span.end,
        error: span.error.as_deref(),
        attributes: Named(&span.attributes),
    }
}

fn record(record: &LogRecord) -> RecordJson<'_> {
    RecordJson {
        event_name: record.event_name,
        time: record.time,
        severity: match record.severity {
            LogSeverity::Info => "info",
            LogSeverity::Warn => "warn",
            LogSeverity::Error => "error",
        },
        body: &record.body,
        trace_id: record.trace_id,
        span_id: record.span_id,
        attributes: Named(&record.attributes),
    }
}
