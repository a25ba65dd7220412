//! Logs that an earlier life has read: found again whatever happened to them meanwhile, and read on from there.

use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::time::Duration;

use gobeacon_collectors::logs::Known;
use gobeacon_collectors::{Batch, Bookmark};
use tempfile::TempDir;

use crate::support::{Followed, lines};

/// A life that has read these lines, and what it knew of each log.
fn first_life(logs: &[(&str, u64)]) -> (TempDir, Vec<Known>) {
    let mut it = Followed::start();
    let mut all = 0;
    for (log, count) in logs {
        it.append(log, &lines(all..all + count));
        all += count;
    }
    it.until_numbers(0..all);
    it.stop();
    let known = it.marks.iter().map(|(path, bookmark)| known(path, bookmark.clone())).collect();
    (std::mem::replace(&mut it.dir, tempfile::tempdir().unwrap()), known)
}

fn known(path: &std::path::Path, bookmark: Bookmark) -> Known {
    Known { path: path.to_owned(), bookmark, steps: Vec::new(), is_open: false, is_ended: false }
}

fn next_life(dir: TempDir, known: Vec<Known>) -> Followed {
    Followed::start_in(dir, |settings| {
        settings.known = known;
        settings.linger = Duration::from_millis(50);
    })
}

fn append(dir: &TempDir, log: &str, text: &str) {
    fs::File::options()
        .append(true)
        .create(true)
        .open(dir.path().join(log))
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
}

fn gzip(dir: &TempDir, log: &str, archive: &str) {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&fs::read(dir.path().join(log)).unwrap()).unwrap();
    fs::write(dir.path().join(archive), packed.finish().unwrap()).unwrap();
    fs::remove_file(dir.path().join(log)).unwrap();
}

#[test]
fn a_log_that_grew_is_read_on_from_its_place_and_one_that_did_not_is_not_read() {
    let (dir, known) = first_life(&[("a.log", 10), ("b.log", 5)]);
    append(&dir, "a.log", &lines(100..110));
    let mut it = next_life(dir, known);
    it.until_numbers(100..110);
    it.append("b.log", &lines(200..203));
    it.until_numbers((100..110).chain(200..203));
    assert_eq!(it.lines(), 13, "lines of the earlier life count no more");
}

#[test]
fn an_open_log_is_read_again_as_a_replay_that_ends_where_the_earlier_life_stopped() {
    let (dir, known) = first_life(&[("a.log", 10)]);
    append(&dir, "a.log", &lines(100..110));
    let known: Vec<_> = known.into_iter().map(|known| Known { is_open: true, ..known }).collect();
    let end = known[0].bookmark.read_to;
    let mut it = next_life(dir, known);
    it.until_numbers(100..110);
    let replayed: Vec<&Batch> = it.replayed.iter().collect();
    assert_eq!(replayed.iter().map(|it| it.events.len()).sum::<usize>(), 10);
    assert_eq!(replayed.last().unwrap().read_to, end);
    assert_eq!(replayed.iter().map(|it| it.bytes + it.lines.lines).sum::<u64>(), 0, "nothing of it counts");
}

#[test]
fn a_log_that_was_renamed_out_of_the_glob_is_read_to_its_end_and_ends() {
    let (dir, known) = first_life(&[("a.log", 10)]);
    append(&dir, "a.log", &lines(100..110));
    fs::rename(dir.path().join("a.log"), dir.path().join("a.log.1")).unwrap();
    append(&dir, "a.log", &lines(200..205));
    let mut it = next_life(dir, known);
    it.until_numbers((100..110).chain(200..205));
    it.until("its end", |it| it.logs.values().any(|log| log.ended));
}

#[test]
fn a_log_that_was_compressed_is_read_to_its_end_out_of_the_archive() {
    let (dir, known) = first_life(&[("a.log", 10), ("b.log", 5)]);
    append(&dir, "a.log", &lines(100..110));
    gzip(&dir, "a.log", "a.log.1.gz");
    // all of this one was read
    gzip(&dir, "b.log", "b.log.1.gz");
    // and this one is none of ours
    append(&dir, "c", "something else\n");
    gzip(&dir, "c", "a.log.2.gz");
    append(&dir, "a.log", &lines(200..205));
    let mut it = next_life(dir, known);
    it.until_numbers((100..110).chain(200..205));
    it.until("both ends", |it| it.logs.values().filter(|log| log.ended).count() == 2);
    assert_eq!((it.numbers().len(), it.health().lost_bytes), (15, 0));
}

