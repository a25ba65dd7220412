//! What a log says by saying nothing: a message is complete, a command is over.
//!
//! It must not read a file.
//!
//! Invariant: nothing is given out while the channel is full.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::follow::{FULL_WAIT, Follower};
use crate::os::Key;

/// What a silence is long enough for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Silence {
    /// What waited only for more lines is complete.
    Flush,
    /// The command is over: tests and packages that are still open are given out.
    Rest,
}

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

    /// Gives out what such a silence makes certain, where it has lasted.
    pub(super) fn after_silence(&mut self, silence: Silence, now: Instant) {
        while self.outbox.is_empty()
            && let Some((at, key)) = self.due_after(silence).0.first().copied()
            && at <= now
        {
            let (due, after) = self.due_after(silence);
            due.remove(&(at, key));
            let Some(file) = self.files.get(key) else { continue };
            let silent_from = file.last_data + after;
            if silent_from > now || file.queued {
                self.due_after(silence).0.insert((silent_from.max(now + FULL_WAIT), key));
                continue;
            }
            let given_out = self.files.with(key, |file| match silence {
                Silence::Flush => {
                    file.flush_queued = false;
                    file.idle()
                }
                Silence::Rest => {
                    file.rest_queued = false;
                    file.rest()
                }
            });
            self.outbox.extend(given_out.flatten());
            self.send();
        }
    }

    /// The files that wait for it, and how long it must be.
    fn due_after(&mut self, silence: Silence) -> (&mut BTreeSet<(Instant, Key)>, Duration) {
        match silence {
            Silence::Flush => (&mut self.flushes, self.settings.flush_after),
            Silence::Rest => (&mut self.rests, self.settings.rest_after),
        }
    }
}
