//! What every collector has in common: a thread, a way to stop it, and its health.
//!
//! The agent reads [`Health`] when somebody scrapes it and makes metrics of it: `State` is `gobeacon_collector_up`
//! with its `reason`, `Problem` the `reason` of `gobeacon_collector_errors_total`. A collector notes what happens to
//! it in numbers and knows nothing of metrics; that it started, stopped or crashed is noted here, for all alike.
//! The numbers are atomics: noting one costs a few nanoseconds and waits for nobody.
//!
//! Invariant: reasons are closed enums, so that each label is there from the start as 0.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::os;

/// One row of the table of collectors.
#[derive(Debug)]
pub struct Collector {
    /// The value of the `collector` label.
    pub name: &'static str,
    /// What it reads, for people.
    pub reads: &'static str,
}

/// What a collector is doing. The name is the `reason` of `gobeacon_collector_up`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Not yet looked at anything.
    Starting,
    /// All is well.
    Running,
    /// Works, but notices changes only by looking again: the kernel gives no, or not all, hints.
    Polling,
    /// Looks, and what it reads is switched off: `go telemetry off`.
    SwitchedOff,
    /// Looks, and nothing that it reads is there.
    NotAvailable,
    /// Ended because it was told to, or because nobody receives what it sends.
    Stopped,
    /// Ended by a panic.
    Crashed,
}

impl State {
    /// All states, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::Starting,
        Self::Running,
        Self::Polling,
        Self::SwitchedOff,
        Self::NotAvailable,
        Self::Stopped,
        Self::Crashed,
    ];

    /// The value of the `reason` label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Polling => "polling",
            Self::SwitchedOff => "switched_off",
            Self::NotAvailable => "not_available",
            Self::Stopped => "stopped",
            Self::Crashed => "crashed",
        }
    }

    /// The value of the metric: whether the collector does its work.
    pub const fn is_up(self) -> bool {
        match self {
            Self::Running | Self::Polling => true,
            Self::Starting | Self::SwitchedOff | Self::NotAvailable | Self::Stopped | Self::Crashed => false,
        }
    }
}

/// What can go wrong for a collector that goes on all the same. The name is the `reason` of
/// `gobeacon_collector_errors_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Problem {
    /// EACCES or EPERM: a file or directory may not be read.
    PermissionDenied,
    /// ENOENT or ESTALE: listed, and gone when it was opened; or a symbolic link that leads nowhere.
    NotFound,
    /// EMFILE or ENFILE, or the collector's own limit with no handle that could be closed.
    TooManyOpenFiles,
    /// The kernel's limit of watches is reached.
    WatchLimit,
    /// A directory cannot be watched for another reason, or the watcher failed.
    WatchFailed,
    /// Any other error of the operating system.
    Io,
    /// A file that is not what its name says, or contradicts itself.
    Malformed,
    /// A bound of the collector's own is reached: what is beyond it is not looked at.
    LimitReached,
}

impl Problem {
    /// All problems, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::PermissionDenied,
        Self::NotFound,
        Self::TooManyOpenFiles,
        Self::WatchLimit,
        Self::WatchFailed,
        Self::Io,
        Self::Malformed,
        Self::LimitReached,
    ];

    /// Which one an error of the operating system is.
    pub(crate) fn of(error: &io::Error) -> Self {
        if os::is_out_of_descriptors(error) {
            return Self::TooManyOpenFiles;
        }
        let kind = error.kind();
        let is_gone = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory, io::ErrorKind::StaleNetworkFileHandle];
        if kind == io::ErrorKind::PermissionDenied {
            Self::PermissionDenied
        } else if is_gone.contains(&kind) {
            Self::NotFound
        } else {
            Self::Io
        }
    }

    /// The value of the `reason` label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PermissionDenied => "permission_denied",
            Self::NotFound => "not_found",
            Self::TooManyOpenFiles => "too_many_open_files",
            Self::WatchLimit => "watch_limit",
            Self::WatchFailed => "watch_failed",
            Self::Io => "io",
            Self::Malformed => "malformed",
            Self::LimitReached => "limit_reached",
        }
    }
}

