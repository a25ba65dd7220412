//! Downloads out of made-up notices.

use proptest::prelude::*;

use super::*;

fn second(n: f64) -> Timestamp {
    Timestamp::from_nanos(1_700_000_000_000_000_000).plus_seconds(n)
}

fn key(n: u8) -> Key {
    Key { module: format!("example.com/!m{n}").into(), version: "v1.0.0-!r!c1".into() }
}

fn file(bytes: u64, born: f64, modified: f64, changed: f64) -> FileFacts {
    FileFacts { bytes, born: Some(second(born)), modified: second(modified), changed: second(changed) }
}

fn zip(file: FileFacts, hashed: f64) -> Zip {
    Zip { file, sum: Some(("h1:x".to_owned(), second(hashed))) }
}

fn tracker() -> Tracker {
    Tracker::new(Duration::from_secs(30))
}

fn only(out: &[Event]) -> &Download {
    match out {
        [Event::Downloaded(download)] => download,
        other => panic!("one download, not {other:?}"),
    }
}

#[test]
fn a_file_that_gets_its_name_is_a_download_with_the_times_of_the_file() {
    let (mut tracker, mut out) = (tracker(), Vec::new());
    tracker.began(key(1), "a.tmp", second(1.02), Some(file(0, 1.0, 1.0, 1.0)), &mut out);
    let ended = zip(file(77, 1.0, 2.0, 2.2), 2.1);
    assert!(tracker.named(&key(1), second(2.3), Some(&ended), &mut out));
    let download = only(&out);
    assert_eq!((download.module.as_str(), download.version.as_str()), ("example.com/M1", "v1.0.0-RC1"));
    assert_eq!((download.start, download.end, download.bytes), (second(1.0), second(2.2), 77));
    assert_eq!((download.sum.as_deref(), download.ending), (Some("h1:x"), Ending::Fetched));
    assert!(!tracker.named(&key(1), second(2.3), Some(&ended), &mut out));
    assert_eq!(out.len(), 1);
}

#[test]
fn a_file_that_is_removed_is_a_failed_download_with_the_bytes_seen_last() {
    let (mut tracker, mut out) = (tracker(), Vec::new());
    tracker.began(key(1), "a.tmp", second(1.0), None, &mut out);
    tracker.looked(&key(1), file(40, 1.0, 3.0, 3.0), second(3.5), &mut out);
    tracker.failed(&key(1), Some("b.tmp"), second(4.0), Ending::GivenUp, &mut out);
    assert_eq!(out, []);
    tracker.failed(&key(1), Some("a.tmp"), second(5.0), Ending::GivenUp, &mut out);
    let download = only(&out);
    assert_eq!((download.bytes, download.end, download.ending), (40, second(5.0), Ending::GivenUp));
    assert!(tracker.is_idle());
}

#[test]
fn a_file_that_does_not_grow_is_stalled_from_its_last_growth_until_it_grows_or_ends() {
    let (mut tracker, mut out) = (tracker(), Vec::new());
    tracker.began(key(1), "a.tmp", second(0.0), None, &mut out);
    let still = file(10, 0.0, 5.0, 5.0);
    tracker.looked(&key(1), still, second(6.0), &mut out);
    tracker.looked(&key(1), still, second(34.9), &mut out);
    assert_eq!(out, []);
    tracker.looked(&key(1), still, second(36.0), &mut out);
    tracker.looked(&key(1), still, second(99.0), &mut out);
    tracker.looked(&key(1), file(20, 0.0, 100.0, 100.0), second(100.5), &mut out);
    tracker.looked(&key(1), file(20, 0.0, 100.0, 100.0), second(140.0), &mut out);
    tracker.failed(&key(1), None, second(150.0), Ending::Abandoned, &mut out);
    let stalls: Vec<_> = out
        .iter()
        .map(|event| match event {
            Event::Stalled(it) => ("began", it.since, it.until),
            Event::StallOver(it) => ("over", it.since, it.until),
            Event::Downloaded(it) => ("ended", it.start, it.end),
            Event::Counted(_) | Event::Gone => panic!("no such thing here"),
        })
        .collect();
    let expected = [
        ("began", second(5.0), second(36.0)),
        ("over", second(5.0), second(100.0)),
        ("began", second(100.0), second(140.0)),
        ("over", second(100.0), second(150.0)),
        ("ended", second(0.0), second(150.0)),
    ];
    assert_eq!(stalls, expected);
    let Some(Event::Downloaded(ended)) = out.last() else { panic!("{out:?}") };
    assert!((ended.stalled_seconds - 145.0).abs() < 1e-6);
}

