//! Tests and their packages, from the first case to the spans.
//!
//! The cases of a package are held until the package is reported, and then go out with it: so each case has a parent
//! that is exported and covers it. A build may have more cases than it may have spans: failures and the longest are
//! kept, the rest is counted.
//!
//! Invariant: what is held is at most twice the span limit of a build, however many tests a log names.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;
use gobeacon_formats::{CaseStatus, Failure, FailureClass, PackageStatus, Timestamp};

use super::build::SpanId;
use super::findings::{Stage, rank, stage};
use super::times::At;
use super::{ids, redact};

mod choice;
mod opened;

pub(super) use choice::{LeftOut, choose};
use opened::Opened;

/// Packages whose tests were seen but not their result. `go test` runs as many at once as there are CPUs, so more is
/// a log that lies; the one opened first is then given out as unfinished.
const MAX_OPEN_PACKAGES: usize = 1_024;
/// Failed tests remembered to tell flaky ones, 16 bytes each.
const MAX_REMEMBERED_FAILURES: usize = 4_096;
/// Longest name and message kept, in bytes.
const MAX_TEXT_BYTES: usize = 1_024;

/// Why a case or package failed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Why {
    pub(super) class: FailureClass,
    pub(super) message: Option<String>,
}

impl Why {
    pub(super) fn of(failure: &Failure) -> Self {
        let message = failure.message.as_deref().map(|text| redact::bounded(redact::message(text), MAX_TEXT_BYTES));
        Self { class: failure.class, message }
    }

    pub(super) fn class(class: FailureClass) -> Self {
        Self { class, message: None }
    }
}

/// One test case that ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) status: CaseStatus,
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    /// Whether the log gives how long it took.
    pub(super) timed: bool,
    pub(super) offset: u64,
    pub(super) flaky: bool,
    pub(super) why: Option<Why>,
}

impl Case {
    /// The span of the case under that of its package: made when it is wanted, for most cases of large builds never go
    /// out.
    pub(super) fn span_id(&self, package: SpanId) -> SpanId {
        ids::child_of(package, "test", &self.name, self.offset)
    }

    fn worth(&self) -> Worth {
        let told = self.flaky || self.status == CaseStatus::Fail;
        worth(told, self.start, self.end, self.offset)
    }
}

/// The higher, the sooner it is kept: failures, then the longest; ends with what makes it unique.
pub(super) type Worth = (bool, i64, u64);

fn worth(told: bool, start: Timestamp, end: Timestamp, offset: u64) -> Worth {
    (told, end.as_nanos().saturating_sub(start.as_nanos()), u64::MAX - offset)
}

/// How a package ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Report {
    /// `None`: its result was never seen.
    pub(super) status: Option<PackageStatus>,
    pub(super) cached: bool,
    pub(super) coverage_percent: Option<f64>,
    /// Whether the log gives how long it took.
    pub(super) timed: bool,
}

/// One package with its cases. A test binary that was run by hand tells no package: `name` is then empty, and its
/// cases hang on the root.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Package {
    root: SpanId,
    pub(super) name: String,
    pub(super) opened_at: u64,
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    pub(super) report: Option<Report>,
    pub(super) why: Option<Why>,
    pub(super) cases: Vec<Case>,
    /// Cases that were left out.
    pub(super) folded: u64,
    /// A test of a package of this name has failed in this build.
    had_failures: bool,
}

impl Package {
    fn new(root: SpanId, name: &str, at: At, offset: u64) -> Self {
        Self {
            root,
            name: redact::bounded_str(name, MAX_TEXT_BYTES).to_owned(),
            opened_at: offset,
            start: at.time,
            end: at.time,
            report: None,
            why: None,
            cases: Vec::new(),
            folded: 0,
            had_failures: false,
        }
    }

    /// Its span; the root's where it has none. Made when it is wanted, for many packages of large builds never go out.
    pub(super) fn span_id(&self) -> SpanId {
        if self.by_hand() { self.root } else { ids::child_of(self.root, "test package", &self.name, self.opened_at) }
    }

    /// How many spans it takes.
    pub(super) fn spans(&self) -> usize {
        self.cases.len() + usize::from(!self.by_hand())
    }

    pub(super) fn by_hand(&self) -> bool {
        self.name.is_empty()
    }

    /// Leaves out cases by their worth. Gives out how many.
    pub(super) fn keep(&mut self, is_kept: impl Fn(Worth) -> bool) -> u64 {
        let before = self.cases.len();
        self.cases.retain(|case| is_kept(case.worth()));
        let out = (before - self.cases.len()) as u64;
        self.folded += out;
        out
    }

