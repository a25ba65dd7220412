//! What a real Collector refuses, and what it asks of us before it takes anything.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::authority::{Authority, file};
use crate::backends::{Collector, Protocol};
use crate::machine::{Running, free_address, http_get, wait_for};

/// Downloads in the log; more than one request has.
const MODULES: usize = 5_000;

/// Has an agent read a log of many downloads and deliver it; checks that each span arrived once.
fn deliver(folder: &Path, collector: Collector, protocol: Protocol, variables: &[(&str, &Path)]) -> String {
    // long names, so that a request is larger than the least limit that a Collector can have
    let name = "n".repeat(600);
    let lines: String = (0..MODULES).map(|n| format!("go: downloading corp.example/{name}/m{n} v1.0.0\n")).collect();
    let log = folder.join("ci.log");
    std::fs::write(&log, format!("+ go mod download\n{lines}+ go version\n")).unwrap();
    let listen = free_address();
    let mut command = Command::new(env!("CARGO_BIN_EXE_gobeacon"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("OTEL_") || name.starts_with("GOBEACON_")) {
        command.env_remove(name);
    }
    command
        .args(["agent", "--listen", &listen.to_string(), "--state-dir"])
        .arg(folder.join("state"))
        .arg("--logs")
        .arg(&log)
        .args(["--otlp-endpoint", &collector.endpoint(protocol), "--otlp-protocol", protocol.id()])
        .env("GOBEACON_DISCOVERY_ENABLED", "false")
        .env("GOBEACON_BUILD_MAX_SPANS", "100000")
        .envs(variables.iter().copied());
    let mut agent = Running::start("agent", folder, &mut command);
    let read = format!("gobeacon_log_lines_total {}", MODULES + 2);
    wait_for("all is read", || {
        agent.alive()?;
        let page = http_get(listen, "/metrics")?;
        if page.lines().any(|line| line == read) { Ok(()) } else { Err(page) }
    });
    let status = agent.terminate();
    assert_eq!(status.code(), Some(0), "{}", agent.output());
    let (spans, _) = collector.finish();
    let ids: BTreeSet<_> = spans.iter().map(|span| (span.trace.as_str(), span.id.as_str())).collect();
    // the downloads, and two commands
    assert_eq!((spans.len(), ids.len()), (MODULES + 2, MODULES + 2), "{protocol:?}: {}", agent.output());
    agent.output()
}

#[test]
fn requests_that_the_collector_finds_too_large_arrive_in_parts() {
    for protocol in [Protocol::Grpc, Protocol::Http] {
        let folder = tempfile::tempdir().unwrap();
        let collector =
            Collector::start_with(folder.path(), "max_recv_msg_size_mib: 1", "max_request_body_size: 100000");
        let said = deliver(folder.path(), collector, protocol, &[]);
        assert!(said.contains("it is sent in parts"), "{protocol:?}: {said}");
    }
}

#[test]
fn a_collector_that_asks_for_our_certificate_takes_all() {
    for protocol in [Protocol::Grpc, Protocol::Http] {
        let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
        let place = |name: &str, text: &str| file(folder.path(), name, text);
        let ((certificate, key), (ours, our_key)) = (authority.sign("localhost"), authority.sign("agent"));
        let ca = place("ca.pem", &authority.pem());
        let tls = format!(
            "tls: {{cert_file: '{}', key_file: '{}', client_ca_file: '{}'}}",
            place("server.pem", &certificate).display(),
            place("server.key", &key).display(),
            ca.display()
        );
        let collector = Collector::start_with(folder.path(), &tls, &tls).secure();
        let (ours, our_key) = (place("client.pem", &ours), place("client.key", &our_key));
        let variables = [
            ("GOBEACON_OTLP_CERTIFICATE", ca.as_path()),
            ("GOBEACON_OTLP_CLIENT_CERTIFICATE", ours.as_path()),
            ("GOBEACON_OTLP_CLIENT_KEY", our_key.as_path()),
        ];
        deliver(folder.path(), collector, protocol, &variables);
    }
}
