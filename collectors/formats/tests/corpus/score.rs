//! Expected events against reported ones.

use std::fmt;

use serde_json::Value;

use crate::cases::Stream;

/// Kinds of which more may be reported than are expected.
const FREE: &[&str] = &["package.compiled", "test.benchmark", "command.started"];

/// What was expected, missed and false over many streams.
#[derive(Default)]
pub(crate) struct Score {
    pub(crate) streams: usize,
    expected: usize,
    missed: usize,
    extra: usize,
    /// One line for each event missed or false.
    report: Vec<String>,
}

impl Score {
    /// Compares the events of one stream with its label. The expectation that says most is matched first.
    pub(crate) fn add(&mut self, stream: &Stream, got: &[Value]) {
        let mut left: Vec<&Value> = got.iter().collect();
        let mut want: Vec<&Value> = stream.want.iter().collect();
        want.sort_by_key(|event| std::cmp::Reverse(event.as_object().unwrap().len()));
        self.streams += 1;
        self.expected += want.len();
        for event in want {
            match left.iter().position(|got| is_met(event, got)) {
                Some(found) => drop(left.remove(found)),
                None => {
                    self.missed += 1;
                    self.report.push(format!("{stream}: missed {event}"));
                }
            }
        }
        for event in left.iter().filter(|event| !FREE.contains(&event["kind"].as_str().unwrap())) {
            self.extra += 1;
            self.report.push(format!("{stream}: false  {event}"));
        }
    }

    /// Found events among those expected or falsely reported.
    pub(crate) fn accuracy(&self) -> f64 {
        (self.expected - self.missed) as f64 / (self.expected + self.extra).max(1) as f64
    }

    pub(crate) fn is_perfect(&self) -> bool {
        self.missed == 0 && self.extra == 0
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { streams, expected, missed, extra, report } = self;
        let accuracy = self.accuracy();
        writeln!(f, "{streams} streams, expected {expected}, missed {missed}, false {extra}, accuracy {accuracy:.4}")?;
        report.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

/// Whether a reported event has all that is expected of it.
fn is_met(want: &Value, got: &Value) -> bool {
    want.as_object().unwrap().iter().all(|(key, value)| match (value.as_f64(), got.get(key).and_then(Value::as_f64)) {
        (Some(want), Some(got)) => (want - got).abs() < 1e-9,
        _ => got.get(key) == Some(value),
    })
}
