//! What counters and histograms have counted and no page has shown yet, over the lives of the agent.
//!
//! Whoever scrapes adds up what each life has shown last. A life that is killed has counted more than that: this much is
//! carried into the next life and shown there. It knows families as they are gathered, and no metric by name.
//!
//! Invariant: what was shown, and what is not shown yet, are together what was counted.

use std::collections::BTreeMap;

use prometheus::proto::{Bucket, Counter, Histogram, LabelPair, Metric, MetricFamily, MetricType};
use serde::{Deserialize, Serialize};

use super::catalogue::{CATALOGUE, Kind, Row};

/// One series of a counter or a histogram.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Series {
    /// Of the metric.
    pub(crate) name: String,
    /// Names and values of the labels.
    pub(crate) labels: Vec<(String, String)>,
    /// How much.
    pub(crate) number: Number,
}

/// How much was counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Number {
    /// By a counter.
    Count(f64),
    /// By a histogram; `buckets` are those with a bound, each with all below it.
    Histogram { count: u64, sum: f64, buckets: Vec<u64> },
}

impl Number {
    /// How much more it is than what was shown. `None`: nothing, or it began anew.
    fn beyond(&self, shown: Option<&Self>) -> Option<Self> {
        let more = match (self, shown) {
            (Self::Count(now), Some(Self::Count(shown))) => Self::Count(now - shown),
            (
                Self::Histogram { count, sum, buckets },
                Some(Self::Histogram { count: count_shown, sum: sum_shown, buckets: shown }),
            ) => Self::Histogram {
                count: count.checked_sub(*count_shown)?,
                sum: sum - sum_shown,
                buckets: buckets.iter().zip(shown).map(|(now, shown)| now.saturating_sub(*shown)).collect(),
            },
            (now, _) => now.clone(),
        };
        more.is_something().then_some(more)
    }

    fn is_something(&self) -> bool {
        match self {
            Self::Count(count) => *count > 0.0,
            Self::Histogram { count, .. } => *count > 0,
        }
    }

    fn add(&mut self, other: &Self) {
        match (self, other) {
            (Self::Count(count), Self::Count(more)) => *count += more,
            (
                Self::Histogram { count, sum, buckets },
                Self::Histogram { count: more, sum: more_sum, buckets: more_buckets },
            ) => {
                *count = count.saturating_add(*more);
                *sum += more_sum;
                buckets.iter_mut().zip(more_buckets).for_each(|(to, more)| *to = to.saturating_add(*more));
            }
            // a metric changed its kind between two versions
            (Self::Count(_), Self::Histogram { .. }) | (Self::Histogram { .. }, Self::Count(_)) => {}
        }
    }
}

type Labels = Vec<(String, String)>;

/// All counters and histograms of one moment.
#[derive(Debug, Default)]
pub(crate) struct Counted(BTreeMap<(String, Labels), Number>);

impl Counted {
    /// Takes them out of what was gathered.
    pub(super) fn of(families: &[MetricFamily]) -> Self {
        let all = families.iter().flat_map(|family| {
            let series = family.get_metric().iter();
            series.filter_map(move |it| Some(((family.name().to_owned(), labels(it)), number(family, it)?)))
        });
        Self(all.collect())
    }

    /// What was counted beyond what was shown.
    pub(super) fn beyond(&self, shown: &Self) -> Vec<Series> {
        let more = self.0.iter().filter_map(|(key, now)| Some((key, now.beyond(shown.0.get(key))?)));
        more.map(|((name, labels), number)| Series { name: name.clone(), labels: labels.clone(), number }).collect()
    }
}

