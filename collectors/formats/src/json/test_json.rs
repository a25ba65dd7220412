//! test2json: what the events of `go test -json` say about tests and packages.
//!
//! Results come from actions, never from `Output`: that is read only for what no action says (`told`). It must not
//! know how an object was written, nor anything of builds.
//!
//! A failing test is held until the next test starts or its package ends, for a panic prints its `--- FAIL` lines
//! first. Nothing is kept of a test that runs or passes, so a million of them cost nothing. A package's state is
//! freed by its final event.
//!
//! Invariants: one failure for each failing leaf test, panic, alarm or unexplained exit; what is held is bounded by
//! `packages`.

use std::borrow::Cow;

use super::packages::{Crash, FailedTest, Fragment, Package, Packages, Timeout};
use super::scan::{Action, Record, Str};
use super::told::{self, Hint, Running, Sieve, Told};
use super::verdict::{benchmark_event, failure, failures, give_up, known};
use crate::line::Line;
use crate::stack::Stack;
use crate::text::At;
use crate::{CaseStatus, Event, EventKind, FailureClass, PackageStatus, Timestamp};

/// Longest name of a package or test that state is kept for.
const MAX_NAME: usize = 4096;
/// Longest text kept of a line.
const MAX_TEXT: usize = 1024;
/// Longest line joined from pieces; test2json cuts lines into pieces of 1,024 bytes.
const MAX_JOINED: usize = 4096;
/// Room for decoded output that stays allocated, in bytes.
const KEPT_CAPACITY: usize = 16 << 10;
/// Hashes kept in one set of a package.
const MAX_HASHES: usize = 16_384;
/// Levels of subtests told apart.
const MAX_DEPTH: usize = 32;

/// The state of `go test -json` in one stream.
#[derive(Debug, Default)]
pub(crate) struct TestJson {
    packages: Packages,
    sieve: Sieve,
    /// Packages that wait for the rest of a line or list: while there are any, all output is looked at.
    watching: usize,
    forgotten: u64,
    /// For output that is decoded.
    decoded: String,
}

impl TestJson {
    /// Reads one object.
    #[inline]
    pub(crate) fn record(&mut self, record: &Record<'_>, line: &Line<'_>, out: &mut Vec<Event>) {
        match record.action {
            Action::Output => self.output(record, line, out),
            Action::Start | Action::Run => self.started(record, line, out),
            Action::Pass => self.ended(record, CaseStatus::Pass, line, out),
            Action::Fail => self.ended(record, CaseStatus::Fail, line, out),
            Action::Skip => self.ended(record, CaseStatus::Skip, line, out),
            Action::Pause | Action::Cont | Action::Bench | Action::Attr | Action::Artifacts => {}
            Action::BuildOutput | Action::BuildFail | Action::Unknown => {}
        }
    }

    /// The stream, or the go command, came to its end: what is still open gives what is known of it.
    pub(crate) fn finish(&mut self, out: &mut Vec<Event>) {
        for package in self.packages.drain() {
            give_up(package, out);
        }
        self.watching = 0;
    }

    /// Where the first open package began.
    pub(crate) fn open_from(&self) -> Option<u64> {
        self.packages.open_from()
    }

    /// Packages given up because a bound was reached, and names too long to keep.
    pub(crate) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    fn started(&mut self, record: &Record<'_>, line: &Line<'_>, out: &mut Vec<Event>) {
        let name = text(&record.package);
        if let Some(package) = self.packages.find(&name) {
            // the process lives: what failed did not panic, and what looked like a panic was none
            self.watching -= usize::from(watches(package));
            package.crash = None;
            package.timeout = None;
            package.fragment = None;
            if let Some(failed) = package.pending.take() {
                out.push(failed.into_event(FailureClass::TestFailed, None, &package.name));
            }
        } else {
            self.open(&name, || at(record, line), out);
        }
    }

