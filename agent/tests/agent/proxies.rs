//! The way to the backend through a proxy that the environment names.

use rustix::process::Signal;

use crate::authority::{Authority, file};
use crate::otlp_receiver::Receiver;
use crate::program::Agent;
use crate::proxy::Proxy;

const BUILD: &str = "+ go build ./...\ngo: downloading corp.example/lib v1.0.0\n+ go version\n";
const PROTOCOLS: [&str; 2] = ["grpc", "http/protobuf"];

/// Runs an agent on a build until it has exported it, with these variables.
fn export(receiver: &Receiver, protocol: &str, variables: &[(&str, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.log"), BUILD).unwrap();
    let url = receiver.url();
    let arguments = ["--otlp-endpoint", url.as_str(), "--otlp-protocol", protocol];
    let mut agent = Agent::start(folder.path(), &arguments, variables);
    receiver.wait_for_spans(2);
    agent.signal(Signal::TERM);
    assert_eq!(agent.ended().code(), Some(0), "{}", agent.said());
    assert!(!agent.said().contains("hunter2"), "{}", agent.said());
}

#[test]
fn requests_go_through_the_proxy_of_the_scheme_in_either_case_with_its_password() {
    for protocol in PROTOCOLS {
        for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
            let (receiver, proxy) = (Receiver::start(), Proxy::start());
            export(&receiver, protocol, &[(variable, &format!("http://me:hunter2@{}", proxy.address))]);
            let heads = proxy.heads();
            let begin = if protocol == "grpc" { "CONNECT localhost:" } else { "POST http://localhost:" };
            assert!(!heads.is_empty() && heads.iter().all(|head| head.starts_with(begin)), "{heads:?}");
            let asks =
                |head: &String| head.to_ascii_lowercase().contains("proxy-authorization: basic bwu6ahvudgvymg==");
            assert!(heads.iter().all(asks), "{heads:?}");
        }
    }
}

#[test]
fn requests_with_tls_go_through_a_tunnel_and_the_proxy_sees_nothing_of_them() {
    for protocol in PROTOCOLS {
        for variable in ["HTTPS_PROXY", "https_proxy"] {
            let (folder, authority, proxy) = (tempfile::tempdir().unwrap(), Authority::new(), Proxy::start());
            let receiver = authority.receiver(None);
            let certificate = file(folder.path(), "ca.pem", &authority.pem());
            let address = format!("http://{}", proxy.address);
            // that of the other scheme has no say
            let variables = [
                (variable, address.as_str()),
                ("HTTP_PROXY", "http://127.0.0.1:1"),
                ("GOBEACON_OTLP_CERTIFICATE", certificate.to_str().unwrap()),
            ];
            export(&receiver, protocol, &variables);
            let heads = proxy.heads();
            assert!(!heads.is_empty() && heads.iter().all(|head| head.starts_with("CONNECT localhost:")), "{heads:?}");
        }
    }
}

#[test]
fn hosts_of_no_proxy_are_reached_directly() {
    for protocol in PROTOCOLS {
        for variable in ["NO_PROXY", "no_proxy"] {
            let receiver = Receiver::start();
            export(
                &receiver,
                protocol,
                &[("HTTP_PROXY", "http://127.0.0.1:1"), (variable, "elsewhere.example,localhost")],
            );
        }
    }
}
