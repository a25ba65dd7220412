//! What `go test` writes without -json: test blocks and package lines.
//!
//! The output of one test binary is a block; the line that names its package and result comes last. So everything of
//! a block is held until then: only the package line says whether a `--- FAIL` was real. In a block that ends in `ok`
//! it was printed by the test itself.
//!
//! Sources: testing/testing.go (report, chattyPrinter), cmd/go/internal/test/test.go (runTestActor.Act).
//!
//! Invariant: a block holds at most [`CASES`] cases and [`RUNS`] running names; what is over is counted as forgotten.

use std::collections::HashSet;

use super::at::At;
use super::bytes::{bounded_text, float, has, hash, is_import_path, number, rsplit_once, split_once, text, word};
use super::seen::Seen;
use crate::line::Line;
use crate::{CaseStatus, Event, EventKind, Failure, FailureClass, PackageStatus};

/// Cases held for one package. The largest packages of the standard library have a few thousand.
const CASES: usize = 65_536;
/// Names seen by `=== RUN` in one block.
const RUNS: usize = 131_072;

/// A case that ended, waiting for its package line.
#[derive(Debug)]
struct Case {
    name: String,
    status: CaseStatus,
    elapsed: Option<f64>,
    at: At,
    raced: bool,
}

/// A panic, fatal error or signal text.
#[derive(Debug)]
struct Crash {
    at: At,
    message: String,
    /// The test that the text names or the block shows.
    test: Option<String>,
    /// `test timed out after`.
    timeout: bool,
    /// Lines `running tests:` follow.
    listing: bool,
    /// `exit status N` came: of a program that was run, or of a test binary.
    exited: bool,
}

