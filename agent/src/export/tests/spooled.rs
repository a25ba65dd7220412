//! The exporter with a spool: what a crash, an outage and a full quota leave of what was offered.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::Left;
use super::super::settings::Spool;
use super::*;

fn spooled(receiver: &Receiver, dir: &Path, most_bytes: u64) -> Settings {
    let mut settings = settings(&explicit(Protocol::Grpc, &receiver.url()));
    settings.spool = Some(Spool { dir: dir.to_owned(), most_bytes });
    settings
}

fn down(receiver: &Receiver) {
    receiver.answer(Answer::Grpc(tonic::Code::Unavailable, None));
}

/// A thousand spans of some 400 bytes each, the `n`th.
fn thousand(n: u64) -> Telemetry {
    let spans = (n * 1_000 + 1..=n * 1_000 + 1_000).map(|id| {
        let mut span = span(id);
        span.attributes.push(("gobuild.test.output", Value::Str("x".repeat(300).into())));
        span
    });
    Telemetry { resource: resource(), spans: spans.collect(), logs: Vec::new() }
}

/// How often each span arrived.
fn arrivals(receiver: &Receiver) -> BTreeMap<u64, usize> {
    ids(receiver).into_iter().fold(BTreeMap::new(), |mut counts, id| {
        *counts.entry(id).or_default() += 1;
        counts
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_backend_that_is_away_did_not_take_is_sent_by_the_next_life_once() {
    let dir = tempfile::tempdir().unwrap();
    let receiver = Receiver::start();
    down(&receiver);
    let settings = spooled(&receiver, dir.path(), 1 << 30);
    let mut first = Exporter::start(&settings).unwrap();
    first.offer(spans(5_000));
    first.offer(logs(300));
    assert_eq!(first.shutdown(Duration::from_secs(5)).await, Left::default());
    assert_eq!(first.report().traces.dropped, [0; DropReason::ALL.len()]);

    receiver.answer(Answer::Ok);
    let mut second = Exporter::start(&settings).unwrap();
    assert_eq!(second.report().traces.queued_records, 5_000);
    second.offer(Telemetry { resource: resource(), spans: vec![span(5_001)], logs: Vec::new() });
    assert_eq!(second.shutdown(MINUTE).await, Left::default());
    assert_eq!(arrivals(&receiver), (1..=5_001).map(|id| (id, 1)).collect());
    assert_eq!(receiver.logs().len(), 300);

    let third = Exporter::start(&settings).unwrap();
    assert_eq!(third.report().traces.queued_records, 0);
    assert_eq!(third.report().logs.queued_records, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_loses_nothing_that_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let receiver = Receiver::start();
    down(&receiver);
    let settings = spooled(&receiver, dir.path(), 1 << 30);
    let crashed = Exporter::start(&settings).unwrap();
    (0..10).for_each(|n| crashed.offer(thousand(n)));
    while crashed.report().traces.spool_bytes < 1_000_000 {
        tokio::task::yield_now().await;
    }
    // no shutdown: what is in memory is gone
    drop(crashed);

    // a request of the crashed one may be on its way still: it must not be taken for one of the next
    let receiver = Receiver::start();
    let settings = spooled(&receiver, dir.path(), 1 << 30);
    let mut next = loop {
        let next = Exporter::start(&settings).unwrap();
        let report = next.report().traces;
        if report.queued_records + report.delivered > 0 {
            break next;
        }
        // the thread of the crashed one still holds the lock
        tokio::task::yield_now().await;
    };
    let report = next.report().traces;
    let kept = report.queued_records + report.delivered;
    assert_eq!(next.shutdown(MINUTE).await, Left::default());
    let arrived = arrivals(&receiver);
    assert_eq!(arrived.len() as u64, kept);
    assert!(arrived.values().all(|times| *times == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_held_on_disk_and_not_in_memory_and_then_all_of_it_arrives() {
    let dir = tempfile::tempdir().unwrap();
    let receiver = Receiver::start();
    down(&receiver);
    let exporter = Exporter::start(&spooled(&receiver, dir.path(), 1 << 30)).unwrap();
    // more than may wait in memory: it waits on disk
    for n in 0..100 {
        exporter.offer(thousand(n));
        while exporter.report().traces.queued_bytes > exporter.report().traces.spool_bytes + (8 << 20) {
            tokio::task::yield_now().await;
        }
    }
    let report = exporter.report().traces;
    assert!(report.queued_bytes > 24 << 20 && report.oldest.is_some(), "{report:?}");
    receiver.answer(Answer::Ok);
    assert_eq!(exporter.flush(MINUTE).await, Left::default());
    assert_eq!(arrivals(&receiver), (1..=100_000).map(|id| (id, 1)).collect());
    let report = exporter.report().traces;
    nothing_is_unaccounted(&report, 100_000);
    assert_eq!((report.oldest, report.spool_errors), (None, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_quota_drops_the_oldest_whole_and_counts_them() {
    let dir = tempfile::tempdir().unwrap();
    let receiver = Receiver::start();
    down(&receiver);
    let exporter = Exporter::start(&spooled(&receiver, dir.path(), 16 << 20)).unwrap();
    for n in 0..100 {
        exporter.offer(thousand(n));
    }
    let report = exporter.report().traces;
    assert!(dropped(&report, DropReason::QueueFull) > 40_000, "{report:?}");
    nothing_is_unaccounted(&report, 100_000);
    receiver.answer(Answer::Ok);
    assert_eq!(exporter.flush(MINUTE).await, Left::default());
    let arrived = arrivals(&receiver);
    assert!(arrived.values().all(|times| *times == 1) && arrived.contains_key(&100_000));
    nothing_is_unaccounted(&exporter.report().traces, 100_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_that_cannot_be_used_is_no_reason_not_to_export() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("traces"), b"a file where a folder should be").unwrap();
    let receiver = Receiver::start();
    let mut exporter = Exporter::start(&spooled(&receiver, dir.path(), 1 << 30)).unwrap();
    exporter.offer(spans(10));
    assert_eq!(exporter.shutdown(MINUTE).await, Left::default());
    assert_eq!(arrivals(&receiver).len(), 10);
}
