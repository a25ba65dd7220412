//! A cache that something other than a go command filled, and what it was worth.
//!
//! A CI step that unpacks an archive writes entries that say they were put long before. The restore is over when none
//! came for a while; from then on hits on what it brought are told from hits on what was there.
//!
//! Invariant: each restore is told once when it is over, and its worth once after it, when the next one begins or the
//! cache was quiet for long.

use std::collections::HashMap;

use gobeacon_formats::Timestamp;
use gobeacon_formats::cache_entry::{Id, Name};

use super::{Restore, Worth};

/// How long nothing must be restored for a restore to be over.
const QUIET_SECONDS: f64 = 2.0;
/// Most restored actions remembered, about 20 bytes each.
const MOST: usize = 1 << 20;

#[derive(Debug, Default)]
pub(super) struct Restores {
    open: Option<Restore>,
    /// Something of it came with an older time of its own.
    keeps_times: bool,
    /// What the last one brought, and whether it was found since.
    brought: HashMap<u64, bool>,
    worth: Option<Worth>,
    /// Since when nothing was found in the cache.
    quiet_since: Option<Timestamp>,
}

impl Restores {
    /// An entry was restored. Gives out what the one before was worth.
    pub(super) fn restored(&mut self, name: &Name, bytes: u64, at: Timestamp) -> Option<Worth> {
        let ended = if self.open.is_none() { self.end_worth() } else { None };
        let open = self.open.get_or_insert(Restore { start: at, end: at, actions: 0, outputs: 0, bytes: 0 });
        open.end = open.end.max(at);
        open.bytes += bytes;
        match name {
            Name::Action(id) => {
                open.actions += 1;
                if self.brought.len() < MOST {
                    self.brought.insert(key(id), false);
                }
            }
            Name::Output(_) => open.outputs += 1,
        }
        ended
    }

    /// Whether entries come just now.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Who restores just now keeps times: what has none of its own is of somebody else.
    pub(super) fn keeps_times(&mut self) {
        self.keeps_times = true;
    }

    /// Whether entries come just now that have the present time.
    pub(super) fn is_open_without_times(&self) -> bool {
        self.open.is_some() && !self.keeps_times
    }

    /// An action was found. Says whether a restore had brought it.
    pub(super) fn hit(&mut self, id: &Id, at: Timestamp) -> bool {
        let found = self.brought.get_mut(&key(id));
        let is_first = found.as_ref().is_some_and(|found| !**found);
        let is_restored = found.is_some();
        if let Some(found) = found {
            *found = true;
        }
        if self.worth.is_some() || self.open.is_some() {
            self.quiet_since = Some(at);
            // hits while it still comes count too
            let worth = self.worth.get_or_insert_with(Worth::default);
            worth.hits += 1;
            worth.restored_hits += u64::from(is_restored);
            worth.found += u64::from(is_first);
        }
        is_restored
    }

    /// What is over by now.
    pub(super) fn over(&mut self, now: Timestamp) -> Option<Restore> {
        let is_over = self.open.as_ref().is_some_and(|open| now.seconds_since(open.end) >= QUIET_SECONDS);
        if is_over { self.end_restore(now) } else { None }
    }

    /// What the last one was worth, once the cache was quiet for long.
    pub(super) fn worth(&mut self, now: Timestamp, quiet_seconds: f64) -> Option<Worth> {
        let is_over = self.quiet_since.is_some_and(|since| now.seconds_since(since) >= quiet_seconds);
        if is_over && self.open.is_none() { self.end_worth() } else { None }
    }

    /// Nothing more will come.
    pub(super) fn finish(&mut self, now: Timestamp) -> (Option<Restore>, Option<Worth>) {
        let restore = self.end_restore(now);
        (restore, self.end_worth())
    }

    fn end_restore(&mut self, now: Timestamp) -> Option<Restore> {
        let restore = self.open.take()?;
        self.keeps_times = false;
        let worth = self.worth.get_or_insert_with(Worth::default);
        worth.restored_at = Some(restore.end);
        worth.actions = restore.actions;
        worth.bytes = restore.bytes;
        self.quiet_since = Some(now);
        Some(restore)
    }

    fn end_worth(&mut self) -> Option<Worth> {
        self.quiet_since = None;
        self.brought = HashMap::new();
        self.worth.take()
    }
}

fn key(id: &Id) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = id.0;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_nanos(1_800_000_000_000_000_000);

    #[test]
    fn a_restore_is_told_when_it_is_over_and_its_worth_when_the_cache_is_quiet() {
        let mut restores = Restores::default();
        for n in 0..3 {
            assert_eq!(restores.restored(&Name::Action(Id([n; 32])), 175, AT.plus_seconds(f64::from(n))), None);
        }
        restores.restored(&Name::Output(Id([9; 32])), 1000, AT.plus_seconds(2.0));
        assert_eq!(restores.over(AT.plus_seconds(3.9)), None);
        let told = restores.over(AT.plus_seconds(4.0)).unwrap();
        assert_eq!((told.actions, told.outputs, told.bytes, told.end.seconds_since(told.start)), (3, 1, 1525, 2.0));
        for id in [0, 0, 1, 77] {
            restores.hit(&Id([id; 32]), AT.plus_seconds(5.0));
        }
        assert_eq!(restores.worth(AT.plus_seconds(64.0), 60.0), None);
        let worth = restores.worth(AT.plus_seconds(65.0), 60.0).unwrap();
        assert_eq!((worth.actions, worth.found, worth.restored_hits, worth.hits), (3, 2, 3, 4));
        assert_eq!(restores.worth(AT.plus_seconds(999.0), 60.0), None);
    }

    #[test]
    fn the_next_restore_ends_the_worth_of_the_one_before() {
        let mut restores = Restores::default();
        restores.restored(&Name::Action(Id([1; 32])), 175, AT);
        restores.over(AT.plus_seconds(9.0)).unwrap();
        let worth = restores.restored(&Name::Action(Id([2; 32])), 175, AT.plus_seconds(20.0)).unwrap();
        assert_eq!((worth.actions, worth.hits), (1, 0));
        assert!(!restores.hit(&Id([1; 32]), AT.plus_seconds(21.0)));
        assert!(restores.hit(&Id([2; 32]), AT.plus_seconds(21.0)));
    }
}
