//! One log: where it has been read to, and what its parser holds.
//!
//! It reads and parses in place and makes batches. It must not know of other files, of globs or of the channel.
//!
//! Invariant: every byte from the offset where it began is fed to the parser once, in order; `open_from` of the last
//! batch is where a new parser would have to begin to lose nothing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use gobeacon_formats::{Event, LineCounts, Parser, Timestamp};

use crate::now;
use crate::os::{self, Key, Stat};
use crate::{Batch, Source};

/// So many of the last bytes that were read are remembered: some lines, which no other log has there by chance.
const TAIL_BYTES: usize = 256;

/// A path under which the file is known.
#[derive(Debug)]
pub(crate) struct Name {
    pub(crate) path: Arc<Path>,
    /// A glob finds it there. Otherwise hints about it come under this path: it is where a symbolic link leads, or
    /// where the file was renamed to.
    pub(crate) by_glob: bool,
    /// The last pass over everything that saw it.
    pub(crate) pass: u64,
}

/// The state of one log.
#[derive(Debug)]
pub(crate) struct File {
    key: Key,
    source: Arc<Source>,
    /// How often it was truncated.
    incarnation: u32,
    pub(crate) names: Vec<Name>,
    /// The directory of the file that a symbolic link leads to, if it is watched for this file's sake.
    pub(crate) target_dir: Option<PathBuf>,
    pub(crate) handle: Option<fs::File>,
    offset: u64,
    size: u64,
    /// The last bytes that were read, in front of `offset`: a file that was truncated and grew beyond what was read
    /// has others there.
    tail: Vec<u8>,
    /// Up to where the content was there before us, and when it was written.
    backlog: Option<(u64, Timestamp)>,
    /// Made with the first byte: most files of a large directory are never written to again.
    parser: Option<Box<Parser>>,
    reported: LineCounts,
    pub(crate) last_data: Instant,
    /// What the last batch said about when its bytes were read or written.
    observed: Timestamp,
    /// Waits for its turn to be read.
    pub(crate) queued: bool,
    /// Waits for its silence to be long enough.
    pub(crate) flush_queued: bool,
    /// Waits for its command to be over.
    pub(crate) rest_queued: bool,
    /// Was read since it was last asked whether its handle may be closed.
    pub(crate) used: bool,
    /// No glob finds it any more, since then.
    pub(crate) orphaned: Option<Instant>,
    /// At shutdown it is read up to here.
    drain_to: Option<u64>,
}

/// What a turn of reading gave.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    pub(crate) batches: Vec<Batch>,
    /// There is more to read.
    pub(crate) more: bool,
    /// It had become shorter than what was read.
    pub(crate) truncated: bool,
}

/// Where to go on in a file that was known before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) offset: u64,
    pub(crate) incarnation: u32,
}

impl File {
    /// A file that was found at `path`. `backlog` says when content was written that was there before us.
    pub(crate) fn new(path: &Path, stat: &Stat, position: Position, backlog: Option<Timestamp>) -> Self {
        Self {
            key: stat.key,
            source: source(path, stat.key, position.incarnation),
            incarnation: position.incarnation,
            names: Vec::new(),
            target_dir: None,
            handle: None,
            offset: position.offset,
            size: stat.size,
            tail: Vec::new(),
            backlog: backlog.map(|time| (stat.size, time)),
            parser: None,
            reported: LineCounts::default(),
            last_data: Instant::now(),
            observed: stat.modified,
            queued: false,
            flush_queued: false,
            rest_queued: false,
            used: true,
            orphaned: None,
            drain_to: None,
        }
    }

