//! Files that appear, under one name or several.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;

use gobeacon_collectors::logs::{self, Settings};
use gobeacon_collectors::{Problem, State};

use crate::support::{Followed, line, lines};

#[test]
fn a_new_file_is_read_from_its_first_byte_at_once() {
    let mut it = Followed::start();
    let fastest = (0..20)
        .map(|n| {
            it.append(&format!("{n}.log"), &line(n));
            it.until_numbers(0..=n)
        })
        .min()
        .unwrap();
    assert!(fastest < Duration::from_millis(50), "{fastest:?}");
    assert!(it.logs.values().all(|log| log.bytes == log.read_to));
}

#[test]
fn a_file_in_a_directory_that_comes_later_is_read_at_once() {
    let mut it = Followed::start();
    let fastest = (0..20)
        .map(|n| {
            fs::create_dir_all(it.path(&format!("new{n}/x/y"))).unwrap();
            it.append(&format!("new{n}/x/y/a.log"), &line(n));
            it.until_numbers(0..=n)
        })
        .min()
        .unwrap();
    assert!(fastest < Duration::from_millis(50), "{fastest:?}");
}

#[test]
fn a_base_that_does_not_exist_at_the_start_is_found_when_it_comes() {
    let dir = tempfile::tempdir().unwrap();
    let glob = format!("{}/later/by/far/*.log", dir.path().display());
    let mut it = Followed::start_in(dir, |settings| {
        settings.include = vec![glob];
        settings.rescan_interval = Duration::from_secs(3600);
    });
    fs::create_dir_all(it.path("later/by/far")).unwrap();
    it.append("later/by/far/a.log", &line(1));
    it.until_numbers([1]);
    assert_eq!(it.health().errors.iter().map(|(_, count)| count).sum::<u64>(), 0, "{:?}", it.health());
}

#[test]
fn a_directory_that_is_removed_and_made_again_is_followed_again() {
    let mut it = Followed::start();
    for round in 0..3 {
        fs::create_dir(it.path("job")).unwrap();
        it.append("job/a.log", &line(round));
        it.until_numbers(0..=round);
        fs::remove_dir_all(it.path("job")).unwrap();
    }
}

#[test]
fn a_directory_that_is_renamed_keeps_its_logs() {
    let mut it = Followed::start();
    fs::create_dir(it.path("old")).unwrap();
    it.append("old/a.log", &line(0));
    it.until_numbers([0]);
    it.rename("old", "new");
    it.append("new/a.log", &line(1));
    it.append("new/b.log", &line(2));
    it.until_numbers(0..3);
    it.append("new/a.log", &line(3));
    it.until_numbers(0..4);
    assert_eq!(it.logs.len(), 2);
}

#[test]
fn two_thousand_files_are_all_read_and_all_followed() {
    let dir = tempfile::tempdir().unwrap();
    for n in 0..2000 {
        fs::write(dir.path().join(format!("{n}.log")), line(n)).unwrap();
    }
    let mut it = Followed::start_in(dir, |_| {});
    it.until_numbers(0..2000);
    assert_eq!(it.health().files, 2000);
    for n in (0..2000).step_by(7) {
        it.append(&format!("{n}.log"), &line(10_000 + n));
    }
    it.until_numbers((0..2000).chain((0..2000).step_by(7).map(|n| 10_000 + n)));
    assert_eq!(it.logs.len(), 2000);
}

#[test]
fn files_with_identical_content_are_different_logs() {
    let mut it = Followed::start();
    for name in ["a.log", "b.log", "c.log"] {
        it.append(name, &lines(0..40));
    }
    it.until("all three", |it| it.lines() == 120);
    assert_eq!(it.logs.len(), 3);
}

#[test]
fn a_file_with_two_names_is_read_once() {
    let mut it = Followed::start();
    it.append("a.log", &lines(0..5));
    fs::hard_link(it.path("a.log"), it.path("b.log")).unwrap();
    symlink(it.path("a.log"), it.path("c.log")).unwrap();
    it.append("b.log", &lines(5..10));
    it.until_numbers(0..10);
    fs::remove_file(it.path("a.log")).unwrap();
    it.append("b.log", &lines(10..15));
    it.until_numbers(0..15);
    it.stop();
    assert_eq!(it.numbers(), (0..15).collect::<Vec<_>>());
    assert_eq!(it.logs.len(), 1);
}

#[test]
fn a_link_that_is_swapped_to_another_target_gives_the_lines_of_both() {
    let targets = tempfile::tempdir().unwrap();
    let (first, second) = (targets.path().join("1"), targets.path().join("2"));
    fs::write(&first, lines(0..5)).unwrap();
    let mut it = Followed::start();
    symlink(&first, it.path("0.log")).unwrap();
    it.until_numbers(0..5);
    // the writer is still at the old target when the link is swapped
    append(&first, &lines(5..8));
    fs::write(&second, lines(20..25)).unwrap();
    symlink(&second, it.path("tmp")).unwrap();
    it.rename("tmp", "0.log");
    append(&first, &lines(8..10));
    it.until_numbers((0..10).chain(20..25));
    // hints come from where the link leads
    let fastest = (25..40)
        .map(|n| {
            append(&second, &line(n));
            it.until_numbers((0..10).chain(20..=n))
        })
        .min()
        .unwrap();
    assert!(fastest < Duration::from_millis(50), "{fastest:?}");
    assert_eq!(it.logs.len(), 2);
}

