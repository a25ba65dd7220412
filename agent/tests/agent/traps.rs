//! Where other agents lose or double lines: done to the real agent, which must count each line once.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::program::Agent;

/// Lines that count: each is a package that passed its tests.
fn lines(count: usize) -> String {
    "ok  \tcorp.example/app/a\t0.1s\n".repeat(count)
}

fn append(path: &Path, text: &str) {
    File::options().create(true).append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

/// An agent on an empty folder.
struct Traps {
    agent: Agent,
    folder: tempfile::TempDir,
}

impl Traps {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { agent: Agent::start(folder.path(), &[], &[]), folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Waits until so many lines are counted, each of which is a package.
    #[track_caller]
    fn counted(&self, count: usize) {
        let page = self.agent.wait_for_line(&format!("gobeacon_log_lines_total {count}"));
        let packages = format!("gobuild_test_packages_total {count}");
        assert!(page.lines().any(|line| line == packages), "{page}");
    }
}

#[test]
fn three_logs_with_identical_lines_are_three_logs() {
    let it = Traps::start();
    for name in ["a.log", "b.log", "c.log"] {
        append(&it.path(name), &lines(2040));
    }
    it.counted(6120);
    it.agent.wait_for_line("gobeacon_log_files 3");
}

#[test]
fn a_log_that_was_copied_and_truncated_and_has_grown_beyond_where_it_was_is_read_from_its_start() {
    let it = Traps::start();
    let log = it.path("a.log");
    let numbered = |from: usize, count: usize| -> String {
        (from..from + count).map(|n| format!("ok  \tcorp.example/app/p{n}\t0.1s\n")).collect()
    };
    append(&log, &numbered(1000, 1000));
    it.counted(1000);
    fs::copy(&log, it.path("a.log.1")).unwrap();
    // one write that leaves no time to see it short
    File::options().write(true).open(&log).unwrap().write_all_at(numbered(5000, 3000).as_bytes(), 0).unwrap();
    it.counted(4000);
    it.agent.wait_for_line("gobeacon_log_truncations_total 1");
}

#[test]
fn a_hundred_thousand_lines_over_four_rotations_a_second_out_of_the_glob_are_all_counted() {
    let it = Traps::start();
    for round in 0..20 {
        let began = Instant::now();
        let mut file = File::create(it.path("a.log")).unwrap();
        let hundred = lines(100);
        for _ in 0..50 {
            file.write_all(hundred.as_bytes()).unwrap();
        }
        // the pace of the rotations is what is tried here
        while began.elapsed() < Duration::from_millis(250) {
            std::thread::yield_now();
        }
        fs::rename(it.path("a.log"), it.path(&format!("a.log.{round}"))).unwrap();
    }
    it.counted(100_000);
    it.agent.wait_for_line("gobeacon_log_lost_bytes_total 0");
}

#[test]
fn a_line_and_a_new_log_are_on_the_page_within_fifty_milliseconds() {
    let it = Traps::start();
    let mut fastest = [Duration::MAX; 2];
    for round in 0..20 {
        for (n, name) in ["same.log".to_owned(), format!("new{round}.log")].iter().enumerate() {
            let began = Instant::now();
            append(&it.path(name), &lines(1));
            let wanted = f64::from(round * 2 + n as i32 + 1);
            while it.agent.value("gobeacon_log_lines_total").unwrap() < wanted {
                assert!(began.elapsed() < crate::program::PATIENCE);
            }
            fastest[n] = fastest[n].min(began.elapsed());
        }
    }
    // the machine is busy with other tests: looks, which come twice a second, would be slower every time
    assert!(fastest.iter().all(|it| *it < Duration::from_millis(50)), "{fastest:?}");
}

#[test]
fn lines_written_after_a_rename_and_after_an_unlink_are_counted() {
    let it = Traps::start();
    let mut renamed = File::create(it.path("a.log")).unwrap();
    let mut unlinked = File::create(it.path("b.log")).unwrap();
    it.agent.wait_for_line("gobeacon_log_files 2");
    fs::rename(it.path("a.log"), it.path("a.old")).unwrap();
    renamed.write_all(lines(10).as_bytes()).unwrap();
    fs::remove_file(it.path("b.log")).unwrap();
    unlinked.write_all(lines(10).as_bytes()).unwrap();
    it.counted(20);
    renamed.write_all(lines(10).as_bytes()).unwrap();
    unlinked.write_all(lines(10).as_bytes()).unwrap();
    it.counted(40);
}

#[test]
fn a_link_swapped_as_the_kubelet_swaps_them_gives_the_lines_of_both_targets() {
    let it = Traps::start();
    let pods = tempfile::tempdir().unwrap();
    append(&pods.path().join("0.log"), &lines(5));
    symlink(pods.path().join("0.log"), it.path("pod.log")).unwrap();
    it.counted(5);
    append(&pods.path().join("1.log"), &lines(7));
    append(&pods.path().join("0.log"), &lines(3));
    symlink(pods.path().join("1.log"), it.path("next")).unwrap();
    fs::rename(it.path("next"), it.path("pod.log")).unwrap();
    it.counted(15);
    // and what it leads to is rotated
    fs::rename(pods.path().join("1.log"), pods.path().join("1.log.20260102-030405")).unwrap();
    append(&pods.path().join("1.log"), &lines(10));
    it.counted(25);
}

#[test]
fn a_line_in_two_writes_is_one_line() {
    let it = Traps::start();
    let text = lines(1);
    let (head, tail) = text.split_at(9);
    append(&it.path("a.log"), head);
    it.agent.wait_for_line("gobeacon_log_bytes_total 9");
    append(&it.path("a.log"), tail);
    it.counted(1);
}

#[test]
fn a_log_that_was_read_is_not_read_again_when_it_is_compressed() {
    let folder = tempfile::tempdir().unwrap();
    // a glob that finds archives too, and nothing that leaves them out
    let config = folder.path().join("config.yaml");
    let root = folder.path().display();
    let text =
        format!("listen: 127.0.0.1:0\nstate_dir: {root}/state\nlogs:\n  include: [\"{root}/logs/*\"]\n  exclude: []\n");
    fs::write(&config, text).unwrap();
    fs::create_dir(folder.path().join("logs")).unwrap();
    let it = Traps { agent: Agent::start_configured(&config, &[]), folder };
    append(&it.path("logs/a.log"), &lines(1000));
    it.counted(1000);
    fs::rename(it.path("logs/a.log"), it.path("logs/a.log.1")).unwrap();
    assert!(Command::new("gzip").arg(it.path("logs/a.log.1")).status().unwrap().success());
    append(&it.path("logs/a.log"), &lines(10));
    it.agent.wait_for_line("gobeacon_log_compressed_files_total 1");
    it.counted(1010);
}

#[test]
fn a_line_that_a_runtime_split_and_a_rotation_parted_is_counted_whole() {
    let it = Traps::start();
    let record = |flag: &str, text: &str| format!("2026-01-02T03:04:05.0Z stdout {flag} {text}\n");
    let log = it.path("0.log");
    append(&log, &(record("F", "ok  \tcorp.example/a\t0.1s") + &record("P", "ok  \tcorp.exa")));
    it.agent.wait_for_line("gobeacon_log_lines_total 2");
    fs::rename(&log, it.path("0.log.20260102-030405")).unwrap();
    append(&log, &(record("F", "mple/b\t0.2s") + &record("F", "ok  \tcorp.example/c\t0.1s")));
    it.agent.wait_for_line("gobuild_test_packages_total 3");
    it.agent.wait_for_line("gobeacon_log_lines_total 4");
}

#[test]
fn five_thousand_logs_are_all_followed_by_one_watcher() {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..5000 {
        fs::write(folder.path().join(format!("{n}.log")), "make: nothing to be done\n").unwrap();
    }
    let it = Traps { agent: Agent::start(folder.path(), &[], &[]), folder };
    it.agent.wait_for_line("gobeacon_log_lines_total 5000");
    for n in (0..5000).step_by(10) {
        append(&it.path(&format!("{n}.log")), &lines(1));
    }
    it.agent.wait_for_line("gobuild_test_packages_total 500");
    it.agent.wait_for_line("gobeacon_log_lines_total 5500");
    let proc = PathBuf::from(format!("/proc/{}", it.agent.pid()));
    // other collectors have an instance of their own, with nothing to watch here
    let infos = fs::read_dir(proc.join("fdinfo")).unwrap().filter_map(|it| fs::read_to_string(it.ok()?.path()).ok());
    assert_eq!(infos.filter(|info| info.contains("inotify wd:")).count(), 1);
    let handles = fs::read_dir(proc.join("fd")).unwrap();
    let targets: Vec<_> = handles.filter_map(|it| fs::read_link(it.ok()?.path()).ok()).collect();
    let logs = targets.iter().filter(|target| target.starts_with(it.folder.path())).count();
    assert!(logs <= 520, "{logs} handles");
}
