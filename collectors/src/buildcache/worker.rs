//! The thread that thinks: it finds caches, takes in what the kernel told of them, looks, and reports.
//!
//! Invariants: a report is never waited for: while the channel is full what there is to tell is put together; what
//! the kernel told comes before every look of our own.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gobeacon_formats::Timestamp;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::cache::Cache;
use super::polling;
use super::queue::{self, Inbox, Record, Taken, What};
use super::roots::{Caches, Followed, Kernel};
use super::watches::Watches;
use super::{Event, How, Report, Settings, Stock, Used};
use crate::Observation;
use crate::harness::{Health, Problem, State};
use crate::now;
use crate::os::{self, Inotify};

/// How often the size of a cache is told, at the most.
const STOCK_INTERVAL: Duration = Duration::from_secs(1);
/// How often it is asked what the file system has left.
const FREE_INTERVAL: Duration = Duration::from_secs(10);
/// How long looks may keep from what the kernel tells.
const LOOK_SLICE: Duration = Duration::from_millis(20);
/// How often a full channel is tried again at the end.
const RETRY_AFTER: Duration = Duration::from_millis(10);

pub(super) struct Worker<'a> {
    settings: Settings,
    observed: mpsc::Sender<Observation>,
    inbox: Arc<Inbox>,
    health: &'a Health,
    kernel: Kernel,
    caches: Caches,
    find_at: Instant,
    told: HashMap<u32, Told>,
    /// What the kernel queued before this is known.
    read_until: Timestamp,
}

/// What was told last of the size of a cache.
#[derive(Debug, Default)]
struct Told {
    at: Option<Instant>,
    stock: Option<Stock>,
    free_at: Option<Instant>,
    free_bytes: Option<u64>,
}

/// Nobody receives reports any more.
struct Over;

impl<'a> Worker<'a> {
    pub(super) fn new(
        settings: Settings,
        observed: mpsc::Sender<Observation>,
        inbox: Arc<Inbox>,
        health: &'a Health,
    ) -> Self {
        let read_until = now();
        let find_at = Instant::now();
        let (kernel, caches) = (None, Caches::default());
        Self { settings, observed, inbox, health, kernel, caches, find_at, told: HashMap::new(), read_until }
    }

    pub(super) fn run(mut self) {
        self.kernel = self.listen();
        // Over: nobody listens
        _ = self.work();
        self.inbox.close();
    }

    fn work(&mut self) -> Result<(), Over> {
        loop {
            let taken = self.inbox.take(self.next_due());
            let (stop_by, told_at) = (taken.stop_by, now());
            self.turn(taken);
            self.report()?;
            if let Some(by) = stop_by {
                return self.end(by, told_at);
            }
        }
    }

    /// One round: what the kernel told, then what time has brought.
    fn turn(&mut self, taken: Taken) {
        let look_again = taken.look_again;
        self.take_in(taken);
        if look_again || Instant::now() >= self.find_at {
            let now = now();
            self.caches.find(&self.settings, &self.kernel, now, self.health);
            self.find_at = Instant::now() + self.settings.find_interval;
            self.health.set_state(self.state());
        }
        self.look();
        let now = now();
        self.caches.followed.values_mut().for_each(|it| it.cache.tick(now, &self.settings));
    }

    fn take_in(&mut self, taken: Taken) {
        let Taken { records, overflows, read_until, failed, .. } = taken;
        if failed && self.kernel.take().is_some() {
            self.health.problem(Problem::WatchFailed);
            self.caches.blind();
            self.health.set_state(self.state());
        }
        let mut by_root: BTreeMap<u32, Vec<Record>> = BTreeMap::new();
        for record in records {
            by_root.entry(record.root).or_default().push(record);
        }
        for (root, records) in by_root {
            if let Some(Followed { cache, .. }) = self.caches.followed.get_mut(&root) {
                cache.apply(&records, self.health);
            }
            if records.iter().any(|record| record.what == What::NotWatched) {
                self.caches.blind_of(root, &self.kernel, self.health);
                self.health.set_state(self.state());
            }
            if records.iter().any(|record| record.what == What::RootWent) {
                self.caches.remove(root, &self.kernel, now());
                // one of the same name may have come already
                self.find_at = Instant::now();
            }
        }
        let watched = self.caches.followed.values_mut().map(|it| &mut it.cache);
        if overflows > 0 {
            self.health.overflowed(overflows);
            tracing::warn!(
                times = overflows,
                "the kernel's queue of file events overflowed: hits of build caches went by uncounted, puts are looked for"
            );
            watched.filter(|cache| cache.how == How::Watched).for_each(|cache| cache.lost_since(self.read_until));
        } else if let Some(read_until) = read_until {
            self.read_until = read_until;
            watched.for_each(|cache| cache.read_until(read_until));
        }
    }

    /// Looks at directories: first where something may have been missed, then, where nothing waits, at everything.
    fn look(&mut self) {
        let slice = Instant::now() + LOOK_SLICE;
        for Followed { cache, poll, .. } in self.caches.followed.values_mut() {
            while cache.has_to_look() && Instant::now() < slice {
                cache.look_at_next(now(), self.health);
            }
            if cache.how != How::Unreadable && !cache.has_to_look() && Instant::now() >= cache.walk.due() {
                cache.walk_step(now(), self.health);
            }
            if cache.how == How::Polled && Instant::now() >= poll.due {
                polling::poll(cache, poll, now(), self.health);
                poll.due = Instant::now() + self.settings.find_interval;
            }
        }
    }

