//! Every metric: its name, type, unit, labels and meaning, in one table.
//!
//! The registration, the page at the start, the OpenMetrics units and the reference page come from here. A metric
//! stands in the table when something feeds it, not before.
//!
//! Invariants: the order of [`CATALOGUE`] is the order of [`Id`]; a label's values come from a closed list or from the
//! allow-list of hosts, so no log can make the page grow beyond its bound.

use std::sync::LazyLock;

use gobeacon_collectors::buildcache::How;
use gobeacon_collectors::counters::FolderState;
use gobeacon_collectors::{COLLECTORS, State};
use gobeacon_formats::action_graph::Reason;
use gobeacon_formats::cache_entry::OutputKind;
use gobeacon_formats::counters::Tool;
use gobeacon_formats::{EventKind, FAILURES, FailureClass};

use super::hosts;
use crate::builds::command::Subcommand;
use crate::builds::summary::BuildOutcome;
use crate::export::{DropReason, FailureReason};

/// Names a metric in the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Id {
    Commands,
    CommandFailures,
    CommandDuration,
    CommandsRunning,
    Failures,
    ModuleDownloads,
    ModuleDownloadFailures,
    ModuleDownloadBytes,
    ModuleRedundantDownloadBytes,
    ModuleDownloadDuration,
    ModuleDownloadsStalled,
    ProxyFallbacks,
    ChecksumMismatches,
    ChecksumMismatchedModules,
    HashConflicts,
    ModulesVerified,
    ModulesCorrupt,
    SumdbRequestsFailed,
    Tests,
    TestFailures,
    TestsFlaky,
    TestPackages,
    TestPackagesCached,
    TestDuration,
    ToolchainDownloads,
    CacheLookups,
    CacheHits,
    StdlibRecompiled,
    ToolInvocations,
    SubcommandInvocations,
    CacheMisses,
    ActionDuration,
    ToolCpu,
    CriticalPath,
    TelemetryFolders,
    Caches,
    CachePuts,
    CacheCopiedReads,
    CacheRestoredEntries,
    CacheRestoredBytes,
    CacheRestoredHits,
    CacheTrimmedEntries,
    CacheTrimmedBytes,
    CacheSize,
    CacheEntries,
    CacheFree,
    CacheKindBytes,
    BuildInfo,
    CollectorUp,
    CollectorErrors,
    LogBytes,
    LogLines,
    LogLinesUnrecognised,
    LogFiles,
    LogLag,
    LogWorstLagBytes,
    LogWorstLagSeconds,
    LogTruncations,
    LogLostBytes,
    LogCompressed,
    Events,
    EventLatency,
    Dropped,
    KernelQueueOverflows,
    ExportRequests,
    ExportFailures,
    SpoolBytes,
    SpoolOldest,
    SpoolErrors,
    ConfigReloads,
    ConfigReloadFailures,
    ConfigReloadSuccessful,
    ConfigReloadTime,
    StateBytes,
    StateErrors,
}

/// What kind of number it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    /// With the upper bounds of its buckets, in the unit of the metric, without the infinite one.
    Histogram(&'static [f64]),
}

/// What is counted or measured. The base units of Prometheus only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Things.
    None,
    Seconds,
    Bytes,
}

/// A label and where its values come from.
#[derive(Debug)]
pub(super) struct Label {
    pub(super) name: &'static str,
    pub(super) values: Values,
}

/// Where the values of a label come from.
#[derive(Debug)]
pub(super) enum Values {
    /// A closed list.
    Closed(fn() -> Vec<&'static str>),
    /// A closed list, of which these are there from the start and the others when they occur.
    ClosedButLate { all: fn() -> Vec<&'static str>, at_start: &'static [&'static str] },
    /// Hosts: the first ones have their own name, the others are [`hosts::OTHER`].
    Host,
}

/// Which series are there from the start, as 0.
#[derive(Debug)]
pub(super) enum AtStart {
    /// All combinations of what the labels have at the start.
    Product,
    /// These.
    These(fn() -> Vec<Vec<&'static str>>),
    /// None: a value is known only once something was heard.
    Nothing,
}

/// One metric.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: Id,
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) unit: Unit,
    pub(super) labels: &'static [Label],
    pub(super) at_start: AtStart,
    /// Most combinations of label values; beyond it the last label is `__other__`.
    pub(super) most_series: usize,
    pub(super) help: &'static str,
}

impl Id {
    /// Its row in the table.
    pub(super) fn row(self) -> &'static Row {
        #[expect(clippy::indexing_slicing, reason = "the table has a row for each id, in order; a test holds it")]
        &CATALOGUE[self as usize]
    }
}

impl Unit {
    /// The suffix of the name, and the unit of OpenMetrics.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Seconds => "seconds",
            Self::Bytes => "bytes",
        }
    }
}

