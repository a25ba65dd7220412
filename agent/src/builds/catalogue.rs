//! Every span and log event that a build makes, with every attribute that it can have: the reference of both.
//!
//! The tests of this room hold it against what the code sets, both ways. Nothing of this is in the product.
//!
//! Invariant: a name stands once in a row; names of one meaning have one type everywhere.

mod rows;

pub(crate) use rows::{ALWAYS, Attribute, EventRow, SpanRow, known, number, some, text, texts, truth, whole};

use super::build::{LogSeverity, SpanKind};

/// The name under which the root spans stand here.
pub(crate) const ROOT: &str = "go SUBCOMMAND";
/// The root span of downloads that no log explains.
pub(crate) const BURST: &str = "module downloads";

const FILES: &str = "a watched module cache shows it";
const KNOWN: &str = "the log tells it";
const ERROR_TYPE: Attribute =
    text("error.type", "The [class](failures.md) of the failure; the status of the span is Error then.", "it failed");

/// The resource of a build.
pub(crate) const RESOURCE: &[Attribute] = &[
    text("service.name", "`go-build`, or what `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` say.", ALWAYS),
    text("telemetry.distro.name", "`gobeacon`.", ALWAYS),
    text("telemetry.distro.version", "The version of gobeacon.", ALWAYS),
    text("host.name", "What this machine is called.", "`host.name` is set or the system has a name"),
    text("log.file.path", "The log.", "a log tells of it"),
    text("k8s.namespace.name", "Namespace of the pod.", "the path of the log is one of Kubernetes"),
    text("k8s.pod.name", "Name of the pod.", "the path of the log is one of Kubernetes"),
    text("k8s.pod.uid", "Unique id of the pod.", "the log is below `/var/log/pods`"),
    text("k8s.container.name", "Name of the container.", "the path of the log is one of Kubernetes"),
    whole("k8s.container.restart_count", "{restart}", "Restarts of the container.", "the log is below `/var/log/pods`"),
    text("container.id", "Id of the container.", "the path of the log has it: Docker, `/var/log/containers`"),
];

/// The spans.
pub(crate) const SPANS: &[SpanRow] = &[
    SpanRow {
        name: BURST,
        kind: SpanKind::Internal,
        parent: "none: it is the root of the trace",
        what: "Downloads into one module cache that no log tells of and that follow each other within 10 s. It goes out \
               when the last of them is over for so long.",
        attributes: &[
            text("gobuild.cache.path", "The module cache.", ALWAYS),
            whole("gobuild.downloads", "{download}", "How many downloads there are.", ALWAYS),
            whole("gobuild.download.bytes", "By", "Bytes of all of them.", ALWAYS),
            some("gobuild.downloads.failed", "{download}", "Downloads that failed."),
            some("gobuild.downloads.redundant", "{download}", "Downloads of what this machine had before."),
        ],
    },
    SpanRow {
        name: ROOT,
        kind: SpanKind::Internal,
        parent: "none: it is the root of the trace",
        what: "One go command, from its echo or first event to its end. The name is the command: `go test`, `go build`, \
               `go mod download`; `go` where the log does not tell. It goes out last.",
        attributes: COMMAND,
    },
    SpanRow {
        name: "module download",
        kind: SpanKind::Client,
        parent: "the root: of the command whose log tells of it, else `module downloads`",
        what: "The download of one module version: where a watched module cache shows it, from the moment its file was \
               made until it was verified and in its place; else from the first sign of it in the log.",
        attributes: &[
            text("artifact.purl", "Package URL: `pkg:golang/MODULE@VERSION`.", ALWAYS),
            text("gobuild.module.path", "Module path.", ALWAYS),
            text("gobuild.module.version", "Module version.", ALWAYS),
            text(
                "gobuild.download.signal",
                "What showed it first: `log_line` (`go: downloading`), `request` (`-x`), `module_info` \
                 (`go mod download -json`), `failure`, or `files` where no log tells of it.",
                ALWAYS,
            ),
            truth(
                "gobuild.download.end_known",
                "Whether files showed it: no log shows when the last byte came.",
                ALWAYS,
            ),
            text("server.address", "Who served it, or was asked last.", "a request or failure shows it"),
            text("artifact.hash", "The h1 hash of the zip.", "files or `go mod download -json` tell it"),
            whole("gobuild.download.bytes", "By", "Bytes of the zip; of a failed one, those seen last.", FILES),
            truth(
                "gobuild.download.redundant",
                "Whether this machine had this version before: in another module cache, or in this one until it was \
                 cleaned.",
                FILES,
            ),
            number(
                "gobuild.download.stalled_seconds",
                "s",
                "How long it was stalled: it did not grow for `modcache.stall_after` or longer.",
                "it was stalled",
            ),
            ERROR_TYPE,
        ],
    },
    SpanRow {
        name: "GET",
        kind: SpanKind::Client,
        parent: "the `module download` that it is for, else the root",
        what: "One HTTP request of the go command, as `-x` shows it, up to the headers of the answer.",
        attributes: &[
            text("http.request.method", "`GET`.", ALWAYS),
            text("url.full", "The URL without user info, query and fragment.", ALWAYS),
            text("server.address", "The host, without the port.", ALWAYS),
            whole("http.response.status_code", "", "Status of the answer.", "there was an answer"),
            truth("gobuild.request.start_known", "`false`: the span has no length.", "there was no answer"),
            whole(
                "http.request.resend_count",
                "{request}",
                "How often the same was asked before in this command.",
                "not zero",
            ),
            ERROR_TYPE,
        ],
    },
    SpanRow {
        name: "test package",
        kind: SpanKind::Internal,
        parent: "the root",
        what: "The tests of one package under `go test`.",
        attributes: &[
            text("test.suite.name", "Import path.", ALWAYS),
            text("gobuild.package.import_path", "Import path.", ALWAYS),
            text(
                "test.suite.run.status",
                "`success`, `failure`, `timed_out`, `skipped` (no test files) or `aborted` (never reported).",
                ALWAYS,
            ),
            text(
                "gobuild.test.package_status",
                "As the go command tells it: `pass`, `fail`, `no_test_files`, `build_failed`, `setup_failed`; \
                 `unfinished` where it never did.",
                ALWAYS,
            ),
            truth("gobuild.test.cached", "Whether the result is of the test cache.", "the package passed"),
            number("gobuild.test.coverage_percent", "%", "Statements covered.", "`-cover` printed it"),
            truth("gobuild.test.end_known", "`false`: the end is the last that was heard.", "it was never reported"),
            truth(
                "gobuild.test.duration_known",
                "`false`: the length of the span is no measure.",
                "it was reported without a time and is not of the test cache",
            ),
            some("gobuild.folded.tests", "{test}", "Tests without a span of their own: too many ran in this package."),
            ERROR_TYPE,
        ],
    },
    SpanRow {
        name: "test",
        kind: SpanKind::Internal,
        parent: "its `test package`; the root for a test binary that was run by hand",
        what: "One test, subtest, example or fuzz target that ended.",
        attributes: &[
            text("test.case.name", "Full name, subtests parted by `/`.", ALWAYS),
            text("test.case.result.status", "`pass`, `fail` or `skip`.", ALWAYS),
            text("test.suite.name", "Import path of its package.", "it ran under `go test`"),
            truth(
                "gobuild.test.duration_known",
                "`false`: the length of the span is no measure.",
                "the log tells no time for it",
            ),
            truth("gobuild.test.flaky", "`true`: it passed and had failed before in the same command.", "it is so"),
            ERROR_TYPE,
        ],
    },
];

