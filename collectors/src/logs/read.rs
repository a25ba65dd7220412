//! Reading one log: a buffer at a time, and what is looked at before its bytes are believed.
//!
//! What was read before is compared after new bytes were read, so that a file that was truncated and written anew,
//! even while it was being read, is not taken for one that grew. Stretches where nothing was written are passed over
//! (`blank`). It must not know of other files.
//!
//! Invariant: every byte from the offset where it began is fed to the parser once, in order, or was passed over as a
//! gap; what follows the last written byte is left until something is written behind it.

use std::fs;
use std::io;

use gobeacon_formats::{Event, LineCounts, Parser};

use super::blank::{self, LEAST_GAP, NULS};
use super::bookmark::Cause;
use super::file::{self, File};
use super::seen::{Content, Seen};
use crate::os::{self, Stat};
use crate::{Batch, now};

/// What a turn of reading gave.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    pub(crate) batches: Vec<Batch>,
    /// There is more to read.
    pub(crate) more: bool,
    /// It had become shorter than what was read, or was written anew.
    pub(crate) truncated: bool,
    /// Bytes that were there and went away before they were read, as far as is known.
    pub(crate) lost: u64,
    /// It turned out to be an archive.
    pub(crate) is_compressed: bool,
}

/// How archives begin: gzip (RFC 1952), zstd (RFC 8878), xz, bzip2. What rotation compresses was read before.
const ARCHIVES: [&[u8]; 4] = [b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"BZh"];

/// No room is reserved for more events than there is one for so many bytes.
const LEAST_EVENT_BYTES: usize = 64;

impl File {
    /// Reads once, at most a buffer. With `to_the_end_only` what is written from now on is left for another time.
    pub(crate) fn read(&mut self, buffer: &mut [u8], to_the_end_only: bool) -> io::Result<Turn> {
        let Some(handle) = self.handle.take() else { return Ok(Turn::default()) };
        let turn = self.read_from(&handle, buffer, to_the_end_only);
        self.handle = Some(handle);
        turn
    }

    fn read_from(&mut self, handle: &fs::File, buffer: &mut [u8], to_the_end_only: bool) -> io::Result<Turn> {
        let stat = os::stat_open(handle)?;
        if stat.size < self.was_read_to() {
            return Ok(self.begin_again(&stat));
        }
        if stat.size > self.looked_to && self.is_to_be_read_again() {
            if self.seen.look(handle)? == Content::Other {
                return Ok(self.begin_again(&stat));
            }
            self.read_again();
        }
        let is_rewritten = self.read_modified.is_some_and(|it| it != stat.modified);
        self.saw(&stat);
        self.looked_to = self.looked_to.min(stat.size);
        let goal = match (to_the_end_only, self.drain_to) {
            (false, _) => stat.size,
            (true, Some(goal)) => goal,
            (true, None) => *self.drain_to.insert(stat.size),
        };
        let was_passed = self.looked_to > self.offset;
        if self.is_compressed || (was_passed && is_rewritten && !is_blank_at(handle, self.offset)?) {
            // room that was reserved is being filled
            self.looked_to = self.offset;
        }
        self.backlog = self.backlog.filter(|(end, _)| self.looked_to < *end);
        let stop = self.backlog.map_or(goal, |(end, _)| end.min(goal));
        let stop = self.again.as_ref().map_or(stop, |again| again.stop());
        let room = usize::try_from(stop.saturating_sub(self.looked_to)).unwrap_or(usize::MAX).min(buffer.len());
        let mut turn = Turn::default();
        let part = buffer.get_mut(..room).unwrap_or_default();
        let length = if room > 0 { os::read_at(handle, part, self.looked_to)? } else { 0 };
        let at = now();
        // after the bytes were read: whatever happened to the file before that shows now
        if self.seen.look(handle)? == Content::Other {
            return Ok(self.begin_again(&stat));
        }
        self.read_as_of(stat.modified, at);
        self.unread = 0;
        let bytes = part.get(..length).unwrap_or_default();
        if self.offset == 0 && ARCHIVES.iter().any(|magic| bytes.starts_with(magic)) {
            turn.is_compressed = !std::mem::replace(&mut self.is_compressed, true);
            self.looked_to = stat.size;
            return Ok(turn);
        }
        self.is_compressed &= length == 0;
        if length > 0 && length == part.len() && blank::at_start(bytes) == length {
            // nothing but NULs: what the file system left out need not be read
            let next = os::next_data(handle, self.looked_to).unwrap_or(Some(0)).unwrap_or(stop);
            self.looked_to = next.min(stop).max(self.looked_to + length as u64);
        } else {
            turn.batches.extend(self.feed(bytes));
            turn.batches.extend(self.catch_up());
        }
        // a file whose size says more than can be read is not asked again at once
        turn.more = length > 0 && self.looked_to < goal;
        Ok(turn)
    }

