//! Whether what module caches hold is what it should be.
//!
//! The go command verifies a zip once, when it downloads it; from then on it believes the `.ziphash` beside it. Here
//! each zip and go.mod is read again, and its hash compared with all that say what it should be: the `.ziphash`, the
//! record of the checksum database, every go.sum that is named, and the same version in every other cache. Whatever
//! says a hash is a [`Witness`]; a version whose witnesses do not agree is a [`Conflict`], and what cannot be what it
//! claims to be at all is [`Corrupt`].
//!
//! It must not know who put it there, nor what a log says of it. `gobeacon cache verify` uses the same parts.
//!
//! Invariants: a file is told as wrong only after it was read again and was wrong still; no file is held open for
//! longer than one read of it takes; nothing is read faster than the budget allows.

mod all;
mod check;
mod entries;
mod ledger;
mod pace;
mod records;
mod scan;
mod sumdb;
mod trees;
mod verdict;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gobeacon_formats::h1::H1;
use gobeacon_formats::sumdb::Key;
use gobeacon_formats::{Artifact, Timestamp};
use tokio::sync::mpsc;

pub use all::{Found, Tally, verify};
pub use entries::Cache;
pub use records::GoSums;
pub use sumdb::known_keys;

use crate::harness::{self, Running};
use crate::stopping::StopSignal;
use crate::{Collector, Observation, Places};

/// The row of this collector.
pub static COLLECTOR: Collector = Collector { name: "integrity", reads: "hashes of cached modules" };

/// What to verify, and how gently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Which module caches.
    pub places: Places,
    /// Patterns of go.sum and go.work.sum files.
    pub go_sums: Vec<String>,
    /// Keys of checksum databases, besides those that the go command knows.
    pub keys: Vec<Key>,
    /// Whether extracted trees are read too.
    pub extracted: bool,
    /// Most bytes that are read in a second.
    pub bytes_per_second: u64,
    /// After which time a file is read again though nothing says that it changed.
    pub scan_interval: Duration,
    /// How often caches are looked over for what is new, at the least.
    pub look_interval: Duration,
    /// How long what seems wrong is left alone before it is read again.
    pub confirm_after: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            places: Places::default(),
            go_sums: Vec::new(),
            keys: Vec::new(),
            extracted: true,
            bytes_per_second: 8_000_000,
            scan_interval: Duration::from_secs(24 * 3600),
            look_interval: Duration::from_secs(2),
            confirm_after: Duration::from_secs(1),
        }
    }
}

/// What was found.
#[derive(Debug, Clone)]
pub struct Report {
    /// When it was seen.
    pub observed: Timestamp,
    /// Module versions whose hashes are known to disagree now.
    pub conflicts: u64,
    /// In order.
    pub events: Vec<Event>,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// So many module versions were read, and agree with all that is known of them.
    Verified(u64),
    /// Hashes of a module version disagree. Told again when they change.
    Conflict(Box<Conflict>),
    /// Something cannot be what it claims to be. Told again when that changes.
    Corrupt(Box<Corrupt>),
    /// A module version of which a conflict or corruption was told is as it should be, or gone.
    Resolved {
        /// Module path.
        module: String,
        /// Module version.
        version: String,
    },
}

/// Who says which hash a module version has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// The zip of a cache, read.
    Zip,
    /// The go.mod of a cache, read.
    GoMod,
    /// The `.ziphash` beside the zip.
    ZipHash,
    /// A record of a checksum database, as the cache has it.
    Sumdb,
    /// A line of a go.sum.
    GoSum,
}

impl Source {
    /// The word for it in attributes and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zip => "zip",
            Self::GoMod => "go_mod",
            Self::ZipHash => "ziphash",
            Self::Sumdb => "sumdb",
            Self::GoSum => "go_sum",
        }
    }
}

/// One who says a hash.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Witness {
    /// Who.
    pub source: Source,
    /// The file that says it.
    pub place: PathBuf,
    /// When that file was written last.
    pub written: Timestamp,
    /// When it was seen first to say so.
    pub first_seen: Timestamp,
}

/// A hash and all who say it.
#[derive(Debug, Clone, PartialEq)]
pub struct Side {
    /// The hash.
    pub sum: H1,
    /// In the order of their kinds and places.
    pub witnesses: Vec<Witness>,
}

/// Hashes of one module version that should be one.
#[derive(Debug, Clone, PartialEq)]
pub struct Conflict {
    /// Module path.
    pub module: String,
    /// Module version.
    pub version: String,
    /// What the hashes are of.
    pub artifact: Artifact,
    /// At least two; the one with most witnesses first.
    pub sides: Vec<Side>,
}

/// What is corrupt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// The zip is none that Go could read.
    Zip,
    /// The `.ziphash` has no hash.
    ZipHash,
    /// The record of the checksum database, its head or the tiles that lead there are not what was signed.
    Sumdb,
    /// The extracted tree is not what is in the zip.
    Tree,
}

impl Part {
    /// The word for it in attributes and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zip => "zip",
            Self::ZipHash => "ziphash",
            Self::Sumdb => "sumdb_record",
            Self::Tree => "extracted_tree",
        }
    }
}

/// Something that cannot be what it claims to be.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Corrupt {
    /// Module path.
    pub module: String,
    /// Module version.
    pub version: String,
    /// What of it.
    pub part: Part,
    /// Where it is.
    pub place: PathBuf,
    /// Why, as a sentence goes on after the name of the part.
    pub detail: String,
    /// The hash that it has, where it has one.
    pub found: Option<H1>,
    /// The hash that it should have, where that is known.
    pub expected: Option<H1>,
}

/// Starts the collector.
///
/// # Errors
/// The operating system gives no thread.
pub fn start(settings: Settings, to: mpsc::Sender<Observation>) -> io::Result<Running> {
    let stop = Arc::new(StopSignal::default());
    let signal = Arc::clone(&stop);
    harness::spawn(&COLLECTOR, stop, move |health| scan::run(settings, &signal, &to, health))
}
