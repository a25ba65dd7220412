//! The rules that the catalogue keeps, and the bounds that a hostile log cannot break.

use std::collections::BTreeSet;
use std::sync::Arc;

use gobeacon_collectors::{Cause, Replay, Source};
use gobeacon_formats::{FAILURES, LineCounts, Parser};

use super::catalogue::{AtStart, CATALOGUE, Kind, Unit, Values};
use super::*;
use crate::builds::command::Subcommand;
use crate::builds::{Builds, Settings};

const NOW: Timestamp = Timestamp::from_nanos(1_800_000_000_000_000_000);

/// What the agent does with a log, without its loop.
struct Trial {
    metrics: Metrics,
    builds: Builds,
    parser: Parser,
    offset: u64,
    before: LineCounts,
}

impl Trial {
    fn new() -> Self {
        let builds = Builds::new(Settings::default());
        let metrics = Metrics::new(NOW).unwrap();
        Self { metrics, builds, parser: Parser::new(), offset: 0, before: LineCounts::default() }
    }

    fn read(&mut self, log: &str) {
        self.read_as(log, false);
    }

    fn end(&mut self) {
        self.read_as("", true);
    }

    fn read_as(&mut self, log: &str, ended: bool) {
        let mut events = Vec::new();
        self.parser.feed(log.as_bytes(), self.offset, &mut events);
        if ended {
            self.parser.finish(&mut events);
        }
        self.offset += log.len() as u64;
        let (now, before) = (self.parser.counts(), std::mem::replace(&mut self.before, self.parser.counts()));
        let batch = Batch {
            source: Arc::new(Source { id: [7; 16], path: "/log".into() }),
            observed: NOW,
            events,
            lines: LineCounts {
                lines: now.lines - before.lines,
                unrecognised: now.unrecognised - before.unrecognised,
                truncated: now.truncated - before.truncated,
                forgotten: now.forgotten - before.forgotten,
            },
            bytes: log.len() as u64,
            read_to: self.offset,
            open_from: self.parser.open_from().unwrap_or(self.offset),
            ended,
            cause: Cause::Read,
            replay: Replay::No,
            bookmark: None,
        };
        let mut outcomes = Vec::new();
        self.metrics.observe(&batch, NOW);
        self.builds.apply(&batch, &mut outcomes);
        outcomes.iter().for_each(|outcome| self.metrics.outcome(outcome, NOW));
    }

    fn page(&mut self) -> String {
        self.metrics.page(Format::Text, NOW).unwrap().0
    }
}

fn samples(page: &str) -> usize {
    page.lines().filter(|line| !line.starts_with('#')).count()
}

/// The value of the one series with this name and labels.
#[track_caller]
fn value(page: &str, series: &str) -> f64 {
    let mut values = page.lines().filter_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok());
    let value = values.next().unwrap_or_else(|| panic!("no {series} in:\n{page}"));
    assert_eq!(values.next(), None, "{series} is there twice");
    value
}

#[test]
fn the_order_of_the_table_is_the_order_of_the_ids() {
    for (at, row) in CATALOGUE.iter().enumerate() {
        assert_eq!(row.id as usize, at, "{}", row.name);
        assert_eq!(row.id.row().name, row.name);
    }
}

#[test]
fn names_units_help_and_labels_keep_the_rules_of_prometheus() {
    let mut names = BTreeSet::new();
    for row in &CATALOGUE {
        let name = row.name;
        assert!(names.insert(name), "{name} is there twice");
        assert!(name.starts_with("gobuild_") || name.starts_with("gobeacon_"), "{name}: prefix");
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}: lower case and underscores");
        let base = name.strip_suffix("_total").unwrap_or(name);
        assert_eq!(base != name, row.kind == Kind::Counter, "{name}: counters, and only they, end in _total");
        let unit = match base.rsplit('_').next().unwrap() {
            "seconds" => Unit::Seconds,
            "bytes" => Unit::Bytes,
            _ => Unit::None,
        };
        assert_eq!(unit, row.unit, "{name}: the unit is the suffix");
        for part in ["_sum", "_count", "_bucket", "_ms", "_ratio_percent", "_counter", "_gauge"] {
            assert!(!base.ends_with(part), "{name}: {part} is not for names");
        }
        assert!(row.help.ends_with('.') && row.help.len() > 15, "{name}: help is a sentence");
        assert!(!row.help.contains(['"', '\\', '\n']), "{name}: help is plain");
        for label in row.labels {
            let forbidden = ["le", "quantile", "job", "instance", "package", "module", "test", "pod", "commit", "path"];
            assert!(!forbidden.contains(&label.name), "{name}: label {}", label.name);
            assert!(!base.contains(&format!("_by_{}", label.name)), "{name}: labels are not in names");
        }
        if let Kind::Histogram(bounds) = row.kind {
            assert!(bounds.windows(2).all(|pair| pair[0] < pair[1]), "{name}: buckets grow");
            assert_eq!(row.unit, Unit::Seconds, "{name}: what we measure is time");
        }
    }
}

