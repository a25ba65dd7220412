//! What the agent counts, and the page that shows it.
//!
//! [`catalogue`] says what there is; this file says when it changes. What the go command did is counted from the
//! outcomes of `builds`, which tell each thing once; what was read is counted from the batches themselves. Nothing
//! here reads a clock or a socket, and nobody else names the prometheus crate.
//!
//! Invariant: whatever a log says, the number of series and the memory behind them stay within the bounds of the
//! catalogue.

use gobeacon_collectors::{Batch, HealthReading, logs};
use gobeacon_formats::{CaseStatus, EventKind, Failure, FailureClass, PackageStatus, Timestamp};

use crate::builds::Outcome;
use crate::builds::build::TraceId;
use crate::builds::ids;
use crate::builds::summary::{BuildOutcome, BuildSummary};
use crate::export;

mod buildcache;
mod carried;
mod catalogue;
mod counters;
mod families;
mod graphs;
mod hosts;
mod integrity;
mod modcache;
mod often;
mod openmetrics;
mod recent;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

use carried::Carried;
#[cfg(test)]
pub(crate) use carried::Number;
pub(crate) use carried::{Counted, Series};
use catalogue::{
    CATALOGUE, EXPORTERS, Id, LINE_TOO_LONG, PARSER_FULL, UNKNOWN, UNKNOWN_REPOSITORY, Values, request_reason,
};
use families::{Exemplar, Families};
use hosts::Hosts;
use often::Often;
use recent::Recent;
#[cfg(test)]
pub(crate) use reference::reference;

/// How a page is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// The Prometheus text format 0.0.4.
    Text,
    /// OpenMetrics 1.0, with exemplars.
    OpenMetrics,
}