fn append(path: &std::path::Path, text: &str) {
    use std::io::Write;
    fs::File::options().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

#[test]
fn a_link_that_leads_nowhere_is_counted_and_read_when_it_leads_somewhere() {
    let mut it = Followed::start();
    symlink(it.path("target"), it.path("a.log")).unwrap();
    it.until("counted", |it| count(it, Problem::NotFound) > 0);
    it.append("target", &line(1));
    it.until_numbers([1]);
}

#[test]
fn excluded_files_and_directories_are_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().display().to_string();
    let mut it = Followed::start_in(dir, |settings| {
        settings.include = vec![format!("{root}/**")];
        settings.exclude = vec!["*.gz".into(), "skip".into(), format!("{root}/not/*.log")];
    });
    for name in ["skip", "not"] {
        fs::create_dir(it.path(name)).unwrap();
    }
    for (n, name) in ["a.gz", "skip/a.log", "not/a.log", "a.log", "not/b.txt"].into_iter().enumerate() {
        it.append(name, &line(n as u64));
    }
    it.until_numbers([3, 4]);
    it.stop();
    assert_eq!(it.numbers(), [3, 4]);
}

#[test]
fn a_pipe_under_a_log_name_is_left_alone() {
    let mut it = Followed::start();
    let made = std::process::Command::new("mkfifo").arg(it.path("pipe.log")).status().unwrap();
    assert!(made.success());
    it.append("a.log", &line(1));
    it.until_numbers([1]);
    it.stop();
    assert_eq!(it.logs.len(), 1);
}

#[test]
fn a_file_that_may_not_be_read_is_counted_and_read_once_it_may() {
    let mut it = Followed::start();
    it.append("tmp", &line(1));
    let allow = |it: &Followed, name: &str, mode| {
        fs::set_permissions(it.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    allow(&it, "tmp", 0o000);
    if fs::File::open(it.path("tmp")).is_ok() {
        // whoever runs this may read everything: a directory loop cannot be opened by anybody
        symlink("loop.log", it.path("loop.log")).unwrap();
        it.until("counted", |it| count(it, Problem::Io) > 0);
        fs::remove_file(it.path("loop.log")).unwrap();
        it.rename("tmp", "loop.log");
    } else {
        it.rename("tmp", "a.log");
        it.until("counted", |it| count(it, Problem::PermissionDenied) > 0);
        allow(&it, "a.log", 0o600);
    }
    it.until_numbers([1]);
    assert_eq!(it.health().state, State::Running);
}

#[test]
fn a_glob_that_cannot_be_understood_stops_nothing_but_the_start() {
    let (sender, _receiver) = tokio::sync::mpsc::channel(1);
    let settings = Settings { include: vec!["/var/log/[oops.log".into()], ..Settings::default() };
    let error = logs::start(settings, sender).unwrap_err().to_string();
    assert!(error.contains("/var/log/[oops.log"), "{error}");
}

fn count(it: &Followed, problem: Problem) -> u64 {
    it.health().errors.iter().find(|(it, _)| *it == problem).unwrap().1
}

#[test]
fn what_a_link_leads_to_may_be_rotated_again_and_again_behind_the_link() {
    let pods = tempfile::tempdir().unwrap();
    let target = pods.path().join("0.log");
    let mut it = Followed::start_in(tempfile::tempdir().unwrap(), |settings| {
        // looks would find it too late to be told from hints
        settings.rescan_interval = Duration::from_secs(3600);
    });
    fs::write(&target, line(0)).unwrap();
    symlink(&target, it.path("pod.log")).unwrap();
    it.until_numbers([0]);
    let mut fastest = Duration::MAX;
    for round in 1..10_u64 {
        // the kubelet renames and makes a new one, the link in /var/log/containers stays
        let old = fs::File::options().append(true).open(&target).unwrap();
        fs::rename(&target, pods.path().join(format!("0.log.{round}"))).unwrap();
        std::io::Write::write_all(&mut &old, line(round * 10).as_bytes()).unwrap();
        fs::write(&target, line(round * 10 + 1)).unwrap();
        let wanted: Vec<_> = (1..=round).flat_map(|it| [it * 10, it * 10 + 1]).chain([0]).collect();
        fastest = fastest.min(it.until_numbers(wanted));
    }
    assert!(fastest < Duration::from_millis(50), "{fastest:?}");
    fs::remove_file(&target).unwrap();
    fs::write(&target, line(1000)).unwrap();
    it.until("the one behind a deleted one", |it| it.numbers().contains(&1000));
}
