//! OTLP/gRPC: tonic, with the request as the bytes that are already encoded.
//!
//! The proxy variables are those of HTTP (`proxy`): a connection through a proxy is a tunnel, with TLS or without.
//!
//! Invariant: which status is retried is decided by `meaning`, as the OTLP specification has it.

use std::time::Duration;

use prost::bytes::{Buf as _, BufMut as _, Bytes};
use reqwest::header::HeaderMap;
use tonic::codec::{BufferSettings, Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataMap;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Extensions, Request, Status};
use tonic_types::StatusExt as _;

use super::gzipped::Gzipped;
use super::proxy::Via;
use super::secrets::Tls;
use super::{
    Answer, StartError, USER_AGENT, failed_in_tls, gzip, is_about_size, proxy, setup_error, shortened, taken,
    with_causes,
};
use crate::export::counts::{FailureReason, Signal};
use crate::export::settings::{Compression, SignalSettings};

/// A gRPC connection that is made when it is needed.
#[derive(Clone)]
pub(in crate::export) struct Grpc {
    endpoint: Endpoint,
    via: Via,
    channel: Channel,
    path: PathAndQuery,
    signal: Signal,
    headers: HeaderMap,
    compression: Compression,
}

impl Grpc {
    pub(super) fn new(
        settings: &SignalSettings,
        signal: Signal,
        headers: HeaderMap,
        tls: Tls,
    ) -> Result<Self, StartError> {
        let setup = |error: tonic::transport::Error| setup_error(settings, &error);
        let endpoint = Endpoint::from_shared(settings.url.as_str().to_owned()).map_err(setup)?;
        let endpoint = endpoint.user_agent(USER_AGENT).map_err(setup)?.connect_timeout(settings.timeout);
        let endpoint = if settings.url.scheme() == "https" {
            endpoint.tls_config(client_tls(tls)).map_err(setup)?
        } else {
            endpoint
        };
        let path = PathAndQuery::from_static(match signal {
            Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        });
        let via = proxy::of(settings)?;
        let channel = via.connect(&endpoint);
        Ok(Self { endpoint, via, channel, path, signal, headers, compression: settings.compression })
    }

    /// The connection and the headers of requests, for the SDK.
    pub(in crate::export) fn parts(self) -> (Channel, HeaderMap) {
        (self.channel, self.headers)
    }

    pub(super) fn reconnect(&mut self) {
        self.channel = self.via.connect(&self.endpoint);
    }

    pub(super) async fn send(self, payload: Bytes) -> Answer {
        let is_on = self.compression == Compression::Gzip;
        let payload = match is_on.then(|| gzip(&payload)) {
            None => payload,
            Some(Ok(compressed)) => compressed,
            Some(Err(error)) => return Answer::Refused { reason: FailureReason::Rejected, message: error.to_string() },
        };
        let client = tonic::client::Grpc::new(Gzipped { channel: self.channel, is_on });
        let mut client = client.accept_compressed(CompressionEncoding::Gzip);
        if let Err(error) = client.ready().await {
            return lost(&error, &self.via);
        }
        let request = Request::from_parts(MetadataMap::from_headers(self.headers), Extensions::default(), payload);
        match client.unary(request, self.path, Raw).await {
            Ok(response) => taken(self.signal, &response.into_inner()),
            Err(status) => meaning(&status, &self.via),
        }
    }
}

fn client_tls(tls: Tls) -> ClientTlsConfig {
    let mut config = ClientTlsConfig::new();
    config = match tls.authorities {
        Some(authorities) => config.ca_certificate(Certificate::from_pem(authorities)),
        None => config.with_native_roots(),
    };
    match tls.client {
        Some((certificate, key)) => config.identity(Identity::from_pem(certificate, key)),
        None => config,
    }
}

/// What a status means for the batch.
fn meaning(status: &Status, via: &Via) -> Answer {
    if let Some(error) = std::error::Error::source(status) {
        // made on this side: no status came from the backend
        return lost(error, via);
    }
    let retry_info = status.get_details_retry_info();
    let may_retry = retry_info.is_some();
    let after = retry_info.and_then(|info| info.retry_delay);
    let message = shortened(&format!("{:?}: {}", status.code(), status.message()));
    let again = |reason| Answer::Again { reason, after, message: message.clone() };
    let refused = |reason| Answer::Refused { reason, message: message.clone() };
    match status.code() {
        // some say OUT_OF_RANGE, which would be sent again and again
        Code::ResourceExhausted | Code::OutOfRange if !may_retry && is_about_size(status.message()) => {
            Answer::TooLarge { message }
        }
        Code::ResourceExhausted if may_retry => again(FailureReason::Throttled),
        Code::DeadlineExceeded => again(FailureReason::Timeout),
        Code::Cancelled | Code::Aborted | Code::OutOfRange | Code::Unavailable | Code::DataLoss => {
            again(FailureReason::Unavailable)
        }
        Code::Unauthenticated | Code::PermissionDenied => refused(FailureReason::Unauthorized),
        Code::Ok
        | Code::Unknown
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Unimplemented
        | Code::Internal => refused(FailureReason::Rejected),
    }
}

/// The connection failed before an answer came.
fn lost(error: &(dyn std::error::Error + 'static), via: &Via) -> Answer {
    let reason = if failed_in_tls(error) { FailureReason::Tls } else { FailureReason::Unreachable };
    Answer::Again { reason, after: None::<Duration>, message: shortened(&format!("{via}{}", with_causes(error))) }
}

/// Bytes as they are: the request is encoded already, and the answer is decoded by `partial_success`.
#[derive(Debug, Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
