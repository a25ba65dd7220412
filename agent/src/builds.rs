//! From events of logs to builds: a state machine without input or output.
//!
//! A build is one go command in one log. It opens at the echo of a command, or at the first Go event after idleness
//! (a bare word that may be an import path is none until a second one follows), and closes at the next echo, at the end of the log, or when nothing came for the idle timeout. What is known goes
//! out as [`Outcome`]s as soon as it is known; the exporters and the metrics read those.
//!
//! This room reads no clock, file or socket: time comes in with the events and through [`Builds::tick`]. It names no
//! metric and no wire format.
//!
//! Invariants: the same bytes give the same ids however they are cut into batches; every span's parent is exported
//! in the same trace, begins no later and ends no earlier; state is bounded whatever the logs say, and what did not
//! fit is counted in [`summary::Folded`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gobeacon_collectors::{Batch, modcache};
use gobeacon_formats::{CaseStatus, Event, EventKind, Failure, FailureClass, PackageStatus, Timestamp};

pub(crate) mod build;
mod bursts;
#[cfg(test)]
pub(crate) mod catalogue;
pub(crate) mod command;
mod downloads;
mod fallbacks;
mod files;
mod findings;
pub(crate) mod ids;
mod open;
mod outbox;
mod packages;
mod records;
pub(crate) mod redact;
mod request;
pub(crate) mod resource;
mod resumed;
mod root;
mod spans;
pub(crate) mod summary;
mod tally;
mod times;
mod will;

#[cfg(test)]
mod tests;

use build::{Telemetry, TraceId};
use command::Subcommand;
use files::Files;
use open::OpenBuild;
use resumed::Resuming;
pub(crate) use resumed::Resumption;
use summary::{BuildSummary, EndedBy};
pub(crate) use will::Will;

/// What the state machine is told once.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// A build without a sign of life for this long is over.
    pub(crate) idle_timeout: Duration,
    /// What this machine is, the same over restarts: goes into every trace id.
    pub(crate) host_id: String,
    /// For the resource attribute `host.name`.
    pub(crate) host_name: Option<String>,
    /// Most spans exported for one build, the root included; at least 8.
    pub(crate) max_spans_per_build: usize,
    /// Most builds open at once, at least 1; beyond it the one that was silent the longest is closed.
    pub(crate) max_open_builds: usize,
    /// Whether [`Builds::files`] tells what happens in module caches: then downloads wait a moment for it.
    pub(crate) files_are_watched: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            idle_timeout: Duration::from_secs(300),
            host_id: String::new(),
            host_name: None,
            max_spans_per_build: 2_000,
            max_open_builds: 1_024,
            files_are_watched: false,
        }
    }
}

/// What became known. `offset` is that of the event that told it, in its log.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// Spans and log records that are complete.
    Telemetry(Telemetry),
    /// A build opened. Its name is known for sure only when it ends.
    CommandStarted { offset: u64, trace_id: TraceId },
    /// A build closed; each started one ends once.
    CommandEnded(Box<BuildSummary>),
    /// A build of an earlier life ended with its log, which is gone; `class` is that of the failure that explains it.
    CommandLost { subcommand: Subcommand, has_failed: bool, class: Option<FailureClass> },
    /// A module version is downloaded, told once for each build however many signals show it.
    Download { offset: u64, host: Option<String> },
    /// A download that was told before came to nothing; at most once for each module version of a build.
    DownloadFailed { offset: u64, host: Option<String>, class: FailureClass },
    /// Files showed a download from its start to its end; once for each, whatever else told it.
    Downloaded(FileFacts),
    /// So many downloads do not grow at present.
    DownloadsStalled(usize),
    /// A Go toolchain is downloaded.
    ToolchainDownload { offset: u64, version: String },
    /// A proxy did not have or give something and the next one of the list was asked; told once for each host and
    /// module of a build.
    ProxyFallback { offset: u64, from_host: String, reason: FailureClass },
    /// A request to the checksum database failed.
    SumdbRequestFailed { offset: u64, reason: FailureClass },
    /// A test case ended.
    TestCase { offset: u64, status: CaseStatus, elapsed_seconds: Option<f64>, trace_id: TraceId },
    /// A test package was reported.
    TestPackage { offset: u64, status: PackageStatus, cached: bool, elapsed_seconds: Option<f64>, trace_id: TraceId },
    /// A test passed that had failed before in the same build; told once for each test.
    TestFlaky { offset: u64 },
    /// A failure.
    Failure { offset: u64, failure: Box<Failure>, trace_id: TraceId },
}

