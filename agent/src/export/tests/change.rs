//! A change of where and how is exported, while there is much to export: nothing is lost and nothing comes twice.

use super::super::{Change, Lanes, Left};
use super::otlp_receiver::Seen;
use super::*;

fn there(settings: &Settings) -> Lanes {
    Lanes::default().with(Some(settings))
}

fn change(exporter: &mut Exporter, settings: &Settings) {
    exporter.change(Change::prepare(Some(settings), there(settings)).unwrap());
}

fn one(n: u64) -> Telemetry {
    Telemetry { resource: resource(), spans: vec![span(n)], logs: vec![log(n)] }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_changes_of_the_endpoint_and_the_protocol_under_load_lose_and_double_nothing() {
    let receivers = [Receiver::start(), Receiver::start()];
    let dir = tempfile::tempdir().unwrap();
    let to = |n: usize| {
        let mut settings = settings(&explicit(BOTH[n / 2 % 2], &receivers[n % 2].url()));
        settings.spool = Some(super::super::settings::Spool { dir: dir.path().to_owned(), most_bytes: 1 << 30 });
        settings
    };
    let mut exporter = Exporter::start(&to(0)).unwrap();
    for n in 1..=20_000 {
        exporter.offer(one(n));
        if n % 1_000 == 0 {
            // what was just offered is on its way to the old one, or waits
            change(&mut exporter, &to((n / 1_000) as usize));
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(exporter.shutdown(MINUTE).await, Left::default());
    let mut all: Vec<u64> = receivers.iter().flat_map(ids).collect();
    all.sort_unstable();
    assert!(all.iter().copied().eq(1..=20_000), "{} spans", all.len());
    assert_eq!(receivers.iter().map(|it| it.logs().len()).sum::<usize>(), 20_000);
    assert!(receivers.iter().all(|it| !it.seen().is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_dead_backend_goes_to_the_new_one_at_once() {
    let (old, new) = (Receiver::start(), Receiver::start());
    old.answer(Answer::Http(503, vec![("retry-after", "3000".to_owned())]));
    let mut exporter = exporter(Protocol::HttpProtobuf, &old);
    exporter.offer(spans(5_000));
    old.wait_for_begun(1);
    change(&mut exporter, &settings(&explicit(Protocol::Grpc, &new.url())));
    new.wait_for_spans(5_000);
    assert_eq!(ids(&new), (1..=5_000).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_that_is_switched_off_delivers_what_it_has_and_takes_nothing_new_until_it_is_on_again() {
    let receiver = Receiver::start();
    let on = settings(&explicit(Protocol::Grpc, &receiver.url()));
    let logs_only = Settings { traces: None, ..on.clone() };
    let mut exporter = Exporter::start(&on).unwrap();
    exporter.offer(one(1));
    exporter.change(Change::prepare(Some(&logs_only), there(&on)).unwrap());
    exporter.offer(one(2));
    exporter.change(Change::prepare(None, there(&on)).unwrap());
    exporter.offer(one(3));
    change(&mut exporter, &on);
    exporter.offer(one(4));
    assert_eq!(exporter.shutdown(MINUTE).await, Left::default());
    assert_eq!(ids(&receiver), [1, 4]);
    assert_eq!(receiver.logs().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exporter_of_nothing_begins_to_export_when_there_is_somewhere_to() {
    let receiver = Receiver::start();
    let mut exporter = Exporter::default();
    exporter.offer(one(1));
    let settings = settings(&explicit(Protocol::Grpc, &receiver.url()));
    exporter.change(Change::prepare(Some(&settings), Lanes::default()).unwrap());
    exporter.offer(one(2));
    assert_eq!(exporter.shutdown(MINUTE).await, Left::default());
    assert_eq!(ids(&receiver), [2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_whose_file_changed_is_sent_with_its_new_value() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    for protocol in BOTH {
        let receiver = Receiver::start();
        let mut explicit = explicit(protocol, &receiver.url());
        explicit.header_files.insert("Authorization".to_owned(), secret.path().to_owned());
        std::fs::write(secret.path(), "Bearer one\n").unwrap();
        let settings = settings(&explicit);
        let mut exporter = Exporter::start(&settings).unwrap();
        exporter.offer(spans(1));
        receiver.wait_for_spans(1);
        std::fs::write(secret.path(), "Bearer two\n").unwrap();
        change(&mut exporter, &settings);
        exporter.offer(spans(1));
        receiver.wait_for_spans(2);
        let sent = receiver.seen().iter().map(|seen: &Seen| seen.headers["authorization"].clone()).collect::<Vec<_>>();
        assert_eq!(sent, ["Bearer one", "Bearer two"]);
    }
}
