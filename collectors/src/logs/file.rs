//! One log: where it has been read to, and what its parser holds.
//!
//! How it is read stands in `read`. It must not know of other files, of globs or of the channel.
//!
//! Invariant: `open_from` of the last batch is where a new parser would have to begin to lose nothing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use gobeacon_formats::{Event, KeptParts, LineCounts, Parser, Parts, Timestamp};

use super::bookmark::{Bookmark, Cause, Replay};
use super::lag::Mark;
use super::replay::Again;
use super::seen::Seen;
use crate::os::{self, Key, Stat};
use crate::{Batch, Source};

/// Within so many seconds a file may be written twice and have the same time: some ticks of the kernel's clock.
const SAME_TIME_SECONDS: f64 = 0.1;

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
    pub(super) key: Key,
    pub(super) source: Arc<Source>,
    /// How often it was truncated.
    pub(super) incarnation: u32,
    pub(crate) names: Vec<Name>,
    /// The directory of the file that a symbolic link leads to, if it is watched for this file's sake.
    pub(crate) target_dir: Option<PathBuf>,
    pub(crate) handle: Option<fs::File>,
    /// Where this log begins in its file.
    pub(super) began_at: u64,
    /// Parts of a line that the file before had at its end, and with which this one begins.
    pub(super) inherited: Option<Arc<KeptParts>>,
    /// An earlier life has read so far.
    pub(super) again: Option<Box<Again>>,
    /// Up to where it was given to the parser.
    pub(super) offset: u64,
    /// Up to where it was looked at: from `offset` on nothing was written there so far.
    pub(super) looked_to: u64,
    pub(super) size: u64,
    /// Bytes that were not read when it was seen to become shorter.
    pub(super) unread: u64,
    /// When it was last written, as far as is known.
    modified: Timestamp,
    /// When it had been last written when it was read last.
    pub(super) read_modified: Option<Timestamp>,
    /// It was read so soon after that time that another write may have had the same.
    pub(super) read_soon: bool,
    pub(super) seen: Seen,
    /// It is an archive: nothing of it is given to the parser.
    pub(super) is_compressed: bool,
    /// Up to where the content was there before us, and when it was written.
    pub(super) backlog: Option<(u64, Timestamp)>,
    /// Made with the first byte: most files of a large directory are never written to again.
    pub(super) parser: Option<Box<Parser>>,
    pub(super) reported: LineCounts,
    /// As many as the last read gave, and some more.
    pub(super) events_expected: usize,
    pub(crate) last_data: Instant,
    /// What the last batch said about when its bytes were read or written.
    pub(super) observed: Timestamp,
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
    /// The last name that it lost.
    pub(crate) left: Option<PathBuf>,
    /// The file that had its name before, until this one is read.
    pub(crate) elder: Option<Key>,
    /// That it is behind its writer.
    pub(crate) behind: Option<Mark>,
    /// At shutdown it is read up to here.
    pub(super) drain_to: Option<u64>,
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
            began_at: position.offset,
            inherited: None,
            again: None,
            offset: position.offset,
            looked_to: position.offset,
            size: stat.size,
            unread: 0,
            modified: stat.modified,
            read_modified: None,
            read_soon: false,
            seen: Seen::default(),
            is_compressed: false,
            backlog: backlog.map(|time| (stat.size, time)),
            parser: None,
            reported: LineCounts::default(),
            events_expected: 0,
            last_data: Instant::now(),
            observed: stat.modified,
            queued: false,
            flush_queued: false,
            rest_queued: false,
            used: true,
            orphaned: None,
            left: None,
            elder: None,
            behind: None,
            drain_to: None,
        }
    }

    /// Where to go on if it comes back after its end was told: as another source, from where it was left.
    pub(crate) fn position_after_end(&self) -> Position {
        Position { offset: self.was_read_to(), incarnation: self.incarnation.saturating_add(1) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.source.path
    }

    pub(crate) fn saw(&mut self, stat: &Stat) {
        if stat.size < self.size {
            self.unread = self.unread.max(self.lag());
        }
        self.size = stat.size;
        self.modified = stat.modified;
    }

    /// Asks the handle for its size. Says whether there is something to read.
    pub(crate) fn look_again(&mut self) -> bool {
        if let Some(stat) = self.handle.as_ref().and_then(|it| os::stat_open(it).ok()) {
            self.saw(&stat);
        }
        self.has_changed()
    }

    /// Whether it is longer, or shorter, than what was looked at, or was written since: to the same length, perhaps.
    pub(crate) fn has_changed(&self) -> bool {
        self.size != self.looked_to || self.read_modified.is_some_and(|it| it != self.modified)
    }

    /// Whether it may have been written anew, to the same length and so soon after it was read that its time is the
    /// same. However late a hint comes, it is a reason to compare then.
    pub(crate) fn may_be_rewritten(&self) -> bool {
        self.offset > 0 && self.read_soon
    }

    /// What was read had last been written then; `at`: before it was compared.
    pub(super) fn read_as_of(&mut self, modified: Timestamp, at: Timestamp) {
        self.read_modified = Some(modified);
        self.read_soon = at.seconds_since(modified) < SAME_TIME_SECONDS;
    }

    /// Up to where it was read.
    pub(crate) fn read_to(&self) -> u64 {
        self.looked_to
    }

    /// Bytes that are there and not read.
    pub(crate) fn lag(&self) -> u64 {
        self.size.saturating_sub(self.looked_to.max(self.was_read_to()))
    }

    /// Up to where it was read, in this life or an earlier one.
    pub(crate) fn was_read_to(&self) -> u64 {
        self.again.as_ref().map_or(self.offset, |it| it.to)
    }

    /// Whether lines of it may go on in the file that takes its place.
    pub(crate) fn may_hand_over(&self) -> bool {
        self.parser.as_ref().is_none_or(|it| it.may_hand_over())
    }

    /// Parts of lines that go on in the file that took its place.
    pub(crate) fn hand_over(&mut self) -> Option<Parts> {
        self.parser.as_mut()?.hand_over()
    }

    /// Begins with parts of the file before.
    pub(crate) fn take_over(&mut self, parts: Parts) {
        self.inherited = parts.kept().map(Arc::new);
        self.parser.get_or_insert_default().take_over(parts);
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

    /// Its silence is long enough: what was complete and only waited is given out.
    pub(crate) fn idle(&mut self) -> Option<Batch> {
        let parser = self.parser.as_mut().filter(|_| self.again.is_none())?;
        let mut events = Vec::new();
        parser.idle(&mut events);
        (!events.is_empty()).then(|| self.batch(events, 0, Cause::Idle))
    }

    /// Its command is over: open tests and packages are given out as well.
    pub(crate) fn rest(&mut self) -> Option<Batch> {
        let parser = self.parser.as_mut().filter(|_| self.again.is_none())?;
        let mut events = Vec::new();
        parser.rest(&mut events);
        (!events.is_empty()).then(|| self.batch(events, 0, Cause::Rest))
    }

    /// It is over: all that the parser holds is given out. Without content there is nothing to say.
    pub(crate) fn end(&mut self) -> Option<Batch> {
        let mut events = Vec::new();
        if let Some(again) = self.again.take() {
            // it was not read again as far as before: what is half rebuilt tells nothing
            self.offset = again.to;
            self.parser = None;
        } else {
            self.parser.as_mut()?.finish(&mut events);
        }
        let batch = self.batch(events, 0, Cause::Read);
        self.parser = None;
        Some(Batch { open_from: batch.read_to, ended: true, ..batch })
    }

    pub(super) fn batch(&mut self, events: Vec<Event>, bytes: u64, cause: Cause) -> Batch {
        let counts = self.parser.as_ref().map_or(self.reported, |it| it.counts());
        let before = std::mem::replace(&mut self.reported, counts);
        let is_new = self.again.is_none();
        Batch {
            source: Arc::clone(&self.source),
            observed: self.observed,
            events,
            lines: if is_new { counts.since(before) } else { LineCounts::default() },
            bytes: if is_new { bytes } else { 0 },
            read_to: self.offset,
            open_from: self.parser.as_ref().and_then(|it| it.open_from()).unwrap_or(self.offset),
            ended: false,
            cause,
            replay: if is_new { Replay::No } else { Replay::Part },
            bookmark: Some(self.bookmark()).filter(|_| is_new),
        }
    }

    fn bookmark(&self) -> Bookmark {
        let Key { device, inode, born } = self.key;
        let (head, tail) = self.seen.fingerprints();
        Bookmark {
            device,
            inode,
            born,
            incarnation: self.incarnation,
            began_at: self.began_at,
            read_to: self.offset,
            size: self.size,
            head,
            tail,
            inherited: self.inherited.clone(),
        }
    }
}

pub(super) fn source(path: &Path, key: Key, incarnation: u32) -> Arc<Source> {
    Arc::new(Source { id: id(key, incarnation), path: path.to_owned() })
}

/// What a log is, in 16 bytes.
pub(crate) fn id(key: Key, incarnation: u32) -> [u8; 16] {
    key.id(b"gobeacon log\0", &incarnation.to_le_bytes())
}
