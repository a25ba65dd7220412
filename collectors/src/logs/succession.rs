//! A log that goes on in another file: the kubelet renames `0.log` and makes a new one, and a line that the runtime
//! had split may begin in the one and end in the other.
//!
//! The file that takes over a name is read after the one that had it, and begins with the parts of lines that were
//! open there. Nothing else is handed over: each file is a log of its own. It must not know how records look.
//!
//! Invariant: a file waits for the one before only as long as that one is being read.

use std::path::Path;

use super::bookmark::Cause;
use super::file::File;
use super::follow::Follower;
use crate::os::Key;

/// Of so many names it is remembered who had them; beyond it lines that were split at a rotation stay split.
const MOST_NAMES: usize = 4096;

/// Whether a file may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Succession {
    /// It begins by itself.
    Alone,
    /// It begins with what this one left open.
    After(Key),
    /// What was before it is not read to its end.
    Waits,
}

impl Follower<'_> {
    /// A glob found this file under this name so far.
    pub(crate) fn leave_name(&mut self, key: Key, path: &Path) {
        let may_hand_over = self.files.with(key, |file| {
            file.left = Some(path.to_owned());
            file.may_hand_over()
        });
        if may_hand_over == Some(true) && self.heritage.len() < MOST_NAMES {
            self.heritage.insert(path.to_owned(), key);
        }
    }

    /// A file that was never seen under its first name, which a glob finds: it is before the one that has it now.
    pub(crate) fn came_from(&mut self, key: Key, name: &Path) {
        if self.files.get(key).is_none_or(|it| it.read_to() > 0 || it.elder.is_some() || it.left.is_some()) {
            return;
        }
        let Some(younger) = self.files.at(name).filter(|it| *it != key) else {
            let elder = self.elder_at(name);
            self.files.with(key, |file| file.elder = elder);
            return self.leave_name(key, name);
        };
        let elder = self.files.with(younger, |it| if it.read_to() == 0 { it.elder.replace(key) } else { None });
        self.files.with(key, |file| file.elder = elder.flatten());
    }

    /// The file is known no longer.
    pub(crate) fn leave_nothing(&mut self, key: Key, file: &File) {
        if let Some(name) = &file.left
            && self.heritage.get(name) == Some(&key)
        {
            self.heritage.remove(name);
        }
    }

    /// Who had this name before.
    pub(crate) fn elder_at(&mut self, path: &Path) -> Option<Key> {
        self.heritage.remove(path).filter(|elder| self.files.get(*elder).is_some())
    }

    /// Before the first bytes of a file are read: reads on in the one before it, and takes over what that one holds.
    pub(crate) fn succession(&mut self, key: Key) -> Succession {
        let Some(file) = self.files.get(key).filter(|file| file.lag() > 0) else { return Succession::Alone };
        let Some(elder) = file.elder else { return Succession::Alone };
        if self.reads_on_in(elder) {
            self.enqueue(key, false);
            return Succession::Waits;
        }
        self.files.with(key, |file| file.elder = None);
        let flushed = self.files.with(elder, File::idle).flatten();
        self.outbox.extend(flushed);
        let Some(parts) = self.files.with(elder, File::hand_over).flatten() else { return Succession::Alone };
        self.files.with(key, |file| file.take_over(parts));
        Succession::After(elder)
    }

    /// Whether there is more to come of a file that is before another. What cannot be read is not waited for.
    fn reads_on_in(&mut self, elder: Key) -> bool {
        let is_left = self.files.with(elder, File::look_again) == Some(true);
        let Some(file) = self.files.get(elder).filter(|it| is_left && it.may_hand_over() && it.handle.is_some()) else {
            return false;
        };
        // that one waits itself: who waits for it might wait for ever, as names go round in circles
        if file.elder.is_some() {
            return false;
        }
        let before = file.read_to();
        self.turn(elder);
        // also what an earlier life has read: what is held at its end comes of reading it again
        self.files.get(elder).is_some_and(|it| it.read_to() < it.size && it.read_to() > before)
    }

    /// What the file before held is told of the one after it: nobody needs to read it there again.
    pub(crate) fn succeeded(&mut self, succession: Succession) {
        if let Succession::After(elder) = succession {
            let told = self.files.with(elder, |file| file.batch(Vec::new(), 0, Cause::Read));
            self.outbox.extend(told);
        }
    }
}
