//! Files whose content is another one under the same name: truncated, written anew, with holes, compressed.

use std::fs;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::support::{Followed, line, lines};

fn writable(path: &Path) -> fs::File {
    fs::File::options().write(true).open(path).unwrap()
}

/// Copies and truncates, as logrotate does.
fn copytruncate(it: &Followed, name: &str) {
    fs::copy(it.path(name), it.path(&format!("{name}.1"))).unwrap();
    writable(&it.path(name)).set_len(0).unwrap();
}

#[test]
fn a_file_written_anew_to_the_very_same_size_is_read_again() {
    let mut it = Followed::start();
    it.append("a.log", &lines(100..200));
    it.until_numbers(100..200);
    // one write in place: its size never changes
    writable(&it.path("a.log")).write_all_at(lines(200..300).as_bytes(), 0).unwrap();
    it.until_numbers(100..300);
    assert_eq!((it.health().truncations, it.logs.len()), (1, 2));
}

#[test]
fn a_file_written_anew_to_the_same_size_is_found_by_looking_where_there_are_no_hints() {
    let mut it = Followed::start_in(tempfile::tempdir().unwrap(), |settings| {
        settings.watch = false;
        settings.rescan_interval = std::time::Duration::from_millis(20);
    });
    it.append("a.log", &lines(100..200));
    it.until_numbers(100..200);
    let file = writable(&it.path("a.log"));
    let before = file.metadata().unwrap().modified().unwrap();
    file.write_all_at(lines(200..300).as_bytes(), 0).unwrap();
    file.set_modified(before + std::time::Duration::from_millis(5)).unwrap();
    it.until_numbers(100..300);
}

#[test]
fn a_file_truncated_and_grown_with_the_same_first_lines_is_read_again() {
    let mut it = Followed::start();
    it.append("a.log", &lines(0..100));
    it.until_numbers(0..100);
    let again = lines(0..50) + &lines(100..400);
    writable(&it.path("a.log")).write_all_at(again.as_bytes(), 0).unwrap();
    it.until("both", |it| it.numbers().len() == 100 + 350);
    assert_eq!(it.health().truncations, 1);
}

#[test]
fn a_file_whose_last_lines_stay_where_they_are_and_whose_first_are_others_is_read_again() {
    let mut it = Followed::start();
    it.append("a.log", &lines(100..200));
    it.until_numbers(100..200);
    let again = lines(200..250) + &lines(150..200) + &lines(300..310);
    writable(&it.path("a.log")).write_all_at(again.as_bytes(), 0).unwrap();
    it.until("both", |it| it.numbers().len() == 100 + 110);
}

#[test]
fn a_time_that_is_set_and_the_same_bytes_again_are_no_news() {
    let mut it = Followed::start();
    it.append("a.log", &lines(0..10));
    it.until_numbers(0..10);
    let file = writable(&it.path("a.log"));
    file.write_all_at(lines(0..10).as_bytes(), 0).unwrap();
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    it.append("a.log", &lines(10..20));
    it.until_numbers(0..20);
    it.stop();
    assert_eq!((it.numbers().len(), it.logs.len()), (20, 1));
}

#[test]
fn a_file_truncated_and_written_again_and_again_gives_what_stands_between_two_truncations() {
    let mut it = Followed::start();
    for round in 0..50_u64 {
        it.append("a.log", &lines(round * 20..round * 20 + 20));
        it.until_numbers(0..round * 20 + 20);
        copytruncate(&it, "a.log");
    }
    it.stop();
    assert_eq!(it.numbers(), (0..1000).collect::<Vec<_>>());
}

#[test]
fn a_file_truncated_while_it_is_read_gives_no_line_twice_and_none_that_was_not_written() {
    let mut it = Followed::start();
    let mut file = it.open("a.log");
    for round in 1..6_u64 {
        let noise = format!("a line of round {round} that means nothing to anybody who reads it\n").repeat(200_000);
        let first = round * 1000;
        file.write_all((lines(first..first + 100) + &noise).as_bytes()).unwrap();
        // what is truncated before anything of it was read is no log of its own
        it.until("it is being read", |it| it.numbers().contains(&first));
        // in the middle of a buffer, most likely
        writable(&it.path("a.log")).set_len(0).unwrap();
    }
    file.write_all(line(777).as_bytes()).unwrap();
    it.until("the last line", |it| it.numbers().contains(&777));
    for log in it.logs.values() {
        let mut numbers = log.numbers.clone();
        numbers.dedup();
        assert!(log.numbers == numbers && log.numbers.is_sorted(), "{:?}", log.numbers);
    }
}

#[test]
fn a_writer_that_does_not_append_goes_on_behind_a_hole_after_a_truncation() {
    let mut it = Followed::start();
    let writer = fs::File::create(it.path("a.log")).unwrap();
    (&writer).write_all(lines(0..1000).as_bytes()).unwrap();
    it.until_numbers(0..1000);
    copytruncate(&it, "a.log");
    (&writer).write_all(lines(1000..1010).as_bytes()).unwrap();
    it.until_numbers(0..1010);
    it.stop();
    assert_eq!(it.lines(), 1010, "the hole is no line");
}