impl Values {
    /// The values that are there from the start.
    pub(super) fn at_start(&self) -> Vec<&'static str> {
        match self {
            Self::Closed(all) => all(),
            Self::ClosedButLate { at_start, .. } => at_start.to_vec(),
            Self::Host => hosts::AT_START.to_vec(),
        }
    }

    /// The closed list; `None` for hosts.
    pub(super) fn closed(&self) -> Option<Vec<&'static str>> {
        match self {
            Self::Closed(all) | Self::ClosedButLate { all, .. } => Some(all()),
            Self::Host => None,
        }
    }
}

/// The `repository` of what only a log tells of.
pub(super) const UNKNOWN_REPOSITORY: &str = "unknown";
/// The class of a failure that no class fits, and the reason of a request that failed for another cause.
pub(super) const UNKNOWN: &str = "unknown";
/// The exporters: each signal has a queue and requests of its own.
pub(super) const EXPORTERS: [&str; 2] = ["otlp_traces", "otlp_logs"];
/// The `cache` of a build cache (GOCACHE).
pub(super) const BUILD_CACHE: &str = "build";
/// Module caches.
pub(super) const MOD_CACHE: &str = "mod";
/// The `source` of what the kernel tells of build caches.
pub(super) const BY_WATCH: &str = "watch";
/// `what` and `reason` of what is lost before it is an event.
pub(super) const LINE_TOO_LONG: [&str; 2] = ["line", "too_long"];
pub(super) const PARSER_FULL: [&str; 2] = ["event", "parser_full"];

/// Go commands take from a second to an hour.
const COMMAND_SECONDS: &[f64] = &[1.0, 5.0, 15.0, 30.0, 60.0, 180.0, 600.0, 1800.0, 4096.0];
const TEST_SECONDS: &[f64] = &[0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0];
const DOWNLOAD_SECONDS: &[f64] = &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0, 600.0];
const ACTION_SECONDS: &[f64] = &[0.01, 0.1, 0.5, 2.0, 10.0, 30.0, 120.0];
const LATENCY_SECONDS: &[f64] = &[0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

const SUBCOMMAND: Label = Label { name: "subcommand", values: Values::Closed(subcommands) };
const TOOL: Label = Label { name: "tool", values: Values::Closed(tools) };
const REPOSITORY: Label = Label { name: "repository", values: Values::Closed(|| vec![UNKNOWN_REPOSITORY]) };
const CLASS: Label = Label { name: "class", values: Values::Closed(classes) };
/// All classes beside a host: what hosts there are is not known at the start.
const LATE_CLASS: Label = Label { name: "class", values: Values::ClosedButLate { all: classes, at_start: &[UNKNOWN] } };
const LATE_REASON: Label =
    Label { name: "reason", values: Values::ClosedButLate { all: request_reasons, at_start: &[UNKNOWN] } };
const COLLECTOR: Label = Label { name: "collector", values: Values::Closed(collectors) };
const EXPORTER: Label = Label { name: "exporter", values: Values::Closed(|| EXPORTERS.to_vec()) };
/// Which kind of cache.
const CACHE: Label = Label { name: "cache", values: Values::Closed(|| vec![BUILD_CACHE, MOD_CACHE]) };

fn collectors() -> Vec<&'static str> {
    COLLECTORS.iter().map(|collector| collector.name).collect()
}

fn folder_states() -> Vec<&'static str> {
    FolderState::ALL.iter().map(|state| state.name()).collect()
}

/// The tools that actions are named for; the others are parts of a compilation.
fn timed_tools() -> Vec<Vec<&'static str>> {
    [Tool::Compile, Tool::Link, Tool::Vet, Tool::Test].map(|tool| vec![tool.name()]).to_vec()
}

