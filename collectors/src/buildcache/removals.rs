//! Entries that go away: told apart by what is left.
//!
//! The go command's trim removes single entries and leaves the 256 directories; `go clean -cache` (and `rm -r`)
//! removes the directories too. Who unpacks an archive over a cache removes an entry just before he writes it anew:
//! that is no removal.
//!
//! Source: cmd/go/internal/cache.trimSubdir, cmd/go/internal/clean.runClean.
//!
//! Invariant: an entry is told once, as trimmed or as cleaned; what happens within a burst is held until it is over,
//! up to a bound beyond which it is told at once.

use std::collections::HashMap;

use gobeacon_formats::Timestamp;
use gobeacon_formats::cache_entry::Name;

use super::queue::first_byte;
use super::{Removal, RemovedBy};

/// How long nothing must be removed for a burst to be over.
pub(super) const QUIET_SECONDS: f64 = 1.0;
/// How far from the removals a go command writes `trim.txt`: before them since Go 1.26, after them earlier.
const NOTE_SECONDS: f64 = 60.0;
/// Most removals held, 50 bytes each.
const MOST: usize = 256 << 10;

#[derive(Debug, Default)]
pub(super) struct Removals {
    burst: Option<Burst>,
    /// When `trim.txt` was written last.
    noted: Option<Timestamp>,
}

#[derive(Debug)]
struct Burst {
    start: Timestamp,
    last: Timestamp,
    /// Bytes of those whose directory is there, where they are known.
    held: HashMap<Name, Option<u64>>,
    cleaned: Sum,
    /// Told to be removed by looking, or over the bound.
    trimmed: Sum,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    entries: u64,
    bytes: u64,
    unknown: u64,
}

impl Sum {
    fn add(&mut self, bytes: Option<u64>) {
        self.entries += 1;
        match bytes {
            Some(bytes) => self.bytes += bytes,
            None => self.unknown += 1,
        }
    }
}

impl Removals {
    /// An entry was removed.
    pub(super) fn removed(&mut self, name: Name, bytes: Option<u64>, at: Timestamp) {
        let burst = self.burst_at(at);
        if burst.held.len() < MOST {
            burst.held.insert(name, bytes);
        } else {
            burst.trimmed.add(bytes);
        }
    }

    /// An entry is not there any more, and nothing said that it was removed. `with_dir`: its directory is gone too.
    pub(super) fn missed(&mut self, bytes: u64, with_dir: bool, at: Timestamp) {
        let burst = self.burst_at(at);
        if with_dir { &mut burst.cleaned } else { &mut burst.trimmed }.add(Some(bytes));
    }

    /// An entry is written: if it was removed just before, it was replaced.
    pub(super) fn written(&mut self, name: &Name) {
        if let Some(burst) = &mut self.burst {
            burst.held.remove(name);
        }
    }

    /// A directory went: what was removed from it was not trimmed.
    pub(super) fn dir_went(&mut self, dir: u8) {
        let Some(burst) = &mut self.burst else { return };
        let cleaned = &mut burst.cleaned;
        burst.held.retain(|name, bytes| {
            let goes = first_byte(name) == dir;
            if goes {
                cleaned.add(*bytes);
            }
            !goes
        });
    }

    /// `trim.txt` was written.
    pub(super) fn noted(&mut self, at: Timestamp) {
        self.noted = Some(at);
    }

    /// When there may be something to tell, if nothing happens.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.burst.as_ref().map(|burst| burst.last.plus_seconds(QUIET_SECONDS))
    }

    /// What is over by now.
    pub(super) fn over(&mut self, now: Timestamp) -> Vec<Removal> {
        if self.due().is_none_or(|due| now < due) {
            return Vec::new();
        }
        self.finish()
    }

    /// What there is: nothing more will come.
    pub(super) fn finish(&mut self) -> Vec<Removal> {
        let Some(mut burst) = self.burst.take() else { return Vec::new() };
        burst.held.values().for_each(|bytes| burst.trimmed.add(*bytes));
        let near = |at: Timestamp| {
            at.seconds_since(burst.start) > -NOTE_SECONDS && at.seconds_since(burst.last) < NOTE_SECONDS
        };
        let by_go = self.noted.is_some_and(near);
        let trim = if by_go { RemovedBy::GoTrim } else { RemovedBy::Unknown };
        let told = [(burst.trimmed, trim), (burst.cleaned, RemovedBy::Clean)].into_iter();
        let told = told.filter(|(sum, _)| sum.entries > 0);
        let removal = |(sum, by): (Sum, RemovedBy)| Removal {
            by,
            start: burst.start,
            end: burst.last,
            entries: sum.entries,
            bytes: sum.bytes,
            unknown: sum.unknown,
        };
        told.map(removal).collect()
    }

    fn burst_at(&mut self, at: Timestamp) -> &mut Burst {
        let burst = self.burst.get_or_insert_with(|| Burst {
            start: at,
            last: at,
            held: HashMap::new(),
            cleaned: Sum::default(),
            trimmed: Sum::default(),
        });
        burst.last = burst.last.max(at);
        burst
    }
}

#[cfg(test)]
mod tests {
    use gobeacon_formats::cache_entry::Id;

    use super::*;

    const AT: Timestamp = Timestamp::from_nanos(1_800_000_000_000_000_000);

    fn action(dir: u8) -> Name {
        Name::Action(Id([dir; 32]))
    }

    #[test]
    fn what_goes_with_its_directory_is_cleaned_and_what_goes_alone_is_trimmed() {
        let mut removals = Removals::default();
        removals.noted(AT.plus_seconds(-5.0));
        removals.removed(action(1), Some(175), AT);
        removals.removed(action(2), None, AT.plus_seconds(0.5));
        removals.dir_went(2);
        assert_eq!(removals.over(AT.plus_seconds(1.4)), []);
        let told = removals.over(AT.plus_seconds(1.5));
        assert_eq!(told.len(), 2);
        assert_eq!((told[0].by, told[0].entries, told[0].bytes, told[0].unknown), (RemovedBy::GoTrim, 1, 175, 0));
        assert_eq!((told[1].by, told[1].entries, told[1].bytes, told[1].unknown), (RemovedBy::Clean, 1, 0, 1));
        assert_eq!(removals.due(), None);
    }

    #[test]
    fn what_is_written_anew_was_not_removed() {
        let mut removals = Removals::default();
        removals.removed(action(1), Some(175), AT);
        removals.written(&action(1));
        assert_eq!(removals.finish(), []);
        removals.removed(action(1), Some(175), AT);
        assert_eq!(removals.finish()[0].by, RemovedBy::Unknown);
    }
}
