//! The real peers: an OpenTelemetry Collector that writes what it gets to files, and a Prometheus.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::machine::{Running, free_address, http_get, tool, wait_for};
use crate::otlp::{self, LogEvent, Span};

/// How the agent talks to the Collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Grpc,
    Http,
}

impl Protocol {
    /// As `--otlp-protocol` spells it.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http => "http/protobuf",
        }
    }
}

/// A Collector with an OTLP receiver for both protocols and a file for each signal.
pub(crate) struct Collector {
    process: Running,
    scheme: &'static str,
    grpc: SocketAddr,
    http: SocketAddr,
    traces: PathBuf,
    logs: PathBuf,
}

impl Collector {
    /// Starts it and waits until it listens.
    pub(crate) fn start(folder: &Path) -> Self {
        Self::start_with(folder, "", "")
    }

    /// The same, with further settings of each receiver.
    pub(crate) fn start_with(folder: &Path, for_grpc: &str, for_http: &str) -> Self {
        let (grpc, http) = (free_address(), free_address());
        let (traces, logs) = (folder.join("traces.json"), folder.join("logs.json"));
        let config = format!(
            "receivers:\n  otlp:\n    protocols:\n      grpc: {{endpoint: '{grpc}', {for_grpc}}}\n      http: {{endpoint: '{http}', {for_http}}}\n\
             processors:\n  batch: {{timeout: 50ms}}\n\
             exporters:\n  file/traces: {{path: '{}', flush_interval: 50ms}}\n  file/logs: {{path: '{}', flush_interval: 50ms}}\n\
             service:\n  telemetry: {{metrics: {{level: none}}}}\n  pipelines:\n\
             \x20   traces: {{receivers: [otlp], processors: [batch], exporters: [file/traces]}}\n\
             \x20   logs: {{receivers: [otlp], processors: [batch], exporters: [file/logs]}}\n",
            traces.display(),
            logs.display()
        );
        let file = folder.join("collector.yaml");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new(tool("GOBEACON_OTELCOL"));
        command.arg("--config").arg(&file);
        let mut process = Running::start("otelcol", folder, &mut command);
        wait_for("the Collector listens", || {
            process.alive()?;
            for address in [grpc, http] {
                std::net::TcpStream::connect(address).map_err(|error| error.to_string())?;
            }
            Ok(())
        });
        Self { process, scheme: "http", grpc, http, traces, logs }
    }

    /// It speaks TLS.
    pub(crate) fn secure(self) -> Self {
        Self { scheme: "https", ..self }
    }

    /// What `--otlp-endpoint` gets.
    pub(crate) fn endpoint(&self, protocol: Protocol) -> String {
        let address = match protocol {
            Protocol::Grpc => self.grpc,
            Protocol::Http => self.http,
        };
        // the name that certificates are for
        let host = if self.scheme == "https" { "localhost".to_owned() } else { address.ip().to_string() };
        format!("{}://{host}:{}", self.scheme, address.port())
    }

    /// Ends it, so that it writes all that it has, and reads what arrived.
    pub(crate) fn finish(mut self) -> (Vec<Span>, Vec<LogEvent>) {
        let status = self.process.terminate();
        assert!(status.success(), "the Collector: {status}\n{}", self.process.output());
        let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
        (otlp::spans(&read(&self.traces)), otlp::log_events(&read(&self.logs)))
    }
}

/// A Prometheus that scrapes one target every 200 ms.
pub(crate) struct Prometheus {
    process: Running,
    address: SocketAddr,
}

impl Prometheus {
    /// Starts it and waits until it answers.
    pub(crate) fn start(folder: &Path, target: SocketAddr) -> Self {
        Self::start_with(folder, target, &[])
    }

    /// The same, with files of rules, which are evaluated as often.
    pub(crate) fn start_with(folder: &Path, target: SocketAddr, rules: &[PathBuf]) -> Self {
        let address = free_address();
        let config = format!(
            "global: {{scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms}}\nrule_files: {rules:?}\n\
             scrape_configs:\n  - job_name: gobeacon\n    static_configs: [{{targets: ['{target}'], labels: {{cluster: e2e}}}}]\n"
        );
        let file = folder.join("prometheus.yaml");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new(tool("GOBEACON_PROMETHEUS"));
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("prometheus").display()))
            .arg(format!("--web.listen-address={address}"));
        let mut process = Running::start("prometheus", folder, &mut command);
        wait_for("Prometheus is ready", || {
            process.alive()?;
            http_get(address, "/-/ready")
        });
        Self { process, address }
    }

    /// The one value of an instant query; `Err` says what was answered instead.
    pub(crate) fn value(&mut self, query: &str) -> Result<f64, String> {
        match self.values(query)?[..] {
            [one] => Ok(one),
            ref all => Err(format!("{query} is not one value: {all:?}")),
        }
    }

    /// All values of an instant query, by whatever labels.
    pub(crate) fn values(&mut self, query: &str) -> Result<Vec<f64>, String> {
        self.process.alive()?;
        let body = http_get(self.address, &format!("/api/v1/query?query={}", percent_encode(query)))?;
        let answer: Value = serde_json::from_str(&body).map_err(|error| format!("{error}: {body}"))?;
        let result = answer["data"]["result"].as_array().ok_or_else(|| format!("{query}: {body}"))?;
        let value = |one: &Value| one["value"][1].as_str().and_then(|it| it.parse().ok());
        result.iter().map(|one| value(one).ok_or_else(|| format!("{query}: {one}"))).collect()
    }
}

fn percent_encode(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
