//! The way of a gRPC connection: direct, or in a tunnel through the proxy that the environment names.
//!
//! The variables are those that HTTP clients read: `HTTP_PROXY` for an `http` endpoint, `HTTPS_PROXY` for an `https` one,
//! `ALL_PROXY` for both, `NO_PROXY` for the hosts that are reached directly, each also in lower case. reqwest reads
//! the same ones for OTLP/HTTP, by the same library.
//!
//! Invariant: the password of a proxy is in no message and no `Debug`.

use std::fmt;

use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use tonic::codegen::http::Uri;
use tonic::transport::{Channel, Endpoint};

use super::StartError;
use crate::export::settings::SignalSettings;

/// How to get to the backend.
#[derive(Clone)]
pub(super) struct Via {
    tunnel: Option<Tunnel<HttpConnector>>,
    /// The proxy for messages, without its password.
    shown: String,
}

/// What the environment of this process says.
///
/// # Errors
/// The proxy is none that we can speak to.
pub(super) fn of(settings: &SignalSettings) -> Result<Via, StartError> {
    let direct = Via { tunnel: None, shown: String::new() };
    let Ok(to) = settings.url.as_str().parse::<Uri>() else { return Ok(direct) };
    let Some(proxy) = Matcher::from_env().intercept(&to) else { return Ok(direct) };
    let shown = proxy.uri().authority().map_or("", |it| it.as_str()).to_owned();
    if proxy.uri().scheme_str() != Some("http") {
        let problem = format!("the proxy {shown} is none of http://, and gRPC goes through no other: see NO_PROXY");
        return Err(StartError::Setup { url: settings.shown_url(), problem });
    }
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(settings.timeout));
    let tunnel = Tunnel::new(proxy.uri().clone(), connector);
    let tunnel = match proxy.basic_auth() {
        Some(secret) => tunnel.with_auth(secret.clone()),
        None => tunnel,
    };
    Ok(Via { tunnel: Some(tunnel), shown })
}

impl Via {
    /// A connection that is made when it is needed.
    pub(super) fn connect(&self, endpoint: &Endpoint) -> Channel {
        match &self.tunnel {
            Some(tunnel) => endpoint.connect_with_connector_lazy(tunnel.clone()),
            None => endpoint.connect_lazy(),
        }
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.tunnel.is_some() { write!(f, "through the proxy {}: ", self.shown) } else { Ok(()) }
    }
}
