//! The outside world as events.
//!
//! A collector reads something that a Go build leaves behind and sends batches of [`gobeacon_formats::Event`]s.
//! Collectors know files, clocks and the kernel; they know nothing of builds, spans or metrics.
//!
//! Invariant: a collector sends on one bounded channel and stops reading while that is full: the file is the buffer.

use std::path::PathBuf;
use std::sync::Arc;

use gobeacon_formats::{Event, LineCounts, Timestamp};

pub mod action_graph;
pub mod buildcache;
pub mod counters;
mod harness;
pub mod integrity;
pub mod inventory;
pub mod logs;
pub mod modcache;
mod os;
pub mod roots;
mod stopping;

pub use harness::{Collector, Health, HealthReading, Problem, Running, State, Stop};
pub use logs::{Bookmark, Cause, Replay};
pub use os::{CONFIG_FOLDER, now};
pub use roots::{Places, Root};

/// Every collector, one row each: the closed set of the `collector` label.
pub static COLLECTORS: &[&Collector] = &[
    &logs::COLLECTOR,
    &modcache::COLLECTOR,
    &buildcache::COLLECTOR,
    &counters::COLLECTOR,
    &integrity::COLLECTOR,
    &action_graph::COLLECTOR,
];

/// How many batches the channel to the agent should hold: of log, at most 4 MiB in flight. When it is full the
/// collectors stop reading; nothing is dropped.
pub const CHANNEL_BATCHES: usize = 16;

/// How many observations the channel to the agent should hold. When it is full the collectors wait: what they look at
/// stays where it is.
pub const CHANNEL_OBSERVATIONS: usize = 256;

/// What a collector saw that is no line of a log: one variant a collector.
#[derive(Debug, Clone)]
pub enum Observation {
    /// Of a module cache.
    ModCache(modcache::Report),
    /// Of the hashes of modules.
    Integrity(integrity::Report),
    /// Of a build cache.
    BuildCache(buildcache::Report),
    /// Of Go's own counters.
    Counters(counters::Report),
    /// Of a graph of actions.
    ActionGraph(action_graph::Report),
}

/// Where a batch comes from: one incarnation of one log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Source {
    /// What the log *is*, the same over restarts of the agent and renames of the file: a hash of device, inode and
    /// birth time (or of the best of these that the file system has).
    pub id: [u8; 16],
    /// Where it was found first.
    pub path: PathBuf,
}

/// What a collector hands on.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The log it comes from.
    pub source: Arc<Source>,
    /// When the bytes were read, or, for bytes that were there before, when the file was last written.
    pub observed: Timestamp,
    /// In the order of the log.
    pub events: Vec<Event>,
    /// Lines read for this batch; not totals.
    pub lines: LineCounts,
    /// Bytes read for this batch.
    pub bytes: u64,
    /// Offset up to which the log has been read.
    pub read_to: u64,
    /// Offset of the first byte that the parser still holds; equals `read_to` when it holds nothing.
    pub open_from: u64,
    /// Nothing more will come from this source.
    pub ended: bool,
    /// Why there is a batch now.
    pub cause: Cause,
    /// Whether an earlier life of the agent has told this.
    pub replay: Replay,
    /// What a later life needs to go on behind this batch; `None` where it cannot: the log is gone for good, or is
    /// no file that is followed.
    pub bookmark: Option<Bookmark>,
}