#[test]
fn a_log_that_was_truncated_or_written_anew_is_read_from_its_start_as_another_log() {
    let (dir, known) = first_life(&[("a.log", 10), ("b.log", 5)]);
    let ids: HashMap<_, _> = known.iter().map(|it| (it.path.clone(), it.bookmark.inode)).collect();
    fs::write(dir.path().join("a.log"), lines(100..102)).unwrap();
    fs::write(dir.path().join("b.log"), lines(200..250)).unwrap();
    let mut it = next_life(dir, known);
    it.until_numbers((100..102).chain(200..250));
    assert_eq!(it.health().truncations, 2);
    assert_eq!(ids.len(), 2);
}

#[test]
fn what_was_not_read_of_a_log_that_is_gone_counts_as_lost() {
    let (dir, mut known) = first_life(&[("a.log", 10), ("b.log", 5)]);
    known.iter_mut().filter(|it| it.path.ends_with("a.log")).for_each(|it| it.bookmark.size += 77);
    fs::remove_file(dir.path().join("a.log")).unwrap();
    fs::remove_file(dir.path().join("b.log")).unwrap();
    let mut it = next_life(dir, known);
    it.until("both are told to be gone", |it| it.logs.values().filter(|log| log.ended).count() == 2);
    assert_eq!(it.health().lost_bytes, 77);
}

/// A record of the runtime in Kubernetes.
fn record(number: u64) -> String {
    format!("2026-01-02T03:04:05.000000000Z stdout F {}", lines(number..number + 1))
}

#[test]
fn a_log_at_rest_that_was_looked_at_in_between_is_read_as_before_when_it_grows() {
    let (dir, known) = first_life(&[("a.log", 10)]);
    let mut it = next_life(dir, known);
    // its time changes and nothing else
    let now = std::time::SystemTime::now();
    fs::File::options().append(true).open(it.path("a.log")).unwrap().set_modified(now).unwrap();
    it.append("b.log", &lines(50..51));
    it.until_numbers(50..51);
    // a parser that began here would take the log for one of records
    it.append("a.log", &(record(100) + &record(101) + &lines(102..103)));
    it.until_numbers([50, 102]);
    assert_eq!(it.lines(), 4);
}

const STAMP: &str = "2026-01-02T03:04:05.000000000Z stdout";

/// A life that has read this, and what it knew of each log, of which something is open.
fn life_within_a_line(write: impl FnOnce(&mut Followed)) -> (TempDir, Vec<Known>) {
    let mut it = Followed::start();
    write(&mut it);
    it.stop();
    let open = |path: &std::path::PathBuf| it.logs.values().any(|log| log.path == *path && log.open_from < log.read_to);
    let known =
        it.marks.iter().map(|(path, mark)| Known { is_open: open(path), ..known(path, mark.clone()) }).collect();
    (std::mem::replace(&mut it.dir, tempfile::tempdir().unwrap()), known)
}

#[test]
fn a_line_that_a_runtime_split_before_the_end_of_a_life_is_joined_after_a_rotation() {
    for renamed in ["a.log.1", "a-old.log"] {
        let (dir, known) = life_within_a_line(|it| {
            it.append("a.log", &(record(1) + &record(2) + STAMP + " P go: downloading example.com/m3 v1."));
            it.append("a.log", "\n");
            it.until("all of it", |it| it.logs.values().any(|log| log.lines == 3));
            it.until_numbers([1, 2]);
        });
        assert!(known[0].is_open);
        fs::rename(dir.path().join("a.log"), dir.path().join(renamed)).unwrap();
        append(&dir, "a.log", &format!("{STAMP} F 0.3\n{}", record(4)));
        let mut it = next_life(dir, known);
        it.until_numbers([3, 4]);
        it.until("the end of the lines", |it| it.lines() == 2);
        it.stop();
        assert_eq!(it.numbers(), [3, 4]);
    }
}

#[test]
fn a_log_that_began_within_a_line_begins_so_when_it_is_read_again() {
    let (dir, known) = life_within_a_line(|it| {
        it.append("a.log", &(record(1) + &record(2) + STAMP + " P go: downloading example.com/m3 v1.\n"));
        it.until("all of it", |it| it.logs.values().any(|log| log.lines == 3));
        it.rename("a.log", "a-old.log");
        it.append("a.log", &format!("{STAMP} F 0.3\n"));
        it.until_numbers([1, 2, 3]);
        it.append("a.log", &record(4));
        it.until_numbers([1, 2, 3, 4]);
    });
    let inherited = known.iter().find(|it| it.path.ends_with("a.log") && it.bookmark.inherited.is_some());
    let known = vec![Known { is_open: true, ..inherited.expect("the journal has what it began with").clone() }];
    fs::remove_file(dir.path().join("a-old.log")).unwrap();
    append(&dir, "a.log", &record(5));
    let mut it = next_life(dir, known);
    it.until_numbers([5]);
    let again: Vec<_> = it.replayed.iter().flat_map(|batch| &batch.events).map(|event| event.offset).collect();
    assert_eq!((again.len(), again[0]), (2, 0), "the joined line has the offset that it had");
}
