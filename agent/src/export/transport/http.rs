//! OTLP/HTTP with binary protobuf: reqwest over HTTP/1.1.
//!
//! reqwest reads HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY itself. Redirects are not followed: a request may
//! carry secrets, and the specification asks for none.
//!
//! Invariant: which status is retried is decided by `meaning`, as the OTLP specification has it.

use std::time::{Duration, SystemTime};

use prost::bytes::Bytes;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, Identity, Response, StatusCode, Url};

use super::secrets::Tls;
use super::{
    Answer, StartError, USER_AGENT, failed_in_tls, gzip, is_about_size, setup_error, shortened, taken, with_causes,
};
use crate::export::counts::{FailureReason, Signal};
use crate::export::settings::{Compression, SignalSettings};

/// An answer of a receiver is a few bytes; more of one is not read.
const MOST_ANSWER_BYTES: usize = 64 << 10;

/// A pool of HTTP/1.1 connections.
#[derive(Clone)]
pub(in crate::export) struct Http {
    client: Client,
    url: Url,
    signal: Signal,
    compression: Compression,
}

/// A client that connects as the settings say, and follows no redirect.
pub(super) fn client(settings: &SignalSettings, headers: HeaderMap, tls: Tls) -> Result<Client, StartError> {
    let builder = Client::builder()
        .user_agent(USER_AGENT)
        .default_headers(headers)
        .redirect(Policy::none())
        .http1_only()
        .timeout(settings.timeout);
    let client = with_tls(builder, settings, tls).and_then(ClientBuilder::build);
    client.map_err(|error| setup_error(settings, &error.without_url()))
}

impl Http {
    pub(super) fn new(settings: &SignalSettings, signal: Signal, client: Client) -> Self {
        Self { client, url: settings.url.clone(), signal, compression: settings.compression }
    }

    pub(super) async fn send(self, payload: Bytes) -> Answer {
        let request = self.client.post(self.url).header(CONTENT_TYPE, "application/x-protobuf");
        let request = match self.compression {
            Compression::None => request.body(payload),
            Compression::Gzip => match gzip(&payload) {
                Ok(body) => request.header(CONTENT_ENCODING, "gzip").body(body),
                Err(error) => return refused(FailureReason::Rejected, &error.to_string()),
            },
        };
        match request.send().await {
            Ok(response) => meaning(self.signal, response).await,
            Err(error) => lost(error),
        }
    }
}

fn with_tls(builder: ClientBuilder, settings: &SignalSettings, tls: Tls) -> reqwest::Result<ClientBuilder> {
    let builder = match tls.authorities {
        Some(pem) => builder.tls_certs_only(Certificate::from_pem_bundle(&pem)?),
        // without TLS no authority is asked, and a machine may have none
        None if settings.url.scheme() == "http" => builder.tls_certs_only([]),
        None => builder,
    };
    match tls.client {
        Some((certificate, key)) => {
            let pem = [key.as_slice(), b"\n", certificate.as_slice()].concat();
            Ok(builder.identity(Identity::from_pem(&pem)?))
        }
        None => Ok(builder),
    }
}

/// What a response means for the batch.
async fn meaning(signal: Signal, response: Response) -> Answer {
    let status = response.status();
    let after = response.headers().get(RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?));
    let content = response.headers().get(CONTENT_TYPE).cloned();
    let is = |kind: &[u8]| content.as_ref().is_some_and(|content| content.as_bytes().starts_with(kind));
    let body = beginning(response).await;
    if status.is_success() {
        return match () {
            // the page of a captive portal, or of whatever else listens there
            () if is(b"text/html") => refused(FailureReason::BadAnswer, "the answer is a web page: check the endpoint"),
            // a receiver may answer in JSON, though it should not: the status says enough
            () if is(b"application/json") => Answer::Taken { rejected: 0, message: String::new() },
            () => taken(signal, &body),
        };
    }
    let message = format!("HTTP {status} {}", said(&body));
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => Answer::TooLarge { message: shortened(&message) },
        StatusCode::BAD_REQUEST if is_about_size(&message) => Answer::TooLarge { message: shortened(&message) },
        StatusCode::TOO_MANY_REQUESTS => again(FailureReason::Throttled, after, &message),
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE => again(FailureReason::Unavailable, after, &message),
        StatusCode::GATEWAY_TIMEOUT => again(FailureReason::Timeout, after, &message),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => refused(FailureReason::Unauthorized, &message),
        status if status.is_redirection() => {
            refused(FailureReason::BadAnswer, &format!("{message}: redirects are not followed, check the endpoint"))
        }
        _ => refused(FailureReason::Rejected, &message),
    }
}

/// The connection failed before an answer came.
fn lost(error: reqwest::Error) -> Answer {
    let error = error.without_url();
    let reason = match () {
        () if failed_in_tls(&error) => FailureReason::Tls,
        () if error.is_timeout() => FailureReason::Timeout,
        () => FailureReason::Unreachable,
    };
    again(reason, None, &with_causes(&error))
}

fn again(reason: FailureReason, after: Option<Duration>, message: &str) -> Answer {
    Answer::Again { reason, after, message: shortened(message) }
}

fn refused(reason: FailureReason, message: &str) -> Answer {
    Answer::Refused { reason, message: shortened(message) }
}

/// As much of the body as an answer may have.
async fn beginning(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = MOST_ANSWER_BYTES - body.len();
        body.extend(chunk.iter().take(room));
        if chunk.len() >= room {
            break;
        }
    }
    body
}

/// What an error says: a google.rpc.Status in protobuf, whose field 2 is the message, or text.
fn said(body: &[u8]) -> String {
    match <tonic_types::Status as prost::Message>::decode(body) {
        Ok(status) if !status.message.is_empty() => status.message,
        Ok(_) | Err(_) => String::from_utf8_lossy(body).into_owned(),
    }
}

/// Seconds, or the time of a date from now.
fn retry_after(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(value.trim()).ok()?;
    Some(SystemTime::from(date).duration_since(SystemTime::now()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after("7"), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        let far = retry_after("Thu, 31 Dec 9998 23:59:59 GMT").unwrap();
        assert!(far > Duration::from_secs(1_000_000_000));
        assert_eq!(retry_after("soon"), None);
        assert_eq!(retry_after("-1"), None);
    }
}
