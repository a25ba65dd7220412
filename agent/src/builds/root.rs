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
    pub(super) identity: Identity,
    pub(super) log: String,
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

/// What a log has told of a build so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) exit_code: Option<u8>,
    pub(super) echo: Option<&'a [Invocation]>,
    pub(super) tally: &'a Tally,
    pub(super) findings: &'a Findings,
}

impl Known<'_> {
    /// Which of the echoed commands this is about, and the name.
    fn named(&self) -> (&'static str, Option<&Invocation>) {
        let guessed = guess(self.tally, self.findings);
        let echoed = self.echo.unwrap_or(&[]);
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

    /// All that the root span says but for ids, times and why it ended.
    pub(super) fn root(&self) -> Root {
        let (name, invocation) = self.named();
        let primary = self.findings.primary().map(|seen| Why::of(&seen.failure));
        Root {
            name,
            words: invocation.map(|found| found.words.clone()),
            exit_code: self.exit_code,
            outcome: self.outcome(),
            is_end_known: !self.only_started(),
            is_explained: primary.is_some(),
            why: primary.or_else(|| self.unexplained()),
            counts: self.counts(),
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
    fn counts(&self) -> Vec<(&'static str, u64)> {
        let (tests, packages, folded) = (&self.tally.tests, &self.tally.packages, &self.tally.folded);
        let requests = self.tally.requests.iter().map(|requests| requests.requests).sum();
        let numbers = [
            self.findings.count(),
            tests.passed,
            tests.failed,
            tests.skipped,
            tests.flaky,
            tests.benchmarks,
            packages.passed,
            packages.cached,
            packages.failed,
            packages.build_failed,
            packages.setup_failed,
            packages.no_test_files,
            packages.unfinished,
            self.tally.downloads_total,
            self.tally.downloads_failed,
            requests,
            self.tally.proxy_fallbacks,
            self.tally.packages_compiled,
            self.tally.diagnostics,
            folded.tests,
            folded.packages,
            folded.downloads,
            folded.requests,
            folded.records,
        ];
        COUNTS.into_iter().zip(numbers).filter(|(_, n)| *n > 0).collect()
    }
}

/// The attributes that count, in the order of [`Known::counts`].
const COUNTS: [&str; 24] = [
    "gobuild.failures",
    "gobuild.tests.passed",
    "gobuild.tests.failed",
    "gobuild.tests.skipped",
    "gobuild.tests.flaky",
    "gobuild.benchmarks",
    "gobuild.test_packages.passed",
    "gobuild.test_packages.cached",
    "gobuild.test_packages.failed",
    "gobuild.test_packages.build_failed",
    "gobuild.test_packages.setup_failed",
    "gobuild.test_packages.no_test_files",
    "gobuild.test_packages.unfinished",
    "gobuild.downloads",
    "gobuild.downloads.failed",
    "gobuild.requests",
    "gobuild.proxy.fallbacks",
    "gobuild.packages.compiled",
    "gobuild.diagnostics",
    "gobuild.folded.tests",
    "gobuild.folded.packages",
    "gobuild.folded.downloads",
    "gobuild.folded.requests",
    "gobuild.folded.records",
];

/// The attribute that counts under this name.
pub(super) fn count_named(name: &str) -> Option<&'static str> {
    COUNTS.into_iter().find(|count| *count == name)
}

/// What a root span says but for ids, times and why it ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Root {
    pub(super) name: &'static str,
    /// As echoed, where the log shows it.
    pub(super) words: Option<Vec<String>>,
    pub(super) exit_code: Option<u8>,
    pub(super) outcome: BuildOutcome,
    pub(super) is_end_known: bool,
    /// A failure says why it failed.
    pub(super) is_explained: bool,
    pub(super) why: Option<Why>,
    /// Attributes of [`count_named`] that are not 0.
    pub(super) counts: Vec<(&'static str, u64)>,
}

/// Which build a root span is of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Identity {
    pub(super) trace: TraceId,
    pub(super) root: SpanId,
    pub(super) first_offset: u64,
}

impl Root {
    fn confidence(&self) -> Confidence {
        if self.exit_code.is_some() { Confidence::Exact } else { Confidence::Inferred }
    }

    /// The root span: complete, with the times that cover all its children.
    pub(super) fn span(self, of: Identity, (start, end): (Timestamp, Timestamp), by: EndedBy) -> Span {
        let mut attributes: Attributes = vec![
            ("gobuild.confidence", Value::Str(self.confidence().id().into())),
            ("gobuild.subcommand", Value::Str(Subcommand::of_name(self.name).id().into())),
            ("gobuild.outcome", Value::Str(self.outcome.id().into())),
            ("gobuild.ended_by", Value::Str(by.id().into())),
            ("gobuild.log.offset", count(of.first_offset)),
        ];
        attributes.extend(self.exit_code.map(|code| ("process.exit.code", Value::Int(i64::from(code)))));
        attributes.extend(self.words.map(|words| ("process.command_args", Value::Strs(words))));
        if !self.is_end_known {
            attributes.push(("gobuild.end_known", Value::Bool(false)));
        }
        attributes.extend(self.counts.into_iter().map(|(name, n)| (name, count(n))));
        let error = failed(self.why, &mut attributes);
        Span {
            trace_id: of.trace,
            span_id: of.root,
            parent: None,
            name: self.name.into(),
            kind: SpanKind::Internal,
            start,
            end,
            attributes,
            error,
        }
    }
}

impl Ended {
    fn known(&self) -> Known<'_> {
        let Self { exit_code, echo, tally, findings, .. } = self;
        Known { exit_code: *exit_code, echo: echo.as_deref(), tally, findings }
    }

    /// The root span.
    pub(super) fn span(&self) -> Span {
        self.known().root().span(self.identity, (self.start, self.end), self.by)
    }

    /// The summary.
    pub(super) fn summary(self) -> BuildSummary {
        let (root, Identity { trace, first_offset, .. }) = (self.known().root(), self.identity);
        let (name, outcome, confidence) = (root.name, root.outcome, root.confidence());
        let echoed = self.echo.as_deref().filter(|echoed| !echoed.is_empty());
        let command = echoed.map(|echoed| {
            let lines: Vec<_> = echoed.iter().map(|invocation| invocation.words.join(" ")).collect();
            redact::bounded(lines.join(" && "), MAX_COMMAND_BYTES)
        });
        let mean_package_coverage_percent = self.tally.mean_coverage();
        let mut tally = self.tally;
        let verdicts = self.findings.verdicts(&mut tally.folded);
        BuildSummary {
            trace_id: trace,
            name,
            subcommand: Subcommand::of_name(name),
            command,
            outcome,
            confidence,
            exit_code: self.exit_code,
            ended_by: self.by,
            log: self.log,
            first_offset,
            start: self.start,
            end: self.end,
            duration_seconds: root.is_end_known.then(|| self.end.seconds_since(self.start)),
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
