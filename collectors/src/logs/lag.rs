//! How far behind its writers the reader is: over all logs, and in the one that is furthest behind.
//!
//! It must not know files or clocks: it is told.
//!
//! Invariant: a log that has nothing unread is in none of the sets.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::os::Key;

/// Of one log: that it had `to` bytes at a time, not all of which are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    since: Instant,
    to: u64,
    unread: u64,
}

/// Of all logs.
#[derive(Debug, Default)]
pub(crate) struct Lag {
    total: u64,
    by_time: BTreeSet<(Instant, Key)>,
    by_bytes: BTreeSet<(u64, Key)>,
}

impl Lag {
    /// Bytes that are unread in all logs.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Bytes that are unread in the log that has most of them.
    pub(crate) fn worst_bytes(&self) -> u64 {
        self.by_bytes.last().map_or(0, |(bytes, _)| *bytes)
    }

    /// When the log that waits for longest had bytes that are still unread.
    pub(crate) fn worst_since(&self) -> Option<Instant> {
        self.by_time.first().map(|(since, _)| *since)
    }

    /// A log has `unread` bytes behind `read_to` now. Gives its mark, which was `before`.
    pub(crate) fn is(&mut self, key: Key, before: Option<Mark>, read_to: u64, unread: u64) -> Option<Mark> {
        if before.is_none() && unread == 0 {
            return None;
        }
        if let Some(before) = before {
            self.total = self.total.saturating_sub(before.unread);
            self.by_time.remove(&(before.since, key));
            self.by_bytes.remove(&(before.unread, key));
        }
        if unread == 0 {
            return None;
        }
        let mark = match before {
            // the oldest unread byte is as old as before
            Some(before) if read_to < before.to => Mark { unread, ..before },
            Some(_) | None => Mark { since: Instant::now(), to: read_to.saturating_add(unread), unread },
        };
        self.total = self.total.saturating_add(unread);
        self.by_time.insert((mark.since, key));
        self.by_bytes.insert((unread, key));
        Some(mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(inode: u64) -> Key {
        Key { device: 1, inode, born: None }
    }

    #[test]
    fn the_worst_log_is_the_one_with_most_bytes_and_the_one_that_waits_longest() {
        let mut lag = Lag::default();
        let first = lag.is(key(1), None, 0, 10);
        let second = lag.is(key(2), None, 5, 1000);
        assert_eq!((lag.total(), lag.worst_bytes(), lag.worst_since()), (1010, 1000, first.map(|it| it.since)));
        // it reads on, and grows as it does
        let still = lag.is(key(1), first, 9, 100);
        assert_eq!(lag.worst_since(), first.map(|it| it.since));
        let newer = lag.is(key(1), still, 10, 100);
        assert_eq!(lag.worst_since(), second.map(|it| it.since), "what was there first is read");
        assert_eq!(lag.is(key(2), second, 1005, 0), None);
        assert_eq!((lag.total(), lag.worst_bytes(), lag.worst_since()), (100, 100, newer.map(|it| it.since)));
        lag.is(key(1), newer, 110, 0);
        assert_eq!((lag.total(), lag.worst_bytes(), lag.worst_since()), (0, 0, None));
        assert!(lag.by_time.is_empty() && lag.by_bytes.is_empty());
    }
}