    /// It was truncated: what comes now is another log in the same file.
    fn begin_again(&mut self, stat: &Stat) -> Turn {
        self.saw(stat);
        let mut turn = Turn {
            batches: self.end().map(|batch| Batch { bookmark: None, ..batch }).into_iter().collect(),
            more: stat.size > 0,
            truncated: true,
            lost: std::mem::take(&mut self.unread),
            is_compressed: false,
        };
        self.incarnation = self.incarnation.saturating_add(1);
        self.source = file::source(&self.source.path, self.key, self.incarnation);
        (self.began_at, self.inherited) = (0, None);
        self.offset = 0;
        self.looked_to = 0;
        self.seen = Seen::default();
        self.is_compressed = false;
        self.backlog = None;
        self.reported = LineCounts::default();
        self.read_as_of(stat.modified, now());
        // also while it is empty: who remembers logs over a restart must not take it for the first one in this file
        turn.batches.push(self.batch(Vec::new(), 0, Cause::Read));
        turn
    }

    /// Takes in bytes that stand at `looked_to`. NULs at their end wait for what is written behind them.
    fn feed(&mut self, bytes: &[u8]) -> Option<Batch> {
        let begin = self.offset;
        let written = bytes.len() - blank::at_end(bytes);
        let mut rest = bytes.get(..written).unwrap_or_default();
        if rest.is_empty() {
            self.looked_to = self.looked_to.saturating_add(bytes.len() as u64);
            return None;
        }
        let mut events = Vec::with_capacity(self.events_expected.min(bytes.len() / LEAST_EVENT_BYTES));
        let lead = blank::at_start(rest) as u64;
        self.pass_blank(self.looked_to.saturating_add(lead), &mut events);
        rest = rest.get(usize::try_from(lead).unwrap_or(usize::MAX)..).unwrap_or_default();
        while let Some(gap) = blank::gap(rest) {
            self.parse(rest.get(..gap.start).unwrap_or_default(), &mut events);
            self.offset = self.offset.saturating_add(gap.len() as u64);
            rest = rest.get(gap.end..).unwrap_or_default();
        }
        self.parse(rest, &mut events);
        self.looked_to = self.looked_to.saturating_add(bytes.len() as u64).max(self.offset);
        let told = self.again.as_ref().and_then(|again| again.observed());
        self.observed = told.unwrap_or_else(|| self.backlog.map_or_else(now, |(_, written)| written));
        self.last_data = std::time::Instant::now();
        self.used = true;
        self.events_expected = events.len() + events.len() / 8;
        let batch = self.batch(events, self.offset.saturating_sub(begin), Cause::Read);
        self.again.as_ref().is_none_or(|again| again.is_open).then_some(batch)
    }

    /// Goes on at `to`: a few NULs are content, many are a gap.
    fn pass_blank(&mut self, to: u64, events: &mut Vec<Event>) {
        match usize::try_from(to.saturating_sub(self.offset)) {
            Ok(few) if few < LEAST_GAP => self.parse(NULS.get(..few).unwrap_or_default(), events),
            Ok(_) | Err(_) => self.offset = to,
        }
    }

    fn parse(&mut self, bytes: &[u8], events: &mut Vec<Event>) {
        if !bytes.is_empty() {
            self.parser.get_or_insert_with(|| Box::new(Parser::new())).feed(bytes, self.offset, events);
            self.seen.remember(bytes, self.offset);
            self.offset = self.offset.saturating_add(bytes.len() as u64);
        }
    }
}

fn is_blank_at(handle: &fs::File, offset: u64) -> io::Result<bool> {
    let mut byte = [0];
    Ok(os::read_at(handle, &mut byte, offset)? == 0 || byte == [0])
}
