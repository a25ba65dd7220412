//! The thread that writes segments, notes what is done, and deletes what is.
//!
//! Invariants: a batch is told as written only after the sync that covers it; after a failed sync nothing more is
//! written to that file, because the kernel may have forgotten what it could not write.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use gobeacon_formats::Timestamp;

use super::segment::{self, LEAD, MAGIC, Place};
use super::{Counts, OnWrote, Work, Written, Wrote};
use crate::export::batch::Batch;

/// A segment beyond this size gets no more batches: so much is deleted at once.
const SEGMENT_BYTES: u64 = 8 << 20;
/// After a write failed, how long until it is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Most batches written between two syncs.
const TOGETHER: usize = 256;

/// What is known of all segments, by number.
pub(super) type Segments = BTreeMap<u64, Segment>;

/// What is known of one segment.
#[derive(Debug, Default)]
pub(super) struct Segment {
    /// Batches in it that are not done.
    pub(super) live: usize,
    pub(super) bytes: u64,
    /// The list of what is done, once there is one.
    pub(super) done: Option<File>,
}

pub(super) struct Writer {
    dir: PathBuf,
    segments: Segments,
    /// Where the batches are that are not done.
    live: HashMap<u64, Place>,
    active: Option<Active>,
    /// To be written, oldest first; the bytes are those that the queue holds.
    unwritten: BTreeMap<u64, (Batch, Timestamp)>,
    failing: bool,
    counts: Arc<Counts>,
    on_wrote: OnWrote,
}

/// The segment that is written to.
struct Active {
    number: u64,
    file: File,
    bytes: u64,
    batches: u32,
}

impl Writer {
    pub(super) fn new(
        dir: PathBuf,
        segments: Segments,
        live: HashMap<u64, Place>,
        counts: Arc<Counts>,
        on_wrote: OnWrote,
    ) -> Self {
        let (active, unwritten) = (None, BTreeMap::new());
        Self { dir, segments, live, active, unwritten, failing: false, counts, on_wrote }
    }

