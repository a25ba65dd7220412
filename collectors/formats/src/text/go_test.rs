//! What `go test` writes without -json: test blocks and package lines.
//!
//! The output of one test binary is a block; the line that names its package and result comes last. So everything of
//! a block is held until then: only the package line says whether a `--- FAIL` was real. In a block that ends in `ok`
//! it was printed by the test itself.
//!
//! Sources: testing/testing.go (report, chattyPrinter), cmd/go/internal/test/test.go (runTestActor.Act).
//!
//! Invariant: a block holds at most [`CASES`] cases and [`RUNS`] running names; what is over is counted as forgotten.

use std::collections::{HashMap, HashSet};

mod forms;
mod results;
mod verdict;

use self::forms::{PackageLine, crash_text, no_tests_line, package_line};
use self::verdict::{Case, Crash, Ended, Log, emit_crash, give_out, last_failed, test_failure};
use super::at::At;
use super::bytes::{bounded_text, has, hash, is_import_path, text, word};
use super::seen::{Plain, Seen};
use crate::json::Running;
use crate::line::Line;
use crate::stack::Stack;
use crate::{CaseStatus, Event, EventKind, FailureClass, PackageStatus};

/// Cases held for one package. The largest packages of the standard library have a few thousand.
const CASES: usize = 65_536;
/// Names seen by `=== RUN` in one block.
const RUNS: usize = 131_072;
/// Room for names that stays allocated from one block to the next.
const KEPT_RUNS: usize = 1_024;
/// First log lines kept of tests that have not ended.
const LOGS: usize = 4_096;

/// The block of one test binary.
#[derive(Debug, Default)]
pub(super) struct TestRun {
    cases: Vec<Case>,
    runs: HashSet<u64, Plain>,
    /// `=== RUN` was seen: each real case has one.
    verbose: bool,
    /// The test that writes now, under -v.
    current: Vec<u8>,
    /// Something of a test binary was seen: other dialects keep quiet.
    active: bool,
    crash: Option<Crash>,
    race: bool,
    /// `PASS`, `FAIL`, `exit status` or coverage came: the package line should be next.
    ending: bool,
    exit: Option<String>,
    /// `pkg: P` of a benchmark header.
    package: Option<String>,
    first: Option<u64>,
    forgotten: u64,
    /// What each test logged first, under -v, by the hash of its name; at most [`LOGS`].
    logs: HashMap<u64, Box<Log>, Plain>,
}

/// What the block made of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Took {
    /// It is a test's line.
    Yes,
    /// It lies in the block and means nothing there.
    Quiet,
    /// It is none of the block's business.
    No,
}

/// Whether a line is one of the forms that only tests print.
pub(super) fn is_test_line(line: &[u8]) -> bool {
    [&b"=== "[..], b"--- ", b"ok  \t", b"FAIL", b"?   \t", b"PASS"].iter().any(|begin| line.starts_with(begin))
}

/// Whether a line that begins with a TAB is a package without tests under -cover.
pub(super) fn is_package_line(line: &[u8]) -> bool {
    no_tests_line(line).is_some()
}

impl TestRun {
    /// Whether the block is only a crash text so far, which may be that of a program.
    fn is_bare_crash(&self) -> bool {
        self.crash.is_some() && !self.verbose && self.cases.is_empty() && !self.race
    }

    /// Offset of the oldest line held.
    pub(super) fn open_from(&self) -> Option<u64> {
        self.first
    }

    /// Cases and names given up because of a bound.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Reads a line.
    pub(super) fn line(&mut self, line: &Line<'_>, seen: &mut Seen, out: &mut Vec<Event>) -> Took {
        let bytes = line.text;
        if let Some(b'o' | b'F' | b'?') = bytes.first()
            && let Some(found) = package_line(bytes)
        {
            self.package_line(line, &found, seen, out);
            return Took::Yes;
        }
        let took = match bytes.first() {
            Some(b'=') => self.control(line, seen, out),
            Some(b'-' | b' ') => self.result(line, seen, out),
            Some(b'\t') => self.tabbed(line, seen, out),
            Some(b'B') => self.benchmark(line, out),
            Some(b'p' | b'f' | b's' | b'S' | b'u' | b'*' | b'W' | b'e' | b'P' | b'F' | b'c' | b't') => {
                self.word_line(line, seen, out)
            }
            _ => Took::No,
        };
        if took != Took::No {
            return took;
        }
        if self.ending && (bytes.starts_with(b"go: ") || bytes.starts_with(b"# ")) {
            // a binary that was run by hand: PASS or FAIL, and then the go command
            self.flush(None, seen, out);
            return Took::No;
        }
        if !self.active {
            return self.glued_first(line);
        }
        self.glued(line);
        if let Some(crash) = &mut self.crash {
            crash.more(bytes, &self.cases);
        }
        if self.is_bare_crash() && bytes.starts_with(b"go: ") {
            self.flush(None, seen, out);
            return Took::No;
        }
        Took::Quiet
    }

