//! What is said about the backend in the agent's own log: one line for each change, not for each request.
//!
//! Invariant: a state that lasts is said once; that it ended is said once.

use std::io;

use super::counts::{FailureReason, Signal};

/// What was said last about one signal.
#[derive(Debug)]
pub(super) struct Health {
    signal: Signal,
    endpoint: String,
    /// Requests fail for this reason.
    failing: Option<FailureReason>,
    /// Batches are refused for this reason.
    refusing: Option<FailureReason>,
    /// The message of the last partial success.
    partial: String,
    queue_full: bool,
    too_large: bool,
    halved: bool,
}

impl Health {
    pub(super) fn new(signal: Signal, endpoint: String) -> Self {
        let (failing, refusing, partial) = (None, None, String::new());
        Self { signal, endpoint, failing, refusing, partial, queue_full: false, too_large: false, halved: false }
    }

    /// Requests go elsewhere from now on: what was said of the old backend is no longer so.
    pub(super) fn moved(&mut self, endpoint: String) {
        (self.endpoint, self.failing, self.refusing, self.halved) = (endpoint, None, None, false);
    }

    /// A request was taken, all but `rejected` records.
    pub(super) fn taken(&mut self, rejected: u64, message: &str) {
        let (signal, endpoint) = (self.signal.as_str(), &self.endpoint);
        if self.failing.take().is_some() | self.refusing.take().is_some() {
            tracing::info!(signal, endpoint, "the backend takes data again");
        }
        if (rejected > 0 || !message.is_empty()) && message != self.partial {
            tracing::warn!(
                signal,
                endpoint,
                rejected,
                message,
                "the backend took a request but not all is well with it"
            );
            message.clone_into(&mut self.partial);
        }
    }

    /// Whether nothing waits any more.
    pub(super) fn drained(&mut self, drained: bool) {
        if drained && std::mem::take(&mut self.queue_full) {
            tracing::info!(signal = self.signal.as_str(), "the export queue is empty again");
        }
    }

    /// A request is larger than the backend takes: it is sent in parts, but for `lost` records, which are none.
    pub(super) fn halved(&mut self, message: &str, lost: u64) {
        let (signal, endpoint) = (self.signal.as_str(), &self.endpoint);
        if !std::mem::replace(&mut self.halved, true) {
            tracing::warn!(signal, endpoint, message, "the backend takes no request of this size: it is sent in parts");
        }
        if lost > 0 && !std::mem::replace(&mut self.too_large, true) {
            tracing::error!(signal, endpoint, message, "a record is larger than the backend takes and is dropped");
        }
    }

    /// A request failed and is sent again.
    pub(super) fn again(&mut self, reason: FailureReason, message: &str) {
        if self.failing.replace(reason) != Some(reason) {
            let (signal, endpoint) = (self.signal.as_str(), &self.endpoint);
            tracing::warn!(signal, endpoint, reason = reason.as_str(), message, "export fails, it is tried again");
        }
    }

    /// A batch was refused for good and is dropped.
    pub(super) fn refused(&mut self, reason: FailureReason, message: &str, records: u64) {
        if self.refusing.replace(reason) != Some(reason) {
            let (signal, endpoint) = (self.signal.as_str(), &self.endpoint);
            let reason = reason.as_str();
            tracing::error!(signal, endpoint, reason, message, records, "the backend refuses data, which is lost");
        }
    }

    /// Batches are dropped because the queue is full.
    pub(super) fn queue_full(&mut self) {
        if !std::mem::replace(&mut self.queue_full, true) {
            let (signal, endpoint) = (self.signal.as_str(), &self.endpoint);
            tracing::error!(signal, endpoint, "the export queue is full: the oldest data in it is dropped");
        }
    }

    /// A record is dropped because it is larger than a request may be.
    pub(super) fn too_large(&mut self) {
        if !std::mem::replace(&mut self.too_large, true) {
            tracing::error!(signal = self.signal.as_str(), "a record is larger than a request may be and is dropped");
        }
    }

    /// A batch that was kept on disk is lost.
    pub(super) fn unreadable(&self, error: &io::Error, records: u64) {
        let signal = self.signal.as_str();
        tracing::error!(signal, %error, records, "what was kept on disk cannot be read back and is lost");
    }

    /// The lane ends with records that are on disk.
    pub(super) fn kept(&self, records: u64) {
        let (signal, endpoint) = (self.signal.as_str(), &self.endpoint);
        tracing::info!(signal, endpoint, records, "data that was not exported is kept on disk for the next start");
    }

    /// The lane ends with records left.
    pub(super) fn abandoned(&self, records: u64) {
        let (signal, endpoint) = (self.signal.as_str(), &self.endpoint);
        tracing::error!(signal, endpoint, records, "data was not exported before the deadline and is lost");
    }
}
