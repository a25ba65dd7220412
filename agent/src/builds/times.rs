//! When things happened, as well as a log tells.
//!
//! A line may carry a time stamp or not. Where it does not, the last one seen in the same build stands in, and
//! before there is any, the time at which the bytes were read.
//!
//! Invariant: the range covers every time that was given out for a child.

use std::time::Duration;

use gobeacon_formats::{Event, Timestamp};

/// Longest time that one test, package or request is believed to take, in seconds: a week. Logs can say anything.
const MAX_ELAPSED_SECONDS: f64 = 7.0 * 24.0 * 3600.0;

/// When an event happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct At {
    pub(super) time: Timestamp,
    /// When it was read.
    pub(super) observed: Timestamp,
    /// Whether a time stamp of this build stands behind it.
    pub(super) stamped: bool,
}

/// The times of one build.
#[derive(Debug, Default)]
pub(super) struct Times {
    /// The range of all that happened.
    range: Option<(Timestamp, Timestamp)>,
    /// Latest time stamp of a line.
    last_stamp: Option<Timestamp>,
    /// Earliest time stamp of a line.
    first_stamp: Option<Timestamp>,
    /// Nothing can have begun before: the time stamp of the echo.
    floor: Option<Timestamp>,
}

impl Times {
    /// When `event` happened. Does not widen the range: what begins or ends then does.
    pub(super) fn at(&mut self, event: &Event, observed: Timestamp) -> At {
        if let Some(stamp) = event.time {
            self.first_stamp = Some(self.first_stamp.map_or(stamp, |first| first.min(stamp)));
            self.last_stamp = Some(self.last_stamp.map_or(stamp, |last| last.max(stamp)));
            return At { time: stamp, observed, stamped: true };
        }
        match self.last_stamp {
            Some(stamp) => At { time: stamp, observed, stamped: true },
            None => At { time: observed, observed, stamped: false },
        }
    }

    /// The echo of the command: its time stamp is the earliest start.
    pub(super) fn opened(&mut self, at: At) {
        if at.stamped {
            self.floor = Some(at.time);
        }
    }

    /// When something that took `elapsed` seconds and ended at `at` began.
    pub(super) fn start_of(&self, at: At, elapsed: Option<f64>) -> Timestamp {
        let seconds = elapsed.filter(|seconds| seconds.is_finite()).unwrap_or(0.0).clamp(0.0, MAX_ELAPSED_SECONDS);
        let start = at.time.plus_seconds(-seconds);
        match self.floor {
            Some(floor) if at.stamped => start.max(floor).min(at.time),
            Some(_) | None => start,
        }
    }

    /// Something happened from `start` to `end`.
    pub(super) fn cover(&mut self, start: Timestamp, end: Timestamp) {
        let (first, last) = self.range.unwrap_or((start, end));
        self.range = Some((first.min(start), last.max(end)));
    }

    /// The earliest time stamp, if any line carried one.
    pub(super) fn first_stamp(&self) -> Option<Timestamp> {
        self.first_stamp
    }

    /// The whole range; `otherwise` when nothing happened.
    pub(super) fn range(&self, otherwise: Timestamp) -> (Timestamp, Timestamp) {
        self.range.unwrap_or((otherwise, otherwise))
    }

    /// Whether the log itself rested for longer than `idle` before `event`.
    pub(super) fn rested_before(&self, event: &Event, idle: Duration) -> bool {
        match (self.last_stamp, event.time) {
            (Some(last), Some(time)) => time.seconds_since(last) > idle.as_secs_f64(),
            (Some(_) | None, Some(_) | None) => false,
        }
    }
}
