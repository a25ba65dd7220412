//! Logs that an earlier life of the agent has read: found again, compared, and gone on with.
//!
//! Invariant: a log that is gone on with is the one that was read; of one that is not found it is said how much of it
//! nobody has read.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::bookmark::{Cause, Known, Replay};
use super::file::{self, File, Position};
use super::follow::Follower;
use super::unpack::{self, Unpacked};
use super::walk::is_absent;
use crate::harness::Problem;
use crate::os::{self, Key, Kind, Stat};
use crate::{Batch, Source};

/// Splits what is known: logs to go on with, and ended ones.
pub(crate) fn by_key(known: Vec<Known>) -> (HashMap<Key, Known>, Vec<(Key, Position)>) {
    let (mut open, mut ended) = (HashMap::new(), Vec::new());
    for known in known {
        let key = known.bookmark.key();
        if known.is_ended {
            ended.push((key, Position { offset: known.bookmark.read_to, incarnation: known.bookmark.incarnation }));
        } else {
            open.insert(key, known);
        }
    }
    (open, ended)
}

/// Their names; of two that had the same, that of the younger one.
pub(crate) fn names(known: &HashMap<Key, Known>) -> HashMap<PathBuf, Key> {
    let mut by_age: Vec<_> = known.iter().collect();
    by_age.sort_by_key(|(_, known)| known.bookmark.born);
    by_age.into_iter().map(|(key, known)| (known.path.clone(), *key)).collect()
}

impl Follower<'_> {
    /// The state of a file that is new to us; `None` when it cannot be looked into just now.
    pub(crate) fn file_for(&mut self, path: &Path, stat: &Stat) -> Option<File> {
        let backlog = (stat.modified < self.started).then_some(stat.modified);
        let Some(known) = self.known.get(&stat.key) else {
            let position = self.files.parked(stat.key).unwrap_or_default();
            return Some(File::new(path, stat, position, backlog));
        };
        let found = os::open(path).and_then(|handle| {
            let now = os::stat_open(&handle)?;
            known.bookmark.found_in(&handle, &now)
        });
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                self.complain(Some(path), Problem::of(&error));
                return None;
            }
        };
        let known = self.known.remove(&stat.key)?;
        let Some(seen) = found else {
            // truncated while nobody looked, or another file where the file system keeps no birth time
            self.health.truncated();
            let position = Position { offset: 0, incarnation: known.bookmark.incarnation.saturating_add(1) };
            self.gone(&known);
            return Some(File::new(path, stat, position, backlog));
        };
        Some(File::resumed(known, stat, seen, backlog))
    }

    /// Before a file is read that has the name of a log of an earlier life: that log was renamed, perhaps within a line,
    /// and is looked for beside it.
    pub(crate) fn look_for_elder(&mut self, path: &Path, key: Key) {
        let Some(old) = self.known_names.remove(path).filter(|old| *old != key) else { return };
        if self.files.get(old).is_none()
            && let Ok(mut found) = files_in(&folder(path), &[old])
            && let Some((renamed, stat)) = found.remove(&old)
            && self.known.get(&old).is_some_and(|it| it.is_open || it.bookmark.read_to != stat.size)
        {
            self.came_back(&renamed, &stat);
        }
        if self.files.get(old).is_some() {
            self.leave_name(old, path);
        }
    }

    /// After a look at everything: logs that no glob found are looked for beside their old names.
    pub(crate) fn look_for_missing(&mut self) {
        self.known_names.clear();
        let mut by_dir: HashMap<PathBuf, Vec<Key>> = HashMap::new();
        for (key, known) in &self.known {
            by_dir.entry(folder(&known.path)).or_default().push(*key);
        }
        for (dir, missing) in by_dir {
            let renamed = match files_in(&dir, &missing) {
                Ok(renamed) => renamed,
                // that may pass
                Err(error) if !is_absent(&error) => continue,
                Err(_) => HashMap::new(),
            };
            for key in missing {
                match renamed.get(&key) {
                    Some((path, stat)) => self.elsewhere(path, stat),
                    None => self.perhaps_packed(&dir, key),
                }
            }
        }
    }

    /// A log is there, and no glob found it.
    fn elsewhere(&mut self, path: &Path, stat: &Stat) {
        let Some(known) = self.known.get(&stat.key) else { return };
        let is_renamed = known.path != path;
        if !is_renamed && self.is_wanted_file(path) {
            // it could not be looked into, or came this moment: the next look finds it
            return;
        }
        if is_renamed && (known.is_open || known.bookmark.read_to != stat.size) {
            return self.file_elsewhere(path, stat);
        }
        if let Some(known) = self.known.remove(&stat.key) {
            let Known { bookmark, .. } = &known;
            let position = Position { offset: bookmark.read_to, incarnation: bookmark.incarnation.saturating_add(1) };
            self.files.park(stat.key, position);
            self.gone(&known);
        }
    }

    /// It is nowhere: it was compressed, or it is gone.
    fn perhaps_packed(&mut self, dir: &Path, key: Key) {
        let Some(known) = self.known.remove(&key) else { return };
        let found = unpack::unpacked(dir, &known).and_then(|found| {
            let Some(Unpacked { handle, seen }) = found else { return Ok(None) };
            // what it was, though it lies elsewhere
            Ok(Some((Stat { key, ..os::stat_open(&handle)? }, handle, seen)))
        });
        match found {
            Ok(Some((stat, handle, seen))) => {
                self.files.insert_open(key, File::resumed(known, &stat, seen, Some(stat.modified)), handle);
                self.orphan(key);
            }
            Ok(None) => self.not_found(&known),
            Err(error) => {
                if !is_absent(&error) {
                    self.complain(Some(&known.path), Problem::of(&error));
                }
                self.not_found(&known);
            }
        }
    }

    fn not_found(&mut self, known: &Known) {
        let unread = known.bookmark.unread();
        if unread > 0 {
            tracing::warn!(path = %known.path.display(), unread_bytes = unread, "a log went away unread while the agent was down");
        }
        self.health.lost(unread);
        self.gone(known);
    }

    /// Nothing more will come of a log of an earlier life.
    fn gone(&mut self, known: &Known) {
        let source =
            Source { id: file::id(known.bookmark.key(), known.bookmark.incarnation), path: known.path.clone() };
        self.outbox.push_back(Batch {
            source: Arc::new(source),
            observed: crate::now(),
            events: Vec::new(),
            lines: gobeacon_formats::LineCounts::default(),
            bytes: 0,
            read_to: known.bookmark.read_to,
            open_from: known.bookmark.read_to,
            ended: true,
            cause: Cause::Read,
            replay: Replay::No,
            bookmark: None,
        });
    }
}

/// The folder that a log is in: that of the file, where the name is a link.
fn folder(path: &Path) -> PathBuf {
    let real = fs::canonicalize(path);
    real.as_deref().unwrap_or(path).parent().unwrap_or(Path::new("/")).to_owned()
}

/// Which of these files are in this folder, whatever their names.
fn files_in(dir: &Path, wanted: &[Key]) -> io::Result<HashMap<Key, (PathBuf, Stat)>> {
    let entries = fs::read_dir(dir)?.flatten();
    let stats = entries.filter_map(|entry| Some((entry.path(), os::stat(&entry.path()).ok()?)));
    let ours = stats.filter(|(_, stat)| stat.kind == Kind::File && wanted.contains(&stat.key));
    Ok(ours.map(|(path, stat)| (stat.key, (path, stat))).collect())
}
