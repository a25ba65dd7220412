//! Module downloads and the requests that make them up.
//!
//! A download shows in up to five ways: the `go: downloading` line, the requests of `-x`, an object of
//! `go mod download -json`, the failure that ends it, and the files in the module cache (`files`). They are one
//! download, told once. No log shows its end, so downloads are held until the command has gone on to compile or test,
//! or is over, and say in an attribute what is not known.
//!
//! Invariant: what is held and remembered is bounded, however many modules a log names.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;
use gobeacon_collectors::modcache;
use gobeacon_formats::{FailureClass, HttpAnswer, Timestamp};

use super::build::SpanId;
use super::packages::Why;
use super::request::{Asked, Request, TOOLCHAIN_MODULE};
use super::times::{At, Times};
use super::{ids, redact};

mod held;
mod joined;

use held::Held;
pub(super) use joined::{Left, near};

/// Module versions remembered so that each is told once, 8 bytes each. Large builds have a few thousand; beyond this
/// only `go: downloading` lines are told, which the go command prints once for each.
const MAX_REMEMBERED: usize = 16_384;
/// Longest module path, version or URL kept, in bytes.
const MAX_TEXT_BYTES: usize = 1_024;

/// Which signal showed a download first: the value of `gobuild.download.signal`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    LogLine,
    Request,
    ModuleInfo,
    Failure,
    Files,
}

impl Signal {
    pub(super) const fn id(self) -> &'static str {
        match self {
            Self::LogLine => "log_line",
            Self::Request => "request",
            Self::ModuleInfo => "module_info",
            Self::Failure => "failure",
            Self::Files => "files",
        }
    }
}

/// One module version.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Download {
    /// Parts it from others of the same module version.
    ordinal: u64,
    pub(super) module: String,
    pub(super) version: String,
    pub(super) signal: Signal,
    pub(super) offset: u64,
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    stamped: bool,
    /// Who served the zip, or was asked last.
    pub(super) host: Option<String>,
    pub(super) sum: Option<String>,
    pub(super) why: Option<Why>,
    /// What its files showed.
    pub(super) files: Option<modcache::Download>,
    /// When its first signal was read.
    observed: Timestamp,
    /// Whether it was told as an outcome.
    told: bool,
}

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct HeldRequest {
    pub(super) span_id: SpanId,
    /// The download's, once it goes out; the root's otherwise.
    pub(super) parent: SpanId,
    pub(super) url: String,
    pub(super) host: String,
    pub(super) status: Option<u16>,
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    stamped: bool,
    pub(super) offset: u64,
    /// How often this URL had been asked for before.
    pub(super) resent: u32,
    pub(super) why: Option<Why>,
    of: Option<(String, String)>,
}

/// What became known of a download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told<'a> {
    pub(super) module: Cow<'a, str>,
    pub(super) version: Cow<'a, str>,
    pub(super) host: Option<String>,
    pub(super) failed: Option<FailureClass>,
}

/// What goes out at once.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Complete {
    pub(super) downloads: Vec<Download>,
    pub(super) requests: Vec<HeldRequest>,
    pub(super) folded_downloads: u64,
    pub(super) folded_requests: u64,
}

/// The downloads of one build.
#[derive(Debug)]
pub(super) struct Downloads {
    root: SpanId,
    max_held: usize,
    held: Held,
    requests: Vec<HeldRequest>,
    known: HashSet<u64, RandomState>,
    failed: HashSet<u64, RandomState>,
    asked: HashMap<u64, u32, RandomState>,
    /// Whether the command shows its requests: then a download is told when its request shows who served it.
    requests_shown: bool,
    folded_downloads: u64,
    folded_requests: u64,
    /// Told, and gone out or folded without files.
    left: Vec<Left>,
}

impl Downloads {
    pub(super) fn new(root: SpanId, max_spans: usize) -> Self {
        Self {
            root,
            max_held: max_spans,
            held: Held::default(),
            requests: Vec::new(),
            known: HashSet::default(),
            failed: HashSet::default(),
            asked: HashMap::default(),
            requests_shown: false,
            folded_downloads: 0,
            folded_requests: 0,
            left: Vec::new(),
        }
    }

