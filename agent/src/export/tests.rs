//! Tests of the exporter against receivers in this process: what arrives, and what becomes of what does not.
//!
//! A receiver runs on a thread of its own, so a test may block while it waits for it.

use std::sync::Arc;
use std::time::Duration;

use gobeacon_formats::Timestamp;

use super::counts::SignalReport;
use super::settings::{Compression, Protocol};
use super::{DropReason, Explicit, Exporter, FailureReason, Resolved, Settings};
use crate::builds::build::{Attributes, LogRecord, LogSeverity, Span, SpanId, SpanKind, Telemetry, TraceId, Value};
use otlp_receiver::{Answer, Receiver};

mod answers;
mod change;
mod delivery;
mod limits;
#[path = "../../tests/support/otlp_receiver.rs"]
mod otlp_receiver;
mod own_spans;
mod secrecy;
mod spooled;
mod tls;

const BOTH: [Protocol; 2] = [Protocol::Grpc, Protocol::HttpProtobuf];
const MINUTE: Duration = Duration::from_secs(60);

fn explicit(protocol: Protocol, url: &str) -> Explicit {
    Explicit { endpoint: Some(url.to_owned()), protocol: Some(protocol), ..Explicit::default() }
}

/// The settings that a configuration gives, but with short waits after failures.
fn settings(explicit: &Explicit) -> Settings {
    let Ok(Resolved::On(mut settings)) = Settings::resolve(explicit, |_| None) else { panic!("not on: {explicit:?}") };
    settings.limits.backoff_first = Duration::from_millis(20);
    settings.limits.backoff_most = Duration::from_millis(100);
    *settings
}

fn exporter(protocol: Protocol, receiver: &Receiver) -> Exporter {
    Exporter::start(&settings(&explicit(protocol, &receiver.url()))).unwrap()
}

fn resource() -> Arc<Attributes> {
    Arc::new(vec![("service.name", Value::Str("go-build".into())), ("host.name", Value::Str("ci-1".into()))])
}

fn span(n: u64) -> Span {
    let mut trace_id = [7; 16];
    trace_id[8..].copy_from_slice(&n.to_be_bytes());
    Span {
        trace_id: TraceId(trace_id),
        span_id: SpanId(n.to_be_bytes()),
        parent: None,
        name: "go test".into(),
        kind: SpanKind::Internal,
        start: Timestamp::from_nanos(1_700_000_000_000_000_000),
        end: Timestamp::from_nanos(1_700_000_001_000_000_000),
        attributes: vec![("gobuild.module.path", Value::Str("example.com/m".into()))],
        error: None,
    }
}

fn log(n: u64) -> LogRecord {
    LogRecord {
        event_name: "gobuild.failure",
        time: Timestamp::from_nanos(1_700_000_000_000_000_000),
        observed: Timestamp::from_nanos(1_700_000_002_000_000_000),
        severity: LogSeverity::Error,
        body: format!("failure {n}"),
        trace_id: Some(TraceId([7; 16])),
        span_id: Some(SpanId(n.to_be_bytes())),
        attributes: vec![("gobuild.failure.class", Value::Str("test.failed".into()))],
    }
}

/// Spans with the ids 1 and up.
fn spans(count: u64) -> Telemetry {
    Telemetry { resource: resource(), spans: (1..=count).map(span).collect(), logs: Vec::new() }
}

fn logs(count: u64) -> Telemetry {
    Telemetry { resource: resource(), spans: Vec::new(), logs: (1..=count).map(log).collect() }
}

fn failures(report: &SignalReport, reason: FailureReason) -> u64 {
    report.failures().find(|(it, _)| *it == reason).unwrap().1
}

fn dropped(report: &SignalReport, reason: DropReason) -> u64 {
    report.dropped().find(|(it, _)| *it == reason).unwrap().1
}

/// Every record is delivered, dropped or still queued.
#[track_caller]
fn nothing_is_unaccounted(report: &SignalReport, offered: u64) {
    let dropped: u64 = report.dropped().map(|(_, count)| count).sum();
    assert_eq!(report.delivered + dropped + report.queued_records, offered, "{report:?}");
}

/// The ids of the spans that were taken, in the order of ids.
fn ids(receiver: &Receiver) -> Vec<u64> {
    let mut ids: Vec<u64> = receiver
        .spans()
        .iter()
        .map(|(_, span)| u64::from_be_bytes(span.span_id.as_slice().try_into().unwrap()))
        .collect();
    ids.sort_unstable();
    ids
}