impl Format {
    /// The value of `Content-Type`.
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The catalogue does not fit together, or a page cannot be written: a mistake in this program.
#[derive(Debug, thiserror::Error)]
#[error("the metrics do not fit together: {0}")]
pub(crate) struct MetricsError(#[from] prometheus::Error);

/// All metrics and their state. One task owns it.
pub(crate) struct Metrics {
    families: Families,
    hosts: Hosts,
    mismatched: Recent,
    /// What module caches hold.
    module_caches: modcache::Caches,
    /// What earlier lives have counted and not shown.
    carried: Carried,
    /// What the last page has shown.
    shown: Counted,
    /// What was written before this is no measure of how quick the agent is.
    started: Timestamp,
    often: Often,
}

impl Metrics {
    /// All series that are known beforehand, as 0.
    ///
    /// # Errors
    /// The catalogue has two metrics of one name, or a name that is none; the tests rule it out.
    pub(crate) fn new(now: Timestamp) -> Result<Self, MetricsError> {
        let mut families = Families::new()?;
        families.set(Id::BuildInfo, &[env!("CARGO_PKG_VERSION")], 1);
        Ok(Self {
            families,
            hosts: Hosts::default(),
            mismatched: Recent::default(),
            module_caches: modcache::Caches::default(),
            carried: Carried::default(),
            shown: Counted::default(),
            started: now,
            often: Often::default(),
        })
    }

    /// Counts what was read, whatever it means for a build.
    pub(crate) fn observe(&mut self, batch: &Batch, now: Timestamp) {
        let Batch { events, lines, bytes, observed, .. } = batch;
        self.families.add(Id::LogBytes, &[], *bytes);
        self.families.add(Id::LogLines, &[], lines.lines);
        self.families.add(Id::LogLinesUnrecognised, &[], lines.unrecognised);
        self.families.add(Id::Dropped, &LINE_TOO_LONG, lines.truncated);
        self.families.add(Id::Dropped, &PARSER_FULL, lines.forgotten);
        let mut kinds = [0; EventKind::NAMES.len()];
        for event in events {
            if let Some(count) = kinds.get_mut(event.kind.index()) {
                *count += 1;
            }
        }
        for (name, count) in EventKind::NAMES.iter().zip(kinds).filter(|(_, count)| *count > 0) {
            self.families.add(Id::Events, &[name], count);
        }
        if *observed >= self.started {
            let latency = now.seconds_since(*observed).max(0.0);
            self.families.observe(Id::EventLatency, &[], latency, events.len());
        }
    }

    /// Counts what became known of a build.
    pub(crate) fn outcome(&mut self, outcome: &Outcome, now: Timestamp) {
        match outcome {
            Outcome::Telemetry(_) | Outcome::CommandStarted { .. } => {}
            Outcome::CommandEnded(summary) => self.command(summary),
            Outcome::CommandLost { subcommand, has_failed, class } => {
                self.families.add(Id::Commands, &[subcommand.id(), UNKNOWN_REPOSITORY], 1);
                if *has_failed {
                    let class = class.map_or(UNKNOWN, FailureClass::id);
                    self.families.add(Id::CommandFailures, &[subcommand.id(), class], 1);
                }
            }
            Outcome::Download { host: None, .. } => self.often.downloads += 1,
            Outcome::Download { host, .. } => {
                let host = self.hosts.label(host.as_deref());
                self.families.add(Id::ModuleDownloads, &[&host], 1);
            }
            Outcome::DownloadFailed { host, class, .. } => {
                let host = self.hosts.label(host.as_deref());
                self.families.add(Id::ModuleDownloadFailures, &[&host, class.id()], 1);
            }
            Outcome::Downloaded(facts) => self.downloaded(facts, now),
            Outcome::DownloadsStalled(count) => self.families.set(Id::ModuleDownloadsStalled, &[], *count as u64),
            Outcome::ToolchainDownload { .. } => self.families.add(Id::ToolchainDownloads, &[], 1),
            Outcome::ProxyFallback { from_host, reason, .. } => {
                let host = self.hosts.label(Some(from_host));
                self.families.add(Id::ProxyFallbacks, &[&host, request_reason(*reason)], 1);
            }
            Outcome::SumdbRequestFailed { reason, .. } => {
                self.families.add(Id::SumdbRequestsFailed, &[request_reason(*reason)], 1);
            }
            Outcome::TestCase { status, elapsed_seconds, trace_id, offset: _ } => {
                self.test(*status, *elapsed_seconds, *trace_id, now);
            }
            Outcome::TestPackage { status, cached, .. } => self.package(*status, *cached),
            Outcome::TestFlaky { .. } => self.families.add(Id::TestsFlaky, &[UNKNOWN_REPOSITORY], 1),
            Outcome::Failure { failure, .. } => self.failure(failure, now),
        }
    }

    /// The configuration was read at the start.
    pub(crate) fn configured(&mut self, now: Timestamp) {
        self.families.set(Id::ConfigReloadSuccessful, &[], 1);
        self.families.set(Id::ConfigReloadTime, &[], u64::try_from(now.as_nanos() / 1_000_000_000).unwrap_or_default());
    }

    /// The configuration, or what it names, was read again. `is_well`: all that is on disk is what runs.
    pub(crate) fn reread(&mut self, well: bool, is_well: bool, now: Timestamp) {
        self.families.add(Id::ConfigReloads, &[], 1);
        self.families.add(Id::ConfigReloadFailures, &[], u64::from(!well));
        if well {
            self.configured(now);
        }
        self.families.set(Id::ConfigReloadSuccessful, &[], u64::from(is_well));
    }

    /// How many builds are open.
    pub(crate) fn commands_running(&mut self, count: usize) {
        self.families.set(Id::CommandsRunning, &[], count as u64);
    }

    /// What the exporter has counted since the start.
    pub(crate) fn exporter(&mut self, report: &export::Report, now: Timestamp) {
        let signals = [("span", &report.traces), ("event", &report.logs)];
        for (exporter, (what, signal)) in EXPORTERS.into_iter().zip(signals) {
            self.families.advance(Id::ExportRequests, &[exporter], signal.requests);
            let waited = signal.oldest.map_or(0.0, |oldest| now.seconds_since(oldest).max(0.0));
            self.families.set(Id::SpoolOldest, &[exporter], waited as u64);
            self.families.set(Id::SpoolBytes, &[exporter], signal.spool_bytes);
            self.families.advance(Id::SpoolErrors, &[exporter], signal.spool_errors);
            for (reason, count) in signal.failures() {
                self.families.advance(Id::ExportFailures, &[exporter, reason.as_str()], count);
            }
            for (reason, count) in signal.dropped() {
                self.families.advance(Id::Dropped, &[what, reason.as_str()], count);
            }
        }
    }

    /// What all collectors say of themselves, by name.
    pub(crate) fn collectors(&mut self, readings: &[(&'static str, HealthReading)]) {
        self.families.clear(Id::CollectorUp);
        // other collectors hold files too: those are no logs
        if let Some((_, logs)) = readings.iter().find(|(name, _)| *name == logs::COLLECTOR.name) {
            self.families.set(Id::LogFiles, &[], logs.files);
            self.families.set(Id::LogLag, &[], logs.lag_bytes);
            self.families.set(Id::LogWorstLagBytes, &[], logs.worst_lag_bytes);
            self.families.set(Id::LogWorstLagSeconds, &[], logs.worst_lag.as_secs());
            self.families.advance(Id::LogTruncations, &[], logs.truncations);
            self.families.advance(Id::LogLostBytes, &[], logs.lost_bytes);
            self.families.advance(Id::LogCompressed, &[], logs.compressed);
        }
        let overflows = readings.iter().map(|(_, reading)| reading.queue_overflows).sum();
        self.families.advance(Id::KernelQueueOverflows, &["inotify"], overflows);
        for (name, reading) in readings {
            self.families.set(Id::CollectorUp, &[name, reading.state.name()], reading.state.is_up().into());
            let errors = reading.errors.iter().map(|(_, count)| count).sum();
            self.families.advance(Id::CollectorErrors, &[name], errors);
        }
    }

    /// The whole page, and what it shows: [`Self::was_shown`] once it is on its way.
    ///
    /// # Errors
    /// The crate refuses its own families; the tests rule it out.
    pub(crate) fn page(&mut self, format: Format, now: Timestamp) -> Result<(String, Counted), MetricsError> {
        let mismatched = self.mismatched.count(now);
        self.families.set(Id::ChecksumMismatchedModules, &[], mismatched as u64);
        let gathered = self.gather();
        let page = match format {
            Format::Text => prometheus::TextEncoder::new().encode_to_string(&gathered)?,
            Format::OpenMetrics => openmetrics::encode(&gathered, &self.families),
        };
        Ok((page, Counted::of(&gathered)))
    }

    /// This was on a page.
    pub(crate) fn was_shown(&mut self, counted: Counted) {
        self.shown = counted;
    }

    /// Whether it shows anything that the last page has not.
    pub(crate) fn is_news(&self, counted: &Counted) -> bool {
        !counted.beyond(&self.shown).is_empty()
    }

    /// What it costs to remember.
    pub(crate) fn state(&mut self, errors: u64, bytes: u64) {
        self.families.advance(Id::StateErrors, &[], errors);
        self.families.set(Id::StateBytes, &[], bytes);
    }

    /// What was counted and is on no page so far.
    pub(crate) fn not_shown(&mut self) -> Vec<Series> {
        Counted::of(&self.gather()).beyond(&self.shown)
    }

    /// An earlier life has counted this, and no page has shown it.
    pub(crate) fn carry(&mut self, series: Vec<Series>) {
        for Series { name, labels, number } in series {
            let Some(row) = CATALOGUE.iter().find(|row| row.name == name) else { continue };
            let value = |name: &str| labels.iter().find(|(of, _)| of == name).map(|(_, value)| value.clone());
            let Some(values) = row.labels.iter().map(|label| value(label.name)).collect::<Option<Vec<_>>>() else {
                continue;
            };
            let named = row.labels.iter().zip(values).map(|(label, value)| match label.values {
                Values::Host if value != UNKNOWN && value != hosts::OTHER => self.hosts.label(Some(&value)),
                Values::Host | Values::Closed(_) | Values::ClosedButLate { .. } => value,
            });
            let values = self.families.admit(row.id, &named.collect::<Vec<_>>());
            let labels = row.labels.iter().map(|label| label.name.to_owned()).zip(values).collect();
            self.carried.add(row, labels, number);
        }
    }

    fn gather(&mut self) -> Vec<prometheus::proto::MetricFamily> {
        self.hand_over();
        let mut families = self.families.gather();
        self.carried.add_to(&mut families);
        families
    }

    fn hand_over(&mut self) {
        let host = self.hosts.label(None);
        self.often.hand_over(&host, &mut self.families);
    }

    fn command(&mut self, summary: &BuildSummary) {
        let subcommand = summary.subcommand.id();
        self.families.add(Id::Commands, &[subcommand, UNKNOWN_REPOSITORY], 1);
        if summary.outcome == BuildOutcome::Failed {
            let primary = summary.primary_failure.and_then(|at| summary.failures.get(at));
            let class = primary.map_or(UNKNOWN, |seen| seen.failure.class.id());
            self.families.add(Id::CommandFailures, &[subcommand, class], 1);
        }
        if let Some(seconds) = summary.duration_seconds {
            let exemplar = Exemplar::of_root(summary.trace_id, seconds, summary.end);
            self.families.observe_traced(Id::CommandDuration, &[subcommand, summary.outcome.id()], exemplar);
        }
    }

    fn test(&mut self, status: CaseStatus, elapsed_seconds: Option<f64>, trace: TraceId, now: Timestamp) {
        self.often.tests += 1;
        match status {
            CaseStatus::Fail => self.often.test_failures += 1,
            CaseStatus::Pass | CaseStatus::Skip => {}
        }
        if let Some(seconds) = elapsed_seconds.filter(|seconds| seconds.is_finite() && *seconds >= 0.0) {
            self.often.test_took(seconds, trace, now, &mut self.families);
        }
    }

    fn package(&mut self, status: PackageStatus, cached: bool) {
        match status {
            PackageStatus::NoTestFiles => return,
            PackageStatus::Pass | PackageStatus::Fail | PackageStatus::BuildFailed | PackageStatus::SetupFailed => {}
        }
        self.often.packages += 1;
        self.often.packages_cached += u64::from(cached);
    }

    fn failure(&mut self, failure: &Failure, now: Timestamp) {
        self.families.add(Id::Failures, &[failure.class.id()], 1);
        let verifier = if failure.class == FailureClass::ChecksumGosumMismatch {
            "go_sum"
        } else if failure.class == FailureClass::ChecksumSumdbMismatch {
            "sumdb"
        } else {
            return;
        };
        let artifact = if failure.artifact == Some("go.mod") { "go_mod" } else { "zip" };
        self.families.add(Id::ChecksumMismatches, &[verifier, artifact], 1);
        if let Some(module) = &failure.module {
            let version = failure.version.as_deref().unwrap_or_default();
            self.mismatched.add(ids::remembered(&[module, version]), now);
        }
    }
}
