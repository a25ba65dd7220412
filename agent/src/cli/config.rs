//! `gobeacon config`: look at the configuration without running anything.

use std::io::{self, Write};
use std::path::PathBuf;

use gobeacon_collectors::logs;

use super::output::{self, Error};
use super::{Exit, Subcommand};
use crate::config::{self, Config};
use crate::export::settings::Protocol;
use crate::export::{Resolved, Signal};
use crate::wiring;

/// Check the configuration, or show what can be configured
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit status: 0 the configuration holds, 2 it has mistakes.")]
pub(super) struct ConfigCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Read the file and the environment as the agent would, and say what it would do
    Check {
        /// Configuration file
        #[arg(long, short, value_name = "FILE", env = "GOBEACON_CONFIG", hide_env_values = true)]
        config: Option<PathBuf>,
        /// Configuration file
        #[arg(value_name = "FILE", conflicts_with = "config")]
        file: Option<PathBuf>,
    },
    /// Print the JSON schema of the configuration file, for editors
    Schema,
    /// Print a configuration file with every key, its default and what it does
    Example,
}

impl Subcommand for ConfigCommand {
    const NAME: &'static str = "config";

    fn run(self) -> Result<Exit, Error> {
        let mut out = output::stdout();
        match self.what {
            What::Check { config, file } => check(file.or(config), &mut out)?,
            What::Schema => {
                serde_json::to_writer_pretty(&mut out, &config::schema()).map_err(io::Error::from)?;
                writeln!(out)?;
            }
            What::Example => out.write_all(config::example().as_bytes())?,
        }
        out.flush()?;
        Ok(Exit::Ok)
    }
}

fn check(path: Option<PathBuf>, out: &mut impl Write) -> Result<(), Error> {
    let env = |name: &str| std::env::var(name).ok();
    let config = config::load(path.as_deref(), Vec::new(), env)?;
    logs::check(&wiring::logs(&config))?;
    let exporter = wiring::exporter(&config.otlp, env)?;
    let from = path.map_or_else(|| "the defaults and the environment".to_owned(), |path| path.display().to_string());
    writeln!(out, "OK: {from}")?;
    for (what, says) in summary(&config, &exporter) {
        writeln!(out, "  {what:<12} {says}")?;
    }
    Ok(())
}

/// What the agent would do, a line each.
fn summary(config: &Config, exporter: &Resolved) -> Vec<(&'static str, String)> {
    let logs = match config.logs.include.as_slice() {
        [] => "no logs: set logs.include, --logs or GOBEACON_LOGS".to_owned(),
        patterns => patterns.join(", "),
    };
    let mut lines = vec![("follows", logs)];
    if !config.logs.include.is_empty() && !config.logs.exclude.is_empty() {
        lines.push(("but not", config.logs.exclude.join(", ")));
    }
    lines.push(("listens on", wiring::listen(config).unwrap_or_else(|| "no port".to_owned())));
    match exporter {
        Resolved::Off(off) => lines.push(("exports", format!("nothing: {off}"))),
        Resolved::On(settings) => {
            for signal in [Signal::Traces, Signal::Logs] {
                let says = match settings.signal(signal) {
                    None => "not exported".to_owned(),
                    Some(to) => format!("to {} by {}", to.shown_url(), protocol(to.protocol)),
                };
                lines.push((if signal == Signal::Traces { "traces" } else { "log events" }, says));
            }
        }
    }
    lines.push(("state folder", wiring::state_dir(config, |name| std::env::var(name).ok()).display().to_string()));
    lines
}

fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Grpc => "grpc",
        Protocol::HttpProtobuf => "http/protobuf",
    }
}
