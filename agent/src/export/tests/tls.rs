//! TLS: whom we trust, who we are, and what is said when it does not fit.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

use super::super::{Left, StartError};
use super::otlp_receiver::Tls;
use super::*;

/// An authority, and what it signs.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer, folder: tempfile::tempdir().unwrap() }
    }

    /// PEM of a certificate and its key.
    fn sign(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    fn server(&self, client_authority: Option<&Self>) -> Receiver {
        let (certificate, key) = self.sign("localhost");
        let client_authority = client_authority.map(|it| it.issuer.pem());
        Receiver::start_tls(&Tls { certificate, key, client_authority })
    }

    fn file(&self, name: &str, pem: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, pem).unwrap();
        path
    }

    fn certificate(&self) -> Option<PathBuf> {
        Some(self.file("ca.pem", &self.issuer.pem()))
    }
}

async fn delivered(explicit: &Explicit) -> SignalReport {
    let exporter = Exporter::start(&settings(explicit)).unwrap();
    exporter.offer(spans(10));
    exporter.flush(MINUTE).await;
    exporter.report().traces
}

/// How often the requests failed in TLS, and how often otherwise.
async fn fails(explicit: &Explicit) -> (u64, u64) {
    let mut exporter = Exporter::start(&settings(explicit)).unwrap();
    exporter.offer(spans(10));
    exporter.flush(Duration::from_millis(500)).await;
    assert_eq!(exporter.shutdown(Duration::ZERO).await, Left { spans: 10, logs: 0 });
    let report = exporter.report().traces;
    nothing_is_unaccounted(&report, 10);
    let tls = failures(&report, FailureReason::Tls);
    (tls, report.failures().map(|(_, count)| count).sum::<u64>() - tls)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_of_our_own_authority_is_trusted() {
    for protocol in BOTH {
        let authority = Authority::new();
        let receiver = authority.server(None);
        let certificate = authority.certificate();
        let explicit = Explicit { certificate, ..explicit(protocol, &receiver.url()) };
        assert_eq!(delivered(&explicit).await.delivered, 10, "{protocol:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_of_another_authority_gets_nothing() {
    for protocol in BOTH {
        let (authority, other) = (Authority::new(), Authority::new());
        let receiver = authority.server(None);
        let explicit = Explicit { certificate: other.certificate(), ..explicit(protocol, &receiver.url()) };
        assert!(matches!(fails(&explicit).await, (1.., 0)));
        assert!(receiver.seen().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_with_the_certificate_of_another_host_gets_nothing() {
    for protocol in BOTH {
        let authority = Authority::new();
        let (certificate, key) = authority.sign("elsewhere.example.com");
        let receiver = Receiver::start_tls(&Tls { certificate, key, client_authority: None });
        let explicit = Explicit { certificate: authority.certificate(), ..explicit(protocol, &receiver.url()) };
        assert!(matches!(fails(&explicit).await, (1.., 0)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_asks_for_our_certificate_gets_it() {
    for protocol in BOTH {
        let (authority, clients) = (Authority::new(), Authority::new());
        let receiver = authority.server(Some(&clients));
        let (certificate, key) = clients.sign("agent");
        let explicit = Explicit {
            certificate: authority.certificate(),
            client_certificate: Some(clients.file("client.pem", &certificate)),
            client_key: Some(clients.file("client.key", &key)),
            ..explicit(protocol, &receiver.url())
        };
        assert_eq!(delivered(&explicit).await.delivered, 10, "{protocol:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_asks_for_our_certificate_takes_nothing_without_it() {
    for protocol in BOTH {
        let authority = Authority::new();
        let receiver = authority.server(Some(&authority));
        let explicit = Explicit { certificate: authority.certificate(), ..explicit(protocol, &receiver.url()) };
        // with TLS 1.3 the refusal comes after the handshake, and may be seen only as a connection that closes
        let (tls, other) = fails(&explicit).await;
        assert!(tls + other >= 1);
        assert!(receiver.seen().is_empty());
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_named_with_its_key_when_the_exporter_starts() {
    let authority = Authority::new();
    let (certificate, key) = authority.sign("agent");
    let url = "https://localhost:4317";
    for protocol in BOTH {
        let missing = Explicit { certificate: Some("no/such/file.pem".into()), ..explicit(protocol, url) };
        let empty = Explicit { certificate: Some(authority.file("empty.pem", "")), ..explicit(protocol, url) };
        let swapped = Explicit {
            client_certificate: Some(authority.file("client.key", &key)),
            client_key: Some(authority.file("client.pem", &certificate)),
            ..explicit(protocol, url)
        };
        let errors = [missing, empty, swapped].map(|it| Exporter::start(&settings(&it)).err().unwrap());
        assert!(matches!(&errors[0], StartError::File { key: "otlp.certificate", .. }), "{}", errors[0]);
        assert!(matches!(&errors[1], StartError::Content { key: "otlp.certificate", .. }), "{}", errors[1]);
        assert!(matches!(&errors[2], StartError::Content { key: "otlp.client_certificate", .. }), "{}", errors[2]);
    }
}
