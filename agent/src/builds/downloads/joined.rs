//! What files show of the downloads that a log told.
//!
//! Invariant: a download is joined with what files showed once; one that goes out without is told to who remembers.

use gobeacon_collectors::modcache;
use gobeacon_formats::Timestamp;

use super::{Downloads, MAX_REMEMBERED, Told, told_of};
use crate::builds::build::{SpanId, TraceId};
use crate::builds::request::TOOLCHAIN_MODULE;
use crate::builds::{FileFacts, files, ids};

/// How far the clock of a log, or the moment at which it was read, may be from the time of a download's files.
const SLACK_SECONDS: f64 = 30.0;

/// A download that a log told and no file has shown so far.
#[derive(Debug, Clone, Copy)]
pub(in crate::builds) struct Left {
    pub(in crate::builds) id: u64,
    pub(in crate::builds) time: Timestamp,
    pub(in crate::builds) observed: Timestamp,
}

impl Downloads {
    /// How far, in seconds, the first signal of a download is from what files showed; `None` when it is another's.
    pub(in crate::builds) fn fits(&self, files: &modcache::Download) -> Option<f64> {
        let download = self.held.get(&files.module, &files.version)?;
        let is_free = download.files.is_none();
        [download.start, download.observed]
            .into_iter()
            .filter_map(|at| near(at, files))
            .reduce(f64::min)
            .filter(|_| is_free)
    }

    /// Files showed this download, from its start to its end.
    pub(in crate::builds) fn downloaded(&mut self, files: &modcache::Download) {
        if let Some(download) = self.held.get_mut(&files.module, &files.version) {
            download.start = files.start;
            download.end = files.end;
            download.stamped = true;
            download.files = Some(files.clone());
        }
    }

    /// This download has gone out elsewhere: it is not told again.
    pub(in crate::builds) fn elsewhere(&mut self, module: &str, version: &str) {
        let id = ids::remembered(&[module, version]);
        if self.known.len() < MAX_REMEMBERED {
            self.known.insert(id);
            self.failed.insert(id);
        }
    }

    /// Whether a signal showed it before.
    pub(in crate::builds) fn knows(&self, module: &str, version: &str) -> bool {
        self.known.contains(&ids::remembered(&[module, version]))
    }

    /// The span of a download that is held.
    pub(in crate::builds) fn span_of(&self, module: &str, version: &str) -> Option<SpanId> {
        self.held.get(module, version).map(|download| download.span_id(self.root))
    }

    /// Whether files have yet to show one that is held.
    pub(in crate::builds) fn waits(&self) -> bool {
        self.held.iter().any(|download| download.files.is_none())
    }

    /// Downloads and requests that no span has gone out for.
    pub(in crate::builds) fn held(&self) -> (u64, u64) {
        let (downloads, requests) = (self.held.len() as u64, self.requests.len() as u64);
        (downloads + self.folded_downloads, requests + self.folded_requests)
    }

    /// Whether files have shown any that is held.
    pub(in crate::builds) fn are_shown(&self) -> bool {
        self.held.iter().any(|download| download.files.is_some())
    }

    /// What went out or was folded without files, since the last time.
    pub(in crate::builds) fn take_left(&mut self) -> Vec<Left> {
        std::mem::take(&mut self.left)
    }

    /// Downloads go out: what files told of them, and failures that only files told.
    pub(in crate::builds) fn shown(&mut self, trace: TraceId) -> Vec<(u64, FileFacts, Option<Told<'static>>)> {
        let mut all = Vec::new();
        for download in self.held.iter_mut() {
            let Some(files) = &download.files else {
                let id = ids::remembered(&[&download.module, &download.version]);
                self.left.push(Left { id, time: download.start, observed: download.observed });
                continue;
            };
            let mut failed = None;
            if let (Some(why), None) = (files::why(files.ending), &download.why) {
                let id = ids::remembered(&[&download.module, &download.version]);
                let is_new = self.failed.len() < MAX_REMEMBERED && self.failed.insert(id);
                failed = (is_new && download.module != TOOLCHAIN_MODULE)
                    .then(|| Told { failed: Some(why.class), ..told_of(download) });
                download.why = Some(why);
            }
            all.push((download.offset, files::facts(files, download.host.clone(), Some(trace)), failed));
        }
        all
    }
}

/// How far a moment is from the start of a download that files showed, in seconds; `None` when it is not about it.
pub(in crate::builds) fn near(at: Timestamp, files: &modcache::Download) -> Option<f64> {
    let is_near = at >= files.start.plus_seconds(-SLACK_SECONDS) && at <= files.end.plus_seconds(SLACK_SECONDS);
    is_near.then(|| at.seconds_since(files.start).abs())
}
