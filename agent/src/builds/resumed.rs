//! Builds that were open when an earlier life of the agent stopped, rebuilt from their logs.
//!
//! A log is read again from its start up to where it had been read: the events are those of then, in the same order.
//! All before the first event of the build that was open belongs to builds that are over, and is passed over; what
//! follows is taken in, and what it tells is thrown away, because the earlier life has told it.
//!
//! Invariant: a build that is half rebuilt tells nothing: neither time nor the end of the agent closes it.

use gobeacon_collectors::{Batch, Replay};

use super::open::OpenBuild;
use super::{Builds, Outcome};

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
    what: Resumption,
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

    /// This log will be read again: see [`Self::replay`].
    pub(crate) fn resume(&mut self, log: [u8; 16], what: Resumption) {
        self.resuming.insert(log, Resuming { what, has_begun: false });
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
        if build.downloads_due().is_some() && !resuming.what.downloads_wait {
            build.release(told_before);
            self.files.told_by_a_log(build.take_left());
        }
    }

    /// Something new came of a log that was not read again to its end: it cannot be any more.
    pub(super) fn replayed_no_further(&mut self, log: [u8; 16]) {
        if self.resuming.remove(&log).is_some() {
            self.open.remove(&log);
            self.words.remove(&log);
        }
    }

    /// The agent ends before all logs were read again: the next life begins where this one did.
    pub(super) fn forget_the_half_rebuilt(&mut self) {
        while let Some((log, _)) = self.resuming.pop_first() {
            self.open.remove(&log);
            self.words.remove(&log);
        }
    }
}
