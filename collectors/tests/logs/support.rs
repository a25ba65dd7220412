//! A collector that follows a directory of its own, and what it has said so far.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use gobeacon_collectors::logs::{self, Changes, Settings};
use gobeacon_collectors::{Batch, Bookmark, CHANNEL_BATCHES, Health, HealthReading, Replay, Running};
use gobeacon_formats::EventKind;
use tempfile::TempDir;

/// Far beyond what anything takes on a machine that is busy with other tests.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// One incarnation of one log, as the batches told it.
#[derive(Debug, Default, Clone)]
pub(crate) struct Log {
    pub(crate) path: PathBuf,
    pub(crate) lines: u64,
    pub(crate) bytes: u64,
    pub(crate) read_to: u64,
    pub(crate) open_from: u64,
    pub(crate) ended: bool,
    /// The numbers of the lines made by [`line`].
    pub(crate) numbers: Vec<u64>,
    /// How many results of tests were given out.
    pub(crate) tests: usize,
}

pub(crate) struct Followed {
    pub(crate) dir: TempDir,
    pub(crate) running: Option<Running>,
    health: Arc<Health>,
    pub(crate) changes: Changes,
    pub(crate) logs: HashMap<[u8; 16], Log>,
    /// The last place of each log.
    pub(crate) marks: HashMap<PathBuf, Bookmark>,
    /// What an earlier life had told.
    pub(crate) replayed: Vec<Batch>,
    batches: Receiver<Batch>,
}

impl Drop for Followed {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.stop(Duration::ZERO);
        }
    }
}

/// Waits until the condition holds.
pub(crate) fn wait(holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < DEADLINE, "never came");
        std::thread::yield_now();
    }
}

/// A log line that becomes an event with this number.
pub(crate) fn line(number: u64) -> String {
    format!("go: downloading example.com/m{number} v1.0.{number}\n")
}

pub(crate) fn lines(numbers: impl IntoIterator<Item = u64>) -> String {
    numbers.into_iter().map(line).collect()
}

/// Settings that follow `*.log` in the directory and below it.
pub(crate) fn settings(dir: &Path) -> Settings {
    Settings { include: vec![format!("{}/**/*.log", dir.display())], ..Settings::default() }
}

impl Followed {
    /// An empty directory, followed.
    pub(crate) fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), |_| {})
    }

    pub(crate) fn start_in(dir: TempDir, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = settings(dir.path());
        change(&mut settings);
        let (sender, mut receiver) = tokio::sync::mpsc::channel(CHANNEL_BATCHES);
        let (running, changes) = logs::start_changeable(settings, sender).unwrap();
        let (forward, batches) = channel();
        std::thread::spawn(move || {
            while let Some(batch) = receiver.blocking_recv() {
                if forward.send(batch).is_err() {
                    return;
                }
            }
        });
        let health = running.health();
        let mut followed = Self {
            dir,
            running: Some(running),
            health,
            changes,
            logs: HashMap::new(),
            marks: HashMap::new(),
            replayed: Vec::new(),
            batches,
        };
        followed.until("the first look at everything", |it| it.health().state.is_up());
        followed
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn append(&self, name: &str, text: &str) {
        self.open(name).write_all(text.as_bytes()).unwrap();
    }

    pub(crate) fn open(&self, name: &str) -> File {
        OpenOptions::new().create(true).append(true).open(self.path(name)).unwrap()
    }

    pub(crate) fn rename(&self, from: &str, to: &str) {
        std::fs::rename(self.path(from), self.path(to)).unwrap();
    }

    pub(crate) fn health(&self) -> HealthReading {
        self.health.read()
    }

    /// Waits until the condition holds, and says how long that took.
    pub(crate) fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) -> Duration {
        let began = Instant::now();
        while !holds(self) {
            assert!(began.elapsed() < DEADLINE, "never came: {what}; so far {:#?} {:?}", self.summary(), self.health());
            match self.batches.recv_timeout(Duration::from_millis(20)) {
                Ok(batch) => self.take(batch),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => assert!(holds(self), "the collector ended before: {what}"),
            }
        }
        began.elapsed()
    }

    /// Waits for exactly these numbers, over all logs, each once.
    pub(crate) fn until_numbers(&mut self, wanted: impl IntoIterator<Item = u64>) -> Duration {
        let mut wanted: Vec<_> = wanted.into_iter().collect();
        wanted.sort_unstable();
        let took = self.until("all lines", |it| it.numbers().len() >= wanted.len());
        assert_eq!(self.numbers(), wanted, "each line exactly once");
        took
    }

    /// Stops the collector and takes all that it still says.
    pub(crate) fn stop(&mut self) {
        let running = self.running.take().unwrap();
        running.stop(DEADLINE);
        while let Ok(batch) = self.batches.recv_timeout(DEADLINE) {
            self.take(batch);
        }
        running.join();
    }

    /// All numbers of all logs, sorted.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        let mut all: Vec<_> = self.logs.values().flat_map(|it| &it.numbers).copied().collect();
        all.sort_unstable();
        all
    }

    pub(crate) fn lines(&self) -> u64 {
        self.logs.values().map(|it| it.lines).sum()
    }

    /// The one log that was found first under this name.
    pub(crate) fn log(&self, name: &str) -> &Log {
        let path = self.path(name);
        let mut found = self.logs.values().filter(|it| it.path == path);
        let log = found.next().unwrap();
        assert!(found.next().is_none(), "more than one log was found first at {name}");
        log
    }

    fn take(&mut self, batch: Batch) {
        if batch.replay != Replay::No {
            return self.replayed.push(batch);
        }
        if let Some(bookmark) = &batch.bookmark {
            self.marks.insert(batch.source.path.clone(), bookmark.clone());
        }
        let log = self.logs.entry(batch.source.id).or_default();
        assert!(!log.ended, "a batch after the end of {:?}", batch.source);
        if log.bytes > 0 {
            assert_eq!(log.read_to + batch.bytes, batch.read_to, "bytes were skipped or read twice: {batch:?}");
        }
        assert!(batch.open_from <= batch.read_to);
        log.path.clone_from(&batch.source.path);
        log.lines += batch.lines.lines;
        log.bytes += batch.bytes;
        log.read_to = batch.read_to;
        log.open_from = batch.open_from;
        log.ended = batch.ended;
        for event in batch.events {
            log.tests += usize::from(matches!(event.kind, EventKind::TestCase { .. }));
            if let EventKind::ModuleDownload { version, .. } = event.kind {
                log.numbers.push(version.rsplit('.').next().unwrap().parse().unwrap());
            }
        }
    }

    fn summary(&self) -> Vec<(PathBuf, u64, usize)> {
        let mut all: Vec<_> = self.logs.values().map(|it| (it.path.clone(), it.lines, it.numbers.len())).collect();
        all.sort();
        all.truncate(20);
        all
    }
}