    /// A signal showed a download. Gives out what is to be told of it.
    pub(super) fn seen<'a>(
        &mut self,
        module: &'a str,
        version: &'a str,
        signal: Signal,
        at: At,
        offset: u64,
    ) -> Option<Told<'a>> {
        let id = ids::remembered(&[module, version]);
        let full = self.known.len() >= MAX_REMEMBERED;
        if self.known.contains(&id) || (full && signal != Signal::LogLine) {
            return None;
        }
        if !full {
            self.known.insert(id);
        }
        let wait = self.requests_shown && signal == Signal::LogLine;
        if self.held.len() >= self.max_held {
            self.folded_downloads += 1;
            self.left.push(Left { id, time: at.time, observed: at.observed });
            return Some(told(module, version, None));
        }
        let download = Download {
            ordinal: if full || module.len().max(version.len()) > MAX_TEXT_BYTES { offset } else { 0 },
            module: bounded(module),
            version: bounded(version),
            signal,
            offset,
            start: at.time,
            end: at.time,
            stamped: at.stamped,
            host: None,
            sum: None,
            why: None,
            files: None,
            observed: at.observed,
            told: !wait,
        };
        self.held.insert(id, download);
        (!wait).then(|| told(module, version, None))
    }

    /// An object of `go mod download -json` gives the hash of a download.
    pub(super) fn sum(&mut self, module: &str, version: &str, sum: &str) {
        if let Some(download) = self.held.get_mut(module, version) {
            download.sum = Some(bounded(sum));
        }
    }

    /// A request ended. Gives out what is to be told of the download that it belongs to.
    pub(super) fn request<'a>(
        &mut self,
        url: &str,
        request: &'a Request,
        answer: &HttpAnswer,
        at: At,
        times: &Times,
        offset: u64,
    ) -> Option<Told<'a>> {
        self.requests_shown = true;
        let failure = request.failure(answer);
        let (status, elapsed) = match answer {
            HttpAnswer::Answered { status, duration_seconds } => (Some(*status), Some(*duration_seconds)),
            HttpAnswer::Failed { .. } => (None, None),
        };
        let of = match &request.asked {
            Asked::Version { module, version, .. } | Asked::Lookup { module, version } => {
                Some((bounded(module), bounded(version)))
            }
            Asked::Versions { .. } | Asked::Sumdb { .. } | Asked::Discovery { .. } | Asked::Other => None,
        };
        let asked_before = self.asked_before(url);
        // a failure is worth more than the bound: a quarter more of them is held
        let room = self.max_held + if failure.is_some() { self.max_held / 4 } else { 0 };
        if self.requests.len() < room {
            let message = match answer {
                HttpAnswer::Answered { status, .. } => format!("answered with status {status}"),
                HttpAnswer::Failed { error } => redact::message(error),
            };
            self.requests.push(HeldRequest {
                span_id: ids::child_of(self.root, "GET", url, offset),
                parent: self.root,
                url: redact::url(url),
                host: bounded(&request.host),
                status,
                start: times.start_of(at, elapsed),
                end: at.time,
                stamped: at.stamped,
                offset,
                resent: asked_before,
                why: failure.map(|class| Why { class, message: Some(bounded(&message)) }),
                of,
            });
        } else {
            self.folded_requests += 1;
        }
        let Asked::Version { module, version, zip: true } = &request.asked else { return None };
        if module == TOOLCHAIN_MODULE {
            return None;
        }
        let new = if failure.is_none() { self.seen(module, version, Signal::Request, at, offset) } else { None };
        let Some(download) = self.held.get_mut(module, version) else { return new };
        download.host = Some(bounded(&request.host));
        if failure.is_some() {
            return None;
        }
        let first = new.is_some() || !download.told;
        download.told = true;
        first.then(|| told(module, version, download.host.clone()))
    }

    /// A download failed. Gives out the span that the failure belongs to and what is to be told.
    pub(super) fn failure<'a>(
        &mut self,
        module: &'a str,
        version: &'a str,
        why: Why,
        host: Option<&str>,
    ) -> (Option<SpanId>, Vec<Told<'a>>) {
        let held = match version.strip_prefix("go") {
            Some(_) if module == TOOLCHAIN_MODULE => {
                self.held.iter_mut().find(|held| held.module == module && held.version.contains(version))
            }
            Some(_) | None => self.held.get_mut(module, version),
        };
        let id = ids::remembered(&[module, version]);
        let class = why.class;
        let mut host = host.map(bounded);
        let mut news = Vec::new();
        let mut span = None;
        if let Some(download) = held {
            span = Some(download.span_id(self.root));
            host = host.or_else(|| download.host.clone());
            download.why.get_or_insert(why);
            if !std::mem::replace(&mut download.told, true) {
                news.push(told(module, version, host.clone()));
            }
        } else if !self.known.contains(&id) {
            return (None, news);
        }
        if module != TOOLCHAIN_MODULE && self.failed.len() < MAX_REMEMBERED && self.failed.insert(id) {
            news.push(Told { failed: Some(class), ..told(module, version, host) });
        }
        (span, news)
    }

    /// How many downloads and requests are held.
    pub(super) fn len(&self) -> usize {
        self.held.len() + self.requests.len()
    }

    /// Downloads are over: what was not told yet.
    pub(super) fn untold(&mut self) -> Vec<(u64, Told<'static>)> {
        let mut news = Vec::new();
        // all others are told as they come; and this is asked for each test while many downloads are held
        if !self.requests_shown {
            return news;
        }
        for download in self.held.iter_mut() {
            if !std::mem::replace(&mut download.told, true) {
                news.push((download.offset, told_of(download)));
            }
        }
        news.sort_by_key(|(offset, _)| *offset);
        news
    }

    /// Downloads are over: gives out at most `limit` spans, failures first, then downloads, then the longest.
    pub(super) fn complete(&mut self, times: &Times, limit: usize) -> Complete {
        let mut downloads = self.held.take();
        let mut requests = std::mem::take(&mut self.requests);
        for request in &mut requests {
            (request.start, request.end) = earlier(request.start, request.end, request.stamped, times);
        }
        for download in &mut downloads {
            (download.start, download.end) = earlier(download.start, download.end, download.stamped, times);
        }
        let total = (downloads.len() as u64, requests.len() as u64);
        if downloads.len() + requests.len() > limit {
            downloads.sort_by_key(|d| (d.why.is_none(), d.offset));
            requests.sort_by_key(|r| (r.why.is_none(), r.start.as_nanos().saturating_sub(r.end.as_nanos()), r.offset));
            let failed_requests = requests.iter().filter(|r| r.why.is_some()).count();
            let failed_downloads = downloads.iter().filter(|d| d.why.is_some()).count();
            let for_failed = failed_requests.min(limit.saturating_sub(failed_downloads)).min(limit / 2);
            downloads.truncate(limit - for_failed);
            requests.truncate(limit - downloads.len());
        }
        let mut complete = Complete {
            folded_downloads: std::mem::take(&mut self.folded_downloads) + total.0 - downloads.len() as u64,
            folded_requests: std::mem::take(&mut self.folded_requests) + total.1 - requests.len() as u64,
            downloads,
            requests,
        };
        adopt(self.root, &mut complete);
        complete
    }

    /// How often this URL was asked for before.
    fn asked_before(&mut self, url: &str) -> u32 {
        let id = ids::remembered(&[url]);
        if self.asked.len() >= MAX_REMEMBERED && !self.asked.contains_key(&id) {
            return 0;
        }
        let count = self.asked.entry(id).or_default();
        let before = *count;
        *count = count.saturating_add(1);
        before
    }
}

