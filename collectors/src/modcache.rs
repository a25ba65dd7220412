//! Module caches, watched: every download as files alone show it.
//!
//! The go command downloads a module version into `cache/download/MODULE/@v/VERSION.zip<number>.tmp`, verifies it, writes
//! `VERSION.ziphash` and renames the file to `VERSION.zip` (cmd/go/internal/modfetch.downloadZip). So the file's birth
//! is the start, its last name the end, and its size the bytes of a download; a file that is removed instead was given
//! up, and one that does not grow is stalled. Extracted modules are never looked at.
//!
//! One thread reads the queue of the kernel and nothing else (`drain`), one keeps the watches (`trees`) and turns names
//! into downloads (`tracker`, which has no input or output), and one counts what the caches hold (`survey`).
//!
//! It must not know who downloads, nor what a log says of it.
//!
//! Invariant: a download is told once, with the time when its file was made and the time when it got its name.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use gobeacon_formats::Timestamp;
use tokio::sync::mpsc;

use crate::harness::{self, Running};
use crate::{Collector, Observation, Places, Root};

mod disk;
mod drain;
mod known;
mod names;
mod survey;
mod tracker;
mod trees;
mod work;

pub mod inventory;

/// The row of this collector.
pub static COLLECTOR: Collector = Collector { name: "modcache", reads: "module caches (GOMODCACHE)" };

/// What to watch, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Which caches.
    pub places: Places,
    /// Whether folders are watched, so that the kernel tells at once what happens. Default true. Without, all is found
    /// by looking again: for file systems that tell nothing, such as those of a network.
    pub watch: bool,
    /// How long a download must not grow to be stalled. Default 30 s. The go command itself waits for ever.
    pub stall_after: Duration,
    /// How long a file must not grow, with no sign that its writer lives, until the download is taken to have failed.
    /// Default 15 min. Where the kernel shows who holds the lock of the version it is known within seconds.
    pub abandon_after: Duration,
    /// How often caches are looked for. Default 2 s. Without notification of the kernel the caches themselves are looked
    /// at again as often, and at most one part in twenty of the time.
    pub rescan_interval: Duration,
    /// How often all that the caches hold is counted. Default 15 min. It is done at low pace.
    pub inventory_interval: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            places: Places::default(),
            watch: true,
            stall_after: Duration::from_secs(30),
            abandon_after: Duration::from_secs(15 * 60),
            rescan_interval: Duration::from_secs(2),
            inventory_interval: Duration::from_secs(15 * 60),
        }
    }
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
    /// A download stopped growing; told once it has not grown for [`Settings::stall_after`].
    Stalled(Box<Stall>),
    /// A stalled download grows again, or has ended. Comes before the [`Self::Downloaded`] of the same.
    StallOver(Box<Stall>),
    /// All that the cache holds was counted.
    Counted(Box<Holdings>),
    /// The cache is gone, or cannot be read any more.
    Gone,
}

/// What a cache holds, and what room is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holdings {
    /// Versions of modules and toolchains, those of which there is only a go.mod left out.
    pub versions: u64,
    /// Bytes of all files: downloads, extracted modules, records of checksum databases, repositories.
    pub bytes: u64,
    /// Bytes that may still be written to the file system; `None` where it does not say.
    pub free_bytes: Option<u64>,
}

/// One download of a module version.
#[derive(Debug, Clone, PartialEq)]
pub struct Download {
    /// Module path. That of a Go toolchain is `golang.org/toolchain`.
    pub module: String,
    /// Module version. That of a Go toolchain is such as `v0.0.1-go1.27.3.linux-amd64`.
    pub version: String,
    /// When the file for the zip was made.
    pub start: Timestamp,
    /// When the zip was verified and got its name, or was given up. Never before the start.
    pub end: Timestamp,
    /// Bytes of the zip; of one that failed, as many as were seen last.
    pub bytes: u64,
    /// The h1 hash that the go command wrote beside it.
    pub sum: Option<String>,
    /// How it ended.
    pub ending: Ending,
    /// This machine had the same version before: in another of its caches, or in this one until it was cleaned.
    pub redundant: bool,
    /// How long it was stalled, in seconds; 0 when it never was.
    pub stalled_seconds: f64,
}

/// How a download ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The zip is verified and in its place.
    Fetched,
    /// The go command removed what it had: the download failed, or what came was rejected.
    GivenUp,
    /// Nobody writes it any more: the go command was killed.
    Abandoned,
}

/// A download that does not grow, or did not.
#[derive(Debug, Clone, PartialEq)]
pub struct Stall {
    /// Module path.
    pub module: String,
    /// Module version.
    pub version: String,
    /// When the download began.
    pub start: Timestamp,
    /// When it grew for the last time.
    pub since: Timestamp,
    /// When it was told, or was over.
    pub until: Timestamp,
    /// Bytes that were there.
    pub bytes: u64,
}

/// Starts the collector on threads of its own.
///
/// # Errors
/// The operating system gives no thread.
pub fn start(settings: Settings, to: mpsc::Sender<Observation>) -> io::Result<Running> {
    let control = Arc::new(drain::Control::default());
    let theirs = Arc::clone(&control);
    harness::spawn(&COLLECTOR, control, move |health| work::run(&settings, &theirs, health, &to))
}
