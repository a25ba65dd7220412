//! Which source of a setting wins: flag, gobeacon's environment, configuration file (already one, [`Explicit`]), then
//! the standard variable of the signal, then the standard variable of all signals.
//!
//! Invariant: this file is the only one that knows the names of the standard variables.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;

use super::parse::{self, Wrong};
use super::{Compression, Explicit, Limits, Protocol, Settings, SignalSettings, TlsFiles};
use crate::export::counts::Signal;

/// Time for a request where nothing says otherwise, as in the OTLP specification.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// The port that is registered for OTLP/gRPC.
const GRPC_PORT: u16 = 4317;

/// Whether there is anything to export to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resolved {
    /// At least one signal is exported.
    On(Box<Settings>),
    /// Nothing is exported.
    Off(Off),
}

/// Why nothing is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Off {
    /// No endpoint is given anywhere.
    NoEndpoint,
    /// `OTEL_SDK_DISABLED=true`.
    SdkDisabled,
    /// Both signals are switched off.
    NoSignal,
}

impl fmt::Display for Off {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoEndpoint => "no OTLP endpoint is given",
            Self::SdkDisabled => "OTEL_SDK_DISABLED is true",
            Self::NoSignal => "traces and logs are both switched off",
        })
    }
}

/// A key or variable whose value cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} {problem}")]
pub(crate) struct SettingsError {
    /// The configuration key (`otlp.endpoint`) or the variable (`OTEL_EXPORTER_OTLP_ENDPOINT`).
    pub(crate) name: String,
    /// What is wrong and what to do.
    pub(crate) problem: &'static str,
}

type Headers = BTreeMap<String, String>;
type HeaderFiles = BTreeMap<String, PathBuf>;
type Pairs = Vec<(String, String)>;
type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

pub(super) fn resolve(explicit: &Explicit, env: Env<'_>) -> Result<Resolved, SettingsError> {
    let source = Source { explicit, env };
    // a switch to turn telemetry off wins over all that would turn it on
    if source.var("OTEL_SDK_DISABLED").is_some_and(|(_, text)| parse::truth(&text)) {
        return Ok(Resolved::Off(Off::SdkDisabled));
    }
    let wanted = [(Signal::Traces, explicit.traces), (Signal::Logs, explicit.logs)];
    let [traces_wanted, logs_wanted] = wanted.map(|(signal, explicit)| source.wanted(signal, explicit));
    let (traces_wanted, logs_wanted) = (traces_wanted?, logs_wanted?);
    if !traces_wanted && !logs_wanted {
        return Ok(Resolved::Off(Off::NoSignal));
    }
    let traces = if traces_wanted { source.signal(Signal::Traces)? } else { None };
    let logs = if logs_wanted { source.signal(Signal::Logs)? } else { None };
    if traces.is_none() && logs.is_none() {
        return Ok(Resolved::Off(Off::NoEndpoint));
    }
    let (resource, service_name) = source.resource()?;
    let limits = source.limits()?;
    Ok(Resolved::On(Box::new(Settings { traces, logs, resource, service_name, limits, spool: None })))
}

struct Source<'a> {
    explicit: &'a Explicit,
    env: Env<'a>,
}

