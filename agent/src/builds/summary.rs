//! What one build came to, in plain data: what `run`, `replay` and `explain` print and the metrics count.
//!
//! A summary stands on its own: it needs no other file, span or log to be read. It knows nothing of how it is shown.
//! What did not fit is counted in `folded`, never left out silently.

use gobeacon_formats::{Failure, FailureClass, ModuleChange, Timestamp};
use serde::Serialize;

use super::build::TraceId;
use super::command::Subcommand;

/// Whether the command did its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BuildOutcome {
    /// The log shows no failure.
    Ok,
    /// The log shows a failure or a failed test.
    Failed,
}

impl BuildOutcome {
    /// Its name in labels and attributes.
    pub(crate) const fn id(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
        }
    }
}

/// How sure it is that these events are one go command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Confidence {
    /// Told from a log alone.
    Inferred,
    /// The command was ours to run: its words, times and exit code are known.
    Exact,
}

impl Confidence {
    /// Its name in `gobuild.confidence`.
    pub(crate) const fn id(self) -> &'static str {
        match self {
            Self::Inferred => "inferred",
            Self::Exact => "exact",
        }
    }
}

/// Why the build was taken to be over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EndedBy {
    /// The log shows the next command.
    NextCommand,
    /// The log ended.
    EndOfLog,
    /// Nothing came for longer than the idle timeout.
    Idle,
    /// The agent stops.
    Shutdown,
    /// The log was gone when the agent started again.
    LogGone,
    /// Too many builds were open; this one had been silent the longest.
    TooManyOpen,
}

impl EndedBy {
    /// Its name in `gobuild.ended_by`.
    pub(crate) const fn id(self) -> &'static str {
        match self {
            Self::NextCommand => "next_command",
            Self::EndOfLog => "end_of_log",
            Self::Idle => "idle",
            Self::Shutdown => "shutdown",
            Self::LogGone => "log_gone",
            Self::TooManyOpen => "too_many_open",
        }
    }
}

/// One failure of a build.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct FailureSeen {
    /// What the log says of it.
    #[serde(flatten)]
    pub(crate) failure: Failure,
    /// When, as well as the log tells.
    pub(crate) time: Timestamp,
    /// Offset in bytes of its first line.
    pub(crate) offset: u64,
    /// An earlier failure of a more telling class explains it.
    pub(crate) consequence: bool,
}

/// How many failures of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct ClassCount {
    pub(crate) class: FailureClass,
    pub(crate) count: u64,
}

/// Counts of test cases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct TestCounts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
    /// Tests that failed and then passed in the same command.
    pub(crate) flaky: u64,
    /// Benchmark results.
    pub(crate) benchmarks: u64,
}

/// Counts of packages under `go test`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct PackageCounts {
    /// Cached ones included.
    pub(crate) passed: u64,
    /// Of the passed ones, out of the test cache.
    pub(crate) cached: u64,
    pub(crate) failed: u64,
    pub(crate) build_failed: u64,
    pub(crate) setup_failed: u64,
    pub(crate) no_test_files: u64,
    /// Their tests were seen, their result was not.
    pub(crate) unfinished: u64,
}

/// One of the slowest packages or tests.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Slow {
    /// Import path, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) package: Option<String>,
    /// Name of the test; `None` for a package.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) test: Option<String>,
    pub(crate) seconds: f64,
}

/// A module that was downloaded, or should have been.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct DownloadSeen {
    pub(crate) module: String,
    pub(crate) version: String,
    /// Who served it, where requests are shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) host: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failed: Option<FailureClass>,
}

/// Counts of the HTTP requests that `-x` shows, by host.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct HostRequests {
    /// `other` for those beyond the bound.
    pub(crate) host: String,
    pub(crate) requests: u64,
    /// Without an answer, or answered with 4xx or 5xx.
    pub(crate) failed: u64,
    /// Sum of the seconds to the response headers; requests run in parallel.
    pub(crate) seconds: f64,
}

/// What `go get` did to one requirement.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ModuleChanged {
    pub(crate) module: String,
    pub(crate) change: ModuleChange,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<String>,
    pub(crate) version: String,
}

/// What was left out of spans, log records or lists because a bound was reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Folded {
    /// Test cases without a span of their own.
    pub(crate) tests: u64,
    /// Test packages without a span of their own.
    pub(crate) packages: u64,
    /// Module downloads without a span of their own.
    pub(crate) downloads: u64,
    /// Requests without a span of their own.
    pub(crate) requests: u64,
    /// Log records that were not sent.
    pub(crate) records: u64,
    /// Items left out of the lists of this summary.
    pub(crate) listed: u64,
}

/// One finished build.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct BuildSummary {
    pub(crate) trace_id: TraceId,
    /// Name of the root span: `go test`.
    pub(crate) name: &'static str,
    pub(crate) subcommand: Subcommand,
    /// The command as echoed, redacted; `None` when the log shows none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) command: Option<String>,
    pub(crate) outcome: BuildOutcome,
    pub(crate) confidence: Confidence,
    /// As a shell tells it, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) exit_code: Option<u8>,
    pub(crate) ended_by: EndedBy,
    /// Path of the log.
    pub(crate) log: String,
    /// Offset in bytes of the build's first line in the log.
    pub(crate) first_offset: u64,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    /// From `start` to `end`; `None` when the log shows nothing but the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) duration_seconds: Option<f64>,
    /// How many events the log had of it.
    pub(crate) events: u64,
    /// The failure that explains the others, as an index into `failures`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) primary_failure: Option<usize>,
    /// The first ones, in the order of the log; `failure_counts` counts all.
    pub(crate) failures: Vec<FailureSeen>,
    pub(crate) failure_counts: Vec<ClassCount>,
    pub(crate) tests: TestCounts,
    pub(crate) packages: PackageCounts,
    /// Slowest first.
    pub(crate) slowest_packages: Vec<Slow>,
    /// Slowest first; a parent test includes its subtests.
    pub(crate) slowest_tests: Vec<Slow>,
    /// Mean of the coverages that packages printed, in percent; not weighted by their statements.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mean_package_coverage_percent: Option<f64>,
    /// How many distinct module versions were downloaded or should have been.
    pub(crate) downloads_total: u64,
    /// Of these, the ones that failed.
    pub(crate) downloads_failed: u64,
    /// The first ones.
    pub(crate) downloads: Vec<DownloadSeen>,
    /// As printed: `go1.22.3`.
    pub(crate) toolchain_downloads: Vec<String>,
    pub(crate) requests: Vec<HostRequests>,
    pub(crate) proxy_fallbacks: u64,
    pub(crate) modules_changed: Vec<ModuleChanged>,
    pub(crate) packages_compiled: u64,
    pub(crate) diagnostics: u64,
    pub(crate) folded: Folded,
}
