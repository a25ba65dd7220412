//! Log files, followed: what every line of them says goes out as events, once, whatever is done to the files.
//!
//! One thread owns everything: it finds files (`walk`, `discover`), reads them in turns (`file`, `follow`) and parses
//! in place. Hints of the file system (`watch`, `hints`) tell it where to look at once; a rescan that never stops is
//! the truth. It must not know what becomes of its batches.
//!
//! Invariants: a file is what device, inode and birth time say, not its name, and is read once under however many
//! names; a full channel stops the reading and nothing else: files that appear or are renamed meanwhile are still
//! opened; no error of a file stops the thread.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gobeacon_formats::Timestamp;
use tokio::sync::mpsc;

use crate::harness::{self, Collector, Running};
use crate::{Batch, Source, os};
use crate::{logs::follow::Follower, logs::glob::Patterns, logs::hints::Inbox};

mod blank;
mod bookmark;
mod change;
mod discover;
mod ending;
mod file;
mod files;
mod follow;
mod glob;
mod hints;
mod lag;
mod passes;
mod read;
mod replay;
mod resume;
mod seen;
mod silence;
mod succession;
mod unpack;
mod walk;
mod watch;

pub use bookmark::{Bookmark, Cause, Fingerprint, Known, Replay, Step};

/// The row of this collector.
pub static COLLECTOR: Collector = Collector { name: "logs", reads: "log files given by globs" };

/// What to follow, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Globs of the files to follow; relative ones start at the working directory. `*` and `?` stay within one name,
    /// `**` as a whole name spans directories (it does not enter symbolic links), `[a-z]` and `{a,b}` work within a
    /// name.
    pub include: Vec<String>,
    /// Globs of files and directories to leave out; one without a slash is compared with every name on the way.
    /// By default what log rotation compresses, which was read before it was compressed.
    pub exclude: Vec<String>,
    /// Whether directories are watched, so that the file system tells at once what changed. Default true. Without, all
    /// is found by looking again, ten times as often and at most one part in twenty of the time: for file systems that tell
    /// nothing, such as those of a network.
    pub watch: bool,
    /// How often everything is looked at again, at the least. Default 500 ms: that is how late a change is noticed
    /// where the file system gives no hints, and it costs well under 0.1 % of a core for a hundred files. Where a look
    /// takes long it happens less often: at most one part in a thousand of the time goes into looking. While hints
    /// are known to be missing it is ten times as often, and at most one part in twenty.
    pub rescan_interval: Duration,
    /// How long a file must be silent before lines that might have been continued are taken as complete. Default
    /// 150 ms.
    pub flush_after: Duration,
    /// How long a file must be silent before its command is taken to be over, and tests and packages that are open are
    /// given out. Default 285 s.
    pub rest_after: Duration,
    /// How long a file that was deleted, or renamed to where no glob finds it, is read on through its open handle
    /// after its last line. Default 10 s: a writer gets that long to notice a rotation, and a deleted file is kept on
    /// disk by us no longer.
    pub linger: Duration,
    /// How many files are held open, at most, and never more than half of what the process may have. Beyond it the one
    /// that was not used for longest is closed, and opened again when it changes. Default 512: half of the usual limit.
    pub max_open_files: usize,
    /// Logs that an earlier life has read, and how far.
    pub known: Vec<Known>,
    /// Whether a later life will know how far this one has read: then what is open at the end stays open, for that life
    /// to read again. Default false: all but a line that is being written is given out.
    pub leaves_open: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            include: Vec::new(),
            exclude: ["*.gz", "*.zst", "*.xz", "*.bz2"].map(str::to_owned).to_vec(),
            watch: true,
            rescan_interval: Duration::from_millis(500),
            flush_after: Duration::from_millis(150),
            rest_after: Duration::from_secs(285),
            linger: Duration::from_secs(10),
            max_open_files: 512,
            known: Vec::new(),
            leaves_open: false,
        }
    }
}

/// Why logs cannot be followed at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A glob of `include` or `exclude` cannot be understood.
    #[error("the glob {glob:?} cannot be used: {why}")]
    Glob {
        /// As it was given.
        glob: String,
        /// What is wrong with it.
        why: String,
    },
    /// The operating system gives no thread.
    #[error("no thread can be started to read logs")]
    Thread(#[source] io::Error),
}

/// Checks globs without following anything, so that a configuration can be judged.
///
/// # Errors
/// [`Error::Glob`] for the first glob that cannot be understood.
pub fn check(settings: &Settings) -> Result<(), Error> {
    Patterns::new(&settings.include, &settings.exclude).map(drop)
}

/// What an open log is, as this collector says it of one that it follows from its start, and when it was last
/// written: so that a replay of the file makes the ids that the agent makes.
///
/// # Errors
/// What the operating system says when it is asked about the file.
pub fn identify(path: &Path, file: &File) -> io::Result<(Source, Timestamp)> {
    let stat = os::stat_open(file)?;
    Ok((Source { id: file::id(stat.key, 0), path: path.to_owned() }, stat.modified))
}

/// Gives other settings to a collector that runs.
#[derive(Debug, Clone)]
pub struct Changes(Arc<Inbox>);

impl Changes {
    /// From now on it follows as `settings` says. A file that stays within the globs is read on where it stands; one
    /// that no glob finds any more is read to its end and ends; one that is found only now begins. `known`
    /// counts for nothing, and `watch` and `leaves_open` stay as they were. Does not wait.
    ///
    /// # Errors
    /// [`Error::Glob`] for a glob that cannot be understood: nothing has changed then.
    pub fn change(&self, settings: Settings) -> Result<(), Error> {
        let patterns = Patterns::new(&settings.include, &settings.exclude)?;
        self.0.change(settings, patterns);
        Ok(())
    }
}

/// Starts to follow. Batches go to `batches`; when that is full reading waits, and when its receiver is gone the
/// collector ends.
///
/// # Errors
/// [`Error::Glob`] for a glob that cannot be understood, [`Error::Thread`] when there is no thread to be had.
pub fn start(settings: Settings, batches: mpsc::Sender<Batch>) -> Result<Running, Error> {
    start_changeable(settings, batches).map(|(running, _)| running)
}

/// Starts to follow, with a handle to change the settings later.
///
/// # Errors
/// As [`start`].
pub fn start_changeable(settings: Settings, batches: mpsc::Sender<Batch>) -> Result<(Running, Changes), Error> {
    let patterns = Patterns::new(&settings.include, &settings.exclude)?;
    let inbox = Arc::new(Inbox::default());
    let (theirs, changes) = (Arc::clone(&inbox), Changes(Arc::clone(&inbox)));
    harness::spawn(&COLLECTOR, inbox, move |health| Follower::new(settings, patterns, theirs, batches, health).run())
        .map(|running| (running, changes))
        .map_err(Error::Thread)
}