fn miss_reasons() -> Vec<&'static str> {
    Reason::ALL.iter().map(|reason| reason.name()).collect()
}

fn tools() -> Vec<&'static str> {
    Tool::ALL.iter().map(|tool| tool.name()).collect()
}

fn states() -> Vec<&'static str> {
    State::ALL.iter().map(|state| state.name()).collect()
}

fn subcommands() -> Vec<&'static str> {
    Subcommand::ALL.iter().map(|it| it.id()).collect()
}

fn outcomes() -> Vec<&'static str> {
    vec![BuildOutcome::Ok.id(), BuildOutcome::Failed.id()]
}

fn classes() -> Vec<&'static str> {
    FAILURES.iter().map(|row| row.id).collect()
}

/// Why a request to a proxy or a checksum database can fail.
static REQUEST_REASONS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let of_requests = |id: &&str| id.starts_with("proxy.") || id.starts_with("network.") || *id == UNKNOWN;
    classes().into_iter().filter(of_requests).collect()
});

fn request_reasons() -> Vec<&'static str> {
    REQUEST_REASONS.clone()
}

/// The class as the reason of a request; what is no class of requests is unknown.
pub(super) fn request_reason(class: FailureClass) -> &'static str {
    REQUEST_REASONS.iter().find(|reason| **reason == class.id()).copied().unwrap_or(UNKNOWN)
}

fn drops() -> Vec<Vec<&'static str>> {
    let exported = ["event", "span"].into_iter();
    let exported = exported.flat_map(|what| DropReason::ALL.map(|reason| vec![what, reason.as_str()]));
    exported.chain([LINE_TOO_LONG.to_vec(), PARSER_FULL.to_vec()]).collect()
}

fn drop_reasons() -> Vec<&'static str> {
    let exported = DropReason::ALL.iter().map(|reason| reason.as_str());
    exported.chain([LINE_TOO_LONG, PARSER_FULL].map(|[_, reason]| reason)).collect()
}

fn export_reasons() -> Vec<&'static str> {
    FailureReason::ALL.iter().map(|reason| reason.as_str()).collect()
}

const fn counter(id: Id, name: &'static str, labels: &'static [Label], help: &'static str) -> Row {
    row(id, name, Kind::Counter, Unit::None, labels, help)
}

const fn row(id: Id, name: &'static str, kind: Kind, unit: Unit, labels: &'static [Label], help: &'static str) -> Row {
    Row { id, name, kind, unit, labels, at_start: AtStart::Product, most_series: 128, help }
}

