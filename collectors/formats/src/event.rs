//! The vocabulary: what a line of Go output can mean.
//!
//! Everything in gobeacon speaks in these types; they know nothing of files, clocks, builds, spans or metrics.
//! `serde` writes them as the JSON objects of `gobeacon parse --format json`, one object an event.
//!
//! Invariant: a field that is unknown is `None` and is left out of the JSON, never null or "".

use serde::Serialize;

use crate::failure::Failure;
use crate::time::Timestamp;

/// One thing that a log says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
    /// When, where the line carries a time stamp (of the CI system, the container runtime or test2json).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// Offset in bytes of the event's first line in its log.
    pub offset: u64,
    /// How many lines of the log it spans, at least 1.
    pub lines: u32,
}

/// The kinds of events and their fields. The names of the kinds and fields are a contract.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind")]
pub enum EventKind {
    /// `go: downloading M V`: a download starts. The go command prints no end of it.
    #[serde(rename = "module.download")]
    ModuleDownload {
        /// Module path.
        module: String,
        /// Module version.
        version: String,
    },
    /// `go: downloading go1.22.3 (linux/amd64)`.
    #[serde(rename = "toolchain.download")]
    ToolchainDownload {
        /// With its `go` prefix: `go1.22.3`.
        version: String,
        /// GOOS.
        os: String,
        /// GOARCH.
        arch: String,
    },
    /// A finished `# get URL: ...` line of `-x`.
    #[serde(rename = "http.request")]
    HttpRequest {
        /// As printed: the go command has redacted the user info.
        url: String,
        /// Status and time, or the error.
        #[serde(flatten)]
        answer: HttpAnswer,
    },
    /// A finished version control command of `-x`.
    #[serde(rename = "vcs.command")]
    VcsCommand {
        /// The text after `cd DIR; `.
        command: String,
        /// Seconds that it took, as printed.
        duration_seconds: f64,
    },
    /// What `go get` did to a requirement.
    #[serde(rename = "module.changed")]
    ModuleChanged {
        /// Module path.
        module: String,
        /// Added, removed, upgraded or downgraded.
        change: ModuleChange,
        /// The version before, where both are printed.
        #[serde(skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// The new version; for a removed module the one removed.
        version: String,
    },
    /// `go: found P in M V`.
    #[serde(rename = "module.found")]
    ModuleFound {
        /// Import path of the package that was looked for.
        package: String,
        /// Path of the module that has it.
        module: String,
        /// Its version.
        version: String,
    },
    /// A version that its author retracted is in use.
    #[serde(rename = "module.retracted")]
    ModuleRetracted {
        /// Module path.
        module: String,
        /// The retracted version.
        version: String,
        /// The author's words, where given.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A module that its author deprecated is in use.
    #[serde(rename = "module.deprecated")]
    ModuleDeprecated {
        /// Module path.
        module: String,
        /// The version in use, where printed.
        #[serde(skip_serializing_if = "Option::is_none")]
        version: Option<String>,
        /// The author's words, where given.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// One object of `go mod download -json`.
    #[serde(rename = "module.info")]
    ModuleInfo {
        /// Module path.
        module: String,
        /// Module version, where it was resolved.
        #[serde(skip_serializing_if = "Option::is_none")]
        version: Option<String>,
        /// h1 hash of the zip.
        #[serde(skip_serializing_if = "Option::is_none")]
        sum: Option<String>,
        /// h1 hash of the go.mod file.
        #[serde(skip_serializing_if = "Option::is_none")]
        gomod_sum: Option<String>,
        /// The error text, decoded.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// A shell echo or CI step header that runs a go command. A framing event.
    #[serde(rename = "command.started")]
    CommandStarted {
        /// The command as echoed, without the prompt.
        command: String,
    },
    /// A bare import path on the standard error of `-v`: this package is being compiled now.
    #[serde(rename = "package.compiled")]
    PackageCompiled {
        /// Import path.
        package: String,
    },
    /// A position line of compiler, vet, cgo or C compiler.
    #[serde(rename = "diagnostic")]
    Diagnostic {
        /// Import path, where a header names it.
        #[serde(skip_serializing_if = "Option::is_none")]
        package: Option<String>,
        /// As printed.
        file: String,
        /// 1-based.
        line: u32,
        /// 1-based, in bytes, where printed.
        #[serde(skip_serializing_if = "Option::is_none")]
        column: Option<u32>,
        /// The text behind the position.
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// JSON `build-fail`.
    #[serde(rename = "build.failed")]
    BuildFailed {
        /// Import path without ` [P.test]`.
        package: String,
    },
    /// One test, example, fuzz target or subtest that ended.
    #[serde(rename = "test.case")]
    TestCase {
        /// Import path; unknown for a test binary that was run by hand.
        #[serde(skip_serializing_if = "Option::is_none")]
        package: Option<String>,
        /// Full name, subtests parted by `/`.
        name: String,
        /// How it ended.
        status: CaseStatus,
        /// Seconds, as printed.
        #[serde(skip_serializing_if = "Option::is_none")]
        elapsed_seconds: Option<f64>,
    },
    /// The result of one package under `go test`.
    #[serde(rename = "test.package")]
    TestPackage {
        /// Import path.
        package: String,
        /// How it ended.
        status: PackageStatus,
        /// Whether the result came out of the test cache; given with `pass` only.
        #[serde(skip_serializing_if = "Option::is_none")]
        cached: Option<bool>,
        /// Seconds, as printed.
        #[serde(skip_serializing_if = "Option::is_none")]
        elapsed_seconds: Option<f64>,
        /// Statement coverage in percent.
        #[serde(skip_serializing_if = "Option::is_none")]
        coverage_percent: Option<f64>,
    },
    /// One benchmark result line.
    #[serde(rename = "test.benchmark")]
    TestBenchmark {
        /// Import path, where known.
        #[serde(skip_serializing_if = "Option::is_none")]
        package: Option<String>,
        /// Name without the `-N` of GOMAXPROCS.
        name: String,
        /// Iterations.
        iterations: u64,
        /// Nanoseconds an operation.
        #[serde(skip_serializing_if = "Option::is_none")]
        ns_per_op: Option<f64>,
    },
    /// A distinct cause of failure.
    #[serde(rename = "failure")]
    Failure(Box<Failure>),
}

/// How an HTTP request of the go command ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum HttpAnswer {
    /// The server answered.
    Answered {
        /// HTTP status.
        status: u16,
        /// Seconds to the response headers (not to the end of the body), as printed.
        duration_seconds: f64,
    },
    /// No answer.
    Failed {
        /// The rest of the line, verbatim.
        error: String,
    },
}

/// What happened to a requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ModuleChange {
    /// New in the build list.
    Added,
    /// Gone from it.
    Removed,
    /// To a higher version.
    Upgraded,
    /// To a lower version.
    Downgraded,
}

/// How a test case ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseStatus {
    /// `--- PASS`.
    Pass,
    /// `--- FAIL`.
    Fail,
    /// `--- SKIP`.
    Skip,
}

/// How a package ended under `go test`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PackageStatus {
    /// `ok`.
    Pass,
    /// `FAIL`.
    Fail,
    /// `[no test files]`.
    NoTestFiles,
    /// `[build failed]`.
    BuildFailed,
    /// `[setup failed]`.
    SetupFailed,
}