/// What the files of one download tell the metrics.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FileFacts {
    pub(crate) host: Option<String>,
    pub(crate) bytes: u64,
    pub(crate) seconds: f64,
    pub(crate) redundant: bool,
    /// Whether the zip came into its place.
    pub(crate) fetched: bool,
    pub(crate) trace_id: Option<TraceId>,
}

/// All open builds, at most one for each log.
#[derive(Debug)]
pub(crate) struct Builds {
    settings: Settings,
    files: Files,
    /// By the id of the log.
    open: BTreeMap<[u8; 16], OpenBuild>,
    /// Bare words that may be import paths, and when they were read, of logs without an open build: one alone opens
    /// none. By the id of the log, at most as many as builds may be open.
    words: BTreeMap<[u8; 16], (Event, Timestamp)>,
    /// Logs that are read again up to where an earlier life stopped.
    resuming: BTreeMap<[u8; 16], Resuming>,
    /// The latest time heard of; for idleness only.
    clock: Timestamp,
}

impl Builds {
    /// No build is open.
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            files: Files::new(&settings),
            settings,
            open: BTreeMap::new(),
            words: BTreeMap::new(),
            resuming: BTreeMap::new(),
            clock: Timestamp::from_nanos(i64::MIN),
        }
    }

    /// Other times and bounds from now on; builds that are open keep their bound of spans. What the machine is called
    /// stays.
    pub(crate) fn change(&mut self, settings: &Settings) {
        let Settings { idle_timeout, max_spans_per_build, max_open_builds, .. } = *settings;
        self.settings = Settings { idle_timeout, max_spans_per_build, max_open_builds, ..self.settings.clone() };
    }

    /// The command whose output this log is ended with `code` at `time`. What its last bytes said may still follow.
    pub(crate) fn exited(&mut self, log: [u8; 16], code: u8, time: Timestamp) {
        if let Some(build) = self.open.get_mut(&log) {
            build.exited(code, time);
        }
    }

    /// Takes in what one log said.
    ///
    /// Who follows live logs calls [`Self::tick`] with the present before, so that bytes that were written long ago
    /// count as a sign of life now.
    pub(crate) fn apply(&mut self, batch: &Batch, out: &mut Vec<Outcome>) {
        self.clock = self.clock.max(batch.observed);
        self.replayed_no_further(batch.source.id, out);
        for event in &batch.events {
            self.event(batch, event, out);
        }
        if let Some(build) = self.open.get_mut(&batch.source.id) {
            // bytes alone are a sign of life only while the parser holds something unfinished of this build
            if !batch.events.is_empty() || (batch.bytes > 0 && batch.open_from < batch.read_to) {
                build.last_activity = self.clock;
            }
            build.flush(out);
            self.files.told_by_a_log(build.take_left());
        }
        if batch.ended {
            self.words.remove(&batch.source.id);
            self.close(batch.source.id, EndedBy::EndOfLog, out);
        }
    }

    /// Tells the present: closes what has been silent for the idle timeout.
    pub(crate) fn tick(&mut self, now: Timestamp, out: &mut Vec<Outcome>) {
        self.clock = self.clock.max(now);
        let silent = |build: &OpenBuild| deadline(build, &self.settings) <= now;
        let is_over = |id: &[u8; 16], build: &OpenBuild| silent(build) && !self.resuming.contains_key(id);
        let over: Vec<_> = self.open.iter().filter(|(id, build)| is_over(id, build)).map(|(id, _)| *id).collect();
        for id in over {
            self.close(id, EndedBy::Idle, out);
        }
        let is_due = |build: &OpenBuild| build.downloads_due().is_some_and(|at| at <= now);
        for (id, build) in self.open.iter_mut().filter(|(_, build)| is_due(build)) {
            if self.resuming.contains_key(id) {
                continue;
            }
            build.release(out);
            self.files.told_by_a_log(build.take_left());
        }
        self.files.tick(self.clock, out);
    }

    /// Takes in what happened in a module cache. Who follows live logs too calls [`Self::tick`] with the present before.
    pub(crate) fn files(&mut self, report: &modcache::Report, out: &mut Vec<Outcome>) {
        self.clock = self.clock.max(report.observed);
        for event in &report.events {
            match event {
                modcache::Event::Downloaded(download) => {
                    let fits = |build: &OpenBuild| build.fits(download);
                    let nearest = self.open.values_mut().filter_map(|build| Some((fits(build)?, build)));
                    match nearest.min_by(|(a, _), (b, _)| a.total_cmp(b)) {
                        Some((_, build)) => build.downloaded(download, self.clock),
                        None => self.files.hold(report, download, self.clock, out),
                    }
                }
                modcache::Event::Stalled(stall) | modcache::Event::StallOver(stall) => {
                    let is_over = matches!(event, modcache::Event::StallOver(_));
                    let span = self.open.values().find_map(|build| build.span_of(&stall.module, &stall.version));
                    self.files.stall(report, stall, is_over, span, out);
                }
                modcache::Event::Counted(_) | modcache::Event::Gone => {}
            }
        }
    }

    /// Closes all builds: the agent stops, or a replay came to its end. What is half rebuilt stays for the next life.
    pub(crate) fn finish(&mut self, now: Timestamp, out: &mut Vec<Outcome>) {
        self.clock = self.clock.max(now);
        let whole = self.open.keys().filter(|id| !self.resuming.contains_key(*id)).copied().collect::<Vec<_>>();
        for id in whole {
            self.close(id, EndedBy::Shutdown, out);
        }
        self.files.finish(out);
    }

    /// The agent stops and a later life goes on with what is open: gives out what that one cannot see again.
    pub(crate) fn leave(&mut self, now: Timestamp, out: &mut Vec<Outcome>) {
        self.clock = self.clock.max(now);
        for (id, build) in &mut self.open {
            if !self.resuming.contains_key(id) {
                build.leave(out);
            }
        }
        self.files.finish(out);
    }

    /// When [`Self::tick`] has something to close at the earliest, as things stand.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        let of_builds = self.open.iter().filter(|(id, _)| !self.resuming.contains_key(*id)).flat_map(|(_, build)| {
            let due = build.downloads_due();
            std::iter::once(deadline(build, &self.settings)).chain(due)
        });
        of_builds.chain(self.files.next_deadline()).min()
    }

    /// How many builds are open.
    pub(crate) fn open_count(&self) -> usize {
        self.open.len()
    }

    fn event(&mut self, batch: &Batch, event: &Event, out: &mut Vec<Outcome>) {
        let id = batch.source.id;
        let echo = matches!(event.kind, EventKind::CommandStarted { .. });
        let goes_on = |build: &&mut OpenBuild| !echo && !build.rested_before(event, self.settings.idle_timeout);
        if let Some(build) = self.open.get_mut(&id).filter(goes_on) {
            return take_in(event, batch.observed, self.clock, build, &mut self.files, out);
        }
        // it goes on with nothing that is open: that is over
        self.close(id, if echo { EndedBy::NextCommand } else { EndedBy::Idle }, out);
        let word = self.words.remove(&id);
        if let EventKind::PackageCompiled { .. } = event.kind {
            let Some((first, observed)) = word else {
                self.keep_word(id, event, batch.observed);
                return;
            };
            self.begin(batch, first.offset, out);
            if let Some(build) = self.open.get_mut(&id) {
                build.apply(&first, observed, out);
            }
        } else {
            self.begin(batch, event.offset, out);
        }
        if let Some(build) = self.open.get_mut(&id) {
            take_in(event, batch.observed, self.clock, build, &mut self.files, out);
        }
    }

    /// Keeps a word until the next event says whether it was an import path.
    fn keep_word(&mut self, id: [u8; 16], event: &Event, observed: Timestamp) {
        if self.words.len() >= self.settings.max_open_builds.max(1) {
            self.words.clear();
        }
        self.words.insert(id, (event.clone(), observed));
    }

    fn begin(&mut self, batch: &Batch, offset: u64, out: &mut Vec<Outcome>) {
        self.make_room(out);
        let build = OpenBuild::new(&self.settings, Arc::clone(&batch.source), offset);
        out.push(Outcome::CommandStarted { offset, trace_id: build.trace_id() });
        self.open.insert(batch.source.id, build);
    }

    fn make_room(&mut self, out: &mut Vec<Outcome>) {
        while self.open.len() >= self.settings.max_open_builds.max(1) {
            let oldest = self.open.iter().min_by_key(|(_, build)| build.last_activity).map(|(id, _)| *id);
            let Some(id) = oldest else { return };
            self.close(id, EndedBy::TooManyOpen, out);
        }
    }

    fn close(&mut self, id: [u8; 16], by: EndedBy, out: &mut Vec<Outcome>) {
        if let Some(build) = self.open.remove(&id) {
            let left = build.close(by, out);
            self.files.told_by_a_log(left);
        }
    }
}

/// An event of an open build.
fn take_in(
    event: &Event,
    observed: Timestamp,
    clock: Timestamp,
    build: &mut OpenBuild,
    files: &mut Files,
    out: &mut Vec<Outcome>,
) {
    build.last_activity = clock;
    files.before(event, observed, build);
    build.apply(event, observed, out);
    files.behind(event, build);
}

fn deadline(build: &OpenBuild, settings: &Settings) -> Timestamp {
    build.last_activity.plus_seconds(settings.idle_timeout.as_secs_f64())
}
