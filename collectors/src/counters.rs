//! Go's own counters: what the go command and its tools counted, in files that they map into their memory.
//!
//! Writing into mapped memory raises no event of inotify, and its time stamp need not move, so all files are read
//! again and again: they are few and small. A file is one program of one version in one week, so a number on the page
//! is a sum of many; what is told is by how much they grew.
//!
//! It must not know which build counted, and it never maps, locks or holds open what it reads.
//!
//! Invariant: what was counted before the first look is not told as new; nothing is told twice or taken back; a counter
//! that cannot be read is said to be not available, never to be 0.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gobeacon_formats::Timestamp;
use tokio::sync::mpsc;

use crate::harness::{self, Health, Problem, Running, State};
use crate::now;
use crate::roots::{self, Wanted};
use crate::stopping::StopSignal;
use crate::{Collector, Observation, Places, Root};

mod file;
mod folder;

use file::COARSE_SECONDS;
use folder::Folder;

/// The row of this collector.
pub static COLLECTOR: Collector = Collector { name: "counters", reads: "Go's telemetry counters (*.v1.count)" };

/// How long a look may take, as a part of the time between looks.
const SHARE: u32 = 50;

/// What to read, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Which folders: `go env GOTELEMETRYDIR`.
    pub places: Places,
    /// How often the counters are read; less often where reading them takes long.
    pub interval: Duration,
    /// How often folders are looked for.
    pub rediscover: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { places: Places::default(), interval: Duration::from_secs(1), rediscover: Duration::from_secs(10) }
    }
}

/// What a folder of counters is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FolderState {
    /// Go commands count in it.
    Counting,
    /// `go telemetry off` was said.
    Off,
    /// No go command has counted in it: Go before 1.23, or none at all.
    Empty,
    /// It may not be read, or is gone.
    Unreadable,
}

impl FolderState {
    /// All states.
    pub const ALL: [Self; 4] = [Self::Counting, Self::Off, Self::Empty, Self::Unreadable];

    /// The value of the `state` label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counting => "counting",
            Self::Off => "off",
            Self::Empty => "empty",
            Self::Unreadable => "unreadable",
        }
    }
}

/// What one look at all folders gave. Told when something changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// When they were read.
    pub observed: Timestamp,
    /// How many folders are in each state, in the order of [`FolderState::ALL`].
    pub folders: [usize; FolderState::ALL.len()],
    /// By how much each counter grew, where it did, by its name; those alone that
    /// [`meaning`](gobeacon_formats::counters::meaning) knows.
    pub grown: BTreeMap<String, u64>,
}

impl Report {
    /// Whether any folder has counters: without, no number means anything.
    pub fn is_counting(&self) -> bool {
        let [counting, ..] = self.folders;
        counting > 0
    }
}

/// Starts the collector on a thread of its own.
///
/// # Errors
/// The system gives no thread.
pub fn start(settings: Settings, to: mpsc::Sender<Observation>) -> io::Result<Running> {
    let stop = Arc::new(StopSignal::default());
    let waiting = Arc::clone(&stop);
    harness::spawn(&COLLECTOR, stop, move |health| {
        let mut reader = Reader::new(settings.places, health);
        reader.discover();
        let mut discovered = Instant::now();
        loop {
            let began = Instant::now();
            if began.duration_since(discovered) >= settings.rediscover {
                reader.discover();
                discovered = began;
            }
            if let Some(report) = reader.look()
                && waiting.send(&to, Observation::Counters(report)).is_err()
            {
                return;
            }
            let took = began.elapsed();
            health.set_pass(took);
            if waiting.wait(settings.interval.max(took * SHARE)) {
                // what was counted since the last look
                if let Some(report) = reader.look() {
                    let _ = waiting.send(&to, Observation::Counters(report));
                }
                return;
            }
        }
    })
}

/// All folders and what was read of them last.
struct Reader<'a> {
    places: Places,
    health: &'a Health,
    folders: BTreeMap<[u8; 16], Folder>,
    /// Named folders that cannot be used, so that each is said once.
    unusable: BTreeMap<PathBuf, io::ErrorKind>,
    /// When folders were looked for last: what came since is new.
    discovered: Timestamp,
    /// What was told last.
    told: Option<[usize; FolderState::ALL.len()]>,
}

impl<'a> Reader<'a> {
    fn new(places: Places, health: &'a Health) -> Self {
        let (folders, unusable) = (BTreeMap::new(), BTreeMap::new());
        // what is there now was there before us, however coarse its time stamps are
        let discovered = now().plus_seconds(2.0 * COARSE_SECONDS);
        Self { places, health, folders, unusable, discovered, told: None }
    }

    fn discover(&mut self) {
        let began = now();
        let (mut gone, mut unusable) = (std::mem::take(&mut self.folders), BTreeMap::new());
        for found in roots::find(Wanted::Telemetry, &self.places) {
            match found {
                Ok(root) => {
                    let folder = gone.remove(&root.id).unwrap_or_else(|| self.found(&root));
                    self.folders.insert(root.id, folder);
                }
                Err((path, error)) => {
                    if self.unusable.get(&path) != Some(&error.kind()) {
                        self.health.problem(Problem::of(&error));
                        tracing::warn!(path = %path.display(), %error, "a folder of Go's counters cannot be used yet");
                    }
                    unusable.insert(path, error.kind());
                }
            }
        }
        self.unusable = unusable;
        self.discovered = began;
    }

    fn found(&self, root: &Arc<Root>) -> Folder {
        tracing::info!(path = %root.path.display(), "reading Go's counters");
        Folder::new(root.path.clone(), self.discovered)
    }

    /// Reads everything once; `None` when there is nothing to tell.
    fn look(&mut self) -> Option<Report> {
        let observed = now();
        let mut grown = BTreeMap::new();
        let mut folders = [0; FolderState::ALL.len()];
        for folder in self.folders.values_mut() {
            let state = folder.look(observed, self.health, &mut grown);
            if let Some(count) = folders.get_mut(state as usize) {
                *count += 1;
            }
        }
        if let Some(count) = folders.get_mut(FolderState::Unreadable as usize) {
            *count += self.unusable.len();
        }
        let changed = self.told.replace(folders) != Some(folders);
        if changed {
            self.say(folders);
        }
        (changed || !grown.is_empty()).then_some(Report { observed, folders, grown })
    }

    /// The state of the collector is that of its best folder.
    fn say(&self, folders: [usize; FolderState::ALL.len()]) {
        let [counting, off, empty, unreadable] = folders;
        let state = match (counting, off) {
            (0, 0) => State::NotAvailable,
            (0, _) => State::SwitchedOff,
            _ => State::Running,
        };
        self.health.set_state(state);
        match state {
            State::NotAvailable => tracing::info!(
                empty,
                unreadable,
                "Go's counters are not available: no go command of Go 1.23 or newer has counted where we look"
            ),
            State::SwitchedOff => {
                tracing::info!(off, "Go's counters are not available: they are switched off with `go telemetry off`");
            }
            State::Starting | State::Running | State::Polling | State::Stopped | State::Crashed => {
                tracing::info!(counting, off, empty, unreadable, "Go's counters are available");
            }
        }
    }
}

#[cfg(test)]
mod tests;
