//! An open build and what files show of its downloads.
//!
//! Invariant: downloads wait for files for a bounded time, and only where files are watched.

use gobeacon_collectors::modcache;
use gobeacon_formats::Timestamp;

use super::OpenBuild;
use crate::builds::Outcome;
use crate::builds::build::{SpanId, TraceId};
use crate::builds::downloads::Left;

/// How long downloads wait for what files tell of them, once the command went on.
const FILES_WITHIN_SECONDS: f64 = 1.0;
/// How long downloads that files have shown to their ends wait for what the log says of them.
const SHOWN_SECONDS: f64 = 2.0;

impl OpenBuild {
    /// When downloads are due to go out, if they wait.
    pub(in crate::builds) fn downloads_due(&self) -> Option<Timestamp> {
        self.downloads_due
    }

    /// Whether any have not gone out: they wait for what files tell, for the command to go on, or for its end.
    pub(in crate::builds) fn holds_downloads(&self) -> bool {
        self.downloads.len() > 0
    }

    /// Hands out the downloads that waited.
    pub(in crate::builds) fn release(&mut self, out: &mut Vec<Outcome>) {
        self.downloads_due = None;
        let is_loading = !std::mem::take(&mut self.went_on);
        if is_loading && self.downloads.waits() {
            // another one began meanwhile: its files will tell when it is over
            return;
        }
        self.send_downloads(out);
        self.flush(out);
    }

    /// How far a download that files showed is from one of this build; `None` when it is none of it.
    pub(in crate::builds) fn fits(&self, files: &modcache::Download) -> Option<f64> {
        self.downloads.fits(files)
    }

    /// Files showed a download of this build. When they have shown all that it has begun, these go out soon: what a
    /// log says of their ends comes at once.
    pub(in crate::builds) fn downloaded(&mut self, files: &modcache::Download, clock: Timestamp) {
        self.downloads.downloaded(files);
        if !self.went_on && !self.downloads.waits() {
            self.downloads_due = Some(clock.plus_seconds(SHOWN_SECONDS));
        }
    }

    /// A download of this build has gone out elsewhere.
    pub(in crate::builds) fn elsewhere(&mut self, module: &str, version: &str) {
        self.downloads.elsewhere(module, version);
    }

    /// Whether this build has told a download.
    pub(in crate::builds) fn knows(&self, module: &str, version: &str) -> bool {
        self.downloads.knows(module, version)
    }

    /// Where a download that is held will stand.
    pub(in crate::builds) fn span_of(&self, module: &str, version: &str) -> Option<(TraceId, SpanId)> {
        self.downloads.span_of(module, version).map(|span| (self.trace, span))
    }

    /// Downloads that were told without what files tell, since the last time.
    pub(in crate::builds) fn take_left(&mut self) -> Vec<Left> {
        self.downloads.take_left()
    }

    /// Tells what files showed of the downloads that go out now.
    pub(super) fn tell_files(&mut self, out: &mut Vec<Outcome>) {
        for (offset, facts, failed) in self.downloads.shown(self.trace) {
            out.push(Outcome::Downloaded(facts));
            self.tell(failed, offset, out);
        }
    }

    /// The command went on to compile or test: no download will come or fail any more. What files tell of them may
    /// still come, when the log was read first.
    pub(super) fn loaded(&mut self, out: &mut Vec<Outcome>) {
        if self.downloads.len() == 0 || self.went_on {
            return;
        }
        if self.files_are_watched && self.downloads.waits() {
            self.went_on = true;
            self.downloads_due = Some(self.last_activity.plus_seconds(FILES_WITHIN_SECONDS));
        } else {
            self.downloads_due = None;
            self.send_downloads(out);
        }
    }

    /// Hands out the downloads that are held, where there is room.
    pub(super) fn send_downloads(&mut self, out: &mut Vec<Outcome>) {
        self.tell_untold(out);
        if self.outbox.has_room_for(&self.downloads) {
            self.tell_files(out);
            self.outbox.loaded(&mut self.downloads, &mut self.times, &mut self.tally.folded);
        }
    }
}