/// The health of one collector, written by its thread and read by anybody. All counts are totals since the start.
#[derive(Debug, Default)]
pub struct Health {
    state: AtomicU8,
    errors: [AtomicU64; Problem::ALL.len()],
    pass_nanos: AtomicU64,
    files: AtomicU64,
    lag_bytes: AtomicU64,
    worst_lag_bytes: AtomicU64,
    /// In nanoseconds since the epoch; 0: nothing waits.
    behind_since: AtomicU64,
    queue_overflows: AtomicU64,
    truncations: AtomicU64,
    lost_bytes: AtomicU64,
    compressed: AtomicU64,
}

/// What [`Health`] says at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthReading {
    /// What the collector is doing.
    pub state: State,
    /// How often each problem was met, in the order of [`Problem::ALL`].
    pub errors: [(Problem, u64); Problem::ALL.len()],
    /// How long the last complete look at everything took.
    pub pass: Duration,
    /// Files that are followed now.
    pub files: u64,
    /// Bytes that are in followed files and not read yet, as far as is known.
    pub lag_bytes: u64,
    /// The same in the file that has most of them.
    pub worst_lag_bytes: u64,
    /// How long ago a file had bytes that are still unread, in the file where that is longest.
    pub worst_lag: Duration,
    /// How often a queue of hints (the kernel's, or the one behind it) overflowed; each was answered by a rescan.
    pub queue_overflows: u64,
    /// How often a file became shorter than what had been read, and was read again from its start.
    pub truncations: u64,
    /// Bytes that went away unread, as far as is known.
    pub lost_bytes: u64,
    /// How many compressed files were found and not read.
    pub compressed: u64,
}

impl Health {
    /// What it says now.
    pub fn read(&self) -> HealthReading {
        let number = usize::from(self.state.load(Relaxed));
        let count = |problem: Problem| self.errors.get(problem as usize).map_or(0, |it| it.load(Relaxed));
        HealthReading {
            state: State::ALL.get(number).copied().unwrap_or(State::Starting),
            errors: Problem::ALL.map(|problem| (problem, count(problem))),
            pass: Duration::from_nanos(self.pass_nanos.load(Relaxed)),
            files: self.files.load(Relaxed),
            lag_bytes: self.lag_bytes.load(Relaxed),
            worst_lag_bytes: self.worst_lag_bytes.load(Relaxed),
            worst_lag: match self.behind_since.load(Relaxed) {
                0 => Duration::ZERO,
                since => Duration::from_nanos(nanos_now().saturating_sub(since)),
            },
            queue_overflows: self.queue_overflows.load(Relaxed),
            truncations: self.truncations.load(Relaxed),
            lost_bytes: self.lost_bytes.load(Relaxed),
            compressed: self.compressed.load(Relaxed),
        }
    }

    pub(crate) fn set_state(&self, state: State) {
        self.state.store(state as u8, Relaxed);
    }

