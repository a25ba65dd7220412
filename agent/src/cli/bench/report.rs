//! What was measured, for people and for programs.
//!
//! Invariant: what was not measured is said to be so, with its reason; nothing is left out silently.

use serde::Serialize;

use super::super::cache::table::{bytes, thousands};
use super::super::style::{BAD, FAINT, NAME, PLAIN, Page};
use super::counts::Counts;
use super::latency::{Idle, Latency};
use super::throughput::Cost;

const MIB: f64 = 1_048_576.0;
/// The peer that the others are compared with.
const YARDSTICK: &str = "mtail";

/// Everything.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    version: &'static str,
    seed: u64,
    lines_per_job: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<LogFacts>,
    throughput: Vec<Row>,
    #[serde(skip_serializing_if = "Option::is_none")]
    spans: Option<Spans>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) idle: Option<Idle>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) at_rest: Option<Latency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) under_load: Option<Latency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) after_silence: Option<Latency>,
    /// Why something is missing.
    failures: Vec<String>,
}

/// What the log holds.
#[derive(Debug, Serialize)]
struct LogFacts {
    bytes: u64,
    #[serde(flatten)]
    truth: Counts,
}

/// What the receiver got.
#[derive(Debug, Serialize)]
struct Spans {
    spans: u64,
    wire_bytes: u64,
}

/// One program.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    name: &'static str,
    /// `measured`, `not_installed` or `failed`.
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(flatten)]
    figures: Option<Figures>,
}

/// What came of one program.
#[derive(Debug)]
pub(super) enum Outcome {
    Measured(Cost),
    NotInstalled,
    Failed(String),
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Figures {
    cpu_seconds: f64,
    cpu_seconds_per_gib: f64,
    megabytes_per_cpu_second: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    times_mtail: Option<f64>,
    times_bound: f64,
    peak_resident_mib: f64,
    wall_seconds: f64,
    counts: Counts,
}

impl Row {
    /// Of a log of so many bytes.
    pub(super) fn new(name: &'static str, outcome: Outcome, log_bytes: u64) -> Self {
        let (state, why, cost) = match outcome {
            Outcome::Measured(cost) => ("measured", None, Some(cost)),
            Outcome::NotInstalled => ("not_installed", None, None),
            Outcome::Failed(why) => ("failed", Some(why), None),
        };
        let figures = cost.map(|cost| {
            // the system tells hundredths of a second: less is no figure
            let cpu_seconds = cost.cpu_seconds.max(0.001);
            Figures {
                cpu_seconds,
                cpu_seconds_per_gib: cpu_seconds * 1024.0 * MIB / log_bytes.max(1) as f64,
                megabytes_per_cpu_second: log_bytes as f64 / 1e6 / cpu_seconds,
                times_mtail: None,
                times_bound: 0.0,
                peak_resident_mib: cost.peak_bytes as f64 / MIB,
                wall_seconds: cost.wall_seconds,
                counts: cost.counts,
            }
        });
        Self { name, state, why, figures }
    }