    /// Works until it is told to end, or nobody can tell it any more.
    pub(super) fn run(&mut self, to_do: &Receiver<Work>) {
        self.delete_empty();
        let mut go_on = true;
        while go_on {
            let first = if self.unwritten.is_empty() {
                to_do.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                to_do.recv_timeout(RETRY_AFTER)
            };
            match first {
                Ok(work) => {
                    go_on = self.note(work);
                    while go_on && self.unwritten.len() < TOGETHER {
                        let Ok(work) = to_do.try_recv() else { break };
                        go_on = self.note(work);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => go_on = false,
            }
            self.write();
        }
    }

    /// Says whether to go on.
    fn note(&mut self, work: Work) -> bool {
        match work {
            Work::Write { id, batch, added } => {
                self.unwritten.insert(id, (batch, added));
                true
            }
            Work::Done { id } => {
                if self.unwritten.remove(&id).is_none() {
                    self.done(id);
                }
                true
            }
            Work::End => false,
        }
    }

    /// Writes what is to be written and syncs it.
    fn write(&mut self) {
        while let Some((&first, _)) = self.unwritten.first_key_value() {
            // on a disk that is nearly full a few may fit where all do not
            let rest = if self.failing { self.unwritten.split_off(&(first + 1)) } else { BTreeMap::new() };
            let waiting = std::mem::replace(&mut self.unwritten, rest);
            match self.append(&waiting) {
                Ok(written) => self.written(&written),
                Err(error) => {
                    self.failed(&error);
                    self.unwritten.extend(waiting);
                    break;
                }
            }
        }
        self.delete_empty();
    }

    fn written(&mut self, written: &[Written]) {
        if std::mem::take(&mut self.failing) {
            tracing::info!(dir = %self.dir.display(), "the spool can be written again");
        }
        self.live.extend(written.iter().map(|it| (it.id, it.place)));
        (self.on_wrote)(Wrote::Synced(written));
    }

    fn failed(&mut self, error: &io::Error) {
        self.counts.errors.fetch_add(1, Ordering::Relaxed);
        (self.on_wrote)(Wrote::Failed);
        if !std::mem::replace(&mut self.failing, true) {
            let dir = self.dir.display();
            tracing::error!(%dir, %error, "the spool cannot be written: what waits is held in memory and tried again");
        }
        // what was not synced of the file is cut off, and nothing more is written to it
        if let Some(active) = self.active.take()
            && let Err(error) = active.file.set_len(active.bytes)
        {
            // a restart cuts it off as torn
            tracing::debug!(%error, "a segment of the spool keeps its torn end");
        }
    }

    fn append(&mut self, waiting: &BTreeMap<u64, (Batch, Timestamp)>) -> io::Result<Vec<Written>> {
        if self.active.as_ref().is_some_and(|active| active.bytes >= SEGMENT_BYTES) {
            self.active = None;
        }
        let active = match &mut self.active {
            Some(active) => active,
            none => {
                let number = self.segments.last_key_value().map_or(1, |(number, _)| number + 1);
                none.insert(begin(&self.dir, number)?)
            }
        };
        let segment = self.segments.entry(active.number).or_default();
        let mut written = Vec::with_capacity(waiting.len());
        let mut out = BufWriter::with_capacity(256 << 10, &active.file);
        let (mut bytes, mut index) = (active.bytes, active.batches);
        for (id, (batch, added)) in waiting {
            segment::append(&mut out, &batch.payload, batch.records, *added)?;
            written.push(Written { id: *id, place: Place { segment: active.number, index, at: bytes } });
            bytes += LEAD + batch.bytes();
            index += 1;
        }
        out.flush()?;
        drop(out);
        if let Some((last, _)) = waiting.last_key_value() {
            (self.on_wrote)(Wrote::Flushed { before: last + 1 });
        }
        active.file.sync_data()?;
        (active.bytes, active.batches) = (bytes, index);
        segment.bytes = bytes;
        segment.live += written.len();
        Ok(written)
    }

    fn done(&mut self, id: u64) {
        let Some(place) = self.live.remove(&id) else { return };
        let Some(segment) = self.segments.get_mut(&place.segment) else { return };
        segment.live = segment.live.saturating_sub(1);
        let is_active = self.active.as_ref().is_some_and(|active| active.number == place.segment);
        if segment.live == 0 && !is_active {
            return self.delete_empty();
        }
        let path = segment::done_path(&self.dir, place.segment);
        let list = match &mut segment.done {
            Some(list) => Ok(list),
            none => OpenOptions::new().append(true).create(true).open(path).map(|list| none.insert(list)),
        };
        if let Err(error) = list.and_then(|list| list.write_all(&segment::done_entry(place.index))) {
            self.counts.errors.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(%error, "what is done is not noted: it is sent again after a restart");
        }
        // an active segment that has nothing left is begun anew once it is large
        if segment.live == 0 && segment.bytes >= SEGMENT_BYTES {
            self.active = None;
            self.delete_empty();
        }
    }

    /// Deletes segments of which all is done, but for the one that is written to.
    fn delete_empty(&mut self) {
        let active = self.active.as_ref().map(|active| active.number);
        let over = |number: &u64, segment: &Segment| segment.live == 0 && Some(*number) != active;
        let numbers: Vec<u64> = self.segments.iter().filter(|(n, it)| over(n, it)).map(|(n, _)| *n).collect();
        for number in numbers {
            self.segments.remove(&number);
            for path in [segment::path(&self.dir, number), segment::done_path(&self.dir, number)] {
                match fs::remove_file(&path) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => tracing::warn!(path = %path.display(), %error, "a file of the spool is not deleted"),
                }
            }
        }
        let bytes = self.segments.values().map(|segment| segment.bytes).sum();
        self.counts.bytes.store(bytes, Ordering::Relaxed);
    }
}

/// Makes a segment that is there after a crash.
fn begin(dir: &std::path::Path, number: u64) -> io::Result<Active> {
    let path = segment::path(dir, number);
    // a list that a crash left behind is about batches that are gone
    match fs::remove_file(segment::done_path(dir, number)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let made = OpenOptions::new().write(true).create_new(true).open(&path).and_then(|mut file| {
        file.write_all(MAGIC)?;
        file.sync_all()?;
        File::open(dir)?.sync_all()?;
        Ok(file)
    });
    match made {
        Ok(file) => Ok(Active { number, file, bytes: MAGIC.len() as u64, batches: 0 }),
        Err(error) => {
            // a half-made one would be in the way of the next attempt
            let _ = fs::remove_file(&path);
            Err(error)
        }
    }
}
