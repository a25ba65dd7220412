//! A certificate authority for tests, with the files that it signs.
#![allow(clippy::unwrap_used, reason = "it is part of tests, which may panic")]
#![allow(dead_code, reason = "each test uses its part of it")]

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::otlp_receiver::{Receiver, Tls};

/// An authority.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    /// PEM of itself.
    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// PEM of a certificate and its key.
    pub(crate) fn sign(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// A receiver on localhost with a certificate of this authority, which asks clients for one of `clients`.
    pub(crate) fn receiver(&self, clients: Option<&Self>) -> Receiver {
        let (certificate, key) = self.sign("localhost");
        Receiver::start_tls(&Tls { certificate, key, client_authority: clients.map(Self::pem) })
    }
}

/// Writes a file and gives its path.
pub(crate) fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}
