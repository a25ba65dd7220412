//! The journal under damage, and what it remembers.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use gobeacon_collectors::logs::Fingerprint;
use gobeacon_collectors::{Batch, Bookmark, Cause, Replay, Source};
use gobeacon_formats::{LineCounts, Timestamp};
use proptest::prelude::*;

use super::entry::Remembered;
use super::journal::{self, MAGIC};
use super::keeper::{Keeper, Safety};
use super::ledger::Ledger;
use crate::builds::{Builds, Settings};
use crate::metrics::{Number, Series};

fn batch(log: u8, read_to: u64, ended: bool) -> Batch {
    let print = Fingerprint { length: 3, hash: 7 };
    Batch {
        source: Arc::new(Source { id: [log; 16], path: format!("/logs/{log}").into() }),
        observed: Timestamp::from_nanos(i64::from(log)),
        events: Vec::new(),
        lines: LineCounts::default(),
        bytes: 1,
        read_to,
        open_from: read_to,
        ended,
        cause: Cause::Read,
        replay: Replay::No,
        bookmark: Some(Bookmark {
            device: 1,
            inode: log.into(),
            born: None,
            incarnation: 0,
            began_at: 0,
            read_to,
            size: read_to,
            head: print,
            tail: print,
            inherited: None,
        }),
    }
}

fn counted(count: f64) -> Vec<Series> {
    vec![Series { name: "x_total".to_owned(), labels: Vec::new(), number: Number::Count(count) }]
}

/// Writes one record and says whether it was written.
fn write(keeper: &Keeper, ledger: &mut Ledger, count: f64, safety: Safety) -> bool {
    let builds = Builds::new(Settings::default());
    keeper.write(ledger, &builds, counted(count))(safety).blocking_recv().unwrap()
}

/// A life that reads so far in each of some logs, one record each.
fn life(dir: &Path, places: &[(u8, u64)]) -> Keeper {
    let (keeper, remembered) = Keeper::open(dir).unwrap();
    let mut ledger = Ledger::new(remembered);
    for (n, (log, read_to)) in places.iter().enumerate() {
        ledger.note(&batch(*log, *read_to, false));
        assert!(write(&keeper, &mut ledger, n as f64 + 1.0, Safety::PowerLoss));
    }
    keeper
}

/// Ends a life: the next one can begin when its lock is gone.
fn end(keeper: Keeper, dir: &Path) {
    drop(keeper);
    let began = std::time::Instant::now();
    let lock = fs::File::create(dir.join("journal.lock")).unwrap();
    while lock.try_lock().is_err() {
        assert!(began.elapsed().as_secs() < 60, "the lock is still held");
        std::thread::yield_now();
    }
}

fn places(remembered: &Remembered) -> Vec<(u8, u64)> {
    remembered.known().iter().map(|it| (it.bookmark.inode as u8, it.bookmark.read_to)).collect()
}

#[test]
fn the_next_life_knows_the_last_place_of_each_log_and_what_was_counted_last() {
    let dir = tempfile::tempdir().unwrap();
    end(life(dir.path(), &[(1, 10), (2, 20), (1, 30)]), dir.path());
    let (keeper, remembered) = Keeper::open(dir.path()).unwrap();
    assert_eq!((places(&remembered), remembered.counted), (vec![(1, 30), (2, 20)], counted(3.0)));
    assert_eq!(keeper.errors(), 0);
}

#[test]
fn only_one_life_at_a_time_has_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let keeper = life(dir.path(), &[(1, 10)]);
    assert!(Keeper::open(dir.path()).is_err());
    end(keeper, dir.path());
    Keeper::open(dir.path()).unwrap();
}

#[test]
fn an_ended_log_is_remembered_as_such_and_one_that_is_gone_for_good_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let (keeper, remembered) = Keeper::open(dir.path()).unwrap();
    let mut ledger = Ledger::new(remembered);
    [batch(1, 5, true), batch(2, 6, false), batch(3, 7, false)].iter().for_each(|it| ledger.note(it));
    assert!(write(&keeper, &mut ledger, 1.0, Safety::PowerLoss));
    ledger.note(&Batch { bookmark: None, ..batch(3, 7, true) });
    assert!(write(&keeper, &mut ledger, 1.0, Safety::PowerLoss));
    end(keeper, dir.path());
    let known = Keeper::open(dir.path()).unwrap().1.known();
    let told: Vec<_> = known.iter().map(|it| (it.bookmark.inode, it.is_ended, it.bookmark.incarnation)).collect();
    assert_eq!(told, [(1, true, 1), (2, false, 0)]);
}

#[test]
fn what_was_not_synced_counts_in_the_same_boot_or_where_a_sync_came_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    let (keeper, remembered) = Keeper::open(dir.path()).unwrap();
    let mut ledger = Ledger::new(remembered);
    let safeties = [Safety::PowerLoss, Safety::Kill, Safety::PowerLoss, Safety::Kill];
    for (n, safety) in safeties.into_iter().enumerate() {
        ledger.note(&batch(n as u8 + 1, 10, false));
        assert!(write(&keeper, &mut ledger, n as f64, safety));
    }
    end(keeper, dir.path());
    let (keeper, remembered) = Keeper::open(dir.path()).unwrap();
    assert_eq!(places(&remembered), [(1, 10), (2, 10), (3, 10), (4, 10)]);
    drop(keeper);
    // as if the machine had been started anew since
    let bytes = fs::read(dir.path().join("journal")).unwrap();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let records = journal::read(&bytes).records.unwrap();
    let other = |record: &&[u8]| journal::framed(&replaced(record, boot.trim())).unwrap();
    let moved: Vec<u8> = [MAGIC.to_vec(), records.iter().flat_map(other).collect()].concat();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("journal"), moved).unwrap();
    let (_keeper, remembered) = Keeper::open(elsewhere.path()).unwrap();
    assert_eq!(places(&remembered), [(1, 10), (2, 10), (3, 10)]);
}

