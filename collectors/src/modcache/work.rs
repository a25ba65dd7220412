//! The thread that works: finds caches, keeps the watches, looks at downloads under way, and sends what it learned.
//!
//! It may wait for room in the channel, since another thread empties the queue of the kernel meanwhile.
//!
//! Invariant: what a notice does not tell a look does: after an overflow, without watches, and for files that are gone
//! without a word.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gobeacon_formats::Timestamp;
use tokio::sync::mpsc;

use super::disk::{Locked, file_facts, may_be_written, versions, zip, zip_path};
use super::drain::{self, Control, Noticed};
use super::known::Known;
use super::names::{self, Key, Name};
use super::survey;
use super::tracker::{FileFacts, Tracker};
use super::trees::{Folder, Place, Seen, Trees};
use super::{Ending, Event, Report, Settings};
use crate::harness::Problem;
use crate::harness::{Health, State};
use crate::now;
use crate::os::{self, Happened, Inotify};
use crate::roots::{self, Wanted};
use crate::stopping::Over;
use crate::{Observation, Root};

/// How often downloads under way are looked at, at the most and at the least.
const LOOKS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// A writer whose lock is free and whose file did not grow for so long is gone.
const SURELY_GONE_SECONDS: f64 = 3.0;
/// A look at everything takes at most one part in so many of the time.
const PART_OF_TIME: u32 = 20;

/// Does all of it until it is told to stop, or nobody receives.
pub(super) fn run(settings: &Settings, control: &Arc<Control>, health: &Health, to: &mpsc::Sender<Observation>) {
    let started = if settings.watch { start_drain(control).map(Some) } else { Ok(None) };
    let (inotify, drainer) = match started {
        Ok(started) => started.unzip(),
        Err(error) => {
            tracing::warn!(%error, "module caches are looked at from time to time: there is no notification");
            (None, None)
        }
    };
    let mut work = Work {
        settings,
        health,
        trees: Trees::new(inotify),
        caches: BTreeMap::new(),
        gone: Vec::new(),
        known: Known::default(),
        unusable: BTreeSet::new(),
        since: os::file_time(),
        is_first_look: true,
        looking_takes: Duration::ZERO,
        next_look: Instant::now(),
    };
    std::thread::scope(|scope| {
        let surveyor = std::thread::Builder::new().name("modcache survey".to_owned());
        let surveyed = surveyor.spawn_scoped(scope, || survey::run(settings, control, health, to));
        if let Err(error) = surveyed {
            tracing::warn!(%error, "nobody counts what module caches hold: there is no thread for it");
        }
        // the error says that nobody receives any more: then it is over too
        let _ = work.go_on(control, to);
        control.over();
    });
    // one that panicked has nothing more to tell
    drop(drainer.map(JoinHandle::join));
}

fn start_drain(control: &Arc<Control>) -> std::io::Result<(Arc<Inotify>, JoinHandle<()>)> {
    let inotify = Arc::new(Inotify::new()?);
    let (theirs, control) = (Arc::clone(&inotify), Arc::clone(control));
    let thread = std::thread::Builder::new().name("modcache drain".to_owned());
    Ok((inotify, thread.spawn(move || drain::run(&theirs, &control))?))
}

/// One cache.
struct Cache {
    root: Arc<Root>,
    tracker: Tracker,
    events: Vec<Event>,
}

struct Work<'a> {
    settings: &'a Settings,
    health: &'a Health,
    trees: Trees,
    caches: BTreeMap<[u8; 16], Cache>,
    /// Caches that are gone, and what they told last.
    gone: Vec<Cache>,
    known: Known,
    /// Configured caches that cannot be used, as was said.
    unusable: BTreeSet<PathBuf>,
    /// What ended before is none of our business.
    since: Timestamp,
    /// All that is found was there before.
    is_first_look: bool,
    /// How long the last look at everything took.
    looking_takes: Duration,
    /// When everything is looked at again, where that is needed.
    next_look: Instant,
}

