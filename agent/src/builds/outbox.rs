//! What of one build goes out, and when: the span limit is kept here.
//!
//! Half of the limit goes out at once, as things end. What comes beyond waits for the end of the build: then it is
//! known what failed and what took longest, and the rest is counted.
//!
//! Invariant: never more spans than the limit, the root included; what waits is at most twice the limit.

use std::sync::Arc;

use super::build::{Attributes, LogRecord, Span, SpanId, Telemetry, TraceId};
use super::downloads::{Complete, Downloads};
use super::packages::{self, LeftOut, Package, Worth};
use super::spans;
use super::summary::Folded;
use super::times::Times;

/// Most log records of one build; those beyond are counted.
const MAX_RECORDS: usize = 1_000;

/// What goes out of one build.
#[derive(Debug)]
pub(super) struct Outbox {
    trace: TraceId,
    root: SpanId,
    resource: Arc<Attributes>,
    max_spans: usize,
    sent_spans: usize,
    sent_records: usize,
    /// Complete packages that wait for the end.
    pool: Vec<Package>,
    pooled: usize,
    /// Of the last choice, once there was one.
    floor: Option<Worth>,
    spans: Vec<Span>,
    records: Vec<LogRecord>,
}

impl Outbox {
    pub(super) fn new(trace: TraceId, root: SpanId, resource: Attributes, max_spans: usize) -> Self {
        Self {
            trace,
            root,
            resource: Arc::new(resource),
            max_spans,
            sent_spans: 0,
            sent_records: 0,
            pool: Vec::new(),
            pooled: 0,
            floor: None,
            spans: Vec::new(),
            records: Vec::new(),
        }
    }

    /// A log record; it is counted when there were too many.
    pub(super) fn record(&mut self, record: LogRecord, folded: &mut Folded) {
        if self.sent_records < MAX_RECORDS {
            self.sent_records += 1;
            self.records.push(record);
        } else {
            folded.records += 1;
        }
    }

    /// A complete package: goes out, or waits for the end.
    pub(super) fn package(&mut self, package: Package, times: &mut Times, folded: &mut Folded) {
        folded.tests += package.folded;
        let Some(package) = self.above_the_floor(package, folded) else { return };
        if self.floor.is_none() && self.sent_spans + package.spans() <= self.max_spans / 2 {
            self.send_package(package, times);
            return;
        }
        self.pooled += package.spans();
        self.pool.push(package);
        if self.pooled > self.max_spans * 2 {
            self.choose(self.max_spans, folded);
        }
    }

    /// Modules are loaded: downloads go out, unless they are so many that they must wait for the end.
    pub(super) fn loaded(&mut self, downloads: &mut Downloads, times: &mut Times, folded: &mut Folded) {
        if self.has_room_for(downloads) {
            let complete = downloads.complete(times, self.room_at_once());
            self.send_downloads(complete, times, folded);
        }
    }

    /// Whether all that is held may go out at once.
    pub(super) fn has_room_for(&self, downloads: &Downloads) -> bool {
        downloads.len() <= self.room_at_once()
    }

    fn room_at_once(&self) -> usize {
        (self.max_spans / 2).saturating_sub(self.sent_spans)
    }

    /// The build is over: all that fits goes out, but for the root.
    pub(super) fn rest(&mut self, downloads: &mut Downloads, times: &mut Times, folded: &mut Folded) {
        let left = (self.max_spans - 1).saturating_sub(self.sent_spans);
        let complete = downloads.complete(times, (left / 2).max(left.saturating_sub(self.pooled)));
        self.send_downloads(complete, times, folded);
        self.choose((self.max_spans - 1).saturating_sub(self.sent_spans), folded);
        for package in std::mem::take(&mut self.pool) {
            self.send_package(package, times);
        }
    }

    /// Tests and packages that wait for the end.
    pub(super) fn pooled(&self) -> (u64, u64) {
        let tests = self.pool.iter().map(|package| package.cases.len()).sum::<usize>();
        (tests as u64, self.pool.iter().filter(|package| !package.by_hand()).count() as u64)
    }

    /// The root, last.
    pub(super) fn root(&mut self, root: Span) {
        self.spans.push(root);
    }

    /// What is ready since the last time.
    pub(super) fn take(&mut self) -> Option<Telemetry> {
        if self.spans.is_empty() && self.records.is_empty() {
            return None;
        }
        Some(Telemetry {
            resource: Arc::clone(&self.resource),
            spans: std::mem::take(&mut self.spans),
            logs: std::mem::take(&mut self.records),
        })
    }

    /// What is worth less than that is not kept, whatever else comes.
    pub(super) fn floor(&self) -> Option<Worth> {
        self.floor
    }

    /// Takes out of a package what would not be chosen. `None`: nothing of it would.
    fn above_the_floor(&self, mut package: Package, folded: &mut Folded) -> Option<Package> {
        let Some(floor) = self.floor else { return Some(package) };
        let is_kept = package.worth() >= floor;
        let out = package.keep(|worth| is_kept && worth >= floor);
        folded.tests += out;
        folded.packages += u64::from(!is_kept && !package.by_hand());
        is_kept.then_some(package)
    }

    fn choose(&mut self, limit: usize, folded: &mut Folded) {
        let LeftOut { packages, cases, floor } = packages::choose(&mut self.pool, limit);
        folded.packages += packages;
        folded.tests += cases;
        self.floor = floor.or(self.floor);
        self.pooled = self.pool.iter().map(Package::spans).sum();
    }

    fn send_package(&mut self, package: Package, times: &mut Times) {
        self.sent_spans += package.spans();
        let before = self.spans.len();
        spans::package(self.trace, self.root, package, &mut self.spans);
        for span in self.spans.iter().skip(before) {
            times.sent(span.start, span.end);
        }
    }

    fn send_downloads(&mut self, complete: Complete, times: &mut Times, folded: &mut Folded) {
        folded.downloads += complete.folded_downloads;
        folded.requests += complete.folded_requests;
        let downloads = complete.downloads.into_iter().map(|d| spans::download(self.trace, self.root, d));
        let requests = complete.requests.into_iter().map(|r| spans::request(self.trace, r));
        let before = self.spans.len();
        self.spans.extend(downloads.chain(requests));
        self.sent_spans += self.spans.len() - before;
        for span in self.spans.iter().skip(before) {
            times.sent(span.start, span.end);
        }
    }
}
