//! What was read of every version in every cache, in as few bytes as it takes to see that something disagrees.
//!
//! Who says a hash, and where, is not kept: when hashes disagree the files are read again, and then it is known.
//!
//! Invariant: at most [`MOST_ENTRIES`] entries are kept, some 150 bytes each; what did not fit is counted.

use std::collections::{HashMap, HashSet};

use gobeacon_formats::h1::H1;
use gobeacon_formats::{Artifact, Timestamp};

use super::check::Checked;
use super::entries::Key;
use super::records::GoSums;

/// Versions in caches that are compared: those of some hundred full caches.
const MOST_ENTRIES: usize = 250_000;

/// What an entry came to, against all that is known of its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Everything agrees, and there was something to compare.
    Verified,
    /// There is nothing that says what it should be.
    Unrecorded,
    /// Something disagrees, or is corrupt.
    Doubtful,
    /// It changed meanwhile or could not be read.
    Unknown,
}

/// Why an entry is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// It was read, and nothing happened since.
    No,
    /// It came, or was written.
    Changed,
    /// It was not read for long, or never.
    Old,
}

/// All that is remembered.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) go_sums: GoSums,
    versions: HashMap<Key, Vec<Seen>>,
    entries: usize,
    /// Entries that did not fit, since this was last set to 0.
    pub(super) left_out: u64,
}

#[derive(Debug)]
struct Seen {
    cache: usize,
    mark: u64,
    look: u64,
    zip: Option<H1>,
    go_mod: Option<H1>,
    /// Its own files disagree, or something of it is corrupt.
    is_odd: bool,
    first_seen: Timestamp,
    read_at: Option<Timestamp>,
}

impl Ledger {
    pub(super) fn new(go_sums: GoSums) -> Self {
        Self { go_sums, ..Self::default() }
    }

    /// Notes that an entry is there, and says whether it is to be read. One that was there before the first look is
    /// not news.
    pub(super) fn visit(
        &mut self,
        key: Key,
        at: (usize, u64, u64),
        is_first_look: bool,
        read_before: Timestamp,
    ) -> Due {
        let (cache, mark, look) = at;
        let known = self.versions.get_mut(&key);
        if let Some(seen) = known.and_then(|all| all.iter_mut().find(|seen| seen.cache == cache)) {
            seen.look = look;
            if seen.mark != mark {
                return Due::Changed;
            }
            return if seen.read_at.is_none_or(|at| at <= read_before) { Due::Old } else { Due::No };
        }
        if self.entries >= MOST_ENTRIES {
            self.left_out += 1;
            return Due::No;
        }
        self.entries += 1;
        let first_seen = Timestamp::from_nanos(i64::MAX);
        let new = Seen { cache, mark, look, zip: None, go_mod: None, is_odd: false, first_seen, read_at: None };
        self.versions.entry(key).or_default().push(new);
        if is_first_look { Due::Old } else { Due::Changed }
    }

    /// Takes in what was read of an entry.
    pub(super) fn put(&mut self, key: Key, at: (usize, u64, u64), checked: &Checked, now: Timestamp) -> Standing {
        let (cache, mark, look) = at;
        self.visit(key, at, false, Timestamp::from_nanos(i64::MIN));
        let all = self.versions.get_mut(&key);
        let seen = all.and_then(|all| all.iter_mut().find(|seen| seen.cache == cache));
        let Some(seen) = seen else { return Standing::Unknown };
        seen.look = seen.look.max(look);
        if checked.is_restless {
            // to be looked at again, whatever it is by then
            (seen.mark, seen.read_at) = (!mark, None);
            return Standing::Unknown;
        }
        let (zip, go_mod) = (one(checked, Artifact::Zip), one(checked, Artifact::GoMod));
        let is_odd = !checked.faults.is_empty() || zip.is_err() || go_mod.is_err();
        let (zip, go_mod) = (zip.unwrap_or_default(), go_mod.unwrap_or_default());
        if (zip, go_mod) != (seen.zip, seen.go_mod) || seen.first_seen > now {
            seen.first_seen = now;
        }
        (seen.mark, seen.read_at, seen.is_odd) = (mark, Some(now), is_odd);
        (seen.zip, seen.go_mod) = (zip, go_mod);
        self.standing(key, checked)
    }

