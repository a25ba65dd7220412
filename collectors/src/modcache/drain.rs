//! Between the kernel's queue and the thread that works: a thread that empties the one into the other.
//!
//! It waits for nothing but the kernel. What happened is stamped when it comes out of the kernel; names that mean nothing
//! to downloads are dropped here already.
//!
//! Invariant: the queue is bounded. Full-policy: what comes is dropped, the overflow is counted, and everything is looked
//! at again, so that nothing is missed.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use gobeacon_formats::Timestamp;

use super::names::{self, Name};
use crate::harness::Stop;
use crate::now;
use crate::os::{Happened, Inotify, Notice, Watch};
use crate::stopping::StopSignal;

/// Most notices that wait. One download makes three.
const MOST: usize = 65_536;
/// How soon the thread sees that it shall end.
const LOOK_UP: Duration = Duration::from_millis(250);

/// Something that happened in a watched folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Noticed {
    pub(super) watch: Watch,
    pub(super) name: String,
    pub(super) happened: Happened,
    pub(super) is_dir: bool,
    pub(super) at: Timestamp,
}

/// What was taken out of the queue.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) notices: VecDeque<Noticed>,
    /// How often something was lost since the last time.
    pub(super) overflows: u64,
    /// The kernel tells nothing any more.
    pub(super) is_broken: bool,
}

/// What the threads share.
#[derive(Debug, Default)]
pub(super) struct Control {
    pub(super) stop: StopSignal,
    queue: Mutex<Taken>,
    changed: Condvar,
    is_over: AtomicBool,
}

impl Stop for Control {
    fn stop(&self, within: Duration) {
        self.stop.stop(within);
        // with the lock: whoever is about to wait sees it, or is woken
        let _queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        self.changed.notify_all();
    }
}

impl Control {
    /// Takes what is there; waits for it for at most `timeout`, and not at all once it was told to stop.
    pub(super) fn take(&self, timeout: Duration) -> Taken {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let nothing =
            |it: &mut Taken| it.notices.is_empty() && it.overflows == 0 && !it.is_broken && self.stop.told().is_none();
        let waited = self.changed.wait_timeout_while(queue, timeout, nothing);
        std::mem::take(&mut waited.unwrap_or_else(PoisonError::into_inner).0)
    }

    /// No notice is wanted any more.
    pub(super) fn over(&self) {
        self.is_over.store(true, Relaxed);
        self.stop.stop(Duration::ZERO);
    }

    fn put(&self, new: &mut Vec<Noticed>, mut overflows: u64) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.notices.len() + new.len() > MOST {
            overflows += 1;
            new.clear();
        }
        queue.overflows += overflows;
        queue.notices.extend(new.drain(..));
        drop(queue);
        self.changed.notify_all();
    }
}

/// Empties the kernel's queue until it is told that it is over.
pub(super) fn run(inotify: &Inotify, control: &Control) {
    let mut new = Vec::new();
    while !control.is_over.load(Relaxed) {
        let mut overflows = 0;
        let read = inotify.read(LOOK_UP, |notice| match notice.happened {
            Happened::Overflow => overflows += 1,
            Happened::Created
            | Happened::Modified
            | Happened::Written
            | Happened::Read
            | Happened::MovedFrom
            | Happened::MovedTo
            | Happened::Deleted
            | Happened::Gone
            | Happened::Unwatched => new.extend(noticed(&notice)),
        });
        if !new.is_empty() || overflows > 0 {
            control.put(&mut new, overflows);
        }
        if let Err(error) = read {
            tracing::warn!(%error, "the kernel's notifications of module caches cannot be read any more");
            control.queue.lock().unwrap_or_else(PoisonError::into_inner).is_broken = true;
            control.changed.notify_all();
            return;
        }
    }
}

/// What is of interest, with the time.
fn noticed(notice: &Notice<'_>) -> Option<Noticed> {
    // the go command makes no other names than UTF-8
    let name = notice.name.to_str()?;
    let of_the_folder = name.is_empty();
    if !of_the_folder && !notice.is_dir && names::read(name) == Name::Other {
        return None;
    }
    let Notice { watch, happened, is_dir, .. } = *notice;
    Some(Noticed { watch, name: name.to_owned(), happened, is_dir, at: now() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::Kinds;

    #[test]
    fn a_full_queue_drops_what_comes_and_says_that_something_was_lost() {
        let dir = tempfile::tempdir().unwrap();
        let watch = Inotify::new().unwrap().watch(dir.path(), Kinds::default()).unwrap();
        let notice = |n: usize| Noticed {
            watch,
            name: format!("v1.0.{n}.zip"),
            happened: Happened::MovedTo,
            is_dir: false,
            at: Timestamp::from_nanos(1),
        };
        let control = Control::default();
        control.put(&mut (0..MOST).map(notice).collect(), 0);
        control.put(&mut vec![notice(0)], 0);
        control.put(&mut Vec::new(), 1);
        let taken = control.take(Duration::ZERO);
        assert_eq!((taken.notices.len(), taken.overflows), (MOST, 2));
        let taken = control.take(Duration::ZERO);
        assert_eq!((taken.notices.len(), taken.overflows), (0, 0));
    }
}