#[test]
fn every_closed_series_is_there_from_the_start_as_zero() {
    let page = Trial::new().page();
    for row in FAILURES {
        assert_eq!(value(&page, &format!("gobuild_failures_total{{class=\"{}\"}}", row.id)), 0.0);
    }
    for kind in EventKind::NAMES {
        assert_eq!(value(&page, &format!("gobeacon_events_total{{kind=\"{kind}\"}}")), 0.0);
    }
    for subcommand in Subcommand::ALL.map(Subcommand::id) {
        let labels = format!("{{repository=\"unknown\",subcommand=\"{subcommand}\"}}");
        assert_eq!(value(&page, &format!("gobuild_commands_total{labels}")), 0.0);
    }
    for row in &CATALOGUE {
        let is_there = page.contains(&format!("# TYPE {} ", row.name));
        assert_eq!(is_there, !matches!(row.at_start, AtStart::Nothing), "{}", row.name);
    }
    assert!(samples(&page) <= 1_200, "{} series at the start", samples(&page));
}

#[test]
fn a_million_modules_hosts_and_failures_make_the_page_no_larger_than_its_bound() {
    let mut trial = Trial::new();
    for n in 0..1_000_000_u32 {
        let host = Some(format!("h{n}.example"));
        trial.metrics.outcome(&Outcome::Download { offset: 0, host }, NOW);
    }
    for n in 0..20_000_u32 {
        let class = FAILURES[n as usize % FAILURES.len()].class;
        let (module, version, host) = (format!("m{n}"), format!("v1.0.{n}"), Some(format!("h{n}.example")));
        let failure = Failure { module: Some(module), version: Some(version), ..Failure::new(class) };
        let mismatch = Failure { class: FailureClass::ChecksumGosumMismatch, ..failure.clone() };
        let trace_id = TraceId([1; 16]);
        for outcome in [
            Outcome::DownloadFailed { offset: 0, host: host.clone(), class },
            Outcome::ProxyFallback { offset: 0, from_host: host.unwrap(), reason: class },
            Outcome::SumdbRequestFailed { offset: 0, reason: class },
            Outcome::Failure { offset: 0, failure: Box::new(failure), trace_id },
            Outcome::Failure { offset: 0, failure: Box::new(mismatch), trace_id },
        ] {
            trial.metrics.outcome(&outcome, NOW);
        }
    }
    let log: String =
        (0..20_000).map(|n| format!("+ go build ./...\ngo: downloading h{n}.example/m{n} v1.0.{n}\n")).collect();
    trial.read(&log);
    let page = trial.page();
    assert!(samples(&page) <= 1_260, "{} series:\n{page}", samples(&page));
    assert!(page.len() < 100_000, "{} bytes", page.len());
    let other = |name: &str| page.lines().any(|line| line.starts_with(name) && line.contains("=\"__other__\""));
    assert!(other("gobuild_module_downloads_total") && other("gobuild_module_download_failures_total"));
    assert_eq!(value(&page, "gobuild_checksum_mismatched_modules"), 1024.0);
}

#[test]
fn every_subcommand_has_every_class_from_the_start_and_no_other_series_comes() {
    let mut metrics = Metrics::new(NOW).unwrap();
    let of_page = |page: &str| {
        let lines = page.lines().filter(|line| line.starts_with("gobuild_command_failures_total{"));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).collect::<Vec<_>>()
    };
    let before = of_page(&metrics.page(Format::Text, NOW).unwrap().0);
    assert_eq!(before, vec![0.0; Subcommand::ALL.len() * FAILURES.len()]);
    let pairs = Subcommand::ALL.iter().flat_map(|it| FAILURES.iter().map(|row| (it.id(), row.id)));
    pairs.for_each(|(it, class)| metrics.families.add(Id::CommandFailures, &[it, class], 1));
    assert_eq!(of_page(&metrics.page(Format::Text, NOW).unwrap().0), vec![1.0; before.len()]);
}

#[test]
fn files_of_other_collectors_are_no_logs() {
    let mut metrics = Metrics::new(NOW).unwrap();
    let reading = gobeacon_collectors::Health::default().read();
    let readings = [
        ("logs", HealthReading { files: 6, lag_bytes: 7, queue_overflows: 1, ..reading }),
        ("modcache", HealthReading { files: 822, queue_overflows: 2, ..reading }),
    ];
    metrics.collectors(&readings);
    let page = metrics.page(Format::Text, NOW).unwrap().0;
    assert_eq!(value(&page, "gobeacon_log_files"), 6.0);
    assert_eq!(value(&page, "gobeacon_log_lag_bytes"), 7.0);
    assert_eq!(value(&page, "gobeacon_kernel_queue_overflows_total{queue=\"inotify\"}"), 3.0);
}

