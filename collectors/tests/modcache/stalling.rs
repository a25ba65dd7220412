//! Downloads that do not grow.

use std::time::Duration;

use gobeacon_collectors::modcache::{Ending, Event, Settings};

use super::support::{Cache, Watching, settings};

fn quick(cache: &Cache) -> Settings {
    Settings { stall_after: Duration::from_millis(300), ..settings(&[&cache.0]) }
}

fn stalls(watching: &Watching) -> (usize, usize) {
    let count = |which: fn(&Event) -> bool| watching.events.iter().filter(|event| which(event)).count();
    (count(|it| matches!(it, Event::Stalled(_))), count(|it| matches!(it, Event::StallOver(_))))
}

#[test]
fn a_stall_is_told_while_it_lasts_when_it_is_over_and_in_the_download() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::new(&dir, "mod");
    let mut watching = Watching::start(quick(&cache));
    let mut writing = cache.begin("example.com/m", "v1.0.0");
    writing.write(10);
    watching.wait("a stall begins", |it| stalls(it) == (1, 0));
    writing.write(10);
    watching.wait("the stall is over", |it| stalls(it).1 == 1);
    writing.finish();
    let ended = watching.wait_ended(1);
    assert_eq!((ended[0].bytes, ended[0].ending), (20, Ending::Fetched));
    assert!(ended[0].stalled_seconds >= 0.29, "{ended:?}");
    let Event::Stalled(stall) = &watching.events[0] else { panic!("{:?}", watching.events) };
    assert!(stall.until.seconds_since(stall.since) >= 0.29);
    assert_eq!((stall.module.as_str(), stall.version.as_str(), stall.bytes), ("example.com/m", "v1.0.0", 10));
}

#[test]
fn a_file_whose_writer_was_killed_is_a_failed_download() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::new(&dir, "mod");
    // where locks of others are not to be seen the time decides
    let settings = Settings { abandon_after: Duration::from_secs(4), ..settings(&[&cache.0]) };
    let mut watching = Watching::start(settings);
    let mut writing = cache.begin("example.com/m", "v1.0.0");
    writing.write(1234);
    writing.kill();
    let ended = watching.wait_ended(1);
    assert_eq!((ended[0].bytes, ended[0].ending), (1234, Ending::Abandoned));
    // the next go command removes what is left, and that is no second failure
    let left = std::fs::read_dir(cache.versions("example.com/m")).unwrap().flatten();
    let left = left.map(|entry| entry.path()).find(|path| path.extension().is_some_and(|it| it == "tmp")).unwrap();
    std::fs::remove_file(left).unwrap();
    cache.download("example.com/m", "v1.0.0", 5);
    assert_eq!(watching.wait_ended(2)[1].ending, Ending::Fetched);
    assert_eq!(watching.finish().len(), 2);
}

#[test]
fn a_stalled_download_that_is_killed_ends_its_stall_first() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::new(&dir, "mod");
    let mut watching = Watching::start(quick(&cache));
    let writing = cache.begin("example.com/m", "v1.0.0");
    watching.wait("a stall begins", |it| stalls(it) == (1, 0));
    writing.give_up();
    let ended = watching.wait_ended(1);
    assert_eq!(stalls(&watching), (1, 1));
    assert!(ended[0].stalled_seconds >= 0.29 && ended[0].ending == Ending::GivenUp, "{ended:?}");
}
