//! Certificates, keys and headers change on disk while the agent runs.

use std::fs;
use std::path::Path;

use crate::authority::{Authority, file};
use crate::otlp_receiver::{Receiver, Tls};
use crate::program::Agent;

const BUILD: &str = "+ go build ./...\ngo: downloading corp.example/lib v1.0.0\n+ go version\n";

/// A secret as Kubernetes mounts it: files that are links into a folder behind a link, which is exchanged.
fn secret(mount: &Path, version: &str, files: &[(&str, &str)]) {
    fs::create_dir_all(mount.join(version)).unwrap();
    for (name, text) in files {
        file(&mount.join(version), name, text);
        // there from the first version on
        let _there = std::os::unix::fs::symlink(Path::new("..data").join(name), mount.join(name));
    }
    std::os::unix::fs::symlink(version, mount.join("..new")).unwrap();
    fs::rename(mount.join("..new"), mount.join("..data")).unwrap();
}

/// The files of a client and of whom it trusts.
fn client(mount: &Path, version: &str, trusts: &Authority, of: &Authority) {
    let (certificate, key) = of.sign("agent");
    secret(mount, version, &[("ca.crt", &trusts.pem()), ("tls.crt", &certificate), ("tls.key", &key)]);
}

#[test]
fn exchanged_certificates_are_used_without_a_restart_and_broken_ones_are_said_and_not_used() {
    for protocol in ["grpc", "http/protobuf"] {
        let (folder, first, second) = (tempfile::tempdir().unwrap(), Authority::new(), Authority::new());
        let mount = folder.path().join("secret");
        client(&mount, "..1", &first, &first);
        let receiver = first.receiver(Some(&first));
        let path = |name: &str| mount.join(name).display().to_string();
        let (ca, certificate, key) = (path("ca.crt"), path("tls.crt"), path("tls.key"));
        let variables = [
            ("GOBEACON_OTLP_CERTIFICATE", ca.as_str()),
            ("GOBEACON_OTLP_CLIENT_CERTIFICATE", certificate.as_str()),
            ("GOBEACON_OTLP_CLIENT_KEY", key.as_str()),
        ];
        fs::write(folder.path().join("a.log"), BUILD).unwrap();
        let url = receiver.url();
        let agent = Agent::start(folder.path(), &["--otlp-endpoint", &url, "--otlp-protocol", protocol], &variables);
        receiver.wait_for_spans(2);

        secret(&mount, "..2", &[("ca.crt", "nonsense"), ("tls.crt", "nonsense"), ("tls.key", "nonsense")]);
        agent.wait_for_line("gobeacon_config_last_reload_successful 0");
        agent.wait_until_it_says("ca.crt, which holds no certificate in PEM form");
        fs::write(folder.path().join("b.log"), BUILD).unwrap();
        receiver.wait_for_spans(4);

        // the backend has other certificates now, and wants others
        let address = receiver.address();
        drop(receiver);
        client(&mount, "..3", &second, &second);
        let (certificate, key) = second.sign("localhost");
        let tls = Tls { certificate, key, client_authority: Some(second.pem()) };
        let receiver = Receiver::start_tls_at(&tls, address);
        fs::write(folder.path().join("c.log"), BUILD).unwrap();
        receiver.wait_for_spans(2);
        agent.wait_for_line("gobeacon_config_last_reload_successful 1");
    }
}

#[test]
fn a_token_that_is_written_anew_is_sent_without_a_restart() {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::start());
    let token = file(folder.path(), "token", "one\n");
    let variables = [("GOBEACON_OTLP_HEADER_FILES", &*format!("x-token={}", token.display()))];
    fs::write(folder.path().join("a.log"), BUILD).unwrap();
    let url = receiver.url();
    let agent = Agent::start(folder.path(), &["--otlp-endpoint", &url, "--otlp-protocol", "grpc"], &variables);
    receiver.wait_for_spans(2);
    fs::write(&token, "two\n").unwrap();
    agent.wait_until_it_says("certificates, keys or headers changed");
    fs::write(folder.path().join("b.log"), BUILD).unwrap();
    receiver.wait_for_spans(4);
    let tokens: Vec<_> = receiver.seen().iter().map(|seen| seen.headers["x-token"].clone()).collect();
    assert_eq!((tokens.first().unwrap().as_str(), tokens.last().unwrap().as_str()), ("one", "two"));
}
