//! The shapes of the spans: names, kinds and attributes, as the reference of spans lists them.
//!
//! Invariant: names are few and fixed; what varies is in attributes.

use gobeacon_collectors::modcache;
use gobeacon_formats::{CaseStatus, FailureClass, PackageStatus};

use super::build::{Attributes, Span, SpanId, SpanKind, TraceId, Value};
use super::downloads::{Download, HeldRequest, Signal};
use super::files;
use super::findings::rank;
use super::packages::{Case, Package, Why};

/// A module download.
pub(super) fn download(trace: TraceId, root: SpanId, download: Download) -> Span {
    let span_id = download.span_id(root);
    let mut attributes: Attributes = vec![
        ("artifact.purl", text(purl(&download.module, &download.version))),
        ("gobuild.module.path", text(download.module)),
        ("gobuild.module.version", text(download.version)),
        ("gobuild.download.signal", Value::Str(download.signal.id().into())),
        // no log shows when the last byte came; `-x` shows the response headers
        ("gobuild.download.end_known", Value::Bool(download.files.is_some())),
    ];
    attributes.extend(download.host.map(|host| ("server.address", text(host))));
    let sum = download.files.as_ref().and_then(|files| files.sum.clone()).or(download.sum);
    attributes.extend(sum.map(|sum| ("artifact.hash", text(sum))));
    if let Some(files) = &download.files {
        of_files(files, &mut attributes);
    }
    let error = failed(download.why, &mut attributes);
    Span {
        trace_id: trace,
        span_id,
        parent: Some(root),
        name: "module download".into(),
        kind: SpanKind::Client,
        start: download.start,
        end: download.end,
        attributes,
        error,
    }
}

/// A module download that only files show.
pub(super) fn file_download(trace: TraceId, root: SpanId, span_id: SpanId, files: &modcache::Download) -> Span {
    let mut attributes: Attributes = vec![
        ("artifact.purl", text(purl(&files.module, &files.version))),
        ("gobuild.module.path", text(files.module.clone())),
        ("gobuild.module.version", text(files.version.clone())),
        ("gobuild.download.signal", Value::Str(Signal::Files.id().into())),
        ("gobuild.download.end_known", Value::Bool(true)),
    ];
    attributes.extend(files.sum.clone().map(|sum| ("artifact.hash", text(sum))));
    of_files(files, &mut attributes);
    let error = failed(files::why(files.ending), &mut attributes);
    Span {
        trace_id: trace,
        span_id,
        parent: Some(root),
        name: "module download".into(),
        kind: SpanKind::Client,
        start: files.start,
        end: files.end,
        attributes,
        error,
    }
}

fn of_files(files: &modcache::Download, attributes: &mut Attributes) {
    attributes.push(("gobuild.download.bytes", count(files.bytes)));
    attributes.push(("gobuild.download.redundant", Value::Bool(files.redundant)));
    if files.stalled_seconds > 0.0 {
        attributes.push(("gobuild.download.stalled_seconds", Value::Float(files.stalled_seconds)));
    }
}

/// A request.
pub(super) fn request(trace: TraceId, request: HeldRequest) -> Span {
    let mut attributes: Attributes = vec![
        ("http.request.method", Value::Str("GET".into())),
        ("url.full", text(request.url)),
        ("server.address", text(request.host)),
    ];
    match request.status {
        Some(status) => attributes.push(("http.response.status_code", Value::Int(status.into()))),
        // the go command prints no time for a request without an answer
        None => attributes.push(("gobuild.request.start_known", Value::Bool(false))),
    }
    if request.resent > 0 {
        attributes.push(("http.request.resend_count", Value::Int(request.resent.into())));
    }
    let error = failed(request.why, &mut attributes);
    Span {
        trace_id: trace,
        span_id: request.span_id,
        parent: Some(request.parent),
        name: "GET".into(),
        kind: SpanKind::Client,
        start: request.start,
        end: request.end,
        attributes,
        error,
    }
}

