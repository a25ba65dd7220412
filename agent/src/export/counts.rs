//! What the exporter counts: requests, failures, drops, queue length. Plain numbers behind atomics.
//!
//! Knows nothing of Prometheus: `metrics` reads a [`Report`] when it is asked for its page.
//!
//! Invariant: every record that was offered is either queued, delivered or dropped, and each drop stands under one
//! reason. Counters never go down.

use std::sync::atomic::{AtomicU64, Ordering};

use gobeacon_formats::Timestamp;

/// The two signals that are exported. Each has its own queue, so that a backend that takes only one of them does not
/// hold up the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Spans.
    Traces,
    /// Log records.
    Logs,
}

impl Signal {
    /// The word for messages: `traces` or `logs`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Logs => "logs",
        }
    }
}

/// Why a request to the backend failed. A closed set: these are values of a metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureReason {
    /// No connection: refused, reset, no route, no such name.
    Unreachable,
    /// The TLS handshake failed: wrong authority, wrong name, client certificate refused.
    Tls,
    /// No answer within the timeout.
    Timeout,
    /// The backend said that it cannot now, and may be asked again.
    Unavailable,
    /// The backend asked to be asked less often (429, RESOURCE_EXHAUSTED with RetryInfo).
    Throttled,
    /// The backend wants other credentials (401, 403, UNAUTHENTICATED, PERMISSION_DENIED).
    Unauthorized,
    /// The backend does not want this request, however often it is sent.
    Rejected,
    /// The backend takes no request of this size (413, RESOURCE_EXHAUSTED for the size): it is sent in parts.
    TooLarge,
    /// What came back is not an answer of an OTLP receiver.
    BadAnswer,
    /// The backend took the request and rejected some of its records.
    Partial,
}

impl FailureReason {
    /// All of them, in the order of the enum.
    pub(crate) const ALL: [Self; 10] = [
        Self::Unreachable,
        Self::Tls,
        Self::Timeout,
        Self::Unavailable,
        Self::Throttled,
        Self::Unauthorized,
        Self::Rejected,
        Self::TooLarge,
        Self::BadAnswer,
        Self::Partial,
    ];

    /// The value of the label `reason`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::Throttled => "throttled",
            Self::Unauthorized => "unauthorized",
            Self::Rejected => "rejected",
            Self::TooLarge => "too_large",
            Self::BadAnswer => "bad_answer",
            Self::Partial => "partial_success",
        }
    }
}

/// Why records were dropped. A closed set: these are values of a metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DropReason {
    /// The queue was full: its oldest batch made room.
    QueueFull,
    /// The backend refused the batch for good.
    Rejected,
    /// The backend took the batch and rejected these records of it.
    PartialSuccess,
    /// One record alone is larger than a request may be, or than the backend takes.
    TooLarge,
    /// The deadline of the shutdown passed.
    Shutdown,
    /// It was kept on disk and cannot be read back.
    Unreadable,
}

impl DropReason {
    /// All of them, in the order of the enum.
    pub(crate) const ALL: [Self; 6] =
        [Self::QueueFull, Self::Rejected, Self::PartialSuccess, Self::TooLarge, Self::Shutdown, Self::Unreadable];

    /// The value of the label `reason`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Rejected => "rejected",
            Self::PartialSuccess => "partial_success",
            Self::TooLarge => "too_large",
            Self::Shutdown => "shutdown",
            Self::Unreadable => "unreadable",
        }
    }
}

/// The counts of both signals at one moment. A signal that is not exported has only zeros.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// Records are spans.
    pub(crate) traces: SignalReport,
    /// Records are log records.
    pub(crate) logs: SignalReport,
}

/// The counts of one signal at one moment; all but the queue are totals since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SignalReport {
    /// Requests that were answered or given up; each attempt counts.
    pub(crate) requests: u64,
    /// Requests that failed, by [`FailureReason::ALL`].
    pub(crate) failures: [u64; FailureReason::ALL.len()],
    /// Records that the backend took.
    pub(crate) delivered: u64,
    /// Records that were dropped, by [`DropReason::ALL`].
    pub(crate) dropped: [u64; DropReason::ALL.len()],
    /// Records that wait or are on their way now.
    pub(crate) queued_records: u64,
    /// The same in encoded bytes.
    pub(crate) queued_bytes: u64,
    /// When the oldest of them was added.
    pub(crate) oldest: Option<Timestamp>,
    /// Bytes of the files of the spool.
    pub(crate) spool_bytes: u64,
    /// Writes to the spool that failed; each is tried again.
    pub(crate) spool_errors: u64,
}

impl SignalReport {
    /// Failed requests with their reason, zeros included.
    pub(crate) fn failures(&self) -> impl Iterator<Item = (FailureReason, u64)> {
        FailureReason::ALL.into_iter().zip(self.failures)
    }

    /// Dropped records with their reason, zeros included.
    pub(crate) fn dropped(&self) -> impl Iterator<Item = (DropReason, u64)> {
        DropReason::ALL.into_iter().zip(self.dropped)
    }
}

/// The live counts of one signal.
#[derive(Debug, Default)]
pub(super) struct Counts {
    requests: AtomicU64,
    failures: [AtomicU64; FailureReason::ALL.len()],
    delivered: AtomicU64,
    dropped: [AtomicU64; DropReason::ALL.len()],
}

impl Counts {
    pub(super) fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn failure(&self, reason: FailureReason) {
        if let Some(count) = self.failures.get(reason as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn delivered(&self, records: u64) {
        self.delivered.fetch_add(records, Ordering::Relaxed);
    }

    pub(super) fn dropped(&self, reason: DropReason, records: u64) {
        if let Some(count) = self.dropped.get(reason as usize) {
            count.fetch_add(records, Ordering::Relaxed);
        }
    }

    /// The totals; the spool is the caller's to fill in.
    pub(super) fn report(&self, queued_records: u64, queued_bytes: u64) -> SignalReport {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        SignalReport {
            requests: read(&self.requests),
            failures: std::array::from_fn(|i| self.failures.get(i).map_or(0, read)),
            delivered: read(&self.delivered),
            dropped: std::array::from_fn(|i| self.dropped.get(i).map_or(0, read)),
            queued_records,
            queued_bytes,
            ..SignalReport::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_counted_under_its_own_name() {
        let counts = Counts::default();
        for (n, reason) in FailureReason::ALL.into_iter().enumerate() {
            (0..=n).for_each(|_| counts.failure(reason));
        }
        for (n, reason) in DropReason::ALL.into_iter().enumerate() {
            counts.dropped(reason, n as u64 + 10);
        }
        let report = counts.report(7, 8);
        assert!(report.failures().enumerate().all(|(n, (reason, count))| {
            reason == FailureReason::ALL[n] && reason as usize == n && count == n as u64 + 1
        }));
        assert!(report.dropped().enumerate().all(|(n, (reason, count))| {
            reason == DropReason::ALL[n] && reason as usize == n && count == n as u64 + 10
        }));
        assert_eq!((report.queued_records, report.queued_bytes), (7, 8));
    }
}
