//! Everything at once, as fast as it goes: what `gobeacon cache verify` does.
//!
//! Invariant: each version is read once; one that seems wrong again, with all that is said of it.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc;
use std::time::Duration;

use gobeacon_formats::Timestamp;
use gobeacon_formats::sumdb::Key as DatabaseKey;

use super::check::{Checked, Work};
use super::entries::{Cache, Entry, entries};
use super::ledger::{Ledger, Standing};
use super::pace::Unhurried;
use super::records::GoSums;
use super::verdict::Verdict;
use super::{Conflict, Corrupt};

/// Results that wait to be taken in; the threads wait when there are more.
const WAITING: usize = 64;
/// How long what seems wrong is left alone before it is read again, and how often at most.
const PAUSE: Duration = Duration::from_millis(150);
const MOST_READS: usize = 5;

/// How far it has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Module versions in all caches; one counts for each cache.
    pub versions: u64,
    /// How many of them were read.
    pub read: u64,
    /// How many agree with all that is known of them.
    pub verified: u64,
    /// How many there is nothing to compare with.
    pub unrecorded: u64,
    /// How many changed, went away or could not be read.
    pub unknown: u64,
    /// Records of checksum databases that were proved to be in the signed log.
    pub proved: u64,
    /// Bytes of files.
    pub read_bytes: u64,
    /// Bytes that were hashed: what is in zips counts as it is when it is extracted.
    pub hashed_bytes: u64,
}

/// What it came to.
#[derive(Debug, Default)]
pub struct Found {
    /// How much was looked at.
    pub tally: Tally,
    /// By module and version.
    pub conflicts: Vec<Conflict>,
    /// By module and version.
    pub corrupt: Vec<Corrupt>,
    /// What could not be looked at, the first ones, and how many there are.
    pub unreadable: (Vec<(PathBuf, String)>, u64),
}

/// Verifies caches against themselves, each other and go.sum files, with as many threads as `jobs`. `progress` is called
/// from time to time.
pub fn verify(
    caches: &[Cache],
    go_sums: GoSums,
    keys: &[DatabaseKey],
    (trees, jobs): (bool, usize),
    now: Timestamp,
    progress: &mut dyn FnMut(&Tally),
) -> Found {
    let mut found = Found::default();
    let mut list = Vec::new();
    for (number, cache) in caches.iter().enumerate() {
        let problems = entries(cache, &mut |entry| {
            list.push((number, entry));
            ControlFlow::Continue(())
        });
        found.unreadable.1 += problems.total();
        found.unreadable.0.extend(problems.first);
    }
    found.tally.versions = list.len() as u64;
    let mut ledger = Ledger::new(go_sums);
    let mut standings = Vec::new();
    standings.resize(list.len(), None);
    each(caches, &list, keys, (trees, jobs), &mut |at, checked| {
        let Some((number, entry)) = list.get(at) else { return };
        let tally = &mut found.tally;
        tally.read += 1;
        tally.read_bytes += checked.read_bytes;
        tally.hashed_bytes += checked.hashed_bytes;
        tally.proved += checked.proved;
        let standing = ledger.put(entry.key(), (*number, 0, 0), &checked, now);
        if let Some(place) = standings.get_mut(at) {
            // what cannot be read now cannot be read in a moment either
            *place = checked.unreadable.is_none().then_some(standing);
        }
        if let Some((path, error)) = checked.unreadable {
            found.note(path, &error);
        }
        progress(&found.tally);
    });
    let mut doubtful: Vec<_> = Vec::new();
    for ((_, entry), standing) in list.iter().zip(standings) {
        // two caches may have disagreed only after the first was taken in
        if ledger.disagrees(entry.key()) || standing == Some(Standing::Unknown) {
            doubtful.push((entry.module.clone(), entry.version.clone()));
            continue;
        }
        match standing {
            Some(Standing::Verified | Standing::Doubtful) => found.tally.verified += 1,
            Some(Standing::Unrecorded) => found.tally.unrecorded += 1,
            Some(Standing::Unknown) | None => found.tally.unknown += 1,
        }
    }
    doubtful.sort();
    doubtful.dedup();
    let mut work = Work::new(keys.to_vec(), trees);
    for (module, version) in doubtful {
        match confirmed(caches, &ledger, &mut work, (&module, &version), now) {
            Some(verdict) if verdict.is_good() => {
                found.tally.verified += 1;
            }
            Some(verdict) => {
                found.conflicts.extend(verdict.conflicts);
                found.corrupt.extend(verdict.faults);
            }
            None => found.tally.unknown += 1,
        }
    }
    found
}

impl Found {
    fn note(&mut self, path: PathBuf, error: &std::io::Error) {
        const MOST: usize = 100;
        self.unreadable.1 += 1;
        if self.unreadable.0.len() < MOST {
            self.unreadable.0.push((path, error.to_string()));
        }
    }
}

/// Reads all entries on several threads and hands each result on in this one.
fn each(
    caches: &[Cache],
    list: &[(usize, Entry)],
    keys: &[DatabaseKey],
    (trees, jobs): (bool, usize),
    take: &mut dyn FnMut(usize, Checked),
) {
    let next = AtomicUsize::new(0);
    // full-policy: the threads wait, what they read stays where it is
    let (sender, results) = mpsc::sync_channel(WAITING);
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                let mut work = Work::new(keys.to_vec(), trees);
                loop {
                    let at = next.fetch_add(1, Relaxed);
                    let Some((number, entry)) = list.get(at) else { return };
                    let Some(cache) = caches.get(*number) else { return };
                    // an unhurried pace never stops
                    let Ok(checked) = work.check(cache, entry, &mut Unhurried) else { return };
                    if sender.send((at, checked)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        results.into_iter().for_each(|(at, checked)| take(at, checked));
    });
}

/// Reads a version in all caches until two readings say the same; `None` where it never rests.
fn confirmed(
    caches: &[Cache],
    ledger: &Ledger,
    work: &mut Work,
    (module, version): (&str, &str),
    now: Timestamp,
) -> Option<Verdict> {
    let mut last: Option<Vec<u64>> = None;
    for _ in 0..MOST_READS {
        let mut read = Vec::new();
        let mut is_restless = false;
        for cache in caches {
            let Some(entry) = Entry::find(cache, module, version) else { continue };
            let checked = work.check(cache, &entry, &mut Unhurried).ok()?;
            is_restless |= checked.is_restless;
            read.push((now, checked));
        }
        let verdict = Verdict::of(module, version, read, &ledger.go_sums);
        let essence = verdict.essence();
        if !is_restless && (verdict.is_good() || last.as_ref() == Some(&essence)) {
            return Some(verdict);
        }
        last = (!is_restless).then_some(essence);
        std::thread::sleep(PAUSE);
    }
    None
}
