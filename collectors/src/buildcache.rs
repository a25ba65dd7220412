//! Build caches, watched: hits and puts as the kernel tells them, and what is in there.
//!
//! It must not know which build asks.
//!
//! Invariant: each hit and each put is counted once, or the overflow that hid it is.

use std::sync::Arc;

use gobeacon_formats::Timestamp;

use crate::{Collector, Places, Root};

pub mod inventory;

/// The row of this collector.
pub static COLLECTOR: Collector = Collector { name: "buildcache", reads: "build caches (GOCACHE)" };

/// What to watch, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Which caches.
    pub places: Places,
}

/// What happened in one cache.
#[derive(Debug, Clone)]
pub struct Report {
    /// The cache.
    pub root: Arc<Root>,
    /// When it was seen.
    pub observed: Timestamp,
    /// In order.
    pub events: Vec<Event>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// What go commands took out and put in since the last time.
    Used {
        /// Entries found.
        hits: u64,
        /// Entries written.
        puts: u64,
    },
}
