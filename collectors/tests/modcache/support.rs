//! A cache that is watched, what the go command does to it, and what the collector has said so far.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use gobeacon_collectors::modcache::{self, Download, Event, Settings};
use gobeacon_collectors::{HealthReading, Observation, Places, Running};
use gobeacon_formats::Timestamp;
use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;
use tokio::sync::mpsc;

/// Far beyond what anything takes on a machine that is busy with other tests.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// The collector, and what it said.
pub(crate) struct Watching {
    running: Option<Running>,
    said: mpsc::Receiver<Observation>,
    pub(crate) events: Vec<Event>,
    /// What the caches hold, as it was told.
    pub(crate) counts: Vec<Event>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.stop(Duration::ZERO);
        }
    }
}

/// Settings that watch these folders.
pub(crate) fn settings(dirs: &[&Path]) -> Settings {
    let dirs = dirs.iter().map(|dir| dir.display().to_string()).collect();
    let places = Places { dirs, ..Places::default() };
    Settings { places, rescan_interval: Duration::from_millis(20), ..Settings::default() }
}

impl Watching {
    /// Starts it, and waits until it has looked at what is there.
    pub(crate) fn start(settings: Settings) -> Self {
        let (sender, said) = mpsc::channel(gobeacon_collectors::CHANNEL_OBSERVATIONS);
        let running = Some(modcache::start(settings, sender).unwrap());
        let mut watching = Self { running, said, events: Vec::new(), counts: Vec::new() };
        watching.wait("it works", |it| it.health().state.is_up());
        watching
    }

    pub(crate) fn health(&self) -> HealthReading {
        self.running.as_ref().unwrap().health().read()
    }

    /// The downloads that have ended.
    pub(crate) fn ended(&self) -> Vec<&Download> {
        fn of(event: &Event) -> Option<&Download> {
            match event {
                Event::Downloaded(download) => Some(download),
                Event::Stalled(_) | Event::StallOver(_) | Event::Counted(_) | Event::Gone => None,
            }
        }
        self.events.iter().filter_map(of).collect()
    }

    /// Waits until something holds.
    #[track_caller]
    pub(crate) fn wait(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        loop {
            self.receive();
            if holds(self) {
                return;
            }
            assert!(began.elapsed() < DEADLINE, "not in time: {what}; so far {:#?}", self.events);
            std::thread::park_timeout(Duration::from_millis(2));
        }
    }

    /// Waits until so many downloads have ended.
    #[track_caller]
    pub(crate) fn wait_ended(&mut self, count: usize) -> Vec<Download> {
        self.wait(&format!("{count} downloads end"), |it| it.ended().len() >= count);
        self.ended().into_iter().cloned().collect()
    }

    /// Ends it; all that it said.
    pub(crate) fn finish(mut self) -> Vec<Event> {
        let running = self.running.take().unwrap();
        running.stop(DEADLINE);
        while let Some(Observation::ModCache(report)) = self.said.blocking_recv() {
            self.take(report.events);
        }
        running.join();
        std::mem::take(&mut self.events)
    }

    /// Has a download of its own seen, in a folder of its own: what happened before was seen too.
    #[track_caller]
    pub(crate) fn marked(&mut self, cache: &Cache) {
        let version = format!("v0.0.{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        cache.download("example.com/mark", &version, 1);
        self.wait("the mark is seen", |it| it.ended().iter().any(|download| download.version == version));
        let is_mark = |event: &Event| matches!(event, Event::Downloaded(it) if it.version == version);
        self.events.retain(|event| !is_mark(event));
    }

    /// Counts apart from what happens to downloads.
    fn take(&mut self, events: Vec<Event>) {
        let is_count = |event: &Event| matches!(event, Event::Counted(_) | Event::Gone);
        let (counts, others): (Vec<_>, Vec<_>) = events.into_iter().partition(is_count);
        self.counts.extend(counts);
        self.events.extend(others);
    }

    fn receive(&mut self) {
        while let Ok(Observation::ModCache(report)) = self.said.try_recv() {
            self.take(report.events);
        }
    }
}

/// A module cache as the go command keeps it.
pub(crate) struct Cache(pub(crate) PathBuf);

/// A download under way.
pub(crate) struct Writing {
    versions: PathBuf,
    version: String,
    tmp: PathBuf,
    file: File,
    lock: File,
}

const HASH: &str = "h1:n7S6uFbtgpdgHYVTW3pD1HykMZ59L8BN4GOKVzVt1Iw=";

static NUMBER: AtomicU32 = AtomicU32::new(1);

impl Cache {
    pub(crate) fn new(dir: &TempDir, name: &str) -> Self {
        let path = dir.path().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// The `@v` folder of a module, as it is spelt there.
    pub(crate) fn versions(&self, module: &str) -> PathBuf {
        self.0.join("cache/download").join(module).join("@v")
    }

    /// Begins a download, as cmd/go/internal/modfetch.downloadZip does.
    pub(crate) fn begin(&self, module: &str, version: &str) -> Writing {
        let versions = self.versions(module);
        fs::create_dir_all(&versions).unwrap();
        let lock = File::options().create(true).append(true).open(versions.join(format!("{version}.lock"))).unwrap();
        flock(&lock, FlockOperation::LockExclusive).unwrap();
        let tmp = versions.join(format!("{version}.zip{}.tmp", NUMBER.fetch_add(1, Ordering::Relaxed)));
        let file = File::options().write(true).create_new(true).open(&tmp).unwrap();
        Writing { versions, version: version.to_owned(), tmp, file, lock }
    }

    /// A whole download of so many bytes.
    pub(crate) fn download(&self, module: &str, version: &str, bytes: usize) {
        let mut writing = self.begin(module, version);
        writing.write(bytes);
        writing.finish();
    }
}

impl Writing {
    pub(crate) fn write(&mut self, bytes: usize) {
        self.file.write_all(&vec![b'x'; bytes]).unwrap();
    }

    /// It is verified and gets its name.
    pub(crate) fn finish(self) {
        let Self { versions, version, tmp, file, lock } = self;
        drop(file);
        let hash = versions.join(format!("{version}.ziphash"));
        let modified = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
        fs::write(&hash, HASH).unwrap();
        // hashing takes a moment: longer than a tick of the clock of file systems
        while modified(&hash) <= modified(&tmp) {
            fs::write(&hash, HASH).unwrap();
        }
        fs::rename(tmp, versions.join(format!("{version}.zip"))).unwrap();
        drop(lock);
    }

    /// It fails or is rejected.
    pub(crate) fn give_up(self) {
        drop(self.file);
        fs::remove_file(&self.tmp).unwrap();
        drop(self.lock);
    }

    /// The go command is killed: the kernel closes its files, and that is all.
    pub(crate) fn kill(self) {}
}

pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap())
}