    fn ended(&mut self, record: &Record<'_>, status: CaseStatus, line: &Line<'_>, out: &mut Vec<Event>) {
        let at = at(record, line);
        let name = text(&record.package);
        let test = text(&record.test);
        if test.is_empty() {
            return self.package_ended(record, &name, status, at, out);
        }
        out.push(at.event(EventKind::TestCase {
            package: known(&name),
            name: test.as_ref().to_owned(),
            status,
            elapsed_seconds: record.elapsed,
        }));
        match status {
            CaseStatus::Fail => self.test_failed(&name, &test, at, out),
            CaseStatus::Pass | CaseStatus::Skip => {
                if let Some(package) = self.packages.find(&name)
                    && !(package.parents.is_empty() && package.raced.is_empty())
                {
                    let hash = hash(&test);
                    package.parents.remove(&hash);
                    package.raced.remove(&hash);
                }
            }
        }
    }

    fn test_failed(&mut self, name: &str, test: &str, at: At, out: &mut Vec<Event>) {
        let own = hash(test);
        let ancestors: Vec<u64> =
            test.match_indices('/').take(MAX_DEPTH).filter_map(|(i, _)| test.get(..i)).map(hash).collect();
        let Some(package) = self.open(name, || at, out) else {
            let failed = FailedTest { name: test.to_owned(), at, raced: false, note: None };
            return out.push(failed.into_event(FailureClass::TestFailed, None, name));
        };
        package.failed = true;
        if package.parents.len() < MAX_HASHES {
            package.parents.extend(ancestors);
        }
        let raced = package.raced.remove(&own);
        let note = package.note.take_if(|note| note.test == own).map(|note| *note);
        if !package.parents.remove(&own) {
            let failed = FailedTest { name: test.to_owned(), at, raced, note };
            if let Some(before) = package.pending.replace(Box::new(failed)) {
                out.push(before.into_event(FailureClass::TestFailed, None, name));
            }
        }
        self.grown(out);
    }

    fn package_ended(&mut self, record: &Record<'_>, name: &str, status: CaseStatus, at: At, out: &mut Vec<Event>) {
        let package = self.packages.close(name);
        self.watching -= usize::from(package.as_ref().is_some_and(watches));
        if name.is_empty() {
            // `go tool test2json` without -p
            package.into_iter().for_each(|package| give_up(package, out));
            return;
        }
        let hint = package.as_ref().map_or(Hint::None, |package| package.hint);
        let status = match (status, hint) {
            (CaseStatus::Pass, Hint::NoTests) | (CaseStatus::Skip, _) => PackageStatus::NoTestFiles,
            (CaseStatus::Pass, _) => PackageStatus::Pass,
            (CaseStatus::Fail, Hint::SetupFailed) => PackageStatus::SetupFailed,
            (CaseStatus::Fail, Hint::BuildFailed) => PackageStatus::BuildFailed,
            (CaseStatus::Fail, _) if record.failed_build.is_some() => PackageStatus::BuildFailed,
            (CaseStatus::Fail, _) => PackageStatus::Fail,
        };
        let (mut cached, mut coverage_percent) = (false, None);
        if let Some(package) = package {
            (cached, coverage_percent) = (package.cached, package.coverage);
            let unexplained = status == PackageStatus::Fail;
            failures(package, at, unexplained, out);
        } else if status == PackageStatus::Fail {
            out.push(failure(FailureClass::TestExit, name, None, None, at));
        }
        out.push(at.event(EventKind::TestPackage {
            package: name.to_owned(),
            status,
            cached: (status == PackageStatus::Pass).then_some(cached),
            elapsed_seconds: record.elapsed,
            coverage_percent,
        }));
    }

    #[inline]
    fn output(&mut self, record: &Record<'_>, line: &Line<'_>, out: &mut Vec<Event>) {
        let Some(output) = &record.output else { return };
        let test = record.test.as_ref().filter(|test| !test.raw().is_empty());
        if test.is_some() && self.watching == 0 && !self.sieve.may_tell(output) {
            return;
        }
        self.telling_output(record, output, test, line, out);
    }

