//! Log records: what a person should be told, as a sentence, with the facts in attributes.

use gobeacon_formats::{Failure, FailureClass, Severity};

use super::build::{Attributes, LogRecord, LogSeverity, SpanId, TraceId, Value};
use super::fallbacks::Fallback;
use super::redact;
use super::times::At;

/// Longest text in an attribute or body, in bytes.
const MAX_TEXT_BYTES: usize = 2 * 1024;

/// Where a record belongs: the trace, and the span if it is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) trace: TraceId,
    pub(super) span: SpanId,
    pub(super) at: At,
}

/// `gobuild.failure`
pub(super) fn failure(failure: &Failure, place: Place) -> LogRecord {
    let row = failure.class.row();
    let body = match (subject(failure), headline(failure)) {
        (Some(subject), Some(message)) => format!("{subject}: {} {}", row.meaning, redact::message(message)),
        (Some(subject), None) => format!("{subject}: {}", row.meaning),
        (None, Some(message)) => format!("{} {}", row.meaning, redact::message(message)),
        (None, None) => row.meaning.to_owned(),
    };
    record("gobuild.failure", severity(row.severity), body, of_failure(failure), place)
}

/// `gobuild.checksum.mismatch`, for the classes that are one.
pub(super) fn checksum_mismatch(failure: &Failure, place: Place) -> Option<LogRecord> {
    if !matches!(failure.class, FailureClass::ChecksumGosumMismatch | FailureClass::ChecksumSumdbMismatch) {
        return None;
    }
    let verifier = failure.verifier.as_deref().unwrap_or("the recorded hash");
    let body = format!(
        "{} does not match {verifier}: downloaded {}, expected {}.",
        subject(failure).unwrap_or_else(|| "A module".to_owned()),
        failure.downloaded.as_deref().unwrap_or("an unknown hash"),
        failure.expected.as_deref().unwrap_or("another"),
    );
    Some(record("gobuild.checksum.mismatch", severity(failure.class.row().severity), body, of_failure(failure), place))
}

/// `gobuild.sumdb.unavailable`
pub(super) fn sumdb_unavailable(host: Option<&str>, status: Option<u16>, why: &str, place: Place) -> LogRecord {
    let why = redact::message(why);
    let body = format!("The checksum database at {} could not be asked: {why}", host.unwrap_or("an unknown host"));
    let mut attributes = Attributes::new();
    push(&mut attributes, "error.type", Some(FailureClass::ChecksumSumdbUnreachable.id()));
    push(&mut attributes, "server.address", host);
    if let Some(status) = status {
        attributes.push(("http.response.status_code", Value::Int(status.into())));
    }
    record("gobuild.sumdb.unavailable", LogSeverity::Warn, body, attributes, place)
}

/// `gobuild.proxy.fallback`
pub(super) fn proxy_fallback(fallback: &Fallback, place: Place) -> LogRecord {
    let body = format!(
        "{} did not give {} ({}), so the go command turned to {}.",
        fallback.from_host,
        fallback.module,
        fallback.reason.id(),
        fallback.to
    );
    let mut attributes = Attributes::new();
    push(&mut attributes, "error.type", Some(fallback.reason.id()));
    push(&mut attributes, "gobuild.module.path", Some(&fallback.module));
    push(&mut attributes, "gobuild.proxy.from", Some(&fallback.from_host));
    push(&mut attributes, "gobuild.proxy.to", Some(&fallback.to));
    record("gobuild.proxy.fallback", LogSeverity::Warn, body, attributes, place)
}

/// `gobuild.test.flaky`
pub(super) fn test_flaky(package: Option<&str>, test: &str, place: Place) -> LogRecord {
    let body = match package {
        Some(package) => format!("{test} of {package} failed and then passed in the same command."),
        None => format!("{test} failed and then passed in the same command."),
    };
    let mut attributes = Attributes::new();
    push(&mut attributes, "test.suite.name", package);
    push(&mut attributes, "test.case.name", Some(test));
    record("gobuild.test.flaky", LogSeverity::Warn, body, attributes, place)
}

