//! Ends the process when ending in order takes longer than it may, whatever hangs: a disk, a name server, standard
//! error that nobody reads, the loop itself.
//!
//! It has a thread and a runtime of its own and shares nothing with the others but two numbers, so that nothing that
//! holds them up holds it up. A process that ends this way loses no more than one that crashes: what is on disk is sent
//! by the next life.
//!
//! Invariant: after a signal to end the process ends within the time for it.

use std::io;
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use super::end_signal;
use super::signals::Signals;

/// What is left of the time when the agent gives up what it cannot finish, at most: the watchdog ends what takes longer.
const MOST_MARGIN: Duration = Duration::from_millis(500);
/// Time for the loop to end at once after a second signal.
const AT_ONCE: Duration = Duration::from_secs(1);
/// Time for the last words.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// The handle of the thread that watches.
#[derive(Debug, Clone)]
pub(super) struct Watchdog(Arc<Watched>);

#[derive(Debug)]
struct Watched {
    timeout_millis: AtomicU64,
    /// Whether there is a loop that heeds signals.
    is_started: AtomicBool,
}

impl Watchdog {
    /// Watches from now on.
    ///
    /// # Errors
    /// The operating system gives no thread or no signals.
    pub(super) fn start(timeout: Duration) -> io::Result<Self> {
        let watched = Arc::new(Watched { timeout_millis: AtomicU64::new(0), is_started: AtomicBool::new(false) });
        let (watchdog, theirs) = (Self(Arc::clone(&watched)), watched);
        watchdog.set_timeout(timeout);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let entered = runtime.enter();
        let signals = Signals::listen()?;
        drop(entered);
        std::thread::Builder::new()
            .name("watchdog".to_owned())
            .spawn(move || runtime.block_on(watch(signals, &theirs)))?;
        Ok(watchdog)
    }

    /// The time for an end in order.
    pub(super) fn set_timeout(&self, timeout: Duration) {
        let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        self.0.timeout_millis.store(millis, Ordering::Relaxed);
    }

    /// From now on there is a loop that heeds signals.
    pub(super) fn started(&self) {
        self.0.is_started.store(true, Ordering::Relaxed);
    }
}

/// How much of the time the agent may take for what it does in order.
pub(super) fn in_order(timeout: Duration) -> Duration {
    timeout.saturating_sub((timeout / 4).min(MOST_MARGIN))
}

async fn watch(mut signals: Signals, watched: &Watched) {
    end_signal(&mut signals).await;
    if !watched.is_started.load(Ordering::Relaxed) {
        end("the agent was told to stop before it had started", 0);
    }
    let timeout = Duration::from_millis(watched.timeout_millis.load(Ordering::Relaxed));
    tokio::select! {
        () = tokio::time::sleep(timeout) => end("something hangs: the agent ends without it, its time is over", 0),
        again = end_signal(&mut signals) => {
            tokio::time::sleep(AT_ONCE).await;
            end("something hangs: the agent ends without it", again.exit_code().into());
        }
    }
}

fn end(why: &'static str, code: i32) -> ! {
    let (said, heard) = channel();
    // standard error may be what hangs
    let speaker = std::thread::Builder::new().spawn(move || {
        tracing::error!("{why}");
        said.send(())
    });
    if speaker.is_ok() {
        let _said_in_time = heard.recv_timeout(LAST_WORDS);
    }
    exit(code)
}
