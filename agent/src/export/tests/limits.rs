//! Bounds: of memory while the backend is away, of time at the end, of the size of a record.

use std::collections::BTreeSet;
use std::time::Instant;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value;
use proptest::prelude::*;
use prost::Message as _;
use prost::bytes::Bytes;
use tonic::Code;

use super::super::Left;
use super::super::batch::{Batch, Builder};
use super::super::encode::Common;
use super::super::queue::{Queue, Quota};
use super::super::spool::Place;
use super::*;

fn down(protocol: Protocol) -> Answer {
    match protocol {
        Protocol::Grpc => Answer::Grpc(Code::Unavailable, None),
        Protocol::HttpProtobuf => Answer::Http(503, Vec::new()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_backend_costs_bounded_memory_and_each_dropped_span_is_counted() {
    for protocol in BOTH {
        let receiver = Receiver::start();
        receiver.answer(down(protocol));
        let explicit = Explicit { queue_records: Some(10_000), ..explicit(protocol, &receiver.url()) };
        let exporter = Exporter::start(&settings(&explicit)).unwrap();
        for n in 0..100 {
            let spans = (n * 1_000 + 1..=n * 1_000 + 1_000).map(span).collect();
            exporter.offer(Telemetry { resource: resource(), spans, logs: Vec::new() });
            let report = exporter.report().traces;
            assert!(report.queued_records <= 12_500, "{report:?}");
        }
        let report = exporter.report().traces;
        assert!(dropped(&report, DropReason::QueueFull) >= 85_000, "{report:?}");
        nothing_is_unaccounted(&report, 100_000);

        receiver.answer(Answer::Ok);
        assert_eq!(exporter.flush(MINUTE).await, Left::default());
        let report = exporter.report().traces;
        nothing_is_unaccounted(&report, 100_000);
        // what arrived is the newest, once each; but for what was on its way, it is all of a piece
        let ids = ids(&receiver);
        assert_eq!(ids.len() as u64, report.delivered);
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "a span came twice");
        assert!(ids.iter().rev().take(5_000).eq((95_001..=100_000).rev().collect::<Vec<_>>().iter()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_is_bounded_in_bytes_too() {
    let receiver = Receiver::start();
    receiver.answer(down(Protocol::Grpc));
    let explicit = Explicit { queue_bytes: Some(1 << 20), ..explicit(Protocol::Grpc, &receiver.url()) };
    let exporter = Exporter::start(&settings(&explicit)).unwrap();
    for n in 0..1_000 {
        let mut telemetry = Telemetry { resource: resource(), spans: vec![span(n)], logs: Vec::new() };
        telemetry.spans[0].attributes.push(("gobuild.test.output", Value::Str("x".repeat(10_000).into())));
        exporter.offer(telemetry);
        assert!(exporter.report().traces.queued_bytes <= (1 << 20) + (1 << 18));
    }
    nothing_is_unaccounted(&exporter.report().traces, 1_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_larger_than_a_request_is_dropped_and_counted_and_its_neighbours_arrive() {
    let receiver = Receiver::start();
    let exporter = exporter(Protocol::Grpc, &receiver);
    let mut telemetry = spans(3);
    telemetry.spans[1].attributes.push(("gobuild.test.output", Value::Str("x".repeat(5 << 20).into())));
    exporter.offer(telemetry);
    exporter.flush(MINUTE).await;
    assert_eq!(ids(&receiver), [1, 3]);
    let report = exporter.report().traces;
    assert_eq!(dropped(&report, DropReason::TooLarge), 1);
    nothing_is_unaccounted(&report, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_beyond_the_limit_are_counted_in_the_span() {
    let receiver = Receiver::start();
    let exporter = exporter(Protocol::Grpc, &receiver);
    let mut telemetry = spans(1);
    telemetry.spans[0].attributes = (0..200).map(|n| ("key", Value::Int(n))).collect();
    exporter.offer(telemetry);
    receiver.wait_for_spans(1);
    let span = receiver.spans().remove(0).1;
    assert_eq!((span.attributes.len(), span.dropped_attributes_count), (128, 72));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_with_a_hanging_backend_ends_at_its_deadline_and_says_what_is_lost() {
    for protocol in BOTH {
        let receiver = Receiver::start();
        receiver.answer(Answer::Hang);
        let mut exporter = exporter(protocol, &receiver);
        exporter.offer(spans(5_000));
        exporter.offer(logs(7));
        receiver.wait_for_begun(1);
        let begun = Instant::now();
        let left = exporter.shutdown(Duration::from_millis(300)).await;
        let took = begun.elapsed();
        assert!((Duration::from_millis(290)..Duration::from_secs(8)).contains(&took), "{took:?}");
        assert_eq!(left, Left { spans: 5_000, logs: 7 });
        let report = exporter.report();
        assert_eq!(dropped(&report.traces, DropReason::Shutdown), 5_000);
        nothing_is_unaccounted(&report.traces, 5_000);
        nothing_is_unaccounted(&report.logs, 7);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_with_a_slow_backend_delivers_all_that_fits_into_the_deadline() {
    for protocol in BOTH {
        let receiver = Receiver::start();
        receiver.answer(Answer::Slow(Duration::from_millis(100)));
        let mut exporter = exporter(protocol, &receiver);
        exporter.offer(spans(20_000));
        assert_eq!(exporter.shutdown(MINUTE).await, Left::default());
        assert_eq!(ids(&receiver), (1..=20_000).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flush_does_not_wait_for_a_backend_that_wants_to_be_left_alone_for_longer() {
    let receiver = Receiver::start();
    receiver.answer(Answer::Http(429, vec![("retry-after", "600".to_owned())]));
    let exporter = exporter(Protocol::HttpProtobuf, &receiver);
    exporter.offer(spans(1));
    let begun = Instant::now();
    assert_eq!(exporter.flush(MINUTE).await, Left { spans: 1, logs: 0 });
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_waits_for_room_and_loses_nothing_to_a_slow_backend() {
    for protocol in BOTH {
        let receiver = Receiver::start();
        receiver.answer(Answer::Slow(Duration::from_millis(10)));
        let explicit = Explicit { queue_records: Some(1_000), ..explicit(protocol, &receiver.url()) };
        let exporter = Exporter::start(&settings(&explicit)).unwrap();
        exporter.push(spans(10_000)).await;
        assert_eq!(exporter.flush(MINUTE).await, Left::default());
        assert_eq!(ids(&receiver), (1..=10_000).collect::<Vec<_>>());
        assert_eq!(exporter.report().traces.dropped, [0; DropReason::ALL.len()]);
    }
}

fn batch(records: u64, bytes: usize) -> Batch {
    Batch { payload: Bytes::from(vec![0; bytes]), records }
}

proptest! {
    #[test]
    fn each_record_is_in_one_request_under_its_resource_and_no_request_exceeds_a_limit(
        steps in prop::collection::vec((0..3_usize, 0..900_usize), 1..120),
        batch_records in 1..20_usize,
        batch_bytes in 1_200..5_000_usize,
    ) {
        let settings = settings(&explicit(Protocol::Grpc, "http://localhost:4317"));
        let limits = super::super::settings::Limits { batch_records, batch_bytes, ..settings.limits };
        let mut builder = Builder::new(limits, Common::new(&settings));
        let resources: Vec<_> = (0..3).map(|n| Arc::new(vec![("resource", Value::Int(n))])).collect();
        let (mut batches, mut expected) = (Vec::new(), Vec::new());
        for (n, (of, size)) in steps.into_iter().enumerate() {
            let mut record = span(n as u64);
            record.attributes = vec![("text", Value::Str("x".repeat(size).into()))];
            match builder.add(&resources[of], record) {
                Ok(full) => {
                    batches.extend(full);
                    expected.push((of as i64, n as u64));
                }
                Err(_too_large) => prop_assert!(size + 600 > batch_bytes),
            }
        }
        batches.extend(builder.seal());
        let mut found = Vec::new();
        for batch in batches {
            prop_assert!(batch.payload.len() <= batch_bytes && batch.records <= batch_records as u64);
            let before = found.len();
            for group in ExportTraceServiceRequest::decode(batch.payload).unwrap().resource_spans {
                let value = group.resource.unwrap().attributes[0].value.clone().and_then(|value| value.value);
                let Some(any_value::Value::IntValue(of)) = value else { panic!("{value:?}") };
                let ids = group.scope_spans[0].spans.iter().map(|span| span.span_id.clone().try_into().unwrap());
                found.extend(ids.map(|id| (of, u64::from_be_bytes(id))));
            }
            prop_assert_eq!((found.len() - before) as u64, batch.records);
        }
        found.sort_by_key(|(_, n)| *n);
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn the_queue_loses_no_record_unaccounted_and_keeps_its_quota(
        steps in prop::collection::vec((0..5_u8, 1..50_u64, 1..500_usize), 0..200)
    ) {
        let quota = Quota { records: 100, bytes: 2_000, memory_bytes: 1_000, batches: 6 };
        let mut queue = Queue::new(quota);
        let (mut on_the_way, mut in_memory) = (Vec::new(), BTreeSet::new());
        let (mut pushed, mut dropped, mut done) = (0, 0, 0);
        for (step, records, bytes) in steps {
            match (step, on_the_way.pop()) {
                (0, None) | (1, None) => on_the_way.extend(queue.take()),
                (0, Some(entry)) => queue.give_back(entry.id),
                (1, Some(entry)) => {
                    done += entry.records;
                    queue.done(entry.id);
                    in_memory.remove(&entry.id);
                }
                (2, taken) => {
                    on_the_way.extend(taken);
                    if let Some(id) = in_memory.pop_first() {
                        queue.written(id, Place::default());
                    }
                }
                (_, taken) => {
                    on_the_way.extend(taken);
                    pushed += records;
                    let it = queue.push(batch(records, bytes), Timestamp::from_nanos(0));
                    dropped += it.dropped;
                    in_memory.insert(it.id);
                    it.dropped_ids.iter().for_each(|id| _ = in_memory.remove(id));
                }
            }
            prop_assert_eq!(queue.records() + dropped + done, pushed);
            let flying: u64 = on_the_way.iter().map(|entry| entry.records).sum();
            prop_assert!(queue.records() <= 100 + flying.max(50));
            let flying: u64 = on_the_way.iter().map(|entry| entry.bytes).sum();
            prop_assert!(queue.bytes() <= 2_000 + flying.max(500));
            prop_assert_eq!(queue.is_empty(), queue.records() == 0);
            prop_assert_eq!(queue.records_at_risk() == 0, in_memory.is_empty());
        }
    }
}
