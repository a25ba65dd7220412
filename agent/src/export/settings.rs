//! Where to export to and how: what was configured and the standard OpenTelemetry variables, made into settings.
//!
//! Pure: no file is read and no environment but the function given. Secrets never show in `Debug` or in errors.
//!
//! Invariant: settings that exist are valid; what is wrong is said with the name of the key or variable.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::counts::Signal;

mod parse;
mod resolve;
#[cfg(test)]
mod tests;

pub(crate) use resolve::{Off, Resolved, SettingsError};

/// How OTLP is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// OTLP/gRPC: `grpc`.
    Grpc,
    /// OTLP/HTTP with binary protobuf: `http/protobuf`.
    HttpProtobuf,
}

/// How requests are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    /// Not at all: `none`.
    None,
    /// `gzip`.
    Gzip,
}

/// What flags, gobeacon's own environment and the configuration file say, already merged; `None` where they say
/// nothing. Each key wins over every standard variable of the same meaning.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Explicit {
    /// Base URL; for OTLP/HTTP `/v1/traces` and `/v1/logs` are appended.
    pub(crate) endpoint: Option<String>,
    /// `grpc` or `http/protobuf`.
    pub(crate) protocol: Option<Protocol>,
    /// Headers of every request; secret. Given here or in `header_files`, they replace those of the environment.
    pub(crate) headers: BTreeMap<String, String>,
    /// Headers whose values are read from files at start, without the line end.
    pub(crate) header_files: BTreeMap<String, PathBuf>,
    /// Default gzip.
    pub(crate) compression: Option<Compression>,
    /// Time for one request with its answer; default 10 s.
    pub(crate) timeout: Option<Duration>,
    /// PEM file of the authorities to trust, instead of those of the system.
    pub(crate) certificate: Option<PathBuf>,
    /// PEM file of the client's certificate chain.
    pub(crate) client_certificate: Option<PathBuf>,
    /// PEM file of the client's private key.
    pub(crate) client_key: Option<PathBuf>,
    /// No TLS for a gRPC endpoint without scheme; default false.
    pub(crate) insecure: Option<bool>,
    /// Whether spans are exported; default true.
    pub(crate) traces: Option<bool>,
    /// Whether log records are exported; default true.
    pub(crate) logs: Option<bool>,
    /// Most bytes that wait for the backend, for each signal; default 16 MiB.
    pub(crate) queue_bytes: Option<u64>,
    /// Most records that wait for the backend, for each signal; default 100,000.
    pub(crate) queue_records: Option<u64>,
}

/// Valid settings of the exporter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// `None`: spans are not exported.
    pub(crate) traces: Option<SignalSettings>,
    /// `None`: log records are not exported.
    pub(crate) logs: Option<SignalSettings>,
    /// Added to the resource of every build where the build does not say the same key itself.
    pub(crate) resource: Vec<(String, String)>,
    /// `OTEL_SERVICE_NAME`: the name of a build whose repository is not known.
    pub(crate) service_name: Option<String>,
    /// Sizes and times of the queue.
    pub(crate) limits: Limits,
    /// Where what waits is kept on disk; `None`: it is held in memory.
    pub(crate) spool: Option<Spool>,
}

/// Where what waits is kept on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spool {
    /// Each signal has a folder in it.
    pub(crate) dir: PathBuf,
    /// Most bytes, for each signal.
    pub(crate) most_bytes: u64,
}

impl Settings {
    /// Merges what was configured with the standard variables that `env` looks up. A variable that is empty counts
    /// as not set.
    ///
    /// # Errors
    /// Names the key or variable that is wrong and says what to do.
    pub(crate) fn resolve(
        explicit: &Explicit,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Resolved, SettingsError> {
        resolve::resolve(explicit, &env)
    }

    /// The settings of one signal.
    pub(crate) fn signal(&self, signal: Signal) -> Option<&SignalSettings> {
        match signal {
            Signal::Traces => self.traces.as_ref(),
            Signal::Logs => self.logs.as_ref(),
        }
    }
}

/// Where and how one signal is sent.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SignalSettings {
    /// gRPC: scheme, host and port. HTTP: the whole URL of this signal.
    pub(crate) url: reqwest::Url,
    pub(crate) protocol: Protocol,
    pub(crate) compression: Compression,
    pub(crate) timeout: Duration,
    /// Secret.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) header_files: BTreeMap<String, PathBuf>,
    pub(crate) tls: TlsFiles,
}

/// PEM files; only read for `https`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    /// Authorities to trust instead of the system's.
    pub(crate) certificate: Option<PathBuf>,
    /// Certificate chain and private key of the client.
    pub(crate) client: Option<(PathBuf, PathBuf)>,
}

/// Sizes and times of the queue, the same for each signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Most bytes that wait, encoded.
    pub(crate) queue_bytes: u64,
    /// Most records that wait.
    pub(crate) queue_records: u64,
    /// Most records of a request.
    pub(crate) batch_records: usize,
    /// Most bytes of a request, encoded and not compressed; receivers of gRPC refuse more than 4 MiB.
    pub(crate) batch_bytes: usize,
    /// How long the first record of a batch waits for company.
    pub(crate) linger: Duration,
    /// Most requests on their way at once.
    pub(crate) concurrency: usize,
    /// The first wait after a failure; doubled with each further one.
    pub(crate) backoff_first: Duration,
    /// The longest wait after a failure that names none itself.
    pub(crate) backoff_most: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            queue_bytes: 16 << 20,
            queue_records: 100_000,
            batch_records: 2_048,
            batch_bytes: 2 << 20,
            linger: Duration::from_millis(100),
            concurrency: 4,
            backoff_first: Duration::from_millis(500),
            backoff_most: Duration::from_secs(30),
        }
    }
}

impl fmt::Debug for Explicit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Explicit")
            .field("endpoint", &self.endpoint.as_deref().map(redacted_text))
            .field("protocol", &self.protocol)
            .field("headers", &self.headers.keys())
            .field("header_files", &self.header_files)
            .field("compression", &self.compression)
            .field("timeout", &self.timeout)
            .field("certificate", &self.certificate)
            .field("client_certificate", &self.client_certificate)
            .field("client_key", &self.client_key)
            .field("insecure", &self.insecure)
            .field("traces", &self.traces)
            .field("logs", &self.logs)
            .field("queue_bytes", &self.queue_bytes)
            .field("queue_records", &self.queue_records)
            .finish()
    }
}

impl fmt::Debug for SignalSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignalSettings")
            .field("url", &self.shown_url())
            .field("protocol", &self.protocol)
            .field("compression", &self.compression)
            .field("timeout", &self.timeout)
            .field("headers", &self.headers.keys())
            .field("header_files", &self.header_files)
            .field("tls", &self.tls)
            .finish()
    }
}

impl SignalSettings {
    /// The URL without user info and query, for messages.
    pub(crate) fn shown_url(&self) -> String {
        redacted_text(self.url.as_str())
    }
}

/// A URL, or what was meant to be one, without user info and query.
pub(super) fn redacted_text(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let shown = match rest.rsplit_once('@') {
        // a password, or a query with an @ in it: no telling
        Some((before, _)) if before.contains(['/', '?', '#']) => "(redacted)",
        Some((_, host)) => host,
        None => rest,
    };
    let shown = shown.split(['?', '#']).next().unwrap_or_default();
    if scheme.is_empty() { shown.to_owned() } else { format!("{scheme}://{shown}") }
}