#[test]
fn a_checksum_mismatch_is_counted_by_verifier_and_artifact_and_its_module_once() {
    let mut metrics = Metrics::new(NOW).unwrap();
    for (class, artifact) in [
        (FailureClass::ChecksumGosumMismatch, "zip"),
        (FailureClass::ChecksumGosumMismatch, "go.mod"),
        (FailureClass::ChecksumSumdbMismatch, "zip"),
    ] {
        let module = Some("example.com/m".to_owned());
        let failure = Failure { module, artifact: Some(artifact), ..Failure::new(class) };
        let trace_id = TraceId([1; 16]);
        metrics.outcome(&Outcome::Failure { offset: 0, failure: Box::new(failure), trace_id }, NOW);
    }
    let page = metrics.page(Format::Text, NOW).unwrap().0;
    let mismatches = |artifact, verifier| {
        value(&page, &format!("gobuild_checksum_mismatches_total{{artifact=\"{artifact}\",verifier=\"{verifier}\"}}"))
    };
    assert_eq!(mismatches("zip", "go_sum"), 1.0);
    assert_eq!(mismatches("go_mod", "go_sum"), 1.0);
    assert_eq!(mismatches("zip", "sumdb"), 1.0);
    assert_eq!(mismatches("zip", "cache"), 0.0);
    assert_eq!(value(&page, "gobuild_checksum_mismatched_modules"), 1.0);
    let later = metrics.page(Format::Text, NOW.plus_seconds(3601.0)).unwrap().0;
    assert_eq!(value(&later, "gobuild_checksum_mismatched_modules"), 0.0);
}

#[test]
fn a_log_is_counted_in_lines_events_and_commands() {
    let mut trial = Trial::new();
    trial.read("+ go test ./...\n2026/01/01 noise\ngo: downloading example.com/a v1.0.0\n");
    trial.read("go: downloading example.com/a v1.0.0\nok  \texample.com/p\t(cached)\nok  \texample.com/q\t0.5s\n");
    trial.end();
    let page = trial.page();
    for (series, expected) in [
        ("gobeacon_log_lines_total", 6.0),
        ("gobeacon_log_lines_unrecognised_total", 1.0),
        ("gobeacon_events_total{kind=\"module.download\"}", 2.0),
        ("gobuild_module_downloads_total{host=\"unknown\"}", 1.0),
        ("gobuild_test_packages_total", 2.0),
        ("gobuild_test_packages_cached_total", 1.0),
        ("gobuild_commands_total{repository=\"unknown\",subcommand=\"test\"}", 1.0),
        ("gobeacon_event_latency_seconds_count", 5.0),
    ] {
        assert_eq!(value(&page, series), expected, "{series}");
    }
}

#[test]
fn openmetrics_has_units_float_bounds_exemplars_and_an_end() {
    let mut metrics = Metrics::new(NOW).unwrap();
    let case = |seconds| Outcome::TestCase {
        offset: 0,
        status: CaseStatus::Pass,
        elapsed_seconds: Some(seconds),
        trace_id: TraceId([0xab; 16]),
    };
    for seconds in [0.2, 0.4, 1e6, f64::NAN, f64::INFINITY, -1.0] {
        metrics.outcome(&case(seconds), NOW);
    }
    metrics.families.add(Id::ModuleDownloads, &["a\"b\\c\nd"], 1);
    let page = metrics.page(Format::OpenMetrics, NOW).unwrap().0;
    let trace = "ab".repeat(16);
    let bucket = |le: &str, count: u64| format!("gobuild_test_duration_seconds_bucket{{le=\"{le}\"}} {count}");
    assert!(page.contains("# TYPE gobuild_tests counter\n"), "{page}");
    assert!(page.contains("gobuild_tests_total{repository=\"unknown\"} 6\n"), "{page}");
    assert!(page.contains("# UNIT gobeacon_log_bytes bytes\n"), "{page}");
    assert!(page.contains(&format!("{}\n", bucket("0.1", 0))), "{page}");
    assert!(page.contains(&format!("{} # {{trace_id=\"{trace}\",span_id=\"", bucket("0.5", 2))), "{page}");
    assert!(page.contains("\"} 0.4 1800000000.000\n"), "the last one of the bucket: {page}");
    assert!(page.contains(&format!("{} # {{trace_id=", bucket("+Inf", 3))), "{page}");
    assert!(page.contains("host=\"a\\\"b\\\\c\\nd\""), "{page}");
    assert!(page.ends_with("\n# EOF\n"));
}

#[test]
fn no_label_but_hosts_is_open() {
    for row in &CATALOGUE {
        for label in row.labels {
            let is_host = match label.values {
                Values::Host => true,
                Values::Closed(_) | Values::ClosedButLate { .. } => false,
            };
            assert_eq!(is_host, label.name.ends_with("host"), "{}: {}", row.name, label.name);
        }
    }
}
