//! Build caches under operations that are system call by system call those of the go command (cmd/go/internal/cache:
//! get, put, putIndexEntry, copyFile, trimSubdir), and under what CI steps do to caches.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod counting;
mod odd;
mod removing;
mod restoring;
mod support;
