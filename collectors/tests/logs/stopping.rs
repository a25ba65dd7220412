//! The end: what was written comes out, what is half written can be read again, and nothing hangs.

use std::fs;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gobeacon_collectors::{State, logs};

use crate::support::{DEADLINE, Followed, line, lines, settings};

#[test]
fn what_was_written_before_the_end_comes_out_before_the_channel_closes() {
    let mut it = Followed::start();
    it.append("a.log", &lines(0..20_000));
    fs::create_dir(it.path("new")).unwrap();
    it.append("new/b.log", &lines(20_000..20_010));
    it.append("gone.log", &lines(30_000..30_010));
    it.until("the last file is found", |it| it.health().files == 3);
    fs::remove_file(it.path("gone.log")).unwrap();
    let health = it.running.as_ref().unwrap().health();
    it.stop();
    assert_eq!(it.numbers(), (0..20_010).chain(30_000..30_010).collect::<Vec<_>>());
    assert_eq!(health.read().state, State::Stopped);
    assert_eq!(health.read().lag_bytes, 0);
}

#[test]
fn a_line_that_is_half_written_at_the_end_is_left_to_be_read_again() {
    let mut it = Followed::start();
    let whole = line(1);
    it.append("a.log", &format!("{}{}", line(0), &whole[..30]));
    it.until("all is read", |it| it.logs.values().any(|log| log.bytes == (line(0).len() + 30) as u64));
    it.stop();
    let log = it.log("a.log").clone();
    assert_eq!((log.lines, log.ended, log.open_from), (1, false, line(0).len() as u64));
}

#[test]
fn a_message_that_waits_only_for_silence_comes_out_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut it = Followed::start_in(dir, |settings| settings.flush_after = Duration::from_secs(3600));
    it.append("a.log", "go: updates to go.mod needed; to update it:\n\tgo mod tidy\n");
    it.until("all is read", |it| it.lines() == 2);
    assert_eq!(it.log("a.log").open_from, 0, "it waits");
    it.stop();
    assert_eq!(it.log("a.log").open_from, it.log("a.log").read_to);
}

#[test]
fn a_test_that_no_package_line_followed_comes_out_when_its_log_is_silent_and_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut it = Followed::start_in(dir, |settings| settings.rest_after = Duration::from_millis(300));
    let half = "=== RUN   TestB";
    it.append("a.log", &format!("=== RUN   TestA\n--- PASS: TestA (0.01s)\n{half}"));
    it.until("all is read", |it| it.lines() == 2);
    it.until("the silence is long enough", |it| it.log("a.log").tests == 1);
    assert_eq!(it.log("a.log").lines, 2, "the line that is being written stays");
    it.append("a.log", "\n--- PASS: TestB (0.01s)\nok  \tcorp.example/b\t0.1s\n");
    it.until("the rest is read", |it| it.lines() == 5);
    it.until("it is told", |it| it.log("a.log").tests == 2);
    it.append("b.log", "=== RUN   TestC\n--- PASS: TestC (0.01s)\n");
    it.until("all is read", |it| it.lines() == 7);
    it.stop();
    assert_eq!(it.log("b.log").tests, 1);
}

#[test]
fn a_writer_that_never_stops_does_not_hold_up_the_end() {
    let mut it = Followed::start();
    let over = Arc::new(AtomicBool::new(false));
    let (theirs, mut file) = (Arc::clone(&over), it.open("a.log"));
    let writer = std::thread::spawn(move || {
        while !theirs.load(Ordering::Relaxed) {
            file.write_all(line(1).as_bytes()).unwrap();
        }
    });
    it.until("it is read", |it| it.lines() > 100);
    let began = Instant::now();
    it.stop();
    assert!(began.elapsed() < DEADLINE / 2);
    over.store(true, Ordering::Relaxed);
    writer.join().unwrap();
}

#[test]
fn a_receiver_that_takes_nothing_holds_up_the_end_until_the_deadline_only() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.log"), lines(0..20_000)).unwrap();
    let (sender, batches) = tokio::sync::mpsc::channel(1);
    let running = logs::start(settings(dir.path()), sender).unwrap();
    let began = Instant::now();
    running.stop(Duration::from_millis(200));
    running.join();
    assert!(began.elapsed() < Duration::from_secs(20));
    drop(batches);
}

#[test]
fn a_receiver_that_went_away_ends_the_collector() {
    let dir = tempfile::tempdir().unwrap();
    let (sender, batches) = tokio::sync::mpsc::channel(1);
    let running = logs::start(settings(dir.path()), sender).unwrap();
    let health = running.health();
    drop(batches);
    running.join();
    assert_eq!(health.read().state, State::Stopped);
}
