//! A log that is read again up to where an earlier life of the agent had read it.
//!
//! Its parser is given the same bytes as then, cut at the same places, with the same silences between them, so that it
//! comes to hold the same. It must not know of other files.
//!
//! Invariant: no step goes beyond the place where the earlier life stopped, and one ends exactly there.

use std::collections::VecDeque;

use gobeacon_formats::Timestamp;

use super::bookmark::{Cause, Known, Replay, Step};
use super::file::{File, Position};
use super::seen::Seen;
use crate::Batch;
use crate::os::Stat;

/// What is left to be read again.
#[derive(Debug)]
pub(crate) struct Again {
    /// Where the log begins in its file.
    from: u64,
    /// Where the earlier life stopped.
    pub(crate) to: u64,
    steps: VecDeque<Step>,
    /// Whether anybody wants to hear what is read.
    pub(crate) is_open: bool,
    pub(crate) has_begun: bool,
}

impl Again {
    pub(crate) fn new(from: u64, to: u64, steps: Vec<Step>, is_open: bool) -> Self {
        let steps = steps.into_iter().filter(|step| step.offset > from && step.offset <= to).collect();
        Self { from, to, steps, is_open, has_begun: false }
    }

    /// Where to begin.
    pub(crate) fn begin(&mut self) -> u64 {
        self.has_begun = true;
        self.from
    }

    /// How far to read at most.
    pub(crate) fn stop(&self) -> u64 {
        self.steps.front().map_or(self.to, |step| step.offset)
    }

    /// When the bytes in front of the next stop were read, if that is known.
    pub(crate) fn observed(&self) -> Option<Timestamp> {
        self.steps.front().map(|step| step.observed)
    }

    /// What the parser was told at this place, if anything was: to be asked until there is no more.
    pub(crate) fn told_at(&mut self, offset: u64) -> Option<Cause> {
        let step = self.steps.front().filter(|step| step.offset <= offset)?;
        let cause = step.cause;
        self.steps.pop_front();
        Some(cause)
    }

    pub(crate) fn is_over(&self, offset: u64) -> bool {
        offset >= self.to && self.steps.is_empty()
    }
}

impl File {
    /// One that an earlier life has read.
    pub(crate) fn resumed(known: Known, stat: &Stat, seen: Seen, backlog: Option<Timestamp>) -> Self {
        let Known { path, bookmark, steps, is_open, .. } = known;
        let position = Position { offset: bookmark.read_to, incarnation: bookmark.incarnation };
        let again = Again::new(bookmark.began_at, bookmark.read_to, steps, is_open);
        let mut file = Self::new(&path, stat, position, backlog);
        file.began_at = bookmark.began_at;
        file.seen = seen;
        file.again = Some(Box::new(again)).filter(|_| bookmark.read_to > bookmark.began_at);
        file.inherited = bookmark.inherited;
        if is_open {
            file.read_again();
        }
        file
    }

    /// Whether an earlier life has read it, and this one has not begun to.
    pub(super) fn is_to_be_read_again(&self) -> bool {
        self.again.as_ref().is_some_and(|again| !again.has_begun)
    }

    /// What an earlier life has read is read again from its start, so that the parser comes to hold what it held.
    pub(super) fn read_again(&mut self) {
        if let Some(again) = &mut self.again {
            self.offset = again.begin();
            self.looked_to = self.offset;
            self.seen = Seen::default();
            if let Some(parts) = self.inherited.as_ref().and_then(|kept| kept.parts()) {
                self.parser.get_or_insert_default().take_over(parts);
            }
        }
    }

    /// Gives the parser the silences that it was given at this place in an earlier life.
    pub(super) fn catch_up(&mut self) -> Vec<Batch> {
        let mut batches = Vec::new();
        if self.is_to_be_read_again() {
            return batches;
        }
        let is_open = self.again.as_ref().is_some_and(|again| again.is_open);
        while let Some(again) = self.again.as_mut()
            && let Some(parser) = self.parser.as_mut()
            && let Some(cause) = again.told_at(self.offset)
        {
            let mut events = Vec::new();
            match cause {
                Cause::Read => continue,
                Cause::Idle => parser.idle(&mut events),
                Cause::Rest => parser.rest(&mut events),
            }
            batches.push(self.batch(events, 0, cause));
        }
        if self.again.take_if(|again| again.is_over(self.offset)).is_some() {
            let last = self.batch(Vec::new(), 0, Cause::Read);
            batches.push(Batch { replay: Replay::Last, ..last });
        }
        batches.retain(|_| is_open);
        batches
    }
}