/// A package and its cases; the cases of a test binary that was run by hand hang on the root.
pub(super) fn package(trace: TraceId, root: SpanId, package: Package, spans: &mut Vec<Span>) {
    let (by_hand, span_id) = (package.by_hand(), package.span_id());
    let suite = (!by_hand).then(|| package.name.clone());
    let worst = package.cases.iter().filter_map(|case| case.why.as_ref()).min_by_key(|why| rank(why.class)).cloned();
    for case in package.cases {
        spans.push(self::case(trace, span_id, suite.as_deref(), case));
    }
    if by_hand {
        return;
    }
    let mut attributes: Attributes =
        vec![("test.suite.name", text(package.name.clone())), ("gobuild.package.import_path", text(package.name))];
    let status = package.report.and_then(|report| report.status);
    let timed_out = package.why.as_ref().is_some_and(|why| why.class == FailureClass::TestTimeout);
    attributes.push(("test.suite.run.status", Value::Str(suite_status(status, timed_out).into())));
    attributes.push(("gobuild.test.package_status", Value::Str(package_status(status).into())));
    if let Some(report) = package.report {
        if status == Some(PackageStatus::Pass) {
            attributes.push(("gobuild.test.cached", Value::Bool(report.cached)));
        }
        attributes.extend(report.coverage_percent.map(|p| ("gobuild.test.coverage_percent", Value::Float(p))));
    }
    if status.is_none() {
        attributes.push(("gobuild.test.end_known", Value::Bool(false)));
    } else if !package.report.is_some_and(|report| report.timed) {
        attributes.push(("gobuild.test.duration_known", Value::Bool(false)));
    }
    if package.folded > 0 {
        attributes.push(("gobuild.folded.tests", count(package.folded)));
    }
    let why = package.why.or(match status {
        Some(PackageStatus::Fail) => worst.or(Some(Why::class(FailureClass::TestFailed))),
        Some(PackageStatus::BuildFailed) => Some(Why::class(FailureClass::CompileError)),
        Some(PackageStatus::SetupFailed) => Some(Why::class(FailureClass::Unknown)),
        Some(PackageStatus::Pass | PackageStatus::NoTestFiles) | None => None,
    });
    let error = failed(why, &mut attributes);
    spans.push(Span {
        trace_id: trace,
        span_id,
        parent: Some(root),
        name: "test package".into(),
        kind: SpanKind::Internal,
        start: package.start,
        end: package.end,
        attributes,
        error,
    });
}

fn case(trace: TraceId, parent: SpanId, suite: Option<&str>, case: Case) -> Span {
    let span_id = case.span_id(parent);
    // few have more than these and that of the package
    let mut attributes: Attributes = Vec::with_capacity(3);
    attributes.push(("test.case.name", text(case.name)));
    attributes.push(("test.case.result.status", Value::Str(case_status(case.status).into())));
    attributes.extend(suite.map(|suite| ("test.suite.name", text(suite.to_owned()))));
    if !case.timed {
        attributes.push(("gobuild.test.duration_known", Value::Bool(false)));
    }
    if case.flaky {
        attributes.push(("gobuild.test.flaky", Value::Bool(true)));
    }
    let why = case.why.or((case.status == CaseStatus::Fail).then(|| Why::class(FailureClass::TestFailed)));
    let error = failed(why, &mut attributes);
    Span {
        trace_id: trace,
        span_id,
        parent: Some(parent),
        name: "test".into(),
        kind: SpanKind::Internal,
        start: case.start,
        end: case.end,
        attributes,
        error,
    }
}

/// Sets `error.type` and gives the description of the status.
pub(super) fn failed(why: Option<Why>, attributes: &mut Attributes) -> Option<String> {
    let why = why?;
    attributes.push(("error.type", Value::Str(why.class.id().into())));
    Some(why.message.unwrap_or_else(|| why.class.row().meaning.to_owned()))
}

/// The package URL of a module version: <https://github.com/package-url/purl-spec>, type `golang`. A `+` of the
/// version is encoded there.
fn purl(module: &str, version: &str) -> String {
    format!("pkg:golang/{module}@{}", version.replace('+', "%2B"))
}

/// The values of `test.suite.run.status`.
fn suite_status(status: Option<PackageStatus>, timed_out: bool) -> &'static str {
    match status {
        Some(PackageStatus::Pass) => "success",
        Some(PackageStatus::Fail) if timed_out => "timed_out",
        Some(PackageStatus::Fail | PackageStatus::BuildFailed | PackageStatus::SetupFailed) => "failure",
        Some(PackageStatus::NoTestFiles) => "skipped",
        None => "aborted",
    }
}

fn package_status(status: Option<PackageStatus>) -> &'static str {
    match status {
        Some(PackageStatus::Pass) => "pass",
        Some(PackageStatus::Fail) => "fail",
        Some(PackageStatus::NoTestFiles) => "no_test_files",
        Some(PackageStatus::BuildFailed) => "build_failed",
        Some(PackageStatus::SetupFailed) => "setup_failed",
        None => "unfinished",
    }
}

fn case_status(status: CaseStatus) -> &'static str {
    match status {
        CaseStatus::Pass => "pass",
        CaseStatus::Fail => "fail",
        CaseStatus::Skip => "skip",
    }
}

/// A count as an attribute.
pub(super) fn count(n: u64) -> Value {
    Value::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

fn text(value: String) -> Value {
    Value::Str(value.into())
}
