//! The verifying of module caches with real files: each test is something that happens to a cache, and what must be
//! said of it.
//!
//! Nothing here sleeps: a test waits for what it expects, until a deadline that only a failure reaches.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod modules;
mod scanning;
mod support;
mod verifying;
