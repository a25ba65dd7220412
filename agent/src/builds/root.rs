//! The end of a build: its name, its root span and its summary.
//!
//! The name is the echoed command's. Where a line runs several, or the log shows no echo, what the log tells decides.

use gobeacon_formats::{FailureClass, Timestamp};

use super::build::{Attributes, Span, SpanId, SpanKind, TraceId, Value};
use super::command::{Invocation, Subcommand, UNKNOWN_NAME};
use super::findings::{Findings, Stage};
use super::packages::Why;
use super::redact;
use super::spans::{count, failed};
use super::summary::{BuildOutcome, BuildSummary, Confidence, EndedBy};
use super::tally::Tally;

/// Longest command line in a summary, in bytes.
const MAX_COMMAND_BYTES: usize = 4 * 1024;

/// A build that is over.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) trace: TraceId,
    pub(super) root: SpanId,
    pub(super) log: String,
    pub(super) first_offset: u64,
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    pub(super) by: EndedBy,
    /// As a shell tells it, where it is known.
    pub(super) exit_code: Option<u8>,
    /// The go commands of the echoed line; `None` when there was no echo.
    pub(super) echo: Option<Vec<Invocation>>,
    pub(super) tally: Tally,
    pub(super) findings: Findings,
}

/// What the log tells of the command, without the echo.
fn guess(tally: &Tally, findings: &Findings) -> &'static str {
    let cases = tally.tests.passed + tally.tests.failed + tally.tests.skipped + tally.tests.benchmarks;
    let packages = &tally.packages;
    let reported = packages.passed + packages.failed + packages.build_failed + packages.setup_failed;
    let compiled = tally.packages_compiled > 0 || findings.any_in(&[Stage::Compile]);
    if cases + reported + packages.no_test_files > 0
        || findings.any_in(&[Stage::Test])
        || findings.has_class(FailureClass::TestExit)
    {
        "go test"
    } else if findings.has_class(FailureClass::VetFinding) && !compiled {
        "go vet"
    } else if !tally.modules_changed.is_empty() {
        "go get"
    } else if tally.module_infos > 0 {
        "go mod download"
    } else if findings.has_class(FailureClass::ProgramCrashed) {
        "go run"
    } else if compiled || tally.diagnostics > 0 {
        "go build"
    } else {
        UNKNOWN_NAME
    }
}

impl Ended {
    /// Which of the echoed commands this is about, and the name.
    fn named(&self) -> (&'static str, Option<&Invocation>) {
        let guessed = guess(&self.tally, &self.findings);
        let echoed = self.echo.as_deref().unwrap_or(&[]);
        let chosen = match echoed {
            [] => None,
            [only] => Some(only),
            [first, ..] => echoed.iter().find(|invocation| invocation.name == guessed).or(Some(first)),
        };
        (chosen.map_or(guessed, |invocation| invocation.name), chosen)
    }

    /// Whether the log shows nothing but that it began.
    fn only_started(&self) -> bool {
        self.echo.is_some() && self.tally.events <= 1 && self.exit_code.is_none()
    }

    fn outcome(&self) -> BuildOutcome {
        let failed = self.findings.has_failed() || self.exit_code.is_some_and(|code| code != 0);
        if failed { BuildOutcome::Failed } else { BuildOutcome::Ok }
    }

    fn confidence(&self) -> Confidence {
        if self.exit_code.is_some() { Confidence::Exact } else { Confidence::Inferred }
    }

    /// The root span: complete, with the times that cover all its children.
    pub(super) fn span(&self) -> Span {
        let (name, invocation) = self.named();
        let mut attributes: Attributes = vec![
            ("gobuild.confidence", Value::Str(self.confidence().id().into())),
            ("gobuild.subcommand", Value::Str(Subcommand::of_name(name).id().into())),
            ("gobuild.outcome", Value::Str(self.outcome().id().into())),
            ("gobuild.ended_by", Value::Str(self.by.id().into())),
            ("gobuild.log.offset", count(self.first_offset)),
        ];
        attributes.extend(self.exit_code.map(|code| ("process.exit.code", Value::Int(i64::from(code)))));
        attributes.extend(invocation.map(|found| ("process.command_args", Value::Strs(found.words.clone()))));
        if self.only_started() {
            attributes.push(("gobuild.end_known", Value::Bool(false)));
        }
        self.counts(&mut attributes);
        let why = self.findings.primary().map(|seen| Why::of(&seen.failure)).or_else(|| self.unexplained());
        let error = failed(why, &mut attributes);
        Span {
            trace_id: self.trace,
            span_id: self.root,
            parent: None,
            name: name.into(),
            kind: SpanKind::Internal,
            start: self.start,
            end: self.end,
            attributes,
            error,
        }
    }

