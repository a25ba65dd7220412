//! The page in the OpenMetrics 1.0 text format, which the prometheus crate does not write.
//!
//! Differs from the older text format in this: a counter's family is named without `_total`; units are said; numbers
//! of buckets are floats; buckets carry exemplars; the page ends with `# EOF`.

use std::fmt::{self, Write};

use prometheus::proto::{LabelPair, Metric, MetricFamily, MetricType};

use super::catalogue::{CATALOGUE, Row};
use super::families::{Exemplar, Families};

/// Writes the whole page.
pub(super) fn encode(gathered: &[MetricFamily], families: &Families) -> String {
    let mut page = String::with_capacity(64 << 10);
    for family in gathered {
        // writing to a string does not fail
        let _ = write_family(&mut page, family, families);
    }
    page.push_str("# EOF\n");
    page
}

fn write_family(page: &mut String, family: &MetricFamily, families: &Families) -> fmt::Result {
    let Some(row) = CATALOGUE.iter().find(|row| row.name == family.name()) else { return Ok(()) };
    let (kind, name) = match family.get_field_type() {
        MetricType::COUNTER => ("counter", row.name.strip_suffix("_total").unwrap_or(row.name)),
        MetricType::HISTOGRAM => ("histogram", row.name),
        MetricType::GAUGE | MetricType::SUMMARY | MetricType::UNTYPED => ("gauge", row.name),
    };
    writeln!(page, "# HELP {name} {}", Escaped(row.help))?;
    writeln!(page, "# TYPE {name} {kind}")?;
    if !row.unit.as_str().is_empty() {
        writeln!(page, "# UNIT {name} {}", row.unit.as_str())?;
    }
    for metric in family.get_metric() {
        match family.get_field_type() {
            MetricType::COUNTER => {
                let value = metric.get_counter().get_value();
                writeln!(page, "{name}_total{} {value}", Labels(metric.get_label(), None))?;
            }
            MetricType::HISTOGRAM => write_histogram(page, row, metric, families)?,
            MetricType::GAUGE | MetricType::SUMMARY | MetricType::UNTYPED => {
                let value = metric.get_gauge().get_value();
                writeln!(page, "{name}{} {value}", Labels(metric.get_label(), None))?;
            }
        }
    }
    Ok(())
}

fn write_histogram(page: &mut String, row: &Row, metric: &Metric, families: &Families) -> fmt::Result {
    let (name, labels, histogram) = (row.name, metric.get_label(), metric.get_histogram());
    let exemplars = families.exemplars(row.id, in_order_of(row, labels));
    let finite = histogram.get_bucket().iter().filter(|bucket| bucket.upper_bound().is_finite());
    let finite = finite.map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()));
    for (n, (bound, count)) in finite.chain([(f64::INFINITY, histogram.get_sample_count())]).enumerate() {
        write!(page, "{name}_bucket{} {count}", Labels(labels, Some(bound)))?;
        if let Some(exemplar) = exemplars.get(n).copied().flatten() {
            write_exemplar(page, &exemplar)?;
        }
        page.push('\n');
    }
    writeln!(page, "{name}_count{} {}", Labels(labels, None), histogram.get_sample_count())?;
    writeln!(page, "{name}_sum{} {}", Labels(labels, None), histogram.get_sample_sum())
}

fn write_exemplar(page: &mut String, exemplar: &Exemplar) -> fmt::Result {
    let Exemplar { trace_id, span_id, value, time } = exemplar;
    let seconds = time.as_nanos() as f64 / 1e9;
    write!(page, " # {{trace_id=\"{}\",span_id=\"{}\"}} {value} {seconds:.3}", Hex(&trace_id.0), Hex(&span_id.0))
}

/// The values of the labels in the order of the catalogue; the crate sorts them by name.
fn in_order_of(row: &Row, labels: &[LabelPair]) -> Vec<String> {
    let value = |name: &str| labels.iter().find(|pair| pair.name() == name).map(|pair| pair.value().to_owned());
    row.labels.iter().filter_map(|label| value(label.name)).collect()
}

/// `{name="value",...}`, with `le` where it is a bucket; nothing where there is no label.
struct Labels<'a>(&'a [LabelPair], Option<f64>);

impl fmt::Display for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = '{';
        for pair in self.0 {
            write!(f, "{before}{}=\"{}\"", pair.name(), Escaped(pair.value()))?;
            before = ',';
        }
        match self.1 {
            // `{:?}` writes a float with its point: the canonical form
            Some(bound) if bound.is_finite() => write!(f, "{before}le=\"{bound:?}\"}}"),
            Some(_) => write!(f, "{before}le=\"+Inf\"}}"),
            None if before == ',' => f.write_char('}'),
            None => Ok(()),
        }
    }
}

struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '\\' => f.write_str("\\\\"),
            '\n' => f.write_str("\\n"),
            '"' => f.write_str("\\\""),
            c => f.write_char(c),
        })
    }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