impl Work<'_> {
    fn go_on(&mut self, control: &Control, to: &mpsc::Sender<Observation>) -> Result<(), Over> {
        let pause = (self.settings.stall_after / 4).clamp(LOOKS.0, LOOKS.1);
        let (mut next_find, mut next_poll) = (Instant::now(), Instant::now());
        loop {
            if Instant::now() >= next_find {
                self.find();
                next_find = Instant::now() + self.settings.rescan_interval;
            }
            let is_idle = self.caches.values().all(|cache| cache.tracker.is_idle());
            if is_idle {
                next_poll = Instant::now() + pause;
            } else if Instant::now() >= next_poll {
                self.poll();
                next_poll = Instant::now() + pause;
            }
            self.send(control, to)?;
            let wake = if is_idle { next_find } else { next_find.min(next_poll) };
            let taken = control.take(wake.saturating_duration_since(Instant::now()));
            for noticed in taken.notices {
                self.noticed(&noticed);
            }
            if taken.is_broken {
                self.trees.broken();
            }
            if taken.overflows > 0 {
                self.health.overflowed(taken.overflows);
                self.look_at_all();
            }
            if let Some(by) = control.stop.told() {
                // what the kernel has not handed over yet is found by looking, if there is time
                if self.looking_takes.saturating_mul(2) < by.saturating_duration_since(Instant::now()) {
                    self.look_at_all();
                }
                return self.send(control, to);
            }
        }
    }

    /// Looks which caches there are, and into them where nobody tells what happens there.
    fn find(&mut self) {
        let began = Instant::now();
        let (mut usable, mut unusable) = (BTreeSet::new(), BTreeSet::new());
        for found in roots::find(Wanted::ModuleCache, &self.settings.places) {
            match found.and_then(|root| self.readable(root)) {
                Ok(root) => {
                    usable.insert(root.id);
                    if self.caches.get(&root.id).is_some_and(|known| known.root.path != root.path) {
                        self.remove(root.id);
                    }
                    if !self.caches.contains_key(&root.id) {
                        self.add(root);
                    }
                }
                Err((path, error)) => {
                    if !self.unusable.contains(&path) {
                        self.health.problem(Problem::of(&error));
                        tracing::warn!(path = %path.display(), %error, "a module cache cannot be watched now");
                    }
                    unusable.insert(path);
                }
            }
        }
        if std::mem::take(&mut self.is_first_look) {
            self.looking_takes = began.elapsed();
            self.health.set_pass(self.looking_takes);
        }
        self.unusable = unusable;
        let gone: Vec<_> = self.caches.keys().filter(|id| !usable.contains(*id)).copied().collect();
        gone.into_iter().for_each(|id| self.remove(id));
        if self.trees.must_look() && Instant::now() >= self.next_look {
            self.look_at_all();
        }
        self.health.set_state(if self.trees.must_look() { State::Polling } else { State::Running });
    }

    /// A cache that may not be read is tried again until it may.
    fn readable(&self, root: Arc<Root>) -> Result<Arc<Root>, (PathBuf, std::io::Error)> {
        let is_known = self.caches.contains_key(&root.id);
        match std::fs::read_dir(&root.path) {
            Err(error) if !is_known => Err((root.path.clone(), error)),
            Ok(_) | Err(_) => Ok(root),
        }
    }

    fn add(&mut self, root: Arc<Root>) {
        let id = root.id;
        let cache = Cache { root, tracker: Tracker::new(self.settings.stall_after), events: Vec::new() };
        tracing::info!(path = %cache.root.path.display(), "a module cache is watched");
        self.caches.insert(id, cache);
        self.look_at(id);
    }

    fn remove(&mut self, id: [u8; 16]) {
        if let Some(mut cache) = self.caches.remove(&id) {
            tracing::info!(path = %cache.root.path.display(), "a module cache is gone");
            cache.tracker.gone(now(), &mut cache.events);
            self.trees.gone(id, &cache.root.path);
            self.gone.push(cache);
        }
    }

    fn look_at_all(&mut self) {
        let began = Instant::now();
        self.trees.begin_look();
        let all: Vec<_> = self.caches.keys().copied().collect();
        all.into_iter().for_each(|id| self.look_at(id));
        let took = began.elapsed();
        self.health.set_pass(took);
        self.looking_takes = took;
        self.next_look = Instant::now() + took.saturating_mul(PART_OF_TIME);
        self.poll();
    }

    fn look_at(&mut self, id: [u8; 16]) {
        let Some(cache) = self.caches.get(&id) else { return };
        let folder = Folder { root: id, path: cache.root.path.clone(), place: Place::Root };
        let mut seen = Vec::new();
        self.trees.look(folder, self.health, &mut |it| seen.push(it));
        self.seen(id, seen);
        self.health.set_files(self.trees.watched());
    }

    /// Files that were found by looking.
    fn seen(&mut self, id: [u8; 16], seen: Vec<Seen>) {
        let Some(cache) = self.caches.get_mut(&id) else { return };
        for seen in seen {
            match seen {
                Seen::Tmp(key, tmp) => {
                    let path = versions(&cache.root, &key);
                    if let Some(facts) = file_facts(&path.join(&tmp))
                        && (facts.changed >= self.since || may_be_written(&path, &key, facts, self.settings))
                    {
                        cache.tracker.began(key, &tmp, now(), Some(facts), &mut cache.events);
                    }
                }
                Seen::Zip(key) => {
                    let path = versions(&cache.root, &key);
                    let Some(facts) = file_facts(&zip_path(&path, &key)) else { continue };
                    if self.is_first_look {
                        self.known.insert(&id, &key, facts.made());
                    } else {
                        named(cache, &mut self.known, &path, &key, now(), self.since);
                    }
                }
            }
        }
    }

    fn noticed(&mut self, noticed: &Noticed) {
        let Some(folder) = self.trees.folder(noticed.watch).cloned() else { return };
        match noticed.happened {
            Happened::Unwatched => self.trees.unwatched(noticed.watch),
            Happened::Gone => self.trees.gone(folder.root, &folder.path),
            Happened::Created | Happened::MovedTo if noticed.is_dir => {
                let mut seen = Vec::new();
                self.trees.appeared(&folder, &noticed.name, self.health, &mut |it| seen.push(it));
                self.seen(folder.root, seen);
                self.health.set_files(self.trees.watched());
            }
            Happened::Created | Happened::MovedTo | Happened::Deleted => self.file(&folder, noticed),
            Happened::Modified | Happened::Written | Happened::Read | Happened::MovedFrom | Happened::Overflow => {}
        }
    }

    /// Something happened to a file.
    fn file(&mut self, folder: &Folder, noticed: &Noticed) {
        let Place::Versions(module) = &folder.place else { return };
        let Some(cache) = self.caches.get_mut(&folder.root) else { return };
        let key = |version: &str| Key { module: Arc::clone(module), version: version.into() };
        let Noticed { name, happened, at, .. } = noticed;
        match names::read(name) {
            Name::Tmp(version) if *happened == Happened::Created => {
                let facts = file_facts(&folder.path.join(name));
                cache.tracker.began(key(version), name, *at, facts, &mut cache.events);
            }
            Name::Tmp(version) if *happened == Happened::Deleted => {
                cache.tracker.failed(&key(version), Some(name), *at, Ending::GivenUp, &mut cache.events);
            }
            Name::Zip(version) if *happened == Happened::MovedTo => {
                named(cache, &mut self.known, &folder.path, &key(version), *at, self.since);
            }
            Name::Zip(version) if *happened == Happened::Created => {
                // somebody copies it there: it is there, and no download
                let key = key(version);
                if let Some(facts) = file_facts(&zip_path(&folder.path, &key)) {
                    self.known.insert(&folder.root, &key, facts.made());
                }
            }
            Name::Tmp(_) | Name::Zip(_) | Name::Other => {}
        }
    }

    /// Looks at the downloads under way.
    fn poll(&mut self) {
        let mut locked = Locked::NotAsked;
        for cache in self.caches.values_mut() {
            let open: Vec<_> =
                cache.tracker.open().map(|(key, tmp, grew)| (key.clone(), tmp.to_owned(), grew)).collect();
            for (key, tmp, grew) in open {
                let (path, now) = (versions(&cache.root, &key), now());
                let Some(facts) = file_facts(&path.join(&tmp)) else {
                    if file_facts(&zip_path(&path, &key)).is_some() {
                        named(cache, &mut self.known, &path, &key, now, self.since);
                    } else {
                        cache.tracker.failed(&key, Some(&tmp), now, Ending::GivenUp, &mut cache.events);
                    }
                    continue;
                };
                cache.tracker.looked(&key, facts, now, &mut cache.events);
                let quiet = now.seconds_since(grew.max(facts.modified));
                let is_gone = quiet >= self.settings.abandon_after.as_secs_f64()
                    || (quiet >= SURELY_GONE_SECONDS && locked.is_free(&path, &key));
                if is_gone {
                    let was_stalled = quiet >= self.settings.stall_after.as_secs_f64();
                    let end = if was_stalled { now } else { facts.modified };
                    cache.tracker.failed(&key, Some(&tmp), end, Ending::Abandoned, &mut cache.events);
                }
            }
        }
    }

    fn send(&mut self, control: &Control, to: &mpsc::Sender<Observation>) -> Result<(), Over> {
        let observed = now();
        for cache in self.gone.iter_mut().chain(self.caches.values_mut()).filter(|cache| !cache.events.is_empty()) {
            let (root, events) = (Arc::clone(&cache.root), std::mem::take(&mut cache.events));
            control.stop.send(to, Observation::ModCache(Report { root, observed, events }))?;
        }
        self.gone.clear();
        Ok(())
    }
}

