//! Builds that were open when an earlier life of the agent stopped, rebuilt from their logs.
//!
//! A log is read again from its start up to where it had been read: the events are those of then, in the same order.
//! All before the first event of the build that was open belongs to builds that are over, and is passed over; what
//! follows is taken in, and what it tells is thrown away, because the earlier life has told it. Where the log is gone,
//! the root span is made of what the earlier life knew.
//!
//! Invariants: a build that is half rebuilt tells nothing: neither time nor the end of the agent closes it; every build
//! that an earlier life has told something of gets its root span.

use std::sync::Arc;

use gobeacon_collectors::{Batch, Replay, Source};

use super::open::OpenBuild;
use super::{Builds, Outcome, Will};

/// What of a log was open when it was left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Resumption {
    /// Offset of the first event that was told of the open build; `None`: no build was open.
    pub(crate) first_offset: Option<u64>,
    /// Downloads of it were held. Others may have gone out before: they go out again with them, by the same ids.
    pub(crate) downloads_wait: bool,
}

/// A log that is read again.
#[derive(Debug)]
pub(super) struct Resuming {
    source: Arc<Source>,
    what: Resumption,
    /// What is told where it cannot be read again.
    will: Option<Will>,
    /// The first event of the open build was read.
    has_begun: bool,
}

impl Builds {
    /// What is open of a log, to be rebuilt in a later life.
    pub(crate) fn resumption(&self, log: [u8; 16]) -> Resumption {
        if let Some(resuming) = self.resuming.get(&log) {
            return resuming.what;
        }
        let word = self.words.get(&log).map(|(event, _)| event.offset);
        let build = self.open.get(&log);
        Resumption {
            first_offset: build.map(|build| build.first_offset()).or(word),
            downloads_wait: build.is_some_and(OpenBuild::holds_downloads),
        }
    }

    /// What is known of the build that is open in a log, should a later life not find the log again.
    pub(crate) fn will(&self, log: [u8; 16]) -> Option<Will> {
        match self.resuming.get(&log) {
            Some(resuming) => resuming.will.clone(),
            None => self.open.get(&log).map(OpenBuild::will),
        }
    }

    /// This log will be read again: see [`Self::replay`]. Where it cannot be, what `will` says is told.
    pub(crate) fn resume(&mut self, source: Arc<Source>, what: Resumption, will: Option<Will>) {
        self.resuming.insert(source.id, Resuming { source, what, will, has_begun: false });
    }

    /// Takes in what an earlier life has taken in. Only builds that must make room tell something.
    pub(crate) fn replay(&mut self, batch: &Batch, out: &mut Vec<Outcome>) {
        let id = batch.source.id;
        let mut told_before = Vec::new();
        for event in &batch.events {
            let Some(resuming) = self.resuming.get_mut(&id) else { break };
            resuming.has_begun |= resuming.what.first_offset == Some(event.offset);
            if resuming.has_begun {
                if !self.open.contains_key(&id) {
                    self.make_room(out);
                }
                self.event(batch, event, &mut told_before);
            }
        }
        if let Some(build) = self.open.get_mut(&id) {
            build.flush(&mut told_before);
            self.files.told_by_a_log(build.take_left());
        }
        match batch.replay {
            Replay::No | Replay::Part => {}
            Replay::Last => self.resumed(id, &mut told_before),
        }
    }

    /// The log was read up to where it had been: from now on time passes for its build.
    fn resumed(&mut self, log: [u8; 16], told_before: &mut Vec<Outcome>) {
        let Some(resuming) = self.resuming.remove(&log) else { return };
        let Some(build) = self.open.get_mut(&log) else { return };
        build.last_activity = self.clock;
        if !resuming.what.downloads_wait {
            // they had gone out
            build.hand_out_downloads(told_before);
            self.files.told_by_a_log(build.take_left());
        }
    }

    /// Something new came of a log that was not read again to its end: it cannot be any more. What is known of its
    /// build is told.
    pub(super) fn replayed_no_further(&mut self, log: [u8; 16], out: &mut Vec<Outcome>) {
        let Some(Resuming { source, what, will, .. }) = self.resuming.remove(&log) else { return };
        self.open.remove(&log);
        self.words.remove(&log);
        if let (Some(will), Some(first_offset)) = (will, what.first_offset) {
            will.execute(&source, first_offset, &self.settings, out);
        }
    }
}
