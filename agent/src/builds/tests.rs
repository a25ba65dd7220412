//! The state machine from outside: scenarios, properties, and recorded logs.

mod bounds;
mod catalogue;
mod files;
mod leaving;
mod logs;
mod properties;
mod scenarios;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use gobeacon_collectors::{Batch, Cause, Replay, Source};
use gobeacon_formats::{CaseStatus, Event, EventKind, LineCounts, PackageStatus, Timestamp};

use super::build::{LogRecord, Span, SpanId, Value};
use super::summary::BuildSummary;
use super::{Builds, Outcome, Settings};

/// 2026-01-01T00:00:00Z plus seconds.
fn second(n: f64) -> Timestamp {
    Timestamp::parse_rfc3339(b"2026-01-01T00:00:00Z").unwrap().plus_seconds(n)
}

fn source() -> Arc<Source> {
    Arc::new(Source { id: [7; 16], path: PathBuf::from("/logs/build.log") })
}

fn settings() -> Settings {
    Settings { host_id: "machine".to_owned(), ..Settings::default() }
}

fn batch(observed: Timestamp, events: Vec<Event>, ended: bool) -> Batch {
    Batch {
        source: source(),
        observed,
        events,
        lines: LineCounts::default(),
        bytes: 0,
        read_to: 0,
        open_from: 0,
        ended,
        cause: Cause::Read,
        replay: Replay::No,
        bookmark: None,
    }
}

fn event(offset: u64, kind: EventKind) -> Event {
    Event { kind, time: None, offset, lines: 1 }
}

fn stamped(offset: u64, seconds: f64, kind: EventKind) -> Event {
    Event { kind, time: Some(second(seconds)), offset, lines: 1 }
}

fn echo(command: &str) -> EventKind {
    EventKind::CommandStarted { command: command.to_owned() }
}

fn case(package: &str, name: &str, status: CaseStatus, elapsed: f64) -> EventKind {
    let package = Some(package.to_owned()).filter(|package| !package.is_empty());
    EventKind::TestCase { package, name: name.to_owned(), status, elapsed_seconds: Some(elapsed) }
}

fn package(name: &str, status: PackageStatus, elapsed: f64) -> EventKind {
    EventKind::TestPackage {
        package: name.to_owned(),
        status,
        cached: (status == PackageStatus::Pass).then_some(false),
        elapsed_seconds: Some(elapsed),
        coverage_percent: None,
    }
}

fn download(module: &str) -> EventKind {
    EventKind::ModuleDownload { module: module.to_owned(), version: "v1.0.0".to_owned() }
}

/// All that came out, by kind.
#[derive(Debug, Default)]
struct Seen {
    spans: Vec<Span>,
    logs: Vec<LogRecord>,
    summaries: Vec<BuildSummary>,
    outcomes: Vec<Outcome>,
}

impl Seen {
    fn of(outcomes: Vec<Outcome>) -> Self {
        let mut seen = Self::default();
        for outcome in outcomes {
            match outcome {
                Outcome::Telemetry(telemetry) => {
                    seen.spans.extend(telemetry.spans);
                    seen.logs.extend(telemetry.logs);
                }
                Outcome::CommandEnded(summary) => seen.summaries.push(*summary),
                other @ (Outcome::CommandStarted { .. }
                | Outcome::CommandLost { .. }
                | Outcome::Download { .. }
                | Outcome::DownloadFailed { .. }
                | Outcome::Downloaded(_)
                | Outcome::DownloadsStalled(_)
                | Outcome::ToolchainDownload { .. }
                | Outcome::ProxyFallback { .. }
                | Outcome::SumdbRequestFailed { .. }
                | Outcome::TestCase { .. }
                | Outcome::TestPackage { .. }
                | Outcome::TestFlaky { .. }
                | Outcome::Failure { .. }) => seen.outcomes.push(other),
            }
        }
        seen
    }

    fn named(&self, name: &str) -> Vec<&Span> {
        self.spans.iter().filter(|span| span.name == name).collect()
    }

    fn root(&self) -> &Span {
        self.spans.iter().find(|span| span.parent.is_none()).unwrap()
    }

    fn with<'a>(&'a self, key: &str, value: &str) -> Option<&'a Span> {
        self.spans.iter().find(|span| text(span, key) == Some(value))
    }
}

fn attribute<'a>(span: &'a Span, key: &str) -> Option<&'a Value> {
    span.attributes.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
}

fn text<'a>(span: &'a Span, key: &str) -> Option<&'a str> {
    match attribute(span, key) {
        Some(Value::Str(text)) => Some(text),
        Some(Value::Int(_) | Value::Float(_) | Value::Bool(_) | Value::Strs(_)) | None => None,
    }
}

/// One log read in one go, to its end.
fn run(settings: Settings, events: Vec<Event>) -> Seen {
    let mut out = Vec::new();
    Builds::new(settings).apply(&batch(second(1_000.0), events, true), &mut out);
    Seen::of(out)
}

/// What must hold of every set of spans.
fn check(spans: &[Span], max_spans: usize) -> Result<(), String> {
    let mut by_id: BTreeMap<_, &Span> = BTreeMap::new();
    let mut of_trace: BTreeMap<_, usize> = BTreeMap::new();
    for span in spans {
        if by_id.insert((span.trace_id, span.span_id), span).is_some() {
            return Err(format!("the id of {span:?} stands twice"));
        }
        *of_trace.entry(span.trace_id).or_default() += 1;
        if span.start > span.end {
            return Err(format!("{span:?} ends before it starts"));
        }
        let names: std::collections::BTreeSet<_> = span.attributes.iter().map(|(name, _)| name).collect();
        if names.len() != span.attributes.len() {
            return Err(format!("an attribute of {span:?} stands twice"));
        }
    }
    if let Some((trace, count)) = of_trace.iter().find(|(_, count)| **count > max_spans) {
        return Err(format!("{trace} has {count} spans"));
    }
    for span in spans {
        let Some(parent) = span.parent else { continue };
        let Some(parent) = by_id.get(&(span.trace_id, parent)) else {
            return Err(format!("the parent of {span:?} was not exported"));
        };
        if span.start < parent.start || span.end > parent.end {
            return Err(format!("{span:?} is not covered by {parent:?}"));
        }
    }
    Ok(())
}

fn ids(spans: &[Span]) -> std::collections::BTreeSet<SpanId> {
    spans.iter().map(|span| span.span_id).collect()
}
