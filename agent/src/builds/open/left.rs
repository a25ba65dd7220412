//! An open build that the agent leaves: what is known of it at any moment, and what goes out of it when a later life
//! is to go on with it.
//!
//! Invariant: what a later life sees again in the log does not go out here.

use super::OpenBuild;
use crate::builds::Outcome;
use crate::builds::root::Known;
use crate::builds::will::Will;

impl OpenBuild {
    /// What its root span would say, should its log be gone when a later life looks for it. What is held of it is then
    /// without spans, and counted as such.
    pub(in crate::builds) fn will(&self) -> Will {
        let (tests, packages, unfinished) = self.packages.held();
        let (pooled_tests, pooled_packages) = self.outbox.pooled();
        let (downloads, requests) = self.downloads.held();
        let mut tally = self.tally.clone();
        tally.packages.unfinished += unfinished;
        tally.folded.tests += tests + pooled_tests;
        tally.folded.packages += packages + pooled_packages;
        tally.folded.downloads += downloads;
        tally.folded.requests += requests;
        let known =
            Known { exit_code: self.exit_code, echo: self.echo.as_deref(), tally: &tally, findings: &self.findings };
        Will::new(known.root(), self.times.range(self.last_activity))
    }

    /// The agent ends, and a later life goes on with this build. Files that showed downloads are shown to nobody
    /// again: where there are any, what is held of downloads goes out with them.
    pub(in crate::builds) fn leave(&mut self, out: &mut Vec<Outcome>) {
        if self.downloads.are_shown() {
            self.hand_out_downloads(out);
        }
        self.flush(out);
    }

    /// Hands out all downloads that are held, where there is room.
    pub(in crate::builds) fn hand_out_downloads(&mut self, out: &mut Vec<Outcome>) {
        (self.downloads_due, self.went_on) = (None, false);
        self.send_downloads(out);
        self.flush(out);
    }
}
