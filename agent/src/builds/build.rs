//! Builds as plain data: spans, log records, resources.
//!
//! These are the shapes of the OpenTelemetry data model, and nothing here knows how they are encoded or sent
//! (`export` does) or how they come about (`builds` does). Spans are complete when they are made: there is no open
//! span in this module.

use std::borrow::Cow;
use std::sync::Arc;

use gobeacon_formats::Timestamp;
use serde::{Serialize, Serializer};

/// W3C trace id, derived from what the trace is about. Shown and serialised as 32 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TraceId(pub(crate) [u8; 16]);

/// W3C span id, derived from what the span is about. Shown and serialised as 16 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SpanId(pub(crate) [u8; 8]);

impl std::fmt::Display for TraceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Display for SpanId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for TraceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for SpanId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// A string.
    Str(Cow<'static, str>),
    /// An integer.
    Int(i64),
    /// A number.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// A list of strings, such as the words of a command.
    Strs(Vec<String>),
}

/// Attributes in the order they were set; a name stands once.
pub(crate) type Attributes = Vec<(&'static str, Value)>;

/// The kind of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SpanKind {
    /// Work of the build itself.
    Internal,
    /// A request to something remote.
    Client,
}

/// One finished piece of work.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Span {
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
    pub(crate) parent: Option<SpanId>,
    pub(crate) name: Cow<'static, str>,
    pub(crate) kind: SpanKind,
    pub(crate) start: Timestamp,
    /// Never before `start`.
    pub(crate) end: Timestamp,
    pub(crate) attributes: Attributes,
    /// `None` is Unset: success is never claimed. A text is the description of an Error.
    pub(crate) error: Option<String>,
}

/// How loud a log record is: OpenTelemetry's INFO, WARN, ERROR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogSeverity {
    /// SeverityNumber 9.
    Info,
    /// SeverityNumber 13.
    Warn,
    /// SeverityNumber 17.
    Error,
}

/// One log event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LogRecord {
    /// OTLP EventName, such as `gobuild.failure`.
    pub(crate) event_name: &'static str,
    /// When it happened, as well as the log tells.
    pub(crate) time: Timestamp,
    /// When gobeacon read it.
    pub(crate) observed: Timestamp,
    pub(crate) severity: LogSeverity,
    /// A sentence for a person.
    pub(crate) body: String,
    pub(crate) trace_id: Option<TraceId>,
    pub(crate) span_id: Option<SpanId>,
    pub(crate) attributes: Attributes,
}

/// What is to be exported, under the resource of one build.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Telemetry {
    /// Attributes of the resource: one resource a build.
    pub(crate) resource: Arc<Attributes>,
    pub(crate) spans: Vec<Span>,
    pub(crate) logs: Vec<LogRecord>,
}