    fn line(&self, page: &mut Page) {
        let name = format!("{:<12}", self.name);
        let Some(it) = &self.figures else {
            let (style, text) = match &self.why {
                Some(why) => (BAD, why.as_str()),
                None => (FAINT, "not installed"),
            };
            return page.wrapped(4, &name, style, text);
        };
        let ratio = it.times_mtail.map_or_else(|| format!("{:>9}", "-"), |times| format!("{times:>9.2}"));
        let peak = if it.peak_resident_mib > 0.0 { format!("{:.1}", it.peak_resident_mib) } else { "-".to_owned() };
        let text = format!(
            "{:>12.2} {:>12.1} {ratio} {:>9.1} {peak:>9} {:>9.1}",
            it.cpu_seconds_per_gib, it.megabytes_per_cpu_second, it.times_bound, it.wall_seconds
        );
        page.line(4, &[(NAME, &name), (PLAIN, &text)]);
    }
}

impl Report {
    /// Nothing is measured yet.
    pub(super) fn new(seed: u64, lines_per_job: u64) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            seed,
            lines_per_job,
            log: None,
            throughput: Vec::new(),
            spans: None,
            idle: None,
            at_rest: None,
            under_load: None,
            after_silence: None,
            failures: Vec::new(),
        }
    }

    /// What the log is.
    pub(super) fn log(&mut self, bytes: u64, truth: Counts) {
        self.log = Some(LogFacts { bytes, truth });
    }

    /// One more program; the ratios of all are told anew.
    pub(super) fn row(&mut self, row: Row) {
        if let Some(why) = &row.why {
            self.failures.push(format!("{}: {why}", row.name));
        }
        self.throughput.push(row);
        let rate = |name: &str| {
            let row = self.throughput.iter().find(|row| row.name == name)?;
            row.figures.map(|figures| figures.megabytes_per_cpu_second)
        };
        let (bound, yardstick) = (rate("bound"), rate(YARDSTICK));
        for figures in self.throughput.iter_mut().filter_map(|row| row.figures.as_mut()) {
            figures.times_mtail = yardstick.map(|of| figures.megabytes_per_cpu_second / of);
            figures.times_bound = bound.map_or(0.0, |of| of / figures.megabytes_per_cpu_second);
        }
    }

    /// What the receiver had before and has now: spans and bytes.
    pub(super) fn spans(&mut self, before: (u64, u64), now: (u64, u64)) {
        self.spans = Some(Spans { spans: now.0 - before.0, wire_bytes: now.1 - before.1 });
    }

    /// Something is missing.
    pub(super) fn failed(&mut self, why: &str) {
        self.failures.push(why.to_owned());
    }

    /// What probes showed; why they did not is noted.
    pub(super) fn latency(&mut self, found: Result<Option<Latency>, String>) -> Option<Latency> {
        found.unwrap_or_else(|why| {
            self.failures.push(why);
            None
        })
    }

    /// Whether everything that was asked for was measured, but for what is not installed.
    pub(super) fn is_whole(&self) -> bool {
        self.failures.is_empty()
    }

    /// For people.
    pub(super) fn show(&self, page: &mut Page) {
        if let Some(LogFacts { bytes: size, truth }) = &self.log {
            let lines = thousands(truth.lines);
            page.line(0, &[(NAME, "Throughput"), (PLAIN, &format!(" of {}, {lines} lines", bytes(*size)))]);
            let head = format!(
                "{:<12}{:>12} {:>12} {:>9} {:>9} {:>9} {:>9}",
                "", "CPU-s/GiB", "MB/CPU-s", "x mtail", "1/bound", "peak MiB", "seconds"
            );
            page.line(4, &[(FAINT, &head)]);
            self.throughput.iter().for_each(|row| row.line(page));
            let counts = format!(
                "each counted {} downloads, {} tests ({} failed), {} packages: the truth",
                thousands(truth.downloads),
                thousands(truth.tests),
                thousands(truth.failed),
                thousands(truth.packages)
            );
            page.line(4, &[(FAINT, &counts)]);
            if let Some(Spans { spans, wire_bytes }) = &self.spans {
                let text = format!("gobeacon sent {} spans, {} on the wire", thousands(*spans), bytes(*wire_bytes));
                page.line(4, &[(FAINT, &text)]);
            }
        }
        if let Some(Idle { files, seconds, cpu_percent, resident_mib }) = &self.idle {
            page.gap();
            let text = format!(" {cpu_percent:.3} % of a core over {seconds:.0} s, {resident_mib:.1} MiB");
            page.line(0, &[(NAME, "Idle"), (PLAIN, &format!(" with {} files:", thousands(*files))), (PLAIN, &text)]);
        }
        let latencies =
            [("at rest", self.at_rest), ("under load", self.under_load), ("after silence", self.after_silence)];
        for (when, latency) in latencies {
            if let Some(Latency { metric, span }) = latency {
                page.gap();
                page.line(0, &[(NAME, "Lateness"), (PLAIN, " "), (PLAIN, when)]);
                page.line(4, &[(PLAIN, &format!("on /metrics      {metric}"))]);
                page.line(4, &[(PLAIN, &format!("at the receiver  {span}"))]);
            }
        }
        if !self.failures.is_empty() {
            page.gap();
        }
        self.failures.iter().for_each(|why| page.wrapped(0, "failed: ", BAD, why));
    }
}
