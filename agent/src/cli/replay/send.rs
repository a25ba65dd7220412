//! Replayed telemetry, sent by the exporter of the agent.
//!
//! Invariant: nothing is dropped because it came too fast: reading waits for the exporter.

use super::super::output::{self, Error};
use super::super::reading::{self, Input};
use super::super::{Exit, style};
use crate::builds::{Builds, Outcome};
use crate::config::Config;
use crate::export::{Exporter, Report, Resolved};
use crate::wiring;

/// Sends what all logs came to, and says how much it was.
pub(super) fn all(inputs: &[Input], mut builds: Builds, config: &Config) -> Result<Exit, Error> {
    let settings = match wiring::exporter(&config.otlp, |name| std::env::var(name).ok())? {
        Resolved::On(settings) => settings,
        Resolved::Off(off) => return Err(Error::NothingToExportTo(off)),
    };
    // requests go on while the next piece is read
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(Error::NoRuntime)?;
    let mut exporter = runtime.block_on(async { Exporter::start(&settings) })?;
    let mut outcomes = Vec::new();
    let exit = reading::read_all(inputs, |_, batch| {
        builds.apply(&batch, &mut outcomes);
        for outcome in outcomes.drain(..) {
            if let Outcome::Telemetry(telemetry) = outcome {
                runtime.block_on(exporter.push(telemetry));
            }
        }
        Ok(())
    })?;
    runtime.block_on(exporter.shutdown(config.shutdown_timeout.into()));
    let report = exporter.report();
    output::complain(&format_args!(
        "delivered {} and {}",
        style::count(report.traces.delivered, "span"),
        style::count(report.logs.delivered, "log event"),
    ));
    Ok(exit.or(not_delivered(&report)))
}

/// Says what was lost and why.
pub(in crate::cli) fn not_delivered(report: &Report) -> Exit {
    let mut exit = Exit::Ok;
    for (what, signal) in [("span", &report.traces), ("log event", &report.logs)] {
        for (reason, count) in signal.dropped().filter(|(_, count)| *count > 0) {
            output::complain(&format_args!("not delivered: {} ({})", style::count(count, what), reason.as_str()));
            exit = Exit::Failed;
        }
    }
    exit
}
