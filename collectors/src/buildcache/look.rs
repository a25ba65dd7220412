//! Looking at files of a cache, so that no look is taken for a go command's.
//!
//! Names, lengths and times tell nearly all and open nothing. Outputs may be opened: nobody counts that. To open an
//! action raises the same event as a hit: each such look is noted, and its event is passed over.
//!
//! Invariant: an action is opened only through [`Looks::put_time`].

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gobeacon_formats::Timestamp;
use gobeacon_formats::cache_entry::{Name, OutputKind};

use super::inventory;
use super::known::Entry;
use super::queue::first_byte;
use crate::harness::{Health, Problem};
use crate::now;
use crate::os::{Kind, Stat};

/// The go command sets the time of a file that it wrote to the present; who restores sets it to an earlier one. Two
/// times of one write are not further apart than this on a busy machine.
pub(super) const OLD_SECONDS: f64 = 1.5;
/// A file is older than this when somebody merely sets its time.
const TOUCHED_SECONDS: f64 = 60.0;

/// Our own looks into actions whose events are still to come.
#[derive(Debug, Default)]
pub(super) struct Looks {
    own: HashMap<Name, u32>,
    last: Option<Timestamp>,
}

impl Looks {
    /// When the action says that it was put; `None` when it is no whole action. `is_watched`: an event will come.
    pub(super) fn put_time(&mut self, root: &Path, name: &Name, is_watched: bool) -> Option<Timestamp> {
        let read = inventory::read_action(&path_of(root, name));
        // where it could not be opened there is nothing to be closed
        if is_watched && read.is_ok() {
            *self.own.entry(*name).or_default() += 1;
            self.last = Some(now());
        }
        read.ok().flatten().map(|action| action.put)
    }

    /// Whether this event is of a look of ours.
    pub(super) fn is_own(&mut self, name: &Name) -> bool {
        let Some(count) = self.own.get_mut(name) else { return false };
        *count -= 1;
        if *count == 0 {
            self.own.remove(name);
        }
        true
    }

    /// Everything that was queued before this has been read: looks before it whose events did not come lost them.
    pub(super) fn read_until(&mut self, read_until: Timestamp) {
        if self.last.is_some_and(|last| last < read_until) {
            self.own.clear();
            self.last = None;
        }
    }
}

/// Where an entry is.
pub(super) fn path_of(root: &Path, name: &Name) -> PathBuf {
    let file = match name {
        Name::Action(id) => format!("{id}-a"),
        Name::Output(id) => format!("{id}-d"),
    };
    root.join(format!("{:02x}", first_byte(name))).join(file)
}

/// What an output is: its length, and the kind by how it begins and ends. `known` spares opening it.
pub(super) fn output(path: &Path, stat: &Stat, known: Option<OutputKind>) -> io::Result<Entry> {
    match stat.kind {
        Kind::File => {
            let kind = known.map_or_else(|| inventory::kind_of_file(path, stat.size), Ok)?;
            Ok(Entry { bytes: stat.size, kind: Some(kind) })
        }
        // since Go 1.24: a directory with one executable
        Kind::Directory => {
            let mut bytes = 0;
            for inside in fs::read_dir(path)? {
                bytes += inside?.metadata()?.len();
            }
            Ok(Entry { bytes, kind: Some(OutputKind::Executable) })
        }
        Kind::Other => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// The entries of one directory by name, in the order of the directory. Nothing is opened but the directory.
pub(super) fn names(root: &Path, dir: u8) -> io::Result<Vec<Name>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root.join(format!("{dir:02x}")))? {
        let name = entry?.file_name();
        names.extend(name.to_str().and_then(Name::parse).filter(|name| first_byte(name) == dir));
    }
    Ok(names)
}

/// Whether its time was set to an earlier one than that of the write.
pub(super) fn is_old(stat: &Stat) -> bool {
    stat.changed.seconds_since(stat.modified) > OLD_SECONDS
}

/// Whether it had been there for long when its time was set.
pub(super) fn is_touched(stat: &Stat) -> bool {
    stat.key.born.is_some_and(|born| stat.changed.seconds_since(Timestamp::from_nanos(born)) > TOUCHED_SECONDS)
}

/// That an entry is gone when it is looked at is no error: caches are used meanwhile.
pub(super) fn note(error: &io::Error, health: &Health) {
    match Problem::of(error) {
        Problem::NotFound => {}
        problem @ (Problem::PermissionDenied
        | Problem::TooManyOpenFiles
        | Problem::WatchLimit
        | Problem::WatchFailed
        | Problem::Io
        | Problem::Malformed
        | Problem::LimitReached) => health.problem(problem),
    }
}
