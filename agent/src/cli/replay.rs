//! `gobeacon replay`: logs through the builds of the agent, to spans and log events.
//!
//! What comes out is what the agent would have exported for the same logs; it is printed, or sent.
//!
//! Invariant: one build is held at a time, and its spans are bounded, so memory does not grow with the log.

mod json;
pub(super) mod send;
mod tree;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use gobeacon_collectors::Batch;

use super::output::{self, Error, Format};
use super::reading::{self, Input};
use super::{Exit, Subcommand, style};
use crate::builds::build::{Attributes, LogRecord, Span, Telemetry};
use crate::builds::summary::BuildSummary;
use crate::builds::{Builds, Outcome};
use crate::config::{self, Override};
use crate::{logging, wiring};

/// Turn logs into spans and log events, as the agent would
///
/// Prints each go command as a waterfall, or sends the telemetry with --otlp-endpoint. Times that a log does not carry
/// are counted back from when the file was last written.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gobeacon replay build.log
  gobeacon replay --format json build.log | jq '.spans[].name'
  gobeacon replay --otlp-endpoint http://localhost:4317 *.log

Exit status: 0 all was read and sent, 1 a log could not be read or something was not delivered, 2 the command line or
the configuration has mistakes.")]
pub(super) struct Replay {
    /// Logs to replay; `-`, or none, is standard input
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Shape of the output: text for people, json for programs (one object a build)
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Send the telemetry to this receiver instead of printing it; the keys of `otlp` in the configuration, their
    /// variables and OTEL_EXPORTER_OTLP_* say how
    #[arg(long, value_name = "URL")]
    otlp_endpoint: Option<String>,
    /// grpc or http/protobuf [env: GOBEACON_OTLP_PROTOCOL]
    #[arg(long, value_name = "PROTOCOL", requires = "otlp_endpoint")]
    otlp_protocol: Option<String>,
    /// Configuration file (YAML)
    #[arg(long, short, value_name = "FILE", env = "GOBEACON_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
    /// A build whose time stamps are silent for this long is over [env: GOBEACON_BUILD_IDLE_TIMEOUT] [default: 5m]
    #[arg(long, value_name = "DURATION")]
    build_idle_timeout: Option<String>,
}

impl Subcommand for Replay {
    const NAME: &'static str = "replay";

    fn run(self) -> Result<Exit, Error> {
        let overrides = [
            ("otlp.endpoint", "--otlp-endpoint", &self.otlp_endpoint),
            ("otlp.protocol", "--otlp-protocol", &self.otlp_protocol),
            ("build.idle_timeout", "--build-idle-timeout", &self.build_idle_timeout),
        ];
        let overrides = overrides
            .into_iter()
            .filter_map(|(key, flag, text)| Override::flag(key, flag, text.iter().cloned().collect()));
        let config = config::load(self.config.as_deref(), overrides.collect(), |name| std::env::var(name).ok())?;
        let builds = Builds::new(wiring::builds(&config));
        let inputs = Input::all(self.files);
        if self.otlp_endpoint.is_some() {
            logging::start(&config.log);
            return send::all(&inputs, builds, &config);
        }
        print(&inputs, builds, self.format)
    }
}

/// A build that is over, with all that was made of it.
#[derive(Debug)]
struct Finished {
    summary: BuildSummary,
    resource: Arc<Attributes>,
    spans: Vec<Span>,
    logs: Vec<LogRecord>,
}

fn print(inputs: &[Input], mut builds: Builds, format: Format) -> Result<Exit, Error> {
    let mut out = output::stdout();
    let mut waiting = Waiting::default();
    let (columns, colours) = (style::columns(), style::colours());
    let mut found = 0_u64;
    let exit = reading::read_all(inputs, |input, batch| {
        for build in waiting.apply(&mut builds, &batch) {
            match format {
                Format::Json => json::write(&build, &mut out)?,
                Format::Text => {
                    write!(out, "{}{}", if found > 0 { "\n" } else { "" }, tree::page(&build, columns).text(colours))?;
                }
            }
            found += 1;
        }
        if batch.ended && found == 0 && format == Format::Text {
            writeln!(out, "{input}: no Go build was found")?;
        }
        Ok(())
    })?;
    out.flush()?;
    Ok(exit)
}

/// Telemetry of the build that is open.
#[derive(Debug, Default)]
struct Waiting {
    resource: Arc<Attributes>,
    spans: Vec<Span>,
    logs: Vec<LogRecord>,
}

impl Waiting {
    /// The builds that ended with this batch.
    fn apply(&mut self, builds: &mut Builds, batch: &Batch) -> Vec<Finished> {
        let mut outcomes = Vec::new();
        builds.apply(batch, &mut outcomes);
        let mut ended = Vec::new();
        for outcome in outcomes {
            if let Outcome::Telemetry(Telemetry { resource, spans, logs }) = outcome {
                self.resource = resource;
                self.spans.extend(spans);
                self.logs.extend(logs);
            } else if let Outcome::CommandEnded(summary) = outcome {
                ended.push(*summary);
            }
        }
        ended.into_iter().map(|summary| self.take(summary)).collect()
    }

    fn take(&mut self, summary: BuildSummary) -> Finished {
        let trace = summary.trace_id;
        let spans = self.spans.extract_if(.., |span| span.trace_id == trace).collect();
        let logs = self.logs.extract_if(.., |record| record.trace_id == Some(trace)).collect();
        Finished { summary, resource: Arc::clone(&self.resource), spans, logs }
    }
}
