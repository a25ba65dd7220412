//! Whether what module caches hold is what it should be.
//!
//! It must not know who put it there, nor what a log says of it.
//!
//! Invariant: a file is told as wrong only after it was read again and was wrong still.

use std::sync::Arc;

use gobeacon_formats::Timestamp;

use crate::{Collector, Places, Root};

/// The row of this collector.
pub static COLLECTOR: Collector = Collector { name: "integrity", reads: "hashes of cached modules" };

/// What to verify, and how gently.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Which module caches.
    pub places: Places,
}

/// What was found in one cache.
#[derive(Debug, Clone)]
pub struct Report {
    /// The cache.
    pub root: Arc<Root>,
    /// When it was seen.
    pub observed: Timestamp,
    /// In order.
    pub events: Vec<Event>,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// So many module versions are what they should be.
    Verified(u64),
}
