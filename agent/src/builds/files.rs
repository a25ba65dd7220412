//! Downloads as files showed them: joined with what logs say, or sent on their own.
//!
//! A log and the module cache tell of the same download in any order. What files show is joined with a download of an
//! open build that is of the same module version and time; else it waits a moment for a log, and then becomes a span of
//! a burst (`bursts`). What went out is remembered, so that a log that comes later still does not tell it again, and
//! the other way round.
//!
//! Invariant: each download that files show gives one span and counts once, whichever way it was told first; what waits
//! and what is remembered is bounded.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use gobeacon_collectors::{Root, modcache};
use gobeacon_formats::{Event, EventKind, FailureClass, Timestamp};

use super::build::{Attributes, LogRecord, LogSeverity, SpanId, Telemetry, TraceId, Value};
use super::bursts::Bursts;
use super::downloads::{Left, near};
use super::open::OpenBuild;
use super::packages::Why;
use super::request::{Asked, Request, TOOLCHAIN_MODULE};
use super::{FileFacts, Outcome, Settings, ids};

/// How long a download waits for a log that tells of it.
const GRACE_SECONDS: f64 = 2.0;
/// Most downloads that wait; beyond it the oldest waits no longer.
const MOST_HELD: usize = 4_096;
/// Most downloads remembered that went out; the oldest is forgotten first.
const MOST_REMEMBERED: usize = 16_384;
/// How much later a log may tell of a download that went out: `go mod download -json` does at its end.
const LATE_SECONDS: f64 = 3_600.0;
/// Most stalled downloads told apart.
const MOST_STALLED: usize = 4_096;

/// A download that waits.
#[derive(Debug)]
struct Held {
    root: Arc<Root>,
    download: modcache::Download,
    until: Timestamp,
}

/// From when to when a download was, by an id of its module and version; it forgets the oldest.
#[derive(Debug, Default)]
struct Memory {
    map: HashMap<u64, (Timestamp, Timestamp)>,
    order: VecDeque<u64>,
}

impl Memory {
    fn insert(&mut self, id: u64, times: (Timestamp, Timestamp)) {
        if self.map.insert(id, times).is_none() {
            self.order.push_back(id);
        }
        // some of the order may have been taken out of the map
        while self.order.len() > MOST_REMEMBERED {
            if let Some(oldest) = self.order.pop_front() {
                self.map.remove(&oldest);
            }
        }
    }
}

/// What files showed and no log has so far, and what went out.
#[derive(Debug)]
pub(super) struct Files {
    is_on: bool,
    held: VecDeque<Held>,
    bursts: Bursts,
    /// Went out from files alone, by module and version: from when to when it was.
    by_files: Memory,
    /// Went out from a log alone, the oldest first. Logs tell of many and files ask for few, so that no index of it is
    /// kept; at most [`MOST_REMEMBERED`].
    by_logs: VecDeque<Left>,
    stalled: BTreeMap<([u8; 16], String, String), ()>,
    clock: Timestamp,
}

