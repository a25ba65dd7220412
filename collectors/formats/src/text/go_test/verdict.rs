//! What a block of a test binary amounts to: its cases, and one failure for each failing leaf test, panic, timeout,
//! race or unexplained exit.
//!
//! It must not read lines to find out where it is: the block says what was seen.

use std::collections::HashSet;

use super::super::at::At;
use super::super::bytes::{has, text};
use super::super::seen::Seen;
use super::forms::test_in_frame;
use crate::json::Running;
use crate::stack::Stack;
use crate::{CaseStatus, Event, EventKind, Failure, FailureClass};

/// A case that ended, waiting for its package line.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) status: CaseStatus,
    pub(super) elapsed: Option<f64>,
    pub(super) at: At,
    pub(super) raced: bool,
    /// The first line that it logged.
    pub(super) log: Option<Box<Log>>,
}

/// `FILE:LINE: MESSAGE` as a test logs it.
#[derive(Debug, Clone)]
pub(super) struct Log {
    pub(super) file: String,
    pub(super) line: u32,
    pub(super) message: String,
}

/// A panic, fatal error or signal text.
#[derive(Debug)]
pub(super) struct Crash {
    pub(super) at: At,
    pub(super) message: String,
    /// The test that the text names or the block shows.
    pub(super) test: Option<String>,
    /// `test timed out after`: the list of running tests follows.
    pub(super) timeout: Option<Running>,
    /// `exit status N` came: of a program that was run, or of a test binary.
    pub(super) exited: bool,
    /// Where it died.
    pub(super) stack: Stack,
}

impl Crash {
    /// The next line of its text: the rest of the message, the list of running tests, the stack.
    pub(super) fn more(&mut self, line: &[u8], cases: &[Case]) {
        if let Some(running) = &mut self.timeout {
            running.line(&String::from_utf8_lossy(line));
            if !running.is_open() && self.test.is_none() {
                self.test = running.leaf().map(str::to_owned);
            }
            return;
        }
        if !self.stack.is_over() {
            self.stack.line(&String::from_utf8_lossy(line));
        }
        if self.test.is_none() && has(line, "[recovered") {
            self.test = last_failed(cases);
        }
        if self.test.is_none() {
            self.test = test_in_frame(line).map(text);
        }
    }
}

/// What was seen of a block when it ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) cases: Vec<Case>,
    pub(super) crash: Option<Crash>,
    /// A data race was reported.
    pub(super) race: bool,
    /// Offset of its first line.
    pub(super) first: Option<u64>,
}

/// Gives out what a block amounts to. `failed`: its package line says so, or there is none.
pub(super) fn give_out(block: Ended, package: Option<&str>, failed: bool, seen: &mut Seen, out: &mut Vec<Event>) {
    let crash_test = block.crash.as_ref().and_then(|crash| crash.test.clone());
    let any_raced = block.cases.iter().any(|case| case.raced);
    let parents: HashSet<&str> =
        block.cases.iter().filter(|c| c.status == CaseStatus::Fail).flat_map(|c| ancestors(&c.name)).collect();
    let mut told = false;
    let mut failures = Vec::new();
    for case in &block.cases {
        if case.status != CaseStatus::Fail || !failed {
            continue;
        }
        let crashed = block.crash.as_ref().is_some_and(|crash| crash.timeout.is_none())
            && crash_test.as_deref() == Some(&case.name);
        let leaf = !parents.contains(case.name.as_str());
        if crashed || !leaf {
            told |= crashed;
            continue;
        }
        let class =
            if case.raced || (block.race && !any_raced) { FailureClass::TestRace } else { FailureClass::TestFailed };
        told = true;
        let mut failure = test_failure(class, package, Some(case.name.clone()), None);
        if let Some(log) = &case.log {
            failure.file = Some(log.file.clone());
            failure.line = Some(log.line);
            failure.message = Some(log.message.clone());
        }
        failures.push((case.at, failure));
    }
    drop(parents);
    for case in block.cases {
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
    if let Some(crash) = block.crash.filter(|_| failed) {
        let class = if crash.timeout.is_some() {
            FailureClass::TestTimeout
        } else if crash.message.starts_with("signal: ") {
            FailureClass::TestExit
        } else {
            FailureClass::TestPanic
        };
        failures.push((crash.at, crash_failure(class, package, crash)));
    } else if block.race && failed && !told {
        let at = At { time: None, offset: block.first.unwrap_or(0), lines: 1 };
        failures.push((at, test_failure(FailureClass::TestRace, package, None, None)));
    }
    for (at, failure) in failures {
        if seen.first_failure(&failure) {
            out.push(at.event(EventKind::Failure(Box::new(failure))));
        }
    }
}

/// The last case that failed: the one that a recovered panic belongs to.
pub(super) fn last_failed(cases: &[Case]) -> Option<String> {
    cases.last().filter(|case| case.status == CaseStatus::Fail).map(|case| case.name.clone())
}

/// `a/b/c` -> `a/b`, `a`.
fn ancestors(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').filter_map(|(at, _)| name.get(..at))
}

pub(super) fn test_failure(
    class: FailureClass,
    package: Option<&str>,
    test: Option<String>,
    message: Option<String>,
) -> Failure {
    let mut failure = Failure::new(class);
    failure.package = package.map(str::to_owned);
    failure.test = test;
    failure.message = message;
    failure
}

fn crash_failure(class: FailureClass, package: Option<&str>, crash: Crash) -> Failure {
    let mut failure = test_failure(class, package, crash.test, Some(crash.message));
    crash.stack.tell(&mut failure);
    failure
}

/// A crash outside any test block: a program that was run.
pub(super) fn emit_crash(crash: Crash, seen: &mut Seen, out: &mut Vec<Event>) {
    let class = match crash.message.as_str() {
        "signal: interrupt" => FailureClass::Interrupted,
        _ => FailureClass::ProgramCrashed,
    };
    let at = crash.at;
    let failure = crash_failure(class, None, crash);
    if seen.first_failure(&failure) {
        out.push(at.event(EventKind::Failure(Box::new(failure))));
    }
}
