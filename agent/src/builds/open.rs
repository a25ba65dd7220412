//! One build while it is open.
//!
//! It takes in the events of one go command and hands out spans and log records as they are complete; the root span
//! and the summary come when it is closed. It decides which room an event goes to, and how many spans may go out.
//!
//! Invariant: a span goes out once, and the root span goes out last and covers all that went before.

use std::sync::Arc;
use std::time::Duration;

use gobeacon_collectors::Source;
use gobeacon_formats::{CaseStatus, Event, EventKind, Failure, FailureClass, HttpAnswer, PackageStatus, Timestamp};

use super::build::{LogRecord, SpanId, TraceId};
use super::command::{self, Invocation};
use super::downloads::{Downloads, Left, Signal, Told};
use super::fallbacks::{Fallback, Fallbacks};
use super::findings::{Findings, Stage, stage};
use super::outbox::Outbox;
use super::packages::{NewCase, NewReport, Package, Packages, Report, Why};
use super::records::{self, Place};
use super::request::{self, Asked, Request, TOOLCHAIN_MODULE};
use super::root::{Ended, Identity};
use super::summary::EndedBy;
use super::tally::Tally;
use super::times::{At, Times, believed};
use super::{Outcome, Settings, ids, resource};

mod joined;
mod left;

/// One open build.
#[derive(Debug)]
pub(super) struct OpenBuild {
    /// The last sign of life, by the clock of [`super::Builds`].
    pub(super) last_activity: Timestamp,
    source: Arc<Source>,
    trace: TraceId,
    root: SpanId,
    first_offset: u64,
    times: Times,
    echo: Option<Vec<Invocation>>,
    tally: Tally,
    findings: Findings,
    packages: Packages,
    downloads: Downloads,
    fallbacks: Fallbacks,
    /// Whether a failed request to the checksum database was told.
    sumdb_told: bool,
    outbox: Outbox,
    /// As a shell tells it, where it is known.
    exit_code: Option<u8>,
    files_are_watched: bool,
    /// When downloads go out that waited for what files tell of them.
    downloads_due: Option<Timestamp>,
    /// It is due because the command went on, not because files have shown them all.
    went_on: bool,
}

impl OpenBuild {
    pub(super) fn new(settings: &Settings, source: Arc<Source>, offset: u64) -> Self {
        let trace = ids::trace_of_log(&settings.host_id, &source.id, offset);
        let root = ids::root_of(trace);
        let max_spans = settings.max_spans_per_build.max(8);
        Self {
            last_activity: Timestamp::from_nanos(i64::MIN),
            outbox: Outbox::new(trace, root, resource::of_log(&source.path, settings), max_spans),
            source,
            trace,
            root,
            first_offset: offset,
            times: Times::default(),
            echo: None,
            tally: Tally::default(),
            findings: Findings::default(),
            packages: Packages::new(root, max_spans),
            downloads: Downloads::new(root, max_spans),
            fallbacks: Fallbacks::default(),
            sumdb_told: false,
            exit_code: None,
            files_are_watched: settings.files_are_watched,
            downloads_due: None,
            went_on: false,
        }
    }

    /// The command of this build ended with `code` at `time`.
    pub(super) fn exited(&mut self, code: u8, time: Timestamp) {
        self.exit_code = Some(code);
        self.times.sent(time, time);
    }

    pub(super) fn trace_id(&self) -> TraceId {
        self.trace
    }

    /// Offset of the first event that was told of this build.
    pub(super) fn first_offset(&self) -> u64 {
        self.first_offset
    }

    /// Whether the log's own time stamps show that it rested for longer than `idle` before `event`.
    pub(super) fn rested_before(&self, event: &Event, idle: Duration) -> bool {
        self.times.rested_before(event, idle)
    }

