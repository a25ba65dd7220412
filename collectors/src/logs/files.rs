//! All logs that are known, by what they are and by their names, and how many of them are held open.
//!
//! It keeps the maps in step and decides which handle may be closed. It must not read, parse or send.
//!
//! Invariants: a path leads to at most one file; no handle is closed whose file waits
//! to be read; the lag is the sum over all files at any time.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;

use super::file::{File, Name, Position};
use super::lag::Lag;
use crate::os::Key;

/// Files that were renamed to where no glob finds them and are followed no longer: if one comes back it is not read
/// twice. So many are remembered, the oldest is forgotten first.
const MOST_PARKED: usize = 4096;

/// How many handles are looked at to find one that may be closed.
const MOST_LOOKED_AT: usize = 128;

#[derive(Debug, Default)]
pub(crate) struct Files {
    by_key: HashMap<Key, File>,
    by_path: HashMap<Arc<Path>, Key>,
    /// Files with a handle, roughly by when they were used last.
    open: VecDeque<Key>,
    lag: Lag,
    parked: HashMap<Key, Position>,
    parked_order: VecDeque<Key>,
}

impl Files {
    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(crate) fn lag(&self) -> &Lag {
        &self.lag
    }

    pub(crate) fn open_handles(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn at(&self, path: &Path) -> Option<Key> {
        self.by_path.get(path).copied()
    }

    pub(crate) fn get(&self, key: Key) -> Option<&File> {
        self.by_key.get(&key)
    }

    /// Does something to a file, if it is known, and keeps the lag right.
    pub(crate) fn with<T>(&mut self, key: Key, act: impl FnOnce(&mut File) -> T) -> Option<T> {
        let file = self.by_key.get_mut(&key)?;
        let result = act(file);
        file.behind = self.lag.is(key, file.behind, file.read_to(), file.lag());
        Some(result)
    }

    pub(crate) fn insert(&mut self, key: Key, mut file: File) {
        file.behind = self.lag.is(key, None, file.read_to(), file.lag());
        self.by_key.insert(key, file);
    }

    /// One that has no name and is open.
    pub(crate) fn insert_open(&mut self, key: Key, mut file: File, handle: std::fs::File) {
        file.handle = Some(handle);
        self.open.push_back(key);
        self.insert(key, file);
    }

    /// Takes a file out with all its names.
    pub(crate) fn remove(&mut self, key: Key) -> Option<File> {
        let file = self.by_key.remove(&key)?;
        self.lag.is(key, file.behind, file.read_to(), 0);
        for name in &file.names {
            if self.by_path.get(&name.path) == Some(&key) {
                self.by_path.remove(&name.path);
            }
        }
        if file.handle.is_some() {
            self.open.retain(|it| *it != key);
        }
        Some(file)
    }

    /// Remembers where a file was left that may come back.
    pub(crate) fn park(&mut self, key: Key, position: Position) {
        if self.parked.insert(key, position).is_none() {
            self.parked_order.push_back(key);
        }
        if self.parked_order.len() > MOST_PARKED
            && let Some(oldest) = self.parked_order.pop_front()
        {
            self.parked.remove(&oldest);
        }
    }

    pub(crate) fn parked(&self, key: Key) -> Option<Position> {
        self.parked.get(&key).copied()
    }

    /// The file has this name. What had it before must have lost it.
    pub(crate) fn add_name(&mut self, key: Key, path: &Path, by_glob: bool, pass: u64) {
        let Some(file) = self.by_key.get_mut(&key) else { return };
        if by_glob {
            file.orphaned = None;
        }
        if let Some(name) = file.names.iter_mut().find(|it| *it.path == *path) {
            name.by_glob |= by_glob;
            name.pass = pass;
            return;
        }
        let path: Arc<Path> = path.into();
        file.names.push(Name { path: Arc::clone(&path), by_glob, pass });
        self.by_path.insert(path, key);
    }

    /// The path leads elsewhere or nowhere. Gives the file that lost it, and whether a glob had found it there.
    pub(crate) fn drop_name(&mut self, path: &Path) -> Option<(Key, bool)> {
        let key = self.by_path.remove(path)?;
        let file = self.by_key.get_mut(&key)?;
        let at = file.names.iter().position(|it| *it.path == *path)?;
        Some((key, file.names.swap_remove(at).by_glob))
    }

    /// Names by which a glob found a file in earlier passes, and not in this one.
    pub(crate) fn unseen(&self, pass: u64) -> Vec<Arc<Path>> {
        let names = self.by_key.values().flat_map(|file| &file.names);
        names.filter(|it| it.by_glob && it.pass < pass).map(|it| Arc::clone(&it.path)).collect()
    }

    pub(crate) fn keys(&self) -> Vec<Key> {
        self.by_key.keys().copied().collect()
    }

    /// Files that are read also through the target of a symbolic link.
    pub(crate) fn links(&self) -> Vec<Key> {
        self.by_key.iter().filter(|(_, file)| file.target_dir.is_some()).map(|(key, _)| *key).collect()
    }

    /// Opens a file that is closed, and remembers that it is open.
    pub(crate) fn open(&mut self, key: Key) -> std::io::Result<()> {
        let Some(file) = self.by_key.get_mut(&key) else { return Ok(()) };
        if file.handle.is_none() {
            file.open()?;
            self.open.push_back(key);
        }
        Ok(())
    }

    pub(crate) fn close(&mut self, key: Key) {
        if let Some(file) = self.by_key.get_mut(&key)
            && file.handle.take().is_some()
        {
            self.open.retain(|it| *it != key);
        }
    }

    /// A file whose handle can be closed with the least harm, if there is one.
    pub(crate) fn idlest(&mut self) -> Option<Key> {
        for _ in 0..self.open.len().min(MOST_LOOKED_AT) {
            let key = self.open.pop_front()?;
            self.open.push_back(key);
            let Some(file) = self.by_key.get_mut(&key) else { continue };
            let was_used = std::mem::take(&mut file.used);
            if !was_used && !file.queued && !file.has_changed() {
                return Some(key);
            }
        }
        // one that cannot be read to its end just now would stand in the way of all others
        let waits = |key: &&Key| self.by_key.get(*key).is_some_and(|it| !it.queued);
        self.open.iter().take(MOST_LOOKED_AT).find(waits).copied()
    }
}
