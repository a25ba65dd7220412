//! The collector of module caches with real files and threads: what the go command does to a cache, and what must come
//! out of it.
//!
//! Nothing here sleeps: a test waits for what it expects, until a deadline that only a failure reaches.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod downloading;
mod odd;
mod stalling;
mod support;
