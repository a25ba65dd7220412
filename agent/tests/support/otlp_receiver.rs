//! An OTLP receiver for tests: gRPC and HTTP/protobuf on one port, with or without TLS, answering as it is told.
//!
//! It runs on a thread and a runtime of its own, so that tests of the real binary and tests inside the binary can
//! both use it, and so that it answers while a test waits. Waiting is on conditions with a deadline; nothing here
//! knows gobeacon.
//!
//! Invariant: what is sent is recorded whole, also when the answer is a refusal.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "it is part of tests, which may panic")]
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test uses its part of it")]

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{Request as HttpRequest, State};
use axum::middleware::Next;
use axum::response::Response as HttpResponse;
use axum::routing::post;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;
use tonic::codec::CompressionEncoding;
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// How long a test waits for something to happen before it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the receiver says to a request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Taken.
    Ok,
    /// Taken after a while.
    Slow(Duration),
    /// Taken, but for so many records.
    Partial { rejected: i64, message: &'static str },
    /// A gRPC status, with RetryInfo where a time is given.
    Grpc(Code, Option<Duration>),
    /// An HTTP status, with headers.
    Http(u16, Vec<(&'static str, String)>),
    /// This HTTP response as it is, whatever the protocol; the request is not read.
    Raw(u16, Vec<(&'static str, &'static str)>, &'static str),
    /// Taken where the request has at most so many bytes, not compressed; else refused in the words of the receivers of
    /// Go.
    AtMost(usize),
    /// No answer, ever; the request is not read.
    Hang,
    /// Taken, and no answer, ever: as one that is lost on its way.
    TakenInSilence,
}

impl Answer {
    /// What it comes to for a request of this size.
    fn to(self, bytes: usize, is_grpc: bool) -> Self {
        match self {
            Self::AtMost(most) if bytes <= most => Self::Ok,
            Self::AtMost(_) if is_grpc => Self::Grpc(Code::ResourceExhausted, None),
            Self::AtMost(_) => Self::Http(413, Vec::new()),
            other @ (Self::Ok
            | Self::Slow(_)
            | Self::Partial { .. }
            | Self::Grpc(..)
            | Self::Http(..)
            | Self::Raw(..)
            | Self::Hang
            | Self::TakenInSilence) => other,
        }
    }
}

/// What one request carried.
#[derive(Debug, Clone)]
pub enum Payload {
    Traces(ExportTraceServiceRequest),
    Logs(ExportLogsServiceRequest),
}

/// One request that was read.
#[derive(Debug, Clone)]
pub struct Seen {
    pub payload: Payload,
    /// Of HTTP/protobuf: the path. Of gRPC: empty.
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Whether the answer said that it was taken.
    pub taken: bool,
    /// So many records of it were not, as the answer said.
    pub rejected: i64,
    pub at: Instant,
}

impl Payload {
    fn bytes(&self) -> usize {
        match self {
            Self::Traces(request) => request.encoded_len(),
            Self::Logs(request) => request.encoded_len(),
        }
    }
}

impl Seen {
    /// Encoded and not compressed.
    pub fn bytes(&self) -> usize {
        self.payload.bytes()
    }

    pub fn spans(&self) -> Vec<(Resource, Span)> {
        let Payload::Traces(request) = &self.payload else { return Vec::new() };
        let groups = request.resource_spans.iter();
        let scopes = groups.flat_map(|group| group.scope_spans.iter().map(|scope| (group.resource.clone(), scope)));
        scopes.flat_map(|(of, scope)| scope.spans.iter().map(move |it| (of.clone().unwrap(), it.clone()))).collect()
    }

    pub fn logs(&self) -> Vec<(Resource, LogRecord)> {
        let Payload::Logs(request) = &self.payload else { return Vec::new() };
        let groups = request.resource_logs.iter();
        let scopes = groups.flat_map(|group| group.scope_logs.iter().map(|scope| (group.resource.clone(), scope)));
        scopes
            .flat_map(|(of, scope)| scope.log_records.iter().map(move |it| (of.clone().unwrap(), it.clone())))
            .collect()
    }
}

/// PEM texts of a receiver that speaks TLS.
#[derive(Debug, Clone)]
pub struct Tls {
    pub certificate: String,
    pub key: String,
    /// The authority that client certificates must be of, where they are asked for.
    pub client_authority: Option<String>,
}

/// A running receiver. It ends when it is dropped.
pub struct Receiver {
    address: SocketAddr,
    scheme: &'static str,
    core: Arc<Core>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Receiver {
    pub fn start() -> Self {
        Self::start_with(None, "127.0.0.1:0")
    }

    pub fn start_tls(tls: &Tls) -> Self {
        Self::start_with(Some(tls), "127.0.0.1:0")
    }

    /// On an address that is known, such as that of a receiver that has ended; port 0 is any.
    pub fn start_at(address: SocketAddr) -> Self {
        Self::start_with(None, &address.to_string())
    }

    /// On a port that is known, for so much that only the ids of spans are kept.
    pub fn start_counting_at(address: SocketAddr) -> Self {
        let receiver = Self::start_with(None, &address.to_string());
        receiver.core.state.lock().unwrap().counted = Some(Counted::default());
        receiver
    }

    /// Waits until so many different spans were taken. Gives back the time from the first one to the last.
    #[track_caller]
    pub fn wait_for_distinct_spans(&self, spans: u64, patience: Duration) -> Duration {
        let deadline = Instant::now() + patience;
        let mut state = self.core.state.lock().unwrap();
        loop {
            let counted = state.counted.as_ref().unwrap();
            if let (true, Some(first), Some(last)) = (counted.ids.len() as u64 >= spans, counted.first, counted.last) {
                return last - first;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited in vain for {spans} spans: {} came", counted.ids.len());
            state = self.core.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    /// How many different spans were taken, and how many in all.
    pub fn counted(&self) -> (u64, u64) {
        let state = self.core.state.lock().unwrap();
        let counted = state.counted.as_ref().unwrap();
        (counted.ids.len() as u64, counted.all)
    }

    /// With TLS on a port that is known.
    pub fn start_tls_at(tls: &Tls, address: SocketAddr) -> Self {
        Self::start_with(Some(tls), &address.to_string())
    }

    fn start_with(tls: Option<&Tls>, address: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let core = Arc::new(Core::default());
        let listener = bind(address);
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(serve(listener, tls.map(acceptor), Arc::clone(&core)));
        let scheme = if tls.is_some() { "https" } else { "http" };
        Self { address, scheme, core, runtime: Some(runtime) }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL. The name in it is `localhost`, the one that certificates are for.
    pub fn url(&self) -> String {
        format!("{}://localhost:{}", self.scheme, self.address.port())
    }

    /// What is said to every request for which there is no other answer.
    pub fn answer(&self, answer: Answer) {
        self.core.state.lock().unwrap().usual = answer;
    }

    /// What is said to the next requests, one each.
    pub fn answer_next(&self, answers: impl IntoIterator<Item = Answer>) {
        self.core.state.lock().unwrap().next.extend(answers);
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.core.state.lock().unwrap().seen.clone()
    }

    /// Requests that were begun so far, those that are not read included.
    pub fn begun(&self) -> usize {
        self.core.state.lock().unwrap().begun
    }

    /// Spans of all requests that were taken.
    pub fn spans(&self) -> Vec<(Resource, Span)> {
        self.seen().iter().filter(|seen| seen.taken).flat_map(Seen::spans).collect()
    }

    /// Log records of all requests that were taken.
    pub fn logs(&self) -> Vec<(Resource, LogRecord)> {
        self.seen().iter().filter(|seen| seen.taken).flat_map(Seen::logs).collect()
    }

    /// Waits until the requests so far are as wanted.
    #[track_caller]
    pub fn wait_for(&self, what: &str, holds: impl Fn(&[Seen]) -> bool) {
        self.wait(what, |state| holds(&state.seen));
    }

    /// Waits until so many requests were begun.
    #[track_caller]
    pub fn wait_for_begun(&self, requests: usize) {
        self.wait(&format!("{requests} requests"), |state| state.begun >= requests);
    }

    /// Waits until so many spans were taken.
    #[track_caller]
    pub fn wait_for_spans(&self, spans: usize) {
        self.wait_for(&format!("{spans} spans"), |seen| {
            seen.iter().filter(|seen| seen.taken).map(|seen| seen.spans().len()).sum::<usize>() >= spans
        });
    }

    #[track_caller]
    fn wait(&self, what: &str, holds: impl Fn(&Recorded) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.core.state.lock().unwrap();
        while !holds(&state) {
            let left = deadline.saturating_duration_since(Instant::now());
            let (seen, begun) = (state.seen.len(), state.begun);
            assert!(!left.is_zero(), "waited in vain for {what}: {seen} requests read, {begun} begun");
            state = self.core.changed.wait_timeout(state, left).unwrap().0;
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[derive(Default)]
struct Core {
    state: Mutex<Recorded>,
    changed: Condvar,
}

/// What is kept of spans where there are too many to keep them.
#[derive(Default)]
struct Counted {
    /// Of trace and span.
    ids: HashSet<Vec<u8>>,
    all: u64,
    /// When the first request came, and when the last one was taken.
    first: Option<Instant>,
    last: Option<Instant>,
}

impl Counted {
    fn add(&mut self, payload: &Payload, at: Instant) {
        let Payload::Traces(request) = payload else { return };
        self.first.get_or_insert(at);
        self.last = Some(Instant::now());
        let scopes = request.resource_spans.iter().flat_map(|group| &group.scope_spans);
        for span in scopes.flat_map(|scope| &scope.spans) {
            self.all += 1;
            self.ids.insert([&*span.trace_id, &*span.span_id].concat());
        }
    }
}

struct Recorded {
    counted: Option<Counted>,
    seen: Vec<Seen>,
    begun: usize,
    next: VecDeque<Answer>,
    usual: Answer,
}

impl Default for Recorded {
    fn default() -> Self {
        Self { counted: None, seen: Vec::new(), begun: 0, next: VecDeque::new(), usual: Answer::Ok }
    }
}

impl Core {
    fn begin(&self) -> Answer {
        let mut state = self.state.lock().unwrap();
        state.begun += 1;
        let answer = state.next.pop_front().unwrap_or_else(|| state.usual.clone());
        self.changed.notify_all();
        answer
    }

    async fn record(&self, answer: &Answer, payload: Payload, path: &str, headers: BTreeMap<String, String>) {
        if let Answer::Slow(time) = answer {
            tokio::time::sleep(*time).await;
        }
        let taken = matches!(answer, Answer::Ok | Answer::Slow(_) | Answer::Partial { .. } | Answer::TakenInSilence);
        if let (true, Some(counted)) = (taken, &mut self.state.lock().unwrap().counted) {
            counted.add(&payload, Instant::now());
            self.changed.notify_all();
            return;
        }
        let rejected = if let Answer::Partial { rejected, .. } = answer { *rejected } else { 0 };
        let seen = Seen { payload, path: path.to_owned(), headers, taken, rejected, at: Instant::now() };
        self.state.lock().unwrap().seen.push(seen);
        self.changed.notify_all();
        if matches!(answer, Answer::TakenInSilence) {
            std::future::pending().await
        }
    }
}

/// A receiver that has ended may have its port for a moment more.
fn bind(address: &str) -> std::net::TcpListener {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match std::net::TcpListener::bind(address) {
            Ok(listener) => return listener,
            Err(error) => assert!(Instant::now() < deadline, "{address}: {error}"),
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

async fn serve(listener: std::net::TcpListener, tls: Option<tokio_rustls::TlsAcceptor>, core: Arc<Core>) {
    let app = app(core);
    let listener = TcpListener::from_std(listener).unwrap();
    while let Ok((stream, _)) = listener.accept().await {
        let (app, tls) = (app.clone(), tls.clone());
        tokio::spawn(async move {
            let (builder, service) = (auto::Builder::new(TokioExecutor::new()), TowerToHyperService::new(app));
            // a connection that fails is the client's to notice
            let _ended = match tls {
                None => builder.serve_connection(TokioIo::new(stream), service).await,
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => builder.serve_connection(TokioIo::new(stream), service).await,
                    Err(_) => Ok(()),
                },
            };
        });
    }
}

fn app(core: Arc<Core>) -> axum::Router {
    let traces = TraceServiceServer::new(Grpc(Arc::clone(&core))).accept_compressed(CompressionEncoding::Gzip);
    let logs = LogsServiceServer::new(Grpc(Arc::clone(&core))).accept_compressed(CompressionEncoding::Gzip);
    let http = axum::Router::new().fallback(post(http)).with_state(Arc::clone(&core));
    // gRPC is told by its content type: any other path is HTTP's
    let grpc = tonic::service::Routes::new(traces).add_service(logs).into_axum_router();
    let choose = move |State(core): State<Arc<Core>>, mut request: HttpRequest, _: Next| {
        let (grpc, http) = (grpc.clone(), http.clone());
        async move {
            let answer = core.begin();
            match answer {
                Answer::Hang => std::future::pending().await,
                Answer::Raw(status, headers, body) => raw(status, headers, body),
                answer @ (Answer::Ok
                | Answer::Slow(_)
                | Answer::Partial { .. }
                | Answer::AtMost(_)
                | Answer::Grpc(..)
                | Answer::Http(..)
                | Answer::TakenInSilence) => {
                    request.extensions_mut().insert(answer);
                    let content = request.headers().get("content-type");
                    let is_grpc = content.is_some_and(|it| it.as_bytes().starts_with(b"application/grpc"));
                    tower_call(if is_grpc { grpc } else { http }, request).await
                }
            }
        }
    };
    axum::Router::new().fallback(post(|| async {})).layer(axum::middleware::from_fn_with_state(core, choose))
}

async fn tower_call(mut app: axum::Router, request: HttpRequest) -> HttpResponse {
    use tonic::codegen::Service as _;
    app.as_service::<Body>().call(request).await.unwrap()
}

fn raw(status: u16, headers: Vec<(&'static str, &'static str)>, body: &'static str) -> HttpResponse {
    let builder = HttpResponse::builder().status(status);
    let builder = headers.into_iter().fold(builder, |builder, (name, value)| builder.header(name, value));
    builder.body(Body::from(body)).unwrap()
}

/// OTLP/HTTP on any path: its last part says which signal it is.
async fn http(State(core): State<Arc<Core>>, request: HttpRequest) -> HttpResponse {
    let (parts, body) = request.into_parts();
    let answer = parts.extensions.get::<Answer>().unwrap().clone();
    let headers: BTreeMap<String, String> =
        parts.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let body = if headers.get("content-encoding").is_some_and(|it| it == "gzip") { gunzip(&body) } else { body };
    let path = parts.uri.path_and_query().unwrap().as_str();
    let logs = parts.uri.path().ends_with("logs");
    let payload = if logs {
        ExportLogsServiceRequest::decode(body).map(Payload::Logs)
    } else {
        ExportTraceServiceRequest::decode(body).map(Payload::Traces)
    };
    let Ok(payload) = payload else { return raw(400, vec![], "not OTLP") };
    let answer = answer.to(payload.bytes(), false);
    core.record(&answer, payload, path, headers).await;
    match answer {
        Answer::Partial { rejected, message } => protobuf(if logs {
            logs_response(rejected, message).encode_to_vec()
        } else {
            traces_response(rejected, message).encode_to_vec()
        }),
        Answer::Http(status, headers) => {
            let builder = HttpResponse::builder().status(status);
            let builder = headers.into_iter().fold(builder, |builder, (name, value)| builder.header(name, value));
            builder.body(Body::from("as told")).unwrap()
        }
        Answer::Ok
        | Answer::Slow(_)
        | Answer::AtMost(_)
        | Answer::Grpc(..)
        | Answer::Raw(..)
        | Answer::Hang
        | Answer::TakenInSilence => protobuf(Vec::new()),
    }
}

fn protobuf(body: Vec<u8>) -> HttpResponse {
    HttpResponse::builder().header("content-type", "application/x-protobuf").body(Body::from(body)).unwrap()
}

fn gunzip(body: &[u8]) -> Bytes {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(body).read_to_end(&mut plain).unwrap();
    plain.into()
}

struct Grpc(Arc<Core>);

impl Grpc {
    async fn answer<T>(
        &self,
        request: Request<T>,
        payload: impl FnOnce(T) -> Payload,
    ) -> Result<Option<(i64, &'static str)>, Status> {
        let answer = request.extensions().get::<Answer>().unwrap().clone();
        let headers = request.metadata().clone().into_headers();
        let headers =
            headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        let payload = payload(request.into_inner());
        let bytes = payload.bytes();
        let is_about_size = matches!(answer, Answer::AtMost(_));
        let answer = answer.to(bytes, true);
        self.0.record(&answer, payload, "", headers).await;
        match answer {
            Answer::Grpc(code, None) if is_about_size => {
                Err(Status::new(code, format!("grpc: received message larger than max ({bytes} vs. 4194304)")))
            }
            Answer::Grpc(code, None) => Err(Status::new(code, "as told")),
            Answer::Grpc(code, after) => {
                let mut details = ErrorDetails::new();
                details.set_retry_info(after);
                Err(Status::with_error_details(code, "as told", details))
            }
            Answer::Partial { rejected, message } => Ok(Some((rejected, message))),
            Answer::Ok
            | Answer::Slow(_)
            | Answer::AtMost(_)
            | Answer::Http(..)
            | Answer::Raw(..)
            | Answer::Hang
            | Answer::TakenInSilence => Ok(None),
        }
    }
}

#[tonic::async_trait]
impl TraceService for Grpc {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let partial = self.answer(request, Payload::Traces).await?;
        Ok(Response::new(
            partial.map_or_else(Default::default, |(rejected, message)| traces_response(rejected, message)),
        ))
    }
}

#[tonic::async_trait]
impl LogsService for Grpc {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let partial = self.answer(request, Payload::Logs).await?;
        Ok(Response::new(partial.map_or_else(Default::default, |(rejected, message)| logs_response(rejected, message))))
    }
}

fn traces_response(rejected_spans: i64, message: &str) -> ExportTraceServiceResponse {
    let partial = ExportTracePartialSuccess { rejected_spans, error_message: message.to_owned() };
    ExportTraceServiceResponse { partial_success: Some(partial) }
}

fn logs_response(rejected_log_records: i64, message: &str) -> ExportLogsServiceResponse {
    let partial = ExportLogsPartialSuccess { rejected_log_records, error_message: message.to_owned() };
    ExportLogsServiceResponse { partial_success: Some(partial) }
}

fn acceptor(tls: &Tls) -> tokio_rustls::TlsAcceptor {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certificates = |pem: &str| -> Vec<_> {
        CertificateDer::pem_slice_iter(pem.as_bytes()).map(|certificate| certificate.unwrap()).collect()
    };
    let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = match &tls.client_authority {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = rustls::RootCertStore::empty();
            roots.add_parsable_certificates(certificates(authority));
            let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let key = PrivateKeyDer::from_pem_slice(tls.key.as_bytes()).unwrap();
    let mut config = builder.with_single_cert(certificates(&tls.certificate), key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    tokio_rustls::TlsAcceptor::from(Arc::new(config))
}
