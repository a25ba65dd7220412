//! What was found, for people: what is wrong and what to do about it, then how much was looked at.

use gobeacon_collectors::integrity::{Conflict, Corrupt};

use super::super::style::{ADVICE, BAD, FAINT, GOOD, NAME, PLAIN, Page};
use super::super::table::{bytes, thousands};
use super::Outcome;
use crate::integrity::{advice, artifact_name};

/// Fills the page.
pub(super) fn show(outcome: &Outcome, page: &mut Page) {
    let found = &outcome.found;
    found.conflicts.iter().for_each(|it| conflict(it, page));
    found.corrupt.iter().for_each(|it| corrupt(it, page));
    for (path, error) in &found.unreadable.0 {
        page.line(0, &[(BAD, "? "), (PLAIN, &format!("cannot read {}: {error}", path.display()))]);
    }
    let more = found.unreadable.1.saturating_sub(found.unreadable.0.len() as u64);
    if more > 0 {
        page.line(2, &[(FAINT, &format!("and {} more", thousands(more)))]);
    }
    page.gap();
    let tally = &found.tally;
    let (verified, versions) = (thousands(tally.verified), thousands(tally.versions));
    let verdict = match (outcome.is_wrong(), outcome.is_incomplete(), tally.versions) {
        (true, ..) => (BAD, "✗ "),
        (false, true, _) => (BAD, "? "),
        (false, false, _) => (GOOD, "✓ "),
    };
    let text = if tally.versions == 0 {
        "there is no module version to verify".to_owned()
    } else {
        format!("{verified} of {versions} module versions verified")
    };
    page.line(0, &[verdict, (NAME, &text)]);
    for cache in &outcome.caches {
        page.line(2, &[(FAINT, &format!("in {}", cache.root.path.display()))]);
    }
    let facts = [
        (tally.unrecorded, "with nothing to compare them with: no .ziphash, record or go.sum"),
        (tally.unknown, "that changed, went away or could not be read"),
        (tally.proved, "records of the checksum database proved to be in its signed log"),
        (outcome.malformed, "lines of go.sum files that are none"),
        (found.conflicts.len() as u64, "with hashes that conflict"),
        (found.corrupt.len() as u64, "corrupt"),
    ];
    for (count, what) in facts.iter().filter(|(count, _)| *count > 0) {
        page.line(2, &[(PLAIN, &thousands(*count)), (PLAIN, " "), (PLAIN, what)]);
    }
    if tally.read_bytes > 0 {
        let (read, hashed) = (bytes(tally.read_bytes), bytes(tally.hashed_bytes));
        page.line(2, &[(FAINT, &format!("{read} read, {hashed} hashed in {:.1} s", outcome.seconds))]);
    }
}

fn conflict(it: &Conflict, page: &mut Page) {
    page.gap();
    let what = artifact_name(it.artifact);
    let name = format!("{}@{}", it.module, it.version);
    page.line(0, &[(BAD, "✗ "), (NAME, &name), (PLAIN, &format!("  {what}: {} hashes", it.sides.len()))]);
    for side in &it.sides {
        page.line(2, &[(PLAIN, &side.sum.to_string())]);
        for witness in &side.witnesses {
            let source = format!("{:<18}", advice::source(witness.source));
            page.line(4, &[(FAINT, &source), (PLAIN, &witness.place.to_string_lossy())]);
        }
    }
    page.wrapped(2, "→ ", ADVICE, &advice::on_conflict(it));
}

fn corrupt(it: &Corrupt, page: &mut Page) {
    page.gap();
    let name = format!("{}@{}", it.module, it.version);
    page.line(0, &[(BAD, "✗ "), (NAME, &name), (PLAIN, &format!("  {} is corrupt", advice::part(it.part)))]);
    page.wrapped(2, "", PLAIN, &it.detail);
    page.line(4, &[(FAINT, &it.place.to_string_lossy())]);
    for (what, sum) in [("has", it.found), ("should have", it.expected)] {
        if let Some(sum) = sum {
            page.line(4, &[(FAINT, &format!("{what:<12}")), (PLAIN, &sum.to_string())]);
        }
    }
    page.wrapped(2, "→ ", ADVICE, advice::on_corrupt(it.part));
}
