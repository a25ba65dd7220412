//! The port of the agent: `/metrics`, `/healthz`, `/readyz`.
//!
//! A request that needs the agent's state is asked of the loop over a bounded channel; this room holds no state and
//! knows no metric. It is the only one that names the web server.
//!
//! Invariants: the loop never waits for a client; connections, their heads and their life time are bounded, so slow or
//! many clients cost a fixed amount of memory; a loop that does not answer is said to the client and not waited for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use crate::metrics::Format;

mod accept;

/// Connections that are served at once; further ones wait in the kernel's queue until one ends.
const MOST_CONNECTIONS: usize = 256;
/// Time for the head of a request, also for the next one of a connection that is kept.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for a connection as a whole: a client that reads slowly loses it then, a good one connects anew.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(300);
/// Bytes of a request's head, and of what is written ahead of a slow client.
const MOST_HEAD_BYTES: usize = 16 << 10;
/// Time for the loop to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Questions that may wait for the loop; full-policy: the client waits, and is told so after [`ANSWER_TIMEOUT`].
const MOST_QUESTIONS: usize = 8;

/// A question that only the loop can answer. Who asked may be gone when the answer comes.
#[derive(Debug)]
pub(crate) enum Ask {
    /// The page of metrics; `None` when it cannot be made.
    Page { format: Format, answer: oneshot::Sender<Option<String>> },
    /// Whether every collector has looked at everything once.
    Ready { answer: oneshot::Sender<bool> },
}

/// Why the port cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    /// Somebody else has it.
    #[error("cannot listen on {address}: another program has this port: stop it, or choose another with --listen")]
    InUse { address: String },
    /// The system forbids it.
    #[error("cannot listen on {address}: this needs more rights: choose a port above 1023 with --listen")]
    Forbidden { address: String },
    /// Anything else, such as an address that is not of this machine.
    #[error("cannot listen on {address}: {error}: --listen takes HOST:PORT or off")]
    Other { address: String, error: std::io::Error },
}

/// An open port that nobody serves yet.
#[derive(Debug)]
pub(crate) struct Port {
    listener: TcpListener,
    /// Where it is, with the port that the system chose for port 0.
    pub(crate) address: SocketAddr,
}

impl Port {
    /// Opens the port.
    ///
    /// # Errors
    /// It is taken, forbidden, or no address of this machine.
    pub(crate) async fn open(address: &str) -> Result<Self, ListenError> {
        let wrong = |error: std::io::Error| {
            let address = address.to_owned();
            if error.kind() == std::io::ErrorKind::AddrInUse {
                ListenError::InUse { address }
            } else if error.kind() == std::io::ErrorKind::PermissionDenied {
                ListenError::Forbidden { address }
            } else {
                ListenError::Other { address, error }
            }
        };
        let listener = TcpListener::bind(address).await.map_err(wrong)?;
        let address = listener.local_addr().map_err(wrong)?;
        Ok(Self { listener, address })
    }

    /// Serves it until the task is dropped. The questions of the clients come out of the receiver.
    pub(crate) fn serve(self) -> (impl Future<Output = ()> + Send + use<>, mpsc::Receiver<Ask>) {
        let (asks, questions) = mpsc::channel(MOST_QUESTIONS);
        (serve(self.listener, routes(asks)), questions)
    }
}

async fn serve(listener: TcpListener, routes: Router) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut connections = tokio::task::JoinSet::new();
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else {
            // no descriptor left, or the client is gone already: there is nothing to do but to go on later
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let routes = routes.clone();
        connections.spawn(async move {
            // what becomes of a connection is the client's affair
            let _ = timeout(CONNECTION_TIMEOUT, connection(stream, routes)).await;
            drop(place);
        });
    }
}

async fn connection(stream: TcpStream, routes: Router) -> Result<(), hyper::Error> {
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MOST_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes))
        .await
}

fn routes(asks: mpsc::Sender<Ask>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .fallback(nothing_here)
        .with_state(asks)
}

async fn metrics(State(asks): State<mpsc::Sender<Ask>>, headers: HeaderMap) -> Response {
    let accepted: Vec<_> = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let format = accept::format(&accepted.join(","));
    match ask(&asks, |answer| Ask::Page { format, answer }).await {
        Some(Some(page)) => ([(header::CONTENT_TYPE, format.content_type())], page).into_response(),
        Some(None) => (StatusCode::INTERNAL_SERVER_ERROR, "the page cannot be made\n").into_response(),
        None => no_answer(),
    }
}

async fn ready(State(asks): State<mpsc::Sender<Ask>>) -> Response {
    match ask(&asks, |answer| Ask::Ready { answer }).await {
        Some(true) => "ready\n".into_response(),
        Some(false) => {
            (StatusCode::SERVICE_UNAVAILABLE, "a collector has not yet looked at everything\n").into_response()
        }
        None => no_answer(),
    }
}

async fn nothing_here(uri: Uri) -> Response {
    let path = uri.path().chars().take(100).collect::<String>();
    (StatusCode::NOT_FOUND, format!("nothing is at {path}; there are /metrics, /healthz and /readyz\n")).into_response()
}

/// Asks the loop; `None` when it does not answer in time.
async fn ask<T>(asks: &mpsc::Sender<Ask>, question: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Option<T> {
    let (answer, answered) = oneshot::channel();
    let asked = async {
        asks.send(question(answer)).await.ok()?;
        answered.await.ok()
    };
    timeout(ANSWER_TIMEOUT, asked).await.ok().flatten()
}

fn no_answer() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "the agent's loop does not answer\n").into_response()
}
