//! The collector on its thread: what it tells, when, and what it does not.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use gobeacon_collectors::integrity::{Event, Report, Settings, start};
use gobeacon_collectors::{Observation, Places, Running};
use tokio::sync::mpsc;

use crate::modules::{Module, flip, module};

const PATIENCE: Duration = Duration::from_secs(60);

struct Scan {
    running: Running,
    seen: mpsc::Receiver<Observation>,
    events: Vec<Event>,
    conflicts: u64,
}

impl Scan {
    fn start(caches: &[&Path], change: impl FnOnce(&mut Settings)) -> Self {
        let dirs = caches.iter().map(|path| path.to_str().unwrap().to_owned()).collect();
        let mut settings = Settings {
            places: Places { dirs, ..Places::default() },
            look_interval: Duration::from_millis(20),
            confirm_after: Duration::from_millis(30),
            ..Settings::default()
        };
        change(&mut settings);
        let (sender, seen) = mpsc::channel(64);
        Self { running: start(settings, sender).unwrap(), seen, events: Vec::new(), conflicts: 0 }
    }

    /// Waits for an event; all events are kept.
    #[track_caller]
    fn wait_for(&mut self, what: &str, is_it: impl Fn(&Event) -> bool) {
        let began = Instant::now();
        while !self.events.iter().any(&is_it) {
            match self.seen.try_recv() {
                Ok(Observation::Integrity(Report { events, conflicts, .. })) => {
                    self.events.extend(events);
                    self.conflicts = conflicts;
                }
                Ok(other) => panic!("{other:?}"),
                Err(_) => std::thread::park_timeout(Duration::from_millis(5)),
            }
            assert!(began.elapsed() < PATIENCE, "{what} never came: {:?}", self.events);
        }
    }

    #[track_caller]
    fn wait_for_verified(&mut self) {
        self.wait_for("a verified version", |event| matches!(event, Event::Verified(_)));
    }

    fn alarms(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, Event::Conflict(_) | Event::Corrupt(_))).count()
    }

    fn stop(self) {
        self.running.stop(Duration::ZERO);
        self.running.join();
    }
}

fn is_resolved(event: &Event) -> bool {
    matches!(event, Event::Resolved { module, .. } if module == "a.b/c")
}

#[test]
fn each_corruption_is_found_named_and_gone_when_it_is_repaired() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (it, other) = (module("a.b/c", "package c // text\n"), module("a.b/d", "package d\n"));
    it.put(first.path());
    other.put(first.path());
    other.put(second.path());
    let mut scan = Scan::start(&[first.path(), second.path()], |_| {});
    scan.wait_for_verified();

    type Harm<'a> = (&'a str, Box<dyn Fn() + 'a>, bool);
    let moved = module("a.b/c", "package c // moved\n");
    let harms: [Harm<'_>; 3] = [
        ("flipped byte", Box::new(|| flip(&it.file(first.path(), "zip"), "// text")), false),
        (
            "swapped hash",
            Box::new(|| drop(fs::copy(other.file(first.path(), "ziphash"), it.file(first.path(), "ziphash")))),
            true,
        ),
        ("retagged in a second cache", Box::new(|| moved.put(second.path())), true),
    ];
    for (name, harm, is_conflict) in harms {
        scan.events.clear();
        harm();
        scan.wait_for(name, |event| match event {
            Event::Conflict(conflict) => is_conflict && conflict.module == "a.b/c",
            Event::Corrupt(corrupt) => !is_conflict && corrupt.module == "a.b/c",
            Event::Verified(_) | Event::Resolved { .. } => false,
        });
        assert!(scan.conflicts <= 1 && u64::from(is_conflict) <= scan.conflicts, "{name}: {}", scan.conflicts);
        fs::remove_dir_all(second.path().join("cache/download/a.b/c")).unwrap_or_default();
        it.put(first.path());
        scan.wait_for(name, is_resolved);
        assert_eq!(scan.conflicts, 0, "{name}");
    }
    scan.stop();
}

