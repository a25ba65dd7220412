//! The agent's own spans, which go the way of the SDK to the same receiver.

use std::time::Instant;

use opentelemetry_proto::tonic::common::v1::any_value::Value as ProtoValue;

use super::*;
use crate::self_telemetry::{SelfTelemetry, Work};

#[tokio::test(flavor = "multi_thread")]
async fn own_spans_arrive_under_our_name_with_headers_and_compression() {
    for protocol in BOTH {
        let receiver = Receiver::start();
        let mut explicit = explicit(protocol, &receiver.url());
        explicit.headers.insert("authorization".to_owned(), "Bearer t".to_owned());
        let own = SelfTelemetry::start(&settings(&explicit)).unwrap().unwrap();
        own.record(Work::MetricsPage, Duration::from_millis(250), 42, None);
        own.record(Work::BatchApply, Duration::from_millis(1), 7, Some("timeout"));
        own.shutdown(MINUTE).await;

        let spans = receiver.spans();
        let names: Vec<_> = spans.iter().map(|(_, span)| span.name.as_str()).collect();
        assert_eq!(names, ["metrics page", "apply batch"], "{protocol:?}");
        assert_eq!(spans[0].1.end_time_unix_nano - spans[0].1.start_time_unix_nano, 250_000_000);
        assert_eq!(spans[1].1.status.as_ref().unwrap().message, "timeout");
        let service = spans[0].0.attributes.iter().find(|pair| pair.key == "service.name").unwrap();
        let name = service.value.as_ref().and_then(|value| value.value.clone());
        assert_eq!(name, Some(ProtoValue::StringValue("gobeacon".to_owned())));
        let seen = receiver.seen().remove(0);
        assert_eq!(seen.headers["authorization"], "Bearer t");
        assert!(seen.headers.values().any(|value| value == "gzip"), "{:?}", seen.headers);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_of_the_exporter_can_be_told_as_an_own_span() {
    let (receiver, own_receiver) = (Receiver::start(), Receiver::start());
    let exporter = exporter(Protocol::HttpProtobuf, &receiver);
    let own_settings = settings(&explicit(Protocol::Grpc, &own_receiver.url()));
    let own = Arc::new(SelfTelemetry::start(&own_settings).unwrap().unwrap());
    exporter.observe(Some(&own.observer()));
    receiver.answer_next([Answer::Http(503, Vec::new())]);
    exporter.offer(spans(3));
    exporter.flush(MINUTE).await;
    own.shutdown(MINUTE).await;
    let outcomes =
        own_receiver.spans().into_iter().map(|(_, span)| (span.name, span.status.unwrap_or_default().message));
    let expected =
        [("export request", "unavailable"), ("export request", "")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(outcomes.collect::<Vec<_>>(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn own_spans_that_cannot_be_sent_hold_up_nothing() {
    for protocol in BOTH {
        let receiver = Receiver::start();
        receiver.answer(Answer::Hang);
        let own = SelfTelemetry::start(&settings(&explicit(protocol, &receiver.url()))).unwrap().unwrap();
        for _ in 0..10_000 {
            own.record(Work::BatchApply, Duration::ZERO, 1, None);
        }
        let begun = Instant::now();
        own.shutdown(Duration::from_millis(200)).await;
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        assert!(receiver.spans().is_empty());
    }
}

#[tokio::test]
async fn without_traces_there_are_no_own_spans() {
    let explicit = Explicit { traces: Some(false), ..explicit(Protocol::Grpc, "http://localhost:4317") };
    assert!(SelfTelemetry::start(&settings(&explicit)).unwrap().is_none());
}
