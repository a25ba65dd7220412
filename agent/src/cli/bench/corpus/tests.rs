//! The generator: its bytes, its mix, and its truth, which the parser finds as well.

use super::*;

fn log(seed: u64, size: u64) -> (Vec<u8>, Counts) {
    let (mut corpus, mut bytes) = (Corpus::new(seed, 400), Vec::new());
    while corpus.bytes() < size {
        bytes.extend_from_slice(corpus.next());
    }
    (bytes, corpus.counts())
}

fn share(bytes: &[u8], of: impl Fn(&str) -> bool) -> f64 {
    let text = std::str::from_utf8(bytes).unwrap();
    100.0 * text.lines().filter(|line| of(line)).count() as f64 / text.lines().count() as f64
}

#[test]
fn a_seed_gives_the_same_bytes_again_and_another_seed_others() {
    assert_eq!(log(1, 300_000), log(1, 300_000));
    assert_ne!(log(1, 300_000).0, log(2, 300_000).0);
}

#[test]
fn reading_the_lines_finds_what_was_written() {
    let (bytes, truth) = log(7, 3_000_000);
    let mut found = Counts::default();
    found.add(&bytes);
    assert_eq!(found, truth);
    assert!(truth.failed > 0 && truth.downloads > 0);
}

#[test]
fn the_mix_is_that_of_the_log_with_which_other_agents_were_measured() {
    let (bytes, truth) = log(3, 4_000_000);
    let length = bytes.len() as f64 / truth.lines as f64;
    assert!((137.0..143.0).contains(&length), "{length}");
    let near = |wanted: f64, found: f64| assert!((found - wanted).abs() < 0.4, "{found} is not {wanted}");
    let action = |line: &str, action: &str| line.contains(&format!("\"Action\":\"{action}\""));
    near(24.0, share(&bytes, |line| action(line, "output")));
    near(10.0, share(&bytes, |line| ["start", "run", "pass", "fail"].iter().any(|it| action(line, it))));
    near(10.0, share(&bytes, |line| line.starts_with("=== RUN")));
    near(8.0, share(&bytes, |line| line.starts_with("go: downloading ")));
    near(8.0, share(&bytes, |line| line.starts_with("--- ")));
    near(7.0, share(&bytes, |line| line.starts_with("ok  \t") || line.starts_with("FAIL\t")));
}

#[test]
fn gobeacon_reads_from_it_what_was_written() {
    use gobeacon_formats::{CaseStatus, EventKind, Parser};
    let (bytes, truth) = log(5, 1_000_000);
    let (mut parser, mut events) = (Parser::new(), Vec::new());
    parser.feed(&bytes, 0, &mut events);
    parser.finish(&mut events);
    let count = |of: fn(&EventKind) -> bool| events.iter().filter(|event| of(&event.kind)).count() as u64;
    assert_eq!(parser.counts().lines, truth.lines);
    assert_eq!(count(|it| matches!(it, EventKind::ModuleDownload { .. })), truth.downloads);
    assert_eq!(count(|it| matches!(it, EventKind::TestCase { .. })), truth.tests);
    assert_eq!(count(|it| matches!(it, EventKind::TestCase { status: CaseStatus::Fail, .. })), truth.failed);
    assert_eq!(count(|it| matches!(it, EventKind::TestPackage { .. })), truth.packages);
}
