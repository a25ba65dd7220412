//! What to make of hashes that disagree, in words: which side is likely right, and what to do.
//!
//! The signed log of the checksum database is the best witness, then a go.sum, since a person committed it. A cache
//! says only what it has.

use gobeacon_collectors::integrity::{Conflict, Part, Side, Source};

use super::artifact_name;

/// What a part of a cache is called.
pub(crate) fn part(part: Part) -> &'static str {
    match part {
        Part::Zip => "the zip",
        Part::ZipHash => "the .ziphash file",
        Part::Sumdb => "the record of the checksum database",
        Part::Tree => "the extracted tree",
    }
}

/// Who says it, for people.
pub(crate) fn source(source: Source) -> &'static str {
    match source {
        Source::Zip => "zip",
        Source::GoMod => "go.mod",
        Source::ZipHash => ".ziphash",
        Source::Sumdb => "checksum database",
        Source::GoSum => "go.sum",
    }
}

/// The hashes and who says each, in one sentence.
pub(crate) fn told(conflict: &Conflict) -> String {
    let sides = conflict.sides.iter().map(|side| {
        let said_by = side.witnesses.iter().take(4);
        let said_by: Vec<_> = said_by.map(|it| format!("{} {}", source(it.source), it.place.display())).collect();
        let more = side.witnesses.len() - said_by.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{} ({}{more})", side.sum, said_by.join(", "))
    });
    let sides: Vec<_> = sides.collect();
    let what = artifact_name(conflict.artifact);
    format!("its {what} has {} hashes where there should be one: {}.", sides.len(), sides.join(", against "))
}

/// The one side that a witness of this kind is on.
fn side_of(conflict: &Conflict, source: Source) -> Option<&Side> {
    let mut sides = conflict.sides.iter().filter(|side| side.witnesses.iter().any(|it| it.source == source));
    let first = sides.next()?;
    sides.next().is_none().then_some(first)
}

/// What to do about a conflict.
pub(crate) fn on_conflict(conflict: &Conflict) -> String {
    let trusted = [(Source::Sumdb, "the checksum database"), (Source::GoSum, "go.sum")];
    let trusted = trusted.iter().find_map(|(source, name)| Some((side_of(conflict, *source)?, *name)));
    let Some((right, name)) = trusted else {
        return format!(
            "Nothing here says which one is right. Compare with the origin of {}: was the tag of {} moved? Until it is \
             known, do not release what was built from either; then remove the wrong one from its cache.",
            conflict.module, conflict.version
        );
    };
    let others = conflict.sides.iter().filter(|side| side.sum != right.sum);
    let wrong: Vec<_> = others.flat_map(|side| &side.witnesses).collect();
    let places: Vec<_> = wrong.iter().take(6).map(|it| it.place.display().to_string()).collect();
    let only_go_sum = wrong.iter().all(|it| it.source == Source::GoSum);
    let what_to_do = if only_go_sum {
        "Look into the history of that line: it was written where another content was served."
    } else {
        "Remove that version there (the .zip, .ziphash and .mod files and the extracted tree, or all with go clean \
         -modcache) and download it again. If the same comes back, its proxy serves it: do not use that one. Rebuild \
         what was built from it."
    };
    format!("{name} says {}; what is at {} is something else. {what_to_do}", right.sum, places.join(", "))
}

/// What to do about something corrupt.
pub(crate) fn on_corrupt(part: Part) -> &'static str {
    match part {
        Part::Zip => {
            "Remove the .zip and .ziphash files and the extracted tree of this version (or all with go clean -modcache) \
             and download it again. If it comes back, look at the disk and at who writes into this cache."
        }
        Part::ZipHash => "Remove the .ziphash file: the go command makes it again from the zip and verifies that.",
        Part::Sumdb => {
            "Remove cache/download/sumdb in this cache: the go command asks the checksum database again. A record that was \
             changed by hand is a sign of tampering: look at who writes into this cache."
        }
        Part::Tree => {
            "Remove the extracted tree (its folders are read-only: chmod -R u+w first) and let the go command extract it \
             again. What was built since it was changed was built from other code: build it again."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::retagged;
    use super::*;

    #[test]
    fn the_checksum_database_is_believed_before_a_cache_and_a_cache_is_not_believed_alone() {
        let mut conflict = retagged();
        let advice = on_conflict(&conflict);
        assert!(advice.starts_with("the checksum database says h1:AQEB"), "{advice}");
        assert!(advice.contains("/two/v1.0.0.zip") && !advice.contains("/one/"), "{advice}");
        conflict.sides[0].witnesses.pop();
        assert!(on_conflict(&conflict).starts_with("Nothing here says which one is right"));
    }

    #[test]
    fn a_go_sum_that_stands_alone_is_what_is_looked_into() {
        let mut conflict = retagged();
        conflict.sides[1].witnesses[0].source = Source::GoSum;
        assert!(on_conflict(&conflict).contains("history of that line"));
    }
}