    fn cover(&mut self, start: Timestamp, end: Timestamp) {
        self.start = self.start.min(start);
        self.end = self.end.max(end);
    }

    /// Whether it failed and nothing says why yet: the reason may be the next thing that the log tells.
    fn waits_for_reason(&self) -> bool {
        let failed = self.report.is_some_and(|report| report.status == Some(PackageStatus::Fail));
        failed && self.why.is_none() && self.cases.iter().all(|case| case.why.is_none())
    }

    /// As that of a case: the best of its own.
    pub(super) fn worth(&self) -> Worth {
        let failed = match self.report.and_then(|report| report.status) {
            Some(PackageStatus::Fail | PackageStatus::BuildFailed | PackageStatus::SetupFailed) | None => true,
            Some(PackageStatus::Pass | PackageStatus::NoTestFiles) => false,
        };
        let own = worth(failed, self.start, self.end, self.opened_at);
        self.cases.iter().map(Case::worth).fold(own, Ord::max)
    }
}

/// The packages of one build.
#[derive(Debug)]
pub(super) struct Packages {
    root: SpanId,
    /// Most cases held in open packages before the shortest are folded.
    max_held: usize,
    open: Opened,
    held: usize,
    reported: Option<Package>,
    /// Packages of failed tests: in all others no test can be flaky.
    had_failures: HashSet<u64, RandomState>,
    /// Failed tests, and whether it was told that they are flaky.
    failed: HashMap<u64, bool, RandomState>,
}

impl Packages {
    pub(super) fn new(root: SpanId, max_spans: usize) -> Self {
        Self {
            root,
            max_held: max_spans.saturating_mul(2),
            open: Opened::default(),
            held: 0,
            reported: None,
            had_failures: HashSet::default(),
            failed: HashMap::default(),
        }
    }

    /// A case that began at `start` ended; one that is worth less than `floor` is only counted. Gives out its span id when
    /// it is flaky, which is told once for each test, and a package that had to make room.
    pub(super) fn case(
        &mut self,
        case: &NewCase<'_>,
        start: Timestamp,
        at: At,
        offset: u64,
        floor: Option<Worth>,
    ) -> (Option<SpanId>, Option<Package>) {
        let (package, evicted) = self.package(case.package.unwrap_or(""), at, offset);
        let Some(package) = package else { return (None, evicted) };
        package.cover(start, at.time);
        let has_failed = case.status == CaseStatus::Fail;
        package.had_failures |= has_failed;
        if !package.had_failures && floor.is_some_and(|floor| worth(false, start, at.time, offset) < floor) {
            package.folded += 1;
            return (None, evicted);
        }
        let flaky = if package.had_failures { self.flaky(case) } else { None };
        let told = flaky.is_some() || has_failed;
        let is_kept = told || floor.is_none_or(|floor| worth(told, start, at.time, offset) >= floor);
        let Some(package) = self.open.find(case.package.unwrap_or("")) else { return (None, evicted) };
        if !is_kept {
            package.folded += 1;
            return (None, evicted);
        }
        let case = Case {
            name: redact::bounded_str(case.name, MAX_TEXT_BYTES).to_owned(),
            status: case.status,
            start,
            end: at.time,
            timed: case.elapsed.is_some(),
            offset,
            flaky: flaky.is_some(),
            why: None,
        };
        let told = flaky.filter(|first| *first).map(|_| case.span_id(package.span_id()));
        package.cases.push(case);
        self.held += 1;
        if self.held > self.max_held {
            self.fold();
        }
        (told, evicted)
    }

    /// A failure of a test or of a package's tests. Gives out the span that it belongs to, and a package that had to
    /// make room.
    pub(super) fn failure(&mut self, failure: &Failure, at: At, offset: u64) -> (Option<SpanId>, Option<Package>) {
        let name = failure.package.as_deref().unwrap_or("");
        let mut evicted = None;
        let package = match self.reported.as_mut().filter(|package| package.name == name) {
            Some(reported) => reported,
            // told before the first result of its package
            None if !name.is_empty() && ends_a_test_binary(failure.class) => {
                let (package, made_room) = self.package(name, at, offset);
                evicted = made_room;
                match package {
                    Some(package) => package,
                    None => return (None, evicted),
                }
            }
            None => match self.open.find(name) {
                Some(package) => package,
                None => return (None, None),
            },
        };
        let of_test = |case: &&mut Case| case.status == CaseStatus::Fail && Some(&case.name) == failure.test.as_ref();
        let span = package.span_id();
        if let Some(case) = package.cases.iter_mut().rev().find(of_test) {
            case.why = Some(Why::of(failure));
            return (Some(case.span_id(span)), evicted);
        }
        if package.why.as_ref().is_none_or(|why| rank(failure.class) < rank(why.class)) {
            package.why = Some(Why::of(failure));
        }
        (Some(span), evicted)
    }

