//! Which caches there are: those that come, those that go, and where one may come.
//!
//! Where a cache is wanted and is not there yet the nearest directory that is there is watched, so that a cache is
//! known before the go command that makes it asks for anything.
//!
//! Invariant: a cache that cannot be watched for want of watches is polled, and tried again.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gobeacon_formats::Timestamp;

use super::cache::Cache;
use super::polling::{self, Poll};
use super::walk::Walk;
use super::watches::Watches;
use super::{Event, How, Settings};
use crate::harness::{Health, Problem};
use crate::os::Inotify;
use crate::roots::{self, Wanted};
use crate::{Places, Root};

/// How often watching is tried again.
const RETRY: Duration = Duration::from_secs(60);
/// Most places watched where a cache may come.
const MOST_PARENTS: usize = 256;
/// A directory that comes may hold the one that is waited for: so often it is looked again at once.
const MOST_LOOKS: usize = 8;

/// One cache, and how it is polled where it is.
pub(super) struct Followed {
    pub(super) cache: Cache,
    pub(super) poll: Poll,
    retry: Instant,
}

impl Followed {
    fn blind(&mut self) {
        if self.cache.how == How::Watched {
            self.cache.how = How::Polled;
            self.cache.events.push(Event::Seen(How::Polled));
            self.poll = Poll::new(Instant::now());
        }
    }
}

/// All caches.
#[derive(Default)]
pub(super) struct Caches {
    pub(super) followed: BTreeMap<u32, Followed>,
    /// Those that went, until it is told.
    pub(super) gone: Vec<Cache>,
    next_number: u32,
    /// When they were looked for last.
    looked: Option<Timestamp>,
    parents: Vec<PathBuf>,
    /// Named folders that cannot be used, each said once.
    unusable: BTreeMap<PathBuf, io::ErrorKind>,
}

/// What watching needs; `None` where the kernel tells nothing.
pub(super) type Kernel = Option<(Arc<Inotify>, Arc<Watches>)>;

impl Caches {
    /// Looks for caches, and watches those that are new.
    pub(super) fn find(&mut self, settings: &Settings, kernel: &Kernel, now: Timestamp, health: &Health) {
        for _ in 0..MOST_LOOKS {
            let since = self.looked.replace(now);
            self.look_for(&settings.places, settings, kernel, since, now, health);
            let Some((inotify, watches)) = kernel else { return };
            if !self.watch_parents(&settings.places, inotify, watches) {
                return;
            }
        }
    }

    /// The kernel tells nothing any more.
    pub(super) fn blind(&mut self) {
        self.followed.values_mut().for_each(Followed::blind);
    }

    /// The kernel does not tell of all directories of a cache: better it is not watched at all than in part.
    pub(super) fn blind_of(&mut self, number: u32, kernel: &Kernel, health: &Health) {
        let Some(followed) = self.followed.get_mut(&number).filter(|it| it.cache.how == How::Watched) else { return };
        health.problem(Problem::WatchLimit);
        tracing::warn!(cache = %followed.cache.path.display(), "there are not enough watches: a build cache is polled");
        followed.blind();
        if let Some((inotify, watches)) = kernel {
            watches.forget_root(inotify, number);
        }
    }

    /// A cache is not there any more.
    pub(super) fn remove(&mut self, number: u32, kernel: &Kernel, now: Timestamp) {
        let Some(Followed { mut cache, .. }) = self.followed.remove(&number) else { return };
        if let Some((inotify, watches)) = kernel {
            watches.forget_root(inotify, number);
        }
        tracing::info!(cache = %cache.path.display(), "a build cache is gone");
        cache.finish(now);
        cache.events.push(Event::Gone);
        self.gone.push(cache);
    }

    fn look_for(
        &mut self,
        places: &Places,
        settings: &Settings,
        kernel: &Kernel,
        since: Option<Timestamp>,
        now: Timestamp,
        health: &Health,
    ) {
        let mut found = Vec::new();
        for root in roots::find(Wanted::BuildCache, places) {
            match root {
                Ok(root) => found.push(root),
                Err((path, error)) => self.unusable(path, &error, health),
            }
        }
        let is_there = |cache: &Cache| found.iter().any(|root| root.id == cache.root.id);
        let went = self.followed.iter().filter(|(_, it)| !is_there(&it.cache)).map(|(number, _)| *number);
        for number in went.collect::<Vec<_>>() {
            self.remove(number, kernel, now);
        }
        for root in found {
            match self.followed.values_mut().find(|it| it.cache.root.id == root.id) {
                Some(followed) => again(followed, kernel, now, health),
                None => self.add(root, settings, kernel, since, health),
            }
        }
    }

