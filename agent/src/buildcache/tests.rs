//! Reports in, log events and totals out.

use std::collections::BTreeSet;

use gobeacon_collectors::Root;
use gobeacon_collectors::buildcache::{Inventory, Removal, RemovedBy, Restore, Used, Worth};
use gobeacon_collectors::inventory::Count;
use gobeacon_formats::Timestamp;

use super::catalogue::EVENTS;
use super::*;
use crate::builds::catalogue::known;

const AT: Timestamp = Timestamp::from_nanos(1_800_000_000_000_000_000);

fn report(id: u8, events: Vec<Event>) -> Report {
    let root = Arc::new(Root { id: [id; 16], path: format!("/cache/{id}").into() });
    Report { root, observed: AT, events }
}

fn stock(bytes: u64) -> Stock {
    Stock { actions: Count { entries: 1, bytes }, ..Stock::default() }
}

fn every_event() -> Vec<Event> {
    let removal = |by| Removal { by, start: AT, end: AT.plus_seconds(2.0), entries: 7, bytes: 700, unknown: 1 };
    let inventory = Inventory { growth_bytes: Some(-3), unreadable: 2, ..Inventory::default() };
    vec![
        Event::Seen(How::Watched),
        Event::Used(Used { hits: 1, ..Used::default() }),
        Event::Stock { stock: stock(5), free_bytes: Some(9) },
        Event::Inventory(Box::new(inventory)),
        Event::Removed(removal(RemovedBy::GoTrim)),
        Event::Removed(removal(RemovedBy::Unknown)),
        Event::Removed(removal(RemovedBy::Clean)),
        Event::Restored(Restore { start: AT, end: AT.plus_seconds(1.5), actions: 3, outputs: 2, bytes: 1000 }),
        Event::Worth(Worth { restored_at: Some(AT), actions: 3, bytes: 1000, found: 2, restored_hits: 4, hits: 5 }),
        Event::HitsLost { puts_found: 3 },
    ]
}

fn records(events: Vec<Event>) -> Vec<LogRecord> {
    let mut out = Vec::new();
    BuildCaches::new(None).apply(&report(1, events), &mut out);
    let logs = out.into_iter().flat_map(|outcome| {
        let Outcome::Telemetry(telemetry) = outcome else { panic!("{outcome:?}") };
        telemetry.logs
    });
    logs.collect()
}

#[test]
fn what_the_events_set_and_what_the_catalogue_says_are_the_same() {
    let mut seen = BTreeSet::new();
    for record in records(every_event()) {
        let row = EVENTS.iter().find(|row| row.name == record.event_name).unwrap();
        assert!(row.severities.contains(&record.severity), "{record:?}");
        known(row.name, &record.attributes, row.attributes, &mut seen);
    }
    for row in EVENTS {
        for attribute in row.attributes {
            let name = format!("{}: {}", row.name, attribute.name);
            assert!(seen.contains(&name), "nothing sets {name}");
        }
    }
}

#[test]
fn bodies_are_sentences_that_name_the_cache() {
    for record in records(every_event()) {
        assert!(record.body.starts_with("/cache/1: ") && record.body.ends_with('.'), "{}", record.body);
    }
    let restored = records(every_event()).into_iter().find(|it| it.event_name == "gobuild.cache.restored").unwrap();
    assert_eq!(restored.body, "/cache/1: 5 entries of 0.0 MB were restored within 1.5 s.");
}

#[test]
fn totals_are_sums_over_caches_and_one_that_goes_takes_its_part_away() {
    let mut caches = BuildCaches::new(None);
    let mut out = Vec::new();
    assert_eq!(caches.totals(), Totals::default());
    for (id, bytes, free) in [(1, 100, 50), (2, 200, 40)] {
        let events = vec![Event::Seen(How::Watched), Event::Stock { stock: stock(bytes), free_bytes: Some(free) }];
        caches.apply(&report(id, events), &mut out);
    }
    let both = caches.totals();
    assert_eq!((both.seen, both.stock.unwrap().bytes(), both.free_bytes), ([2, 0, 0], 300, Some(40)));
    caches.apply(&report(2, vec![Event::Gone]), &mut out);
    caches.apply(&report(1, vec![Event::Seen(How::Polled)]), &mut out);
    let one = caches.totals();
    assert_eq!((one.seen, one.stock.unwrap().bytes(), one.free_bytes), ([0, 1, 0], 100, Some(50)));
    caches.apply(&report(1, vec![Event::Gone]), &mut out);
    assert_eq!(caches.totals(), Totals::default());
    assert_eq!(out, []);
}