    /// Where to go on if it comes back after its end was told: as another source, from where it was left.
    pub(crate) fn position_after_end(&self) -> Position {
        Position { offset: self.offset, incarnation: self.incarnation.saturating_add(1) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.source.path
    }

    pub(crate) fn saw_size(&mut self, size: u64) {
        self.size = size;
    }

    /// Asks the handle for its size. Says whether there is something to read.
    pub(crate) fn look_again(&mut self) -> bool {
        if let Some(stat) = self.handle.as_ref().and_then(|it| os::stat_open(it).ok()) {
            self.size = stat.size;
        }
        self.has_changed()
    }

    /// Whether it is longer, or shorter, than what was read.
    pub(crate) fn has_changed(&self) -> bool {
        self.size != self.offset
    }

    /// Bytes that are there and not read.
    pub(crate) fn lag(&self) -> u64 {
        self.size.saturating_sub(self.offset)
    }

    /// Whether its parser waits for something.
    pub(crate) fn is_holding(&self) -> bool {
        self.parser.as_ref().is_some_and(|it| it.open_from().is_some())
    }

    /// Opens it by one of its names; the handle stays. What has the name now may be another file.
    pub(crate) fn open(&mut self) -> io::Result<()> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for name in &self.names {
            match os::open(&name.path).and_then(|handle| Ok((os::stat_open(&handle)?, handle))) {
                Ok((stat, handle)) if stat.key == self.key => {
                    self.handle = Some(handle);
                    return Ok(());
                }
                Ok(_) => {}
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Reads once, at most a buffer. With `to_the_end_only` what is written from now on is left for another time.
    pub(crate) fn read(&mut self, buffer: &mut [u8], to_the_end_only: bool) -> io::Result<Turn> {
        let Some(handle) = &self.handle else { return Ok(Turn::default()) };
        let stat = os::stat_open(handle)?;
        self.size = stat.size;
        let mut turn = Turn::default();
        if stat.size < self.offset || (stat.size > self.offset && !has_at_end(handle, &self.tail, self.offset)?) {
            turn.truncated = true;
            turn.batches.extend(self.end());
            self.begin_again();
        }
        let goal = match (to_the_end_only, self.drain_to) {
            (false, _) => stat.size,
            (true, Some(goal)) => goal,
            (true, None) => *self.drain_to.insert(stat.size),
        };
        self.backlog = self.backlog.filter(|(end, _)| self.offset < *end);
        let stop = self.backlog.map_or(goal, |(end, _)| end.min(goal));
        let room = usize::try_from(stop.saturating_sub(self.offset)).unwrap_or(usize::MAX).min(buffer.len());
        if let (Some(handle), Some(part)) = (&self.handle, buffer.get_mut(..room))
            && room > 0
        {
            let length = os::read_at(handle, part, self.offset)?;
            turn.batches.extend(part.get(..length).and_then(|bytes| self.feed(bytes)));
            // a file whose size says more than can be read is not asked again at once
            turn.more = length > 0 && self.offset < goal;
        }
        Ok(turn)
    }

    /// Its silence is long enough: what was complete and only waited is given out.
    pub(crate) fn idle(&mut self) -> Option<Batch> {
        let parser = self.parser.as_mut()?;
        let mut events = Vec::new();
        parser.idle(&mut events);
        (!events.is_empty()).then(|| self.batch(events, 0, false))
    }

    /// Its command is over: open tests and packages are given out as well.
    pub(crate) fn rest(&mut self) -> Option<Batch> {
        let parser = self.parser.as_mut()?;
        let mut events = Vec::new();
        parser.rest(&mut events);
        (!events.is_empty()).then(|| self.batch(events, 0, false))
    }

    /// It is over: all that the parser holds is given out. Without content there is nothing to say.
    pub(crate) fn end(&mut self) -> Option<Batch> {
        let mut parser = self.parser.take()?;
        let mut events = Vec::new();
        parser.finish(&mut events);
        self.parser = Some(parser);
        let batch = self.batch(events, 0, true);
        self.parser = None;
        Some(Batch { open_from: batch.read_to, ..batch })
    }

    /// It was truncated: what comes now is another log in the same file.
    fn begin_again(&mut self) {
        self.incarnation = self.incarnation.saturating_add(1);
        self.source = source(&self.source.path, self.key, self.incarnation);
        self.offset = 0;
        self.tail.clear();
        self.backlog = None;
        self.reported = LineCounts::default();
    }

    fn feed(&mut self, bytes: &[u8]) -> Option<Batch> {
        if bytes.is_empty() {
            return None;
        }
        let mut events = Vec::new();
        self.parser.get_or_insert_default().feed(bytes, self.offset, &mut events);
        self.offset = self.offset.saturating_add(bytes.len() as u64);
        self.size = self.size.max(self.offset);
        self.remember(bytes);
        self.observed = self.backlog.map_or_else(now, |(_, written)| written);
        self.last_data = Instant::now();
        self.used = true;
        Some(self.batch(events, bytes.len() as u64, false))
    }

    /// Keeps the last of what was read.
    fn remember(&mut self, bytes: &[u8]) {
        let new = bytes.get(bytes.len().saturating_sub(TAIL_BYTES)..).unwrap_or(bytes);
        let keep = TAIL_BYTES - new.len();
        self.tail.drain(..self.tail.len().saturating_sub(keep));
        self.tail.extend_from_slice(new);
    }

    fn batch(&mut self, events: Vec<Event>, bytes: u64, ended: bool) -> Batch {
        let counts = self.parser.as_ref().map_or(self.reported, |it| it.counts());
        let before = std::mem::replace(&mut self.reported, counts);
        Batch {
            source: Arc::clone(&self.source),
            observed: self.observed,
            events,
            lines: counts.since(before),
            bytes,
            read_to: self.offset,
            open_from: self.parser.as_ref().and_then(|it| it.open_from()).unwrap_or(self.offset),
            ended,
        }
    }
}

/// Whether the bytes in front of this offset are still those that were read.
fn has_at_end(handle: &fs::File, tail: &[u8], offset: u64) -> io::Result<bool> {
    let mut buffer = [0; TAIL_BYTES];
    let Some(there) = buffer.get_mut(..tail.len()) else { return Ok(true) };
    let begin = offset.saturating_sub(tail.len() as u64);
    let mut length = 0;
    while let Some(rest) = there.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match os::read_at(handle, rest, begin + length as u64)? {
            0 => return Ok(false),
            read => length += read,
        }
    }
    Ok(there == tail)
}

fn source(path: &Path, key: Key, incarnation: u32) -> Arc<Source> {
    Arc::new(Source { id: id(key, incarnation), path: path.to_owned() })
}

/// What a log is, in 16 bytes.
pub(crate) fn id(key: Key, incarnation: u32) -> [u8; 16] {
    key.id(b"gobeacon log\0", &incarnation.to_le_bytes())
}
