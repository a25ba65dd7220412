//! Which directories the file system gives hints for.
//!
//! One watcher (on Linux one inotify instance, of which a user has few) for all directories. A directory is known by
//! what it is, not only by its name, so that one that was removed and made again is watched again. Nothing depends on
//! hints: where the kernel refuses a watch, rescans do the work, and this module says so.
//!
//! Invariant: no error here ends anything; each is returned as a [`Problem`] to be counted.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use notify::{ErrorKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::hints::Inbox;
use crate::harness::Problem;
use crate::os::Key;

/// After the kernel's limit was reached, how long until it is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// The watcher and what it watches.
#[derive(Debug)]
pub(crate) struct Watches {
    /// Whether any are wanted at all.
    is_on: bool,
    inbox: Arc<Inbox>,
    watcher: Option<RecommendedWatcher>,
    by_path: HashMap<PathBuf, Watched>,
    by_key: HashMap<Key, PathBuf>,
    /// No attempt before this.
    retry_at: Option<Instant>,
    /// Directories that are wanted and not watched, in the present pass.
    missing: usize,
    was_missing: bool,
}

#[derive(Debug)]
struct Watched {
    key: Key,
    /// The last pass over everything that wanted it.
    pass: u64,
}

impl Watches {
    pub(crate) fn new(inbox: Arc<Inbox>, is_on: bool) -> Self {
        Self {
            is_on,
            inbox,
            watcher: None,
            by_path: HashMap::new(),
            by_key: HashMap::new(),
            retry_at: None,
            missing: 0,
            was_missing: false,
        }
    }

    /// Sees to it that a directory is watched.
    pub(crate) fn want(&mut self, path: &Path, key: Key, pass: u64) -> Result<(), Problem> {
        match self.by_path.get_mut(path) {
            Some(known) if known.key == key => {
                known.pass = pass;
                return Ok(());
            }
            Some(_) => self.forget(path),
            None => {}
        }
        match self.by_key.get(&key).cloned() {
            // another name of the same directory, and still one: hints come under that one
            Some(other) if self.by_path.get(&other).is_some_and(|it| it.pass == pass) => return Ok(()),
            // one that it had, perhaps: the kernel keeps one name of a directory
            Some(other) => self.forget(&other),
            None => {}
        }
        let now = Instant::now();
        if !self.is_on || self.retry_at.is_some_and(|at| now < at) {
            self.missing += 1;
            return Ok(());
        }
        match self.watch(path) {
            Ok(()) => {
                self.by_path.insert(path.to_owned(), Watched { key, pass });
                self.by_key.insert(key, path.to_owned());
                Ok(())
            }
            // gone since it was found: that is no failure of the watcher
            Err(error) if is_absent(&error) => Ok(()),
            Err(error) => {
                self.missing += 1;
                let problem = problem_of(&error);
                if problem == Problem::WatchLimit || self.watcher.is_none() {
                    self.retry_at = now.checked_add(RETRY_AFTER);
                }
                Err(problem)
            }
        }
    }

    /// Keeps a directory watched for this pass, if it is.
    pub(crate) fn keep(&mut self, path: &Path, pass: u64) {
        if let Some(known) = self.by_path.get_mut(path) {
            known.pass = pass;
        }
    }

    /// The name under which a directory is watched, whatever else it is called.
    pub(crate) fn name_of(&self, key: Key) -> Option<&Path> {
        self.by_key.get(&key).map(PathBuf::as_path)
    }

    pub(crate) fn contains(&self, path: &Path) -> bool {
        self.by_path.contains_key(path)
    }

    /// The directory is gone or is another one now.
    pub(crate) fn forget(&mut self, path: &Path) {
        if let Some(known) = self.by_path.remove(path) {
            if self.by_key.get(&known.key).is_some_and(|it| it == path) {
                self.by_key.remove(&known.key);
            }
            if let Some(watcher) = &mut self.watcher {
                // the kernel has most likely dropped it by itself
                drop(watcher.unwatch(path));
            }
        }
    }

    /// A pass over everything ended: what it did not want is watched no longer.
    pub(crate) fn end_of_pass(&mut self, pass: u64) {
        let unwanted: Vec<_> =
            self.by_path.iter().filter(|(_, it)| it.pass < pass).map(|(path, _)| path.clone()).collect();
        for path in unwanted {
            self.forget(&path);
        }
        self.was_missing = std::mem::take(&mut self.missing) > 0;
    }

    /// Whether there were directories in the last pass that are not watched.
    pub(crate) fn are_missing(&self) -> bool {
        self.was_missing || self.missing > 0
    }

    fn watch(&mut self, path: &Path) -> notify::Result<()> {
        let watcher = match &mut self.watcher {
            Some(watcher) => watcher,
            none => {
                let inbox = Arc::clone(&self.inbox);
                none.insert(notify::recommended_watcher(move |event| inbox.noticed(event))?)
            }
        };
        watcher.watch(path, RecursiveMode::NonRecursive)
    }
}

fn problem_of(error: &notify::Error) -> Problem {
    match &error.kind {
        ErrorKind::MaxFilesWatch => Problem::WatchLimit,
        // inotify_init: the user's instances, or the process's files, are used up
        ErrorKind::Io(error) if crate::os::is_out_of_descriptors(error) => Problem::WatchLimit,
        ErrorKind::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => Problem::PermissionDenied,
        ErrorKind::Io(_)
        | ErrorKind::Generic(_)
        | ErrorKind::PathNotFound
        | ErrorKind::WatchNotFound
        | ErrorKind::InvalidConfig(_) => Problem::WatchFailed,
    }
}

fn is_absent(error: &notify::Error) -> bool {
    match &error.kind {
        ErrorKind::PathNotFound => true,
        ErrorKind::Io(error) => super::walk::is_absent(error),
        ErrorKind::Generic(_) | ErrorKind::WatchNotFound | ErrorKind::InvalidConfig(_) | ErrorKind::MaxFilesWatch => {
            false
        }
    }
}
