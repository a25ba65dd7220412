//! Build caches, watched: hits and puts as the kernel tells them, and what is in there.
//!
//! A hit of the go command closes the file of an action that it read, a put closes one that it wrote, each exactly
//! once; a miss opens nothing and leaves no trace. One thread empties the kernel's queue (`queue`), another thinks
//! (`worker`): it holds each cache (`cache`), looks at files where the kernel's word is not enough (`look`), and walks
//! through everything at a low pace (`walk`). Which build asks is not visible here.
//!
//! Invariants: each hit and each put is counted once, or the overflow that hid it is; nothing here writes into a
//! cache or locks it, and what is read of it is never counted as a hit.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use gobeacon_formats::Timestamp;
use gobeacon_formats::cache_entry::OutputKind;
use tokio::sync::mpsc;

use crate::harness::{self, Running};
use crate::inventory::{Ages, Count};
use crate::{Collector, Observation, Places, Root};

mod cache;
mod known;
mod look;
mod polling;
mod queue;
mod removals;
mod restore;
mod roots;
mod sweep;
#[cfg(test)]
mod tests;
mod walk;
mod watches;
mod worker;

pub mod inventory;

/// The row of this collector.
pub static COLLECTOR: Collector = Collector { name: "buildcache", reads: "build caches (GOCACHE)" };

/// What to watch, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Which caches.
    pub places: Places,
    /// Whether the kernel is asked to tell what happens. Default true. Without, puts are found by looking, and hits
    /// are not available.
    pub watch: bool,
    /// How often caches are looked for, and how often puts are where they must be looked for. Default 2 s.
    pub find_interval: Duration,
    /// How often everything in a cache is looked at. Default 15 min; in between its size is kept up to date by what
    /// happens. A look takes one part in ten of the time of one core at most.
    pub inventory_interval: Duration,
    /// How long nothing must be found in a restored cache for the restore to be judged. Default 10 min.
    pub restore_quiet: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            places: Places::default(),
            watch: true,
            find_interval: Duration::from_secs(2),
            inventory_interval: Duration::from_secs(900),
            restore_quiet: Duration::from_secs(600),
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
    /// From now on it is seen like this.
    Seen(How),
    /// What go commands took out and put in since the last time.
    Used(Used),
    /// What is in there now.
    Stock {
        /// By kind.
        stock: Stock,
        /// Bytes that its file system has left; `None` when it does not say.
        free_bytes: Option<u64>,
    },
    /// All of it was looked at.
    Inventory(Box<Inventory>),
    /// Entries were removed.
    Removed(Removal),
    /// Something other than a go command filled it.
    Restored(Restore),
    /// What the last restore was worth.
    Worth(Worth),
    /// The kernel's queue overflowed: hits went by uncounted. Puts were looked for and are in [`Used::puts`].
    HitsLost {
        /// How many of the puts told since then were found by looking.
        puts_found: u64,
    },
    /// It is not there any more.
    Gone,
}

/// How a cache is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum How {
    /// The kernel tells what happens.
    Watched,
    /// It is looked at from time to time: puts and sizes are known, hits are not.
    Polled,
    /// It may not be read.
    Unreadable,
}

impl How {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Watched, Self::Polled, Self::Unreadable];

    /// The word for it in labels.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Watched => "watched",
            Self::Polled => "polled",
            Self::Unreadable => "unreadable",
        }
    }
}

/// What happened since the last time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    /// Actions that a go command found. 0 in a cache that is not watched says nothing.
    pub hits: u64,
    /// Actions that a go command put in.
    pub puts: u64,
    /// Those of the hits that found what the last restore had brought.
    pub restored_hits: u64,
    /// Actions that were read by who copies the cache, such as a CI step that saves it: no hits.
    pub copied: u64,
    /// Files that were written by something other than a go command: no puts.
    pub restored: u64,
    /// Their bytes.
    pub restored_bytes: u64,
}

/// What is in a cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stock {
    /// The files of actions, 175 bytes each.
    pub actions: Count,
    /// Outputs, in the order of [`OutputKind::ALL`].
    pub outputs: [Count; OutputKind::ALL.len()],
}

impl Stock {
    /// Files, of actions and of outputs.
    pub fn entries(&self) -> u64 {
        self.actions.entries + self.outputs.iter().map(|it| it.entries).sum::<u64>()
    }

    /// The sum of their lengths.
    pub fn bytes(&self) -> u64 {
        self.actions.bytes + self.outputs.iter().map(|it| it.bytes).sum::<u64>()
    }
}

/// A look at everything.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Inventory {
    /// By kind.
    pub stock: Stock,
    /// By the time since they were used last, as far as the go command notes it (modification time, to the hour).
    pub ages: Ages,
    /// Bytes more than at the look before; `None` at the first.
    pub growth_bytes: Option<i64>,
    /// Files and directories that could not be looked at.
    pub unreadable: u64,
    /// How long it took, most of it spent waiting.
    pub seconds: f64,
}

/// Entries that were removed within one burst.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Removal {
    /// Who did, as far as what is left tells.
    pub by: RemovedBy,
    /// The first.
    pub start: Timestamp,
    /// The last.
    pub end: Timestamp,
    /// Files, of actions and of outputs.
    pub entries: u64,
    /// The bytes of those whose length was known.
    pub bytes: u64,
    /// Those whose length was not known.
    pub unknown: u64,
}

/// Who removed entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemovedBy {
    /// The go command's own trim: `trim.txt` was written about then.
    GoTrim,
    /// `go clean -cache`, or who else removes the directories too.
    Clean,
    /// Single entries, by something that left `trim.txt` alone.
    Unknown,
}

/// Entries that something other than a go command brought, such as a CI step that unpacks an archive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Restore {
    /// The first.
    pub start: Timestamp,
    /// The last.
    pub end: Timestamp,
    /// Files of actions.
    pub actions: u64,
    /// Outputs.
    pub outputs: u64,
    /// The bytes of both.
    pub bytes: u64,
}

/// What a restore was worth, from its first entry until the next one began or the cache was quiet for long.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Worth {
    /// When it was over.
    pub restored_at: Option<Timestamp>,
    /// Actions that it brought.
    pub actions: u64,
    /// Bytes that it brought.
    pub bytes: u64,
    /// Those of the actions that were found since, each counted once.
    pub found: u64,
    /// Hits on what it brought.
    pub restored_hits: u64,
    /// All hits.
    pub hits: u64,
}

/// Starts to watch. Reports go to `observed`; while that is full they are put together, and when its receiver is gone
/// the collector ends.
///
/// # Errors
/// The operating system gives no thread.
pub fn start(settings: Settings, observed: mpsc::Sender<Observation>) -> io::Result<Running> {
    let inbox = Arc::new(queue::Inbox::default());
    let theirs = Arc::clone(&inbox);
    harness::spawn(&COLLECTOR, inbox, move |health| worker::Worker::new(settings, observed, theirs, health).run())
}