impl EventKind {
    /// The kind's name in the JSON and in the `kind` label of `gobeacon_events_total`.
    pub fn name(&self) -> &'static str {
        Self::NAMES.get(self.index()).copied().unwrap_or_default()
    }

    /// Where its name stands in [`Self::NAMES`].
    pub fn index(&self) -> usize {
        match self {
            Self::ModuleDownload { .. } => 0,
            Self::ToolchainDownload { .. } => 1,
            Self::HttpRequest { .. } => 2,
            Self::VcsCommand { .. } => 3,
            Self::ModuleChanged { .. } => 4,
            Self::ModuleFound { .. } => 5,
            Self::ModuleRetracted { .. } => 6,
            Self::ModuleDeprecated { .. } => 7,
            Self::ModuleInfo { .. } => 8,
            Self::CommandStarted { .. } => 9,
            Self::PackageCompiled { .. } => 10,
            Self::Diagnostic { .. } => 11,
            Self::BuildFailed { .. } => 12,
            Self::TestCase { .. } => 13,
            Self::TestPackage { .. } => 14,
            Self::TestBenchmark { .. } => 15,
            Self::Failure(_) => 16,
        }
    }

    /// The names of all kinds, in the order of the vocabulary: the closed label set.
    pub const NAMES: [&'static str; 17] = [
        "module.download",
        "toolchain.download",
        "http.request",
        "vcs.command",
        "module.changed",
        "module.found",
        "module.retracted",
        "module.deprecated",
        "module.info",
        "command.started",
        "package.compiled",
        "diagnostic",
        "build.failed",
        "test.case",
        "test.package",
        "test.benchmark",
        "failure",
    ];
}
