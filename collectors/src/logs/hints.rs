//! What other threads have to tell the reader: hints of the file system, and that it is to stop.
//!
//! The thread of the watcher calls [`Inbox::noticed`] and waits for nothing but this lock, which is held for moments.
//! It must not touch a file.
//!
//! Invariant: the inbox is bounded; when it is full hints are thrown away, which is counted and asks for a rescan, so
//! that nothing is missed.

use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use notify::event::{EventKind, ModifyKind, RenameMode};

use super::Settings;
use super::glob::Patterns;
use crate::harness::Stop;

/// How many hints wait at most, each a path or two. Hints for a path that waits already are not kept twice.
const MOST_HINTS: usize = 1 << 14;

/// Where to look.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Hint {
    /// Something happened to this path: it is new, longer, gone or another file.
    Look(PathBuf),
    /// What had the first name has the second one now.
    Renamed(PathBuf, PathBuf),
}

/// All that was told since the last time.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) hints: VecDeque<Hint>,
    /// How often hints were lost.
    pub(crate) overflows: u64,
    /// Errors of the watcher itself.
    pub(crate) failures: u64,
    /// End by then.
    pub(crate) stop_by: Option<Instant>,
    /// Follow as these say; the last word counts.
    pub(crate) change: Option<Box<(Settings, Patterns)>>,
}

#[derive(Debug, Default)]
struct Waiting {
    told: Told,
    /// The paths in `told.hints` that are only to be looked at.
    looks: HashSet<PathBuf>,
}

/// The reader waits here.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

impl Inbox {
    /// Takes what was told, waiting for it until `until` at the latest (`None`: not at all).
    pub(crate) fn take(&self, until: Option<Instant>) -> Told {
        let mut waiting = self.lock();
        if let Some(until) = until {
            loop {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() || waiting.is_news() {
                    break;
                }
                waiting = self.arrived.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        waiting.looks.clear();
        let stop_by = waiting.told.stop_by;
        // that it is to stop is said every time
        std::mem::replace(&mut waiting.told, Told { stop_by, ..Told::default() })
    }

    /// What the watcher noticed.
    pub(crate) fn noticed(&self, event: notify::Result<notify::Event>) {
        let mut waiting = self.lock();
        match event {
            Ok(event) if event.need_rescan() => waiting.told.overflows += 1,
            Ok(event) => waiting.sort(event),
            Err(_) => waiting.told.failures += 1,
        }
        if waiting.is_news() {
            self.arrived.notify_one();
        }
    }

    /// What to follow from now on.
    pub(crate) fn change(&self, settings: Settings, patterns: Patterns) {
        self.lock().told.change = Some(Box::new((settings, patterns)));
        self.arrived.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stop for Inbox {
    fn stop(&self, within: Duration) {
        let now = Instant::now();
        let by = now.checked_add(within).unwrap_or(now);
        let mut waiting = self.lock();
        waiting.told.stop_by = Some(waiting.told.stop_by.map_or(by, |before| before.min(by)));
        self.arrived.notify_one();
    }
}

impl Waiting {
    fn is_news(&self) -> bool {
        let told = &self.told;
        let is_word = told.stop_by.is_some() || told.change.is_some();
        !told.hints.is_empty() || told.overflows > 0 || told.failures > 0 || is_word
    }

    fn sort(&mut self, event: notify::Event) {
        match event.kind {
            // opened or closed: our own reading does that too
            EventKind::Access(_) => {}
            EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => {
                if let Ok([from, to]) = <[PathBuf; 2]>::try_from(event.paths) {
                    self.push(Hint::Renamed(from, to));
                }
            }
            EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Other => {
                for path in event.paths {
                    self.look(path);
                }
            }
        }
    }

    fn look(&mut self, path: PathBuf) {
        if !self.looks.contains(&path) {
            self.looks.insert(path.clone());
            self.push(Hint::Look(path));
        }
    }

    fn push(&mut self, hint: Hint) {
        if self.told.hints.len() < MOST_HINTS {
            self.told.hints.push_back(hint);
        } else {
            self.told.overflows += 1;
            self.told.hints.clear();
            self.looks.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::{AccessKind, CreateKind, DataChange, Flag};

    fn event(kind: EventKind, paths: &[&str]) -> notify::Result<notify::Event> {
        Ok(paths.iter().fold(notify::Event::new(kind), |event, path| event.add_path(path.into())))
    }

    const WRITTEN: EventKind = EventKind::Modify(ModifyKind::Data(DataChange::Any));

    #[test]
    fn hints_keep_their_order_and_a_path_waits_once() {
        let inbox = Inbox::default();
        inbox.noticed(event(EventKind::Create(CreateKind::File), &["/a"]));
        inbox.noticed(event(EventKind::Access(AccessKind::Any), &["/never"]));
        inbox.noticed(event(EventKind::Modify(ModifyKind::Name(RenameMode::Both)), &["/a", "/b"]));
        inbox.noticed(event(WRITTEN, &["/a"]));
        let told = inbox.take(None);
        assert_eq!(told.hints, [Hint::Look("/a".into()), Hint::Renamed("/a".into(), "/b".into())]);
        inbox.noticed(event(WRITTEN, &["/a"]));
        assert_eq!(inbox.take(None).hints.len(), 1, "once taken, the next hint counts again");
    }

    #[test]
    fn a_full_inbox_throws_hints_away_and_says_so() {
        let inbox = Inbox::default();
        for n in 0..=MOST_HINTS {
            inbox.noticed(event(WRITTEN, &[&format!("/{n}")]));
        }
        inbox.noticed(Ok(notify::Event::new(EventKind::Other).set_flag(Flag::Rescan)));
        let told = inbox.take(None);
        assert_eq!((told.hints.len(), told.overflows), (0, 2));
    }

    #[test]
    fn the_word_to_stop_wakes_the_reader_and_stays() {
        let inbox = Inbox::default();
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| inbox.take(Some(Instant::now() + Duration::from_secs(60))));
            inbox.stop(Duration::from_secs(5));
            assert!(reader.join().unwrap().stop_by.is_some());
        });
        inbox.stop(Duration::from_secs(60));
        let by = inbox.take(None).stop_by.unwrap();
        assert!(by <= Instant::now() + Duration::from_secs(5), "the earlier end counts");
    }
}
