//! A model of everybody who writes logs, and the real agent beside it: whatever is done to files, to the backend, to
//! the disk and to the agent itself, every span arrives once and every counter is what was written.
//!
//! `GOBEACON_MODEL_SEED=N` plays one sequence again, `GOBEACON_MODEL_KILLS=N` plays until so many kills were survived,
//! `GOBEACON_MODEL_SEQUENCES=N` so many sequences. `GOBEACON_MODEL_PROGRAM` is another agent to play with.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "all of it is tests"
)]

mod backend;
mod disk;
mod golog;
mod lives;
mod oracle;
#[path = "../support/otlp_receiver.rs"]
mod otlp_receiver;
mod random;
mod replayed;
mod run;
mod sequence;
mod world;
