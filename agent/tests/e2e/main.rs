//! End to end, with nothing made up: real go commands write logs, the agent follows them, a real OpenTelemetry
//! Collector gets the spans and log events and a real Prometheus scrapes the metrics.
//!
//! This needs programs that `.ci/setup` installs; `.ci/test e2e` sets the variables they are found by. Plain
//! `cargo test` leaves it out; a missing program is a failure, never a pass.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may panic"
)]

#[path = "../support/authority.rs"]
mod authority;
mod backends;
#[path = "../support/boards.rs"]
mod boards;
mod buildcache;
mod builds;
mod caches;
mod counted;
mod dashboards;
mod delivery;
mod downloads;
mod go;
mod goproxy;
mod machine;
mod modproxy;
mod modules;
mod otlp;
#[path = "../support/otlp_receiver.rs"]
mod otlp_receiver;
mod stage;
