//! The thread of the collector: looks over the caches for what is new, reads gently, tells what is wrong.
//!
//! What came or was written is read before what is only due again. A version that seems wrong is left alone for a
//! moment and read again in every cache that has it; only what is wrong twice in the same way is told.
//!
//! Invariants: the order of reading depends on nothing but what is there; what was told is told again only when it
//! changed; while this waits, for its budget or its receiver, a stop ends it.

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::check::Work;
use super::entries::{Cache, Entry, Key, entries};
use super::ledger::{Due, Ledger, Standing};
use super::pace::Budget;
use super::verdict::{Verdict, conflict_essence};
use super::{Event, Report, Settings, known_keys};
use crate::harness::{Health, State};
use crate::now;
use crate::roots::{self, Root, Wanted};
use crate::stopping::{Over, StopSignal};
use crate::{Observation, harness::Problem};

/// A look takes at most this part of the time.
const ONE_PART_IN: u32 = 50;
/// Entries that wait to be read; the next look finds the others.
const MOST_WAITING: usize = 4096;
/// Versions that wait to be read again; the next look finds the others.
const MOST_DOUBTS: usize = 4096;
/// How long good news may wait for more of it.
const TELL_AFTER: Duration = Duration::from_secs(1);

/// Runs until it is told to stop, or nobody listens.
pub(super) fn run(settings: Settings, stop: &StopSignal, to: &mpsc::Sender<Observation>, health: &Health) {
    let mut scan = Scan::new(settings, stop, to, health);
    while scan.step().is_ok() {}
}

struct Scan<'a> {
    settings: Settings,
    stop: &'a StopSignal,
    to: &'a mpsc::Sender<Observation>,
    health: &'a Health,
    work: Work,
    budget: Budget<'a>,
    /// By number; `None` once it is gone.
    caches: Vec<Option<Cache>>,
    ledger: Ledger,
    looks: u64,
    next_look: Instant,
    /// What came, or was written; then what is due.
    waiting: [VecDeque<(usize, Entry)>; 2],
    doubts: BTreeMap<Key, Doubt>,
    known: BTreeMap<Key, Known>,
    verified: u64,
    events: Vec<Event>,
    told: Instant,
    /// Problems are counted once for each scan interval, not at each look.
    problems_counted: Option<Instant>,
}

/// A version that seems wrong.
struct Doubt {
    module: String,
    version: String,
    due: Instant,
    /// What was wrong the last time, and the marks of what was read then.
    last: Option<(Vec<u64>, Vec<u64>)>,
}

/// A version that is wrong.
struct Known {
    module: String,
    version: String,
    essence: Vec<u64>,
    has_conflict: bool,
}

impl<'a> Scan<'a> {
    fn new(settings: Settings, stop: &'a StopSignal, to: &'a mpsc::Sender<Observation>, health: &'a Health) -> Self {
        let keys = known_keys().into_iter().chain(settings.keys.iter().cloned()).collect();
        Self {
            work: Work::new(keys, settings.extracted),
            budget: Budget::new(settings.bytes_per_second, stop),
            settings,
            stop,
            to,
            health,
            caches: Vec::new(),
            ledger: Ledger::default(),
            looks: 0,
            next_look: Instant::now(),
            waiting: Default::default(),
            doubts: BTreeMap::new(),
            known: BTreeMap::new(),
            verified: 0,
            events: Vec::new(),
            told: Instant::now(),
            problems_counted: None,
        }
    }

    /// Does the next thing, or waits for it.
    fn step(&mut self) -> Result<(), Over> {
        if self.stop.told().is_some() {
            return Err(Over);
        }
        let now = Instant::now();
        if now >= self.next_look {
            self.look();
        } else if let Some(key) = self.doubts.iter().find(|(_, doubt)| doubt.due <= now).map(|(key, _)| *key) {
            self.confirm(key)?;
        } else if let Some((number, entry)) = self.waiting.iter_mut().find_map(VecDeque::pop_front) {
            self.read(number, &entry)?;
        } else {
            self.tell()?;
            let doubt = self.doubts.values().map(|doubt| doubt.due).min();
            let until = doubt.map_or(self.next_look, |due| due.min(self.next_look));
            self.stop.wait(until.saturating_duration_since(now));
            return Ok(());
        }
        if !self.events.is_empty() || self.told.elapsed() >= TELL_AFTER { self.tell() } else { Ok(()) }
    }

    /// Looks over all caches and go.sum files.
    fn look(&mut self) {
        let began = Instant::now();
        self.looks += 1;
        let counts = self.problems_counted.is_none_or(|at| at.elapsed() >= self.settings.scan_interval);
        if counts {
            self.problems_counted = Some(began);
        }
        if let Err((path, error)) = self.ledger.go_sums.look(&self.settings.go_sums, now()) {
            self.health.problem(Problem::of(&error));
            tracing::warn!(path = %path.display(), %error, "a go.sum cannot be read; nothing is compared with it");
        }
        self.find_caches(counts);
        self.waiting.iter_mut().for_each(VecDeque::clear);
        self.ledger.left_out = 0;
        for number in 0..self.caches.len() {
            self.look_at(number, counts);
        }
        let (versions, go_sum_lines) = (self.ledger.left_out, self.ledger.go_sums.left_out);
        if counts && versions + go_sum_lines > 0 {
            self.health.problem(Problem::LimitReached);
            tracing::warn!(versions, go_sum_lines, "there is more than can be remembered: the rest is not verified");
        }
        self.health.set_pass(began.elapsed());
        self.health.set_state(State::Running);
        self.next_look = Instant::now() + self.settings.look_interval.max(began.elapsed() * ONE_PART_IN);
    }

