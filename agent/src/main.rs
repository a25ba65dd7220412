//! gobeacon: tells why Go builds are slow, why they fail, and whether what is built is what it should be.
//!
//! Arguments, then a command, then an exit code; the rest is in the rooms below.

mod admin;
mod buildcache;
mod builds;
mod cli;
mod config;
#[cfg(test)]
mod docs;
mod export;
mod folder;
mod graphs;
mod integrity;
mod logging;
mod metrics;
mod os;
mod run;
mod self_telemetry;
mod state;
mod wiring;
mod wrap;

use std::process::ExitCode;

/// That of musl costs the agent more than half of its speed (docs/adr/0025-packages-and-the-image.md).
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main(std::env::args_os())
}
