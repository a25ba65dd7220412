//! The keys of `otlp`: where traces and log events go, and how.
//!
//! All of them may be unset: then the standard variables of OpenTelemetry speak, and `export` knows those.
//!
//! Invariant: the value of a header is in no `Debug`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Duration, validate};

/// Where traces and log events go, and how.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Otlp {
    /// URL of the receiver, such as `http://collector:4317`. For `http/protobuf` it is the base: `/v1/traces` and
    /// `/v1/logs` are appended. User and password in it become the header `authorization`, unless that is given. The
    /// variables `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` name the proxy to go through. Unset, it is
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`; with neither nothing is exported.
    #[garde(length(min = 1))]
    #[schemars(extend("x-flag" = "--otlp-endpoint"))]
    pub(crate) endpoint: Option<String>,
    /// `grpc` or `http/protobuf`. Unset, it is `OTEL_EXPORTER_OTLP_PROTOCOL`, else `grpc` for port 4317 and
    /// `http/protobuf` for any other.
    #[garde(skip)]
    #[schemars(extend("x-flag" = "--otlp-protocol"))]
    pub(crate) protocol: Option<Protocol>,
    /// Headers of every request, by name. A secret is better kept in a file: see `header_files`. As a variable:
    /// `name=value,name=value`. Unset, they are those of `OTEL_EXPORTER_OTLP_HEADERS`.
    #[garde(skip)]
    pub(crate) headers: BTreeMap<String, Secret>,
    /// Headers whose values are read from files, at the start and whenever a file changes, by name; a line end at the
    /// end of the file is no part of the value. As a variable: `name=path,name=path`.
    #[garde(skip)]
    pub(crate) header_files: BTreeMap<String, PathBuf>,
    /// `gzip` or `none`. Unset, it is `OTEL_EXPORTER_OTLP_COMPRESSION`, else `gzip`.
    #[garde(skip)]
    pub(crate) compression: Option<Compression>,
    /// Time for one request with its answer. Unset, it is `OTEL_EXPORTER_OTLP_TIMEOUT`, else `10s`.
    #[garde(inner(custom(validate::request_timeout)))]
    pub(crate) timeout: Option<Duration>,
    /// PEM file of the authorities to trust for `https`, instead of those of the system; read again when it changes, as
    /// are the files of the client. Unset, it is `OTEL_EXPORTER_OTLP_CERTIFICATE`.
    #[garde(skip)]
    pub(crate) certificate: Option<PathBuf>,
    /// PEM file of the client's certificate chain, with `client_key`. Unset, it is
    /// `OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE`.
    #[garde(skip)]
    pub(crate) client_certificate: Option<PathBuf>,
    /// PEM file of the client's private key, with `client_certificate`. Unset, it is
    /// `OTEL_EXPORTER_OTLP_CLIENT_KEY`.
    #[garde(skip)]
    pub(crate) client_key: Option<PathBuf>,
    /// Whether `grpc` to an endpoint without scheme (`collector:4317`) goes without TLS. Unset, it is
    /// `OTEL_EXPORTER_OTLP_INSECURE`, else `false`. `http://` and `https://` speak for themselves.
    #[garde(skip)]
    pub(crate) insecure: Option<bool>,
    /// Whether traces are exported. Unset, they are unless `OTEL_TRACES_EXPORTER` is `none`.
    #[garde(skip)]
    pub(crate) traces: Option<bool>,
    /// Whether log events are exported. Unset, they are unless `OTEL_LOGS_EXPORTER` is `none`.
    #[garde(skip)]
    pub(crate) logs: Option<bool>,
    /// Most bytes, encoded, that are kept on disk for a receiver that is away, for each signal; beyond it the oldest are
    /// dropped and counted. They lie in `spool` of the state folder and outlive a crash. 0 keeps nothing on disk. Unset,
    /// 1073741824.
    #[garde(skip)]
    #[schemars(extend("x-at-start" = true))]
    pub(crate) spool_bytes: Option<u64>,
    /// Most bytes, encoded, that wait in memory alone, for each signal: until they are on disk, or always where nothing
    /// is kept there. Beyond it the oldest are dropped and counted. Unset, 16777216.
    #[garde(range(min = 1 << 20))]
    pub(crate) queue_bytes: Option<u64>,
    /// Most spans or log events that wait for the receiver where nothing is kept on disk. Beyond it the oldest are
    /// dropped and counted. Unset, 100000.
    #[garde(range(min = 1_000))]
    pub(crate) queue_records: Option<u64>,
}

/// How OTLP is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) enum Protocol {
    #[serde(rename = "grpc")]
    Grpc,
    #[serde(rename = "http/protobuf")]
    HttpProtobuf,
}

/// How requests are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Compression {
    Gzip,
    None,
}

/// A text that is not shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Secret(String);

impl Secret {
    /// The text itself, for the request that needs it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}
