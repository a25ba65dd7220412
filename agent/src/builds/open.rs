//! One build while it is open.
//!
//! It takes in the events of one go command and hands out spans and log records as they are complete; the root span
//! and the summary come when it is closed.

use std::sync::Arc;
use std::time::Duration;

use gobeacon_collectors::Source;
use gobeacon_formats::{Event, Timestamp};

use super::build::{Attributes, SpanId, TraceId};
use super::summary::EndedBy;
use super::times::Times;
use super::{Outcome, Settings, ids, resource};

/// One open build.
#[derive(Debug)]
pub(super) struct OpenBuild {
    /// The last sign of life, by the clock of [`super::Builds`].
    pub(super) last_activity: Timestamp,
    settings: Arc<Settings>,
    source: Arc<Source>,
    resource: Arc<Attributes>,
    trace: TraceId,
    root: SpanId,
    first_offset: u64,
    lowest_offset: u64,
    times: Times,
}

impl OpenBuild {
    pub(super) fn new(settings: Arc<Settings>, source: Arc<Source>, offset: u64) -> Self {
        let trace = ids::trace_of_log(&settings.host_id, &source.id, offset);
        Self {
            last_activity: Timestamp::from_nanos(i64::MIN),
            resource: Arc::new(resource::of_log(&source.path, &settings)),
            settings,
            source,
            trace,
            root: ids::root_of(trace),
            first_offset: offset,
            lowest_offset: offset,
            times: Times::default(),
        }
    }

    pub(super) fn trace_id(&self) -> TraceId {
        self.trace
    }

    /// Offset of the first byte that this build came from: events may be told later than ones behind them.
    pub(super) fn lowest_offset(&self) -> u64 {
        self.lowest_offset
    }

    pub(super) fn rested_before(&self, event: &Event, idle: Duration) -> bool {
        self.times.rested_before(event, idle)
    }

    pub(super) fn apply(&mut self, event: &Event, observed: Timestamp, _out: &mut Vec<Outcome>) {
        self.lowest_offset = self.lowest_offset.min(event.offset);
        let at = self.times.at(event, observed);
        self.times.cover(at.time, at.time);
    }

    pub(super) fn flush(&mut self, _out: &mut Vec<Outcome>) {}

    pub(super) fn close(self, _by: EndedBy, _out: &mut Vec<Outcome>) {}
}
