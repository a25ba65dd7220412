//! The log events of this room, for the reference page; a test compares them with what the code sets.

use crate::builds::build::LogSeverity;
use crate::builds::catalogue::{ALWAYS, EventRow, text, texts};

/// The rows.
pub(crate) const EVENTS: &[EventRow] = &[
    EventRow {
        name: "gobuild.module.hash_conflict",
        severities: &[LogSeverity::Error],
        when: "A module version has more than one hash on this node: in a cache, in its `.ziphash`, in the checksum \
               database's records, in a go.sum or in another cache. Once for each conflict, and again when it changes; \
               it belongs to no span.",
        attributes: &[
            text("gobuild.module.path", "Module path.", ALWAYS),
            text("gobuild.module.version", "Module version.", ALWAYS),
            text("gobuild.checksum.artifact", "`zip` or `go.mod`.", ALWAYS),
            texts("gobuild.conflict.hashes", "The hashes; the one with most witnesses first.", ALWAYS),
            texts("gobuild.conflict.witness.hashes", "For each witness the hash that it says, up to 32.", ALWAYS),
            texts(
                "gobuild.conflict.witness.sources",
                "In the same order what it is: `zip`, `go_mod`, `ziphash`, `sumdb`, `go_sum`.",
                ALWAYS,
            ),
            texts("gobuild.conflict.witness.places", "In the same order the file that says it.", ALWAYS),
            texts("gobuild.conflict.witness.first_seen", "In the same order when the agent saw it first.", ALWAYS),
            texts("gobuild.conflict.witness.written", "In the same order when that file was written last.", ALWAYS),
            text("gobuild.failure.remedy", "What to do.", ALWAYS),
            text("log.record.uid", "Made of what is told: the same finding has the same.", ALWAYS),
        ],
    },
    EventRow {
        name: "gobuild.module.corrupt",
        severities: &[LogSeverity::Error],
        when: "Something in a module cache cannot be what it claims to be. Once for each, and again when it changes; it \
               belongs to no span.",
        attributes: &[
            text("gobuild.module.path", "Module path.", ALWAYS),
            text("gobuild.module.version", "Module version.", ALWAYS),
            text("gobuild.corrupt.part", "`zip`, `ziphash`, `sumdb_record` or `extracted_tree`.", ALWAYS),
            text("gobuild.corrupt.detail", "What is wrong with it.", ALWAYS),
            text("file.path", "Where it is.", ALWAYS),
            text("gobuild.checksum.found", "The hash that it has.", "it has one"),
            text("gobuild.checksum.expected", "The hash that it should have.", "it is known"),
            text("gobuild.failure.remedy", "What to do.", ALWAYS),
            text("log.record.uid", "Made of what is told: the same finding has the same.", ALWAYS),
        ],
    },
];