    /// Takes in one event.
    pub(super) fn apply(&mut self, event: &Event, observed: Timestamp, out: &mut Vec<Outcome>) {
        self.tally.events += 1;
        let at = self.times.at(event, observed);
        let next = if let EventKind::Failure(failure) = &event.kind { Some(failure.as_ref()) } else { None };
        if let Some(package) = self.packages.settle(next) {
            self.complete(package);
        }
        self.dispatch(event, at, out);
    }

    fn dispatch(&mut self, event: &Event, at: At, out: &mut Vec<Outcome>) {
        let offset = event.offset;
        match &event.kind {
            EventKind::CommandStarted { command } => {
                self.times.opened(at);
                self.echo = Some(command::invocations(command));
            }
            EventKind::ModuleDownload { module, version } => {
                let told = self.downloads.seen(module, version, Signal::LogLine, at, offset);
                self.tell(told, offset, out);
            }
            EventKind::ToolchainDownload { version, os, arch } => {
                if self.tally.toolchain(version) {
                    // told as a toolchain, not as a module: see the module version that the go command makes of it
                    let module_version = format!("v0.0.1-{version}.{os}-{arch}");
                    self.downloads.seen(TOOLCHAIN_MODULE, &module_version, Signal::LogLine, at, offset);
                    out.push(Outcome::ToolchainDownload { offset, version: version.clone() });
                }
            }
            EventKind::HttpRequest { url, answer } => {
                let request = Request::read(url);
                let failure = request.failure(answer);
                self.tally.request(&request.host, answer, failure.is_some());
                let told = self.downloads.request(url, &request, answer, at, &self.times, offset);
                self.tell(told, offset, out);
                if let Some(fallback) = self.fallbacks.request(&request, failure) {
                    self.fallback(&fallback, at, offset, out);
                }
                self.sumdb_request(&request, answer, at, offset, out);
            }
            EventKind::VcsCommand { command, .. } => {
                if let Some(fallback) = self.fallbacks.command(command) {
                    self.fallback(&fallback, at, offset, out);
                }
            }
            EventKind::ModuleChanged { module, change, from, version } => {
                self.tally.changed(module, *change, from.as_deref(), version);
            }
            EventKind::ModuleInfo { module, version, sum, error, .. } => {
                self.tally.module_infos += 1;
                if let (Some(version), None) = (version, error) {
                    let told = self.downloads.seen(module, version, Signal::ModuleInfo, at, offset);
                    self.tell(told, offset, out);
                    self.downloads.sum(module, version, sum.as_deref().unwrap_or(""));
                }
            }
            EventKind::PackageCompiled { .. } => {
                self.loaded(out);
                self.tally.packages_compiled += 1;
            }
            EventKind::Diagnostic { .. } => self.tally.diagnostics += 1,
            EventKind::BuildFailed { .. } => self.findings.failed(),
            EventKind::TestCase { package, name, status, elapsed_seconds } => {
                self.loaded(out);
                let (package, elapsed) = (package.as_deref(), believed(*elapsed_seconds));
                self.case(&NewCase { package, name, status: *status, elapsed }, at, offset, out);
            }
            EventKind::TestPackage { .. } => {
                self.loaded(out);
                self.package(&event.kind, at, offset, out);
            }
            EventKind::TestBenchmark { .. } => self.tally.tests.benchmarks += 1,
            EventKind::Failure(failure) => self.failure(failure, at, offset, out),
            EventKind::ModuleFound { .. } | EventKind::ModuleRetracted { .. } | EventKind::ModuleDeprecated { .. } => {}
        }
    }

    fn case(&mut self, case: &NewCase<'_>, at: At, offset: u64, out: &mut Vec<Outcome>) {
        let start = self.times.start_of(at, case.elapsed);
        let (flaky, evicted) = self.packages.case(case, start, at, offset, self.outbox.floor());
        self.times.cover(start, at);
        self.tally.case(case.status, flaky.is_some());
        if case.status == CaseStatus::Fail {
            self.findings.failed();
        }
        self.findings.slow_test(case.package, case.name, case.elapsed);
        out.push(Outcome::TestCase {
            offset,
            status: case.status,
            elapsed_seconds: case.elapsed,
            trace_id: self.trace,
        });
        if let Some(span) = flaky {
            out.push(Outcome::TestFlaky { offset });
            self.record(records::test_flaky(case.package, case.name, self.place(span, at)));
        }
        if let Some(package) = evicted {
            self.complete(package);
        }
    }