impl Files {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            is_on: settings.files_are_watched,
            held: VecDeque::new(),
            bursts: Bursts::new(settings),
            by_files: Memory::default(),
            by_logs: VecDeque::new(),
            stalled: BTreeMap::new(),
            clock: Timestamp::from_nanos(i64::MIN),
        }
    }

    /// No open build explains this download: it went out from a log, or it waits.
    pub(super) fn hold(
        &mut self,
        report: &modcache::Report,
        download: &modcache::Download,
        clock: Timestamp,
        out: &mut Vec<Outcome>,
    ) {
        self.clock = self.clock.max(clock);
        let id = ids::remembered(&[&download.module, &download.version]);
        let is_near = |left: &Left| [left.time, left.observed].into_iter().any(|at| near(at, download).is_some());
        // the last time that it was told is the one that counts
        let told = self.by_logs.iter().rposition(|left| left.id == id);
        if told.is_some_and(|at| self.by_logs.get(at).is_some_and(is_near)) {
            self.by_logs.retain(|left| left.id != id);
            out.push(Outcome::Downloaded(facts(download, None, None)));
            return;
        }
        if self.held.len() >= MOST_HELD
            && let Some(oldest) = self.held.pop_front()
        {
            self.send(oldest, out);
        }
        let until = self.clock.plus_seconds(GRACE_SECONDS);
        self.held.push_back(Held { root: Arc::clone(&report.root), download: download.clone(), until });
    }

    /// Before a build hears of an event: was that download told before?
    pub(super) fn before(&mut self, event: &Event, observed: Timestamp, build: &mut OpenBuild) {
        if !self.is_on || self.by_files.map.is_empty() {
            return;
        }
        let Some((module, version)) = about(event) else { return };
        let id = ids::remembered(&[&module, &version]);
        let Some((start, end)) = self.by_files.map.get(&id).copied() else { return };
        let is_of = |at: Timestamp| at >= start.plus_seconds(-GRACE_SECONDS) && at <= end.plus_seconds(LATE_SECONDS);
        if !build.knows(&module, &version) && is_of(event.time.unwrap_or(observed)) {
            self.by_files.map.remove(&id);
            build.elsewhere(&module, &version);
        }
    }

    /// Behind an event: does the build explain a download that waits?
    pub(super) fn behind(&mut self, event: &Event, build: &mut OpenBuild) {
        if self.held.is_empty() {
            return;
        }
        let Some((module, version)) = about(event) else { return };
        let is_of = |held: &Held| {
            held.download.module == module && held.download.version == version && build.fits(&held.download).is_some()
        };
        if let Some(held) = self.held.iter().position(is_of).and_then(|at| self.held.remove(at)) {
            build.downloaded(&held.download, self.clock);
        }
    }

    /// What a log told alone.
    pub(super) fn told_by_a_log(&mut self, left: Vec<Left>) {
        if self.is_on && !left.is_empty() {
            let over = (self.by_logs.len() + left.len()).saturating_sub(MOST_REMEMBERED);
            self.by_logs.drain(..over.min(self.by_logs.len()));
            let first = left.len().saturating_sub(MOST_REMEMBERED);
            self.by_logs.extend(left.into_iter().skip(first));
        }
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, clock: Timestamp, out: &mut Vec<Outcome>) {
        self.clock = self.clock.max(clock);
        while self.held.front().is_some_and(|held| held.until <= self.clock) {
            if let Some(held) = self.held.pop_front() {
                self.send(held, out);
            }
        }
        self.bursts.tick(self.clock, out);
    }

    /// No more will come.
    pub(super) fn finish(&mut self, out: &mut Vec<Outcome>) {
        while let Some(held) = self.held.pop_front() {
            self.send(held, out);
        }
        self.bursts.finish(out);
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.held.front().map(|held| held.until).into_iter().chain(self.bursts.next_deadline()).min()
    }

    /// A download stopped growing, or that is over. `span` is where a build will show it.
    pub(super) fn stall(
        &mut self,
        report: &modcache::Report,
        stall: &modcache::Stall,
        is_over: bool,
        span: Option<(TraceId, SpanId)>,
        out: &mut Vec<Outcome>,
    ) {
        let key = (report.root.id, stall.module.clone(), stall.version.clone());
        if is_over {
            self.stalled.remove(&key);
        } else if self.stalled.len() < MOST_STALLED {
            self.stalled.insert(key, ());
        }
        out.push(Outcome::DownloadsStalled(self.stalled.len()));
        let (resource, record) = (Arc::clone(self.bursts.resource()), record(report, stall, is_over, span));
        out.push(Outcome::Telemetry(Telemetry { resource, spans: Vec::new(), logs: vec![record] }));
    }

    /// No log came: a span of a burst.
    fn send(&mut self, held: Held, out: &mut Vec<Outcome>) {
        let Held { root, download, .. } = held;
        let trace = self.bursts.add(&root, &download, self.clock, out);
        let id = ids::remembered(&[&download.module, &download.version]);
        self.by_files.insert(id, (download.start, download.end));
        if download.module == TOOLCHAIN_MODULE {
            out.push(Outcome::ToolchainDownload { offset: 0, version: toolchain(&download.version).to_owned() });
        } else {
            out.push(Outcome::Download { offset: 0, host: None });
            if let Some(Why { class, .. }) = why(download.ending) {
                out.push(Outcome::DownloadFailed { offset: 0, host: None, class });
            }
        }
        out.push(Outcome::Downloaded(facts(&download, None, Some(trace))));
    }
}