    /// Takes in caches that came and gives up those that went.
    fn find_caches(&mut self, counts: bool) {
        let mut there: Vec<Arc<Root>> = Vec::new();
        for found in roots::find(Wanted::ModuleCache, &self.settings.places) {
            match found {
                Ok(root) => there.push(root),
                Err((_, error)) if counts => self.health.problem(Problem::of(&error)),
                Err(_) => {}
            }
        }
        for number in 0..self.caches.len() {
            let Some(Some(cache)) = self.caches.get(number) else { continue };
            match there.iter().position(|root| root.id == cache.root.id) {
                Some(at) => {
                    let root = there.swap_remove(at);
                    self.set_cache(number, Some(Cache::open(root)));
                }
                None => {
                    self.set_cache(number, None);
                    self.gone(number);
                }
            }
        }
        self.caches.extend(there.into_iter().map(|root| Some(Cache::open(root))));
    }

    fn set_cache(&mut self, number: usize, cache: Option<Cache>) {
        if let Some(place) = self.caches.get_mut(number) {
            *place = cache;
        }
    }

    /// What was not met in the last look at a cache is gone.
    fn gone(&mut self, number: usize) {
        for key in self.ledger.sweep(number, self.looks) {
            self.doubt_known(key);
        }
    }

    /// What is known to be wrong is to be judged anew.
    fn doubt_known(&mut self, key: Key) {
        if let Some(known) = self.known.get(&key) {
            let (module, version) = (known.module.clone(), known.version.clone());
            self.doubts.entry(key).or_insert(Doubt { module, version, due: Instant::now(), last: None });
        }
    }

