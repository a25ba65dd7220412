//! Module caches, watched: every download as files alone show it.
//!
//! It must not know who downloads, nor what a log says of it.
//!
//! Invariant: a download is told once, with the time when its file was made and the time when it got its name.

use std::sync::Arc;

use gobeacon_formats::Timestamp;

use crate::{Collector, Places, Root};

pub mod inventory;

/// The row of this collector.
pub static COLLECTOR: Collector = Collector { name: "modcache", reads: "module caches (GOMODCACHE)" };

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
    /// A download ended, one way or the other.
    Downloaded(Box<Download>),
}

/// One download of a module version.
#[derive(Debug, Clone, PartialEq)]
pub struct Download {
    /// Module path.
    pub module: String,
    /// Module version.
    pub version: String,
    /// When the file for the zip was made.
    pub start: Timestamp,
    /// When the zip was verified and got its name, or was given up.
    pub end: Timestamp,
    /// Bytes of the zip, or of what was there of it.
    pub bytes: u64,
    /// The h1 hash that the go command wrote beside it.
    pub sum: Option<String>,
}
