//! The logs collector with real files and threads: each test is something that happens to logs, and what must come
//! out of it.
//!
//! Nothing here sleeps: a test waits for what it expects, until a deadline that only a failure reaches.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod changing;
mod discovering;
mod following;
mod limits;
mod model;
mod records;
mod resuming;
mod rewriting;
mod rotating;
mod stopping;
mod support;