const COMMAND: &[Attribute] = &[
    text("gobuild.confidence", "`exact` under `gobeacon run`, `inferred` from a log alone.", ALWAYS),
    text("gobuild.subcommand", "The word behind `go`; `other` for what is rare or not known.", ALWAYS),
    text("gobuild.outcome", "`ok` where nothing failed, else `failed`.", ALWAYS),
    text(
        "gobuild.ended_by",
        "Why it was taken to be over: `next_command`, `end_of_log`, `idle`, `shutdown`, `too_many_open`, or `log_gone` \
         where its log was gone when the agent started again.",
        ALWAYS,
    ),
    whole("gobuild.log.offset", "By", "Where in the log it begins.", ALWAYS),
    whole("process.exit.code", "", "As a shell tells it.", "under `gobeacon run`"),
    texts("process.command_args", "The words of the command, without secrets.", "the log echoes it"),
    truth(
        "gobuild.end_known",
        "`false`: the length of the span is no measure.",
        "the log shows the echo and no more, or is gone",
    ),
    some("gobuild.failures", "{failure}", "Failures told."),
    some("gobuild.tests.passed", "{test}", "Tests that passed."),
    some("gobuild.tests.failed", "{test}", "Tests that failed."),
    some("gobuild.tests.skipped", "{test}", "Tests that were skipped."),
    some("gobuild.tests.flaky", "{test}", "Tests that failed and then passed."),
    some("gobuild.benchmarks", "{benchmark}", "Results of benchmarks."),
    some("gobuild.test_packages.passed", "{package}", "Test packages that passed, those of the cache among them."),
    some("gobuild.test_packages.cached", "{package}", "Test packages whose result is of the cache."),
    some("gobuild.test_packages.failed", "{package}", "Test packages that failed."),
    some("gobuild.test_packages.build_failed", "{package}", "Test packages that did not compile."),
    some("gobuild.test_packages.setup_failed", "{package}", "Test packages that could not be loaded."),
    some("gobuild.test_packages.no_test_files", "{package}", "Packages without test files."),
    some("gobuild.test_packages.unfinished", "{package}", "Test packages that began and were never reported."),
    some("gobuild.downloads", "{download}", "Module versions downloaded, failed ones among them."),
    some("gobuild.downloads.failed", "{download}", "Downloads that came to nothing."),
    some("gobuild.requests", "{request}", "HTTP requests shown by `-x`."),
    some("gobuild.proxy.fallbacks", "{fallback}", "Times that the next proxy of the list was turned to."),
    some("gobuild.packages.compiled", "{package}", "Packages named by `-v`."),
    some("gobuild.diagnostics", "{diagnostic}", "Positions named by compiler, vet or cgo."),
    some("gobuild.folded.tests", "{test}", "Tests without a span: over `build.max_spans`."),
    some("gobuild.folded.packages", "{package}", "Test packages without a span: over `build.max_spans`."),
    some("gobuild.folded.downloads", "{download}", "Downloads without a span: over `build.max_spans`."),
    some("gobuild.folded.requests", "{request}", "Requests without a span: over `build.max_spans`."),
    some("gobuild.folded.records", "{record}", "Log events that were left out: over 1000 in one command."),
    ERROR_TYPE,
];