    pub(crate) fn problem(&self, problem: Problem) {
        if let Some(count) = self.errors.get(problem as usize) {
            count.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn set_pass(&self, took: Duration) {
        self.pass_nanos.store(nanos(took), Relaxed);
    }

    pub(crate) fn set_files(&self, files: usize) {
        self.files.store(files as u64, Relaxed);
    }

    /// Bytes that are unread, in all files and in the worst one, and for how long some have been in one.
    pub(crate) fn set_lag(&self, bytes: u64, worst_bytes: u64, behind_for: Option<Duration>) {
        self.lag_bytes.store(bytes, Relaxed);
        self.worst_lag_bytes.store(worst_bytes, Relaxed);
        let since = behind_for.map_or(0, |it| nanos_now().saturating_sub(nanos(it)));
        self.behind_since.store(since, Relaxed);
    }

    pub(crate) fn overflowed(&self, times: u64) {
        self.queue_overflows.fetch_add(times, Relaxed);
    }

    pub(crate) fn truncated(&self) {
        self.truncations.fetch_add(1, Relaxed);
    }

    pub(crate) fn lost(&self, bytes: u64) {
        self.lost_bytes.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn compressed(&self) {
        self.compressed.fetch_add(1, Relaxed);
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn nanos_now() -> u64 {
    u64::try_from(os::now().as_nanos()).unwrap_or_default()
}

/// What can be told to stop from another thread.
pub trait Stop: Send + Sync {
    /// Asks it to read what is there now, send it and end, all within the time given. Does not wait. Asked again, the
    /// earlier end counts.
    fn stop(&self, within: Duration);
}

/// A collector at work. Its sender is dropped when its thread ends; dropping this handle does not stop it.
pub struct Running {
    collector: &'static Collector,
    health: Arc<Health>,
    stop: Arc<dyn Stop>,
    thread: JoinHandle<()>,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("collector", &self.collector.name).finish_non_exhaustive()
    }
}

impl Running {
    /// Which collector it is.
    pub fn collector(&self) -> &'static Collector {
        self.collector
    }

    /// Its health, to be kept and read at any time, also after the end.
    pub fn health(&self) -> Arc<Health> {
        Arc::clone(&self.health)
    }

    /// Asks it to read what is there now, send it and end, all within the time given. Does not wait: go on receiving
    /// until the channel is closed, then [`join`](Self::join).
    pub fn stop(&self, within: Duration) {
        self.stop.stop(within);
    }

    /// Waits for the end of the thread. A panic in there has been noted as [`State::Crashed`].
    pub fn join(self) {
        // the error is the panic, which the drop guard in the thread has noted
        drop(self.thread.join());
    }
}

/// Runs a collector on a thread of its own and notes how it ends.
pub(crate) fn spawn(
    collector: &'static Collector,
    stop: Arc<dyn Stop>,
    run: impl FnOnce(&Health) + Send + 'static,
) -> io::Result<Running> {
    let health = Arc::new(Health::default());
    let theirs = Arc::clone(&health);
    let thread = std::thread::Builder::new().name(collector.name.to_owned()).spawn(move || {
        let ending = Ending { collector, health: &theirs };
        run(&theirs);
        drop(ending);
    })?;
    Ok(Running { collector, health, stop, thread })
}

/// Notes the end of a collector, whichever way it comes.
struct Ending<'a> {
    collector: &'static Collector,
    health: &'a Health,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.health.set_state(State::Crashed);
            tracing::error!(collector = self.collector.name, "a collector crashed: its part of the agent is blind now");
        } else {
            self.health.set_state(State::Stopped);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static TRIAL: Collector = Collector { name: "trial", reads: "nothing" };

    struct Never;

    impl Stop for Never {
        fn stop(&self, _within: Duration) {}
    }

    #[test]
    fn a_collector_that_panics_is_told_from_one_that_ended() {
        let ended = spawn(&TRIAL, Arc::new(Never), |health| health.problem(Problem::NotFound)).unwrap();
        let health = ended.health();
        ended.join();
        assert_eq!(health.read().state, State::Stopped);
        assert_eq!(health.read().errors[1], (Problem::NotFound, 1));

        let crashed = spawn(&TRIAL, Arc::new(Never), |_| panic!("as the test wants")).unwrap();
        let health = crashed.health();
        crashed.join();
        assert_eq!(health.read().state, State::Crashed);
        assert!(!health.read().state.is_up());
    }

    #[test]
    fn the_numbers_of_states_and_problems_are_their_places_in_the_lists() {
        assert!(State::ALL.iter().enumerate().all(|(n, it)| *it as usize == n));
        assert!(Problem::ALL.iter().enumerate().all(|(n, it)| *it as usize == n));
    }
}