/// What files tell the metrics.
pub(super) fn facts(download: &modcache::Download, host: Option<String>, trace_id: Option<TraceId>) -> FileFacts {
    FileFacts {
        host,
        bytes: download.bytes,
        seconds: download.end.seconds_since(download.start),
        redundant: download.redundant,
        fetched: download.ending == modcache::Ending::Fetched,
        trace_id,
    }
}

/// Why a download failed, as far as files tell.
pub(super) fn why(ending: modcache::Ending) -> Option<Why> {
    let (class, message) = match ending {
        modcache::Ending::Fetched => return None,
        modcache::Ending::GivenUp => (
            FailureClass::Unknown,
            "The go command removed what it had: the download failed, or what came was rejected.",
        ),
        modcache::Ending::Abandoned => (FailureClass::Interrupted, "The go command was killed while it downloaded."),
    };
    Some(Why { class, message: Some(message.to_owned()) })
}

/// The module version that an event tells to be downloaded.
fn about(event: &Event) -> Option<(String, String)> {
    match &event.kind {
        EventKind::ModuleDownload { module, version } => Some((module.clone(), version.clone())),
        EventKind::ModuleInfo { module, version, .. } => Some((module.clone(), version.clone()?)),
        EventKind::ToolchainDownload { version, os, arch } => {
            Some((TOOLCHAIN_MODULE.to_owned(), format!("v0.0.1-{version}.{os}-{arch}")))
        }
        EventKind::HttpRequest { url, .. } => match Request::read(url).asked {
            Asked::Version { module, version, zip: true } => Some((module, version)),
            Asked::Version { .. }
            | Asked::Versions { .. }
            | Asked::Lookup { .. }
            | Asked::Sumdb { .. }
            | Asked::Discovery { .. }
            | Asked::Other => None,
        },
        EventKind::Failure(failure) => Some((failure.module.clone()?, failure.version.clone()?)),
        EventKind::CommandStarted { .. }
        | EventKind::VcsCommand { .. }
        | EventKind::ModuleChanged { .. }
        | EventKind::ModuleFound { .. }
        | EventKind::ModuleRetracted { .. }
        | EventKind::ModuleDeprecated { .. }
        | EventKind::PackageCompiled { .. }
        | EventKind::Diagnostic { .. }
        | EventKind::BuildFailed { .. }
        | EventKind::TestCase { .. }
        | EventKind::TestPackage { .. }
        | EventKind::TestBenchmark { .. } => None,
    }
}

/// `go1.27.3` of `v0.0.1-go1.27.3.linux-amd64`.
fn toolchain(version: &str) -> &str {
    let version = version.strip_prefix("v0.0.1-").unwrap_or(version);
    version.rsplit_once('.').map_or(version, |(version, _)| version)
}

/// `gobuild.download.stalled`
fn record(
    report: &modcache::Report,
    stall: &modcache::Stall,
    is_over: bool,
    span: Option<(TraceId, SpanId)>,
) -> LogRecord {
    let modcache::Stall { module, version, since, until, bytes, .. } = stall;
    let seconds = until.seconds_since(*since);
    let (severity, state, body) = if is_over {
        (LogSeverity::Info, "over", format!("The download of {module}@{version} had stalled for {seconds:.0} s."))
    } else {
        let body =
            format!("The download of {module}@{version} has not grown for {seconds:.0} s; {bytes} bytes are there.");
        (LogSeverity::Warn, "begun", body)
    };
    let text = |value: String| Value::Str(value.into());
    let attributes: Attributes = vec![
        ("gobuild.module.path", text(module.clone())),
        ("gobuild.module.version", text(version.clone())),
        ("gobuild.download.stall", Value::Str(state.into())),
        ("gobuild.download.stalled_seconds", Value::Float(seconds)),
        ("gobuild.download.bytes", Value::Int(i64::try_from(*bytes).unwrap_or(i64::MAX))),
        ("gobuild.cache.path", text(report.root.path.to_string_lossy().into_owned())),
    ];
    LogRecord {
        event_name: "gobuild.download.stalled",
        time: *until,
        observed: report.observed,
        severity,
        body,
        trace_id: span.map(|(trace, _)| trace),
        span_id: span.map(|(_, span)| span),
        attributes,
    }
}