    fn telling_output(
        &mut self,
        record: &Record<'_>,
        output: &Str<'_>,
        test: Option<&Str<'_>>,
        line: &Line<'_>,
        out: &mut Vec<Event>,
    ) {
        let name = text(&record.package);
        let mut decoded = std::mem::take(&mut self.decoded);
        let test = test.map(Str::decode).filter(|test| test.len() <= MAX_NAME);
        let hash = test.as_deref().map_or(0, hash);
        let Some(package) = self.open(&name, || at(record, line), out) else { return };
        let watched = watches(package);
        if let Some(whole) = joined(package, test.as_deref(), output.decode_in(&mut decoded)) {
            let error = record.output_type.as_ref().is_some_and(|kind| kind.raw().starts_with(b"error"));
            let source = Source { test: test.as_deref(), hash, error, record, line };
            package_line(package, &whole, &source, out);
        }
        let watches = watches(package);
        decoded.shrink_to(KEPT_CAPACITY);
        self.decoded = decoded;
        self.watching = self.watching + usize::from(watches) - usize::from(watched);
        self.grown(out);
    }

    /// The package, opened where it is not; `None` for a name that is too long.
    fn open(&mut self, name: &str, at: impl FnOnce() -> At, out: &mut Vec<Event>) -> Option<&mut Package> {
        if name.len() > MAX_NAME {
            self.forgotten += 1;
            return None;
        }
        let (forgotten, watching) = (&mut self.forgotten, &mut self.watching);
        self.packages.open(name, at, |package| {
            *forgotten += 1;
            *watching -= usize::from(watches(&package));
            give_up(package, out);
        })
    }

    fn grown(&mut self, out: &mut Vec<Event>) {
        let (forgotten, watching) = (&mut self.forgotten, &mut self.watching);
        self.packages.grown(|package| {
            *forgotten += 1;
            *watching -= usize::from(watches(&package));
            give_up(package, out);
        });
    }
}

/// Whose line it is.
struct Source<'a> {
    test: Option<&'a str>,
    hash: u64,
    error: bool,
    record: &'a Record<'a>,
    line: &'a Line<'a>,
}

impl Source<'_> {
    fn at(&self) -> At {
        at(self.record, self.line)
    }
}

/// Whether the package waits for the rest of something.
fn watches(package: &Package) -> bool {
    package.fragment.is_some()
        || package.timeout.as_ref().is_some_and(|timeout| timeout.running.is_open())
        || package.crash.as_ref().is_some_and(|crash| crash.stack.is_within())
}

/// Joins a piece of output to the beginning of its line. `None` while the newline has not come.
fn joined<'a>(package: &mut Package, test: Option<&str>, piece: &'a str) -> Option<Cow<'a, str>> {
    let whole: Cow<'_, str> = match package.fragment.take_if(|fragment| fragment.test.as_deref() == test) {
        Some(mut fragment) => {
            if fragment.text.len() + piece.len() <= MAX_JOINED {
                fragment.text.push_str(piece);
            }
            if !piece.ends_with('\n') {
                package.fragment = Some(fragment);
                return None;
            }
            fragment.text.into()
        }
        None => piece.into(),
    };
    // what ends without a newline is mostly whole: the next line is the test framework's, which test2json parts
    if !whole.ends_with('\n') && (whole.starts_with("Benchmark") || (test.is_none() && goes_on(&whole))) {
        package.fragment =
            Some(Box::new(Fragment { test: test.map(str::to_owned), text: bounded(&whole, MAX_JOINED) }));
        return None;
    }
    Some(whole)
}

/// Whether a piece without a newline is the beginning of a line of the go command.
fn goes_on(piece: &str) -> bool {
    piece.starts_with("ok  \t") || piece.starts_with("FAIL\t") || piece.starts_with("coverage: ")
}

