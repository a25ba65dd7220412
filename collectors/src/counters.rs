//! Go's own counters: what the go command counted, in the files that it maps into its memory.
//!
//! It must not know which build counted.
//!
//! Invariant: what was counted before the first look is not told as new; a counter that cannot be read is said to be
//! not available, never to be 0.

use std::sync::Arc;

use gobeacon_formats::Timestamp;

use crate::{Collector, Places, Root};

/// The row of this collector.
pub static COLLECTOR: Collector = Collector { name: "counters", reads: "Go's telemetry counters (*.v1.count)" };

/// What to read, and how often.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Which folders.
    pub places: Places,
}

/// What the counters of one folder say.
#[derive(Debug, Clone)]
pub struct Report {
    /// The folder.
    pub root: Arc<Root>,
    /// When it was read.
    pub observed: Timestamp,
    /// By how much each counter grew, where it did.
    pub grown: Vec<(String, u64)>,
}
