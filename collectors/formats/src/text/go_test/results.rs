//! Results of tests inside a block: `--- PASS`, benchmarks, logs, and what is glued to output without a newline.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::super::at::At;
use super::super::bytes::{bounded_text, float, hash, number, position, rsplit_once, text};
use super::super::seen::Seen;
use super::forms::case_line;
use super::verdict::{Case, Log};
use super::{CASES, LOGS, RUNS, TestRun, Took};
use crate::line::Line;
use crate::{CaseStatus, Event, EventKind};

/// Searched for in all that tests print.
static RUN: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("=== RUN   "));

impl TestRun {
    /// `--- PASS: Name (0.00s)`, indented for subtests.
    pub(super) fn result(&mut self, line: &Line<'_>, seen: &mut Seen, out: &mut Vec<Event>) -> Took {
        let bytes = line.text;
        let indented = bytes.trim_ascii_start();
        let Some(rest) = indented.strip_prefix(b"--- ") else {
            return self.log_line(bytes);
        };
        if rest.starts_with(b"BENCH: ") {
            self.open(line);
            return Took::Yes;
        }
        let Some((status, name, elapsed)) = case_line(rest) else { return Took::No };
        if name.contains(&b' ') && !(self.verbose && self.runs.contains(&hash(&[name]))) {
            // blanks of subtests are printed as `_`; what else a test is called is known from its `=== RUN`
            return self.log_line(bytes);
        }
        let depth = bytes.len() - indented.len();
        if depth > 4 * name.iter().filter(|byte| **byte == b'/').count() {
            // each level of subtests indents by four blanks and adds a slash: this is what a test logged of another
            return self.log_line(bytes);
        }
        self.another(seen, out);
        self.open(line);
        let twice = depth > 0 && self.cases.last().is_some_and(|last| last.name.as_bytes() == name);
        if twice
            || (self.verbose
                && !name.starts_with(b"Benchmark")
                && self.runs.len() < RUNS
                && !self.runs.contains(&hash(&[name])))
        {
            // the fuzzing engine prints the target twice; a case that never ran was printed by a test
            return Took::Quiet;
        }
        self.case(line, status, name, elapsed);
        Took::Yes
    }

    pub(super) fn case(&mut self, line: &Line<'_>, status: CaseStatus, name: &[u8], elapsed: Option<f64>) {
        if self.cases.len() >= CASES {
            self.forgotten += 1;
            return;
        }
        let raced = self.verbose && status == CaseStatus::Fail && self.runs.remove(&hash(&[b"race", name]));
        let log = if self.logs.is_empty() { None } else { self.logs.remove(&hash(&[name])) };
        self.cases.push(Case { name: text(name), status, elapsed, at: At::of(line), raced, log });
    }

    /// What a test logs: only the words of the race detector matter.
    pub(super) fn log_line(&mut self, bytes: &[u8]) -> Took {
        if !self.active {
            return Took::No;
        }
        if bytes.ends_with(b"race detected during execution of test") {
            if self.verbose {
                self.runs.insert(hash(&[b"race", &self.current]));
            } else if let Some(last) = self.cases.iter_mut().rev().find(|case| case.status == CaseStatus::Fail) {
                last.raced = true;
            }
            self.race = true;
            return Took::Yes;
        }
        self.logged(bytes);
        self.glued_bytes(bytes);
        Took::Quiet
    }

    /// Keeps the first position that the current test, or without -v the test that failed last, logs.
    pub(super) fn logged(&mut self, bytes: &[u8]) {
        if !bytes.starts_with(b"    ") {
            return;
        }
        let Some(found) = position(bytes.trim_ascii_start()) else { return };
        if found.column.is_some() || !found.file.ends_with(b".go") {
            return;
        }
        let log =
            || Box::new(Log { file: text(found.file), line: found.line, message: bounded_text(found.body, 1024) });
        if self.verbose {
            let key = hash(&[&self.current]);
            if self.logs.len() < LOGS && !self.logs.contains_key(&key) {
                self.logs.insert(key, log());
            }
        } else if let Some(case) = self.cases.last_mut() {
            case.log.get_or_insert_with(log);
        }
    }

    /// `BenchmarkX-8   100   12.5 ns/op`.
    pub(super) fn benchmark(&mut self, line: &Line<'_>, out: &mut Vec<Event>) -> Took {
        let mut words = line.text.split(|b| b.is_ascii_whitespace()).filter(|word| !word.is_empty());
        let (Some(name), Some(iterations)) = (words.next(), words.next()) else { return Took::No };
        let Some(iterations) = std::str::from_utf8(iterations).ok().and_then(|digits| digits.parse().ok()) else {
            return Took::No;
        };
        let Some(value) = words.next().and_then(float) else { return Took::No };
        let Some(unit) = words.next() else { return Took::No };
        let name = match rsplit_once(name, b"-") {
            Some((bare, procs)) if number(procs).is_some() => bare,
            _ => name,
        };
        out.push(At::of(line).event(EventKind::TestBenchmark {
            package: self.package.clone(),
            name: text(name),
            iterations,
            ns_per_op: (unit == b"ns/op").then_some(value),
        }));
        Took::Yes
    }

    /// Output without a newline, and then a line of the test framework, on one line.
    pub(super) fn glued(&mut self, line: &Line<'_>) {
        let bytes = line.text;
        if !self.verbose {
            return;
        }
        if bytes.ends_with(b"s)")
            && let Some((_, rest)) = rsplit_once(bytes, b"--- ")
            && let Some((status, name, elapsed)) = case_line(rest)
            && self.runs.contains(&hash(&[name]))
        {
            self.case(line, status, name, elapsed);
            return;
        }
        self.glued_bytes(bytes);
    }

    /// Without -v, output without a newline and then the first failing test of a block. It counts when the package
    /// line comes, and opens nothing until then.
    pub(super) fn glued_first(&mut self, line: &Line<'_>) -> Took {
        if line.text.ends_with(b"s)")
            && let Some((_, rest)) = rsplit_once(line.text, b"--- ")
            && let Some((status, name, elapsed)) = case_line(rest)
            && status == CaseStatus::Fail
            && !name.contains(&b' ')
            && [&b"Test"[..], b"Example", b"Fuzz"].iter().any(|begin| name.starts_with(begin))
        {
            self.case(line, status, name, elapsed);
        }
        Took::No
    }

    pub(super) fn glued_bytes(&mut self, bytes: &[u8]) {
        if self.verbose
            && RUN.find(bytes).is_some()
            && let Some((_, name)) = rsplit_once(bytes, b"=== RUN   ")
            && !name.is_empty()
            && !name.contains(&b' ')
        {
            self.run(name);
        }
    }
}
