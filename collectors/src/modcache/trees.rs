//! The folders of module caches: which are watched, and what is in them.
//!
//! Of a cache only `cache/download` is entered, and there not `sumdb`; of the folders above only the names on the way.
//! A folder is watched first and read then, so that what comes meanwhile is seen at least once.
//!
//! Invariant: nothing is opened but folders; no error ends anything, each is counted as a problem.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::harness::{Health, Problem};
use crate::os::{self, Inotify, Kind, Kinds, Watch};

use super::names::{self, Key, Name};

/// A module path has a few elements; what lies deeper was not made by the go command.
const DEEPEST: usize = 64;

/// Which folder of a cache it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// The cache itself.
    Root,
    /// `cache`.
    Cache,
    /// `cache/download` and below: the part of a module path.
    Download(String),
    /// The `@v` folder of a module.
    Versions(Arc<str>),
}

impl Place {
    /// What a folder in it is, where it is of interest.
    fn inside(&self, name: &str) -> Option<Self> {
        match self {
            Self::Root => (name == "cache").then_some(Self::Cache),
            Self::Cache => (name == "download").then(|| Self::Download(String::new())),
            Self::Download(path) if path.is_empty() => (name != "sumdb").then(|| Self::Download(name.to_owned())),
            Self::Download(path) if name == "@v" => Some(Self::Versions(path.as_str().into())),
            Self::Download(path) if path.matches('/').count() >= DEEPEST => None,
            Self::Download(path) => Some(Self::Download(format!("{path}/{name}"))),
            Self::Versions(_) => None,
        }
    }

    /// Whether a symbolic link may stand for a folder in it: caches are moved to other disks that way.
    fn follows_links(&self) -> bool {
        match self {
            Self::Root | Self::Cache => true,
            Self::Download(_) | Self::Versions(_) => false,
        }
    }
}

/// A watched folder.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    pub(super) root: [u8; 16],
    pub(super) path: PathBuf,
    pub(super) place: Place,
}

/// A file that was found.
#[derive(Debug)]
pub(super) enum Seen {
    Zip(Key),
    Tmp(Key, String),
}

/// All watched folders.
#[derive(Debug)]
pub(super) struct Trees {
    inotify: Option<Arc<Inotify>>,
    folders: HashMap<Watch, Folder>,
    /// A folder is not watched that should be.
    is_short: bool,
}

impl Trees {
    pub(super) fn new(inotify: Option<Arc<Inotify>>) -> Self {
        Self { inotify, folders: HashMap::new(), is_short: false }
    }

    /// The kernel tells nothing any more.
    pub(super) fn broken(&mut self) {
        self.inotify = None;
        self.folders.clear();
    }

    /// Whether something happens that nobody tells of.
    pub(super) fn must_look(&self) -> bool {
        self.inotify.is_none() || self.is_short
    }

    /// Before everything is looked at again.
    pub(super) fn begin_look(&mut self) {
        self.is_short = false;
    }

    pub(super) fn watched(&self) -> usize {
        self.folders.len()
    }

    pub(super) fn folder(&self, watch: Watch) -> Option<&Folder> {
        self.folders.get(&watch)
    }

    /// The kernel ended a watch.
    pub(super) fn unwatched(&mut self, watch: Watch) {
        self.folders.remove(&watch);
    }

    /// A folder is not where it was: it and all below it are watched no more.
    pub(super) fn gone(&mut self, root: [u8; 16], path: &Path) {
        let inotify = self.inotify.as_ref();
        self.folders.retain(|watch, folder| {
            let is_gone = folder.root == root && folder.path.starts_with(path);
            if let Some(inotify) = inotify.filter(|_| is_gone) {
                inotify.unwatch(*watch);
            }
            !is_gone
        });
    }

    /// A folder appeared in a watched one.
    pub(super) fn appeared(&mut self, parent: &Folder, name: &str, health: &Health, each: &mut dyn FnMut(Seen)) {
        if let Some(place) = parent.place.inside(name) {
            self.look(Folder { root: parent.root, path: parent.path.join(name), place }, health, each);
        }
    }

    /// Watches a folder and all below it that are of interest, and tells what is there.
    pub(super) fn look(&mut self, from: Folder, health: &Health, each: &mut dyn FnMut(Seen)) {
        let mut left = vec![from];
        while let Some(folder) = left.pop() {
            self.watch(&folder, health);
            let entries = match fs::read_dir(&folder.path) {
                Ok(entries) => entries,
                // it may come later, or is gone already
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    health.problem(Problem::of(&error));
                    continue;
                }
            };
            for entry in entries.flatten() {
                let name = entry.file_name();
                let Some(name) = name.to_str() else { continue };
                if let Place::Versions(module) = &folder.place {
                    each_file(module, name, each);
                } else if let Some(place) = folder.place.inside(name)
                    && is_folder(&entry, &folder.place)
                {
                    left.push(Folder { root: folder.root, path: entry.path(), place });
                }
            }
        }
    }

    fn watch(&mut self, folder: &Folder, health: &Health) {
        let Some(inotify) = &self.inotify else { return };
        let kinds = Kinds { created: true, moved: true, deleted: true, gone: true, ..Kinds::default() };
        match inotify.watch(&folder.path, kinds) {
            Ok(watch) => _ = self.folders.insert(watch, folder.clone()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // looking needs the same permission: it would find no more
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => health.problem(Problem::PermissionDenied),
            Err(error) => {
                self.is_short = true;
                let is_limit = error.kind() == io::ErrorKind::StorageFull;
                health.problem(if is_limit { Problem::WatchLimit } else { watch_problem(&error) });
            }
        }
    }
}

fn each_file(module: &Arc<str>, name: &str, each: &mut dyn FnMut(Seen)) {
    let key = |version: &str| Key { module: Arc::clone(module), version: version.into() };
    match names::read(name) {
        Name::Zip(version) => each(Seen::Zip(key(version))),
        Name::Tmp(version) => each(Seen::Tmp(key(version), name.to_owned())),
        Name::Other => {}
    }
}

fn is_folder(entry: &fs::DirEntry, parent: &Place) -> bool {
    let Ok(kind) = entry.file_type() else { return false };
    let leads_to_one = || os::stat(&entry.path()).is_ok_and(|stat| stat.kind == Kind::Directory);
    kind.is_dir() || (kind.is_symlink() && parent.follows_links() && leads_to_one())
}

fn watch_problem(error: &io::Error) -> Problem {
    let problem = Problem::of(error);
    if problem == Problem::Io { Problem::WatchFailed } else { problem }
}
