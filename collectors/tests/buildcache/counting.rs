//! Hits and puts: each once.

use gobeacon_collectors::buildcache::How;
use proptest::prelude::*;
use proptest::test_runner::Config;

use super::support::{Cache, Watching, settings};

fn cache() -> (tempfile::TempDir, Cache) {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache(folder.path().join("go-build"));
    (folder, cache)
}

/// Outputs lie in other directories than their actions, as hashes do: side by side they look like a copy, and then the
/// collector looks into actions itself.
const APART: u32 = 1 << 20;

/// Runs each list on a thread of its own; says how many hits and puts there were.
fn at_once(cache: &Cache, lists: &[Vec<(bool, u32)>]) -> (u64, u64) {
    let one = |list: &Vec<(bool, u32)>| {
        let (mut hits, mut puts) = (0, 0);
        // the kernel makes one event of two equal ones in a row that nobody has read
        let mut last = None;
        for step in list.iter().copied() {
            let told = match step {
                _ if last == Some(step) => false,
                (true, n) => {
                    cache.put_as(n, n + APART);
                    puts += 1;
                    true
                }
                (false, n) => {
                    let is_hit = cache.get_as(n, n + APART);
                    hits += u64::from(is_hit);
                    is_hit
                }
            };
            if told {
                last = Some(step);
            }
        }
        (hits, puts)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = lists.iter().map(|list| scope.spawn(move || one(list))).collect();
        threads.into_iter().map(|it| it.join().unwrap()).fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1))
    })
}

proptest! {
    #![proptest_config(Config { cases: 12, ..Config::default() })]
    /// No two threads touch one entry: see above.
    #[test]
    fn equal_operations_are_counted_whatever_their_order(
        lists in prop::collection::vec(prop::collection::vec((any::<bool>(), 0..40_u32), 0..250), 4)
    ) {
        let (_folder, cache) = cache();
        cache.open();
        (0..1000).step_by(7).for_each(|n| cache.put_as(n, n + APART));
        let watching = Watching::settled(&cache);
        let mut lists = lists;
        for (list, at) in lists.iter_mut().zip(0..) {
            list.iter_mut().for_each(|(_, n)| *n += at * 1000);
        }
        let (hits, puts) = at_once(&cache, &lists);
        let said = watching.end();
        prop_assert_eq!((said.used.hits, said.used.puts), (hits, puts), "{:?}", said.used);
        prop_assert_eq!((said.used.copied, said.used.restored), (0, 0));
    }
}

#[test]
fn what_was_there_at_the_start_is_no_put() {
    let (_folder, cache) = cache();
    cache.open();
    (0..500).for_each(|n| cache.put(n));
    let said = Watching::settled(&cache).end();
    assert_eq!((said.used.hits, said.used.puts), (0, 0));
    let stock = said.stock.unwrap();
    assert_eq!((stock.actions.entries, stock.actions.bytes), (500, 500 * 175));
    assert_eq!((stock.outputs[0].entries, stock.entries()), (500, 1000));
}

#[test]
fn a_cache_that_comes_later_and_is_filled_at_once_loses_no_put() {
    let (_folder, cache) = cache();
    let watching = Watching::start(settings(&cache.0));
    cache.open();
    (0..2000).for_each(|n| cache.put(n));
    let said = watching.end();
    assert_eq!((said.used.puts, said.used.restored), (2000, 0), "{:?}", said.events);
}

#[test]
fn a_cache_below_folders_that_are_not_there_is_watched_as_soon_as_it_comes() {
    let (folder, _) = cache();
    let cache = Cache(folder.path().join("a/b/c/go-build"));
    let mut settings = settings(&cache.0);
    settings.find_interval = super::support::PATIENCE;
    let mut watching = Watching::start(settings);
    cache.open();
    watching.until("it is watched", |said| said.is_seen(How::Watched));
    (0..300).for_each(|n| cache.put(n));
    assert!((0..300).all(|n| cache.get(n)));
    let said = watching.end();
    assert_eq!((said.used.puts, said.used.hits), (300, 300));
}

#[test]
fn directories_that_are_removed_and_come_again_lose_nothing() {
    let (_folder, cache) = cache();
    cache.open();
    let mut watching = Watching::settled(&cache);
    for round in 0..4 {
        (round * 300..(round + 1) * 300).for_each(|n| cache.put(n));
        // what is made and removed between two looks into a new directory is seen by nobody
        watching.until("what the new directories hold was found", |said| said.used.puts == u64::from(round + 1) * 300);
        for dir in 0..256 {
            std::fs::remove_dir_all(cache.0.join(format!("{dir:02x}"))).unwrap();
        }
        cache.open();
    }
    (5000..5300).for_each(|n| cache.put(n));
    let said = watching.end();
    assert_eq!(said.used.puts, 1500, "{:?}", said.events);
}

#[test]
fn a_cache_that_is_removed_and_made_again_is_another_one() {
    let (_folder, cache) = cache();
    cache.open();
    let mut watching = Watching::settled(&cache);
    std::fs::remove_dir_all(&cache.0).unwrap();
    watching.until("it is gone", |said| said.events.contains(&gobeacon_collectors::buildcache::Event::Gone));
    cache.open();
    (0..200).for_each(|n| cache.put(n));
    let said = watching.end();
    assert_eq!(said.used.puts, 200);
    assert_eq!(
        said.events.iter().filter(|it| **it == gobeacon_collectors::buildcache::Event::Seen(How::Watched)).count(),
        2
    );
}