#[test]
fn an_edited_tree_is_found_within_a_scan_where_trees_are_read() {
    let cache = tempfile::tempdir().unwrap();
    let it = module("a.b/c", "package c\n");
    it.put(cache.path());
    let mut scan = Scan::start(&[cache.path()], |settings| {
        settings.extracted = true;
        settings.scan_interval = Duration::from_millis(100);
    });
    scan.wait_for_verified();
    fs::write(it.tree(cache.path()).join("c.go"), "package evil\n").unwrap();
    scan.wait_for("the tree", |event| matches!(event, Event::Corrupt(corrupt) if corrupt.detail == "edited: c.go"));
    scan.stop();
}

#[test]
fn what_is_wrong_is_told_once_however_often_it_is_read() {
    let cache = tempfile::tempdir().unwrap();
    let (it, other) = (module("a.b/c", "package c\n"), module("a.b/d", "package d\n"));
    it.put(cache.path());
    other.put(cache.path());
    fs::write(it.file(cache.path(), "ziphash"), other.h1().to_string()).unwrap();
    let mut scan = Scan::start(&[cache.path()], |settings| settings.scan_interval = Duration::from_millis(50));
    scan.wait_for("the conflict", |event| matches!(event, Event::Conflict(_)));
    // the other one is read again and again meanwhile
    for _ in 0..10 {
        scan.events.retain(|event| !matches!(event, Event::Verified(_)));
        scan.wait_for_verified();
    }
    assert_eq!(scan.alarms(), 1, "{:?}", scan.events);
    scan.stop();
}

#[test]
fn what_comes_is_verified_long_before_the_next_scan_and_in_place_of_what_waits() {
    let cache = tempfile::tempdir().unwrap();
    let mut scan = Scan::start(&[cache.path()], |_| {});
    for path in ["a.b/c", "a.b/d", "a.b/e"] {
        scan.events.clear();
        module(path, "package c\n").put(cache.path());
        scan.wait_for_verified();
    }
    assert_eq!(scan.alarms(), 0);
    scan.stop();
}

/// Writes a file again and again, half and then whole: nobody does this to a cache. Gives out how long it was half, at
/// most.
fn rewrite_for(time: Duration, path: &Path, whole: &[u8]) -> Duration {
    let (began, mut longest) = (Instant::now(), Duration::ZERO);
    while began.elapsed() < time {
        let half = Instant::now();
        fs::write(path, &whole[..whole.len() / 2]).unwrap();
        std::thread::park_timeout(Duration::from_millis(3));
        fs::write(path, whole).unwrap();
        longest = longest.max(half.elapsed());
        std::thread::park_timeout(Duration::from_millis(3));
    }
    longest
}

#[test]
fn a_download_that_is_being_written_is_no_alarm() {
    let cache = tempfile::tempdir().unwrap();
    let it = module("a.b/c", "package c // text\n");
    it.put(cache.path());
    let twice_wrong_after = Duration::from_millis(200);
    let (zip, path) = (it.zip(), it.file(cache.path(), "zip"));
    loop {
        let mut scan = Scan::start(&[cache.path()], |settings| settings.confirm_after = twice_wrong_after);
        scan.wait_for_verified();
        let was_half = rewrite_for(Duration::from_millis(1500), &path, &zip);
        scan.events.clear();
        scan.wait_for_verified();
        let alarms = scan.alarms();
        scan.stop();
        // a machine that stops the writer half way for so long shows a broken file: that is another test
        if was_half < twice_wrong_after / 2 {
            return assert_eq!(alarms, 0);
        }
    }
}

#[test]
fn no_more_is_read_than_the_budget_allows_and_a_stop_does_not_wait_for_it() {
    let cache = tempfile::tempdir().unwrap();
    let large = Module { files: vec![("go.mod", "module a.b/c\n".repeat(25_000))], ..module("a.b/c", "") };
    large.put(cache.path());
    // the zip and its go.mod: 650 kB, of which a second's worth is free
    let mut scan = Scan::start(&[cache.path()], |settings| settings.bytes_per_second = 300_000);
    let began = Instant::now();
    scan.wait_for_verified();
    assert!(began.elapsed() > Duration::from_millis(1100), "{:?}", began.elapsed());
    scan.stop();
    let scan = Scan::start(&[cache.path()], |settings| settings.bytes_per_second = 1);
    let began = Instant::now();
    scan.stop();
    assert!(began.elapsed() < PATIENCE);
}
