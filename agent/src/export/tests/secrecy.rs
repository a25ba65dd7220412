//! What the log says of an exporter at work, at its most talkative: no secret.

use std::io::Write;
use std::sync::Mutex;

use tracing_subscriber::fmt::MakeWriter;

use super::*;

/// A log in memory.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Memory {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[test]
fn no_secret_is_in_the_log_when_export_works_nor_when_it_fails() {
    let memory = Memory::default();
    let log = tracing_subscriber::fmt().with_writer(memory.clone()).with_max_level(tracing::Level::TRACE).finish();
    tracing::subscriber::with_default(log, || {
        // one thread, whose log this is
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for protocol in BOTH {
            let receiver = Receiver::start();
            let url = match protocol {
                Protocol::Grpc => receiver.url().replace("//", "//user:SECRET@"),
                Protocol::HttpProtobuf => receiver.url().replace("//", "//user:SECRET@") + "/?key=SECRET",
            };
            let mut explicit = explicit(protocol, &url);
            explicit.headers.insert("x-api-key".to_owned(), "SECRET".to_owned());
            runtime.block_on(async {
                let mut exporter = Exporter::start(&settings(&explicit)).unwrap();
                exporter.offer(spans(1));
                exporter.flush(MINUTE).await;
                assert_eq!(receiver.seen()[0].headers["x-api-key"], "SECRET");
                assert_eq!(receiver.seen()[0].headers["authorization"], "Basic dXNlcjpTRUNSRVQ=");
                receiver.answer(Answer::Raw(503, Vec::new(), ""));
                exporter.offer(spans(1));
                exporter.flush(Duration::from_millis(200)).await;
                drop(receiver);
                exporter.shutdown(Duration::from_millis(200)).await;
            });
        }
    });
    let log = String::from_utf8(memory.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("export fails, it is tried again") && log.contains("/v1/traces"), "{log}");
    // the words of the library that shows frames must be there, else this test proves nothing
    assert!(log.contains("DEBUG") && log.contains("hyper"), "{log}");
    let leaks: Vec<_> =
        log.lines().filter(|line| line.contains("SECRET") || line.contains("dXNlcjpTRUNSRVQ")).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
}
