//! Every log event of build caches, with every attribute that it can have: the reference of them.
//!
//! The tests of this room hold it against what the code sets. Nothing of this is in the product.

use crate::builds::build::LogSeverity;
use crate::builds::catalogue::{ALWAYS, Attribute, EventRow, number, text, whole};

const PATH: Attribute = text("gobuild.cache.path", "The folder of the cache.", ALWAYS);
const ENTRIES: Attribute =
    whole("gobuild.cache.entries", "{entry}", "Files, of actions (`-a`) and of outputs (`-d`).", ALWAYS);
const ACTIONS: Attribute = whole("gobuild.cache.actions", "{entry}", "Files of actions (`-a`).", ALWAYS);
const BYTES: Attribute = whole("gobuild.cache.bytes", "By", "The sum of their lengths.", ALWAYS);
const SECONDS: Attribute = number("gobuild.cache.seconds", "s", "From the first to the last entry.", ALWAYS);
const UNKNOWN_SIZE: Attribute = whole(
    "gobuild.cache.entries_of_unknown_size",
    "{entry}",
    "Those of the entries whose bytes are not in the sum, since they went before they were looked at.",
    "not zero",
);
const END: Attribute =
    whole("gobuild.cache.end_time_unix_nano", "ns", "When the last entry of the restore came.", ALWAYS);

const fn bytes(name: &'static str, meaning: &'static str) -> Attribute {
    whole(name, "By", meaning, ALWAYS)
}

/// The log events.
pub(crate) const EVENTS: &[EventRow] = &[
    EventRow {
        name: "gobuild.cache.trimmed",
        severities: &[LogSeverity::Info],
        when: "Single entries of a build cache were removed, once nothing more was removed for a second. The go \
               command does so at most once a day with what was not used for five days.",
        attributes: &[
            PATH,
            ENTRIES,
            BYTES,
            SECONDS,
            UNKNOWN_SIZE,
            text(
                "gobuild.cache.removed_by",
                "`go_command` when `trim.txt` was written within a minute of it, else `other`.",
                ALWAYS,
            ),
        ],
    },
    EventRow {
        name: "gobuild.cache.cleaned",
        severities: &[LogSeverity::Info],
        when: "Entries of a build cache were removed with their folders, as `go clean -cache` does.",
        attributes: &[PATH, ENTRIES, BYTES, SECONDS, UNKNOWN_SIZE],
    },
    EventRow {
        name: "gobuild.cache.restored",
        severities: &[LogSeverity::Info],
        when: "Something other than a go command filled a build cache, such as a CI step that unpacks an archive; \
               told when nothing came for two seconds.",
        attributes: &[PATH, ENTRIES, ACTIONS, BYTES, SECONDS, END],
    },
    EventRow {
        name: "gobuild.cache.restore_used",
        severities: &[LogSeverity::Info],
        when: "What a restore was worth: told when the next one begins, or when no go command found anything for \
               `buildcache.restore_quiet`.",
        attributes: &[
            PATH,
            ACTIONS,
            whole(
                "gobuild.cache.actions_found",
                "{entry}",
                "Those that a go command found, each counted once.",
                ALWAYS,
            ),
            BYTES,
            whole("gobuild.cache.hits", "{hit}", "All hits since the restore began.", ALWAYS),
            whole("gobuild.cache.restored_hits", "{hit}", "Those on what was restored.", ALWAYS),
            END,
        ],
    },
    EventRow {
        name: "gobuild.cache.inventory",
        severities: &[LogSeverity::Info],
        when: "All of a build cache was looked at: at the start, and every `buildcache.inventory_interval`.",
        attributes: &[
            PATH,
            ENTRIES,
            ACTIONS,
            BYTES,
            SECONDS,
            bytes("gobuild.cache.bytes.archive", "Compiled packages."),
            bytes("gobuild.cache.bytes.index", "Indexes of modules and packages."),
            bytes("gobuild.cache.bytes.test_result", "Results of tests."),
            bytes("gobuild.cache.bytes.executable", "Programs."),
            bytes("gobuild.cache.bytes.vet", "What vet found out."),
            bytes("gobuild.cache.bytes.other", "Lists of files, what compilers printed, generated sources."),
            bytes("gobuild.cache.bytes.under_1h", "Used within the last hour."),
            bytes("gobuild.cache.bytes.under_1d", "Used within the last day, not within the hour."),
            bytes("gobuild.cache.bytes.under_5d", "Used within the last five days, not within the day."),
            bytes("gobuild.cache.bytes.under_30d", "Not used for five days: the go command's next trim takes it."),
            bytes("gobuild.cache.bytes.over_30d", "Not used for thirty days."),
            whole("gobuild.cache.growth_bytes", "By", "More than at the look before.", "there was one before"),
            whole(
                "gobuild.cache.unreadable_entries",
                "{entry}",
                "Entries and folders that could not be looked at.",
                "not zero",
            ),
        ],
    },
    EventRow {
        name: "gobuild.cache.hits_lost",
        severities: &[LogSeverity::Warn],
        when: "The kernel's queue overflowed, so hits went by uncounted. Puts are told by what is there.",
        attributes: &[
            PATH,
            whole("gobuild.cache.puts_found", "{entry}", "Puts that no event told and a look found.", ALWAYS),
        ],
    },
];
