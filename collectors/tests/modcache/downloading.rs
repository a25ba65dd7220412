//! Downloads that end.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use gobeacon_collectors::State;
use gobeacon_collectors::modcache::{Ending, Settings};

use super::support::{Cache, Watching, now, settings};

/// File systems stamp files with a clock that ticks a few hundred times a second.
const TICK_SECONDS: f64 = 0.05;

fn two_hundred(watch: bool) {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::new(&dir, "mod");
    let mut watching = Watching::start(Settings { watch, ..settings(&[&cache.0]) });
    assert_eq!(watching.health().state, if watch { State::Running } else { State::Polling });
    let began = now();
    std::thread::scope(|scope| {
        for lane in 0..8 {
            let cache = &cache;
            scope.spawn(move || {
                for n in 0..25 {
                    cache.download(&format!("example.com/!lane{lane}/m{n}"), "v1.2.3", 1_000 * lane + n);
                }
            });
        }
    });
    let ended = watching.wait_ended(200);
    let names: BTreeSet<_> = ended.iter().map(|it| it.module.clone()).collect();
    assert_eq!(names.len(), 200, "each once");
    for it in &ended {
        let (lane, n) = it.module.trim_start_matches("example.com/Lane").split_once("/m").unwrap();
        assert_eq!(it.bytes, 1_000 * lane.parse::<u64>().unwrap() + n.parse::<u64>().unwrap());
        assert_eq!((it.version.as_str(), it.ending, it.redundant), ("v1.2.3", Ending::Fetched, false));
        assert_eq!(it.sum.as_deref(), Some("h1:n7S6uFbtgpdgHYVTW3pD1HykMZ59L8BN4GOKVzVt1Iw="));
        assert!(it.start >= began.plus_seconds(-TICK_SECONDS) && it.start <= it.end && it.end <= now(), "{it:?}");
    }
    assert_eq!(watching.finish().len(), 200);
}

#[test]
fn two_hundred_downloads_in_parallel_into_new_folders_are_each_told_once_to_the_byte() {
    two_hundred(true);
}

#[test]
fn without_notification_they_are_told_all_the_same_with_the_times_of_their_files() {
    two_hundred(false);
}

#[test]
fn what_is_removed_before_it_has_its_name_failed() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::new(&dir, "mod");
    let mut watching = Watching::start(settings(&[&cache.0]));
    // a folder is there long before: the go command gets .info and .mod first
    fs::create_dir_all(cache.versions("example.com/m")).unwrap();
    watching.marked(&cache);
    cache.begin("example.com/m", "v1.0.0").give_up();
    cache.download("example.com/m", "v1.0.0", 7);
    let ended = watching.wait_ended(2);
    assert_eq!(ended.iter().map(|it| it.ending).collect::<Vec<_>>(), [Ending::GivenUp, Ending::Fetched]);
    assert_eq!(ended[0].sum, None);
}

#[test]
fn what_was_under_way_at_the_start_is_adopted_with_its_own_start() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::new(&dir, "mod");
    cache.download("example.com/before", "v1.0.0", 5);
    let before = now();
    let mut writing = cache.begin("example.com/m", "v1.0.0");
    let after = now();
    let mut watching = Watching::start(settings(&[&cache.0]));
    writing.write(33);
    writing.finish();
    let ended = watching.wait_ended(1);
    assert_eq!((ended[0].module.as_str(), ended[0].bytes), ("example.com/m", 33));
    assert!(ended[0].start >= before.plus_seconds(-TICK_SECONDS) && ended[0].start <= after, "{ended:?}");
    assert_eq!(watching.finish().len(), 1);
}

#[test]
fn a_version_that_another_cache_has_or_this_one_had_is_redundant() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (Cache::new(&dir, "one"), Cache::new(&dir, "two"));
    one.download("example.com/old", "v1.0.0", 5);
    let mut watching = Watching::start(settings(&[&one.0, &two.0]));
    two.download("example.com/old", "v1.0.0", 5);
    two.download("example.com/new", "v1.0.0", 6);
    watching.wait_ended(2);
    fs::remove_dir_all(two.0.join("cache")).unwrap();
    two.download("example.com/new", "v1.0.0", 6);
    watching.wait_ended(3);
    two.download("example.com/new", "v1.0.1", 6);
    let ended = watching.wait_ended(4);
    let redundant: Vec<_> = ended.iter().map(|it| (it.module.as_str(), it.redundant)).collect();
    let (old, new) = ("example.com/old", "example.com/new");
    assert_eq!(redundant, [(old, true), (new, false), (new, true), (new, false)]);
}

#[test]
fn a_toolchain_is_named_as_the_module_that_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::new(&dir, "mod");
    let mut watching = Watching::start(settings(&[&cache.0]));
    cache.download("golang.org/toolchain", "v0.0.1-go1.27.3.linux-amd64", 9);
    let ended = watching.wait_ended(1);
    let name = (ended[0].module.as_str(), ended[0].version.as_str());
    assert_eq!(name, ("golang.org/toolchain", "v0.0.1-go1.27.3.linux-amd64"));
}

#[test]
fn copies_and_unpacked_archives_are_no_downloads_but_count_as_held() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (Cache::new(&dir, "from"), Cache::new(&dir, "to"));
    from.download("example.com/m", "v1.0.0", 5);
    let mut watching = Watching::start(settings(&[&to.0]));
    let (source, copy) = (from.versions("example.com/m"), to.versions("example.com/m"));
    fs::create_dir_all(&copy).unwrap();
    for name in ["v1.0.0.zip", "v1.0.0.ziphash"] {
        fs::write(copy.join(name), fs::read(source.join(name)).unwrap()).unwrap();
    }
    // as rsync and unpackers do that write beside and rename
    fs::write(copy.join(".v1.0.1.zip.Ab12"), b"x").unwrap();
    fs::rename(copy.join(".v1.0.1.zip.Ab12"), copy.join("v1.0.1.zip")).unwrap();
    watching.marked(&to);
    fs::remove_file(copy.join("v1.0.0.zip")).unwrap();
    to.download("example.com/m", "v1.0.0", 5);
    let ended = watching.wait_ended(1);
    assert!(ended[0].redundant, "{ended:?}");
    assert_eq!(watching.finish().len(), 1);
}

#[test]
fn a_stop_sends_what_was_seen() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::new(&dir, "mod");
    let watching = Watching::start(Settings { rescan_interval: Duration::from_secs(60), ..settings(&[&cache.0]) });
    // folders that are watched already, so that nothing is left to chance
    cache.download("example.com/m", "v1.0.0", 5);
    assert_eq!(watching.finish().len(), 1);
}
