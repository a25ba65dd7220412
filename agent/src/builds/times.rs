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
    /// Of what has a time stamp behind it, and of all spans that went out.
    sure: Option<(Timestamp, Timestamp)>,
    /// Of what was read before any line had a time stamp.
    unstamped: Option<(Timestamp, Timestamp)>,
    /// Earliest and latest time stamp of a line.
    stamps: Option<(Timestamp, Timestamp)>,
    /// Nothing can have begun before: the time stamp of the echo.
    floor: Option<Timestamp>,
}

impl Times {
    /// When `event` happened.
    pub(super) fn at(&mut self, event: &Event, observed: Timestamp) -> At {
        if let Some(stamp) = event.time {
            widen(&mut self.stamps, stamp, stamp);
        }
        let stamp = event.time.or(self.stamps.map(|(_, last)| last));
        let at = At { time: stamp.unwrap_or(observed), observed, stamped: stamp.is_some() };
        self.cover(at.time, at);
        at
    }

    /// Something began at `start` and ended at `at`.
    pub(super) fn cover(&mut self, start: Timestamp, at: At) {
        widen(if at.stamped { &mut self.sure } else { &mut self.unstamped }, start.min(at.time), at.time);
    }

    /// A span went out: the root must cover it.
    pub(super) fn sent(&mut self, start: Timestamp, end: Timestamp) {
        widen(&mut self.sure, start, end);
    }

    /// The echo of the command: its time stamp is the earliest start.
    pub(super) fn opened(&mut self, at: At) {
        if at.stamped {
            self.floor = Some(at.time);
        }
    }

    /// When something that took `elapsed` seconds and ended at `at` began.
    pub(super) fn start_of(&self, at: At, elapsed: Option<f64>) -> Timestamp {
        let start = at.time.plus_seconds(-believed(elapsed).unwrap_or(0.0));
        match self.floor {
            Some(floor) if at.stamped => start.max(floor).min(at.time),
            Some(_) | None => start,
        }
    }

    /// The earliest time stamp, if any line carried one.
    pub(super) fn first_stamp(&self) -> Option<Timestamp> {
        self.stamps.map(|(first, _)| first)
    }

    /// The whole range; `otherwise` when nothing happened. What was read without a time stamp counts for the start,
    /// but for the end only in a log without time stamps: it may have been read long after it was written.
    pub(super) fn range(&self, otherwise: Timestamp) -> (Timestamp, Timestamp) {
        match (self.sure, self.unstamped) {
            (Some((start, end)), Some((first, last))) => {
                (start.min(first), if self.stamps.is_some() { end } else { end.max(last) })
            }
            (Some(range), None) | (None, Some(range)) => range,
            (None, None) => (otherwise, otherwise),
        }
    }

    /// Whether the log itself rested for longer than `idle` before `event`.
    pub(super) fn rested_before(&self, event: &Event, idle: Duration) -> bool {
        let (Some((_, last)), Some(time)) = (self.stamps, event.time) else { return false };
        time.seconds_since(last) > idle.as_secs_f64()
    }
}

/// A time that a line gives, where it can be one.
pub(super) fn believed(elapsed_seconds: Option<f64>) -> Option<f64> {
    elapsed_seconds.filter(|seconds| seconds.is_finite() && *seconds >= 0.0).map(|s| s.min(MAX_ELAPSED_SECONDS))
}

fn widen(range: &mut Option<(Timestamp, Timestamp)>, start: Timestamp, end: Timestamp) {
    let (first, last) = range.unwrap_or((start, end));
    *range = Some((first.min(start), last.max(end)));
}
