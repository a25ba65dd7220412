//! Caches that are not as they should be, and systems that tell nothing.

use std::fs;

use gobeacon_collectors::State;
use gobeacon_collectors::buildcache::{Event, How};

use super::support::{Cache, Watching, content, entry, settings};

fn cache() -> (tempfile::TempDir, Cache) {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache(folder.path().join("go-build"));
    (folder, cache)
}

#[test]
fn without_watches_puts_and_removals_are_found_by_looking_and_that_is_said() {
    let (_folder, cache) = cache();
    cache.open();
    (0..100).for_each(|n| cache.put(n));
    let mut settings = settings(&cache.0);
    settings.watch = false;
    let mut watching = Watching::start(settings);
    assert_eq!(watching.health().state, State::Polling);
    watching.until("all was looked at", |said| said.stock.is_some() && said.is_seen(How::Polled));
    (100..300).for_each(|n| cache.put(n));
    assert!((0..300).all(|n| cache.get(n)));
    watching.until("the puts are found", |said| said.used.puts == 200);
    (0..50).for_each(|n| fs::remove_file(cache.path(n, 'a')).unwrap());
    watching.until("the removals are found", |said| {
        said.events.iter().any(|event| matches!(event, Event::Removed(it) if it.entries == 50))
    });
    let said = watching.end();
    assert_eq!((said.used.hits, said.used.puts), (0, 200));
}

#[test]
fn half_written_and_foreign_files_are_no_puts_and_stop_nothing() {
    let (_folder, cache) = cache();
    cache.open();
    let watching = Watching::settled(&cache);
    fs::write(cache.path(1, 'a'), b"").unwrap();
    fs::write(cache.0.join("00/README"), b"no entry").unwrap();
    fs::write(cache.0.join("00").join(format!("{}-a", "f".repeat(64))), entry(7, std::time::SystemTime::now()))
        .unwrap();
    fs::write(cache.0.join("zz"), b"").unwrap();
    fs::create_dir(cache.0.join("fuzz")).unwrap();
    fs::create_dir(cache.path(2, 'd')).unwrap();
    fs::write(cache.path(2, 'd').join("program"), b"\x7fELF").unwrap();
    std::os::unix::fs::symlink("/nowhere", cache.path(3, 'd')).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, cache.path(4, 'd'), 0o600.into()).unwrap();
    cache.put(5);
    assert!(cache.get(5));
    let said = watching.end();
    assert_eq!((said.used.hits, said.used.puts, said.used.restored), (1, 1, 0));
}

#[test]
fn odd_entries_that_are_there_at_the_start_are_looked_at_without_harm() {
    let (_folder, cache) = cache();
    cache.open();
    cache.put(1);
    fs::write(cache.path(2, 'a'), b"v1 half").unwrap();
    fs::create_dir(cache.path(3, 'd')).unwrap();
    fs::write(cache.path(3, 'd').join("program"), b"\x7fELF1234").unwrap();
    std::os::unix::fs::symlink("/nowhere", cache.path(4, 'd')).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, cache.path(5, 'd'), 0o600.into()).unwrap();
    let said = Watching::settled(&cache).end();
    let stock = said.stock.unwrap();
    assert_eq!(stock.outputs.map(|it| it.entries), [1, 0, 0, 1, 0, 0]);
    assert_eq!((stock.actions.entries, stock.bytes()), (2, 175 + content(1).len() as u64 + 7 + 8));
    let inventory = said.events.iter().find_map(|it| if let Event::Inventory(it) = it { Some(it) } else { None });
    assert_eq!(inventory.unwrap().unreadable, 1);
}

#[test]
fn a_cache_behind_a_symbolic_link_is_watched_and_a_cache_of_two_names_once() {
    let (folder, cache) = cache();
    cache.open();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&cache.0, &link).unwrap();
    let mut settings = settings(&link);
    settings.places.dirs.push(cache.0.to_str().unwrap().to_owned());
    let mut watching = Watching::start(settings);
    watching.until("all was looked at", |said| said.stock.is_some());
    (0..100).for_each(|n| cache.put(n));
    assert!((0..100).all(|n| cache.get(n)));
    let said = watching.end();
    assert_eq!((said.used.hits, said.used.puts), (100, 100));
    assert_eq!(said.events.iter().filter(|it| matches!(it, Event::Seen(_))).count(), 1);
}

#[test]
fn what_is_named_and_is_no_folder_is_an_error_once_and_stops_nothing() {
    let (folder, cache) = cache();
    cache.open();
    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    let mut settings = settings(&cache.0);
    settings.places.dirs.push(file.to_str().unwrap().to_owned());
    let mut watching = Watching::start(settings);
    watching.until("all was looked at", |said| said.stock.is_some());
    cache.put(1);
    watching.until("a put is counted", |said| said.used.puts == 1);
    let health = watching.health();
    assert_eq!(health.state, State::Running);
    assert_eq!(health.errors.iter().map(|(_, count)| count).sum::<u64>(), 1);
}