fn replaced(record: &[u8], boot: &str) -> Vec<u8> {
    String::from_utf8(record.to_vec()).unwrap().replace(boot, "another boot").into_bytes()
}

#[test]
fn a_file_that_is_foreign_of_the_future_empty_or_no_file_is_set_aside_and_counted_once() {
    let wrong: [&[u8]; 4] = [b"", b"gobeacon state 2 and more", b"#!/bin/sh\n", &MAGIC[..7]];
    for bytes in wrong {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("journal"), bytes).unwrap();
        let keeper = life(dir.path(), &[(1, 10)]);
        assert_eq!(keeper.errors(), 1, "{bytes:?}");
        assert_eq!(fs::read(dir.path().join("journal.set-aside")).unwrap(), bytes);
        end(keeper, dir.path());
        assert_eq!(places(&Keeper::open(dir.path()).unwrap().1), [(1, 10)]);
    }
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("journal/of-something-else")).unwrap();
    let keeper = life(dir.path(), &[(1, 10)]);
    assert_eq!(keeper.errors(), 1);
}

#[test]
fn a_journal_that_grows_is_written_anew_and_says_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (keeper, remembered) = Keeper::open(dir.path()).unwrap();
    let mut ledger = Ledger::new(remembered);
    for n in 0..200_u64 {
        (0..100).for_each(|log| ledger.note(&batch(log, n + 1, false)));
        assert!(write(&keeper, &mut ledger, n as f64, Safety::Kill));
        assert!(keeper.bytes() < 6 << 20, "{}", keeper.bytes());
    }
    end(keeper, dir.path());
    let remembered = Keeper::open(dir.path()).unwrap().1;
    assert_eq!(places(&remembered), (0..100).map(|log| (log, 200)).collect::<Vec<_>>());
    assert_eq!(remembered.counted, counted(199.0));
}

#[test]
fn a_folder_that_goes_away_is_counted_and_when_it_is_back_everything_is_written() {
    let outer = tempfile::tempdir().unwrap();
    let dir = outer.path().join("state");
    let (keeper, remembered) = Keeper::open(&dir).unwrap();
    let mut ledger = Ledger::new(remembered);
    fs::rename(&dir, outer.path().join("away")).unwrap();
    for log in [1, 2] {
        ledger.note(&batch(log, 10, false));
        assert!(!write(&keeper, &mut ledger, 1.0, Safety::PowerLoss));
    }
    assert!(keeper.is_failing() && keeper.errors() == 2);
    fs::rename(outer.path().join("away"), &dir).unwrap();
    ledger.note(&batch(3, 10, false));
    assert!(write(&keeper, &mut ledger, 1.0, Safety::PowerLoss));
    assert!(!keeper.is_failing());
    end(keeper, &dir);
    assert_eq!(places(&Keeper::open(&dir).unwrap().1), [(1, 10), (2, 10), (3, 10)]);
}

proptest! {
    #[test]
    fn a_torn_or_flipped_end_gives_the_records_in_front_of_it(
        records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..8),
        cut in 0.0..1.2_f64,
        flip in prop::option::of((0.0..1.0_f64, 1..=255_u8)),
    ) {
        let mut bytes = MAGIC.to_vec();
        records.iter().for_each(|it| bytes.extend(journal::framed(it).unwrap()));
        let cut = ((bytes.len() as f64 * cut) as usize).min(bytes.len());
        bytes.truncate(cut);
        let flipped = flip.map(|(at, by)| ((cut as f64 * at) as usize, by)).filter(|(at, _)| *at < cut);
        if let Some((at, by)) = flipped {
            bytes[at] ^= by;
        }
        let good_to = flipped.map_or(cut, |(at, _)| at);
        let read = journal::read(&bytes);
        if good_to < MAGIC.len() {
            prop_assert_eq!(read.records, None);
        } else {
            let mut end = MAGIC.len();
            let whole = records.iter().take_while(|it| { end += 8 + it.len(); end <= good_to }).count();
            prop_assert_eq!(read.records.unwrap(), &records[..whole]);
        }
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..300), magic in any::<bool>()) {
        let bytes = if magic { [&MAGIC[..], &bytes].concat() } else { bytes };
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("journal"), &bytes).unwrap();
        prop_assert!(Keeper::open(dir.path()).unwrap().1.known().is_empty());
    }

    #[test]
    fn steps_keep_the_newest_and_stay_within_their_bounds(causes in prop::collection::vec(0..3_u8, 1..600)) {
        let mut ledger = Ledger::default();
        for (n, cause) in causes.iter().enumerate() {
            let cause = [Cause::Read, Cause::Idle, Cause::Rest][usize::from(*cause)];
            let at = n as u64 + 1;
            let observed = Timestamp::from_nanos(at as i64);
            // something stays open, so that nothing is thrown away
            ledger.note(&Batch { cause, observed, open_from: 0, ..batch(1, at, false) });
        }
        let builds = Builds::new(Settings::default());
        let mut remembered = Remembered::default();
        remembered.take_in(ledger.record(&builds, Vec::new()));
        let known = remembered.known();
        let steps = &known[0].steps;
        prop_assert!(steps.len() <= 64 + 32);
        prop_assert!(steps.is_sorted_by_key(|step| step.offset));
        prop_assert_eq!(steps.last().unwrap().offset, causes.len() as u64);
        let newest = causes.iter().rposition(|cause| *cause == 0).map(|at| at as u64 + 1);
        prop_assert_eq!(steps.iter().rfind(|step| step.cause == Cause::Read).map(|step| step.offset), newest);
    }
}
