//! What can go wrong in a Go build: the closed list of failure classes and the record of one failure.
//!
//! A class names the cause, not the wrapper around it. `FAILURES` holds one row a class; the reference page of
//! failures, the `class` label of the metrics, `error.type` of the spans and the remedies that `explain` and `run`
//! print all come from it.
//!
//! Invariant: the order of `FAILURES` is the order of `FailureClass`, so that a class finds its row by its number.

use serde::{Serialize, Serializer};

/// The closed list of failure classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(
    missing_docs,
    reason = "each class is documented by its row in FAILURES, and the reference page is made of that"
)]
pub enum FailureClass {
    ChecksumGosumMismatch,
    ChecksumSumdbMismatch,
    ChecksumSumdbMissing,
    ChecksumSumdbForked,
    ChecksumSumdbSignature,
    ChecksumSumdbUnreachable,
    ChecksumSumdbConfig,
    GosumMissingEntry,
    GosumMalformed,
    GomodUpdatesNeeded,
    GomodInvalid,
    GomodNotFound,
    ModcacheCorrupt,
    ProxyBadRequest,
    ProxyUnauthorized,
    ProxyForbidden,
    ProxyNotFound,
    ProxyAuthRequired,
    ProxyRateLimited,
    ProxyServerError,
    ProxyOff,
    ProxyConfig,
    ProxyRedirect,
    ProxyInvalidContent,
    NetworkRefused,
    NetworkDns,
    NetworkTimeout,
    NetworkTls,
    NetworkReset,
    NetworkProxy,
    VcsAuth,
    VcsNotFound,
    VcsToolMissing,
    VcsForbidden,
    VcsInsecure,
    ModulePathMismatch,
    ModuleNeedsNewerGo,
    ModuleVersionInvalid,
    PackageMissing,
    PackageImportCycle,
    PackageNoGoFiles,
    PackageConflict,
    VendorInconsistent,
    WorkspaceInvalid,
    ToolchainTooOld,
    ToolchainUnavailable,
    ToolchainInvalid,
    CompileError,
    CompileSyntax,
    LinkError,
    CgoError,
    VetFinding,
    EnvInvalid,
    EnvGoflags,
    EnvHomeMissing,
    CacheDisabled,
    CacheUnavailable,
    IoPermission,
    IoDiskFull,
    TestFailed,
    TestPanic,
    TestTimeout,
    TestRace,
    TestExit,
    ProgramCrashed,
    Usage,
    Interrupted,
    Unknown,
}

/// How loud a failure should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// A developer's everyday work: a test that fails, code that does not compile.
    Info,
    /// Something in the environment or the supply of modules needs a person.
    Warning,
    /// What is built may not be what it should be.
    Critical,
}

/// One row of the table of failure classes.
#[derive(Debug)]
pub struct FailureRow {
    /// The class.
    pub class: FailureClass,
    /// Its name: `area.cause`.
    pub id: &'static str,
    /// What it means, one sentence.
    pub meaning: &'static str,
    /// What a person can do, one sentence.
    pub remedy: &'static str,
    /// How loud it should be.
    pub severity: Severity,
    /// How the class is told.
    pub told_by: Matcher,
    /// A text that a real go command printed, complete enough to be told; the tests parse it.
    pub example: &'static str,
}

impl FailureClass {
    /// Its row in the table.
    pub fn row(self) -> &'static FailureRow {
        #[expect(clippy::indexing_slicing, reason = "the table has a row for each class, in order; a test holds it")]
        &FAILURES[self as usize]
    }

    /// Its name: `area.cause`.
    pub fn id(self) -> &'static str {
        self.row().id
    }
}

impl Serialize for FailureClass {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

impl std::fmt::Display for FailureClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id())
    }
}

/// One distinct cause of failure, with what the text shows of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Failure {
    /// The cause.
    pub class: FailureClass,
    /// Module path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// Module version; a toolchain's with its `go`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Import path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// Name of the test, subtests parted by `/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
    /// The one URL of the text, verbatim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The URL's host, without user and port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The file of a leading position, as printed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// 1-based line in `file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The environment variable at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
    /// The denied or full path, or one in a cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What was printed, without the position; several lines are parted by a newline; bounded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The hash of what was downloaded, at a checksum mismatch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub downloaded: Option<String>,
    /// The hash that the verifier has, at a checksum mismatch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// `go.sum`, `go.work.sum`, the name of the checksum database, or a file path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verifier: Option<String>,
    /// `zip` or `go.mod`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact: Option<&'static str>,
}