impl Source<'_> {
    /// A variable that is set and not empty, with its name.
    fn var(&self, name: &str) -> Option<(String, String)> {
        (self.env)(name)
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty())
            .map(|text| (name.into(), text))
    }

    /// `OTEL_EXPORTER_OTLP_TRACES_X`, else `OTEL_EXPORTER_OTLP_X`.
    fn otlp_var(&self, signal: Signal, key: &str) -> Option<(String, String)> {
        self.var(&format!("OTEL_EXPORTER_OTLP_{}_{key}", upper(signal)))
            .or_else(|| self.var(&format!("OTEL_EXPORTER_OTLP_{key}")))
    }

    /// The explicit value, else the parsed variable.
    fn value<T>(
        &self,
        signal: Signal,
        explicit: Option<T>,
        key: &str,
        parse: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Result<Option<T>, SettingsError> {
        match (explicit, self.otlp_var(signal, key)) {
            (Some(value), _) => Ok(Some(value)),
            (None, Some((name, text))) => parse(&text).map(Some).map_err(wrong(name)),
            (None, None) => Ok(None),
        }
    }

    /// `OTEL_TRACES_EXPORTER=none` switches a signal off unless gobeacon's own key says otherwise.
    fn wanted(&self, signal: Signal, explicit: Option<bool>) -> Result<bool, SettingsError> {
        if let Some(wanted) = explicit {
            return Ok(wanted);
        }
        let Some((name, text)) = self.var(&format!("OTEL_{}_EXPORTER", upper(signal))) else { return Ok(true) };
        let mut exporters = text.split(',').map(str::trim);
        match text.as_str() {
            "none" => Ok(false),
            _ if exporters.any(|exporter| exporter == "otlp") => Ok(true),
            _ => Err(wrong(name)("names an exporter that gobeacon does not have: write otlp or none")),
        }
    }

    fn signal(&self, signal: Signal) -> Result<Option<SignalSettings>, SettingsError> {
        let Some(endpoint) = self.endpoint(signal) else { return Ok(None) };
        let protocol = self.value(signal, self.explicit.protocol, "PROTOCOL", parse::protocol)?;
        let protocol = protocol.unwrap_or_else(|| endpoint.likely_protocol());
        let insecure = self.value(signal, self.explicit.insecure, "INSECURE", |text| Ok(parse::truth(text)))?;
        let mut url = endpoint.url(signal, protocol, insecure.unwrap_or(false))?;
        let (mut headers, header_files) = self.headers(signal)?;
        let user = parse::take_user_info(&mut url).map_err(wrong(endpoint.name.as_str()))?;
        // a header that is given wins
        if let Some(user) = user.filter(|_| !header_files.contains_key("authorization")) {
            headers.entry("authorization".to_owned()).or_insert(user);
        }
        let compression = self.value(signal, self.explicit.compression, "COMPRESSION", parse::compression)?;
        let timeout = self.value(signal, self.explicit.timeout, "TIMEOUT", parse::timeout)?.unwrap_or(DEFAULT_TIMEOUT);
        if timeout.is_zero() {
            return Err(wrong("otlp.timeout")("is 0: write a time such as 10s"));
        }
        let tls = self.tls(signal)?;
        let compression = compression.unwrap_or(Compression::Gzip);
        Ok(Some(SignalSettings { url, protocol, compression, timeout, headers, header_files, tls }))
    }

    fn endpoint(&self, signal: Signal) -> Option<Endpoint> {
        let own = format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", upper(signal));
        let base = |(name, text)| Endpoint { name, text, is_base: true };
        let explicit = self.explicit.endpoint.as_deref().map(str::trim).filter(|text| !text.is_empty());
        explicit
            .map(|text| base(("otlp.endpoint".to_owned(), text.to_owned())))
            .or_else(|| self.var(&own).map(|(name, text)| Endpoint { name, text, is_base: false }))
            .or_else(|| self.var("OTEL_EXPORTER_OTLP_ENDPOINT").map(base))
    }

    /// One source gives all headers: the configuration, else the signal's variable, else the general one.
    fn headers(&self, signal: Signal) -> Result<(Headers, HeaderFiles), SettingsError> {
        let (headers, files) = (&self.explicit.headers, &self.explicit.header_files);
        if headers.is_empty() && files.is_empty() {
            let headers = self.value(signal, None, "HEADERS", parse::headers)?;
            return Ok((headers.unwrap_or_default(), BTreeMap::new()));
        }
        let headers: Result<_, Wrong> = headers.iter().map(|(name, value)| parse::header(name, value)).collect();
        let headers: BTreeMap<_, _> = headers.map_err(wrong("otlp.headers"))?;
        let files: Result<BTreeMap<_, _>, Wrong> =
            files.iter().map(|(name, path)| Ok((parse::header_name(name)?, path.clone()))).collect();
        let files = files.map_err(wrong("otlp.header_files"))?;
        match files.keys().find(|name| headers.contains_key(*name)) {
            Some(_) => Err(wrong("otlp.header_files")("names a header that otlp.headers has too: remove one of them")),
            None => Ok((headers, files)),
        }
    }

    fn tls(&self, signal: Signal) -> Result<TlsFiles, SettingsError> {
        let path = |explicit: &Option<PathBuf>, key| self.value(signal, explicit.clone(), key, |text| Ok(text.into()));
        let certificate = path(&self.explicit.certificate, "CERTIFICATE")?;
        let client = (
            path(&self.explicit.client_certificate, "CLIENT_CERTIFICATE")?,
            path(&self.explicit.client_key, "CLIENT_KEY")?,
        );
        let client = match client {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => {
                return Err(wrong("otlp.client_certificate (or OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE)")(
                    "has no key: set otlp.client_key or OTEL_EXPORTER_OTLP_CLIENT_KEY",
                ));
            }
            (None, Some(_)) => {
                return Err(wrong("otlp.client_key (or OTEL_EXPORTER_OTLP_CLIENT_KEY)")(
                    "has no certificate: set otlp.client_certificate or OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
                ));
            }
        };
        Ok(TlsFiles { certificate, client })
    }

    /// `OTEL_RESOURCE_ATTRIBUTES` without its service.name, and the service name, which `OTEL_SERVICE_NAME` sets first.
    fn resource(&self) -> Result<(Pairs, Option<String>), SettingsError> {
        let pairs = match self.var("OTEL_RESOURCE_ATTRIBUTES") {
            Some((name, text)) => parse::pairs(&text).map_err(wrong(name))?,
            None => Vec::new(),
        };
        // the last of equal keys wins
        let mut resource = BTreeMap::from_iter(pairs);
        let listed = resource.remove("service.name");
        let service_name = self.var("OTEL_SERVICE_NAME").map(|(_, text)| text).or(listed);
        Ok((resource.into_iter().collect(), service_name))
    }

    fn limits(&self) -> Result<Limits, SettingsError> {
        let default = Limits::default();
        let limits = Limits {
            queue_bytes: self.explicit.queue_bytes.unwrap_or(default.queue_bytes),
            queue_records: self.explicit.queue_records.unwrap_or(default.queue_records),
            ..default
        };
        if limits.queue_bytes < 1 << 20 {
            return Err(wrong("otlp.queue_bytes")("is less than 1 MiB: write at least 1048576"));
        }
        if limits.queue_records < 1_000 {
            return Err(wrong("otlp.queue_records")("is less than 1000: write at least 1000"));
        }
        // batches on their way are never dropped: they take at most half of the queue, so that there is room besides
        let share = 2 * default.concurrency as u64;
        Ok(Limits {
            batch_bytes: limits.batch_bytes.min(usize::try_from(limits.queue_bytes / share).unwrap_or(usize::MAX)),
            batch_records: limits
                .batch_records
                .min(usize::try_from(limits.queue_records / share).unwrap_or(usize::MAX)),
            ..limits
        })
    }
}

