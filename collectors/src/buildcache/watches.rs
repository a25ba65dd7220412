//! Which directory each watch of the kernel stands for.
//!
//! Both threads add to it: the one that thinks adds caches, the one that reads adds the directories that a go command
//! makes meanwhile. Nobody holds the lock for longer than one call of the kernel takes.
//!
//! Invariant: a watch is known here before anything that it tells is looked up.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::os::{Inotify, Kinds, Watch};

/// What a watch is for.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// A cache.
    Root { root: u32, path: Arc<Path> },
    /// One of its 256 directories.
    Dir { root: u32, dir: u8 },
    /// Where a cache may come.
    Parent,
}

/// What is wanted of a cache and of where one may come: the same, so that one directory may be both.
const OF_ROOTS: Kinds =
    Kinds { created: true, modified: false, written: true, read: false, moved: true, deleted: true, gone: true };
/// What is wanted of the 256 directories.
const OF_DIRS: Kinds =
    Kinds { created: false, modified: false, written: true, read: true, moved: true, deleted: true, gone: false };

/// All watches of one inotify instance.
#[derive(Debug, Default)]
pub(super) struct Watches {
    places: Mutex<HashMap<Watch, Place>>,
}

impl Watches {
    /// Watches the root itself.
    pub(super) fn watch_root(&self, inotify: &Inotify, root: u32, path: &Arc<Path>) -> io::Result<()> {
        let mut places = self.lock();
        let watch = inotify.watch(path, OF_ROOTS)?;
        places.insert(watch, Place::Root { root, path: Arc::clone(path) });
        Ok(())
    }

    /// Watches one of the 256 directories.
    pub(super) fn watch_dir(&self, inotify: &Inotify, root: u32, path: &Path, dir: u8) -> io::Result<()> {
        let mut places = self.lock();
        let watch = inotify.watch(&path.join(format!("{dir:02x}")), OF_DIRS)?;
        places.insert(watch, Place::Dir { root, dir });
        Ok(())
    }

    /// Watches a directory where a cache may come.
    pub(super) fn watch_parent(&self, inotify: &Inotify, path: &Path) -> io::Result<()> {
        let mut places = self.lock();
        let watch = inotify.watch(path, OF_ROOTS)?;
        places.entry(watch).or_insert(Place::Parent);
        Ok(())
    }

    /// Ends the watches of places where a cache may come.
    pub(super) fn forget_parents(&self, inotify: &Inotify) {
        self.forget(inotify, |place| matches!(place, Place::Parent));
    }

    /// Ends all watches of one cache.
    pub(super) fn forget_root(&self, inotify: &Inotify, gone: u32) {
        self.forget(inotify, |place| match place {
            Place::Root { root, .. } | Place::Dir { root, .. } => *root == gone,
            Place::Parent => false,
        });
    }

    /// Ends the watch of one directory, where it still has one.
    pub(super) fn unwatch_dir(&self, inotify: &Inotify, of: u32, which: u8) {
        self.forget(inotify, |place| match place {
            Place::Dir { root, dir } => (*root, *dir) == (of, which),
            Place::Root { .. } | Place::Parent => false,
        });
    }

    /// What a watch is for.
    pub(super) fn place(&self, watch: Watch) -> Option<Place> {
        self.lock().get(&watch).cloned()
    }

    /// The kernel ended it.
    pub(super) fn ended(&self, watch: Watch) -> Option<Place> {
        self.lock().remove(&watch)
    }

    fn forget(&self, inotify: &Inotify, is_meant: impl Fn(&Place) -> bool) {
        let mut places = self.lock();
        places.retain(|watch, place| {
            let goes = is_meant(place);
            if goes {
                inotify.unwatch(*watch);
            }
            !goes
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Watch, Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