/// All metrics, in the order of [`Id`].
pub(super) static CATALOGUE: [Row; 75] = [
    counter(Id::Commands, "gobuild_commands_total", &[SUBCOMMAND, REPOSITORY], "Go commands that ended."),
    counter(
        Id::CommandFailures,
        "gobuild_command_failures_total",
        &[SUBCOMMAND, CLASS],
        "Go commands that failed, by the failure that explains the others.",
    ),
    row(
        Id::CommandDuration,
        "gobuild_command_duration_seconds",
        Kind::Histogram(COMMAND_SECONDS),
        Unit::Seconds,
        &[SUBCOMMAND, Label { name: "outcome", values: Values::Closed(outcomes) }],
        "Time from the first to the last sign of a go command, where the log shows more than one moment of it.",
    ),
    row(
        Id::CommandsRunning,
        "gobuild_commands_running",
        Kind::Gauge,
        Unit::None,
        &[],
        "Go commands that began and have not ended.",
    ),
    counter(
        Id::Failures,
        "gobuild_failures_total",
        &[CLASS],
        "Distinct causes of failure: each counts once for each go command.",
    ),
    Row {
        most_series: hosts::MOST + 2,
        ..counter(
            Id::ModuleDownloads,
            "gobuild_module_downloads_total",
            &[Label { name: "host", values: Values::Host }],
            "Module versions that a go command began to download: each counts once for each go command.",
        )
    },
    Row {
        most_series: 24,
        ..counter(
            Id::ModuleDownloadFailures,
            "gobuild_module_download_failures_total",
            &[Label { name: "host", values: Values::Host }, LATE_CLASS],
            "Module versions that a go command could not download: each counts once for each go command.",
        )
    },
    Row {
        most_series: hosts::MOST + 2,
        ..row(
            Id::ModuleDownloadBytes,
            "gobuild_module_download_bytes_total",
            Kind::Counter,
            Unit::Bytes,
            &[Label { name: "host", values: Values::Host }],
            "Bytes of the module zips that came into watched module caches.",
        )
    },
    row(
        Id::ModuleRedundantDownloadBytes,
        "gobuild_module_redundant_download_bytes_total",
        Kind::Counter,
        Unit::Bytes,
        &[],
        "Bytes of module zips that this machine had before: in another of its module caches, or in the same one until it was cleaned.",
    ),
    Row {
        most_series: hosts::MOST + 2,
        ..row(
            Id::ModuleDownloadDuration,
            "gobuild_module_download_duration_seconds",
            Kind::Histogram(DOWNLOAD_SECONDS),
            Unit::Seconds,
            &[Label { name: "host", values: Values::Host }],
            "Time from the first request for a module zip until it was verified and in its place.",
        )
    },
    row(
        Id::ModuleDownloadsStalled,
        "gobuild_module_downloads_stalled",
        Kind::Gauge,
        Unit::None,
        &[],
        "Downloads into watched module caches that do not grow at present.",
    ),
    Row {
        most_series: 24,
        ..counter(
            Id::ProxyFallbacks,
            "gobuild_module_proxy_fallbacks_total",
            &[Label { name: "from_host", values: Values::Host }, LATE_REASON],
            "Modules for which the next proxy was asked because this one did not give them.",
        )
    },
    counter(
        Id::ChecksumMismatches,
        "gobuild_checksum_mismatches_total",
        &[
            Label { name: "verifier", values: Values::Closed(|| vec!["go_sum", "sumdb", "cache"]) },
            Label { name: "artifact", values: Values::Closed(|| vec!["zip", "go_mod"]) },
        ],
        "Downloaded modules whose hash is not the recorded one.",
    ),
    row(
        Id::ChecksumMismatchedModules,
        "gobuild_checksum_mismatched_modules",
        Kind::Gauge,
        Unit::None,
        &[],
        "Distinct module versions with a checksum mismatch in the last hour, up to 1024.",
    ),
    row(
        Id::HashConflicts,
        "gobuild_module_hash_conflicts",
        Kind::Gauge,
        Unit::None,
        &[],
        "Module versions in the caches of this node whose hashes disagree now: zip, .ziphash, checksum database, go.sum.",
    ),
    counter(
        Id::ModulesVerified,
        "gobuild_module_verified_total",
        &[],
        "Module versions in caches that were read and agree with all that is known of them; each counts once a reading.",
    ),
    counter(
        Id::ModulesCorrupt,
        "gobuild_module_corrupt_total",
        &[],
        "Zips, .ziphash files, records of the checksum database and extracted trees that cannot be what they claim to be.",
    ),
    counter(
        Id::SumdbRequestsFailed,
        "gobuild_sumdb_requests_failed_total",
        &[Label { name: "reason", values: Values::Closed(request_reasons) }],
        "Requests to the checksum database that failed, directly or through a proxy.",
    ),
    counter(
        Id::Tests,
        "gobuild_tests_total",
        &[REPOSITORY],
        "Tests, subtests, examples and fuzz targets that ended, skipped ones included.",
    ),
    counter(
        Id::TestFailures,
        "gobuild_test_failures_total",
        &[REPOSITORY],
        "Tests, subtests, examples and fuzz targets that failed.",
    ),
    counter(
        Id::TestsFlaky,
        "gobuild_tests_flaky_total",
        &[REPOSITORY],
        "Tests that failed and then passed within one go command.",
    ),
    counter(
        Id::TestPackages,
        "gobuild_test_packages_total",
        &[],
        "Packages with tests that go test gave a result for; packages without test files are left out.",
    ),
    counter(
        Id::TestPackagesCached,
        "gobuild_test_packages_cached_total",
        &[],
        "Packages with tests whose result came out of the test cache.",
    ),
    row(
        Id::TestDuration,
        "gobuild_test_duration_seconds",
        Kind::Histogram(TEST_SECONDS),
        Unit::Seconds,
        &[],
        "Time of single tests as go test prints it; a test includes its subtests.",
    ),
    counter(
        Id::ToolchainDownloads,
        "gobuild_toolchain_downloads_total",
        &[],
        "Go toolchains that a go command downloaded.",
    ),
    Row {
        at_start: AtStart::These(|| vec![vec!["action_graph"]]),
        ..counter(
            Id::CacheLookups,
            "gobuild_cache_lookups_total",
            &[Label { name: "source", values: Values::Closed(|| vec!["counters", "action_graph", "cacheprog"]) }],
            "Actions that were looked up in the build cache. The sources tell of the same builds: never add them up.",
        )
    },
    Row {
        at_start: AtStart::These(|| vec![vec!["action_graph"], vec![BY_WATCH]]),
        ..counter(
            Id::CacheHits,
            "gobuild_cache_hits_total",
            &[Label {
                name: "source",
                values: Values::Closed(|| vec!["counters", "action_graph", BY_WATCH, "cacheprog"]),
            }],
            "Lookups in the build cache that found what they wanted. The sources tell of the same builds: never add them up. watch counts everything that go commands read from watched caches, more than packages, and is not there when caches can only be polled.",
        )
    },
    Row {
        at_start: AtStart::Nothing,
        ..counter(
            Id::StdlibRecompiled,
            "gobuild_stdlib_recompiled_commands_total",
            &[],
            "Go commands that did not find some package of the standard library in the build cache.",
        )
    },
    Row {
        at_start: AtStart::Nothing,
        ..counter(
            Id::ToolInvocations,
            "gobuild_tool_invocations_total",
            &[TOOL],
            "Runs of the tools of a Go distribution as they count themselves, questions for their version among them.",
        )
    },
    Row {
        at_start: AtStart::Nothing,
        ..counter(
            Id::SubcommandInvocations,
            "gobuild_subcommand_invocations_total",
            &[SUBCOMMAND],
            "Go commands as they count themselves when they begin, whether a log shows them or not.",
        )
    },
    counter(
        Id::CacheMisses,
        "gobuild_cache_misses_total",
        &[Label { name: "reason", values: Values::Closed(miss_reasons) }],
        "Packages that were compiled, by why, as graphs of actions tell.",
    ),
    Row {
        at_start: AtStart::These(timed_tools),
        ..row(
            Id::ActionDuration,
            "gobuild_action_duration_seconds",
            Kind::Histogram(ACTION_SECONDS),
            Unit::Seconds,
            &[TOOL],
            "Time of actions that ran something, from graphs of actions; a compilation includes assembly and cgo.",
        )
    },
    Row {
        at_start: AtStart::These(timed_tools),
        ..row(
            Id::ToolCpu,
            "gobuild_tool_cpu_seconds_total",
            Kind::Counter,
            Unit::Seconds,
            &[TOOL],
            "CPU time of actions, user and system, from graphs of actions; it is not known of tests.",
        )
    },
    row(
        Id::CriticalPath,
        "gobuild_critical_path_seconds",
        Kind::Histogram(COMMAND_SECONDS),
        Unit::Seconds,
        &[],
        "Time of the longest chain of actions of a go command, which no more cores could have saved.",
    ),
    row(
        Id::TelemetryFolders,
        "gobeacon_telemetry_folders",
        Kind::Gauge,
        Unit::None,
        &[Label { name: "state", values: Values::Closed(folder_states) }],
        "Folders of Go's own counters; there are numbers of them only while some are counting.",
    ),
    row(
        Id::Caches,
        "gobuild_caches",
        Kind::Gauge,
        Unit::None,
        &[
            Label { name: "cache", values: Values::Closed(|| vec![BUILD_CACHE]) },
            Label { name: "seen", values: Values::Closed(|| How::ALL.map(How::name).to_vec()) },
        ],
        "Build caches that are followed: watched ones are told by the kernel, polled ones are looked at and show no hits.",
    ),
    counter(Id::CachePuts, "gobuild_cache_puts_total", &[], "Actions that go commands put into a build cache."),
    counter(
        Id::CacheCopiedReads,
        "gobuild_cache_copied_reads_total",
        &[],
        "Actions of a build cache that were read by who copies the cache, such as a CI step that saves it: no hits.",
    ),
    counter(
        Id::CacheRestoredEntries,
        "gobuild_cache_restored_entries_total",
        &[],
        "Files of a build cache that something other than a go command wrote, such as a CI step that restores it: no puts.",
    ),
    row(
        Id::CacheRestoredBytes,
        "gobuild_cache_restored_bytes_total",
        Kind::Counter,
        Unit::Bytes,
        &[],
        "Bytes of the files that were restored.",
    ),
    counter(
        Id::CacheRestoredHits,
        "gobuild_cache_restored_hits_total",
        &[],
        "Those of the watched hits that found what the last restore had brought.",
    ),
    counter(
        Id::CacheTrimmedEntries,
        "gobuild_cache_trimmed_entries_total",
        &[],
        "Files of a build cache that were removed one by one, as the go command's trim does; go clean is not counted.",
    ),
    row(
        Id::CacheTrimmedBytes,
        "gobuild_cache_trimmed_bytes_total",
        Kind::Counter,
        Unit::Bytes,
        &[],
        "Bytes of the files that were trimmed, as far as their sizes were known.",
    ),
    Row {
        at_start: AtStart::Nothing,
        ..row(
            Id::CacheSize,
            "gobuild_cache_size_bytes",
            Kind::Gauge,
            Unit::Bytes,
            &[CACHE],
            "Sum of the lengths of all entries of all caches of this kind, once they were looked at.",
        )
    },
    Row {
        at_start: AtStart::Nothing,
        ..row(
            Id::CacheEntries,
            "gobuild_cache_entries",
            Kind::Gauge,
            Unit::None,
            &[CACHE],
            "Entries of all caches of this kind, once they were looked at: in build caches files of actions and of outputs, in module caches \
             versions of modules and toolchains.",
        )
    },
    Row {
        at_start: AtStart::Nothing,
        ..row(
            Id::CacheFree,
            "gobuild_cache_free_bytes",
            Kind::Gauge,
            Unit::Bytes,
            &[CACHE],
            "What the file system of a cache has left; of several the one that has least.",
        )
    },
    Row {
        at_start: AtStart::Nothing,
        ..row(
            Id::CacheKindBytes,
            "gobuild_cache_kind_bytes",
            Kind::Gauge,
            Unit::Bytes,
            &[Label { name: "kind", values: Values::Closed(|| OutputKind::ALL.map(OutputKind::name).to_vec()) }],
            "Bytes of the outputs in build caches by what they are.",
        )
    },
    row(
        Id::BuildInfo,
        "gobeacon_build_info",
        Kind::Gauge,
        Unit::None,
        &[Label { name: "version", values: Values::Closed(|| vec![env!("CARGO_PKG_VERSION")]) }],
        "1, with the version of gobeacon.",
    ),
    Row {
        at_start: AtStart::Nothing,
        ..row(
            Id::CollectorUp,
            "gobeacon_collector_up",
            Kind::Gauge,
            Unit::None,
            &[COLLECTOR, Label { name: "reason", values: Values::Closed(states) }],
            "1 when the collector works, 0 when it does not; the reason says what it is doing.",
        )
    },
    counter(
        Id::CollectorErrors,
        "gobeacon_collector_errors_total",
        &[COLLECTOR],
        "Errors of the operating system that a collector met.",
    ),
    row(Id::LogBytes, "gobeacon_log_bytes_total", Kind::Counter, Unit::Bytes, &[], "Bytes read from logs."),
    counter(Id::LogLines, "gobeacon_log_lines_total", &[], "Complete lines read from logs."),
    counter(
        Id::LogLinesUnrecognised,
        "gobeacon_log_lines_unrecognised_total",
        &[],
        "Complete lines that mean nothing to gobeacon.",
    ),
    row(Id::LogFiles, "gobeacon_log_files", Kind::Gauge, Unit::None, &[], "Logs that are followed."),
    row(
        Id::LogLag,
        "gobeacon_log_lag_bytes",
        Kind::Gauge,
        Unit::Bytes,
        &[],
        "Bytes that are in the followed logs and have not been read.",
    ),
    row(
        Id::LogWorstLagBytes,
        "gobeacon_log_worst_lag_bytes",
        Kind::Gauge,
        Unit::Bytes,
        &[],
        "Bytes that have not been read of the log that has most of them.",
    ),
    row(
        Id::LogWorstLagSeconds,
        "gobeacon_log_worst_lag_seconds",
        Kind::Gauge,
        Unit::Seconds,
        &[],
        "How long bytes have been in a log without being read, in the log where that is longest.",
    ),
    counter(
        Id::LogTruncations,
        "gobeacon_log_truncations_total",
        &[],
        "Logs that became shorter than what had been read of them, and were read again from their start.",
    ),
    row(
        Id::LogLostBytes,
        "gobeacon_log_lost_bytes_total",
        Kind::Counter,
        Unit::Bytes,
        &[],
        "Bytes that went away with their log before they were read, as far as that can be told.",
    ),
    counter(
        Id::LogCompressed,
        "gobeacon_log_compressed_files_total",
        &[],
        "Compressed files that a glob finds and that are not read: they were logs before.",
    ),
    counter(
        Id::Events,
        "gobeacon_events_total",
        &[Label { name: "kind", values: Values::Closed(|| EventKind::NAMES.to_vec()) }],
        "Events found in logs.",
    ),
    row(
        Id::EventLatency,
        "gobeacon_event_latency_seconds",
        Kind::Histogram(LATENCY_SECONDS),
        Unit::Seconds,
        &[],
        "Time from reading an event to counting it; what was written before the agent started is left out.",
    ),
    Row {
        at_start: AtStart::These(drops),
        ..counter(
            Id::Dropped,
            "gobeacon_dropped_total",
            &[
                Label { name: "what", values: Values::Closed(|| vec!["event", "span", "line"]) },
                Label { name: "reason", values: Values::Closed(drop_reasons) },
            ],
            "What was lost, wholly or in part. It is 0 in normal work.",
        )
    },
    counter(
        Id::KernelQueueOverflows,
        "gobeacon_kernel_queue_overflows_total",
        &[Label { name: "queue", values: Values::Closed(|| vec!["inotify"]) }],
        "Overflows of queues of the kernel; each is answered by a search of the folders.",
    ),
    counter(
        Id::ExportRequests,
        "gobeacon_export_requests_total",
        &[EXPORTER],
        "Requests to the OTLP backend that were answered or given up; each attempt counts.",
    ),
    counter(
        Id::ExportFailures,
        "gobeacon_export_failures_total",
        &[EXPORTER, Label { name: "reason", values: Values::Closed(export_reasons) }],
        "Requests to the OTLP backend that failed, and those of which it took only a part.",
    ),
    row(
        Id::SpoolBytes,
        "gobeacon_spool_bytes",
        Kind::Gauge,
        Unit::Bytes,
        &[EXPORTER],
        "Bytes of the files that keep what is not delivered yet.",
    ),
    row(
        Id::SpoolOldest,
        "gobeacon_spool_oldest_seconds",
        Kind::Gauge,
        Unit::Seconds,
        &[EXPORTER],
        "How long the oldest data that is not delivered has waited, on disk or in memory; 0 when none waits.",
    ),
    counter(
        Id::SpoolErrors,
        "gobeacon_spool_errors_total",
        &[EXPORTER],
        "Writes to the spool that failed; each was tried again while the data was held in memory.",
    ),
    counter(
        Id::ConfigReloads,
        "gobeacon_config_reloads_total",
        &[],
        "How often the configuration, or a certificate, key or header that it names, was read again because it changed \
         or by SIGHUP.",
    ),
    counter(
        Id::ConfigReloadFailures,
        "gobeacon_config_reload_failures_total",
        &[],
        "How often what was read again had mistakes: the agent went on with what it had, and its log says why.",
    ),
    row(
        Id::ConfigReloadSuccessful,
        "gobeacon_config_last_reload_successful",
        Kind::Gauge,
        Unit::None,
        &[],
        "1 when the configuration that was read last is the one that runs; 0 when it has mistakes.",
    ),
    row(
        Id::ConfigReloadTime,
        "gobeacon_config_last_reload_success_timestamp_seconds",
        Kind::Gauge,
        Unit::Seconds,
        &[],
        "When the configuration that runs was read, in seconds since 1970.",
    ),
    row(
        Id::StateBytes,
        "gobeacon_state_bytes",
        Kind::Gauge,
        Unit::Bytes,
        &[],
        "Size of the journal of what is remembered over restarts; 0 until it is written first.",
    ),
    counter(
        Id::StateErrors,
        "gobeacon_state_errors_total",
        &[],
        "Records of what is remembered over restarts that could not be written, each tried again with the next, and \
         such files that could not be read at the start.",
    ),
];
