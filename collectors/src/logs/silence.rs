//! What a log says by saying nothing: a message is complete, a command is over.
//!
//! It must not read a file.
//!
//! Invariant: nothing is given out while the channel is full.

use std::time::Instant;

use super::follow::{FULL_WAIT, Follower};
use crate::os::Key;

impl Follower<'_> {
    pub(super) fn flush_later(&mut self, key: Key) {
        let (flush_after, rest_after) = (self.settings.flush_after, self.settings.rest_after);
        let (flushes, rests) = (&mut self.flushes, &mut self.rests);
        self.files.with(key, |file| {
            if !file.is_holding() {
                return;
            }
            if !std::mem::replace(&mut file.flush_queued, true) {
                flushes.insert((file.last_data + flush_after, key));
            }
            if !std::mem::replace(&mut file.rest_queued, true) {
                rests.insert((file.last_data + rest_after, key));
            }
        });
    }

    /// Gives out what waited only for more lines, where none came for long enough.
    pub(super) fn flush_silent(&mut self, now: Instant) {
        while self.outbox.is_empty()
            && let Some((at, key)) = self.flushes.first().copied()
            && at <= now
        {
            self.flushes.remove(&(at, key));
            let Some(file) = self.files.get(key) else { continue };
            let silent_from = file.last_data + self.settings.flush_after;
            if silent_from > now || file.queued {
                self.flushes.insert((silent_from.max(now + FULL_WAIT), key));
                continue;
            }
            let flushed = self.files.with(key, |file| {
                file.flush_queued = false;
                file.idle()
            });
            self.outbox.extend(flushed.flatten());
            self.send();
        }
    }

    /// Gives out tests and packages that are still open where the silence says that their command is over.
    pub(super) fn rest_silent(&mut self, now: Instant) {
        while self.outbox.is_empty()
            && let Some((at, key)) = self.rests.first().copied()
            && at <= now
        {
            self.rests.remove(&(at, key));
            let Some(file) = self.files.get(key) else { continue };
            let silent_from = file.last_data + self.settings.rest_after;
            if silent_from > now || file.queued {
                self.rests.insert((silent_from.max(now + FULL_WAIT), key));
                continue;
            }
            let rested = self.files.with(key, |file| {
                file.rest_queued = false;
                file.rest()
            });
            self.outbox.extend(rested.flatten());
            self.send();
        }
    }
}
