//! The end of one file, and the end of all of them.
//!
//! A file ends when no glob finds it any more and its writer is silent; then its parser gives out all it holds. When
//! the agent stops, a file has not ended: what its parser holds is left to the next life, which reads it again. Where no
//! life will know of this one, only a line that is being written stays.
//!
//! Invariant: stopping waits for nothing beyond the time it was given.

use std::time::Instant;

use super::file::File;
use super::follow::{FULL_WAIT, Follower};
use crate::Batch;
use crate::os::{self, Key};

impl Follower<'_> {
    /// Reads on in files that no glob finds any more, and ends those that are silent.
    pub(crate) fn look_after_orphans(&mut self, now: Instant) {
        if self.orphans.is_empty() || now < self.orphans_due || !self.outbox.is_empty() {
            return;
        }
        self.orphans_due = now + self.settings.rescan_interval;
        for key in std::mem::take(&mut self.orphans) {
            let Some(file) = self.files.get(key) else { continue };
            let Some(since) = file.orphaned else { continue };
            let silent = now.saturating_duration_since(since.max(file.last_data));
            self.orphans.push(key);
            if self.is_over(key, since, now) {
                self.turn(key);
                self.orphans.pop();
                self.end(key);
            } else if silent < self.settings.linger {
                self.enqueue(key, true);
            } else if self.is_read_up(key) {
                self.orphans.pop();
                self.end(key);
            }
        }
    }

    /// Looks a last time whether there is nothing more to read; what there is, is read.
    fn is_read_up(&mut self, key: Key) -> bool {
        let Some(before) = self.files.get(key).filter(|it| !it.queued).map(|it| it.last_data) else { return false };
        self.turn(key);
        // one that can be opened by no name will not come back
        self.files.get(key).is_some_and(|it| it.handle.is_none() || (it.last_data == before && !it.queued))
    }

    /// Nothing more will come from this file.
    pub(crate) fn end(&mut self, key: Key) {
        let Some(mut file) = self.files.remove(key) else { return };
        self.leave_nothing(key, &file);
        if !self.dismissed.remove(&key) {
            self.health.lost(file.lag());
        }
        let is_deleted = file.handle.as_ref().is_some_and(|it| os::stat_open(it).is_ok_and(|it| it.names == 0));
        if !is_deleted {
            self.files.park(key, file.position_after_end());
        }
        let ended = file.end().map(|batch| Batch { bookmark: batch.bookmark.filter(|_| !is_deleted), ..batch });
        self.outbox.extend(ended);
    }

    /// Reads what is there now and no more, and sends it. What is held stays where it is and can be read again, or all
    /// but a line that is being written is given out: see [`super::Settings::leaves_open`].
    pub(crate) fn drain(&mut self, by: Instant) {
        self.is_draining = true;
        self.passes.begin(&self.patterns);
        for key in std::mem::take(&mut self.orphans) {
            self.enqueue(key, true);
        }
        while !self.is_drained() {
            if Instant::now() >= by || self.batches.is_closed() {
                return self.give_up();
            }
            self.walk_on();
            if self.send() {
                self.read_on();
            } else {
                std::thread::park_timeout(FULL_WAIT);
            }
        }
        for key in self.files.keys() {
            if self.files.get(key).is_some_and(|it| it.orphaned.is_some()) {
                self.end(key);
            } else if !self.settings.leaves_open {
                let flushed = self.files.with(key, File::rest);
                self.outbox.extend(flushed.flatten());
            }
            while !self.send() {
                if Instant::now() >= by || self.batches.is_closed() {
                    return self.give_up();
                }
                std::thread::park_timeout(FULL_WAIT);
            }
        }
        self.say_lag();
        tracing::info!(files = self.files.len(), "all logs were read to their ends");
    }

    fn is_drained(&self) -> bool {
        let walked = self.hinted.is_done() && self.passes.under_way.is_none();
        walked && self.quiet.is_empty() && self.busy.is_empty() && self.outbox.is_empty()
    }

    fn give_up(&mut self) {
        self.say_lag();
        let unread_bytes = self.files.lag().total();
        tracing::warn!(
            unread_bytes,
            unsent_batches = self.outbox.len(),
            "the time to read the logs to their ends is over"
        );
    }
}