#[test]
fn a_zip_found_later_is_a_download_only_with_the_times_of_one() {
    let (tracker, mut out) = (tracker(), Vec::new());
    let since = second(0.0);
    // as cp makes it, as tar unpacks it, from before, and without a hash
    for other in [
        zip(file(7, 1.0, 2.0, 2.0), 2.5),
        zip(file(7, 1.0, -9.0, 1.5), -8.0),
        zip(file(7, -5.0, -4.0, -3.0), -3.5),
        Zip { file: file(7, 1.0, 2.0, 3.0), sum: None },
    ] {
        assert!(!tracker.found(&key(1), &other, since, &mut out), "{other:?}");
    }
    assert!(tracker.found(&key(1), &zip(file(7, 1.0, 2.0, 3.0), 2.5), since, &mut out));
    assert_eq!((only(&out).start, only(&out).end, only(&out).bytes), (second(1.0), second(3.0), 7));
}

#[test]
fn a_file_that_was_left_behind_is_told_once_however_often_it_is_found() {
    let (mut tracker, mut out) = (tracker(), Vec::new());
    tracker.began(key(1), "a.tmp", second(1.0), None, &mut out);
    tracker.failed(&key(1), Some("a.tmp"), second(9.0), Ending::Abandoned, &mut out);
    assert_eq!(only(&out).ending, Ending::Abandoned);
    tracker.began(key(1), "a.tmp", second(10.0), None, &mut out);
    assert!(tracker.is_idle());
    // the next go command removes it and makes its own
    tracker.failed(&key(1), Some("a.tmp"), second(11.0), Ending::GivenUp, &mut out);
    tracker.began(key(1), "b.tmp", second(12.0), None, &mut out);
    tracker.gone(second(13.0), &mut out);
    assert_eq!(out.len(), 2);
    assert!(tracker.left_behind.is_empty());
}

#[test]
fn another_try_whose_predecessor_was_missed_ends_that_first() {
    let (mut tracker, mut out) = (tracker(), Vec::new());
    tracker.began(key(1), "a.tmp", second(1.0), None, &mut out);
    tracker.began(key(1), "b.tmp", second(2.0), None, &mut out);
    assert_eq!((only(&out).ending, only(&out).end), (Ending::GivenUp, second(2.0)));
    tracker.gone(second(3.0), &mut out);
    assert_eq!(out.len(), 2);
}

/// Something that may be told of one of a few versions: what, of which, with which numbers.
type Told = (u8, u8, u8, i8);

fn apply(tracker: &mut Tracker, told: Told, now: f64, out: &mut Vec<Event>) {
    let (what, of, n, shift) = told;
    let (key, tmp) = (key(of % 4), format!("{}.tmp", n % 3));
    let odd = now + f64::from(shift);
    let facts = file(n.into(), odd, now - 1.0, odd + 2.0);
    match what % 6 {
        0 => tracker.began(key, &tmp, second(now), (n % 2 == 0).then_some(facts), out),
        1 => tracker.looked(&key, facts, second(now), out),
        2 => _ = tracker.named(&key, second(now), (n % 2 == 0).then(|| zip(facts, odd)).as_ref(), out),
        3 => tracker.failed(&key, Some(&tmp), second(now), Ending::GivenUp, out),
        4 => tracker.failed(&key, None, second(now), Ending::Abandoned, out),
        _ => tracker.looked(&key, file(1, 0.0, 0.0, 0.0), second(now + 100.0), out),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_told_each_begun_download_ends_once_and_each_stall_is_over_before(
        all in proptest::collection::vec(any::<Told>(), 0..80),
    ) {
        let (mut tracker, mut out) = (tracker(), Vec::new());
        let mut begun = 0;
        for (n, told) in all.iter().enumerate() {
            let before = (tracker.open.len(), out.len());
            apply(&mut tracker, *told, n as f64, &mut out);
            let ended = out[before.1..].iter().filter(|it| matches!(it, Event::Downloaded(_))).count();
            begun += tracker.open.len() + ended - before.0;
        }
        tracker.gone(second(1_000.0), &mut out);
        prop_assert!(tracker.is_idle());
        let mut stalled = std::collections::BTreeSet::new();
        let mut ends = 0;
        for event in &out {
            match event {
                Event::Stalled(it) => prop_assert!(stalled.insert(it.module.clone()) && it.since <= it.until),
                Event::StallOver(it) => prop_assert!(stalled.remove(&it.module) && it.since <= it.until),
                Event::Downloaded(it) => {
                    prop_assert!(!stalled.contains(&it.module) && it.start <= it.end && it.stalled_seconds >= 0.0);
                    ends += 1;
                }
                Event::Counted(_) | Event::Gone => panic!("no such thing here"),
            }
        }
        prop_assert_eq!((ends, stalled.len()), (begun, 0));
    }
}
