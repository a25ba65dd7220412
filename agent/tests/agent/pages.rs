//! What the port says.

use std::io::Write as _;
use std::net::TcpStream;

use crate::program::Agent;

/// Every kind of thing that a log tells, with time stamps, so that each number is known.
const LOG: &str = "\
2026-01-02T03:04:05.0000000Z ##[group]Run go mod download -x
2026-01-02T03:04:05.1000000Z # get https://proxy.golang.org/corp.example/a/@v/v1.0.0.zip
2026-01-02T03:04:05.2000000Z # get https://proxy.golang.org/corp.example/a/@v/v1.0.0.zip: 200 OK (0.100s)
2026-01-02T03:04:06.0000000Z go: downloading corp.example/b v1.2.0
2026-01-02T03:04:07.0000000Z ##[group]Run go build ./...
2026-01-02T03:04:08.0000000Z verifying corp.example/b@v1.2.0: checksum mismatch
2026-01-02T03:04:08.0000000Z \tdownloaded: h1:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=
2026-01-02T03:04:08.0000000Z \tgo.sum:     h1:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb=
2026-01-02T03:04:08.0000000Z 
2026-01-02T03:04:08.0000000Z SECURITY ERROR
2026-01-02T03:04:09.0000000Z noise
2026-01-02T03:04:20.0000000Z ##[group]Run go test ./...
2026-01-02T03:04:21.0000000Z --- FAIL: TestA (0.30s)
2026-01-02T03:04:21.0000000Z     a_test.go:7: no
2026-01-02T03:04:21.0000000Z FAIL
2026-01-02T03:04:21.0000000Z FAIL\tcorp.example/app/a\t0.412s
2026-01-02T03:04:22.0000000Z ok  \tcorp.example/app/b\t(cached)
2026-01-02T03:04:22.0000000Z FAIL
2026-01-02T03:04:30.0000000Z ##[group]Run go version
";

#[test]
fn the_whole_page_for_a_log() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ci.log"), LOG).unwrap();
    let agent = Agent::start(folder.path(), &[], &[]);
    let page = agent.wait_for_line(&format!("gobeacon_log_lines_total {}", LOG.lines().count()));
    let page: Vec<_> = page.lines().map(timeless).collect();
    insta::assert_snapshot!(page.join("\n"));
}

/// How long the agent took is another number each time.
fn timeless(line: &str) -> String {
    match line.rsplit_once(' ') {
        Some((name, _))
            if name.starts_with("gobeacon_event_latency_seconds_") || name.ends_with("_timestamp_seconds") =>
        {
            format!("{name} (time)")
        }
        Some((name @ "gobeacon_state_bytes", _)) => format!("{name} (size)"),
        _ => line.replace(env!("CARGO_PKG_VERSION"), "(version)"),
    }
}

#[test]
fn openmetrics_comes_for_who_asks_for_it_and_its_exemplars_are_traces() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ci.log"), LOG).unwrap();
    let agent = Agent::start(folder.path(), &[], &[]);
    agent.wait_for_line("gobuild_tests_total{repository=\"unknown\"} 1");
    let accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    let page = agent.get("/metrics", accept).unwrap();
    assert!(page.ends_with("\n# EOF\n"), "{page}");
    let with_exemplar: Vec<_> = page.lines().filter(|line| line.contains(" # {trace_id=\"")).collect();
    assert!(with_exemplar.iter().any(|line| line.starts_with("gobuild_command_duration_seconds_bucket{")), "{page}");
    assert!(with_exemplar.iter().any(|line| line.starts_with("gobuild_test_duration_seconds_bucket{")), "{page}");
    let head = agent.ask(&format!("HEAD /metrics HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n")).unwrap();
    assert!(head.to_lowercase().contains("content-type: application/openmetrics-text; version=1.0.0"), "{head}");
}

#[test]
fn health_readiness_and_a_way_out_of_the_wrong_path() {
    let folder = tempfile::tempdir().unwrap();
    let agent = Agent::start(folder.path(), &[], &[]);
    assert_eq!(agent.get("/healthz", "").unwrap(), "alive\n");
    assert_eq!(agent.get("/readyz", "").unwrap(), "ready\n");
    let lost = agent.get("/metric?x=1", "").unwrap_err();
    assert!(lost.starts_with("HTTP/1.1 404 "), "{lost}");
    assert!(lost.ends_with("nothing is at /metric; there are /metrics, /healthz and /readyz\n"), "{lost}");
    let posted = agent.ask("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n").unwrap();
    assert!(posted.starts_with("HTTP/1.1 405 "), "{posted}");
    let long = agent.ask(&format!("GET / HTTP/1.1\r\nX: {}\r\n", "x".repeat(100_000)));
    assert!(long.is_err() || long.as_ref().is_ok_and(|it| it.starts_with("HTTP/1.1 431 ")), "{long:?}");
}

#[test]
fn clients_that_say_nothing_or_read_nothing_do_not_keep_others_from_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let agent = Agent::start(folder.path(), &[], &[]);
    let lazy: Vec<_> = (0..100)
        .map(|n| {
            let mut stream = TcpStream::connect(agent.address).unwrap();
            match n % 3 {
                0 => {}
                1 => stream.write_all(b"GET /metrics HTTP/1.1\r\nHos").unwrap(),
                _ => (0..50).for_each(|_| stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap()),
            }
            stream
        })
        .collect();
    assert!(agent.get("/metrics", "").unwrap().contains("gobeacon_build_info"));
    drop(lazy);
}