fn record(
    event_name: &'static str,
    severity: LogSeverity,
    body: String,
    attributes: Attributes,
    place: Place,
) -> LogRecord {
    LogRecord {
        event_name,
        time: place.at.time,
        observed: place.at.observed,
        severity,
        body: redact::bounded(body, MAX_TEXT_BYTES),
        trace_id: Some(place.trace),
        span_id: Some(place.span),
        attributes,
    }
}

/// What a failure is about, in the words of the log.
fn subject(failure: &Failure) -> Option<String> {
    let module = match (&failure.module, &failure.version) {
        (Some(module), Some(version)) => Some(format!("{module}@{version}")),
        (Some(module), None) => Some(module.clone()),
        (None, version) => version.clone(),
    };
    let test = match (&failure.test, &failure.package) {
        (Some(test), Some(package)) => Some(format!("{test} of {package}")),
        (Some(test), None) => Some(test.clone()),
        (None, package) => package.clone(),
    };
    let position = match (&failure.file, failure.line) {
        (Some(file), Some(line)) => Some(format!("{file}:{line}")),
        (Some(file), None) => Some(file.clone()),
        (None, _) => None,
    };
    module.or(test).or(position).or_else(|| failure.variable.clone()).or_else(|| failure.path.clone())
}

/// The line of the message that says most: `A imports` and the like only lead to it.
pub(super) fn headline(failure: &Failure) -> Option<&str> {
    let message = failure.message.as_deref()?;
    let leads = |line: &&str| line.ends_with(" imports") || line.ends_with(" imports:") || line.is_empty();
    message.lines().map(str::trim).find(|line| !leads(line)).or_else(|| message.lines().next())
}

fn of_failure(failure: &Failure) -> Attributes {
    let row = failure.class.row();
    let mut attributes = Attributes::new();
    push(&mut attributes, "error.type", Some(row.id));
    push(&mut attributes, "gobuild.failure.severity", Some(severity_name(row.severity)));
    push(&mut attributes, "gobuild.failure.remedy", Some(row.remedy));
    push(&mut attributes, "gobuild.module.path", failure.module.as_deref());
    push(&mut attributes, "gobuild.module.version", failure.version.as_deref());
    push(&mut attributes, "gobuild.package.import_path", failure.package.as_deref());
    push(&mut attributes, "test.case.name", failure.test.as_deref());
    push(&mut attributes, "url.full", failure.url.as_deref().map(redact::url).as_deref());
    push(&mut attributes, "server.address", failure.host.as_deref());
    push(&mut attributes, "code.file.path", failure.file.as_deref());
    push(&mut attributes, "gobuild.env.variable", failure.variable.as_deref());
    push(&mut attributes, "file.path", failure.path.as_deref());
    push(&mut attributes, "gobuild.checksum.downloaded", failure.downloaded.as_deref());
    push(&mut attributes, "gobuild.checksum.expected", failure.expected.as_deref());
    push(&mut attributes, "gobuild.checksum.verifier", failure.verifier.as_deref());
    push(&mut attributes, "gobuild.checksum.artifact", failure.artifact);
    push(&mut attributes, "error.message", failure.message.as_deref().map(redact::message).as_deref());
    if let Some(status) = failure.status {
        attributes.push(("http.response.status_code", Value::Int(status.into())));
    }
    if let Some(line) = failure.line {
        attributes.push(("code.line.number", Value::Int(line.into())));
    }
    attributes
}

fn severity(severity: Severity) -> LogSeverity {
    match severity {
        Severity::Info => LogSeverity::Info,
        Severity::Warning => LogSeverity::Warn,
        Severity::Critical => LogSeverity::Error,
    }
}

fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

fn push(attributes: &mut Attributes, name: &'static str, value: Option<&str>) {
    if let Some(value) = value {
        attributes.push((name, Value::Str(redact::bounded(value.to_owned(), MAX_TEXT_BYTES).into())));
    }
}