/// Takes in a whole line of output.
fn package_line(package: &mut Package, line: &str, source: &Source<'_>, out: &mut Vec<Event>) {
    if let Some(timeout) = package.timeout.as_mut().filter(|timeout| timeout.running.is_open()) {
        timeout.running.line(line);
    }
    if let Some(crash) = &mut package.crash {
        crash.stack.line(line);
    }
    let told = match source.test {
        Some(_) => told::of_test(line),
        None => told::of_package(line, &package.name),
    };
    match told {
        Some(Told::Crash) => crash(package, line, source, false),
        Some(Told::MaybeCrash) if package.crash.is_none() => crash(package, line, source, true),
        Some(Told::MaybeCrash) | None => {}
        Some(Told::Stack) => package.crash.iter_mut().for_each(|crash| crash.doubtful = false),
        Some(Told::Timeout) => {
            let message = bounded(line.trim_end(), MAX_TEXT);
            package
                .timeout
                .get_or_insert_with(|| Box::new(Timeout { message, running: Running::default(), at: source.at() }));
        }
        Some(Told::Race) => {
            package.race_seen = true;
            if source.test.is_some() && package.raced.len() < MAX_HASHES {
                package.raced.insert(source.hash);
            }
        }
        Some(Told::Benchmark(benchmark)) => {
            out.push(source.at().event(benchmark_event(package, &benchmark, source.test)))
        }
        Some(Told::Position(text)) => note(package, text, source),
        Some(Told::Ended) => {
            // it came to its end: whatever looked like its death was not
            package.crash = None;
            package.timeout = None;
            if let Some(failed) = package.pending.take() {
                out.push(failed.into_event(FailureClass::TestFailed, None, &package.name));
            }
        }
        Some(Told::Ok { cached, coverage }) => {
            package.cached = cached;
            package.coverage = coverage.or(package.coverage);
        }
        Some(Told::Failed(hint)) => package.hint = hint,
        Some(Told::NoTests(coverage)) => {
            package.hint = Hint::NoTests;
            package.coverage = coverage.or(package.coverage);
        }
        Some(Told::Coverage(coverage)) => package.coverage = coverage.or(package.coverage),
        Some(Told::Exit) => package.exit = Some(bounded(line.trim_end(), MAX_TEXT).into()),
    }
}

fn crash(package: &mut Package, line: &str, source: &Source<'_>, doubtful: bool) {
    if package.crash.as_ref().is_some_and(|crash| !crash.doubtful) {
        return; // the first is the cause
    }
    let message = bounded(line.trim_end(), MAX_TEXT);
    let (test, at) = (source.test.map(str::to_owned), source.at());
    package.crash = Some(Box::new(Crash { test, message, doubtful, at, stack: Stack::default() }));
}

/// Keeps the last position line of the test that printed last; an error counts more than a log line.
fn note(package: &mut Package, text: &str, source: &Source<'_>) {
    let note = package.note.get_or_insert_default();
    if note.test == source.hash && note.error && !source.error {
        return;
    }
    note.test = source.hash;
    note.error = source.error;
    note.text.clear();
    note.text.push_str(cut(text, MAX_TEXT));
}

/// A hash of a name, cheap. Who makes two names collide gets one of his own tests taken for the other.
fn hash(name: &str) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| (hash ^ word).wrapping_mul(ODD).rotate_left(29);
    let (words, rest) = name.as_bytes().as_chunks::<8>();
    let hash = words.iter().fold(name.len() as u64, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    mix(rest.iter().fold(hash, |hash, byte| mix(hash, u64::from(*byte))), 0)
}

fn at(record: &Record<'_>, line: &Line<'_>) -> At {
    let time = record.time.as_ref().and_then(|time| Timestamp::parse_rfc3339(time.raw()));
    At { time: time.or_else(|| line.time.timestamp()), offset: line.offset, lines: line.lines }
}

fn text<'a>(text: &'a Option<Str<'_>>) -> Cow<'a, str> {
    text.as_ref().map(Str::decode).unwrap_or_default()
}

/// The beginning of a text, cut at a character.
fn cut(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or_default()
}

fn bounded(text: &str, max: usize) -> String {
    cut(text, max).to_owned()
}
