//! Too much of something: a full channel, more files than handles, no watches.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::time::Duration;

use gobeacon_collectors::State;
use gobeacon_collectors::logs::{self, Settings};

use crate::support::{DEADLINE, Followed, line, lines, settings, wait};

#[test]
fn a_full_channel_stops_the_reading_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.log");
    fs::write(&path, lines(0..40_000)).unwrap();
    let (sender, mut batches) = tokio::sync::mpsc::channel(1);
    let running = logs::start(settings(dir.path()), sender).unwrap();
    let health = running.health();
    wait(|| health.read().state.is_up() && batches.len() == 1);
    // nobody takes anything: what is rotated away and deleted meanwhile must still come
    for round in 1..=5 {
        fs::rename(&path, dir.path().join("gone")).unwrap();
        fs::write(&path, lines(round * 100_000..round * 100_000 + 10)).unwrap();
        wait(|| health.read().files as u64 > round);
        fs::remove_file(dir.path().join("gone")).unwrap();
    }
    assert!(health.read().lag_bytes > 0, "it read on without anybody to take it");
    running.stop(DEADLINE);
    let (mut lines_of, mut total) = (HashMap::new(), 0);
    while let Some(batch) = batches.blocking_recv() {
        *lines_of.entry(batch.source.id).or_insert(0) += batch.lines.lines;
        total += batch.lines.lines;
    }
    running.join();
    assert_eq!((lines_of.len(), total), (6, 40_050));
    assert_eq!(health.read().lost_bytes, 0);
}

#[test]
fn more_files_than_handles_are_all_followed_with_few_handles() {
    let dir = tempfile::tempdir().unwrap();
    for n in 0..300 {
        fs::write(dir.path().join(format!("{n}.log")), line(n)).unwrap();
    }
    let root = dir.path().to_owned();
    let mut it = Followed::start_in(dir, |settings| settings.max_open_files = 10);
    it.until_numbers(0..300);
    let open = || {
        let entries = fs::read_dir("/proc/self/fd").into_iter().flatten();
        entries.filter(|it| fs::read_link(it.as_ref().unwrap().path()).is_ok_and(|it| it.starts_with(&root))).count()
    };
    assert!(open() <= 10 + 1, "{}", open());
    for n in 0..300 {
        it.append(&format!("{n}.log"), &line(1000 + n));
    }
    it.until_numbers((0..300).chain(1000..1300));
    assert_eq!(it.logs.len(), 300, "a file that was closed and opened again is the same log");
    assert!(open() <= 10 + 1, "{}", open());
}

#[test]
fn fast_rotations_with_few_handles_lose_no_line() {
    let dir = tempfile::tempdir().unwrap();
    let mut it = Followed::start_in(dir, |settings| settings.max_open_files = 5);
    for round in 0..200_u64 {
        it.append("a.log", &lines(round * 10..round * 10 + 10));
        it.rename("a.log", &format!("a.log.{round}"));
    }
    it.until_numbers(0..2000);
    assert_eq!(it.health().lost_bytes, 0);
}

#[test]
fn a_closed_file_that_is_renamed_out_of_the_glob_is_opened_again_where_it_went() {
    let dir = tempfile::tempdir().unwrap();
    let mut it = Followed::start_in(dir, |settings| settings.max_open_files = 1);
    it.append("a.log", &lines(0..5));
    it.until_numbers(0..5);
    it.append("b.log", &lines(5..10));
    it.until_numbers(0..10);
    it.append("a.log", &line(10));
    it.rename("a.log", "a.log.1");
    it.append("a.log.1", &line(11));
    it.until_numbers(0..12);
    assert_eq!(it.logs.len(), 2);
}

#[test]
fn without_hints_looking_again_finds_everything_and_the_state_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut it = Followed::start_in(dir, |settings| {
        settings.watch = false;
        settings.rescan_interval = Duration::from_millis(20);
    });
    assert_eq!(it.health().state, State::Polling);
    let mut writer = it.open("a.log");
    writer.write_all(lines(0..10).as_bytes()).unwrap();
    it.until_numbers(0..10);
    fs::create_dir_all(it.path("x/y")).unwrap();
    it.append("x/y/b.log", &lines(10..20));
    it.until_numbers(0..20);
    it.rename("a.log", "a.log.1");
    it.append("a.log", &lines(20..30));
    writer.write_all(lines(30..40).as_bytes()).unwrap();
    it.until_numbers(0..40);
    fs::File::options().write(true).open(it.path("x/y/b.log")).unwrap().set_len(0).unwrap();
    it.until("the truncation", |it| it.health().truncations == 1);
    it.append("x/y/b.log", &lines(40..45));
    it.until_numbers(0..45);
}

#[test]
fn a_directory_that_is_replaced_behind_a_link_is_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let targets = tempfile::tempdir().unwrap();
    fs::create_dir(targets.path().join("x")).unwrap();
    // what is below a link in the middle of a glob gives hints under another name or none
    std::os::unix::fs::symlink(targets.path(), dir.path().join("link")).unwrap();
    let glob = format!("{}/*/x/*.log", dir.path().display());
    let mut it = Followed::start_in(dir, |settings| {
        settings.include = vec![glob];
        settings.rescan_interval = Duration::from_millis(50);
    });
    it.append("link/x/a.log", &lines(0..5));
    it.until_numbers(0..5);
    fs::rename(targets.path().join("x"), targets.path().join("y")).unwrap();
    fs::create_dir(targets.path().join("x")).unwrap();
    it.append("link/x/b.log", &lines(5..10));
    it.until_numbers(0..10);
}

#[test]
fn nothing_to_follow_is_no_error() {
    let (sender, mut batches) = tokio::sync::mpsc::channel(1);
    let running = logs::start(Settings::default(), sender).unwrap();
    let health = running.health();
    wait(|| health.read().state.is_up());
    running.stop(DEADLINE);
    assert!(batches.blocking_recv().is_none());
    running.join();
}