    fn next_due(&self) -> Instant {
        let mut due = self.find_at;
        let (at, now) = (Instant::now(), now());
        for Followed { cache, poll, .. } in self.caches.followed.values() {
            if cache.has_to_look() {
                return at;
            }
            if cache.how != How::Unreadable {
                due = due.min(cache.walk.due());
            }
            if cache.how == How::Polled {
                due = due.min(poll.due);
            }
            let removals = cache.removals.due().map(|due| due.seconds_since(now).max(0.0));
            due = due.min(removals.map_or(due, |seconds| at + Duration::from_secs_f64(seconds)));
        }
        due
    }

    fn state(&self) -> State {
        let is_polled = |it: &Followed| it.cache.how == How::Polled;
        let polls = self.kernel.is_none() || self.caches.followed.values().any(is_polled);
        if polls { State::Polling } else { State::Running }
    }

    fn report(&mut self) -> Result<(), Over> {
        for Followed { cache, .. } in self.caches.followed.values_mut() {
            let told = self.told.entry(cache.number).or_default();
            tell_stock(cache, told);
            send(&self.observed, cache)?;
        }
        for cache in &mut self.caches.gone {
            self.told.remove(&cache.number);
            send(&self.observed, cache)?;
        }
        self.caches.gone.retain(|cache| !cache.events.is_empty());
        Ok(())
    }

    /// Takes in what the kernel has queued by now, tells all there is, and ends.
    fn end(&mut self, by: Instant, told_at: Timestamp) -> Result<(), Over> {
        while self.kernel.is_some() && self.read_until < told_at && Instant::now() < by {
            std::thread::sleep(RETRY_AFTER);
            let taken = self.inbox.take(Instant::now());
            self.take_in(taken);
        }
        while self.caches.followed.values().any(|it| it.cache.has_to_look()) && Instant::now() < by {
            self.look();
        }
        let now = now();
        self.caches.followed.values_mut().for_each(|it| it.cache.finish(now));
        loop {
            self.report()?;
            let is_told = |cache: &Cache| cache.events.is_empty() && cache.used == Used::default();
            let all = self.caches.followed.values().all(|it| is_told(&it.cache)) && self.caches.gone.is_empty();
            if all || Instant::now() >= by {
                return Ok(());
            }
            std::thread::sleep(RETRY_AFTER);
        }
    }

    /// Has the kernel's queue emptied by a thread of its own.
    fn listen(&self) -> Kernel {
        if !self.settings.watch {
            return None;
        }
        let inotify = match Inotify::new() {
            Ok(inotify) => Arc::new(inotify),
            Err(error) => {
                self.health.problem(Problem::WatchFailed);
                tracing::warn!(%error, "the kernel tells nothing of build caches: hits are not available");
                return None;
            }
        };
        let watches = Arc::new(Watches::default());
        let theirs = (Arc::clone(&inotify), Arc::clone(&watches), Arc::clone(&self.inbox));
        let thread = std::thread::Builder::new().name("buildcache-queue".to_owned());
        match thread.spawn(move || queue::drain(&theirs.0, &theirs.1, &theirs.2)) {
            Ok(_) => Some((inotify, watches)),
            Err(error) => {
                self.health.problem(Problem::WatchFailed);
                tracing::warn!(%error, "no thread for what the kernel tells: hits of build caches are not available");
                None
            }
        }
    }
}

/// Adds the size of a cache to what there is to tell, where it changed.
fn tell_stock(cache: &mut Cache, told: &mut Told) {
    let is_fresh = |at: Option<Instant>, interval| at.is_some_and(|at| at.elapsed() < interval);
    if !cache.known.complete || is_fresh(told.at, STOCK_INTERVAL) {
        return;
    }
    let mut free_bytes = told.free_bytes;
    if !is_fresh(told.free_at, FREE_INTERVAL) {
        told.free_at = Some(Instant::now());
        free_bytes = os::space(&cache.path).map(|space| space.free_bytes).ok();
    }
    let stock = cache.known.stock;
    if told.stock == Some(stock) && told.free_bytes == free_bytes {
        return;
    }
    (told.at, told.stock, told.free_bytes) = (Some(Instant::now()), Some(stock), free_bytes);
    // one that could not be sent yet is out of date
    cache.events.retain(|event| !matches!(event, Event::Stock { .. }));
    cache.events.push(Event::Stock { stock, free_bytes });
}

/// Sends what there is to tell of a cache, unless the channel is full: then it waits here, put together.
fn send(observed: &mpsc::Sender<Observation>, cache: &mut Cache) -> Result<(), Over> {
    if cache.events.is_empty() && cache.used == Used::default() {
        return Ok(());
    }
    let permit = match observed.try_reserve() {
        Ok(permit) => permit,
        Err(TrySendError::Full(())) => return Ok(()),
        Err(TrySendError::Closed(())) => return Err(Over),
    };
    let mut events = Vec::with_capacity(cache.events.len() + 1);
    let used = std::mem::take(&mut cache.used);
    // before what it led to
    let is_seen = |event: &Event| matches!(event, Event::Seen(_));
    let seen = cache.events.iter().take_while(|event| is_seen(event)).count();
    events.extend(cache.events.drain(..seen));
    if used != Used::default() {
        events.push(Event::Used(used));
    }
    events.append(&mut cache.events);
    let report = Report { root: Arc::clone(&cache.root), observed: now(), events };
    permit.send(Observation::BuildCache(report));
    Ok(())
}
