//! Other settings while logs are followed: what stays is read on, what goes ends, what comes begins.

use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gobeacon_collectors::logs::Settings;

use crate::support::{Followed, line, lines, settings};

fn globs(dir: &Path, names: &[&str]) -> Settings {
    let include = names.iter().map(|name| dir.join(name).display().to_string()).collect();
    Settings { include, linger: Duration::from_millis(300), ..settings(dir) }
}

#[test]
fn a_log_that_stays_is_read_on_where_it_stands_with_what_its_parser_holds() {
    let mut it = Followed::start();
    let whole = line(2);
    it.append("a.log", &format!("{}{}", lines(0..2), &whole[..20]));
    it.until_numbers(0..2);
    it.changes.change(globs(it.dir.path(), &["a*.log"])).unwrap();
    it.append("a.log", &whole[20..]);
    it.until_numbers(0..3);
    assert_eq!(it.logs.len(), 1, "it is the same log");
    it.stop();
    assert!(!it.log("a.log").ended);
}

#[test]
fn a_log_that_no_glob_finds_any_more_is_read_to_its_end_and_ends_though_its_writer_never_rests() {
    let mut it = Followed::start();
    it.append("a.log", &lines(0..3));
    it.append("b.log", &lines(10..13));
    it.until("both", |it| it.numbers().len() == 6);
    it.append("a.log", &lines(3..5));
    it.changes.change(globs(it.dir.path(), &["b.log"])).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let mut writer = it.open("a.log");
        let stop = &stop;
        scope.spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                writer.write_all(b"noise\n").unwrap();
                std::thread::park_timeout(Duration::from_millis(5));
            }
        });
        it.until("the end of a.log", |it| it.log("a.log").ended);
        stop.store(true, Ordering::Relaxed);
    });
    let mut numbers = it.log("a.log").numbers.clone();
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1, 2, 3, 4]);
    assert_eq!(it.health().lost_bytes, 0, "what is not wanted is not lost");
    it.append("b.log", &lines(13..14));
    it.until("b.log goes on", |it| it.log("b.log").numbers.len() == 4);
    assert!(!it.log("b.log").ended);
}

#[test]
fn a_log_that_new_globs_find_begins_and_one_that_comes_back_goes_on_where_it_was_left() {
    let mut it = Followed::start();
    it.append("a.log", &lines(0..3));
    it.append("a.txt", &lines(10..13));
    it.until_numbers(0..3);
    it.changes.change(globs(it.dir.path(), &["*.txt"])).unwrap();
    it.until("a.log ends, a.txt is read", |it| it.numbers().len() == 6 && it.log("a.log").ended);
    it.append("a.log", &lines(3..5));
    it.changes.change(globs(it.dir.path(), &["*.txt", "*.log"])).unwrap();
    it.until_numbers((0..5).chain(10..13));
}

#[test]
fn twenty_changes_while_logs_are_written_and_rotated_lose_and_double_nothing() {
    let mut it = Followed::start();
    std::fs::create_dir(it.path("sub")).unwrap();
    let mut next = 0;
    for round in 0..20 {
        for name in ["a.log", "sub/b.log"] {
            it.append(name, &lines(next..next + 500));
            next += 500;
        }
        if round % 3 == 1 {
            it.rename("a.log", &format!("a.{round}.log"));
        }
        let all = globs(it.dir.path(), &["**/*.log"]);
        let same = globs(it.dir.path(), &["a*.log", "sub/*.log"]);
        it.changes.change(if round % 2 == 0 { same } else { all }).unwrap();
    }
    it.until_numbers(0..next);
}

#[test]
fn globs_that_cannot_be_understood_change_nothing() {
    let mut it = Followed::start();
    assert!(it.changes.change(globs(it.dir.path(), &["{a"])).is_err());
    it.append("a.log", &line(0));
    it.until_numbers(0..1);
}
