//! Hostile JSON: what the parser holds of it stays within 32 MiB a stream. One test a process, for it measures that.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
#![cfg(target_os = "linux")]

use gobeacon_formats::{Event, Parser};

/// What a stream of JSON may cost at most, in KiB, with the allocator's own overhead.
const BOUND_KIB: u64 = 32 << 10;

#[derive(Default)]
struct Stream {
    parser: Parser,
    bytes: Vec<u8>,
    events: Vec<Event>,
    offset: u64,
    count: usize,
}

impl Stream {
    fn line(&mut self, line: &str) {
        self.bytes.extend_from_slice(line.as_bytes());
        self.bytes.push(b'\n');
        if self.bytes.len() > 64 << 10 {
            self.feed();
        }
    }

    fn feed(&mut self) {
        self.parser.feed(&self.bytes, self.offset, &mut self.events);
        self.offset += self.bytes.len() as u64;
        self.bytes.clear();
        self.count += self.events.len();
        self.events.clear();
    }

    fn finish(mut self) -> (usize, u64) {
        self.feed();
        self.parser.finish(&mut self.events);
        (self.count + self.events.len(), self.parser.counts().forgotten)
    }
}

/// Peak of resident memory, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn within(what: &str, before: u64) {
    let grown = peak() - before;
    assert!(grown <= BOUND_KIB, "{what}: {grown} KiB");
}

fn packages_that_never_close(before: u64) {
    let mut s = Stream::default();
    for i in 0..200_000 {
        s.line(&format!(r#"{{"Action":"start","Package":"example.com/very/long/import/path/{i:0>200}"}}"#));
    }
    within("200,000 packages opened and never closed", before);
    let (events, forgotten) = s.finish();
    assert_eq!(events, 0);
    assert!(forgotten >= 200_000 - 4096, "{forgotten} packages counted as forgotten");
}

fn tests_that_never_end(before: u64) {
    let mut s = Stream::default();
    for i in 0..1_000_000 {
        s.line(&format!(r#"{{"Action":"run","Package":"p","Test":"Test{i}"}}"#));
    }
    within("a million tests that never end", before);
    assert_eq!(s.finish(), (0, 0));
}

fn packages_full_of_texts(before: u64) {
    let mut s = Stream::default();
    let name = "x/".repeat(1800);
    for i in 0..3_000 {
        s.line(&format!(r#"{{"Action":"fail","Package":"p{i}","Test":"{name}{i}"}}"#));
        s.line(&format!(r#"{{"Action":"output","Package":"p{i}","Test":"{name}","Output":"panic: {name}\n"}}"#));
        s.line(&format!(r#"{{"Action":"output","Package":"p{i}","Output":"ok  \t{name}"}}"#));
        s.line(&format!(r#"{{"Action":"output","Package":"p{i}","Output":"panic: test timed out after 1s\n"}}"#));
        for j in 0..3 {
            s.line(&format!(r#"{{"Action":"output","Package":"p{i}","Output":"\t\t{name}{j} (1s)\n"}}"#));
        }
    }
    within("packages full of long texts", before);
    let (events, forgotten) = s.finish();
    assert!(events >= 6_000, "each failing test was reported, with its failure: {events}");
    assert!(forgotten > 1_000);
}

fn text_that_never_ends(before: u64) {
    let mut s = Stream::default();
    let text = "no newline ".repeat(300);
    for i in 0..10_000 {
        s.line(&format!(r#"{{"ImportPath":"p{}","Action":"build-output","Output":"{text}"}}"#, i / 100));
        if i % 500 == 0 {
            s.line("{");
            s.line("\t\"Path\": \"x\",");
        }
    }
    within("build output without newlines and objects that never end", before);
    assert!(s.finish().1 > 19);
}

#[test]
fn floods_of_packages_tests_and_texts_stay_within_the_bound() {
    let before = peak();
    packages_that_never_close(before);
    tests_that_never_end(before);
    packages_full_of_texts(before);
    text_that_never_ends(before);
}
