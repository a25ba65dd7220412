//! Habits of one source file.

use crate::{none, tree};

/// A file of product code aims at 300 lines; beyond this it is split, or stands in `LONG` with its reason.
const LIMIT: usize = 400;

/// Files of tests may be longer: a table of cases is read by the case.
const TEST_LIMIT: usize = 700;

/// Files that may be longer, and why.
const LONG: &[(&str, usize, &str)] = &[
    ("collectors/formats/src/failure.rs", 1500, "the table of failure classes: one row a class, read by the row"),
    ("agent/src/metrics/catalogue.rs", 1000, "the table of metrics: one row a metric, read by the row"),
];

#[test]
fn every_module_opens_by_saying_what_room_it_is() {
    let offenders: Vec<_> = tree::rust()
        .filter(|file| !file.text.starts_with("//!"))
        .map(|file| format!("{}: begin it with `//!`: what it is, what it must not know, its invariant", file.path))
        .collect();
    none(&offenders, "modules without a header");
}

#[test]
fn a_file_stays_short_enough_to_read() {
    let mut offenders = Vec::new();
    for file in tree::rust() {
        let is_test = file.path.contains("/tests/") || file.path.contains("/benches/");
        let lines = if is_test { file.text.lines().count() } else { length(&file.text) };
        let limit = match LONG.iter().find(|(path, _, _)| *path == file.path) {
            Some((_, limit, _)) => *limit,
            None if is_test => TEST_LIMIT,
            None => LIMIT,
        };
        if lines > limit {
            offenders.push(format!("{}: {lines} lines, at most {limit}: split it", file.path));
        }
    }
    none(&offenders, "files that are too long");
}

#[test]
fn an_exception_for_a_long_file_goes_when_the_file_is_short() {
    let offenders: Vec<_> = LONG
        .iter()
        .filter(|(path, _, _)| !tree::rust().any(|file| file.path == *path && length(&file.text) > LIMIT))
        .map(|(path, _, reason)| format!("{path} ({reason}): remove it from LONG"))
        .collect();
    none(&offenders, "exceptions that except nothing");
}

#[test]
fn no_test_is_ignored_and_nothing_is_left_to_do() {
    // put together here, so that this file does not find itself
    let marks = [concat!("#[ign", "ore"), concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];
    let mut offenders = Vec::new();
    for file in tree::rust() {
        for (n, line) in file.text.lines().enumerate() {
            if let Some(mark) = marks.iter().find(|mark| line.contains(**mark)) {
                offenders.push(format!("{}:{}: {mark}", file.path, n + 1));
            }
        }
    }
    none(&offenders, "what is not done is not landed");
}

#[test]
fn unsafe_code_is_nowhere() {
    let mut offenders = Vec::new();
    for file in tree::rust() {
        for (n, line) in file.product_lines() {
            if line.contains(concat!("unsafe", " {")) || line.contains(concat!("allow(unsafe", "_code")) {
                offenders.push(format!("{}:{n}", file.path));
            }
        }
    }
    none(&offenders, "the workspace needs no unsafe code: rustix has safe calls");
}

/// Lines above the unit tests.
fn length(text: &str) -> usize {
    text.lines().position(|line| line.starts_with("mod tests")).unwrap_or_else(|| text.lines().count())
}