    fn look_at(&mut self, number: usize, counts: bool) {
        let Some(Some(cache)) = self.caches.get(number) else { return };
        let is_first = !self.ledger.has(number);
        let read_before = now().plus_seconds(-self.settings.scan_interval.as_secs_f64());
        let (ledger, waiting, look) = (&mut self.ledger, &mut self.waiting, self.looks);
        let (doubts, known) = (&mut self.doubts, &self.known);
        let due = Instant::now() + self.settings.confirm_after;
        let problems = entries(cache, &mut |entry| {
            let key = entry.key();
            let [changed, old] = &mut *waiting;
            let queue = match ledger.visit(key, (number, entry.mark(cache), look), is_first, read_before) {
                Due::No => None,
                Due::Changed => Some(changed),
                Due::Old => Some(old),
            };
            // a go.sum may have changed
            if !known.contains_key(&key) && doubts.len() < MOST_DOUBTS && ledger.disagrees(key) {
                let (module, version) = (entry.module.clone(), entry.version.clone());
                doubts.entry(key).or_insert(Doubt { module, version, due, last: None });
            }
            if let Some(queue) = queue.filter(|queue| queue.len() < MOST_WAITING) {
                queue.push_back((number, entry));
            }
            if self.stop.told().is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        if counts {
            count_all(self.health, problems.counts());
        }
        // what could not be looked at may still be there
        if problems.total() == 0 && self.stop.told().is_none() {
            self.gone(number);
        }
    }

    /// Reads one entry.
    fn read(&mut self, number: usize, entry: &Entry) -> Result<(), Over> {
        let Some(Some(cache)) = self.caches.get(number) else { return Ok(()) };
        let mark = entry.mark(cache);
        let checked = self.work.check(cache, entry, &mut self.budget).map_err(|_| Over)?;
        if let Some((path, error)) = &checked.unreadable {
            self.health.problem(Problem::of(error));
            tracing::debug!(path = %path.display(), %error, "a file of a module cache cannot be read");
        }
        let key = entry.key();
        let standing = self.ledger.put(key, (number, mark, self.looks), &checked, now());
        match standing {
            Standing::Verified => self.verified += 1,
            Standing::Unrecorded | Standing::Unknown => {}
            Standing::Doubtful if self.doubts.len() < MOST_DOUBTS => {
                let (module, version) = (entry.module.clone(), entry.version.clone());
                let due = Instant::now() + self.settings.confirm_after;
                self.doubts.entry(key).or_insert(Doubt { module, version, due, last: None });
            }
            Standing::Doubtful => {}
        }
        if standing != Standing::Doubtful {
            self.doubt_known(key);
        }
        Ok(())
    }

    /// Reads a version that seems wrong in all caches that have it, and tells what is wrong for the second time.
    fn confirm(&mut self, key: Key) -> Result<(), Over> {
        let Some(mut doubt) = self.doubts.remove(&key) else { return Ok(()) };
        let (mut read, mut marks, mut is_restless) = (Vec::new(), Vec::new(), false);
        let mut are_new = Vec::new();
        for (number, _) in self.ledger.places(key) {
            let cache = self.caches.get(number).and_then(Option::as_ref);
            let entry = cache.and_then(|cache| Entry::find(cache, &doubt.module, &doubt.version));
            let (Some(cache), Some(entry)) = (cache, entry) else {
                self.ledger.forget(key, number);
                continue;
            };
            let mark = entry.mark(cache);
            marks.push(mark);
            let checked = self.work.check(cache, &entry, &mut self.budget).map_err(|_| Over)?;
            is_restless |= checked.is_restless;
            are_new.push(!self.ledger.is_read(key, number, mark));
            self.ledger.put(key, (number, mark, self.looks), &checked, now());
            let first_seen = self.ledger.places(key).into_iter().find(|(at, _)| *at == number);
            read.push((first_seen.map_or_else(now, |(_, first_seen)| first_seen), checked));
        }
        // what was not whole at the first reading is verified by this one
        let new = read.iter().zip(are_new).filter(|(_, is_new)| *is_new).map(|((_, checked), _)| checked);
        let verified = new.filter(|it| self.ledger.standing(key, it) == Standing::Verified).count() as u64;
        let verdict = Verdict::of(&doubt.module, &doubt.version, read, &self.ledger.go_sums);
        let essence = verdict.essence();
        let reading = (essence, marks);
        if !is_restless && (verdict.is_good() || doubt.last.as_ref() == Some(&reading)) {
            self.verified += verified;
            self.judge(key, doubt, verdict, reading.0);
            return Ok(());
        }
        doubt.last = (!is_restless).then_some(reading);
        doubt.due = Instant::now() + self.settings.confirm_after;
        self.doubts.insert(key, doubt);
        Ok(())
    }

    fn judge(&mut self, key: Key, doubt: Doubt, verdict: Verdict, essence: Vec<u64>) {
        let (module, version) = (doubt.module, doubt.version);
        let before = self.known.remove(&key);
        if verdict.is_good() {
            if before.is_some() {
                self.events.push(Event::Resolved { module, version });
            }
            return;
        }
        let told = before.map(|it| it.essence).unwrap_or_default();
        let has_conflict = !verdict.conflicts.is_empty();
        let conflicts = verdict.conflicts.into_iter().map(|it| (conflict_essence(&it), Event::Conflict(Box::new(it))));
        // faults stand behind conflicts, in both lists
        let faults = essence.iter().skip(conflicts.len()).copied().zip(verdict.faults);
        let faults = faults.map(|(id, it)| (id, Event::Corrupt(Box::new(it))));
        let news = conflicts.chain(faults).filter(|(id, _)| !told.contains(id)).map(|(_, event)| event);
        self.events.extend(news);
        self.known.insert(key, Known { module, version, essence, has_conflict });
    }

    /// Hands on what happened.
    fn tell(&mut self) -> Result<(), Over> {
        self.told = Instant::now();
        if self.verified > 0 {
            self.events.push(Event::Verified(std::mem::take(&mut self.verified)));
        }
        if self.events.is_empty() {
            return Ok(());
        }
        let conflicts = self.known.values().filter(|known| known.has_conflict).count() as u64;
        let report = Report { observed: now(), conflicts, events: std::mem::take(&mut self.events) };
        self.stop.send(self.to, Observation::Integrity(report))
    }
}

fn count_all(health: &Health, counts: impl Iterator<Item = (Problem, u64)>) {
    for (problem, count) in counts {
        (0..count).for_each(|_| health.problem(problem));
    }
}

#[cfg(test)]
#[path = "../../tests/integrity/modules.rs"]
mod modules;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Places;

    #[test]
    fn a_version_that_was_read_before_it_was_whole_is_counted_once_it_is() {
        let cache = tempfile::tempdir().unwrap();
        let it = modules::module("a.b/c", "package c\n");
        it.put(cache.path());
        let hash = it.file(cache.path(), "ziphash");
        std::fs::write(&hash, "").unwrap();
        let settings = Settings {
            places: Places { dirs: vec![cache.path().to_str().unwrap().to_owned()], ..Places::default() },
            look_interval: Duration::from_secs(3600),
            confirm_after: Duration::ZERO,
            ..Settings::default()
        };
        let (stop, (sender, mut seen), health) = (StopSignal::default(), mpsc::channel(4), Health::default());
        let mut scan = Scan::new(settings, &stop, &sender, &health);
        while scan.doubts.is_empty() {
            scan.step().unwrap();
        }
        std::fs::write(&hash, it.h1().to_string()).unwrap();
        while !scan.doubts.is_empty() {
            scan.step().unwrap();
        }
        scan.tell().unwrap();
        let Observation::Integrity(report) = seen.try_recv().unwrap() else { panic!("what else is there?") };
        assert_eq!(report.events, [Event::Verified(1)]);
        assert!(seen.try_recv().is_err());
    }
}
