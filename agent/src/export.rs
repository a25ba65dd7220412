//! OTLP export: spans and log records go out to a backend, or are counted where they do not.
//!
//! Knows what a span is, not how it came about; the SDK of OpenTelemetry is not in this path, because it loses spans
//! when the backend is slow. Which metrics the counts become is for `metrics` to know.
//!
//! Invariants: memory is bounded whatever the backend does; `offer` never waits; each record that is lost stands
//! under one [`DropReason`]; secrets are in no log and no `Debug`.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use crate::builds::build::{LogRecord, Span, Telemetry};

mod backoff;
mod batch;
mod change;
mod counts;
mod encode;
mod halves;
mod health;
mod lane;
mod queue;
mod sdk;
pub(crate) mod settings;
mod spool;
#[cfg(test)]
mod tests;
mod transport;
mod wire;

pub(crate) use change::{Change, Lanes};
pub(crate) use counts::{DropReason, FailureReason, Report, Signal};
pub(crate) use sdk::sdk_exporter;
pub(crate) use settings::{Explicit, Off, Resolved, Settings, SettingsError};
pub(crate) use transport::StartError;

use lane::Lane;

/// The handle of a running exporter, which may have nothing to export. Dropped, it stops at once and loses what is
/// queued: call [`Exporter::shutdown`].
#[derive(Default)]
pub(crate) struct Exporter {
    traces: Option<Arc<Lane<Span>>>,
    logs: Option<Arc<Lane<LogRecord>>>,
    /// One task a signal.
    tasks: JoinSet<()>,
}

/// What was not exported when a deadline passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Left {
    /// Spans.
    pub(crate) spans: u64,
    /// Log records.
    pub(crate) logs: u64,
}

/// One request that ended, for whoever watches the exporter at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RequestEnded {
    /// What it carried.
    pub(crate) signal: Signal,
    /// How many records.
    pub(crate) records: u64,
    /// From its start to its answer, or to when it was given up.
    pub(crate) took: Duration,
    /// `None`: the backend took all of it.
    pub(crate) failure: Option<FailureReason>,
}

/// Is told of each request; it must be quick, because it is called where requests are settled.
pub(crate) type Observer = Arc<dyn Fn(RequestEnded) + Send + Sync>;

impl Exporter {
    /// Reads certificates and secrets and starts a task for each signal, on the runtime it is called from. Connects
    /// when there is something to send: a backend that is away is no error.
    ///
    /// # Errors
    /// A file that a setting names cannot be used.
    pub(crate) fn start(settings: &Settings) -> Result<Self, StartError> {
        let mut exporter = Self::default();
        exporter.change(Change::prepare(Some(settings), Lanes::default())?);
        Ok(exporter)
    }

    /// From now on exports as the settings say that `change` was prepared for. What is queued or on disk stays queued
    /// and goes to where new data goes; requests that are on their way end where they began.
    pub(crate) fn change(&mut self, change: Change) {
        change::lane(&mut self.traces, change.traces, &mut self.tasks);
        change::lane(&mut self.logs, change.logs, &mut self.tasks);
    }

    /// Tells `observer` of each request from now on, instead of the one before; `None`: nobody.
    pub(crate) fn observe(&self, observer: Option<&Observer>) {
        if let Some(lane) = &self.traces {
            lane.observe(observer.cloned());
        }
        if let Some(lane) = &self.logs {
            lane.observe(observer.cloned());
        }
    }

    /// Queues what is to be exported. Never waits.
    ///
    /// Full-policy: when the queue is full its oldest batches make room; they are counted as
    /// [`DropReason::QueueFull`], and that it began is said once.
    pub(crate) fn offer(&self, telemetry: Telemetry) {
        let Telemetry { resource, spans, logs } = telemetry;
        if let Some(lane) = &self.traces {
            lane.add(&resource, spans);
        }
        if let Some(lane) = &self.logs {
            lane.add(&resource, logs);
        }
    }

    /// All that was offered so far, to be waited for: until it would outlive the process, or, with `synced`, the
    /// machine; or is delivered, or dropped and counted. Without a spool that may be as long as the backend is away.
    pub(crate) fn safe(&self, synced: bool) -> impl Future<Output = ()> + Send + use<> {
        let traces = self.traces.clone().map(|lane| (lane.barrier(), lane));
        let logs = self.logs.clone().map(|lane| (lane.barrier(), lane));
        async move {
            if let Some((before, lane)) = traces {
                lane.safe(before, synced).await;
            }
            if let Some((before, lane)) = logs {
                lane.safe(before, synced).await;
            }
        }
    }

    /// Whether all that waits is kept on disk.
    pub(crate) fn is_spooled(&self) -> bool {
        let traces = self.traces.as_ref().is_none_or(|it| it.is_spooled());
        traces && self.logs.as_ref().is_none_or(|it| it.is_spooled())
    }

    /// Queues what is to be exported, and waits while the queue has no room: for work that can wait, such as a
    /// replay. Drops nothing, and waits as long as the backend is away.
    pub(crate) async fn push(&self, telemetry: Telemetry) {
        let Telemetry { resource, spans, logs } = telemetry;
        if let Some(lane) = &self.traces {
            lane.add_waiting(&resource, spans).await;
        }
        if let Some(lane) = &self.logs {
            lane.add_waiting(&resource, logs).await;
        }
    }

    /// Sends what was queued so far without lingering, and waits until it is delivered or dropped, `within` has
    /// passed, or the backend asked to be left alone for longer than that. Gives back what is still queued.
    pub(crate) async fn flush(&self, within: Duration) -> Left {
        let now = Instant::now();
        let deadline = now.checked_add(within).unwrap_or(now);
        let traces = async {
            if let Some(lane) = &self.traces {
                lane.flush(deadline).await;
            }
        };
        let logs = async {
            if let Some(lane) = &self.logs {
                lane.flush(deadline).await;
            }
        };
        tokio::join!(traces, logs);
        let Report { traces, logs } = self.report();
        Left { spans: traces.queued_records, logs: logs.queued_records }
    }

    /// Flushes, then ends. What is left on disk stays there; what is left in memory is dropped, counted as
    /// [`DropReason::Shutdown`], and given back as a number. The counts can be read afterwards.
    pub(crate) async fn shutdown(&mut self, within: Duration) -> Left {
        // a backend that hangs must not take the time in which the rest gets to the disk
        let is_spooled = self.traces.as_ref().is_some_and(|it| it.is_spooled());
        let is_spooled = is_spooled || self.logs.as_ref().is_some_and(|it| it.is_spooled());
        let (began, for_disk) = (Instant::now(), if is_spooled { within / 8 } else { Duration::ZERO });
        self.flush(within - for_disk).await;
        self.tasks.shutdown().await;
        // both at a time, and none of them longer than the rest of the time: a disk may hang
        let rest = within.saturating_sub(began.elapsed());
        let traces = self.traces.clone().map(|lane| tokio::task::spawn_blocking(move || lane.abandon(rest)));
        let logs = self.logs.clone().map(|lane| tokio::task::spawn_blocking(move || lane.abandon(rest)));
        Left { spans: lost(traces).await, logs: lost(logs).await }
    }

    /// The counts now.
    pub(crate) fn report(&self) -> Report {
        Report {
            traces: self.traces.as_ref().map(|lane| lane.report()).unwrap_or_default(),
            logs: self.logs.as_ref().map(|lane| lane.report()).unwrap_or_default(),
        }
    }
}

async fn lost(abandoned: Option<JoinHandle<u64>>) -> u64 {
    match abandoned {
        Some(abandoned) => abandoned.await.unwrap_or_default(),
        None => 0,
    }
}