    /// The stream was silent for a while: a program that crashed and exited has said all.
    pub(super) fn idle(&mut self, seen: &mut Seen, out: &mut Vec<Event>) {
        if self.is_bare_crash() && self.crash.as_ref().is_some_and(|crash| crash.exited) {
            self.flush(None, seen, out);
        }
    }

    /// The stream, the command or the block of a binary run by hand ended without a package line, or with one.
    pub(super) fn flush(&mut self, package: Option<(&str, bool)>, seen: &mut Seen, out: &mut Vec<Event>) {
        let mut block = std::mem::take(self);
        self.forgotten = block.forgotten;
        self.use_again(&mut block);
        if package.is_none() && !block.active {
            return;
        }
        let (name, failed) = match package {
            Some((name, failed)) => (Some(name), failed),
            None => (None, true),
        };
        if package.is_none() && block.is_bare_crash() {
            if let Some(crash) = block.crash {
                emit_crash(crash, seen, out);
            }
            return;
        }
        let ended = Ended { cases: block.cases, crash: block.crash, race: block.race, first: block.first };
        give_out(ended, name, failed, seen, out);
    }

    /// What was allocated for the block before serves the next one, unless it is large.
    fn use_again(&mut self, before: &mut Self) {
        if before.runs.capacity() <= KEPT_RUNS {
            self.runs = std::mem::take(&mut before.runs);
            self.runs.clear();
        }
        self.current = std::mem::take(&mut before.current);
        self.current.clear();
    }

    /// `=== RUN   Name` and its kin.
    fn control(&mut self, line: &Line<'_>, seen: &mut Seen, out: &mut Vec<Event>) -> Took {
        let bytes = line.text;
        if bytes.starts_with(b"==================") {
            return if self.active { Took::Quiet } else { Took::No };
        }
        let Some(rest) = bytes.strip_prefix(b"=== ") else { return Took::No };
        let Some((verb, name)) = word(rest) else { return Took::No };
        let name = name.trim_ascii();
        if name.is_empty() || !matches!(verb, b"RUN" | b"PAUSE" | b"CONT" | b"NAME" | b"ATTR" | b"ARTIFACTS") {
            return Took::No;
        }
        self.another(seen, out);
        self.open(line);
        match verb {
            b"RUN" => self.run(name),
            b"CONT" | b"NAME" => self.writes(name),
            _ => {}
        }
        Took::Yes
    }

    fn run(&mut self, name: &[u8]) {
        self.verbose = true;
        if self.runs.len() < RUNS {
            self.runs.insert(hash(&[name]));
        } else {
            self.forgotten += 1;
        }
        self.writes(name);
    }

    fn writes(&mut self, name: &[u8]) {
        self.current.clear();
        self.current.extend_from_slice(name.get(..4096).unwrap_or(name));
    }

    /// Package lines that begin with a TAB (-cover of a package without tests), and the list of a timeout.
    fn tabbed(&mut self, line: &Line<'_>, seen: &mut Seen, out: &mut Vec<Event>) -> Took {
        if let Some(crash) = &mut self.crash {
            crash.more(line.text, &self.cases);
            return Took::Yes;
        }
        if let Some((package, coverage, rest)) = no_tests_line(line.text) {
            let kind = EventKind::TestPackage {
                package: text(package),
                status: PackageStatus::NoTestFiles,
                cached: None,
                elapsed_seconds: None,
                coverage_percent: coverage,
            };
            out.push(At::of(line).event(kind));
            if !rest.is_empty() {
                self.line(&Line { text: rest, ..*line }, seen, out);
            }
            return Took::Yes;
        }
        if self.active { Took::Quiet } else { Took::No }
    }