/// An endpoint as written, and where.
struct Endpoint {
    name: String,
    text: String,
    /// The base of all signals, or the URL of one.
    is_base: bool,
}

impl Endpoint {
    /// The protocol where nothing names one: gRPC on its registered port, else HTTP, the default of the specification.
    fn likely_protocol(&self) -> Protocol {
        match parse::grpc_endpoint(&self.text, true).map(|url| url.port()) {
            Ok(Some(GRPC_PORT)) => Protocol::Grpc,
            Ok(_) | Err(_) => Protocol::HttpProtobuf,
        }
    }

    fn url(&self, signal: Signal, protocol: Protocol, insecure: bool) -> Result<Url, SettingsError> {
        let url = match protocol {
            Protocol::Grpc => parse::grpc_endpoint(&self.text, insecure),
            Protocol::HttpProtobuf => {
                let path = match signal {
                    Signal::Traces => "v1/traces",
                    Signal::Logs => "v1/logs",
                };
                parse::http_endpoint(&self.text, self.is_base.then_some(path))
            }
        };
        url.map_err(wrong(self.name.as_str()))
    }
}

fn upper(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "TRACES",
        Signal::Logs => "LOGS",
    }
}

fn wrong(name: impl Into<String>) -> impl FnOnce(Wrong) -> SettingsError {
    let name = name.into();
    move |problem| SettingsError { name, problem }
}