    /// A package that began at `start` was reported. Gives out what is complete.
    pub(super) fn report(
        &mut self,
        name: &str,
        new: NewReport,
        start: Timestamp,
        at: At,
        offset: u64,
    ) -> [Option<Package>; 2] {
        let before = self.reported.take();
        let mut package = match self.open.remove(name) {
            Some(package) => *package,
            None => Package::new(self.root, name, at, offset),
        };
        self.held -= package.cases.len();
        package.cover(start, at.time);
        package.report = Some(new.report);
        package.why = package.why.or(new.why);
        if package.waits_for_reason() {
            self.reported = Some(package);
            return [before, None];
        }
        [before, Some(package)]
    }

    /// Something else happened: a package that was waiting for its reason waits no longer, unless this tells it.
    pub(super) fn settle(&mut self, next: Option<&Failure>) -> Option<Package> {
        let waited_for =
            |package: &mut Package| next.is_none_or(|f| f.package.as_deref() != Some(package.name.as_str()));
        self.reported.take_if(waited_for)
    }

    /// The build is over: all that is left, in the order in which it was opened.
    pub(super) fn close(&mut self) -> Vec<Package> {
        self.held = 0;
        let mut left: Vec<_> = self.reported.take().into_iter().collect();
        left.extend(self.open.drain());
        left.sort_by_key(|package| package.opened_at);
        left
    }

    /// What no span has gone out for: tests, packages, and of these the ones that are not reported.
    pub(super) fn held(&self) -> (u64, u64, u64) {
        let open = || self.open.iter();
        let tests = |package: &Package| package.cases.len() as u64 + package.folded;
        let unfinished = open().filter(|package| !package.by_hand()).count() as u64;
        let reported = self.reported.iter();
        let packages = unfinished + reported.clone().count() as u64;
        (open().chain(reported).map(tests).sum(), packages, unfinished)
    }

    /// The open package of this name, and one that had to make room for it.
    fn package(&mut self, name: &str, at: At, offset: u64) -> (Option<&mut Package>, Option<Package>) {
        let mut evicted = None;
        if self.open.find(name).is_none() {
            if self.open.len() >= MAX_OPEN_PACKAGES {
                evicted = self.open.remove_oldest().map(|package| *package);
                self.held -= evicted.as_ref().map_or(0, |package| package.cases.len());
            }
            let mut new = Box::new(Package::new(self.root, name, at, offset));
            new.had_failures = !self.had_failures.is_empty() && self.had_failures.contains(&ids::remembered(&[name]));
            self.open.add(name, new);
        }
        (self.open.find(name), evicted)
    }

    /// Whether this case makes its test flaky, and if so whether that is new.
    fn flaky(&mut self, case: &NewCase<'_>) -> Option<bool> {
        if self.failed.is_empty() && case.status != CaseStatus::Fail {
            return None;
        }
        let key = ids::remembered(&[case.package.unwrap_or(""), case.name]);
        match case.status {
            CaseStatus::Pass => self.failed.get_mut(&key).map(|told| !std::mem::replace(told, true)),
            CaseStatus::Fail => {
                if self.failed.len() < MAX_REMEMBERED_FAILURES {
                    self.failed.entry(key).or_insert(false);
                    self.had_failures.insert(ids::remembered(&[case.package.unwrap_or("")]));
                }
                None
            }
            CaseStatus::Skip => None,
        }
    }

    /// Folds the half of the held cases that is worth least.
    fn fold(&mut self) {
        let mut worths: Vec<_> = self.open.iter().flat_map(|package| package.cases.iter().map(Case::worth)).collect();
        let middle = worths.len() / 2;
        let (_, least, _) = worths.select_nth_unstable(middle);
        let least = *least;
        for package in self.open.iter_mut() {
            package.keep(|worth| worth >= least);
        }
        self.held = self.open.iter().map(|package| package.cases.len()).sum();
    }
}

/// Whether a failure of this class is of a test binary, so that a result of its package follows.
fn ends_a_test_binary(class: FailureClass) -> bool {
    matches!(stage(class), Stage::Test) || class == FailureClass::TestExit
}

/// A case as the log tells it.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewCase<'a> {
    pub(super) package: Option<&'a str>,
    pub(super) name: &'a str,
    pub(super) status: CaseStatus,
    pub(super) elapsed: Option<f64>,
}

/// A package result as the log tells it.
#[derive(Debug, Clone)]
pub(super) struct NewReport {
    pub(super) report: Report,
    /// Why it failed, where that was printed before.
    pub(super) why: Option<Why>,
}
