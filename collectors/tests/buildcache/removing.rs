//! Entries that go away.

use std::fs;

use gobeacon_collectors::buildcache::{Event, Removal, RemovedBy};

use super::support::{Cache, Said, Watching, content};

fn cache(count: u32) -> (tempfile::TempDir, Cache) {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache(folder.path().join("go-build"));
    cache.open();
    (0..count).for_each(|n| cache.put(n));
    (folder, cache)
}

fn removals(said: &Said) -> Vec<Removal> {
    said.events.iter().filter_map(|event| if let Event::Removed(it) = event { Some(*it) } else { None }).collect()
}

fn bytes(range: std::ops::Range<u32>) -> u64 {
    range.map(|n| 175 + content(n).len() as u64).sum()
}

fn remove(cache: &Cache, n: u32) {
    for part in ['a', 'd'] {
        fs::remove_file(cache.path(n, part)).unwrap();
    }
}

#[test]
fn a_trim_is_told_with_its_bytes_and_with_who_did_it() {
    let (_folder, cache) = cache(300);
    let mut watching = Watching::settled(&cache);
    fs::write(cache.0.join("trim.txt"), "1800000000").unwrap();
    (0..100).for_each(|n| remove(&cache, n));
    watching.until("the trim is told", |said| !removals(said).is_empty());
    let said = watching.end();
    let [removal] = removals(&said)[..] else { panic!("{:?}", removals(&said)) };
    assert_eq!((removal.by, removal.entries, removal.unknown), (RemovedBy::GoTrim, 200, 0));
    assert_eq!(removal.bytes, bytes(0..100));
    let left = said.stock.map(|stock| (stock.entries(), stock.bytes()));
    assert!(left.is_some());
}

#[test]
fn entries_that_something_else_removes_are_told_as_that() {
    let (_folder, cache) = cache(30);
    let watching = Watching::settled(&cache);
    (0..10).for_each(|n| remove(&cache, n));
    let said = watching.end();
    let told: Vec<_> = removals(&said).iter().map(|it| (it.by, it.entries)).collect();
    assert_eq!(told, [(RemovedBy::Unknown, 20)]);
}

#[test]
fn go_clean_is_no_trim() {
    let (_folder, cache) = cache(300);
    fs::write(cache.0.join("trim.txt"), "1800000000").unwrap();
    let watching = Watching::settled(&cache);
    for dir in 0..256 {
        fs::remove_dir_all(cache.0.join(format!("{dir:02x}"))).unwrap();
    }
    let said = watching.end();
    let [removal] = removals(&said)[..] else { panic!("{:?}", removals(&said)) };
    assert_eq!((removal.by, removal.entries, removal.bytes), (RemovedBy::Clean, 600, bytes(0..300)));
}

#[test]
fn the_size_follows_what_is_put_and_what_is_removed() {
    let (_folder, cache) = cache(100);
    let mut watching = Watching::settled(&cache);
    (100..250).for_each(|n| cache.put(n));
    (0..50).for_each(|n| remove(&cache, n));
    watching.until("the size is right", |said| said.stock.is_some_and(|it| it.bytes() == bytes(50..250)));
    let said = watching.end();
    assert_eq!(said.stock.unwrap().entries(), 400);
}

#[test]
fn what_is_unpacked_over_a_cache_was_not_removed_before() {
    let (_folder, cache) = cache(200);
    let watching = Watching::settled(&cache);
    (0..200).for_each(|n| cache.unpack(n, std::time::Duration::from_secs(7200), true));
    let said = watching.end();
    assert_eq!(removals(&said), []);
    assert_eq!((said.used.puts, said.used.restored), (0, 400));
}
