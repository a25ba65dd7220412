//! How fast files are read: never faster than the budget, and not at all once it is time to stop.
//!
//! Invariant: over any stretch of time no more is read than the budget has for it, and one second more.

use std::io;
use std::time::{Duration, Instant};

use crate::stopping::StopSignal;

/// Who is asked before something is read.
pub(super) trait Pace {
    /// Waits until so many bytes may be read.
    ///
    /// # Errors
    /// It is time to stop: [`io::ErrorKind::Interrupted`].
    fn before(&mut self, bytes: u64) -> io::Result<()>;
}

/// Reads as fast as it goes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Unhurried;

impl Pace for Unhurried {
    fn before(&mut self, _bytes: u64) -> io::Result<()> {
        Ok(())
    }
}

/// So many bytes a second.
#[derive(Debug)]
pub(super) struct Budget<'a> {
    stop: &'a StopSignal,
    per_second: f64,
    /// Bytes that may be read now; below 0 what was read too soon.
    saved: f64,
    since: Instant,
}

impl<'a> Budget<'a> {
    pub(super) fn new(per_second: u64, stop: &'a StopSignal) -> Self {
        let per_second = per_second.max(1) as f64;
        Self { stop, per_second, saved: per_second, since: Instant::now() }
    }
}

impl Pace for Budget<'_> {
    fn before(&mut self, bytes: u64) -> io::Result<()> {
        let now = Instant::now();
        let earned = now.duration_since(self.since).as_secs_f64() * self.per_second;
        self.since = now;
        self.saved = (self.saved + earned).min(self.per_second) - bytes as f64;
        let wait = Duration::try_from_secs_f64(-self.saved / self.per_second).unwrap_or_default();
        let is_over = if wait.is_zero() { self.stop.told().is_some() } else { self.stop.wait(wait) };
        if is_over { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::Stop as _;

    #[test]
    fn more_than_a_second_of_budget_has_to_be_waited_for_and_a_stop_ends_the_wait() {
        let stop = StopSignal::default();
        let mut budget = Budget::new(1_000_000, &stop);
        let began = Instant::now();
        budget.before(1_000_000).unwrap();
        budget.before(200_000).unwrap();
        assert!(began.elapsed() >= Duration::from_millis(199), "{:?}", began.elapsed());
        stop.stop(Duration::ZERO);
        assert_eq!(budget.before(1 << 40).unwrap_err().kind(), io::ErrorKind::Interrupted);
    }
}
