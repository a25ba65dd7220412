//! The reference page of metrics, made of the catalogue.

use std::fmt::Write;

use super::catalogue::{AtStart, CATALOGUE, Kind, Row, Values};
use super::{families, hosts};

/// `docs/reference/metrics.md`.
pub(crate) fn reference() -> String {
    let mut page = crate::docs::head("Metrics");
    page.push_str(HEAD);
    for row in &CATALOGUE {
        section(&mut page, row);
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

const HEAD: &str = "\
`/metrics` has these, in the Prometheus text format, or in OpenMetrics 1.0 for who asks for it; there the buckets of the
histograms of commands and tests carry exemplars: the trace and root span of a command. Counters start at 0 when the
agent starts.

No label has the name of a package, test, module, version, pod, commit or path: that detail is in the traces. A host has
its own name while there are few of them; the others are together under `__other__`, as is everything beyond the bound
of a metric. `unknown` is a host that the log does not show, as in `go: downloading` lines without `-x`, and a
repository that the log does not tell.

";

fn section(page: &mut String, row: &Row) {
    let (kind, buckets) = match row.kind {
        Kind::Counter => ("counter", None),
        Kind::Gauge => ("gauge", None),
        Kind::Histogram(bounds) => ("histogram", Some(bounds)),
    };
    // writing to a string does not fail
    let _ = write!(page, "## `{}`\n\n{}\n\n- Type: {kind}", row.name, row.help);
    match row.unit.as_str() {
        "" => {}
        unit => _ = write!(page, ", in {unit}"),
    }
    page.push('\n');
    if let Some(bounds) = buckets {
        let bounds: Vec<_> = bounds.iter().map(f64::to_string).collect();
        _ = writeln!(page, "- Buckets: {}", bounds.join(", "));
    }
    for label in row.labels {
        _ = writeln!(page, "- Label `{}`: {}", label.name, values(&label.values));
    }
    _ = writeln!(page, "- {}\n", bound(row));
}

fn values(values: &Values) -> String {
    let listed = |values: Vec<&str>| values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ");
    match values.closed() {
        Some(all) if all.len() > MOST_LISTED => {
            format!("{} values, those of the [failure classes](failures.md)", all.len())
        }
        Some(all) => listed(all),
        None => format!("a host, up to {}; {}, `{}`", hosts::MOST, listed(vec![hosts::UNKNOWN]), hosts::OTHER),
    }
}

/// Longer lists are the failure classes, which have a page of their own.
const MOST_LISTED: usize = 30;

fn bound(row: &Row) -> String {
    let series = families::at_start(row).len();
    let grows = row.labels.iter().any(|label| match label.values {
        Values::Closed(_) => false,
        Values::ClosedButLate { .. } | Values::Host => true,
    });
    let counted = |n: usize| format!("{n} {}", if n == 1 { "combination" } else { "combinations" });
    match row.at_start {
        AtStart::Nothing => "One series for each collector".to_owned(),
        AtStart::Product | AtStart::These(_) if row.labels.is_empty() => "One series".to_owned(),
        AtStart::Product | AtStart::These(_) if grows => {
            format!("{} of labels from the start, about {} at most", counted(series), row.most_series)
        }
        AtStart::Product | AtStart::These(_) => format!("{} of labels, all from the start", counted(series)),
    }
}