    fn package(&mut self, kind: &EventKind, at: At, offset: u64, out: &mut Vec<Outcome>) {
        let EventKind::TestPackage { package, status, cached, elapsed_seconds, coverage_percent } = kind else {
            return;
        };
        let (status, cached, elapsed) = (*status, cached.unwrap_or(false), believed(*elapsed_seconds));
        let why = match status {
            PackageStatus::Pass | PackageStatus::NoTestFiles => None,
            PackageStatus::Fail | PackageStatus::BuildFailed | PackageStatus::SetupFailed => {
                self.findings.failed();
                self.printed_before(package, status)
            }
        };
        let start = self.times.start_of(at, elapsed);
        self.times.cover(start, at);
        self.tally.package(status, cached, *coverage_percent);
        self.findings.slow_package(package, elapsed);
        out.push(Outcome::TestPackage { offset, status, cached, elapsed_seconds: elapsed, trace_id: self.trace });
        let report = Report {
            status: Some(status),
            cached,
            coverage_percent: *coverage_percent,
            timed: elapsed.is_some() || cached,
        };
        let new = NewReport { report, why };
        for complete in self.packages.report(package, new, start, at, offset).into_iter().flatten() {
            self.complete(complete);
        }
    }

    /// What kept a package from being built or set up: it was printed before.
    fn printed_before(&self, package: &str, status: PackageStatus) -> Option<Why> {
        let of_package = || self.findings.of_package(package);
        let of_loading = || {
            let primary = self.findings.primary().map(|seen| &seen.failure);
            primary.filter(|failure| stage(failure.class) <= Stage::Modules)
        };
        match status {
            PackageStatus::BuildFailed => of_package().map(Why::of),
            PackageStatus::SetupFailed => of_package().or_else(of_loading).map(Why::of),
            PackageStatus::Pass | PackageStatus::Fail | PackageStatus::NoTestFiles => None,
        }
    }

    fn failure(&mut self, failure: &Failure, at: At, offset: u64, out: &mut Vec<Outcome>) {
        self.findings.failure(failure, at, offset);
        let mut span = None;
        if let (Some(module), Some(version)) = (&failure.module, &failure.version) {
            // what a proxy, network or repository refused was asked for, though no line said so
            if stage(failure.class) == Stage::Supply && module != TOOLCHAIN_MODULE && version.starts_with('v') {
                let told = self.downloads.seen(module, version, Signal::Failure, at, offset);
                self.tell(told, offset, out);
            }
            if stage(failure.class) <= Stage::Supply {
                let host = failure.host.as_deref();
                let (of, news) = self.downloads.failure(module, version, Why::of(failure), host);
                span = of;
                for told in news {
                    self.tell(Some(told), offset, out);
                }
            }
        }
        if matches!(stage(failure.class), Stage::Test | Stage::Exit | Stage::Vet) {
            let (of, evicted) = self.packages.failure(failure, at, offset);
            span = of;
            if let Some(package) = evicted {
                self.complete(package);
            }
        }
        let place = self.place(span.unwrap_or(self.root), at);
        self.record(records::failure(failure, place));
        if let Some(mismatch) = records::checksum_mismatch(failure, place) {
            self.record(mismatch);
        }
        if failure.class == FailureClass::ChecksumSumdbUnreachable && !self.sumdb_told {
            self.sumdb_told = true;
            let why = records::headline(failure).unwrap_or("no answer.");
            self.record(records::sumdb_unavailable(failure.host.as_deref(), failure.status, why, place));
            let of_text = || request::of_error(failure.message.as_deref().unwrap_or(""));
            let reason = failure.status.and_then(request::of_status).unwrap_or_else(of_text);
            out.push(Outcome::SumdbRequestFailed { offset, reason });
        }
        out.push(Outcome::Failure { offset, failure: Box::new(failure.clone()), trace_id: self.trace });
    }

