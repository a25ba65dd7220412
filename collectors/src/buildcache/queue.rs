//! What the kernel tells, between the thread that empties its queue and the one that thinks.
//!
//! The thread here does nothing but read, and watch the folders that a go command makes at that moment. What it read
//! waits in an inbox.
//!
//! Invariant: the reader waits for nobody. An inbox that is full loses what comes, and counts that as the overflow of
//! a queue: the answer is the same.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gobeacon_formats::Timestamp;
use gobeacon_formats::cache_entry::Name;

use super::watches::{Place, Watches};
use crate::harness::Stop;
use crate::now;
use crate::os::{Happened, Inotify, Notice};

/// Most records that wait, 64 bytes each: sixteen times what the kernel keeps by default. Beyond it they are lost and
/// counted, as the kernel does.
const MOST_WAITING: usize = 256 << 10;
/// How many records are handed over at once while the kernel has more.
const CHUNK: usize = 512;
/// How long the kernel is waited for at once: how late an end is noticed.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long the first of some records waits for others.
const GATHER: Duration = Duration::from_millis(40);
/// How long the kernel's queue is left alone after entries were read from it: whoever closes a file while nobody waits
/// for the queue wakes nobody up, which is most of what a watch costs a build. The kernel keeps 16,384 records by
/// default, more than go commands make in this time on any machine.
const PAUSE: Duration = Duration::from_millis(10);

/// One thing that happened in one cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    /// The number of the root.
    pub(super) root: u32,
    /// When it was read from the kernel.
    pub(super) at: Timestamp,
    pub(super) what: What,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// A file that was open for reading only was closed.
    Read(Name),
    /// A file that was open for writing was closed.
    Written(Name),
    /// A file got this name from elsewhere.
    Arrived(Name),
    /// A name is gone.
    Removed(Name),
    /// One of the 256 directories came, and is watched.
    DirCame(u8),
    /// One of the 256 directories is gone.
    DirWent(u8),
    /// The cache itself is gone.
    RootWent,
    /// One of the 256 directories came and cannot be watched.
    NotWatched,
    /// `trim.txt` was written: a go command is about to trim, or has trimmed.
    TrimNoted,
}

impl What {
    const fn is_of_an_entry(&self) -> bool {
        match self {
            Self::Read(_) | Self::Written(_) | Self::Arrived(_) | Self::Removed(_) => true,
            Self::DirCame(_) | Self::DirWent(_) | Self::RootWent | Self::NotWatched | Self::TrimNoted => false,
        }
    }
}

/// What the thread that thinks takes out at once.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// In order.
    pub(super) records: Vec<Record>,
    /// How often a queue overflowed.
    pub(super) overflows: u64,
    /// Something came where a cache may be.
    pub(super) look_again: bool,
    /// What the kernel queued before this is in `records`, or was taken before.
    pub(super) read_until: Option<Timestamp>,
    /// Nothing is read any more.
    pub(super) failed: bool,
    /// Told to end, by then.
    pub(super) stop_by: Option<Instant>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Taken,
    first_at: Option<Instant>,
    /// A new directory is to be looked at.
    urgent: bool,
    over: bool,
}

/// Where records wait. Also what tells the collector to stop.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    shared: Mutex<Shared>,
    news: Condvar,
}

impl Stop for Inbox {
    fn stop(&self, within: Duration) {
        let by = Instant::now().checked_add(within).unwrap_or_else(Instant::now);
        let mut shared = self.lock();
        shared.waiting.stop_by = Some(shared.waiting.stop_by.map_or(by, |earlier| earlier.min(by)));
        self.news.notify_all();
    }
}