    /// How a version stands of which this was read in one cache.
    pub(super) fn standing(&self, key: Key, checked: &Checked) -> Standing {
        if self.disagrees(key) {
            Standing::Doubtful
        } else if checked.unreadable.is_some() {
            Standing::Unknown
        } else if checked.is_compared() || self.is_compared(key) {
            Standing::Verified
        } else {
            Standing::Unrecorded
        }
    }

    /// Whether what this is the mark of was read in a cache, and nothing was wrong with it.
    pub(super) fn is_read(&self, key: Key, cache: usize, mark: u64) -> bool {
        let mut all = self.versions.get(&key).into_iter().flatten();
        all.any(|seen| seen.cache == cache && seen.mark == mark && seen.read_at.is_some() && !seen.is_odd)
    }

    /// Whether a version has more than one hash, or something of it is corrupt.
    pub(super) fn disagrees(&self, key: Key) -> bool {
        let Some(all) = self.versions.get(&key) else { return false };
        all.iter().any(|seen| seen.is_odd)
            || self.differs(key, Artifact::Zip, all.iter().filter_map(|seen| seen.zip))
            || self.differs(key, Artifact::GoMod, all.iter().filter_map(|seen| seen.go_mod))
    }

    fn differs(&self, key: Key, artifact: Artifact, mut sums: impl Iterator<Item = H1>) -> bool {
        let Some(first) = sums.next() else { return false };
        sums.any(|sum| sum != first) || self.go_sums.sums(key, artifact).any(|sum| sum != first)
    }

    /// Whether another cache or a go.sum says anything of the version.
    fn is_compared(&self, key: Key) -> bool {
        let of = |artifact| self.go_sums.sums(key, artifact).next().is_some();
        let read = self.versions.get(&key).map_or(0, |all| all.iter().filter(|seen| seen.zip.is_some()).count());
        read > 1 || of(Artifact::Zip) || of(Artifact::GoMod)
    }

    /// Whether anything of this cache is known.
    pub(super) fn has(&self, cache: usize) -> bool {
        self.versions.values().flatten().any(|seen| seen.cache == cache)
    }

    /// In which caches a version is, and since when it has been seen there as it is.
    pub(super) fn places(&self, key: Key) -> Vec<(usize, Timestamp)> {
        let all = self.versions.get(&key).into_iter().flatten();
        all.map(|seen| (seen.cache, seen.first_seen)).collect()
    }

    /// Forgets a version in a cache.
    pub(super) fn forget(&mut self, key: Key, cache: usize) {
        if let Some(all) = self.versions.get_mut(&key) {
            let before = all.len();
            all.retain(|seen| seen.cache != cache);
            self.entries = self.entries.saturating_sub(before - all.len());
            if all.is_empty() {
                self.versions.remove(&key);
            }
        }
    }

    /// Forgets what the last look at a cache did not meet.
    pub(super) fn sweep(&mut self, cache: usize, look: u64) -> HashSet<Key> {
        let is_gone = |seen: &Seen| seen.cache == cache && seen.look < look;
        let gone = self.versions.iter().filter(|(_, all)| all.iter().any(is_gone)).map(|(key, _)| *key);
        let gone: HashSet<_> = gone.collect();
        gone.iter().for_each(|key| self.forget(*key, cache));
        gone
    }
}

/// The one hash of an artifact that an entry has; an error where there are several.
fn one(checked: &Checked, artifact: Artifact) -> Result<Option<H1>, ()> {
    let mut sums = checked.claims.iter().filter(|claim| claim.artifact == artifact).map(|claim| claim.sum);
    let first = sums.next();
    if sums.all(|sum| Some(sum) == first) { Ok(first) } else { Err(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_counted_and_takes_no_memory() {
        let mut ledger = Ledger::default();
        let visit = |ledger: &mut Ledger, n: usize| {
            let key = Key::of("example.com/m", &format!("v1.0.{n}"));
            ledger.visit(key, (0, 1, 1), true, Timestamp::from_nanos(0))
        };
        (0..MOST_ENTRIES).for_each(|n| assert_eq!(visit(&mut ledger, n), Due::Old));
        (0..1_000).for_each(|n| assert_eq!(visit(&mut ledger, MOST_ENTRIES + n), Due::No));
        assert_eq!((ledger.versions.len(), ledger.left_out), (MOST_ENTRIES, 1_000));
        // what is known is still told apart from what is new
        assert_eq!(visit(&mut ledger, 7), Due::Old);
    }
}