/// A zip got its name.
fn named(cache: &mut Cache, known: &mut Known, path: &Path, key: &Key, at: Timestamp, since: Timestamp) {
    let Some(facts) = file_facts(&zip_path(path, key)) else {
        // removed again already
        cache.tracker.named(key, at, None, &mut cache.events);
        return;
    };
    if known.has(&cache.root.id, key, facts.made()) {
        // a look found it before the notices of it were read
        cache.tracker.forget(key);
        return;
    }
    if cache.tracker.named(key, at, Some(&zip(path, key, facts)), &mut cache.events) {
        told(cache, known, key, facts);
    } else {
        found(cache, known, path, key, facts, since);
    }
}

/// A zip is there whose download nobody saw, if there was one.
fn found(cache: &mut Cache, known: &mut Known, path: &Path, key: &Key, facts: FileFacts, since: Timestamp) {
    if known.has(&cache.root.id, key, facts.made()) {
        return;
    }
    let is_new = facts.changed >= since;
    if is_new && cache.tracker.found(key, &zip(path, key, facts), since, &mut cache.events) {
        told(cache, known, key, facts);
    } else {
        known.insert(&cache.root.id, key, facts.made());
    }
}

/// The last event is a download that ended: was it needed?
fn told(cache: &mut Cache, known: &mut Known, key: &Key, facts: FileFacts) {
    if let Some(Event::Downloaded(download)) = cache.events.last_mut() {
        download.redundant = known.had_version(key);
    }
    known.insert(&cache.root.id, key, facts.made());
}
