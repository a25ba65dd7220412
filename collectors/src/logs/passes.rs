//! When to look at everything again.
//!
//! A pass costs a `stat` a file. How often one is made depends on what the last one took, so that ten thousand files
//! cost no more of a core than ten. It must not know what a pass does.
//!
//! Invariant: passes take at most one part in [`HINTED_RATIO`] of the time while hints come, one in
//! [`UNHINTED_RATIO`] while they do not, except where [`LONGEST_GAP`] is reached.

use std::time::{Duration, Instant};

use super::glob::Patterns;
use super::walk::Walk;

/// While hints come a pass is a safety net.
const HINTED_RATIO: u32 = 1000;

/// While they do not, passes are how anything is noticed.
const UNHINTED_RATIO: u32 = 20;

/// And then they come so many times as often, if they are cheap.
const UNHINTED_HASTE: u32 = 10;

/// Passes come at least this often, whatever they take.
const LONGEST_GAP: Duration = Duration::from_secs(60);

/// Passes, one after the other.
#[derive(Debug)]
pub(crate) struct Passes {
    /// Number of the present or the last one; the first is 1.
    pub(crate) number: u64,
    pub(crate) under_way: Option<Walk>,
    /// Time spent on the present one so far.
    pub(crate) took: Duration,
    /// It found what a hint should have told long before.
    pub(crate) is_surprised: bool,
    next: Instant,
    /// The next one need not wait.
    is_soon: bool,
}

impl Passes {
    pub(crate) fn new(now: Instant) -> Self {
        Self { number: 0, under_way: None, took: Duration::ZERO, is_surprised: false, next: now, is_soon: false }
    }

    /// When the next one begins; `None` while one is under way.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.under_way.is_none().then_some(self.next)
    }

    pub(crate) fn begin(&mut self, patterns: &Patterns) {
        self.number += 1;
        self.under_way = Some(Walk::everything(patterns));
        self.took = Duration::ZERO;
        self.is_surprised = false;
        self.is_soon = false;
    }

    /// Something happened that only a pass can sort out.
    pub(crate) fn soon(&mut self) {
        self.is_soon = true;
        let earliest = Instant::now() + self.took * UNHINTED_RATIO;
        if self.under_way.is_none() {
            self.next = self.next.min(earliest);
        }
    }

    /// The present one is complete. The next one comes after `interval` or later.
    pub(crate) fn ended(&mut self, interval: Duration, hints_are_missing: bool) {
        self.under_way = None;
        let often = hints_are_missing || self.is_surprised || self.is_soon;
        let ratio = if often { UNHINTED_RATIO } else { HINTED_RATIO };
        let at_least = match (self.is_soon, hints_are_missing) {
            (true, _) => Duration::ZERO,
            (false, true) => interval / UNHINTED_HASTE,
            (false, false) => interval,
        };
        let gap = self.took.saturating_mul(ratio).min(LONGEST_GAP).max(at_least);
        self.next = Instant::now() + gap;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(took: Duration, missing: bool, surprised: bool) -> Duration {
        let mut passes = Passes::new(Instant::now());
        passes.begin(&Patterns::new(&[], &[]).unwrap());
        passes.took = took;
        passes.is_surprised = surprised;
        let before = Instant::now();
        passes.ended(Duration::from_millis(500), missing);
        passes.next().unwrap() - before
    }

    #[test]
    fn a_look_that_takes_long_is_taken_less_often_and_more_often_while_hints_are_missing() {
        let near =
            |gap: Duration, wanted: u64| gap.abs_diff(Duration::from_millis(wanted)) < Duration::from_millis(400);
        assert!(near(gap(Duration::from_micros(50), false, false), 500));
        assert!(near(gap(Duration::from_millis(30), false, false), 30_000));
        assert!(gap(Duration::from_micros(50), true, false) < Duration::from_millis(400));
        assert!(near(gap(Duration::from_millis(30), true, false), 600));
        assert!(near(gap(Duration::from_millis(30), false, true), 600));
        assert!(near(gap(Duration::from_secs(9), false, false), 60_000));
    }

    #[test]
    fn what_only_a_pass_can_sort_out_brings_it_forward() {
        let mut passes = Passes::new(Instant::now());
        passes.begin(&Patterns::new(&[], &[]).unwrap());
        passes.ended(Duration::from_secs(3600), false);
        passes.soon();
        assert!(passes.next().unwrap() <= Instant::now());
    }
}
