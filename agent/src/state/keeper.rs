//! The thread that writes the journal, and what it finds there at the start.
//!
//! Invariant: it never keeps the agent from starting or from going on: what cannot be read is set aside, what cannot
//! be written is tried again with the next record; both are counted, and said once.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};

use tokio::sync::oneshot;

use super::entry::{Log, Record, Remembered};
use super::journal::{self, Journal, Unusable};
use super::ledger::Ledger;
use crate::builds::Builds;
use crate::folder;
use crate::metrics::Series;

/// What a record must outlive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Safety {
    /// The end of this process: it is in the hands of the kernel.
    Kill,
    /// The end of the machine: it is on the disk.
    PowerLoss,
}

/// The handle of the thread.
#[derive(Debug)]
pub(crate) struct Keeper {
    jobs: Sender<Job>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    errors: AtomicU64,
    bytes: AtomicU64,
    failing: AtomicBool,
}

#[derive(Debug)]
struct Job {
    record: Record,
    safety: Safety,
    done: oneshot::Sender<bool>,
}

impl Keeper {
    /// Reads what an earlier life left in this folder, and starts the thread.
    ///
    /// # Errors
    /// The folder cannot be made or locked, or there is no thread to be had.
    pub(crate) fn open(dir: &Path) -> io::Result<(Self, Remembered)> {
        let lock = folder::locked(dir, "journal.lock")?.ok_or_else(|| io::Error::other("another process uses it"))?;
        let counts = Arc::new(Counts::default());
        let boot = boot_id();
        let (journal, found) = Journal::open(dir);
        let remembered = match found {
            Ok(bytes) => read(&bytes, boot.as_deref(), &counts),
            Err(why) => {
                counts.errors.fetch_add(1, Relaxed);
                unusable(&journal, &why);
                Remembered::default()
            }
        };
        let all = Remembered { logs: remembered.logs.clone(), counted: remembered.counted.clone() };
        let (jobs, to_do) = channel();
        let mut writer = Writer { journal, all, boot, counts: Arc::clone(&counts) };
        std::thread::Builder::new().name("state".to_owned()).spawn(move || {
            writer.run(&to_do);
            // the next life may begin
            drop(lock);
        })?;
        Ok((Self { jobs, counts }, remembered))
    }

    /// Has written what the ledger has and no record does. The answer says whether it is safe.
    pub(crate) fn write(
        &self,
        ledger: &mut Ledger,
        builds: &Builds,
        counted: Vec<Series>,
    ) -> impl FnOnce(Safety) -> oneshot::Receiver<bool> + Send + use<> {
        let record = ledger.record(builds, counted);
        let jobs = self.jobs.clone();
        move |safety| {
            let (done, answer) = oneshot::channel();
            // a thread that is gone answers nothing, which its receiver is told
            let _ = jobs.send(Job { record, safety, done });
            answer
        }
    }

    /// Files that could not be read, and writes that failed.
    pub(crate) fn errors(&self) -> u64 {
        self.counts.errors.load(Relaxed)
    }

    /// Bytes of the journal.
    pub(crate) fn bytes(&self) -> u64 {
        self.counts.bytes.load(Relaxed)
    }

    /// The last write failed.
    pub(crate) fn is_failing(&self) -> bool {
        self.counts.failing.load(Relaxed)
    }
}

struct Writer {
    journal: Journal,
    /// All that the records say together.
    all: Remembered,
    boot: Option<String>,
    counts: Arc<Counts>,
}

impl Writer {
    fn run(&mut self, to_do: &Receiver<Job>) {
        while let Ok(Job { mut record, safety, done }) = to_do.recv() {
            record.boot = self.boot.clone().filter(|_| safety == Safety::Kill);
            let bytes = serde_json::to_vec(&record).map_err(io::Error::other);
            self.all.take_in(record);
            let (journal, all) = (&mut self.journal, &self.all);
            let added = bytes.and_then(|bytes| journal.add(&bytes, safety == Safety::PowerLoss, || everything(all)));
            self.counts.bytes.store(self.journal.bytes(), Relaxed);
            self.settled(&added);
            // who asked may have gone on
            let _ = done.send(added.is_ok());
        }
    }

    fn settled(&self, added: &io::Result<()>) {
        match added {
            Ok(()) => {
                if self.counts.failing.swap(false, Relaxed) {
                    tracing::info!("the state can be written again");
                }
            }
            Err(error) => {
                self.counts.errors.fetch_add(1, Relaxed);
                if !self.counts.failing.swap(true, Relaxed) {
                    tracing::error!(%error, "the state cannot be written: a restart would read and count again");
                }
            }
        }
    }
}

/// All that is remembered, as one record.
fn everything(all: &Remembered) -> Vec<u8> {
    let logs = all.logs.values().map(Log::from).collect();
    let record = Record { boot: None, logs, gone: Vec::new(), counted: all.counted.clone() };
    // plain data: it can be written
    serde_json::to_vec(&record).unwrap_or_default()
}

/// All that the records say, up to the first that cannot be understood.
fn read(bytes: &[u8], boot: Option<&str>, counts: &Counts) -> Remembered {
    let journal::Read { records, torn } = journal::read(bytes);
    let records = records.unwrap_or_default();
    let understood: Vec<Record> = records.iter().map_while(|it| serde_json::from_slice(it).ok()).collect();
    let lost = records.len() - understood.len();
    if torn > 0 || lost > 0 {
        counts.errors.fetch_add(1, Relaxed);
        tracing::warn!(torn_bytes = torn, records_lost = lost, "the end of the state is damaged and passed over");
    }
    // what was not synced is believed where the machine did not stop since, or where a sync came behind it
    let holds = |record: &Record| record.boot.is_none() || record.boot.as_deref() == boot;
    let count = understood.iter().rposition(holds).map_or(0, |last| last + 1);
    let mut remembered = Remembered::default();
    understood.into_iter().take(count).for_each(|record| remembered.take_in(record));
    remembered
}

fn unusable(journal: &Journal, why: &Unusable) {
    let why = match why {
        Unusable::Foreign => "it is not of this version of gobeacon".to_owned(),
        Unusable::Io(error) => error.to_string(),
    };
    match journal.set_aside() {
        Ok(path) => {
            tracing::error!(path = %path.display(), why, "the state cannot be used and is set aside: logs are read anew")
        }
        Err(error) => tracing::error!(%error, why, "the state cannot be used: logs are read anew"),
    }
}

/// Which start of the machine this is; `None` where the system does not say.
fn boot_id() -> Option<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned()).filter(|id| !id.is_empty())
}
