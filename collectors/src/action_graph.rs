//! Graphs that go commands write for `-debug-actiongraph`, taken from folders.
//!
//! A go command writes its file twice, in place: as a plan before anything runs, and with times at the end; the next
//! command with the same flag overwrites it. So a file is read whenever somebody has written and closed it, and all are
//! looked at again from time to time in case that was not told. What was there before the agent is told as such, so
//! that it is compared with and not counted.
//!
//! It must not know what becomes of the graphs, and it never writes, locks or holds open a file.
//!
//! Invariant: a graph is told once, when it has its times; what the agent has no room for is counted.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gobeacon_formats::Timestamp;
use gobeacon_formats::action_graph::ActionGraph;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::harness::{self, Health, Problem, Running, State};
use crate::os::{Happened, Inotify, Kinds};
use crate::roots::{self, Wanted};
use crate::stopping::{Over, StopSignal};
use crate::{Collector, Observation, Places};

mod files;

use files::Files;

/// The row of this collector.
pub static COLLECTOR: Collector = Collector { name: "action_graph", reads: "files of -debug-actiongraph" };

/// Graphs that wait for room in the channel. When it is full the oldest is dropped and counted: a file that is
/// overwritten meanwhile would be lost otherwise.
const WAITING: usize = 64;
/// How often the signal to stop is looked at while the kernel tells nothing.
const PAUSE: Duration = Duration::from_millis(100);

/// Where to look, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Folders, with patterns.
    pub dirs: Vec<String>,
    /// How often all files are looked at, whatever the kernel tells.
    pub rescan: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { dirs: Vec::new(), rescan: Duration::from_secs(5) }
    }
}

/// One graph.
#[derive(Debug, Clone)]
pub struct Report {
    /// The file.
    pub path: PathBuf,
    /// When it was read.
    pub observed: Timestamp,
    /// What it says.
    pub graph: Arc<ActionGraph>,
    /// Which of the targets were there when the plan was read.
    pub targets: Vec<String>,
    /// It was there before the agent: it is no news.
    pub before: bool,
}

/// Starts the collector on a thread of its own.
///
/// # Errors
/// The system gives no thread.
pub fn start(settings: Settings, to: mpsc::Sender<Observation>) -> io::Result<Running> {
    let stop = Arc::new(StopSignal::default());
    let waiting = Arc::clone(&stop);
    harness::spawn(&COLLECTOR, stop, move |health| {
        let mut watcher = Watcher::new(settings, health);
        watcher.rescan(true);
        let mut scanned = Instant::now();
        loop {
            let is_told = waiting.told().is_some();
            if is_told || scanned.elapsed() >= watcher.settings.rescan {
                watcher.rescan(false);
                scanned = Instant::now();
            }
            if watcher.hand_on(&to).is_err() {
                return;
            }
            if is_told {
                watcher.waiting.drain(..).try_for_each(|it| waiting.send(&to, Observation::ActionGraph(it))).ok();
                return;
            }
            watcher.listen(&waiting);
        }
    })
}

struct Watcher<'a> {
    settings: Settings,
    health: &'a Health,
    /// `None` where there is none: files are found by looking.
    inotify: Option<Inotify>,
    files: Files,
    waiting: VecDeque<Report>,
}

impl<'a> Watcher<'a> {
    fn new(settings: Settings, health: &'a Health) -> Self {
        let inotify = Inotify::new().inspect_err(|error| {
            health.problem(Problem::of(error));
            tracing::warn!(%error, "graphs of actions are found by looking alone");
        });
        let (files, waiting) = (Files::default(), VecDeque::new());
        Self { settings, health, inotify: inotify.ok(), files, waiting }
    }

    /// Looks at all folders and their files.
    fn rescan(&mut self, first: bool) {
        let began = Instant::now();
        let places = Places { dirs: self.settings.dirs.clone(), ..Places::default() };
        let (mut dirs, mut is_watched) = (Vec::new(), self.inotify.is_some());
        // of what is named alone: no home has a folder of graphs
        for found in roots::find(Wanted::Telemetry, &places) {
            let Ok(root) = found else { continue };
            // asked again, the kernel keeps the watch it has
            let kinds = Kinds { written: true, moved: true, ..Kinds::default() };
            if let Some(Err(error)) = self.inotify.as_ref().map(|inotify| inotify.watch(&root.path, kinds)) {
                is_watched = false;
                self.health.problem(Problem::WatchFailed);
                tracing::debug!(path = %root.path.display(), %error, "a folder of graphs is not watched");
            }
            dirs.push(root.path.clone());
        }
        self.health.set_state(match (dirs.is_empty(), is_watched) {
            (true, _) => State::NotAvailable,
            (false, true) => State::Running,
            (false, false) => State::Polling,
        });
        self.files.scan(&dirs, first, self.health, &mut self.waiting);
        self.bound();
        self.health.set_pass(began.elapsed());
    }

    /// Waits a little, or until a file is written, and then looks at once.
    fn listen(&mut self, stop: &StopSignal) {
        let mut is_written = false;
        let mut overflows = 0;
        let heard = self.inotify.as_ref().map(|inotify| {
            inotify.read(PAUSE, |notice| match notice.happened {
                Happened::Written | Happened::MovedTo => is_written = true,
                Happened::Overflow => overflows += 1,
                Happened::Created
                | Happened::Modified
                | Happened::Read
                | Happened::MovedFrom
                | Happened::Deleted
                | Happened::Gone
                | Happened::Unwatched => {}
            })
        });
        self.health.overflowed(overflows);
        match heard {
            Some(Ok(())) => {}
            Some(Err(error)) => {
                self.health.problem(Problem::of(&error));
                self.inotify = None;
            }
            None => _ = stop.wait(PAUSE),
        }
        if is_written || overflows > 0 {
            let dirs = self.files.dirs();
            self.files.scan(&dirs, false, self.health, &mut self.waiting);
            self.bound();
        }
    }

    /// Hands on what there is room for.
    fn hand_on(&mut self, to: &mpsc::Sender<Observation>) -> Result<(), Over> {
        while let Some(report) = self.waiting.pop_front() {
            match to.try_send(Observation::ActionGraph(report)) {
                Ok(()) => {}
                Err(TrySendError::Full(Observation::ActionGraph(report))) => {
                    self.waiting.push_front(report);
                    break;
                }
                Err(TrySendError::Full(_)) => break,
                Err(TrySendError::Closed(_)) => return Err(Over),
            }
        }
        Ok(())
    }

    fn bound(&mut self) {
        while self.waiting.len() > WAITING {
            self.waiting.pop_front();
            self.health.overflowed(1);
        }
    }
}

#[cfg(test)]
mod tests;