const OF_FAILURE: &[Attribute] = &[
    text("error.type", "The [class](failures.md).", ALWAYS),
    text("gobuild.failure.severity", "`info`, `warning` or `critical`: that of the class.", ALWAYS),
    text("gobuild.failure.remedy", "What to do.", ALWAYS),
    text("error.message", "What was printed, without secrets, cut at 2 KiB.", KNOWN),
    text("gobuild.module.path", "Module path.", KNOWN),
    text("gobuild.module.version", "Module version.", KNOWN),
    text("gobuild.package.import_path", "Import path.", KNOWN),
    text("test.case.name", "Name of the test.", KNOWN),
    text("url.full", "The URL without user info, query and fragment.", KNOWN),
    text("server.address", "The host of the URL.", KNOWN),
    whole("http.response.status_code", "", "Status of the answer.", KNOWN),
    text("code.file.path", "The file of a position, as printed.", KNOWN),
    whole("code.line.number", "", "The line in it, from 1.", KNOWN),
    text("gobuild.env.variable", "The environment variable at fault.", KNOWN),
    text("file.path", "A path that was denied, or has no space left.", KNOWN),
    text("gobuild.checksum.downloaded", "The hash of what came.", "a checksum does not match"),
    text("gobuild.checksum.expected", "The hash that the verifier has.", "a checksum does not match"),
    text("gobuild.checksum.verifier", "`go.sum`, or the name of the checksum database.", "a checksum does not match"),
    text("gobuild.checksum.artifact", "`zip` or `go.mod`.", "a checksum does not match"),
];

/// The log events.
pub(crate) const EVENTS: &[EventRow] = &[
    EventRow {
        name: "gobuild.download.stalled",
        severities: &[LogSeverity::Warn, LogSeverity::Info],
        when: "A download has not grown for `modcache.stall_after`; and again when it grows or has ended. It has the \
               trace of the command where a log tells of the download, else none.",
        attributes: &[
            text("gobuild.module.path", "Module path.", ALWAYS),
            text("gobuild.module.version", "Module version.", ALWAYS),
            text("gobuild.download.stall", "`begun`, or `over`.", ALWAYS),
            number("gobuild.download.stalled_seconds", "s", "How long it had not grown by then.", ALWAYS),
            whole("gobuild.download.bytes", "By", "Bytes that were there.", ALWAYS),
            text("gobuild.cache.path", "The module cache.", ALWAYS),
        ],
    },
    EventRow {
        name: "gobuild.failure",
        severities: &[LogSeverity::Info, LogSeverity::Warn, LogSeverity::Error],
        when: "Something failed. The severity is that of the class.",
        attributes: OF_FAILURE,
    },
    EventRow {
        name: "gobuild.checksum.mismatch",
        severities: &[LogSeverity::Error],
        when: "What was downloaded is not what `go.sum` or the checksum database know; besides its `gobuild.failure`.",
        attributes: OF_FAILURE,
    },
    EventRow {
        name: "gobuild.sumdb.unavailable",
        severities: &[LogSeverity::Warn],
        when: "The checksum database could not be asked; once in a command.",
        attributes: &[
            text("error.type", "`checksum.sumdb_unreachable`.", ALWAYS),
            text("server.address", "Who was asked.", KNOWN),
            whole("http.response.status_code", "", "Status of the answer.", "there was an answer"),
        ],
    },
    EventRow {
        name: "gobuild.proxy.fallback",
        severities: &[LogSeverity::Warn],
        when: "A proxy did not give something and the next one of the list was asked; once for each host and module.",
        attributes: &[
            text("error.type", "Why, as a [class](failures.md).", ALWAYS),
            text("gobuild.module.path", "Module path.", ALWAYS),
            text("gobuild.proxy.from", "The host that did not give it.", ALWAYS),
            text("gobuild.proxy.to", "The host that was asked next, or `direct`.", ALWAYS),
        ],
    },
    EventRow {
        name: "gobuild.test.flaky",
        severities: &[LogSeverity::Warn],
        when: "A test passed that had failed before in the same command; once for each test.",
        attributes: &[
            text("test.case.name", "Full name, subtests parted by `/`.", ALWAYS),
            text("test.suite.name", "Import path of its package.", "it ran under `go test`"),
        ],
    },
];