impl Failure {
    /// A failure of which nothing but the class is known.
    pub fn new(class: FailureClass) -> Self {
        Self {
            class,
            module: None,
            version: None,
            package: None,
            test: None,
            url: None,
            status: None,
            host: None,
            file: None,
            line: None,
            variable: None,
            path: None,
            message: None,
            downloaded: None,
            expected: None,
            verifier: None,
            artifact: None,
        }
    }
}

/// How a class is told from others.
#[derive(Debug)]
pub enum Matcher {
    /// The dialect that reads the text decides by its structure.
    Dialect,
}

/// One row a class, in the order of [`FailureClass`].
pub static FAILURES: &[FailureRow] = &[
    FailureRow {
        class: FailureClass::ChecksumGosumMismatch,
        id: "checksum.gosum_mismatch",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::ChecksumSumdbMismatch,
        id: "checksum.sumdb_mismatch",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::ChecksumSumdbMissing,
        id: "checksum.sumdb_missing",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::ChecksumSumdbForked,
        id: "checksum.sumdb_forked",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::ChecksumSumdbSignature,
        id: "checksum.sumdb_signature",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::ChecksumSumdbUnreachable,
        id: "checksum.sumdb_unreachable",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::ChecksumSumdbConfig,
        id: "checksum.sumdb_config",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::GosumMissingEntry,
        id: "gosum.missing_entry",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::GosumMalformed,
        id: "gosum.malformed",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::GomodUpdatesNeeded,
        id: "gomod.updates_needed",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::GomodInvalid,
        id: "gomod.invalid",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::GomodNotFound,
        id: "gomod.not_found",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::ModcacheCorrupt,
        id: "modcache.corrupt",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::ProxyBadRequest,
        id: "proxy.bad_request",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::ProxyUnauthorized,
        id: "proxy.unauthorized",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::ProxyForbidden,
        id: "proxy.forbidden",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::ProxyNotFound,
        id: "proxy.not_found",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::ProxyAuthRequired,
        id: "proxy.auth_required",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::ProxyRateLimited,
        id: "proxy.rate_limited",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::ProxyServerError,
        id: "proxy.server_error",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::ProxyOff,
        id: "proxy.off",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::ProxyConfig,
        id: "proxy.config",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::ProxyRedirect,
        id: "proxy.redirect",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::ProxyInvalidContent,
        id: "proxy.invalid_content",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::NetworkRefused,
        id: "network.refused",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::NetworkDns,
        id: "network.dns",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::NetworkTimeout,
        id: "network.timeout",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::NetworkTls,
        id: "network.tls",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::NetworkReset,
        id: "network.reset",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::NetworkProxy,
        id: "network.proxy",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::VcsAuth,
        id: "vcs.auth",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::VcsNotFound,
        id: "vcs.not_found",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::VcsToolMissing,
        id: "vcs.tool_missing",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::VcsForbidden,
        id: "vcs.forbidden",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::VcsInsecure,
        id: "vcs.insecure",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::ModulePathMismatch,
        id: "module.path_mismatch",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::ModuleNeedsNewerGo,
        id: "module.needs_newer_go",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::ModuleVersionInvalid,
        id: "module.version_invalid",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::PackageMissing,
        id: "package.missing",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::PackageImportCycle,
        id: "package.import_cycle",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::PackageNoGoFiles,
        id: "package.no_go_files",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::PackageConflict,
        id: "package.conflict",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::VendorInconsistent,
        id: "vendor.inconsistent",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::WorkspaceInvalid,
        id: "workspace.invalid",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::ToolchainTooOld,
        id: "toolchain.too_old",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::ToolchainUnavailable,
        id: "toolchain.unavailable",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::ToolchainInvalid,
        id: "toolchain.invalid",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::CompileError,
        id: "compile.error",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::CompileSyntax,
        id: "compile.syntax",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::LinkError,
        id: "link.error",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::CgoError,
        id: "cgo.error",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::VetFinding,
        id: "vet.finding",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::EnvInvalid,
        id: "env.invalid",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::EnvGoflags,
        id: "env.goflags",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::EnvHomeMissing,
        id: "env.home_missing",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::CacheDisabled,
        id: "cache.disabled",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::CacheUnavailable,
        id: "cache.unavailable",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::IoPermission,
        id: "io.permission",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::IoDiskFull,
        id: "io.disk_full",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::TestFailed,
        id: "test.failed",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::TestPanic,
        id: "test.panic",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::TestTimeout,
        id: "test.timeout",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::TestRace,
        id: "test.race",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::TestExit,
        id: "test.exit",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::ProgramCrashed,
        id: "program.crashed",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::Usage,
        id: "usage",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::Interrupted,
        id: "interrupted",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
    FailureRow {
        class: FailureClass::Unknown,
        id: "unknown",
        meaning: "",
        remedy: "",
        severity: Severity::Info,
        told_by: Matcher::Dialect,
        example: "",
    },
];
