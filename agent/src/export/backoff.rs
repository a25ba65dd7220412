//! How long to wait after failures, and how many requests may be on their way. Pure: time comes in.
//!
//! Invariant: one success ends all waiting; while the backend fails, one request at a time asks whether it is back.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use tokio::time::Instant;

use super::settings::Limits;

/// A backend that asks for more patience than this is asked again all the same.
const MOST_PATIENCE: Duration = Duration::from_secs(3600);

/// The state of one backend.
#[derive(Debug)]
pub(super) struct Backoff {
    first: Duration,
    most: Duration,
    concurrency: usize,
    failures: u32,
    resume_at: Option<Instant>,
}

impl Backoff {
    pub(super) fn new(limits: &Limits) -> Self {
        let Limits { backoff_first: first, backoff_most: most, concurrency, .. } = *limits;
        Self { first, most, concurrency, failures: 0, resume_at: None }
    }

    /// The backend took a request.
    pub(super) fn succeeded(&mut self) {
        (self.failures, self.resume_at) = (0, None);
    }

    /// The backend is to be asked again, not before `after` where it says so.
    pub(super) fn failed(&mut self, now: Instant, after: Option<Duration>) {
        // requests that were on their way together fail together: that is one failure
        if self.resume_at.is_none_or(|at| at <= now) {
            self.failures = self.failures.saturating_add(1);
        }
        let doubled = self.first.saturating_mul(1 << (self.failures.saturating_sub(1)).min(16)).min(self.most);
        let wait = after.unwrap_or_default().min(MOST_PATIENCE).max(doubled.mul_f64(jitter()));
        self.resume_at = self.resume_at.max(now.checked_add(wait));
    }

    /// When to send again; `None`: now.
    pub(super) fn resume_at(&self) -> Option<Instant> {
        self.resume_at
    }

    /// How many requests may be on their way at `now`.
    pub(super) fn may_send(&self, now: Instant) -> usize {
        match self.resume_at {
            Some(at) if at > now => 0,
            _ if self.failures > 0 => 1,
            _ => self.concurrency,
        }
    }
}

/// Between 0.5 and 1, so that many agents do not ask at the same instant. Each `RandomState` has keys of its own.
fn jitter() -> f64 {
    0.5 + (RandomState::new().hash_one(0_u8) % 1024) as f64 / 2048.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backoff() -> Backoff {
        Backoff::new(&Limits::default())
    }

    fn wait(backoff: &Backoff, now: Instant) -> Duration {
        backoff.resume_at().unwrap().saturating_duration_since(now)
    }

    #[test]
    fn each_failure_doubles_the_wait_up_to_the_most_and_a_success_ends_it() {
        let mut backoff = backoff();
        let mut now = Instant::now();
        for expected in [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0] {
            backoff.failed(now, None);
            let waits = wait(&backoff, now).as_secs_f64();
            assert!((expected / 2.0..=expected).contains(&waits), "{waits} for {expected}");
            assert_eq!(backoff.may_send(now), 0);
            now = backoff.resume_at().unwrap();
            assert_eq!(backoff.may_send(now), 1);
        }
        backoff.succeeded();
        assert_eq!(backoff.may_send(now), Limits::default().concurrency);
    }

    #[test]
    fn the_wait_that_the_backend_asks_for_is_kept_unless_it_is_absurd() {
        let mut backoff = backoff();
        let now = Instant::now();
        backoff.failed(now, Some(Duration::from_secs(77)));
        assert_eq!(wait(&backoff, now), Duration::from_secs(77));
        backoff.failed(now, Some(Duration::MAX));
        assert_eq!(wait(&backoff, now), MOST_PATIENCE);
    }

    #[test]
    fn requests_that_fail_together_count_as_one_failure() {
        let mut backoff = backoff();
        let now = Instant::now();
        for _ in 0..10 {
            backoff.failed(now, None);
        }
        assert!(wait(&backoff, now) <= Limits::default().backoff_first);
    }
}
