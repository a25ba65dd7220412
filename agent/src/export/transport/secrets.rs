//! Certificates, keys and secret headers out of their files.
//!
//! Invariant: what was read shows in no error and no `Debug`.

use std::path::{Path, PathBuf};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::StartError;
use crate::export::settings::SignalSettings;

/// PEM texts, checked.
#[derive(Default)]
pub(super) struct Tls {
    /// Authorities to trust instead of the system's.
    pub(super) authorities: Option<Vec<u8>>,
    /// Certificate chain and key of the client.
    pub(super) client: Option<(Vec<u8>, Vec<u8>)>,
}

/// The headers of every request, marked as sensitive.
pub(super) fn headers(settings: &SignalSettings) -> Result<HeaderMap, StartError> {
    let mut headers = HeaderMap::new();
    for (name, value) in &settings.headers {
        // the settings were checked: both parse
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            insert(&mut headers, name, value);
        }
    }
    for (name, path) in &settings.header_files {
        let text = read("otlp.header_files", path)?;
        let text = String::from_utf8_lossy(&text);
        let value = HeaderValue::try_from(text.trim_end_matches(['\r', '\n'])).map_err(|_| StartError::Content {
            key: "otlp.header_files",
            path: path.clone(),
            problem: "is not the value of a header: it must be one line".to_owned(),
        })?;
        if let Ok(name) = HeaderName::try_from(name) {
            insert(&mut headers, name, value);
        }
    }
    Ok(headers)
}

/// The PEM files, where the endpoint is `https`.
pub(super) fn tls(settings: &SignalSettings) -> Result<Tls, StartError> {
    if settings.url.scheme() != "https" {
        return Ok(Tls::default());
    }
    let authorities = settings.tls.certificate.as_deref().map(|path| certificates("otlp.certificate", path));
    let client = settings.tls.client.as_ref().map(|(certificate, key)| {
        Ok::<_, StartError>((
            certificates("otlp.client_certificate", certificate)?,
            private_key("otlp.client_key", key)?,
        ))
    });
    Ok(Tls { authorities: authorities.transpose()?, client: client.transpose()? })
}

fn insert(headers: &mut HeaderMap, name: HeaderName, mut value: HeaderValue) {
    value.set_sensitive(true);
    headers.insert(name, value);
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<u8>, StartError> {
    let pem = read(key, path)?;
    let count = CertificateDer::pem_slice_iter(&pem).filter(Result::is_ok).count();
    if count == 0 {
        return Err(content(key, path, "holds no certificate in PEM form"));
    }
    Ok(pem)
}

fn private_key(key: &'static str, path: &Path) -> Result<Vec<u8>, StartError> {
    let pem = read(key, path)?;
    if PrivateKeyDer::from_pem_slice(&pem).is_err() {
        return Err(content(key, path, "holds no private key in PEM form (an encrypted key cannot be read)"));
    }
    Ok(pem)
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, StartError> {
    std::fs::read(path).map_err(|source| StartError::File { key, path: path.to_owned(), source })
}

fn content(key: &'static str, path: &Path, problem: &str) -> StartError {
    StartError::Content { key, path: PathBuf::from(path), problem: problem.to_owned() }
}
