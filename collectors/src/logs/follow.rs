//! The loop of the reader's thread: hints, a few steps of the walk, a turn of reading, what is due by the clock.
//!
//! Files that were quiet and have something new are read first, one buffer each; what is left of them queues up
//! behind the others. So a line in one file does not wait for a burst in another one.
//!
//! Invariants: nothing here waits but on the inbox, and there only until the next thing is due; while the channel is
//! full nothing is read, yet hints are followed and new files opened; it ends when it is told to, by the time it is
//! told, or when nobody receives any more.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gobeacon_formats::Timestamp;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::Settings;
use super::bookmark::Known;
use super::file::File;
use super::files::Files;
use super::glob::Patterns;
use super::hints::Inbox;
use super::passes::Passes;
use super::read::Turn;
use super::resume;
use super::silence::Silence;
use super::succession::Succession;
use super::walk::Walk;
use super::watch::Watches;
use crate::Batch;
use crate::harness::{Health, Problem, State};
use crate::os::{self, Key};

/// How much of a file is read in one turn, in bytes: the time that one file can delay another.
const TURN_BYTES: usize = 256 << 10;

/// How many files that were quiet are read before a file with more to read has its turn.
const QUIET_FIRST: usize = 64;

/// How long to wait for room in the channel before hints are looked at again.
pub(crate) const FULL_WAIT: Duration = Duration::from_millis(1);

/// How many files are asked whether they can be closed to make room for another.
const MOST_ASKED: usize = 8;

/// Of so many problems it is remembered that they were told.
const MOST_TOLD: usize = 1024;

/// Everything that the reader's thread owns.
pub(crate) struct Follower<'a> {
    pub(crate) settings: Settings,
    pub(crate) patterns: Patterns,
    pub(crate) health: &'a Health,
    pub(crate) files: Files,
    /// Logs of an earlier life that were not found so far.
    pub(crate) known: HashMap<Key, Known>,
    /// The names that they had, until the first look at everything is over.
    pub(crate) known_names: HashMap<PathBuf, Key>,
    pub(crate) watches: Watches,
    pub(crate) passes: Passes,
    /// Directories that hints told of.
    pub(crate) hinted: Walk,
    /// When this agent started.
    pub(crate) started: Timestamp,
    /// Files that no glob finds any more.
    pub(crate) orphans: Vec<Key>,
    /// Those of them that the settings no longer want.
    pub(crate) dismissed: HashSet<Key>,
    /// Names of files of ours that no glob finds.
    pub(crate) trails: VecDeque<PathBuf>,
    /// Where symbolic links of ours lead, and the links.
    pub(crate) targets: HashMap<PathBuf, PathBuf>,
    /// Names that files of ours had until lately.
    pub(crate) heritage: HashMap<PathBuf, Key>,
    inbox: Arc<Inbox>,
    pub(crate) batches: mpsc::Sender<Batch>,
    /// What did not fit into the channel: at most what one turn makes.
    pub(crate) outbox: VecDeque<Batch>,
    /// Files that were quiet and have something new.
    pub(crate) quiet: VecDeque<Key>,
    /// Files that have more than one turn can take.
    pub(crate) busy: VecDeque<Key>,
    /// When silence has lasted long enough.
    pub(super) flushes: BTreeSet<(Instant, Key)>,
    /// When silence has lasted so long that a command is over.
    pub(super) rests: BTreeSet<(Instant, Key)>,
    pub(crate) orphans_due: Instant,
    most_open: usize,
    buffer: Vec<u8>,
    state: State,
    told: HashSet<(PathBuf, Problem)>,
    pub(crate) is_draining: bool,
}

