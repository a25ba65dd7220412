//! How a collector that works by looking from time to time is told to stop, and how it hands on what it saw.
//!
//! Invariant: a thread that waits here, for its next look or for room in the channel, ends soon after it is told to.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::Observation;
use crate::harness::Stop;

/// How often a full channel is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(10);

/// Nobody receives what the collector sends, or it was told to stop and the time for it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Over;

/// What a thread waits on.
#[derive(Debug, Default)]
pub(crate) struct StopSignal {
    /// Until when it may still work, once it was told to stop.
    by: Mutex<Option<Instant>>,
    told: Condvar,
}

impl Stop for StopSignal {
    fn stop(&self, within: Duration) {
        let by = Instant::now().checked_add(within).unwrap_or_else(Instant::now);
        let mut told = self.by.lock().unwrap_or_else(PoisonError::into_inner);
        *told = Some(told.map_or(by, |earlier| earlier.min(by)));
        self.told.notify_all();
    }
}

impl StopSignal {
    /// Until when the collector may still work; `None` when it was not told to stop.
    pub(crate) fn told(&self) -> Option<Instant> {
        *self.by.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for this long, or until it is told to stop. Says whether it was.
    pub(crate) fn wait(&self, timeout: Duration) -> bool {
        let by = self.by.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.told.wait_timeout_while(by, timeout, |by| by.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.is_some()
    }

    /// Hands on what was seen. Waits while the channel is full: who calls this must not be the one who empties a
    /// queue of the kernel.
    pub(crate) fn send(&self, to: &mpsc::Sender<Observation>, seen: Observation) -> Result<(), Over> {
        let mut seen = seen;
        loop {
            seen = match to.try_send(seen) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Closed(_)) => return Err(Over),
                Err(TrySendError::Full(seen)) => seen,
            };
            match self.told() {
                Some(by) if Instant::now() >= by => return Err(Over),
                Some(_) => std::thread::sleep(RETRY_AFTER),
                None => _ = self.wait(RETRY_AFTER),
            }
        }
    }
}
