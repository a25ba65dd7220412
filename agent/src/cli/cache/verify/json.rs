//! What was found, for programs: one object.

use std::io::{self, Write};

use gobeacon_collectors::integrity::{Conflict, Corrupt, Side};
use serde_json::{Value, json};

use super::super::time;
use super::Outcome;
use crate::integrity::{advice, artifact_name};

/// One object and a line end.
pub(super) fn write(outcome: &Outcome, out: &mut impl Write) -> io::Result<()> {
    let found = &outcome.found;
    let tally = &found.tally;
    let caches: Vec<_> = outcome.caches.iter().map(|cache| cache.root.path.to_string_lossy()).collect();
    let unreadable = found.unreadable.0.iter();
    let unreadable: Vec<_> =
        unreadable.map(|(path, error)| json!({ "path": path.to_string_lossy(), "error": error })).collect();
    let whole = json!({
        "ok": !outcome.is_wrong() && !outcome.is_incomplete(),
        "module_caches": caches,
        "versions": tally.versions,
        "verified": tally.verified,
        "nothing_to_compare_with": tally.unrecorded,
        "not_checked": tally.unknown,
        "sumdb_records_proved": tally.proved,
        "malformed_go_sum_lines": outcome.malformed,
        "read_bytes": tally.read_bytes,
        "hashed_bytes": tally.hashed_bytes,
        "seconds": outcome.seconds,
        "conflicts": found.conflicts.iter().map(conflict).collect::<Vec<_>>(),
        "corrupt": found.corrupt.iter().map(corrupt).collect::<Vec<_>>(),
        "unreadable": unreadable,
        "unreadable_total": found.unreadable.1,
    });
    serde_json::to_writer_pretty(&mut *out, &whole)?;
    writeln!(out)
}

fn conflict(it: &Conflict) -> Value {
    let side = |side: &Side| {
        let witnesses = side.witnesses.iter().map(|witness| {
            json!({
                "source": witness.source.name(),
                "path": witness.place.to_string_lossy(),
                "written": time(witness.written),
            })
        });
        json!({ "hash": side.sum, "said_by": witnesses.collect::<Vec<_>>() })
    };
    json!({
        "module": it.module,
        "version": it.version,
        "artifact": artifact_name(it.artifact),
        "hashes": it.sides.iter().map(side).collect::<Vec<_>>(),
        "remedy": advice::on_conflict(it),
    })
}

fn corrupt(it: &Corrupt) -> Value {
    json!({
        "module": it.module,
        "version": it.version,
        "what": it.part.name(),
        "path": it.place.to_string_lossy(),
        "detail": it.detail,
        "found": it.found,
        "expected": it.expected,
        "remedy": advice::on_corrupt(it.part),
    })
}
