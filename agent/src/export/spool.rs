//! What waits for the backend, kept on disk, so that neither a crash nor a long outage loses it.
//!
//! A thread of its own writes: batches that came while it synced the last ones are written together and synced once.
//! Nobody who adds a batch waits for the disk. A segment whose batches are all done is deleted; what is done of others
//! is noted beside them, without a sync: at worst a batch is sent a second time, with the same ids.
//!
//! It must not know what is in a batch, who sends it, or how much may wait: `queue` does.
//!
//! Invariants: a batch that was told as written is there after a crash; files that are damaged or not ours are set
//! aside or passed over with a message and never keep the agent from starting; when the disk is full or broken the
//! batches stay in memory and are tried again.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gobeacon_formats::Timestamp;
use prost::bytes::Bytes;

mod recover;
mod segment;
mod writer;

pub(super) use segment::{Kept, Place};

use super::batch::Batch;
use crate::folder;
use writer::Writer;

/// Why nothing can be kept on disk.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpoolError {
    /// Another process has it.
    #[error("another process uses {}", .0.display())]
    InUse(PathBuf),
    /// The operating system says no.
    #[error("{} cannot be used: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
}

/// A folder with what an earlier life left, before anything is written.
#[derive(Debug)]
pub(super) struct Opened {
    dir: PathBuf,
    /// Locked until the thread that writes has ended.
    lock: File,
    /// What is left to be sent, oldest first.
    pub(super) kept: Vec<Kept>,
    segments: writer::Segments,
}

/// What became of a batch that was to be written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    /// The id that it was given with.
    pub(super) id: u64,
    /// Where it is now.
    pub(super) place: Place,
}

/// What the thread that writes has done.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wrote<'a> {
    /// Batches before this one are in files; a crash of the machine may still lose them.
    Flushed { before: u64 },
    /// These are on disk.
    Synced(&'a [Written]),
    /// What was flushed last is not to be relied on.
    Failed,
}

/// Is told of each step, from the thread that writes.
pub(super) type OnWrote = Box<dyn Fn(Wrote<'_>) + Send>;

/// The running spool.
#[derive(Debug)]
pub(super) struct Spool {
    dir: PathBuf,
    work: Sender<Work>,
    ended: Mutex<Option<Receiver<()>>>,
    counts: Arc<Counts>,
}

/// What the thread is asked to do.
#[derive(Debug)]
enum Work {
    Write { id: u64, batch: Batch, added: Timestamp },
    Done { id: u64 },
    End,
}

/// What it costs and how it fares.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Bytes of all files.
    bytes: AtomicU64,
    /// Writes that failed and are tried again.
    errors: AtomicU64,
}

impl Opened {
    /// Opens a folder, which is made where it is missing, and reads what is in it.
    ///
    /// # Errors
    /// It cannot be made, read or locked.
    pub(super) fn open(dir: &Path) -> Result<Self, SpoolError> {
        let io = |error| SpoolError::Io { path: dir.to_owned(), error };
        let lock = folder::locked(dir, "lock").map_err(io)?.ok_or_else(|| SpoolError::InUse(dir.to_owned()))?;
        let (kept, segments) = recover::recover(dir).map_err(io)?;
        Ok(Self { dir: dir.to_owned(), lock, kept, segments })
    }

    /// Starts to write. `ids` are those by which the batches that are left will be told as done, in their order.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub(super) fn start(self, ids: &[u64], on_wrote: OnWrote) -> io::Result<Spool> {
        let counts = Arc::new(Counts::default());
        let (work, to_do) = channel();
        let (end, ended) = channel();
        let lock = self.lock;
        let live = ids.iter().copied().zip(self.kept.iter().map(|kept| kept.place)).collect();
        let mut writer = Writer::new(self.dir.clone(), self.segments, live, Arc::clone(&counts), on_wrote);
        std::thread::Builder::new().name("spool".to_owned()).spawn(move || {
            writer.run(&to_do);
            // the next life may begin
            drop(lock);
            // who waits for the end may have given up
            let _ = end.send(());
        })?;
        Ok(Spool { dir: self.dir, work, ended: Mutex::new(Some(ended)), counts })
    }
}

impl Spool {
    /// Has a batch written. Never waits: what has not been written yet is held in memory by who gave it.
    pub(super) fn write(&self, id: u64, batch: Batch, added: Timestamp) {
        // after the end nothing is written, which the caller has been told
        let _ = self.work.send(Work::Write { id, batch, added });
    }

    /// A batch is delivered or given up: it need not be kept.
    pub(super) fn done(&self, id: u64) {
        let _ = self.work.send(Work::Done { id });
    }

    /// Reads a batch back. Waits for the disk.
    ///
    /// # Errors
    /// It is damaged, or the disk is.
    pub(super) fn reader(&self, place: Place) -> impl FnOnce() -> io::Result<Bytes> + Send + use<> {
        let dir = self.dir.clone();
        move || segment::read(&dir, place)
    }

    /// Bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        self.counts.bytes.load(Ordering::Relaxed)
    }

    /// Writes that failed; each was tried again.
    pub(super) fn errors(&self) -> u64 {
        self.counts.errors.load(Ordering::Relaxed)
    }

    /// Writes what is left to be written and ends. Waits for it no longer than `within`: a disk may hang.
    pub(super) fn end(&self, within: Duration) {
        let _ = self.work.send(Work::End);
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(ended) = ended {
            // whether it ended in time shows in what was told as written
            let _ = ended.recv_timeout(within);
        }
    }
}

#[cfg(test)]
mod tests;