    /// Something failed and no failure tells why.
    fn unexplained(&self) -> Option<Why> {
        let packages = &self.tally.packages;
        let class = if packages.build_failed > 0 {
            FailureClass::CompileError
        } else if packages.failed + self.tally.tests.failed > 0 {
            FailureClass::TestFailed
        } else {
            FailureClass::Unknown
        };
        (self.outcome() == BuildOutcome::Failed).then(|| Why::class(class))
    }

    /// What was counted, where it is not zero.
    fn counts(&self, attributes: &mut Attributes) {
        let (tests, packages, folded) = (&self.tally.tests, &self.tally.packages, &self.tally.folded);
        let requests = self.tally.requests.iter().map(|requests| requests.requests).sum();
        let counts = [
            ("gobuild.failures", self.findings.count()),
            ("gobuild.tests.passed", tests.passed),
            ("gobuild.tests.failed", tests.failed),
            ("gobuild.tests.skipped", tests.skipped),
            ("gobuild.tests.flaky", tests.flaky),
            ("gobuild.benchmarks", tests.benchmarks),
            ("gobuild.test_packages.passed", packages.passed),
            ("gobuild.test_packages.cached", packages.cached),
            ("gobuild.test_packages.failed", packages.failed),
            ("gobuild.test_packages.build_failed", packages.build_failed),
            ("gobuild.test_packages.setup_failed", packages.setup_failed),
            ("gobuild.test_packages.no_test_files", packages.no_test_files),
            ("gobuild.test_packages.unfinished", packages.unfinished),
            ("gobuild.downloads", self.tally.downloads_total),
            ("gobuild.downloads.failed", self.tally.downloads_failed),
            ("gobuild.requests", requests),
            ("gobuild.proxy.fallbacks", self.tally.proxy_fallbacks),
            ("gobuild.packages.compiled", self.tally.packages_compiled),
            ("gobuild.diagnostics", self.tally.diagnostics),
            ("gobuild.folded.tests", folded.tests),
            ("gobuild.folded.packages", folded.packages),
            ("gobuild.folded.downloads", folded.downloads),
            ("gobuild.folded.requests", folded.requests),
            ("gobuild.folded.records", folded.records),
        ];
        attributes.extend(counts.into_iter().filter(|(_, n)| *n > 0).map(|(name, n)| (name, count(n))));
    }

    /// The summary.
    pub(super) fn summary(self) -> BuildSummary {
        let (name, _) = self.named();
        let (outcome, only_started, confidence) = (self.outcome(), self.only_started(), self.confidence());
        let echoed = self.echo.as_deref().filter(|echoed| !echoed.is_empty());
        let command = echoed.map(|echoed| {
            let lines: Vec<_> = echoed.iter().map(|invocation| invocation.words.join(" ")).collect();
            redact::bounded(lines.join(" && "), MAX_COMMAND_BYTES)
        });
        let mean_package_coverage_percent = self.tally.mean_coverage();
        let mut tally = self.tally;
        let verdicts = self.findings.verdicts(&mut tally.folded);
        BuildSummary {
            trace_id: self.trace,
            name,
            subcommand: Subcommand::of_name(name),
            command,
            outcome,
            confidence,
            exit_code: self.exit_code,
            ended_by: self.by,
            log: self.log,
            first_offset: self.first_offset,
            start: self.start,
            end: self.end,
            duration_seconds: (!only_started).then(|| self.end.seconds_since(self.start)),
            events: tally.events,
            primary_failure: verdicts.primary,
            failures: verdicts.failures,
            failure_counts: verdicts.counts,
            tests: tally.tests,
            packages: tally.packages,
            slowest_packages: verdicts.slowest_packages,
            slowest_tests: verdicts.slowest_tests,
            mean_package_coverage_percent,
            downloads_total: tally.downloads_total,
            downloads_failed: tally.downloads_failed,
            downloads: tally.downloads,
            toolchain_downloads: tally.toolchains,
            requests: tally.requests,
            proxy_fallbacks: tally.proxy_fallbacks,
            modules_changed: tally.modules_changed,
            packages_compiled: tally.packages_compiled,
            diagnostics: tally.diagnostics,
            folded: tally.folded,
        }
    }
}