impl<'a> Follower<'a> {
    pub(crate) fn new(
        mut settings: Settings,
        patterns: Patterns,
        inbox: Arc<Inbox>,
        batches: mpsc::Sender<Batch>,
        health: &'a Health,
    ) -> Self {
        let (known, ended) = resume::by_key(std::mem::take(&mut settings.known));
        let mut files = Files::default();
        ended.into_iter().for_each(|(key, position)| files.park(key, position));
        let now = Instant::now();
        let most_open = most_open(&settings);
        let watches = Watches::new(Arc::clone(&inbox), settings.watch);
        Self {
            settings,
            patterns,
            health,
            files,
            known_names: resume::names(&known),
            known,
            watches,
            passes: Passes::new(now),
            hinted: Walk::default(),
            started: crate::now(),
            orphans: Vec::new(),
            dismissed: HashSet::new(),
            trails: VecDeque::new(),
            targets: HashMap::new(),
            heritage: HashMap::new(),
            inbox,
            batches,
            outbox: VecDeque::new(),
            quiet: VecDeque::new(),
            busy: VecDeque::new(),
            flushes: BTreeSet::new(),
            rests: BTreeSet::new(),
            orphans_due: now,
            most_open,
            buffer: vec![0; TURN_BYTES],
            state: State::Starting,
            told: HashSet::new(),
            is_draining: false,
        }
    }

    pub(crate) fn set_most_open(&mut self) {
        self.most_open = most_open(&self.settings);
    }

    pub(crate) fn run(mut self) {
        loop {
            let mut told = self.inbox.take(self.wait_until());
            let stop_by = told.stop_by;
            if let Some((settings, patterns)) = told.change.take().map(|it| *it) {
                self.change(settings, patterns);
            }
            self.heed(told);
            if let Some(by) = stop_by {
                return self.drain(by);
            }
            if self.batches.is_closed() {
                tracing::info!("nobody receives what the logs say any more");
                return;
            }
            self.step();
        }
    }

    fn step(&mut self) {
        let now = Instant::now();
        if self.passes.next().is_some_and(|at| at <= now) {
            self.passes.begin(&self.patterns);
        }
        self.walk_on();
        self.look_after_orphans(now);
        if self.send() {
            self.read_on();
        }
        if self.outbox.is_empty() {
            self.after_silence(Silence::Flush, now);
        }
        if self.outbox.is_empty() {
            self.after_silence(Silence::Rest, now);
        }
        self.say_lag();
        self.health.set_files(self.files.len());
    }

    pub(crate) fn say_lag(&self) {
        let lag = self.files.lag();
        self.health.set_lag(lag.total(), lag.worst_bytes(), lag.worst_since().map(|it| it.elapsed()));
    }

    /// How long there is nothing to do; `None` when there is something.
    fn wait_until(&self) -> Option<Instant> {
        if !self.hinted.is_done() || self.passes.under_way.is_some() {
            return None;
        }
        let is_full = !self.outbox.is_empty();
        if !is_full && (!self.quiet.is_empty() || !self.busy.is_empty()) {
            return None;
        }
        let full = is_full.then(|| Instant::now() + FULL_WAIT);
        let flush = self.flushes.first().map(|(at, _)| *at).filter(|_| !is_full);
        let rest = self.rests.first().map(|(at, _)| *at).filter(|_| !is_full);
        let orphans = (!self.orphans.is_empty()).then_some(self.orphans_due);
        // a receiver that went away is noticed at the next pass at the latest
        let closed = Some(Instant::now() + self.settings.rescan_interval);
        [full, flush, rest, orphans, self.passes.next(), closed].into_iter().flatten().min()
    }

    /// Reads until the channel is full, or for about one turn of a busy file.
    pub(crate) fn read_on(&mut self) {
        for _ in 0..QUIET_FIRST {
            let Some(key) = self.quiet.pop_front() else { break };
            self.turn(key);
            if !self.send() {
                return;
            }
        }
        if let Some(key) = self.busy.pop_front() {
            self.turn(key);
            self.send();
        }
    }

    /// Reads a file once and queues it again if there is more.
    pub(crate) fn turn(&mut self, key: Key) {
        self.files.with(key, |file| file.queued = false);
        if !self.open(key) {
            return;
        }
        let succession = self.succession(key);
        if succession == Succession::Waits {
            return;
        }
        let (buffer, draining) = (&mut self.buffer, self.is_draining);
        let turn = match self.files.with(key, |file| file.read(buffer, draining)) {
            None => return,
            Some(Ok(turn)) => turn,
            Some(Err(error)) => {
                let path = self.files.get(key).map(|it| it.path().to_owned());
                self.complain(path.as_deref(), Problem::of(&error));
                return self.files.close(key);
            }
        };
        let Turn { batches, more, truncated, lost, is_compressed } = turn;
        if truncated {
            self.health.truncated();
        }
        self.health.lost(lost);
        if is_compressed {
            self.compressed(key);
        }
        self.outbox.extend(batches);
        self.succeeded(succession);
        if more {
            self.enqueue(key, false);
        }
        self.flush_later(key);
    }

