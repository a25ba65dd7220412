//! What CI steps do to caches: fill them, save them, keep them fresh.

use std::time::{Duration, SystemTime};

use gobeacon_collectors::buildcache::{Event, Restore, Worth};

use super::support::{Cache, Said, Watching, by_directory, settings};

const HOUR: Duration = Duration::from_secs(3600);

fn cache() -> (tempfile::TempDir, Cache) {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache(folder.path().join("go-build"));
    cache.open();
    (folder, cache)
}

fn restores(said: &Said) -> Vec<Restore> {
    said.events.iter().filter_map(|event| if let Event::Restored(it) = event { Some(*it) } else { None }).collect()
}

fn worths(said: &Said) -> Vec<Worth> {
    said.events.iter().filter_map(|event| if let Event::Worth(it) = event { Some(*it) } else { None }).collect()
}

#[test]
fn what_tar_unpacks_is_a_restore_and_its_worth_is_told_by_the_hits_after_it() {
    let (_folder, cache) = cache();
    (0..50).for_each(|n| cache.put(n));
    let mut settings = settings(&cache.0);
    settings.restore_quiet = Duration::from_secs(3);
    let mut watching = Watching::start(settings);
    watching.until("all was looked at", |said| said.stock.is_some());
    by_directory(1050).into_iter().filter(|n| *n >= 50).for_each(|n| cache.unpack(n, HOUR, true));
    watching.until("the restore is over", |said| !restores(said).is_empty());
    assert!((0..50).chain(100..400).chain(100..200).all(|n| cache.get(n)));
    watching.until("it is judged", |said| !worths(said).is_empty());
    cache.put(9999);
    let said = watching.end();
    assert_eq!((said.used.puts, said.used.hits, said.used.restored_hits), (1, 450, 400));
    let restored = restores(&said);
    assert_eq!(restored.len(), 1, "{restored:?}");
    assert_eq!((restored[0].actions, restored[0].outputs), (1000, 1000));
    assert_eq!((restored[0].bytes, said.used.restored), (said.used.restored_bytes, 2000));
    let [worth] = worths(&said)[..] else { panic!("{:?}", worths(&said)) };
    assert_eq!((worth.actions, worth.found, worth.restored_hits, worth.hits), (1000, 300, 400, 450));
}

#[test]
fn what_comes_with_its_directories_is_restored_once() {
    let (_folder, cache) = cache();
    let mut watching = Watching::settled(&cache);
    for round in 0..3 {
        // what is removed before its new directory can be watched was never seen by anybody
        watching.until("the round before was seen", |said| said.used.restored == 3000 * u64::from(round));
        for dir in std::fs::read_dir(&cache.0).unwrap() {
            std::fs::remove_dir_all(dir.unwrap().path()).unwrap();
        }
        for n in by_directory(4500).into_iter().filter(|n| n % 3 == round) {
            std::fs::create_dir_all(cache.path(n, 'a').parent().unwrap()).unwrap();
            cache.unpack(n, HOUR, true);
        }
    }
    let said = watching.end();
    assert_eq!((said.used.restored, said.used.puts, said.used.hits), (9000, 0, 0), "{:?}", said.used);
}

#[test]
fn a_copy_that_keeps_no_times_is_told_by_its_order_and_by_what_its_entries_say() {
    let (_folder, cache) = cache();
    let watching = Watching::settled(&cache);
    by_directory(3000).into_iter().for_each(|n| cache.unpack(n, HOUR, false));
    let said = watching.end();
    // the first few come before anything can be told of them
    assert!(said.used.puts <= 64, "{:?}", said.used);
    assert_eq!(said.used.hits, 0, "our own looks into entries are no hits");
    assert_eq!(restores(&said).iter().map(|it| it.actions).sum::<u64>() + said.used.puts, 3000);
}

#[test]
fn a_build_during_a_restore_keeps_its_puts_and_hits() {
    let (_folder, cache) = cache();
    (50_000..50_400).for_each(|n| cache.put(n));
    let watching = Watching::settled(&cache);
    let (hits, puts) = std::thread::scope(|scope| {
        scope.spawn(|| by_directory(3000).into_iter().for_each(|n| cache.unpack(n, HOUR, true)));
        (50_000..50_400).for_each(|n| assert!(cache.get(n)));
        (60_000..60_400).for_each(|n| cache.put(n));
        (400, 400)
    });
    let said = watching.end();
    assert_eq!((said.used.hits, said.used.puts), (hits, puts), "{:?}", said.used);
    assert_eq!(said.used.restored, 6000);
}

#[test]
fn what_is_renamed_into_the_cache_is_restored() {
    let (folder, cache) = cache();
    let watching = Watching::settled(&cache);
    let elsewhere = Cache(folder.path().join("elsewhere"));
    elsewhere.open();
    for n in 0..200 {
        elsewhere.put(n);
        for part in ['a', 'd'] {
            // as rsync does, from a name beside it
            let beside = cache.path(n, part).with_extension("Xy12z");
            std::fs::copy(elsewhere.path(n, part), &beside).unwrap();
            super::support::set_time(&beside, SystemTime::now() - HOUR);
            std::fs::rename(&beside, cache.path(n, part)).unwrap();
        }
    }
    let said = watching.end();
    assert_eq!((said.used.puts, said.used.hits, said.used.restored), (0, 0, 400), "{:?}", said.used);
}

#[test]
fn who_saves_a_cache_makes_no_hits() {
    let (_folder, cache) = cache();
    (0..3000).for_each(|n| cache.put(n));
    let watching = Watching::settled(&cache);
    for n in by_directory(3000) {
        for part in ['a', 'd'] {
            std::fs::read(cache.path(n, part)).unwrap();
        }
    }
    let said = watching.end();
    assert_eq!(said.used.hits + said.used.copied, 3000);
    assert!(said.used.hits <= 64, "{:?}", said.used);
}

#[test]
fn times_that_are_set_are_neither_puts_nor_a_restore() {
    let (_folder, cache) = cache();
    (0..100).for_each(|n| cache.put(n));
    let watching = Watching::settled(&cache);
    (0..100).for_each(|n| super::support::set_time(&cache.path(n, 'a'), SystemTime::now() - 48 * HOUR));
    let said = watching.end();
    assert_eq!(said.used, gobeacon_collectors::buildcache::Used::default());
}
