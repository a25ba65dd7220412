//! Downloads that no log explains: one trace for those into one cache that follow each other.
//!
//! `go mod download` prints nothing, and often no log is followed at all. Its downloads begin within moments of each
//! other; a trace for each would tear them apart, so those that follow each other within seconds have one root, named
//! `module downloads`. A child goes out at once, the root when the burst is over.
//!
//! Invariant: a burst's root is exported and covers all its children; bursts are as many as caches, and bounded.

use std::collections::BTreeMap;
use std::sync::Arc;

use gobeacon_collectors::{Root, modcache};
use gobeacon_formats::Timestamp;

use super::build::{Attributes, Span, SpanId, SpanKind, Telemetry, TraceId, Value};
use super::spans::{self, count};
use super::{Outcome, Settings, ids, resource};

/// How much later than the last one another download may begin and belong to the same burst.
const GAP_SECONDS: f64 = 10.0;
/// Longest burst. A cache that never rests must not keep its roots for ever.
const LONGEST_SECONDS: f64 = 600.0;
/// Most caches with a burst at once; beyond it the one that was quiet the longest is closed.
const MOST: usize = 256;

/// One burst.
#[derive(Debug)]
struct Burst {
    root: Arc<Root>,
    trace: TraceId,
    span: SpanId,
    start: Timestamp,
    end: Timestamp,
    /// By the clock: when it is over unless more comes.
    over: Timestamp,
    downloads: usize,
    failed: u64,
    redundant: u64,
    bytes: u64,
}

/// All bursts that are not over, one a cache.
#[derive(Debug)]
pub(super) struct Bursts {
    host_id: String,
    resource: Arc<Attributes>,
    /// Most children of one.
    max_children: usize,
    open: BTreeMap<[u8; 16], Burst>,
}

impl Bursts {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            host_id: settings.host_id.clone(),
            resource: Arc::new(resource::of_machine(settings)),
            max_children: settings.max_spans_per_build.max(8) - 1,
            open: BTreeMap::new(),
        }
    }

    /// The resource of what no log tells of.
    pub(super) fn resource(&self) -> &Arc<Attributes> {
        &self.resource
    }

    /// Gives a download its place, and sends it. Says in which trace.
    pub(super) fn add(
        &mut self,
        root: &Arc<Root>,
        download: &modcache::Download,
        clock: Timestamp,
        out: &mut Vec<Outcome>,
    ) -> TraceId {
        let max_children = self.max_children;
        let is_over = |burst: &Burst| {
            burst.downloads >= max_children
                || download.start > burst.end.plus_seconds(GAP_SECONDS)
                || download.end > burst.start.plus_seconds(LONGEST_SECONDS)
        };
        if self.open.get(&root.id).is_some_and(is_over) {
            self.close(root.id, out);
        }
        let resource = Arc::clone(&self.resource);
        let burst = self.open.entry(root.id).or_insert_with(|| Burst::begin(&self.host_id, root, download));
        let span = burst.add(download, clock);
        let trace = burst.trace;
        out.push(Outcome::Telemetry(Telemetry { resource, spans: vec![span], logs: Vec::new() }));
        if self.open.len() > MOST
            && let Some(id) = self.open.iter().min_by_key(|(_, burst)| burst.over).map(|(id, _)| *id)
        {
            self.close(id, out);
        }
        trace
    }

    /// Closes what is over.
    pub(super) fn tick(&mut self, clock: Timestamp, out: &mut Vec<Outcome>) {
        let over: Vec<_> = self.open.iter().filter(|(_, burst)| burst.over <= clock).map(|(id, _)| *id).collect();
        over.into_iter().for_each(|id| self.close(id, out));
    }

    /// Closes all.
    pub(super) fn finish(&mut self, out: &mut Vec<Outcome>) {
        while let Some((id, _)) = self.open.first_key_value() {
            self.close(*id, out);
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.open.values().map(|burst| burst.over).min()
    }

    fn close(&mut self, id: [u8; 16], out: &mut Vec<Outcome>) {
        if let Some(burst) = self.open.remove(&id) {
            let (resource, spans) = (Arc::clone(&self.resource), vec![burst.span()]);
            out.push(Outcome::Telemetry(Telemetry { resource, spans, logs: Vec::new() }));
        }
    }
}

impl Burst {
    fn begin(host_id: &str, root: &Arc<Root>, first: &modcache::Download) -> Self {
        let name = (first.module.as_str(), first.version.as_str());
        let trace = ids::trace_of_burst(host_id, &root.id, name, first.start.as_nanos());
        Self {
            root: Arc::clone(root),
            trace,
            span: ids::root_of(trace),
            start: first.start,
            end: first.end,
            over: first.end,
            downloads: 0,
            failed: 0,
            redundant: 0,
            bytes: 0,
        }
    }

    fn add(&mut self, download: &modcache::Download, clock: Timestamp) -> Span {
        self.start = self.start.min(download.start);
        self.end = self.end.max(download.end);
        self.over = clock.plus_seconds(GAP_SECONDS);
        self.downloads += 1;
        self.failed += u64::from(download.ending != modcache::Ending::Fetched);
        self.redundant += u64::from(download.redundant);
        self.bytes = self.bytes.saturating_add(download.bytes);
        let name = format!("{}@{}", download.module, download.version);
        let ordinal = u64::try_from(download.start.as_nanos()).unwrap_or_default();
        let span_id = ids::child_of(self.span, "module download", &name, ordinal);
        spans::file_download(self.trace, self.span, span_id, download)
    }

    fn span(&self) -> Span {
        let mut attributes: Attributes = vec![
            ("gobuild.cache.path", Value::Str(self.root.path.to_string_lossy().into_owned().into())),
            ("gobuild.downloads", count(self.downloads as u64)),
            ("gobuild.download.bytes", count(self.bytes)),
        ];
        for (name, number) in
            [("gobuild.downloads.failed", self.failed), ("gobuild.downloads.redundant", self.redundant)]
        {
            if number > 0 {
                attributes.push((name, count(number)));
            }
        }
        Span {
            trace_id: self.trace,
            span_id: self.span,
            parent: None,
            name: "module downloads".into(),
            kind: SpanKind::Internal,
            start: self.start,
            end: self.end,
            attributes,
            error: None,
        }
    }
}