    /// A glob finds an archive: what is in it was read when it was a log.
    fn compressed(&mut self, key: Key) {
        self.health.compressed();
        let path = self.files.get(key).map(|it| it.path().display().to_string());
        tracing::info!(path, "a compressed file is not read: what is in it was a log before");
        self.files.close(key);
    }

    /// Queues a file for a turn; `quiet` ones come before those with more than one turn can take.
    pub(crate) fn enqueue(&mut self, key: Key, quiet: bool) {
        if self.files.with(key, |file| std::mem::replace(&mut file.queued, true)) == Some(false) {
            if quiet { &mut self.quiet } else { &mut self.busy }.push_back(key);
        }
    }

    /// Opens a file, closing another one if there are too many. Says whether it is open.
    pub(crate) fn open(&mut self, key: Key) -> bool {
        match self.files.get(key) {
            None => return false,
            Some(file) if file.handle.is_some() => return true,
            Some(_) => {}
        }
        if self.files.open_handles() >= self.most_open && !self.make_room() {
            // all others are being read: it waits for one of them, and its turn comes again
            self.enqueue(key, false);
            return false;
        }
        let Err(error) = self.files.open(key) else { return true };
        let problem = Problem::of(&error);
        if problem == Problem::TooManyOpenFiles && self.make_room() && self.files.open(key).is_ok() {
            return true;
        }
        let path = self.files.get(key).map(|it| it.path().to_owned());
        self.complain(path.as_deref(), problem);
        false
    }

    fn make_room(&mut self) -> bool {
        for _ in 0..MOST_ASKED {
            let Some(key) = self.files.idlest() else { return false };
            if self.files.get(key).is_none_or(|it| it.orphaned.is_none()) {
                self.files.close(key);
                return true;
            }
            // it could not be found again: perhaps it was written to since
            if self.files.with(key, File::look_again) != Some(true) {
                self.end(key);
                return true;
            }
            self.enqueue(key, true);
        }
        false
    }

    /// Hands batches to the channel. Says whether all went.
    pub(crate) fn send(&mut self) -> bool {
        while let Some(batch) = self.outbox.pop_front() {
            match self.batches.try_send(batch) {
                Ok(()) => {}
                Err(TrySendError::Full(batch)) => {
                    self.outbox.push_front(batch);
                    return false;
                }
                Err(TrySendError::Closed(_)) => {}
            }
        }
        true
    }

    pub(crate) fn set_state(&mut self, state: State) {
        if self.is_draining || self.state == state {
            return;
        }
        match state {
            State::Polling => {
                tracing::warn!("not all directories are watched: changes are found by looking again and again")
            }
            State::Running => tracing::info!(files = self.files.len(), "logs are followed"),
            State::Starting | State::SwitchedOff | State::NotAvailable | State::Stopped | State::Crashed => {}
        }
        self.state = state;
        self.health.set_state(state);
    }

    /// Counts a problem, and tells it once for each path.
    pub(crate) fn complain(&mut self, path: Option<&Path>, problem: Problem) {
        self.health.problem(problem);
        let about = (path.unwrap_or(Path::new("")).to_owned(), problem);
        if self.told.len() < MOST_TOLD && self.told.insert(about) {
            let path = path.map(|it| it.display().to_string());
            tracing::warn!(path, problem = problem.name(), "a log or its directory cannot be followed for now");
        }
    }
}

fn most_open(settings: &Settings) -> usize {
    // the other half is for everything else in this process
    let half = os::most_open_files().map_or(usize::MAX, |it| usize::try_from(it / 2).unwrap_or(usize::MAX));
    settings.max_open_files.min(half).max(1)
}