/// Hangs the requests on the downloads that they belong to, and widens those to cover them.
fn adopt(root: SpanId, complete: &mut Complete) {
    if complete.requests.is_empty() {
        return;
    }
    let mut by_key: HashMap<(String, String), &mut Download> =
        complete.downloads.iter_mut().map(|d| ((d.module.clone(), d.version.clone()), d)).collect();
    for request in &mut complete.requests {
        let Some(download) = request.of.as_ref().and_then(|key| by_key.get_mut(key)) else { continue };
        request.parent = download.span_id(root);
        download.start = download.start.min(request.start);
        download.end = download.end.max(request.end);
    }
}

/// What was read without a time stamp, before any line had one, was no later than the first that has one.
fn earlier(start: Timestamp, end: Timestamp, stamped: bool, times: &Times) -> (Timestamp, Timestamp) {
    match times.first_stamp().filter(|first| !stamped && *first < end) {
        Some(first) => (first.plus_seconds(-end.seconds_since(start)), first),
        None => (start, end),
    }
}

fn told<'a>(module: &'a str, version: &'a str, host: Option<String>) -> Told<'a> {
    let bounded = |text| Cow::Borrowed(redact::bounded_str(text, MAX_TEXT_BYTES));
    Told { module: bounded(module), version: bounded(version), host, failed: None }
}

/// The same of one that is held.
fn told_of(download: &Download) -> Told<'static> {
    let (module, version) = (download.module.clone().into(), download.version.clone().into());
    Told { module, version, host: download.host.clone(), failed: None }
}

fn bounded(text: &str) -> String {
    redact::bounded_str(text, MAX_TEXT_BYTES).to_owned()
}