/// The block of one test binary.
#[derive(Debug, Default)]
pub(super) struct TestRun {
    cases: Vec<Case>,
    runs: HashSet<u64>,
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
        let took = match bytes.first() {
            Some(b'=') => self.control(line),
            Some(b'-' | b' ') => self.result(line, bytes),
            Some(b'o' | b'F' | b'?') if package_line(bytes).is_some() => {
                self.package_line(line, seen, out);
                return Took::Yes;
            }
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
        if self.ending && !bytes.is_empty() && !self.verbose_continues(bytes) {
            // a binary that was run by hand: PASS or FAIL, and then something else
            self.flush(None, seen, out);
            return Took::No;
        }
        if !self.active {
            return self.glued_first(line);
        }
        self.glued(line);
        if let Some(crash) = &mut self.crash
            && bytes == b"running tests:"
        {
            // at the margin up to Go 1.22
            crash.listing = true;
        }
        if let Some(crash) = &mut self.crash
            && crash.test.is_none()
            && has(bytes, "[recovered")
        {
            crash.test = last_failed(&self.cases);
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
        let block = std::mem::take(self);
        self.forgotten = block.forgotten;
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
        block.give_out(name, failed, seen, out);
    }

    fn give_out(self, package: Option<&str>, failed: bool, seen: &mut Seen, out: &mut Vec<Event>) {
        let crash_test = self.crash.as_ref().and_then(|crash| crash.test.clone());
        let any_raced = self.cases.iter().any(|case| case.raced);
        let parents: HashSet<&str> =
            self.cases.iter().filter(|c| c.status == CaseStatus::Fail).flat_map(|c| ancestors(&c.name)).collect();
        let mut told = false;
        let mut failures = Vec::new();
        for case in &self.cases {
            if case.status != CaseStatus::Fail || !failed {
                continue;
            }
            let crashed =
                self.crash.as_ref().is_some_and(|crash| !crash.timeout) && crash_test.as_deref() == Some(&case.name);
            let leaf = !parents.contains(case.name.as_str());
            if crashed || !leaf {
                told |= crashed;
                continue;
            }
            let class =
                if case.raced || (self.race && !any_raced) { FailureClass::TestRace } else { FailureClass::TestFailed };
            told = true;
            failures.push((case.at, test_failure(class, package, Some(case.name.clone()), None)));
        }
        drop(parents);
        for case in self.cases {
            if case.status == CaseStatus::Fail && !failed {
                continue;
            }
            let (package, name) = (package.map(str::to_owned), case.name);
            out.push(case.at.event(EventKind::TestCase {
                package,
                name,
                status: case.status,
                elapsed_seconds: case.elapsed,
            }));
        }
        if let Some(crash) = self.crash.filter(|_| failed) {
            let class = if crash.timeout {
                FailureClass::TestTimeout
            } else if crash.message.starts_with("signal: ") {
                FailureClass::TestExit
            } else {
                FailureClass::TestPanic
            };
            failures.push((crash.at, test_failure(class, package, crash.test, Some(crash.message))));
        } else if self.race && failed && !told {
            let at = At { time: None, offset: self.first.unwrap_or(0), lines: 1 };
            failures.push((at, test_failure(FailureClass::TestRace, package, None, None)));
        }
        for (at, failure) in failures {
            if seen.first_failure(&failure) {
                out.push(at.event(EventKind::Failure(Box::new(failure))));
            }
        }
    }

    /// `=== RUN   Name` and its kin.
    fn control(&mut self, line: &Line<'_>) -> Took {
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

    /// `--- PASS: Name (0.00s)`, indented for subtests.
    fn result(&mut self, line: &Line<'_>, bytes: &[u8]) -> Took {
        let indented = bytes.trim_ascii_start();
        let Some(rest) = indented.strip_prefix(b"--- ") else {
            return self.log_line(bytes);
        };
        if rest.starts_with(b"BENCH: ") {
            self.open(line);
            return Took::Yes;
        }
        let Some((status, name, elapsed)) = case_line(rest) else { return Took::No };
        self.open(line);
        let depth = bytes.len() - indented.len();
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

    fn case(&mut self, line: &Line<'_>, status: CaseStatus, name: &[u8], elapsed: Option<f64>) {
        if self.cases.len() >= CASES {
            self.forgotten += 1;
            return;
        }
        let raced = self.verbose && status == CaseStatus::Fail && self.runs.remove(&hash(&[b"race", name]));
        self.cases.push(Case { name: text(name), status, elapsed, at: At::of(line), raced });
    }

    /// What a test logs: only the words of the race detector matter.
    fn log_line(&mut self, bytes: &[u8]) -> Took {
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
        self.glued_bytes(bytes);
        Took::Quiet
    }

    /// Package lines that begin with a TAB (-cover of a package without tests), and the list of a timeout.
    fn tabbed(&mut self, line: &Line<'_>, seen: &mut Seen, out: &mut Vec<Event>) -> Took {
        if let Some(crash) = &mut self.crash {
            let item = line.text.trim_ascii();
            if item == b"running tests:" {
                crash.listing = true;
            } else if crash.test.is_none() && has(item, "[recovered") {
                crash.test = last_failed(&self.cases);
            } else if crash.listing && crash.test.is_none() {
                crash.test = word(item).map(|(name, _)| text(name));
            }
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

    /// `BenchmarkX-8   100   12.5 ns/op`.
    fn benchmark(&mut self, line: &Line<'_>, out: &mut Vec<Event>) -> Took {
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

    /// Lines that begin with a word: panics, signals, `PASS`, `exit status`, the header of benchmarks.
    fn word_line(&mut self, line: &Line<'_>, seen: &mut Seen, out: &mut Vec<Event>) -> Took {
        let bytes = line.text;
        if let Some(timeout) = crash_text(bytes) {
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
        self.crash = Some(Crash { at: At::of(line), message, test, timeout, listing: false, exited: signal && fresh });
        Took::Yes
    }

    /// `ok`, `FAIL`, `?` with a package.
    fn package_line(&mut self, line: &Line<'_>, seen: &mut Seen, out: &mut Vec<Event>) {
        let Some(found) = package_line(line.text) else { return };
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

    /// Output without a newline, and then a line of the test framework, on one line.
    fn glued(&mut self, line: &Line<'_>) {
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
    fn glued_first(&mut self, line: &Line<'_>) -> Took {
        if line.text.ends_with(b"s)")
            && let Some((_, rest)) = rsplit_once(line.text, b"--- ")
            && let Some((status, name, elapsed)) = case_line(rest)
            && status == CaseStatus::Fail
            && [&b"Test"[..], b"Example", b"Fuzz"].iter().any(|begin| name.starts_with(begin))
        {
            self.case(line, status, name, elapsed);
        }
        Took::No
    }

    fn glued_bytes(&mut self, bytes: &[u8]) {
        if self.verbose
            && memchr::memchr(b'=', bytes).is_some()
            && let Some((_, name)) = rsplit_once(bytes, b"=== RUN   ")
            && !name.is_empty()
            && !name.contains(&b' ')
        {
            self.run(name);
        }
    }

    /// Whether a line after PASS or FAIL still belongs to the block.
    fn verbose_continues(&self, bytes: &[u8]) -> bool {
        bytes.starts_with(b"coverage: ") || bytes.starts_with(b"testing: ") || self.crash.is_some()
    }

    fn open(&mut self, line: &Line<'_>) {
        self.active = true;
        self.ending = false;
        self.first.get_or_insert(line.offset);
    }
}

/// The last case that failed: the one that a recovered panic belongs to.
fn last_failed(cases: &[Case]) -> Option<String> {
    cases.last().filter(|case| case.status == CaseStatus::Fail).map(|case| case.name.clone())
}

/// `a/b/c` -> `a/b`, `a`.
fn ancestors(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').filter_map(|(at, _)| name.get(..at))
}

/// Whether the line begins the text of a crash; `Some(true)` for a test timeout.
fn crash_text(bytes: &[u8]) -> Option<bool> {
    if let Some(rest) = bytes.strip_prefix(b"panic: ") {
        return Some(rest.starts_with(b"test timed out after "));
    }
    if bytes.starts_with(b"*** Test killed") {
        return Some(true);
    }
    let begins = [
        &b"fatal error: "[..],
        b"signal: ",
        b"SIGSEGV: ",
        b"SIGABRT: ",
        b"SIGQUIT: ",
        b"SIGBUS: ",
        b"SIGILL: ",
        b"SIGFPE: ",
        b"SIGTRAP: ",
        b"unexpected fault address ",
    ];
    begins.iter().any(|begin| bytes.starts_with(begin)).then_some(false)
}

fn test_failure(class: FailureClass, package: Option<&str>, test: Option<String>, message: Option<String>) -> Failure {
    let mut failure = Failure::new(class);
    failure.package = package.map(str::to_owned);
    failure.test = test;
    failure.message = message;
    failure
}

/// A crash outside any test block: a program that was run.
fn emit_crash(crash: Crash, seen: &mut Seen, out: &mut Vec<Event>) {
    let class = match crash.message.as_str() {
        "signal: interrupt" => FailureClass::Interrupted,
        _ => FailureClass::ProgramCrashed,
    };
    let failure = test_failure(class, None, None, Some(crash.message));
    if seen.first_failure(&failure) {
        out.push(crash.at.event(EventKind::Failure(Box::new(failure))));
    }
}

/// `PASS: Name (0.00s)`.
fn case_line(rest: &[u8]) -> Option<(CaseStatus, &[u8], Option<f64>)> {
    let (status, rest) = match rest.get(..6)? {
        b"PASS: " => (CaseStatus::Pass, rest.get(6..)?),
        b"FAIL: " => (CaseStatus::Fail, rest.get(6..)?),
        b"SKIP: " => (CaseStatus::Skip, rest.get(6..)?),
        _ => return None,
    };
    if rest.starts_with(b"Benchmark") && !rest.contains(&b' ') {
        // a benchmark prints no time; its name may carry GOMAXPROCS
        let name = rsplit_once(rest, b"-").filter(|(_, procs)| number(procs).is_some()).map_or(rest, |(name, _)| name);
        return Some((status, name, None));
    }
    let (name, elapsed) = rsplit_once(rest, b" (")?;
    let elapsed = float(elapsed.strip_suffix(b"s)")?)?;
    (!name.is_empty() && !name.contains(&b' ')).then_some((status, name, Some(elapsed)))
}

/// A result line of a package.
#[derive(Debug)]
struct PackageLine<'a> {
    package: &'a [u8],
    status: PackageStatus,
    cached: bool,
    elapsed: Option<f64>,
    coverage: Option<f64>,
}

fn package_line(bytes: &[u8]) -> Option<PackageLine<'_>> {
    let (status, rest) = if let Some(rest) = bytes.strip_prefix(b"ok  \t") {
        (PackageStatus::Pass, rest)
    } else if let Some(rest) = bytes.strip_prefix(b"FAIL\t") {
        (PackageStatus::Fail, rest)
    } else {
        (PackageStatus::NoTestFiles, bytes.strip_prefix(b"?   \t")?)
    };
    let end = rest.iter().position(|b| matches!(b, b'\t' | b' ')).unwrap_or(rest.len());
    let (package, behind) = (rest.get(..end)?, rest.get(end..)?);
    // a directory that cannot be loaded is named as it was on the command line
    if !is_import_path(package)
        && !package.starts_with(b"./")
        && !package.starts_with(b"../")
        && !package.starts_with(b"/")
    {
        return None;
    }
    let behind = behind.trim_ascii();
    let status = match (status, behind) {
        (PackageStatus::Fail, b"[build failed]") => PackageStatus::BuildFailed,
        (PackageStatus::Fail, b"[setup failed]") => PackageStatus::SetupFailed,
        (PackageStatus::NoTestFiles, note) if !note.starts_with(b"[no test files]") => return None,
        (status, _) => status,
    };
    let time = behind.split(|b| matches!(b, b'\t' | b' ')).next().unwrap_or_default();
    let elapsed = time.strip_suffix(b"s").and_then(float);
    let cached = time == b"(cached)";
    if matches!(status, PackageStatus::Pass | PackageStatus::Fail) && elapsed.is_none() && !cached {
        return None;
    }
    Some(PackageLine { package, status, cached, elapsed, coverage: coverage(behind) })
}

/// `coverage: 66.7% of statements`.
fn coverage(bytes: &[u8]) -> Option<f64> {
    let (_, rest) = split_once(bytes, b"coverage: ")?;
    let (percent, _) = split_once(rest, b"% of statements")?;
    float(percent)
}

/// `\tP\t\tcoverage: 0.0% of statements`, or without text and newline: package, coverage, what is glued to it.
fn no_tests_line(bytes: &[u8]) -> Option<(&[u8], Option<f64>, &[u8])> {
    let rest = bytes.strip_prefix(b"\t")?;
    let (package, behind) = split_once(rest, b"\t\t")?;
    if !is_import_path(package) {
        return None;
    }
    if !behind.starts_with(b"coverage: ") {
        return Some((package, None, behind));
    }
    let glued =
        [&b"ok  \t"[..], b"FAIL\t", b"?   \t", b"\t"].iter().find_map(|next| memchr::memmem::find(behind, next));
    let rest = glued.and_then(|at| behind.get(at..)).unwrap_or_default();
    Some((package, coverage(behind), rest))
}
