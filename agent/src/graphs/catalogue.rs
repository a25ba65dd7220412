//! Every span and log event that a graph makes, with every attribute that it can have: the reference of both.
//!
//! The tests of this room hold it against what the code sets, both ways. Nothing of this is in the product.

use crate::builds::build::{LogSeverity, SpanKind};
use crate::builds::catalogue::{ALWAYS, Attribute, EventRow, SpanRow, number, some, text, texts, truth, whole};

const fn compiled(name: &'static str, meaning: &'static str) -> Attribute {
    some(name, "{package}", meaning)
}

const FAILED: Attribute =
    text("error.type", "`compile.error` or `link.error`; the graph does not tell how it failed.", "it failed");

const COLD: Attribute =
    compiled("gobuild.cache.misses.cold", "Packages compiled of which nothing was known from before.");
const SOURCE: Attribute =
    compiled("gobuild.cache.misses.source", "Packages compiled because their sources changed, or their go.mod.");
const DEPENDENCY: Attribute = compiled(
    "gobuild.cache.misses.dependency",
    "Packages compiled because something they import came out differently.",
);
const FLAGS: Attribute =
    compiled("gobuild.cache.misses.flags", "Packages compiled because flags of the build changed.");
const ENVIRONMENT: Attribute =
    compiled("gobuild.cache.misses.environment", "Packages compiled because the target platform changed.");
const TOOLCHAIN: Attribute =
    compiled("gobuild.cache.misses.toolchain", "Packages compiled because the Go version changed.");
const DIRECTORY: Attribute =
    compiled("gobuild.cache.misses.directory", "Packages compiled because the folder is another, without `-trimpath`.");
const EVICTED: Attribute =
    compiled("gobuild.cache.misses.evicted", "Packages compiled because the cache does not have them any more.");
const FORCED: Attribute = compiled("gobuild.cache.misses.forced", "Packages compiled because of `-a`.");
const UNKNOWN: Attribute =
    compiled("gobuild.cache.misses.unknown", "Packages compiled for a reason that the graphs do not tell.");

const ACTION: &[Attribute] = &[
    text("gobuild.package.import_path", "Import path.", ALWAYS),
    number("gobuild.action.wait_seconds", "s", "How long it was ready before it was taken up.", ALWAYS),
    text("gobuild.package.kind", "`std`, `module`, `main` or `test`.", "it was compiled"),
    number("gobuild.action.cpu_seconds", "s", "CPU time of its commands, user and system.", "it ran commands"),
    text(
        "gobuild.action.miss_reason",
        "Why it was compiled: a `reason` of `gobuild_cache_misses_total`.",
        "it was compiled",
    ),
    text("gobuild.action.miss_root", "The package whose change began the chain.", "the reason is `dependency`"),
    text("gobuild.action.miss_root_reason", "Why that one changed.", "the reason is `dependency`"),
    truth("gobuild.action.on_critical_path", "`true`: the build would have been shorter without it.", "it is so"),
    FAILED,
];

const fn action(name: &'static str, what: &'static str) -> SpanRow {
    SpanRow { name, kind: SpanKind::Internal, parent: "the root", what, attributes: ACTION }
}

/// The spans.
pub(crate) const SPANS: &[SpanRow] = &[
    SpanRow {
        name: "go SUBCOMMAND",
        kind: SpanKind::Internal,
        parent: "none: it is the root of the trace",
        what: "One go command, from its first action to its last. `go run` looks like `go build`.",
        attributes: &[
            text("gobuild.confidence", "`exact`.", ALWAYS),
            text("gobuild.subcommand", "The word behind `go`.", ALWAYS),
            text("gobuild.outcome", "`ok`, or `failed` where something could not be compiled or linked.", ALWAYS),
            text("file.path", "The file of the graph.", ALWAYS),
            whole(
                "gobuild.cache.lookups",
                "{lookup}",
                "Actions looked up in the build cache; none under `-a`.",
                ALWAYS,
            ),
            whole("gobuild.cache.hits", "{lookup}", "Those that were there.", ALWAYS),
            whole("gobuild.packages.compiled", "{package}", "Packages that were compiled.", ALWAYS),
            whole("gobuild.packages.cached", "{package}", "Packages that were not.", ALWAYS),
            number("gobuild.critical_path.seconds", "s", "Time that no more cores could have saved.", "anything ran"),
            text("gobuild.go.version", "The Go version.", "anything was compiled"),
            COLD,
            SOURCE,
            DEPENDENCY,
            FLAGS,
            ENVIRONMENT,
            TOOLCHAIN,
            DIRECTORY,
            EVICTED,
            FORCED,
            UNKNOWN,
            whole("gobuild.folded.actions", "{action}", "Actions without a span: over `build.max_spans`.", "not zero"),
            FAILED,
        ],
    },
    action("compile", "A package compiled, with its assembly and cgo where it has them."),
    action("link", "A program linked."),
    action("vet", "A package vetted, or what vet needs of it."),
    action("test run", "A test binary that ran."),
];

/// The log events.
pub(crate) const EVENTS: &[EventRow] = &[EventRow {
    name: "gobuild.cache.miss",
    severities: &[LogSeverity::Info],
    when: "Anything was compiled; once for each graph.",
    attributes: &[
        whole("gobuild.packages.compiled", "{package}", "Packages that were compiled.", ALWAYS),
        COLD,
        SOURCE,
        DEPENDENCY,
        FLAGS,
        ENVIRONMENT,
        TOOLCHAIN,
        DIRECTORY,
        EVICTED,
        FORCED,
        UNKNOWN,
        texts(
            "gobuild.cache.miss.roots",
            "The packages that it began with, why they changed, and how many others were compiled for that: ten at most.",
            "sources changed, or dependencies",
        ),
    ],
}];
