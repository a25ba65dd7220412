//! The spool at work on real files: written, read back, deleted, and found again after an end of any kind.

use std::fs;
use std::sync::Mutex;
use std::time::Instant;

use super::*;

const PATIENCE: Duration = Duration::from_secs(60);

/// A spool whose writes can be waited for.
struct Trial {
    spool: Spool,
    written: Arc<Mutex<Vec<Written>>>,
}

impl Trial {
    /// Opens the folder; what an earlier life left gets the ids 1 and up.
    fn open(dir: &Path) -> (Self, Vec<Kept>) {
        let opened = Opened::open(dir).unwrap();
        let kept = opened.kept.clone();
        let ids: Vec<u64> = (1..=kept.len() as u64).collect();
        let written = Arc::new(Mutex::new(Vec::new()));
        let theirs = Arc::clone(&written);
        let on_wrote = move |it: Wrote<'_>| match it {
            Wrote::Synced(written) => theirs.lock().unwrap().extend_from_slice(written),
            Wrote::Flushed { .. } | Wrote::Failed => {}
        };
        let spool = opened.start(&ids, Box::new(on_wrote)).unwrap();
        (Self { spool, written }, kept)
    }

    fn write(&self, id: u64, text: &str) {
        let batch = Batch { payload: Bytes::copy_from_slice(text.as_bytes()), records: id };
        self.spool.write(id, batch, Timestamp::from_nanos(id as i64));
    }

    #[track_caller]
    fn places(&self, count: usize) -> Vec<Written> {
        until(|| self.written.lock().unwrap().len() >= count);
        self.written.lock().unwrap().clone()
    }

    fn text(&self, place: Place) -> String {
        String::from_utf8(self.spool.reader(place)().unwrap().to_vec()).unwrap()
    }
}

#[track_caller]
fn until(holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < PATIENCE, "it did not come to hold");
        std::thread::yield_now();
    }
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_was_written_is_there_in_the_next_life_but_for_what_was_done() {
    let dir = tempfile::tempdir().unwrap();
    let (life, kept) = Trial::open(dir.path());
    assert_eq!(kept, []);
    (1..=5).for_each(|id| life.write(id, &format!("batch {id}")));
    assert_eq!(life.places(5).iter().map(|it| it.id).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    life.spool.done(2);
    life.spool.done(5);
    life.spool.end(PATIENCE);
    drop(life);

    let (life, kept) = Trial::open(dir.path());
    let found: Vec<_> = kept.iter().map(|it| (it.records, it.added.as_nanos(), life.text(it.place))).collect();
    let expected = [(1, 1, "batch 1"), (3, 3, "batch 3"), (4, 4, "batch 4")];
    assert_eq!(found, expected.map(|(records, added, text)| (records, added, text.to_owned())));
    // all of it done: nothing is left but the lock
    (1..=3).for_each(|id| life.spool.done(id));
    life.spool.end(PATIENCE);
    assert_eq!(names(dir.path()), ["lock"]);
    assert_eq!(life.spool.bytes(), 0);
}

#[test]
fn segments_are_begun_when_one_is_large_and_deleted_when_all_of_one_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let (life, _) = Trial::open(dir.path());
    let large = "x".repeat(3 << 20);
    for id in 1..=9 {
        life.write(id, &large);
        life.places(id as usize);
    }
    let segments = names(dir.path()).iter().filter(|name| name.ends_with(".spool")).count();
    assert_eq!(segments, 3);
    // told just after the batch
    until(|| life.spool.bytes() > 27 << 20);
    (1..=6).for_each(|id| life.spool.done(id));
    until(|| life.spool.bytes() < 10 << 20);
    assert_eq!(life.text(life.places(9)[8].place), large);
}

#[test]
fn two_agents_do_not_use_one_folder() {
    let dir = tempfile::tempdir().unwrap();
    let (life, _) = Trial::open(dir.path());
    assert!(matches!(Opened::open(dir.path()), Err(SpoolError::InUse(_))));
    life.spool.end(PATIENCE);
    Opened::open(dir.path()).unwrap();
}

#[test]
fn a_disk_that_fails_costs_nothing_once_it_works_again() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("spool");
    let (life, _) = Trial::open(&dir);
    fs::remove_dir_all(&dir).unwrap();
    (1..=3).for_each(|id| life.write(id, "kept in memory"));
    until(|| life.spool.errors() >= 2);
    life.spool.done(2);
    fs::create_dir(&dir).unwrap();
    let ids: Vec<_> = life.places(2).iter().map(|it| it.id).collect();
    assert_eq!(ids, [1, 3]);
    assert_eq!(life.text(life.places(2)[1].place), "kept in memory");
}

#[test]
fn torn_damaged_foreign_and_unreadable_files_never_keep_it_from_starting() {
    let dir = tempfile::tempdir().unwrap();
    let (life, _) = Trial::open(dir.path());
    life.write(1, "whole");
    let place = life.places(1)[0].place;
    life.spool.end(PATIENCE);
    drop(life);
    let path = segment::path(dir.path(), place.segment);
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend_from_slice(b"\x10\0\0\0torn");
    fs::write(&path, &bytes).unwrap();
    fs::write(segment::path(dir.path(), 100), b"gobeacon sp").unwrap();
    fs::write(segment::path(dir.path(), 101), b"a letter to mother").unwrap();
    fs::create_dir(segment::path(dir.path(), 102)).unwrap();
    fs::write(dir.path().join("notes.txt"), b"not ours").unwrap();

    let (life, kept) = Trial::open(dir.path());
    assert_eq!(kept.len(), 1);
    assert_eq!(life.text(kept[0].place), "whole");
    life.write(7, "new");
    assert_eq!(life.text(life.places(1)[0].place), "new");
    let names = names(dir.path());
    assert!(names.contains(&"notes.txt".to_owned()) && names.contains(&"00000000000000000101.set-aside".to_owned()));
}

#[test]
fn the_list_of_an_earlier_segment_of_the_same_number_says_nothing_of_the_new_one() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(segment::done_path(dir.path(), 1), segment::done_entry(0)).unwrap();
    let (life, _) = Trial::open(dir.path());
    life.write(1, "must be kept");
    life.places(1);
    life.spool.end(PATIENCE);
    drop(life);
    assert_eq!(Trial::open(dir.path()).1.len(), 1);
}