    fn add(
        &mut self,
        root: Arc<Root>,
        settings: &Settings,
        kernel: &Kernel,
        since: Option<Timestamp>,
        health: &Health,
    ) {
        let number = self.next_number;
        self.next_number += 1;
        self.unusable.remove(&root.path);
        let how = watch(&root.path, number, None, kernel, health);
        tracing::info!(cache = %root.path.display(), how = how.name(), "a build cache is followed");
        let mut cache = Cache::new(root, number, how, Walk::new(settings.inventory_interval, Instant::now()));
        if let Some(since) = since
            && how == How::Watched
        {
            cache.came_since(since);
        }
        let now = Instant::now();
        self.followed.insert(number, Followed { cache, poll: Poll::new(now), retry: now + RETRY });
    }

    /// Says whether any place is watched that was not before.
    fn watch_parents(&mut self, places: &Places, inotify: &Inotify, watches: &Watches) -> bool {
        let absent = roots::absent(Wanted::BuildCache, places);
        let nearest = absent.iter().filter_map(|path| path.ancestors().skip(1).find(|it| it.is_dir()));
        let mut parents: Vec<_> = nearest.map(Path::to_owned).take(MOST_PARENTS).collect();
        parents.sort();
        parents.dedup();
        if parents == self.parents {
            return false;
        }
        watches.forget_parents(inotify);
        for parent in &parents {
            if let Err(error) = watches.watch_parent(inotify, parent) {
                // the look from time to time finds it too, a little later
                tracing::debug!(folder = %parent.display(), %error, "a place where a cache may come is not watched");
            }
        }
        self.parents = parents;
        true
    }

    fn unusable(&mut self, path: PathBuf, error: &io::Error, health: &Health) {
        // one that is not there yet is waited for
        if error.kind() == io::ErrorKind::NotFound || self.unusable.get(&path) == Some(&error.kind()) {
            return;
        }
        tracing::warn!(cache = %path.display(), %error, "a build cache that is named cannot be used");
        health.problem(problem(error));
        self.unusable.insert(path, error.kind());
    }
}

/// Tries again to watch or read what could not be.
fn again(followed: &mut Followed, kernel: &Kernel, now: Timestamp, health: &Health) {
    let Followed { cache, poll, retry } = followed;
    if cache.how == How::Watched || Instant::now() < *retry || (cache.how == How::Polled && kernel.is_none()) {
        return;
    }
    *retry = Instant::now() + RETRY;
    let how = watch(&cache.path, cache.number, Some(cache.how), kernel, health);
    if how != cache.how {
        tracing::info!(cache = %cache.path.display(), how = how.name(), "a build cache is seen in another way");
        cache.how = how;
        cache.events.push(Event::Seen(how));
        // what came since the last look, up to the watch
        polling::poll(cache, poll, now, health);
        *poll = Poll::new(Instant::now());
    }
}

/// Watches a cache and its directories: all of them or none. What is as it `was` is counted and not said again.
fn watch(path: &Path, number: u32, was: Option<How>, kernel: &Kernel, health: &Health) -> How {
    if let Err(error) = std::fs::read_dir(path) {
        if was != Some(How::Unreadable) {
            tracing::warn!(cache = %path.display(), %error, "a build cache cannot be read");
        }
        health.problem(problem(&error));
        return How::Unreadable;
    }
    let Some((inotify, watches)) = kernel else { return How::Polled };
    let shared: Arc<Path> = Arc::from(path);
    let root = watches.watch_root(inotify, number, &shared);
    let watched = root.and_then(|()| {
        (0..=255).try_for_each(|dir| match watches.watch_dir(inotify, number, path, dir) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                tracing::warn!(cache = %path.display(), dir = format!("{dir:02x}"), "a directory of a build cache may not be read");
                health.problem(Problem::PermissionDenied);
                Ok(())
            }
            Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Err(error),
            Ok(()) | Err(_) => Ok(()),
        })
    });
    let Err(error) = watched else { return How::Watched };
    watches.forget_root(inotify, number);
    health.problem(problem(&error));
    if was != Some(How::Polled) {
        tracing::warn!(
            cache = %path.display(),
            %error,
            "a build cache cannot be watched: puts are looked for from time to time, and hits are not available"
        );
    }
    How::Polled
}

fn problem(error: &io::Error) -> Problem {
    // ENOSPC: the user has no watch left (fs.inotify.max_user_watches)
    if error.kind() == io::ErrorKind::StorageFull { Problem::WatchLimit } else { Problem::of(error) }
}
