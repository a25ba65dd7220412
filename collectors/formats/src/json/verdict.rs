//! The verdict on a package: which failures its end makes certain, and how their events look.
//!
//! It reads the state that `test_json` has gathered and decides once; it must not read output or change state.
//!
//! Invariant: a failing leaf test, a death of the program, an alarm and an exit that nothing explains are one failure
//! each, and none of them twice.

use super::packages::{Crash, FailedTest, Package};
use super::told::Benchmark;
use crate::text::At;
use crate::{Event, EventKind, Failure, FailureClass};

/// The failures that a package's end makes certain. `unexplained`: it failed, and neither build nor set-up did it.
pub(super) fn failures(mut package: Package, at: At, unexplained: bool, out: &mut Vec<Event>) {
    let name = package.name;
    let mut crash = package.crash.filter(|crash| !crash.doubtful && unexplained && package.timeout.is_none());
    if let Some(failed) = package.pending.take() {
        let panicked = crash.as_ref().is_some_and(|crash| failed.died_in(crash));
        let class = if panicked { FailureClass::TestPanic } else { FailureClass::TestFailed };
        let crash = if panicked { crash.take() } else { None };
        out.push(failed.into_event(class, crash, &name));
    }
    if !unexplained {
        return;
    }
    if let Some(timeout) = package.timeout {
        let test = timeout.running.leaf().map(str::to_owned);
        out.push(failure(FailureClass::TestTimeout, &name, test, Some(timeout.message), at));
    } else if let Some(crash) = crash {
        let mut failure = of_package(FailureClass::TestPanic, &name);
        failure.test = crash.test.clone();
        crash.tell(&mut failure);
        out.push(at.event(EventKind::Failure(Box::new(failure))));
    } else if !package.failed {
        let class = if package.race_seen { FailureClass::TestRace } else { FailureClass::TestExit };
        out.push(failure(class, &name, None, package.exit.map(String::from), at));
    }
}

/// A package whose end is not in the log: what is certain without it.
pub(super) fn give_up(mut package: Package, out: &mut Vec<Event>) {
    // its death is certain only with a stack or an alarm; that it ended at all is not known
    package.failed = true;
    let at = match (&package.timeout, &package.crash) {
        (Some(timeout), _) => timeout.at,
        (None, Some(crash)) => crash.at,
        (None, None) => package.opened,
    };
    failures(package, at, true, out);
}

impl FailedTest {
    /// Whether the program died in this test: its death is laid to it, to a parent or subtest, or to no test.
    fn died_in(&self, crash: &Crash) -> bool {
        let within = |a: &str, b: &str| a.strip_prefix(b).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        crash.test.as_deref().is_none_or(|test| within(test, &self.name) || within(&self.name, test))
    }

    /// The failure, with the text of a death or else the last position that the test printed.
    pub(super) fn into_event(self, class: FailureClass, crash: Option<Box<Crash>>, package: &str) -> Event {
        let class = if self.raced && class == FailureClass::TestFailed { FailureClass::TestRace } else { class };
        let mut failure = of_package(class, package);
        failure.test = Some(self.name);
        if let Some(crash) = crash {
            crash.tell(&mut failure);
        } else if let Some((file, line, text)) = self.note.as_ref().and_then(|note| position(&note.text)) {
            failure.file = Some(file.to_owned());
            failure.line = Some(line);
            failure.message = Some(text.to_owned());
        }
        self.at.event(EventKind::Failure(Box::new(failure)))
    }
}

/// A failure of a package or of one of its tests.
pub(super) fn failure(
    class: FailureClass,
    package: &str,
    test: Option<String>,
    message: Option<String>,
    at: At,
) -> Event {
    let mut failure = of_package(class, package);
    failure.test = test;
    failure.message = message;
    at.event(EventKind::Failure(Box::new(failure)))
}

fn of_package(class: FailureClass, package: &str) -> Failure {
    let mut failure = Failure::new(class);
    failure.package = known(package);
    failure
}

impl Crash {
    /// What it says of the failure that it is.
    fn tell(self, failure: &mut Failure) {
        failure.message = Some(self.message);
        self.stack.tell(failure);
    }
}

/// `FILE:LINE: message`.
fn position(text: &str) -> Option<(&str, u32, &str)> {
    let (place, message) = text.split_once(": ")?;
    let (file, line) = place.rsplit_once(':')?;
    Some((file, line.parse().ok()?, message))
}

/// A result line, with the name that test2json knows.
pub(super) fn benchmark_event(package: &Package, benchmark: &Benchmark<'_>, test: Option<&str>) -> EventKind {
    let without_procs = || match benchmark.name.rsplit_once('-') {
        Some((name, procs)) if !procs.is_empty() && procs.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => benchmark.name,
    };
    // the name that test2json knows settles which -N belongs to it
    let exact = test
        .filter(|test| benchmark.name.strip_prefix(test).is_some_and(|rest| rest.is_empty() || rest.starts_with('-')));
    EventKind::TestBenchmark {
        package: known(&package.name),
        name: exact.unwrap_or_else(without_procs).to_owned(),
        iterations: benchmark.iterations,
        ns_per_op: benchmark.ns_per_op,
    }
}

/// A name, if there is one.
pub(super) fn known(name: &str) -> Option<String> {
    (!name.is_empty()).then(|| name.to_owned())
}