    fn sumdb_request(&mut self, request: &Request, answer: &HttpAnswer, at: At, offset: u64, out: &mut Vec<Outcome>) {
        let optional = match &request.asked {
            Asked::Lookup { .. } => false,
            Asked::Sumdb { optional } => *optional,
            Asked::Version { .. } | Asked::Versions { .. } | Asked::Discovery { .. } | Asked::Other => return,
        };
        let Some(reason) = request::reason(answer) else { return };
        // a proxy may well not mirror the database: then it is asked itself
        if optional && reason == FailureClass::ProxyNotFound {
            return;
        }
        if !std::mem::replace(&mut self.sumdb_told, true) {
            let (status, why) = match answer {
                HttpAnswer::Answered { status, .. } => (Some(*status), format!("answered with status {status}.")),
                HttpAnswer::Failed { error } => (None, error.clone()),
            };
            let place = self.place(self.root, at);
            self.record(records::sumdb_unavailable(Some(&request.host), status, &why, place));
        }
        out.push(Outcome::SumdbRequestFailed { offset, reason });
    }

    fn fallback(&mut self, fallback: &Fallback, at: At, offset: u64, out: &mut Vec<Outcome>) {
        self.tally.proxy_fallbacks += 1;
        self.record(records::proxy_fallback(fallback, self.place(self.root, at)));
        out.push(Outcome::ProxyFallback { offset, from_host: fallback.from_host.clone(), reason: fallback.reason });
    }

    fn tell(&mut self, told: Option<Told<'_>>, offset: u64, out: &mut Vec<Outcome>) {
        let Some(told) = told else { return };
        self.tally.download(&told);
        let Told { host, failed, .. } = told;
        out.push(match failed {
            Some(class) => Outcome::DownloadFailed { offset, host, class },
            None => Outcome::Download { offset, host },
        });
    }

    fn identity(&self) -> Identity {
        Identity { trace: self.trace, root: self.root, first_offset: self.first_offset }
    }

    fn place(&self, span: SpanId, at: At) -> Place {
        Place { trace: self.trace, span, at }
    }

    fn record(&mut self, record: LogRecord) {
        self.outbox.record(record, &mut self.tally.folded);
    }

    fn tell_untold(&mut self, out: &mut Vec<Outcome>) {
        for (offset, told) in self.downloads.untold() {
            self.tell(Some(told), offset, out);
        }
    }

    fn complete(&mut self, package: Package) {
        if package.report.is_none() && !package.by_hand() {
            self.tally.packages.unfinished += 1;
        }
        self.outbox.package(package, &mut self.times, &mut self.tally.folded);
    }

    /// Hands out what is complete.
    pub(super) fn flush(&mut self, out: &mut Vec<Outcome>) {
        out.extend(self.outbox.take().map(Outcome::Telemetry));
    }

    /// The build is over. Gives out the downloads that were told without what files tell.
    pub(super) fn close(mut self, by: EndedBy, out: &mut Vec<Outcome>) -> Vec<Left> {
        for package in self.packages.close() {
            self.complete(package);
        }
        self.tell_untold(out);
        self.tell_files(out);
        let left = self.downloads.take_left();
        self.outbox.rest(&mut self.downloads, &mut self.times, &mut self.tally.folded);
        let (start, end) = self.times.range(self.last_activity);
        let ended = Ended {
            identity: self.identity(),
            log: self.source.path.to_string_lossy().into_owned(),
            start,
            end,
            by,
            exit_code: self.exit_code,
            echo: self.echo,
            tally: self.tally,
            findings: self.findings,
        };
        self.outbox.root(ended.span());
        out.extend(self.outbox.take().map(Outcome::Telemetry));
        out.push(Outcome::CommandEnded(Box::new(ended.summary())));
        left
    }
}
