//! Files that grow.

use std::io::Write;
use std::time::Duration;

use gobeacon_formats::Timestamp;

use crate::support::{Followed, line, lines, settings};

#[test]
fn appended_lines_come_out_once_and_in_order() {
    let mut it = Followed::start();
    let mut file = it.open("a.log");
    for n in 0..200 {
        file.write_all(line(n).as_bytes()).unwrap();
    }
    it.until_numbers(0..200);
    assert_eq!(it.log("a.log").numbers, (0..200).collect::<Vec<_>>());
    file.write_all(line(200).as_bytes()).unwrap();
    it.until_numbers(0..=200);
    assert_eq!(it.log("a.log").lines, 201);
}

#[test]
fn a_line_in_two_writes_is_one_line() {
    let mut it = Followed::start();
    let whole = line(7);
    let (head, tail) = whole.split_at(20);
    it.append("a.log", head);
    it.until("the first half is read", |it| it.logs.values().any(|log| log.bytes == 20));
    assert_eq!(it.log("a.log").lines, 0);
    assert_eq!(it.log("a.log").open_from, 0, "what is held can be read again");
    it.append("a.log", tail);
    it.until_numbers([7]);
    assert_eq!(it.log("a.log").lines, 1);
}

#[test]
fn a_message_that_might_go_on_comes_out_after_a_moment_of_silence() {
    let mut it = Followed::start();
    it.append("a.log", "go: updates to go.mod needed; to update it:\n\tgo mod tidy\n");
    it.until("read", |it| it.lines() == 2);
    it.until("given out", |it| it.log("a.log").open_from == it.log("a.log").read_to);
}

#[test]
fn a_line_longer_than_a_turn_of_reading_is_one_line() {
    let mut it = Followed::start();
    it.append("a.log", &format!("{}{}\n{}", line(1), "x".repeat(700 << 10), line(2)));
    it.until_numbers([1, 2]);
    assert_eq!(it.log("a.log").lines, 3);
}

#[test]
fn lines_that_end_in_carriage_return_and_newline_mean_the_same() {
    let mut it = Followed::start();
    it.append("a.log", &lines(0..50).replace('\n', "\r\n"));
    it.until_numbers(0..50);
}

#[test]
fn bytes_that_are_no_text_are_lines_like_others() {
    let mut it = Followed::start();
    it.open("a.log").write_all(b"\xff\xfe\0\n\0\0\0\n").unwrap();
    it.append("a.log", &line(3));
    it.until_numbers([3]);
    assert_eq!(it.log("a.log").lines, 3);
}

#[test]
fn a_file_of_many_buffers_is_read_to_its_last_byte() {
    let mut it = Followed::start();
    let text = lines(0..60_000);
    it.append("a.log", &text);
    it.until_numbers(0..60_000);
    assert_eq!(it.log("a.log").bytes, text.len() as u64);
}

#[test]
fn a_burst_in_one_file_does_not_hold_up_a_line_in_another() {
    let mut it = Followed::start();
    it.append("quiet.log", &line(0));
    it.until_numbers([0]);
    let noise = "nothing that anybody wants to know about this build\n".repeat(1 << 20);
    it.append("burst.log", &noise);
    it.append("quiet.log", &line(1));
    it.until("the line in the quiet log", |it| it.numbers() == [0, 1]);
    let read = it.logs.values().map(|log| log.bytes).sum::<u64>();
    assert!(read < noise.len() as u64, "the whole burst of {} bytes was read first", noise.len());
    it.until("the burst", |it| it.lines() == 2 + (1 << 20));
}

#[test]
fn content_from_before_the_start_is_as_old_as_its_file_and_new_content_is_from_now() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("old.log");
    std::fs::write(&path, lines(0..10)).unwrap();
    let written = std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(written).unwrap();

    let (sender, mut batches) = tokio::sync::mpsc::channel(4);
    let running = gobeacon_collectors::logs::start(settings(dir.path()), sender).unwrap();
    let old = batches.blocking_recv().unwrap();
    assert_eq!(old.observed, Timestamp::from_nanos(1_700_000_000 * 1_000_000_000));
    std::fs::File::options().append(true).open(&path).unwrap().write_all(line(10).as_bytes()).unwrap();
    let new = std::iter::from_fn(|| batches.blocking_recv()).find(|it| it.read_to > old.read_to).unwrap();
    assert!(new.observed.seconds_since(old.observed) > 1e6, "{new:?}");
    running.stop(Duration::from_secs(5));
    while batches.blocking_recv().is_some() {}
    running.join();
}

#[test]
fn a_line_after_silence_is_read_at_once() {
    let mut it = Followed::start();
    it.append("a.log", &line(0));
    it.until_numbers([0]);
    // hints, not looks, must carry it: the best of some tries is far below the interval of looks
    let fastest = (1..=20)
        .map(|n| {
            it.append("a.log", &line(n));
            it.until_numbers(0..=n)
        })
        .min()
        .unwrap();
    assert!(fastest < Duration::from_millis(50), "{fastest:?}");
}
