//! gobeacon: tells why Go builds are slow, why they fail, and whether what is built is what it should be.
//!
//! Arguments, then a command, then an exit code; the rest is in the rooms below.

#[cfg_attr(not(test), expect(dead_code, reason = "the house is being built: the loop that calls this lands next"))]
mod builds;
mod cli;
mod config;
#[cfg(test)]
mod docs;
#[cfg_attr(not(test), expect(dead_code, reason = "the house is being built: the loop that uses it lands next"))]
mod export;
mod logging;
#[cfg_attr(not(test), expect(dead_code, reason = "the house is being built: the loop that uses it lands next"))]
mod self_telemetry;
mod wiring;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main(std::env::args_os())
}
