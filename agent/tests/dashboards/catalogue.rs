//! The catalogue of metrics, read from the reference page that the program writes and that a test of its own compares.

use std::collections::BTreeMap;

use gobeacon_formats::FAILURES;

use crate::boards;

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// One metric.
#[derive(Debug)]
pub(crate) struct Metric {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// By label: its values; `None` for hosts, which are not known beforehand.
    pub(crate) labels: BTreeMap<String, Option<Vec<String>>>,
}

/// Labels that Prometheus adds: from where it scrapes.
pub(crate) const OF_TARGETS: [&str; 3] = ["cluster", "job", "instance"];

/// All metrics of the agent.
pub(crate) fn metrics() -> Vec<Metric> {
    let page = std::fs::read_to_string(boards::root("docs/reference/metrics.md")).unwrap();
    let sections = page.split("\n## `").skip(1);
    let metrics: Vec<_> = sections.map(metric).collect();
    assert!(metrics.len() > 60, "only {} metrics: the reader of the page is broken", metrics.len());
    metrics
}

fn metric(section: &str) -> Metric {
    let name = section.split('`').next().unwrap().to_owned();
    let kind = section.lines().find_map(|line| line.strip_prefix("- Type: ")).unwrap();
    let kind = match kind.split(',').next().unwrap() {
        "counter" => Kind::Counter,
        "gauge" => Kind::Gauge,
        "histogram" => Kind::Histogram,
        other => panic!("{name} is a {other}"),
    };
    let labels = section.lines().filter_map(|line| line.strip_prefix("- Label `")).map(label).collect();
    Metric { name, kind, labels }
}

fn label(line: &str) -> (String, Option<Vec<String>>) {
    let (name, values) = line.split_once("`: ").unwrap();
    let values = if values.starts_with("a host") {
        None
    } else if values.contains("failures.md") {
        Some(FAILURES.iter().map(|row| row.id.to_owned()).collect())
    } else {
        Some(values.split('`').skip(1).step_by(2).map(str::to_owned).collect())
    };
    (name.to_owned(), values)
}

/// The metric that a series belongs to: `x_bucket` is of the histogram `x`.
pub(crate) fn metric_of<'a>(all: &'a [Metric], series: &str) -> Option<&'a Metric> {
    all.iter().find(|metric| match metric.kind {
        Kind::Counter | Kind::Gauge => metric.name == series,
        Kind::Histogram => {
            series.strip_prefix(&metric.name).is_some_and(|rest| ["_bucket", "_sum", "_count"].contains(&rest))
        }
    })
}
