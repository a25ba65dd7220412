//! What becomes of a batch after each kind of answer.

use std::collections::BTreeSet;
use std::time::Instant;

use tonic::Code;

use super::super::{Left, Report};
use super::*;

fn http(status: u16) -> Answer {
    Answer::Http(status, Vec::new())
}

/// Sends one span to a receiver that first answers so; gives back the exporter once nothing is left to do.
async fn after(protocol: Protocol, answer: Answer) -> (Receiver, Exporter) {
    let receiver = Receiver::start();
    receiver.answer_next([answer]);
    let exporter = exporter(protocol, &receiver);
    exporter.offer(spans(1));
    exporter.flush(MINUTE).await;
    (receiver, exporter)
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_statuses_that_may_be_retried_are_and_the_others_drop_the_batch() {
    use FailureReason::{Rejected, Throttled, Timeout, Unauthorized, Unavailable};
    let table = [
        (Code::Cancelled, None, true, Unavailable),
        (Code::Unknown, None, false, Rejected),
        (Code::InvalidArgument, None, false, Rejected),
        (Code::DeadlineExceeded, None, true, Timeout),
        (Code::NotFound, None, false, Rejected),
        (Code::AlreadyExists, None, false, Rejected),
        (Code::PermissionDenied, None, false, Unauthorized),
        (Code::ResourceExhausted, None, false, Rejected),
        (Code::ResourceExhausted, Some(Duration::from_millis(1)), true, Throttled),
        (Code::FailedPrecondition, None, false, Rejected),
        (Code::Aborted, None, true, Unavailable),
        (Code::OutOfRange, None, true, Unavailable),
        (Code::Unimplemented, None, false, Rejected),
        (Code::Internal, None, false, Rejected),
        (Code::Unavailable, None, true, Unavailable),
        (Code::DataLoss, None, true, Unavailable),
        (Code::Unauthenticated, None, false, Unauthorized),
    ];
    for (code, retry_info, retried, reason) in table {
        let (receiver, exporter) = after(Protocol::Grpc, Answer::Grpc(code, retry_info)).await;
        expect(&receiver, &exporter, retried, reason, &format!("{code:?} {retry_info:?}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn http_statuses_that_may_be_retried_are_and_the_others_drop_the_batch() {
    use FailureReason::{BadAnswer, Rejected, Throttled, Timeout, Unauthorized, Unavailable};
    let table = [
        (400, false, Rejected),
        (401, false, Unauthorized),
        (403, false, Unauthorized),
        (404, false, Rejected),
        (408, false, Rejected),
        (429, true, Throttled),
        (500, false, Rejected),
        (501, false, Rejected),
        (502, true, Unavailable),
        (503, true, Unavailable),
        (504, true, Timeout),
        (301, false, BadAnswer),
        (307, false, BadAnswer),
    ];
    for (status, retried, reason) in table {
        let (receiver, exporter) = after(Protocol::HttpProtobuf, http(status)).await;
        expect(&receiver, &exporter, retried, reason, &status.to_string());
    }
}

fn expect(receiver: &Receiver, exporter: &Exporter, retried: bool, reason: FailureReason, what: &str) {
    let report = exporter.report().traces;
    let (requests, delivered, rejected) = if retried { (2, 1, 0) } else { (1, 0, 1) };
    assert_eq!(receiver.seen().len() as u64, requests, "{what}");
    assert_eq!((report.requests, report.delivered), (requests, delivered), "{what}: {report:?}");
    assert_eq!(dropped(&report, DropReason::Rejected), rejected, "{what}");
    assert_eq!(failures(&report, reason), 1, "{what}: {report:?}");
    nothing_is_unaccounted(&report, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_that_the_backend_asks_for_is_waited() {
    let retry_after = |value: &str| Answer::Http(429, vec![("retry-after", value.to_owned())]);
    let table = [
        (Protocol::Grpc, Answer::Grpc(Code::ResourceExhausted, Some(Duration::from_millis(900)))),
        (Protocol::Grpc, Answer::Grpc(Code::Unavailable, Some(Duration::from_millis(900)))),
        (Protocol::HttpProtobuf, retry_after("1")),
        (Protocol::HttpProtobuf, Answer::Http(503, vec![("retry-after", "1".to_owned())])),
    ];
    for (protocol, answer) in table {
        let what = format!("{answer:?}");
        let (receiver, _exporter) = after(protocol, answer).await;
        let seen = receiver.seen();
        let waited = seen[1].at - seen[0].at;
        assert!((Duration::from_millis(850)..Duration::from_secs(5)).contains(&waited), "{what}: {waited:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_date_that_the_backend_names_is_waited_for() {
    // a date has no parts of a second: this one is one to two seconds away
    let date = jiff::Timestamp::now() + Duration::from_secs(2);
    let text = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&date).unwrap();
    let answer = Answer::Http(503, vec![("retry-after", text)]);
    let (receiver, _exporter) = after(Protocol::HttpProtobuf, answer).await;
    let seen = receiver.seen();
    assert_eq!(seen.len(), 2);
    assert!(seen[1].at - seen[0].at >= Duration::from_millis(500), "{:?}", seen[1].at - seen[0].at);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_a_partial_success_rejects_are_counted_and_not_sent_again() {
    for protocol in BOTH {
        let receiver = Receiver::start();
        receiver.answer(Answer::Partial { rejected: 3, message: "no such tenant" });
        let exporter = exporter(protocol, &receiver);
        exporter.offer(spans(10));
        exporter.offer(logs(10));
        exporter.flush(MINUTE).await;
        let report = exporter.report();
        for report in [report.traces, report.logs] {
            assert_eq!((report.requests, report.delivered), (1, 7));
            assert_eq!(dropped(&report, DropReason::PartialSuccess), 3);
            assert_eq!(failures(&report, FailureReason::Partial), 1);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partial_success_that_rejects_nothing_is_a_success_with_a_warning() {
    for protocol in BOTH {
        let (_receiver, exporter) = after(protocol, Answer::Partial { rejected: 0, message: "old version" }).await;
        let report = exporter.report().traces;
        assert_eq!((report.delivered, failures(&report, FailureReason::Partial)), (1, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_none_of_otlp_is_counted_and_harms_nothing() {
    let html = Answer::Raw(200, vec![("content-type", "text/html")], "<html>sign in</html>");
    let undecodable = Answer::Raw(
        200,
        vec![("content-type", "application/grpc"), ("grpc-status", "14"), ("grpc-status-details-bin", "!!!")],
        "",
    );
    let elsewhere = Answer::Raw(302, vec![("location", "http://127.0.0.1:1/v1/traces")], "");
    for (protocol, answer) in [
        (Protocol::HttpProtobuf, html.clone()),
        (Protocol::HttpProtobuf, elsewhere.clone()),
        (Protocol::Grpc, html),
        (Protocol::Grpc, undecodable),
        (Protocol::Grpc, elsewhere),
    ] {
        let what = format!("{protocol:?} {answer:?}");
        let (receiver, exporter) = after(protocol, answer).await;
        let report = exporter.report().traces;
        nothing_is_unaccounted(&report, 1);
        assert_eq!(report.failures().map(|(_, count)| count).sum::<u64>(), 1, "{what}: {report:?}");
        // and the next batch goes out
        let before = receiver.spans().len();
        exporter.offer(spans(1));
        receiver.wait_for_spans(before + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_status_is_a_success_whatever_small_receivers_answer_with() {
    let table = [
        Answer::Raw(200, vec![], ""),
        Answer::Raw(204, vec![], ""),
        Answer::Raw(200, vec![("content-type", "text/plain")], "ok"),
        Answer::Raw(202, vec![("content-type", "application/json")], "{\"partialSuccess\":{}}"),
        Answer::Raw(200, vec![("content-type", "application/x-protobuf")], "\u{7f}garbage"),
    ];
    for answer in table {
        let what = format!("{answer:?}");
        let (_receiver, exporter) = after(Protocol::HttpProtobuf, answer).await;
        let report = exporter.report().traces;
        assert_eq!((report.requests, report.delivered), (1, 1), "{what}: {report:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_hangs_is_given_up_and_sent_again() {
    for protocol in BOTH {
        let receiver = Receiver::start();
        receiver.answer_next([Answer::Hang]);
        let explicit = Explicit { timeout: Some(Duration::from_millis(200)), ..explicit(protocol, &receiver.url()) };
        let exporter = Exporter::start(&settings(&explicit)).unwrap();
        exporter.offer(spans(1));
        receiver.wait_for_spans(1);
        exporter.flush(MINUTE).await;
        assert_eq!(failures(&exporter.report().traces, FailureReason::Timeout), 1);
        assert_eq!(ids(&receiver), [1]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_takes_no_logs_still_gets_its_spans() {
    let receiver = Receiver::start();
    let address = receiver.url();
    let deaf = Receiver::start();
    deaf.answer(Answer::Grpc(Code::Unavailable, None));
    let mut settings = settings(&explicit(Protocol::Grpc, &address));
    settings.logs.as_mut().unwrap().url = deaf.url().parse().unwrap();
    let exporter = Exporter::start(&settings).unwrap();
    for n in 1..=20 {
        exporter.offer(logs(10));
        exporter.offer(Telemetry { resource: resource(), spans: vec![span(n)], logs: Vec::new() });
    }
    receiver.wait_for_spans(20);
    deaf.wait_for_begun(3);
    assert_eq!(exporter.report().logs.delivered, 0);
    nothing_is_unaccounted(&exporter.report().logs, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_backend_fails_it_is_asked_by_one_request_at_a_time_and_less_and_less_often() {
    for protocol in BOTH {
        let receiver = Receiver::start();
        receiver.answer(match protocol {
            Protocol::Grpc => Answer::Grpc(Code::Unavailable, None),
            Protocol::HttpProtobuf => http(503),
        });
        let mut settings = settings(&explicit(protocol, &receiver.url()));
        settings.limits.batch_records = 10;
        settings.limits.backoff_first = Duration::from_millis(40);
        settings.limits.backoff_most = Duration::from_millis(320);
        let exporter = Exporter::start(&settings).unwrap();
        let begun = Instant::now();
        exporter.offer(spans(1_000));
        receiver.wait_for_begun(10);
        // 4 at once, then one after each of 6 waits of at least 20, 40, 80, 160, 160 and 160 ms
        assert!(begun.elapsed() >= Duration::from_millis(500), "{:?}", begun.elapsed());
        receiver.answer(Answer::Ok);
        assert_eq!(exporter.flush(MINUTE).await, Left::default());
        assert_eq!(ids(&receiver), (1..=1_000).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_too_large_for_the_backend_arrives_in_parts_each_record_once() {
    for protocol in BOTH {
        let receiver = Receiver::start();
        receiver.answer(Answer::AtMost(20_000));
        let exporter = exporter(protocol, &receiver);
        exporter.offer(spans(1_500));
        exporter.offer(logs(700));
        assert_eq!(exporter.flush(MINUTE).await, Left::default(), "{protocol:?}");
        assert_eq!(ids(&receiver), (1..=1_500).collect::<Vec<_>>());
        let bodies: BTreeSet<_> = receiver.logs().iter().map(|(_, log)| format!("{:?}", log.body)).collect();
        assert_eq!((receiver.logs().len(), bodies.len()), (700, 700));
        assert!(receiver.seen().iter().filter(|seen| seen.taken).all(|seen| seen.bytes() <= 20_000));
        let Report { traces, logs } = exporter.report();
        assert_eq!((traces.delivered, logs.delivered), (1_500, 700));
        assert!(failures(&traces, FailureReason::TooLarge) >= 1);
        nothing_is_unaccounted(&traces, 1_500);
        nothing_is_unaccounted(&logs, 700);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_too_large_for_the_backend_is_dropped_alone_and_counted() {
    for protocol in BOTH {
        let receiver = Receiver::start();
        receiver.answer(Answer::AtMost(20_000));
        let exporter = exporter(protocol, &receiver);
        let mut telemetry = spans(101);
        telemetry.spans[50].attributes.push(("gobuild.test.output", Value::Str("x".repeat(30_000).into())));
        exporter.offer(telemetry);
        assert_eq!(exporter.flush(MINUTE).await, Left::default());
        let expected: Vec<_> = (1..=101).filter(|id| *id != 51).collect();
        assert_eq!(ids(&receiver), expected, "{protocol:?}");
        let report = exporter.report().traces;
        assert_eq!((report.delivered, dropped(&report, DropReason::TooLarge)), (100, 1));
        nothing_is_unaccounted(&report, 101);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_that_were_taken_before_the_backend_went_away_are_not_sent_again() {
    for (protocol, away) in
        [(Protocol::Grpc, Answer::Grpc(Code::Unavailable, None)), (Protocol::HttpProtobuf, http(503))]
    {
        let dir = tempfile::tempdir().unwrap();
        let receiver = Receiver::start();
        // the whole is too large, the first half is taken, then it is away for a while
        receiver.answer_next([Answer::AtMost(1), Answer::Ok, away.clone(), away]);
        let mut settings = settings(&explicit(protocol, &receiver.url()));
        settings.spool = Some(crate::export::settings::Spool { dir: dir.path().to_owned(), most_bytes: 1 << 30 });
        let exporter = Exporter::start(&settings).unwrap();
        exporter.offer(spans(1_000));
        assert_eq!(exporter.flush(MINUTE).await, Left::default());
        assert_eq!(ids(&receiver), (1..=1_000).collect::<Vec<_>>(), "{protocol:?}");
        nothing_is_unaccounted(&exporter.report().traces, 1_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_for_size_are_told_by_the_words_of_the_receivers_there_are() {
    let words = [
        "grpc: received message larger than max (5242880 vs. 4194304)",
        "grpc: received message after decompression larger than max 4194304",
        "Received message larger than max (5242880 vs. 4194304)",
        "gRPC message exceeds maximum size 4194304: 5242880",
        "Error, decoded message length too large: found 5242880 bytes, the limit is: 4194304 bytes",
        "http: request body too large",
    ];
    assert!(words.into_iter().all(super::super::transport::is_about_size));
    assert!(!super::super::transport::is_about_size("no quota is left"));
}
