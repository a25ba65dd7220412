//! How long a framing that a log was found to have is believed.
//!
//! Each framed line earns a point, each line without the framing costs [`MISS`] of them, and with no points left the
//! log counts as bare from there on. So a log that only began with a few lines that looked framed is bare again at
//! the first line that is not, and a long framed log survives a torn line. A framing that only machines write is
//! believed for good once it has [`SETTLED`] points.

/// Points that one line without the framing costs.
const MISS: u8 = 8;
/// The most points that can be saved up.
const MOST: u8 = 64;
/// Points from which on a framing that only machines write is never doubted again.
const SETTLED: u8 = 8;

/// The points of one framing in one log.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Trust {
    points: u8,
    /// The framing may become settled.
    machine: bool,
    settled: bool,
}

impl Trust {
    /// For a framing that only machines write (`machine`), or one that programs print as well.
    pub(crate) fn new(machine: bool) -> Self {
        Self { points: 0, machine, settled: false }
    }

    /// A framing that is certain for another reason.
    pub(crate) fn settled() -> Self {
        Self { points: MOST, machine: true, settled: true }
    }

    /// A line had the framing.
    pub(crate) fn hit(&mut self) {
        self.points = (self.points + 1).min(MOST);
        self.settled |= self.machine && self.points >= SETTLED;
    }

    /// A line did not have it. Says whether the framing is still believed.
    pub(crate) fn miss(&mut self) -> bool {
        if self.settled {
            return true;
        }
        let left = self.points.checked_sub(MISS);
        self.points = left.unwrap_or(0);
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(machine: bool, hits: usize) -> Trust {
        let mut trust = Trust::new(machine);
        (0..hits).for_each(|_| trust.hit());
        trust
    }

    #[test]
    fn a_framing_seen_a_few_times_is_dropped_at_the_first_line_without_it() {
        assert!(!after(false, 7).miss());
        assert!(!after(true, 7).miss());
    }

    #[test]
    fn a_long_framed_log_survives_a_torn_line_and_is_dropped_when_they_go_on() {
        let mut trust = after(false, 1000);
        assert_eq!((0..100).take_while(|_| trust.miss()).count(), 8);
    }

    #[test]
    fn a_framing_of_machines_is_never_dropped_once_it_is_settled() {
        let mut trust = after(true, 8);
        assert!((0..100).all(|_| trust.miss()));
    }
}
