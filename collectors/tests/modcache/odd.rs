//! Caches that are not as they should be.

use std::fs;
use std::os::unix::fs::symlink;

use gobeacon_collectors::modcache::Event;
use gobeacon_collectors::{Problem, State};

use super::support::{Cache, Watching, settings};

#[test]
fn a_cache_that_comes_later_is_watched_and_one_that_is_made_again_too() {
    let dir = tempfile::tempdir().unwrap();
    let later = dir.path().join("later");
    let mut watching = Watching::start(settings(&[&later]));
    let not_found = watching.health().errors.into_iter().find(|(problem, _)| *problem == Problem::NotFound);
    assert_eq!(not_found, Some((Problem::NotFound, 1)), "said once");
    let cache = Cache::new(&dir, "later");
    cache.download("example.com/m", "v1.0.0", 5);
    watching.wait_ended(1);
    fs::remove_dir_all(&cache.0).unwrap();
    let cache = Cache::new(&dir, "later");
    cache.download("example.com/m", "v1.0.0", 6);
    let ended = watching.wait_ended(2);
    assert_eq!((ended[1].bytes, ended[1].redundant), (6, true));
    assert_eq!(watching.health().state, State::Running);
}

#[test]
fn a_cache_under_two_names_is_one_and_one_on_another_disk_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::new(&dir, "mod");
    let elsewhere = dir.path().join("elsewhere");
    fs::create_dir_all(elsewhere.join("download")).unwrap();
    symlink(&elsewhere, cache.0.join("cache")).unwrap();
    let link = dir.path().join("link");
    symlink(&cache.0, &link).unwrap();
    let mut watching = Watching::start(settings(&[&cache.0, &link]));
    cache.download("example.com/m", "v1.0.0", 5);
    watching.wait_ended(1);
    assert_eq!(watching.finish().len(), 1);
}

#[test]
fn links_and_files_in_the_place_of_folders_and_loops_do_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::new(&dir, "mod");
    let download = cache.0.join("cache/download");
    fs::create_dir_all(download.join("example.com")).unwrap();
    symlink(&download, download.join("example.com/loop")).unwrap();
    symlink(dir.path().join("nowhere"), download.join("dangling")).unwrap();
    fs::write(download.join("file"), b"").unwrap();
    fs::create_dir_all(download.join("example.com/x/@v/v1.0.0.zip")).unwrap();
    fs::create_dir_all(download.join("example.com/x/@v/v1.0.0.zip1.tmp")).unwrap();
    let mut watching = Watching::start(settings(&[&cache.0]));
    cache.download("example.com/m", "v1.0.0", 5);
    watching.wait_ended(1);
    assert_eq!(watching.finish().len(), 1);
}

#[test]
fn a_cache_that_is_removed_ends_what_was_under_way() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::new(&dir, "mod");
    let mut watching = Watching::start(settings(&[&cache.0]));
    let writing = cache.begin("example.com/m", "v1.0.0");
    watching.marked(&cache);
    fs::remove_dir_all(&cache.0).unwrap();
    watching.wait_ended(1);
    writing.kill();
    assert_eq!(watching.finish().len(), 1);
}

#[test]
fn what_a_cache_holds_is_counted_at_the_start_and_a_cache_that_is_gone_is_said_to_be() {
    let dir = tempfile::tempdir().unwrap();
    let (cache, other) = (Cache::new(&dir, "mod"), Cache::new(&dir, "other"));
    cache.download("example.com/m", "v1.0.0", 1_000);
    cache.download("example.com/m", "v1.0.1", 2_000);
    let mut watching = Watching::start(settings(&[&cache.0, &other.0]));
    watching.wait("both are counted", |it| it.counts.len() == 2);
    let of = |event: &Event| if let Event::Counted(holdings) = event { Some(**holdings) } else { None };
    let all: Vec<_> = watching.counts.iter().filter_map(of).collect();
    let holdings = all.iter().find(|it| it.versions > 0).unwrap();
    assert_eq!((all.len(), holdings.versions), (2, 2));
    assert!((3_000..4_000).contains(&holdings.bytes) && holdings.free_bytes > Some(0), "{holdings:?}");
    fs::remove_dir_all(&other.0).unwrap();
    watching.wait("one is gone", |it| it.counts.contains(&Event::Gone));
}
