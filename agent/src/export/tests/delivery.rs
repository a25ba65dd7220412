//! What arrives when the backend is well, and when it comes back.

use std::time::Instant;

use opentelemetry_proto::tonic::common::v1::any_value::Value as ProtoValue;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1 as trace;

use super::otlp_receiver::Payload;
use super::*;

fn text(attributes: &[KeyValue], key: &str) -> String {
    match attributes.iter().find(|pair| pair.key == key).and_then(|pair| pair.value.clone()) {
        Some(AnyValue { value: Some(ProtoValue::StringValue(text)) }) => text,
        other => panic!("{key} is {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_span_arrives_with_its_derived_ids_times_status_resource_and_scope() {
    for protocol in BOTH {
        let receiver = Receiver::start();
        let exporter = exporter(protocol, &receiver);
        let mut telemetry = spans(1);
        telemetry.spans[0].parent = Some(SpanId([9; 8]));
        telemetry.spans[0].kind = SpanKind::Client;
        telemetry.spans[0].error = Some("exit status 1".to_owned());
        exporter.offer(telemetry);
        receiver.wait_for_spans(1);

        let (resource, span) = receiver.spans().remove(0);
        assert_eq!(span.trace_id, [7, 7, 7, 7, 7, 7, 7, 7, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(span.span_id, [0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(span.parent_span_id, [9; 8]);
        assert_eq!((span.name.as_str(), span.kind()), ("go test", trace::span::SpanKind::Client));
        assert_eq!(span.start_time_unix_nano, 1_700_000_000_000_000_000);
        assert_eq!(span.end_time_unix_nano, 1_700_000_001_000_000_000);
        let status = span.status.unwrap();
        assert_eq!((status.code(), status.message.as_str()), (trace::status::StatusCode::Error, "exit status 1"));
        assert_eq!(text(&span.attributes, "gobuild.module.path"), "example.com/m");
        assert_eq!(text(&resource.attributes, "service.name"), "go-build");
        assert_eq!(text(&resource.attributes, "host.name"), "ci-1");
        let Payload::Traces(request) = &receiver.seen()[0].payload else { panic!() };
        let group = &request.resource_spans[0];
        assert_eq!(group.schema_url, "https://opentelemetry.io/schemas/1.44.0");
        let scope = group.scope_spans[0].scope.clone().unwrap();
        assert_eq!((scope.name.as_str(), scope.version.as_str()), ("gobeacon", env!("CARGO_PKG_VERSION")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_record_arrives_with_its_event_name_severity_times_and_trace_context() {
    for protocol in BOTH {
        let receiver = Receiver::start();
        let exporter = exporter(protocol, &receiver);
        exporter.offer(logs(1));
        receiver.wait_for("a log record", |seen| seen.iter().any(|seen| !seen.logs().is_empty()));

        let (resource, log) = receiver.logs().remove(0);
        assert_eq!(log.event_name, "gobuild.failure");
        assert_eq!((log.severity_number, log.severity_text.as_str()), (17, "ERROR"));
        assert_eq!(log.time_unix_nano, 1_700_000_000_000_000_000);
        assert_eq!(log.observed_time_unix_nano, 1_700_000_002_000_000_000);
        assert_eq!(log.body.unwrap().value, Some(ProtoValue::StringValue("failure 1".to_owned())));
        assert_eq!((log.trace_id, log.span_id), (vec![7; 16], vec![0, 0, 0, 0, 0, 0, 0, 1]));
        assert_eq!(text(&log.attributes, "gobuild.failure.class"), "test.failed");
        assert_eq!(text(&resource.attributes, "host.name"), "ci-1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_names_us_carries_the_headers_and_is_compressed_unless_told_otherwise() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "Bearer from-a-file\n").unwrap();
    for (protocol, compression) in BOTH.into_iter().flat_map(|it| [(it, None), (it, Some(Compression::None))]) {
        let receiver = Receiver::start();
        let mut explicit = Explicit { compression, ..explicit(protocol, &receiver.url()) };
        explicit.headers.insert("X-Scope-OrgID".to_owned(), "tenant".to_owned());
        explicit.header_files.insert("Authorization".to_owned(), secret.path().to_owned());
        let exporter = Exporter::start(&settings(&explicit)).unwrap();
        exporter.offer(spans(1));
        receiver.wait_for_spans(1);

        let seen = receiver.seen().remove(0);
        assert!(seen.headers["user-agent"].starts_with(concat!("gobeacon/", env!("CARGO_PKG_VERSION"))));
        assert_eq!(seen.headers["x-scope-orgid"], "tenant");
        assert_eq!(seen.headers["authorization"], "Bearer from-a-file");
        let encoding = match protocol {
            Protocol::Grpc => seen.headers.get("grpc-encoding"),
            Protocol::HttpProtobuf => seen.headers.get("content-encoding"),
        };
        let expected = if compression.is_none() { Some("gzip") } else { None };
        assert_eq!(encoding.map(String::as_str), expected, "{protocol:?}");
        if protocol == Protocol::HttpProtobuf {
            assert_eq!(
                (seen.path.as_str(), seen.headers["content-type"].as_str()),
                ("/v1/traces", "application/x-protobuf")
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lone_span_is_at_the_receiver_well_within_a_second() {
    for protocol in BOTH {
        let receiver = Receiver::start();
        let exporter = exporter(protocol, &receiver);
        let took = (1..=5).map(|n| {
            let offered = Instant::now();
            exporter.offer(spans(1));
            receiver.wait_for_spans(n);
            offered.elapsed()
        });
        // the quickest of them: the machine may be busy with other things
        let quickest = took.min().unwrap();
        assert!(quickest < Duration::from_millis(500), "{protocol:?}: {quickest:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_one_build_stand_under_one_resource() {
    let receiver = Receiver::start();
    let exporter = exporter(Protocol::Grpc, &receiver);
    let (one, other) = (resource(), resource());
    for n in 0..10 {
        for resource in [&one, &other] {
            exporter.offer(Telemetry { resource: Arc::clone(resource), spans: vec![span(n)], logs: Vec::new() });
        }
    }
    exporter.flush(MINUTE).await;
    let groups = receiver.seen().into_iter().map(|seen| match seen.payload {
        Payload::Traces(request) => request.resource_spans.iter().map(|it| it.scope_spans[0].spans.len()).collect(),
        Payload::Logs(_) => Vec::new(),
    });
    assert_eq!(groups.collect::<Vec<_>>(), [[10, 10]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_large_spans_is_split_into_requests_under_four_mebibytes() {
    for protocol in BOTH {
        let receiver = Receiver::start();
        let mut explicit = explicit(protocol, &receiver.url());
        explicit.queue_bytes = Some(1 << 30);
        let exporter = Exporter::start(&settings(&explicit)).unwrap();
        let mut telemetry = spans(300);
        for span in &mut telemetry.spans {
            span.attributes.push(("gobuild.test.output", Value::Str("x".repeat(100_000).into())));
        }
        exporter.offer(telemetry);
        assert_eq!(exporter.flush(MINUTE).await, super::super::Left::default());
        assert_eq!(ids(&receiver), (1..=300).collect::<Vec<_>>());
        let sizes: Vec<_> = receiver.seen().iter().map(otlp_receiver::Seen::bytes).collect();
        assert!(sizes.len() >= 10 && sizes.iter().all(|size| *size <= 2 << 20), "{sizes:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_starts_late_gets_each_span_once() {
    for protocol in BOTH {
        // an address where nothing listens any more
        let address = Receiver::start().address();
        let url = format!("http://{address}");
        let exporter = Exporter::start(&settings(&explicit(protocol, &url))).unwrap();
        exporter.offer(spans(5_000));
        until(|| failures(&exporter.report().traces, FailureReason::Unreachable) >= 2).await;

        let receiver = Receiver::start_at(address);
        assert_eq!(exporter.flush(MINUTE).await, super::super::Left::default());
        assert_eq!(ids(&receiver), (1..=5_000).collect::<Vec<_>>());
        let report = exporter.report().traces;
        assert_eq!(report.delivered, 5_000);
        nothing_is_unaccounted(&report, 5_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_the_backend_closes_is_made_anew() {
    for protocol in BOTH {
        let receiver = Receiver::start();
        let exporter = exporter(protocol, &receiver);
        exporter.offer(spans(1));
        receiver.wait_for_spans(1);
        // the answer has come back too: what nobody acknowledged is rightly sent again
        until(|| exporter.report().traces.delivered == 1).await;
        let address = receiver.address();
        drop(receiver);

        exporter.offer(Telemetry { resource: resource(), spans: vec![span(2)], logs: Vec::new() });
        until(|| failures(&exporter.report().traces, FailureReason::Unreachable) >= 1).await;
        let receiver = Receiver::start_at(address);
        receiver.wait_for_spans(1);
        assert_eq!(ids(&receiver), [2]);
    }
}

/// Waits until it holds.
async fn until(holds: impl Fn() -> bool) {
    let patience = tokio::time::timeout(MINUTE, async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    });
    patience.await.expect("it came to pass");
}