#[test]
fn a_hole_of_many_gigabytes_costs_neither_time_nor_memory_and_is_no_line() {
    let mut it = Followed::start();
    it.append("a.log", &lines(0..10));
    it.until_numbers(0..10);
    let file = writable(&it.path("a.log"));
    let end = 64 << 30;
    file.set_len(end).unwrap();
    file.write_all_at(lines(10..20).as_bytes(), end).unwrap();
    it.until_numbers(0..20);
    file.set_len(end * 2).unwrap();
    it.append("b.log", &line(20));
    it.until_numbers(0..=20);
    it.until("what holds nothing is nothing to read", |it| it.health().lag_bytes == 0);
    it.stop();
    assert_eq!(it.lines(), 21);
}

#[test]
fn nuls_that_a_crash_left_are_no_line_and_end_the_one_before_them() {
    let mut it = Followed::start();
    let (half, _) = "a line that was never finished".split_at(20);
    for nuls in [4096, 4097, 200_000, 1 << 20] {
        let name = format!("{nuls}.log");
        it.open(&name).write_all(&[half.as_bytes(), &vec![0; nuls]].concat()).unwrap();
        it.until("all is looked at", |it| it.health().lag_bytes == 0 && it.logs.values().any(|log| log.bytes == 20));
        it.append(&name, &line(nuls as u64));
        it.until("the line behind", |it| it.numbers().contains(&(nuls as u64)));
        assert_eq!(it.log(&name).lines, 2);
        it.logs.clear();
    }
}

#[test]
fn a_few_nuls_are_content_wherever_the_writes_cut_them() {
    let mut it = Followed::start();
    let text = format!("go: downl\0\0oading example.com/m1 v1.0.1\n\0\0\0{}", line(2));
    let mut file = it.open("a.log");
    for byte in text.as_bytes() {
        file.write_all(&[*byte]).unwrap();
    }
    it.until_numbers([1, 2]);
    assert_eq!((it.log("a.log").lines, it.log("a.log").bytes), (2, text.len() as u64));
}

#[test]
fn room_that_was_reserved_is_read_as_it_is_filled() {
    let mut it = Followed::start();
    let file = fs::File::create(it.path("a.log")).unwrap();
    file.set_len(1 << 20).unwrap();
    it.until("it is looked at", |it| it.health().files == 1 && it.health().lag_bytes == 0);
    let mut at = 0;
    for n in 0..200 {
        file.write_all_at(line(n).as_bytes(), at).unwrap();
        at += line(n).len() as u64;
        if n % 20 == 0 {
            it.until_numbers(0..=n);
        }
    }
    it.until_numbers(0..200);
    assert_eq!(it.log("a.log").read_to, at);
}

#[test]
fn files_of_zero_to_a_few_bytes_are_each_what_they_are() {
    let mut it = Followed::start();
    for (n, text) in ["", "\n", "a", "a\n", "\n\n", "ab", "\0", "\0\n"].iter().enumerate() {
        fs::write(it.path(&format!("{n}.log")), text).unwrap();
    }
    it.until("all are read", |it| it.health().files == 8 && it.health().lag_bytes == 0);
    it.until("all lines", |it| it.lines() == 5);
    for n in 0..8 {
        it.append(&format!("{n}.log"), &format!("\n{}", line(n)));
    }
    it.until_numbers(0..8);
    it.stop();
    // those without a newline have one line, which ends now
    assert_eq!(it.lines(), 5 + 16);
    assert_eq!(it.health().truncations, 0);
}

#[test]
fn an_archive_is_not_read_even_where_a_glob_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().display().to_string();
    let mut it = Followed::start_in(dir, |settings| {
        settings.include = vec![format!("{root}/*")];
        settings.exclude = Vec::new();
    });
    it.append("a.log", &lines(0..100));
    it.until_numbers(0..100);
    it.rename("a.log", "a.log.1");
    let gzip = std::process::Command::new("gzip").arg(it.path("a.log.1")).status().unwrap();
    assert!(gzip.success());
    it.append("a.log", &lines(100..110));
    it.until_numbers(0..110);
    it.until("it is seen", |it| it.health().compressed == 1);
    // one that grows, and one whose place a log takes
    it.append("a.log.1.gz", "more");
    it.open("b.log").write_all(b"\x28\xb5\x2f\xfdzstd").unwrap();
    it.until("the other is seen", |it| it.health().compressed == 2);
    fs::write(it.path("b.log"), lines(110..120)).unwrap();
    it.until_numbers(0..120);
    it.stop();
    assert_eq!(it.lines(), 120);
}

#[test]
fn what_was_truncated_before_it_was_read_is_counted_in_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let (sender, mut batches) = tokio::sync::mpsc::channel(1);
    let text = lines(0..40_000);
    fs::write(dir.path().join("a.log"), &text).unwrap();
    let running = gobeacon_collectors::logs::start(crate::support::settings(dir.path()), sender).unwrap();
    let health = running.health();
    crate::support::wait(|| batches.len() == 1 && health.read().lag_bytes > 0);
    fs::write(dir.path().join("a.log"), line(7)).unwrap();
    let mut read = 0;
    while read == 0 || health.read().truncations == 0 {
        read += batches.blocking_recv().unwrap().bytes;
    }
    running.stop(crate::support::DEADLINE);
    while let Some(batch) = batches.blocking_recv() {
        read += batch.bytes;
    }
    running.join();
    assert_eq!(health.read().lost_bytes + read, (text.len() + line(7).len()) as u64);
}
