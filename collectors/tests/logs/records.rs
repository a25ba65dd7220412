//! Logs of containers: lines in parts, and rotations between the parts.

use std::fs;
use std::io::Write;
use std::time::Duration;

use crate::support::{Followed, line};

const STAMP: &str = "2026-01-02T03:04:05.000000000Z";

/// A line as the runtime writes it, in parts of some bytes.
fn parts(stream: &str, text: &str, length: usize) -> Vec<String> {
    let text = text.trim_end();
    let pieces: Vec<_> = text.as_bytes().chunks(length).map(|it| String::from_utf8_lossy(it).into_owned()).collect();
    let last = pieces.len() - 1;
    let record =
        |(n, piece): (usize, &String)| format!("{STAMP} {stream} {} {piece}\n", if n == last { 'F' } else { 'P' });
    pieces.iter().enumerate().map(record).collect()
}

/// What the kubelet does: a rename, then a new file under the old name.
fn rotate(it: &Followed, round: u64) {
    it.rename("0.log", &format!("0.log.2026010{round}-030405"));
    fs::File::create(it.path("0.log")).unwrap();
}

/// The same ten seconds after the last line was written, as the kubelet looks no more often: it has been read.
fn rotate_read(it: &mut Followed, round: u64) {
    let files = fs::read_dir(it.dir.path()).unwrap().map(|it| fs::read_to_string(it.unwrap().path()).unwrap());
    let written: usize = files.map(|it| it.lines().count()).sum();
    it.until("all is read", |it| it.lines() == written as u64);
    rotate(it, round);
}

#[test]
fn a_line_that_was_split_is_whole_though_its_log_is_rotated_between_the_parts() {
    let mut it = Followed::start();
    it.append("0.log", &format!("{STAMP} stdout F hello\n{STAMP} stdout F world\n"));
    for round in 1..6 {
        for (n, part) in parts("stdout", &line(round), 20).into_iter().enumerate() {
            it.append("0.log", &part);
            // once after each of the parts but the last
            if n as u64 == (round - 1) % 2 {
                rotate_read(&mut it, round);
            }
        }
    }
    it.until_numbers(1..6);
    it.until("nothing is held any more", |it| it.logs.values().all(|log| log.open_from == log.read_to));
}

#[test]
fn both_streams_are_joined_and_a_part_is_joined_over_several_rotations() {
    let mut it = Followed::start();
    let (out, err) = (parts("stdout", &line(1), 15), parts("stderr", &line(2), 15));
    for (n, (out, err)) in out.iter().zip(&err).enumerate() {
        it.append("0.log", out);
        it.append("0.log", err);
        if n + 1 < out.len().min(3) {
            rotate_read(&mut it, n as u64);
        }
    }
    it.until_numbers([1, 2]);
}

#[test]
fn parts_that_were_not_read_when_their_log_was_renamed_are_joined_too() {
    let mut it = Followed::start();
    let noise = format!("{STAMP} stdout F nothing that anybody wants to know\n").repeat(50_000);
    let [head, tail] = <[String; 2]>::try_from(parts("stdout", &line(7), 30)).unwrap();
    it.append("0.log", &(noise + &head));
    rotate(&it, 1);
    it.append("0.log", &tail);
    it.until_numbers([7]);
    it.until("all", |it| it.lines() == 50_002);
}

#[test]
fn parts_whose_rest_never_comes_are_a_line_of_the_old_log() {
    let dir = tempfile::tempdir().unwrap();
    let mut it = Followed::start_in(dir, |settings| settings.linger = Duration::from_millis(100));
    it.append("0.log", &format!("{STAMP} stdout F hello\n{STAMP} stdout P {}", line(3)));
    it.until("it is read", |it| it.lines() == 2);
    it.rename("0.log", "gone");
    it.until_numbers([3]);
}

#[test]
fn a_log_that_takes_the_place_of_one_without_records_begins_by_itself() {
    let mut it = Followed::start();
    it.open("0.log").write_all(b"no record\nhalf a li").unwrap();
    it.until("it is read", |it| it.lines() == 1);
    rotate(&it, 1);
    it.append("0.log", &line(4));
    it.until_numbers([4]);
    it.append("0.log", &format!("{STAMP} stdout F no record either\n"));
    it.stop();
    assert_eq!(it.lines(), 4);
}
