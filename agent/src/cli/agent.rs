//! `gobeacon agent`: the daemon. Flags become configuration here; the work is in `run`.

use std::path::PathBuf;

use super::output::Error;
use super::{Exit, Subcommand};
use crate::config::{Origin, Override};
use crate::run::Ended;
use crate::{logging, run};

/// Follow logs of Go builds, and turn them into metrics, traces and log events
///
/// Runs until SIGTERM or SIGINT, then exports what it has read and ends with 0; SIGHUP has it read its configuration
/// again, or ends it when its terminal goes away. Every flag is also a key of the
/// configuration file and an environment variable; `gobeacon config example` shows them all. A flag wins over the
/// variable, the variable over the file.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gobeacon agent --logs '/var/log/pods/*/*/*.log' --otlp-endpoint http://localhost:4317
  gobeacon agent --config /etc/gobeacon/agent.yaml --log-level debug

Exit status: 0 ended by a signal, 1 it could not do its work, 2 the configuration has mistakes, 128 + n a second signal \
n ended it at once.")]
pub(super) struct Agent {
    /// Configuration file (YAML)
    #[arg(long, short, value_name = "FILE", env = "GOBEACON_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
    /// Logs to follow; may be given several times [env: GOBEACON_LOGS]
    #[arg(long, value_name = "GLOB")]
    logs: Vec<String>,
    /// Module cache to watch (GOMODCACHE), besides those that are discovered; may be given several times
    /// [env: GOBEACON_MODCACHE]
    #[arg(long, value_name = "DIR")]
    modcache: Vec<String>,
    /// Build cache to watch (GOCACHE), besides those that are discovered; may be given several times
    /// [env: GOBEACON_GOCACHE]
    #[arg(long, value_name = "DIR")]
    gocache: Vec<String>,
    /// Folder of Go telemetry to read (go env GOTELEMETRYDIR), besides those that are discovered; may be given several
    /// times [env: GOBEACON_GO_TELEMETRY]
    #[arg(long, value_name = "DIR")]
    go_telemetry: Vec<String>,
    /// Address of /metrics, /healthz and /readyz, or off [env: GOBEACON_LISTEN] [default: 127.0.0.1:9797]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Folder for what must be remembered over restarts [env: GOBEACON_STATE_DIR]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<String>,
    /// Where traces and log events go; unset, the standard OTEL_EXPORTER_OTLP_* variables say it
    /// [env: GOBEACON_OTLP_ENDPOINT]
    #[arg(long, value_name = "URL")]
    otlp_endpoint: Option<String>,
    /// grpc or http/protobuf [env: GOBEACON_OTLP_PROTOCOL]
    #[arg(long, value_name = "PROTOCOL")]
    otlp_protocol: Option<String>,
    /// A build that says nothing for this long is over [env: GOBEACON_BUILD_IDLE_TIMEOUT] [default: 5m]
    #[arg(long, value_name = "DURATION")]
    build_idle_timeout: Option<String>,
    /// off, error, warn, info, debug or trace [env: GOBEACON_LOG_LEVEL] [default: info]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// text or json [env: GOBEACON_LOG_FORMAT] [default: text]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
}

impl Subcommand for Agent {
    const NAME: &'static str = "agent";

    fn run(self) -> Result<Exit, Error> {
        let origin = Origin { path: self.config.clone(), flags: self.overrides() };
        let config = origin.load()?;
        logging::start(&config.log);
        Ok(match run::agent(&config, origin)? {
            Ended::InOrder => Exit::Ok,
            Ended::AtOnce(signal) => Exit::Killed(signal.exit_code()),
        })
    }
}

impl Agent {
    fn overrides(self) -> Vec<Override> {
        let one = |text: Option<String>| text.into_iter().collect::<Vec<_>>();
        let flags = [
            ("logs.include", "--logs", self.logs),
            ("modcache.dirs", "--modcache", self.modcache),
            ("buildcache.dirs", "--gocache", self.gocache),
            ("counters.dirs", "--go-telemetry", self.go_telemetry),
            ("listen", "--listen", one(self.listen)),
            ("state_dir", "--state-dir", one(self.state_dir)),
            ("otlp.endpoint", "--otlp-endpoint", one(self.otlp_endpoint)),
            ("otlp.protocol", "--otlp-protocol", one(self.otlp_protocol)),
            ("build.idle_timeout", "--build-idle-timeout", one(self.build_idle_timeout)),
            ("log.level", "--log-level", one(self.log_level)),
            ("log.format", "--log-format", one(self.log_format)),
        ];
        flags.into_iter().filter_map(|(key, flag, texts)| Override::flag(key, flag, texts)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_are_those_that_the_keys_name() {
        let agent = Agent {
            config: None,
            logs: vec!["x".to_owned()],
            modcache: vec!["x".to_owned()],
            gocache: vec!["x".to_owned()],
            go_telemetry: vec!["x".to_owned()],
            listen: Some("x".to_owned()),
            state_dir: Some("x".to_owned()),
            otlp_endpoint: Some("x".to_owned()),
            otlp_protocol: Some("x".to_owned()),
            build_idle_timeout: Some("x".to_owned()),
            log_level: Some("x".to_owned()),
            log_format: Some("x".to_owned()),
        };
        let mut given: Vec<_> = agent.overrides().into_iter().map(|it| (it.key, it.origin)).collect();
        let mut named: Vec<_> =
            crate::config::keys().into_iter().filter_map(|key| Some((key.path, key.flag?))).collect();
        given.sort();
        named.sort();
        assert_eq!(given, named);
    }
}
