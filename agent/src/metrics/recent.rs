//! How many distinct things happened in the last hour, up to a bound.

use std::collections::HashMap;

use gobeacon_formats::Timestamp;

const HOUR_SECONDS: f64 = 3600.0;
/// Most things that are remembered; beyond it the count stays where it is.
const MOST: usize = 1024;

/// How often a full memory is searched for what can be forgotten.
const SEARCH_SECONDS: f64 = 1.0;

/// Things by a hash of what they are, with when they were seen last.
#[derive(Debug, Default)]
pub(super) struct Recent {
    seen: HashMap<u64, Timestamp>,
    searched: Option<Timestamp>,
}

impl Recent {
    /// It happened.
    pub(super) fn add(&mut self, thing: u64, now: Timestamp) {
        if self.seen.len() >= MOST && !self.seen.contains_key(&thing) {
            if self.searched.is_none_or(|at| now.seconds_since(at).abs() >= SEARCH_SECONDS) {
                self.count(now);
            }
            if self.seen.len() >= MOST {
                return;
            }
        }
        self.seen.insert(thing, now);
    }

    /// How many of them happened in the hour before `now`; forgets the others.
    pub(super) fn count(&mut self, now: Timestamp) -> usize {
        self.searched = Some(now);
        self.seen.retain(|_, seen| now.seconds_since(*seen) < HOUR_SECONDS);
        self.seen.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn a_thing_counts_once_and_for_an_hour_after_it_was_seen_last() {
        let mut recent = Recent::default();
        recent.add(1, at(0));
        recent.add(1, at(1800));
        recent.add(2, at(1800));
        assert_eq!(recent.count(at(1801)), 2);
        recent.add(2, at(3600));
        assert_eq!(recent.count(at(5401)), 1);
        assert_eq!(recent.count(at(7201)), 0);
    }

    #[test]
    fn a_million_things_take_a_bounded_place_which_frees_itself() {
        let mut recent = Recent::default();
        (0..1_000_000).for_each(|thing| recent.add(thing, at(0)));
        assert_eq!(recent.count(at(1)), MOST);
        recent.add(u64::MAX, at(4000));
        assert_eq!(recent.count(at(4000)), 1);
    }
}
