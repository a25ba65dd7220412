//! Files that are renamed, replaced, truncated and deleted.

use std::fs;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use crate::support::{Followed, line, lines};

#[test]
fn a_rename_within_the_glob_reads_nothing_twice() {
    let mut it = Followed::start();
    it.append("a.log", &lines(0..10));
    it.until_numbers(0..10);
    it.rename("a.log", "b.log");
    it.append("b.log", &lines(10..20));
    it.until_numbers(0..20);
    assert_eq!(it.logs.len(), 1);
    assert_eq!(it.log("a.log").lines, 20);
}

#[test]
fn a_file_renamed_out_of_the_glob_is_read_to_its_end() {
    let mut it = Followed::start();
    let mut writer = it.open("a.log");
    writer.write_all(lines(0..10).as_bytes()).unwrap();
    it.until_numbers(0..10);
    it.rename("a.log", "a.log.1");
    writer.write_all(lines(10..20).as_bytes()).unwrap();
    it.until_numbers(0..20);
}

#[test]
fn a_file_renamed_out_of_the_glob_ends_after_it_was_silent_and_comes_back_unread() {
    let dir = tempfile::tempdir().unwrap();
    let mut it = Followed::start_in(dir, |settings| settings.linger = Duration::from_millis(50));
    it.append("a.log", &format!("{}go: downloading example.com/m5 v1.0.5", lines(0..5)));
    it.until_numbers(0..5);
    it.rename("a.log", "a.old");
    it.until("its end", |it| it.log("a.log").ended);
    assert_eq!(it.numbers(), (0..6).collect::<Vec<_>>(), "the line without a newline too");
    it.rename("a.old", "b.log");
    it.append("b.log", &format!("\n{}", line(6)));
    let is_back = |it: &Followed| it.health().files == 1 && it.health().lag_bytes == 0;
    it.until("it is back", is_back);
}

#[test]
fn rotation_by_rename_and_a_new_file_gives_the_lines_of_both() {
    let mut it = Followed::start();
    it.append("a.log", &lines(0..10));
    it.rename("a.log", "a.log.1");
    it.append("a.log", &lines(10..20));
    it.append("a.log.1", &lines(20..30));
    it.until_numbers(0..30);
    assert_eq!(it.logs.len(), 2);
}

#[test]
fn rotations_faster_than_anybody_looks_lose_no_line() {
    let mut it = Followed::start();
    for round in 0..100_u64 {
        it.append("a.log", &lines(round * 10..round * 10 + 10));
        it.rename("a.log", &format!("a.log.{round}"));
    }
    it.until_numbers(0..1000);
    assert_eq!(it.logs.len(), 100);
}

#[test]
fn a_chain_of_renames_before_anybody_looks_loses_no_line() {
    let mut it = Followed::start();
    for round in 0..20_u64 {
        for old in (1..round).rev() {
            it.rename(&format!("a.log.{old}"), &format!("a.log.{}", old + 1));
        }
        if round > 0 {
            it.rename("a.log", "a.log.1");
        }
        it.append("a.log", &lines(round * 10..round * 10 + 10));
    }
    it.until_numbers(0..200);
}

#[test]
fn a_hundred_thousand_lines_over_four_rotations_a_second_come_out_once_each() {
    const ROTATIONS: u64 = 10;
    const EACH: u64 = 10_000;
    let mut it = Followed::start();
    let dir = it.dir.path().to_owned();
    let writer = std::thread::spawn(move || {
        let path = dir.join("a.log");
        for round in 0..ROTATIONS {
            let began = Instant::now();
            let mut file = fs::File::options().create(true).append(true).open(&path).unwrap();
            for n in 0..EACH {
                file.write_all(line(round * EACH + n).as_bytes()).unwrap();
            }
            // the pace of the rotations is what is tried here
            while began.elapsed() < Duration::from_millis(250) {
                std::thread::yield_now();
            }
            for old in [2, 1, 0] {
                let from = if old == 0 { path.clone() } else { dir.join(format!("a.log.{old}")) };
                drop(fs::rename(from, dir.join(format!("a.log.{}", old + 1))));
            }
        }
    });
    it.until_numbers(0..ROTATIONS * EACH);
    writer.join().unwrap();
}

