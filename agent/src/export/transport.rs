//! One request to the backend and what its answer means for the batch. gRPC and HTTP are in files of their own.
//!
//! Knows nothing of queues or of waiting between attempts.
//!
//! Invariant: every answer is one of three: taken, to be sent again, refused for good. Which status is which is
//! decided as the OTLP specification has it.

use std::fmt;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message as _;
use prost::bytes::Bytes;

use super::counts::{FailureReason, Signal};
use super::settings::{Protocol, SignalSettings};

mod grpc;
mod gzipped;
mod http;
mod proxy;
mod secrets;

/// Longest message of a backend that is repeated in the log, in characters.
const MOST_MESSAGE: usize = 300;
/// Our name in requests.
const USER_AGENT: &str = concat!("gobeacon/", env!("CARGO_PKG_VERSION"));

/// What a batch becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// The backend took it, all or in part.
    Taken {
        /// Records that it rejected; they are not to be sent again.
        rejected: u64,
        /// Why, or a warning; empty when all is well.
        message: String,
    },
    /// To be sent again, not before the time named.
    Again {
        reason: FailureReason,
        /// What the backend asks for, if it does.
        after: Option<Duration>,
        message: String,
    },
    /// Larger than the backend takes: to be sent in parts.
    TooLarge { message: String },
    /// Not to be sent again.
    Refused { reason: FailureReason, message: String },
}

/// The exporter cannot start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// The operating system gives no thread.
    #[error("the exporter cannot be started: {0}")]
    Thread(std::io::Error),
    /// A file that a setting names cannot be read.
    #[error("{key} names the file {path}, which cannot be read: {source}", path = path.display())]
    File {
        /// The configuration key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that a setting names does not hold what it should.
    #[error("{key} names the file {path}, which {problem}", path = path.display())]
    Content {
        /// The configuration key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// TLS or the HTTP client cannot be set up.
    #[error("the connection to {url} cannot be set up: {problem}")]
    Setup {
        /// Without secrets.
        url: String,
        /// What is wrong.
        problem: String,
    },
}

/// The way to the backend of one signal. Cheap to clone; clones share connections.
#[derive(Clone)]
pub(super) enum Transport {
    Grpc(Box<grpc::Grpc>),
    Http(http::Http),
}

impl Transport {
    /// Reads certificates and secrets, connects nothing yet.
    pub(super) fn new(settings: &SignalSettings, signal: Signal) -> Result<Self, StartError> {
        match settings.protocol {
            Protocol::Grpc => grpc(settings, signal).map(|grpc| Self::Grpc(Box::new(grpc))),
            Protocol::HttpProtobuf => {
                http_client(settings).map(|client| Self::Http(http::Http::new(settings, signal, client)))
            }
        }
    }

    /// Sends one encoded request. Takes as long as the backend takes: the caller sets the time limit.
    pub(super) async fn send(self, payload: Bytes) -> Answer {
        match self {
            Self::Grpc(grpc) => grpc.send(payload).await,
            Self::Http(http) => http.send(payload).await,
        }
    }

    /// Leaves connections that may hang and makes new ones with the next request.
    pub(super) fn reconnect(&mut self) {
        match self {
            Self::Grpc(grpc) => grpc.reconnect(),
            // HTTP/1.1: a request that is given up closes its connection
            Self::Http(_) => {}
        }
    }
}

/// The gRPC connection that the settings describe.
pub(super) fn grpc(settings: &SignalSettings, signal: Signal) -> Result<grpc::Grpc, StartError> {
    install_ring();
    grpc::Grpc::new(settings, signal, secrets::headers(settings)?, secrets::tls(settings)?)
}

/// The HTTP client that the settings describe.
pub(super) fn http_client(settings: &SignalSettings) -> Result<reqwest::Client, StartError> {
    install_ring();
    http::client(settings, secrets::headers(settings)?, secrets::tls(settings)?)
}

/// The connection cannot be set up, mostly because of TLS.
fn setup_error(settings: &SignalSettings, error: &(dyn std::error::Error + 'static)) -> StartError {
    let mut problem = with_causes(error);
    if settings.url.scheme() == "https" && settings.tls.certificate.is_none() {
        problem.push_str("; where the system has no authorities, set otlp.certificate");
    }
    StartError::Setup { url: settings.shown_url(), problem }
}

fn install_ring() {
    // the first one installed stays; there is no other in this program
    let _installed = rustls::crypto::ring::default_provider().install_default();
}

/// What the body of an answer means whose status is good. One that cannot be decoded does not unmake the status.
fn taken(signal: Signal, body: &[u8]) -> Answer {
    let partial = match signal {
        Signal::Traces => ExportTraceServiceResponse::decode(body)
            .map(|response| response.partial_success.map(|partial| (partial.rejected_spans, partial.error_message))),
        Signal::Logs => ExportLogsServiceResponse::decode(body).map(|response| {
            response.partial_success.map(|partial| (partial.rejected_log_records, partial.error_message))
        }),
    };
    let (rejected, message) = match partial {
        Ok(partial) => partial.unwrap_or_default(),
        Err(_) => (0, "the answer is not that of an OTLP receiver: check the endpoint".to_owned()),
    };
    Answer::Taken { rejected: u64::try_from(rejected).unwrap_or(0), message: shortened(&message) }
}

/// At the level that costs the least: what is sent is nearly as small, and a backlog goes out several times as fast.
fn gzip(payload: &[u8]) -> std::io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(payload.len() / 4), flate2::Compression::fast());
    encoder.write_all(payload)?;
    Ok(encoder.finish()?.into())
}

/// Whether a refusal is for the size of the request: what the receivers of Go, Java, C++ and Rust say.
pub(super) fn is_about_size(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    ["larger than max", "message length too large", "exceeds maximum size", "body too large", "entity too large"]
        .iter()
        .any(|words| message.contains(words))
}

/// Whether the request failed in the TLS handshake, told by the errors beneath it.
fn failed_in_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        // an io::Error hides what it wraps from `source`
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        // with TLS 1.3 a refused client certificate comes as an alert on the open connection, of which HTTP/2 keeps
        // only the text
        let alert = error.to_string().contains("received fatal alert");
        if alert || error.is::<rustls::Error>() || wrapped.is_some_and(|wrapped| failed_in_tls(wrapped)) {
            return true;
        }
        next = error.source();
    }
    false
}

/// An error with all its causes in one line, each said once.
fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    shortened(&text)
}

/// What a backend says, fit for one line of a log.
fn shortened(message: &str) -> String {
    let clean = message.chars().map(|c| if c.is_control() { ' ' } else { c });
    clean.take(MOST_MESSAGE).collect()
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Grpc(_) => "Grpc",
            Self::Http(_) => "Http",
        })
    }
}