impl Inbox {
    /// Takes all that waits. Waits for it until `until`; once something is there, a moment longer for more, unless it
    /// is urgent.
    pub(super) fn take(&self, until: Instant) -> Taken {
        let mut shared = self.lock();
        loop {
            let now = Instant::now();
            let gathered = shared.first_at.map(|first| first + GATHER);
            let due = if shared.urgent || shared.waiting.stop_by.is_some() { now } else { gathered.unwrap_or(until) };
            let left = due.min(until).saturating_duration_since(now);
            if left.is_zero() {
                break;
            }
            shared = self.news.wait_timeout(shared, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        (shared.first_at, shared.urgent) = (None, false);
        let stop_by = shared.waiting.stop_by;
        let (read_until, failed) = (shared.waiting.read_until, shared.waiting.failed);
        // these three stay true
        std::mem::replace(&mut shared.waiting, Taken { stop_by, read_until, failed, ..Taken::default() })
    }

    /// Nobody takes anything any more: the reader ends.
    pub(super) fn close(&self) {
        self.lock().over = true;
    }

    fn push(&self, records: &mut Vec<Record>, look_again: bool) {
        let mut shared = self.lock();
        if shared.over {
            records.clear();
            return;
        }
        let urgent = look_again || records.iter().any(|record| matches!(record.what, What::DirCame(_)));
        shared.waiting.look_again |= look_again;
        let was_idle = shared.first_at.is_none();
        if shared.waiting.records.len() + records.len() > MOST_WAITING {
            shared.waiting.overflows += 1;
            records.clear();
        } else {
            shared.waiting.records.append(records);
        }
        shared.first_at.get_or_insert_with(Instant::now);
        if urgent || was_idle {
            shared.urgent |= urgent;
            self.news.notify_all();
        }
    }

    fn overflowed(&self) {
        let mut shared = self.lock();
        shared.waiting.overflows += 1;
        shared.first_at.get_or_insert_with(Instant::now);
        self.news.notify_all();
    }

    fn ran_dry(&self, began: Timestamp) -> bool {
        let mut shared = self.lock();
        shared.waiting.read_until = Some(began);
        shared.over
    }

    fn failed(&self) {
        let mut shared = self.lock();
        shared.waiting.failed = true;
        shared.urgent = true;
        self.news.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the kernel's queue until nobody takes what it says.
pub(super) fn drain(inotify: &Inotify, watches: &Watches, inbox: &Arc<Inbox>) {
    loop {
        let began = now();
        let mut chunk = Vec::with_capacity(CHUNK);
        let mut look_again = false;
        let read = inotify.read(PATIENCE, |notice| {
            if notice.happened == Happened::Overflow {
                inbox.overflowed();
                return;
            }
            match understand(&notice, inotify, watches) {
                Told::Nothing => {}
                Told::LookAgain => look_again = true,
                Told::Of(root, what) => chunk.push(Record { root, at: now(), what }),
            }
            if chunk.len() >= CHUNK {
                inbox.push(&mut chunk, std::mem::take(&mut look_again));
            }
        });
        // what is new is watched at once, what goes on in there may wait
        let entries_only = !look_again && !chunk.is_empty() && chunk.iter().all(|record| record.what.is_of_an_entry());
        if !chunk.is_empty() || look_again {
            inbox.push(&mut chunk, look_again);
        }
        if let Err(error) = read {
            tracing::error!(%error, "the kernel's queue of file events cannot be read any more");
            inbox.failed();
            return;
        }
        if inbox.ran_dry(began) {
            return;
        }
        if entries_only {
            std::thread::sleep(PAUSE);
        }
    }
}

enum Told {
    Nothing,
    LookAgain,
    Of(u32, What),
}

fn understand(notice: &Notice<'_>, inotify: &Inotify, watches: &Watches) -> Told {
    if notice.happened == Happened::Unwatched {
        return match watches.ended(notice.watch) {
            Some(Place::Dir { root, dir }) => Told::Of(root, What::DirWent(dir)),
            Some(Place::Root { root, .. }) => Told::Of(root, What::RootWent),
            Some(Place::Parent) => Told::LookAgain,
            None => Told::Nothing,
        };
    }
    let comes = matches!(notice.happened, Happened::Created | Happened::MovedTo) && notice.is_dir;
    match watches.place(notice.watch) {
        Some(Place::Dir { root, dir }) => in_dir(root, dir, notice),
        Some(Place::Root { root, path }) => in_root(root, &path, comes, notice, inotify, watches),
        Some(Place::Parent) if comes => Told::LookAgain,
        Some(Place::Parent) | None => Told::Nothing,
    }
}

fn in_root(root: u32, path: &Path, comes: bool, notice: &Notice<'_>, inotify: &Inotify, watches: &Watches) -> Told {
    let goes = matches!(notice.happened, Happened::MovedFrom | Happened::Deleted) && notice.is_dir;
    match dir_number(notice.name) {
        Some(dir) if comes => match watches.watch_dir(inotify, root, path, dir) {
            Ok(()) => Told::Of(root, What::DirCame(dir)),
            // gone again
            Err(error) if error.kind() == ErrorKind::NotFound => Told::Nothing,
            Err(_) => Told::Of(root, What::NotWatched),
        },
        Some(dir) if goes => {
            // moved away with its watch: what happens there is not of this cache any more
            watches.unwatch_dir(inotify, root, dir);
            Told::Of(root, What::DirWent(dir))
        }
        None if comes => Told::LookAgain,
        _ if notice.happened == Happened::Written && notice.name == "trim.txt" => Told::Of(root, What::TrimNoted),
        _ if notice.happened == Happened::Gone => Told::Of(root, What::RootWent),
        _ => Told::Nothing,
    }
}

fn in_dir(root: u32, dir: u8, notice: &Notice<'_>) -> Told {
    let Some(name) = notice.name.to_str().and_then(Name::parse).filter(|name| first_byte(name) == dir) else {
        return Told::Nothing;
    };
    match (notice.happened, name) {
        (Happened::Read, Name::Action(_)) => Told::Of(root, What::Read(name)),
        (Happened::Written, _) => Told::Of(root, What::Written(name)),
        (Happened::MovedTo, _) => Told::Of(root, What::Arrived(name)),
        (Happened::Deleted | Happened::MovedFrom, _) => Told::Of(root, What::Removed(name)),
        // who reads an output asked for its action before
        (Happened::Read, Name::Output(_))
        | (Happened::Created | Happened::Modified | Happened::Gone | Happened::Unwatched | Happened::Overflow, _) => {
            Told::Nothing
        }
    }
}

/// Which of the 256 directories an entry is in.
pub(super) fn first_byte(name: &Name) -> u8 {
    let (Name::Action(id) | Name::Output(id)) = name;
    let [first, ..] = id.0;
    first
}

/// `00` to `ff`.
fn dir_number(name: &OsStr) -> Option<u8> {
    let name = name.to_str().filter(|name| name.len() == 2 && !name.contains(['+', 'A', 'B', 'C', 'D', 'E', 'F']))?;
    u8::from_str_radix(name, 16).ok()
}