/// What earlier lives have counted and not shown.
#[derive(Debug, Default)]
pub(super) struct Carried(Vec<(&'static Row, Labels, Number)>);

impl Carried {
    /// Takes in one series, whose labels are those of its row by now.
    pub(super) fn add(&mut self, row: &'static Row, mut labels: Labels, number: Number) {
        // the crate sorts them by name
        labels.sort();
        if !fits(row, &number) {
            return;
        }
        match self.0.iter_mut().find(|(of, known, _)| of.name == row.name && *known == labels) {
            Some((_, _, sum)) => sum.add(&number),
            None => self.0.push((row, labels, number)),
        }
    }

    /// Adds what is carried to what was gathered, families by name.
    pub(super) fn add_to(&self, families: &mut Vec<MetricFamily>) {
        for (row, of, number) in &self.0 {
            let at = families.binary_search_by(|family| family.name().cmp(row.name));
            let at = at.unwrap_or_else(|at| {
                families.insert(at, empty(row));
                at
            });
            let Some(family) = families.get_mut(at) else { continue };
            if let Some(series) = family.mut_metric().iter_mut().find(|series| labels(series) == *of) {
                let mut sum = number.clone();
                if let Some(now) = number_of(row, series) {
                    sum.add(&now);
                }
                set(series, row, &sum);
            } else {
                let mut series = Metric::from_label(of.iter().map(|(name, value)| pair(name, value)).collect());
                set(&mut series, row, number);
                family.mut_metric().push(series);
            }
        }
    }
}

/// Whether a series of this row can be so much.
fn fits(row: &Row, number: &Number) -> bool {
    match (row.kind, number) {
        (Kind::Counter, Number::Count(count)) => count.is_finite(),
        (Kind::Histogram(bounds), Number::Histogram { sum, buckets, .. }) => {
            sum.is_finite() && buckets.len() == bounds.len()
        }
        (Kind::Counter | Kind::Gauge | Kind::Histogram(_), Number::Count(_) | Number::Histogram { .. }) => false,
    }
}

fn empty(row: &Row) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(row.name.to_owned());
    family.set_help(row.help.to_owned());
    family.set_field_type(match row.kind {
        Kind::Counter => MetricType::COUNTER,
        Kind::Gauge => MetricType::GAUGE,
        Kind::Histogram(_) => MetricType::HISTOGRAM,
    });
    family
}

fn number(family: &MetricFamily, series: &Metric) -> Option<Number> {
    let row = CATALOGUE.iter().find(|row| row.name == family.name())?;
    number_of(row, series)
}

fn number_of(row: &Row, series: &Metric) -> Option<Number> {
    match row.kind {
        Kind::Counter => Some(Number::Count(series.get_counter().get_value())),
        Kind::Gauge => None,
        Kind::Histogram(_) => {
            let histogram = series.get_histogram();
            let finite = histogram.get_bucket().iter().filter(|bucket| bucket.upper_bound().is_finite());
            Some(Number::Histogram {
                count: histogram.get_sample_count(),
                sum: histogram.get_sample_sum(),
                buckets: finite.map(|bucket| bucket.cumulative_count()).collect(),
            })
        }
    }
}

fn set(series: &mut Metric, row: &Row, number: &Number) {
    match (row.kind, number) {
        (Kind::Counter, Number::Count(count)) => {
            let mut counter = Counter::default();
            counter.set_value(*count);
            series.set_counter(counter);
        }
        (Kind::Histogram(bounds), Number::Histogram { count, sum, buckets }) => {
            let bucket = |(bound, count): (&f64, &u64)| {
                let mut bucket = Bucket::default();
                bucket.set_upper_bound(*bound);
                bucket.set_cumulative_count(*count);
                bucket
            };
            let mut histogram = Histogram::default();
            histogram.set_bucket(bounds.iter().zip(buckets).map(bucket).collect());
            histogram.set_sample_count(*count);
            histogram.set_sample_sum(*sum);
            series.set_histogram(histogram);
        }
        (Kind::Counter | Kind::Gauge | Kind::Histogram(_), Number::Count(_) | Number::Histogram { .. }) => {}
    }
}

fn labels(series: &Metric) -> Labels {
    series.get_label().iter().map(|pair| (pair.name().to_owned(), pair.value().to_owned())).collect()
}

fn pair(name: &str, value: &str) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.to_owned());
    pair.set_value(value.to_owned());
    pair
}