#[test]
fn a_truncated_file_is_read_again_from_its_start_as_another_log() {
    let mut it = Followed::start();
    it.append("a.log", &lines(0..100));
    it.until_numbers(0..100);
    fs::File::options().write(true).open(it.path("a.log")).unwrap().set_len(0).unwrap();
    it.append("a.log", &lines(100..110));
    it.until_numbers(0..110);
    assert_eq!(it.health().truncations, 1);
    assert_eq!(it.logs.len(), 2);
    assert!(it.logs.values().any(|log| log.ended && log.lines == 100), "the first one ended");
}

#[test]
fn a_truncated_file_is_another_log_at_once_though_nothing_is_in_it_yet() {
    let mut it = Followed::start();
    it.append("a.log", &lines(0..10));
    it.until_numbers(0..10);
    fs::File::options().write(true).open(it.path("a.log")).unwrap().set_len(0).unwrap();
    it.until("the empty one is told", |it| it.logs.len() == 2);
    assert!(it.logs.values().any(|log| !log.ended && log.read_to == 0), "{:?}", it.logs);
}

#[test]
fn a_file_truncated_and_grown_beyond_what_was_read_is_read_again_from_its_start() {
    let mut it = Followed::start();
    it.append("a.log", &lines(0..1000));
    it.until_numbers(0..1000);
    // copytruncate, and a writer that is quicker than anybody looks: one write, so that no look falls between
    let new = lines(1000..4000);
    let file = fs::File::options().write(true).open(it.path("a.log")).unwrap();
    assert!(new.len() as u64 > file.metadata().unwrap().len());
    file.write_all_at(new.as_bytes(), 0).unwrap();
    it.until_numbers(0..4000);
    assert_eq!(it.health().truncations, 1);
    assert_eq!(it.logs.len(), 2);
}

#[test]
fn a_file_that_only_grows_is_never_taken_for_a_truncated_one() {
    let mut it = Followed::start();
    let mut writer = it.open("a.log");
    let text = lines(0..400);
    // in pieces smaller and larger than what is remembered of the end
    let mut rest = text.as_bytes();
    for size in (1..).map(|n| n * 7 % 613 + 1) {
        let (piece, behind) = rest.split_at(size.min(rest.len()));
        writer.write_all(piece).unwrap();
        it.until("the piece is read", |it| it.health().lag_bytes == 0);
        rest = behind;
        if rest.is_empty() {
            break;
        }
    }
    it.until_numbers(0..400);
    assert_eq!(it.health().truncations, 0);
}

#[test]
fn a_file_deleted_while_it_is_written_is_read_to_its_end_and_closed() {
    let dir = tempfile::tempdir().unwrap();
    let mut it = Followed::start_in(dir, |settings| settings.linger = Duration::from_millis(300));
    let mut writer = it.open("a.log");
    writer.write_all(lines(0..10).as_bytes()).unwrap();
    it.until_numbers(0..10);
    fs::remove_file(it.path("a.log")).unwrap();
    writer.write_all(lines(10..20).as_bytes()).unwrap();
    it.until_numbers(0..20);
    it.until("its end", |it| it.log("a.log").ended && it.health().files == 0);
    assert_eq!(it.health().lost_bytes, 0);
    drop(writer);
    assert!(open_files_of_this_process().iter().all(|target| !target.starts_with(it.dir.path())));
}

fn open_files_of_this_process() -> Vec<std::path::PathBuf> {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else { return Vec::new() };
    let targets = entries.filter_map(|it| fs::read_link(it.ok()?.path()).ok());
    targets.filter(|it| it.to_string_lossy().contains(".log")).collect()
}

#[test]
fn a_file_replaced_by_another_gives_the_lines_of_both() {
    let mut it = Followed::start();
    let mut writer = it.open("a.log");
    writer.write_all(lines(0..10).as_bytes()).unwrap();
    it.until_numbers(0..10);
    it.append("new", &lines(20..30));
    it.rename("new", "a.log");
    writer.write_all(lines(10..20).as_bytes()).unwrap();
    it.until_numbers(0..30);
    it.append("a.log", &lines(30..40));
    it.until_numbers(0..40);
    assert_eq!(it.logs.len(), 2);
}