    /// Lines that begin with a word: panics, signals, `PASS`, `exit status`, the header of benchmarks.
    fn word_line(&mut self, line: &Line<'_>, seen: &mut Seen, out: &mut Vec<Event>) -> Took {
        let bytes = line.text;
        let may_crash = matches!(bytes.first(), Some(b'p' | b'*' | b'f' | b's' | b'S' | b'u'));
        if may_crash && let Some(timeout) = crash_text(bytes) {
            return self.crashed(line, timeout, seen, out);
        }
        if bytes.starts_with(b"WARNING: DATA RACE") {
            self.open(line);
            self.race = true;
            return Took::Yes;
        }
        if bytes.starts_with(b"testing: race detected outside of test execution") {
            self.race = true;
            return Took::Yes;
        }
        if bytes.starts_with(b"exit status ") {
            if let Some(crash) = &mut self.crash {
                crash.exited = true;
            }
            self.exit = Some(bounded_text(bytes, 256));
            self.ending = self.active;
            return if self.active { Took::Yes } else { Took::Quiet };
        }
        if matches!(bytes, b"PASS" | b"FAIL") {
            self.ending = self.active;
            return Took::Yes;
        }
        if let Some(package) = bytes.strip_prefix(b"pkg: ") {
            self.package = is_import_path(package).then(|| text(package));
            return Took::Yes;
        }
        if bytes.starts_with(b"coverage: ") && self.active {
            return Took::Yes;
        }
        Took::No
    }

    fn crashed(&mut self, line: &Line<'_>, timeout: bool, seen: &mut Seen, out: &mut Vec<Event>) -> Took {
        if self.crash.is_some() {
            if !self.is_bare_crash() || !self.crash.as_ref().is_some_and(|crash| crash.exited) {
                // a second panic while the first one is printed
                return Took::Yes;
            }
            self.flush(None, seen, out);
        }
        let bytes = line.text;
        let signal = bytes.starts_with(b"signal: ");
        if signal && self.active {
            // how the test binary ended: the package line says the rest
            self.exit = Some(bounded_text(bytes, 256));
            return Took::Yes;
        }
        let test = if timeout {
            None
        } else if has(bytes, "[recovered") {
            last_failed(&self.cases)
        } else {
            // a goroutine of the test that runs, as far as -v shows
            (self.verbose && !self.current.is_empty()).then(|| text(&self.current))
        };
        let fresh = !self.active;
        self.open(line);
        let message = bounded_text(bytes, 1024);
        let timeout = timeout.then(Running::default);
        self.crash =
            Some(Crash { at: At::of(line), message, test, timeout, exited: signal && fresh, stack: Stack::default() });
        Took::Yes
    }

    /// `ok`, `FAIL`, `?` with a package.
    fn package_line(&mut self, line: &Line<'_>, found: &PackageLine<'_>, seen: &mut Seen, out: &mut Vec<Event>) {
        let name = text(found.package);
        let at = At::of(line);
        match found.status {
            PackageStatus::Pass => self.flush(Some((&name, false)), seen, out),
            PackageStatus::Fail => {
                let exit = self.exit.take();
                let before = out.len();
                let blameless = !self.cases.iter().any(|case| case.status == CaseStatus::Fail)
                    && self.crash.is_none()
                    && !self.race;
                self.flush(Some((&name, true)), seen, out);
                if blameless {
                    let failure = test_failure(FailureClass::TestExit, Some(&name), None, exit);
                    if seen.first_failure(&failure) {
                        out.insert(before.min(out.len()), at.event(EventKind::Failure(Box::new(failure))));
                    }
                }
            }
            PackageStatus::NoTestFiles | PackageStatus::BuildFailed | PackageStatus::SetupFailed => {}
        }
        out.push(at.event(EventKind::TestPackage {
            package: name,
            status: found.status,
            cached: (found.status == PackageStatus::Pass).then_some(found.cached),
            elapsed_seconds: found.elapsed,
            coverage_percent: found.coverage,
        }));
    }

    /// A result after PASS or FAIL without a package line between: the block was that of a binary run by hand.
    fn another(&mut self, seen: &mut Seen, out: &mut Vec<Event>) {
        if self.ending && self.crash.is_none() {
            self.flush(None, seen, out);
        }
    }

    fn open(&mut self, line: &Line<'_>) {
        self.active = true;
        self.ending = false;
        self.first.get_or_insert(line.offset);
    }
}
