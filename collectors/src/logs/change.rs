//! Other settings for a reader that runs.
//!
//! Invariant: a file that a glob finds before and after is read on where it stands, with what its parser holds; one that
//! no glob finds any more is read to where it ends now, and its end is told.

use std::time::Instant;

use super::Settings;
use super::follow::Follower;
use super::glob::Patterns;
use super::walk::Walk;
use crate::os::Key;

impl Follower<'_> {
    /// Follows as these say from now on.
    pub(crate) fn change(&mut self, settings: Settings, patterns: Patterns) {
        let before = std::mem::replace(&mut self.settings, settings);
        (self.settings.watch, self.settings.leaves_open) = (before.watch, before.leaves_open);
        self.patterns = patterns;
        self.set_most_open();
        // its places are those of the old globs
        self.hinted = Walk::default();
        for key in self.files.keys() {
            self.judge(key);
        }
        self.passes.begin(&self.patterns);
        tracing::info!(files = self.files.len(), left = self.dismissed.len(), "other logs are followed from now on");
    }

    fn judge(&mut self, key: Key) {
        let Some(file) = self.files.get(key) else { return };
        let names: Vec<bool> = file.names.iter().map(|name| self.is_wanted_file(&name.path)).collect();
        let was_found = file.names.iter().any(|name| name.by_glob);
        let is_found = names.contains(&true);
        self.files.with(key, |file| {
            file.names.iter_mut().zip(names).for_each(|(name, is_wanted)| name.by_glob = is_wanted);
            if is_found {
                file.orphaned = None;
            }
        });
        if is_found {
            self.dismissed.remove(&key);
        } else if was_found {
            self.dismissed.insert(key);
            self.orphan(key);
        }
    }

    /// Whether a file that the settings no longer want was read on for long enough: its writer may never be silent.
    pub(crate) fn is_over(&self, key: Key, since: Instant, now: Instant) -> bool {
        self.dismissed.contains(&key) && now.saturating_duration_since(since) >= self.settings.linger
    }
}
