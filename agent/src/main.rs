//! gobeacon: tells why Go builds are slow, why they fail, and whether what is built is what it should be.
//!
//! Arguments, then a command, then an exit code; the rest is in the rooms below.

mod admin;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "offsets to begin again from are for the checkpoints, which come later")
)]
mod builds;
mod cli;
mod config;
#[cfg(test)]
mod docs;
#[cfg_attr(not(test), expect(dead_code, reason = "the observer is for the agent's own spans, which are wired next"))]
mod export;
mod logging;
mod metrics;
mod run;
#[cfg_attr(not(test), expect(dead_code, reason = "the house is being built: the loop that uses it lands next"))]
mod self_telemetry;
mod wiring;

mod wrap;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main(std::env::args_os())
}
