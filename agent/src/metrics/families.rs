//! The metrics at work: registered from the catalogue, counted, gathered.
//!
//! Knows names and labels only through the catalogue, and nothing of what the numbers mean.
//!
//! Invariants: a series that the catalogue has at the start is there as 0; a family never has more series than its
//! row allows; there is at most one exemplar for each bucket.

use std::collections::{BTreeMap, BTreeSet};

use gobeacon_formats::Timestamp;
use prometheus::local::LocalHistogram;
use prometheus::proto::MetricFamily;
use prometheus::{CounterVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};

use super::catalogue::{AtStart, CATALOGUE, Id, Kind, Row, Unit, Values};
use super::hosts::OTHER;
use crate::builds::build::{SpanId, TraceId};
use crate::builds::ids;

/// A trace that is an example of what a bucket counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Exemplar {
    pub(super) trace_id: TraceId,
    pub(super) span_id: SpanId,
    /// In the unit of the histogram.
    pub(super) value: f64,
    pub(super) time: Timestamp,
}

impl Exemplar {
    /// Shows the root span: it is the one of a trace that is exported for sure.
    pub(super) fn of_root(trace_id: TraceId, value: f64, time: Timestamp) -> Self {
        Self { trace_id, span_id: ids::root_of(trace_id), value, time }
    }
}

/// All families, in the order of the catalogue.
pub(super) struct Families {
    registry: Registry,
    families: Vec<Family>,
    /// By metric and values of its labels in the order of the catalogue: one a bucket, the infinite one last.
    exemplars: BTreeMap<(Id, Vec<String>), Vec<Option<Exemplar>>>,
}

enum Numbers {
    Counter(IntCounterVec),
    /// A counter of seconds, which are not whole.
    Seconds(CounterVec),
    Gauge(IntGaugeVec),
    Histogram(HistogramVec),
}

struct Family {
    row: &'static Row,
    numbers: Numbers,
    /// The label values of families whose series can grow.
    series: Option<BTreeSet<Vec<String>>>,
}

impl Families {
    /// Registers all rows of the catalogue.
    pub(super) fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let families = CATALOGUE.iter().map(|row| Family::new(row, &registry)).collect::<Result<_, _>>()?;
        Ok(Self { registry, families, exemplars: BTreeMap::new() })
    }

    /// Adds to a counter.
    pub(super) fn add(&mut self, id: Id, labels: &[&str], count: u64) {
        if let Some((Numbers::Counter(vec), labels)) = self.family(id, labels)
            && let Ok(counter) = vec.get_metric_with_label_values(&labels)
        {
            counter.inc_by(count);
        }
    }

    /// Adds to a counter of seconds. What is no time is passed over.
    pub(super) fn add_seconds(&mut self, id: Id, labels: &[&str], seconds: f64) {
        if seconds.is_finite()
            && seconds >= 0.0
            && let Some((Numbers::Seconds(vec), labels)) = self.family(id, labels)
            && let Ok(counter) = vec.get_metric_with_label_values(&labels)
        {
            counter.inc_by(seconds);
        }
    }

    /// Brings a counter to a total that somebody else counts.
    pub(super) fn advance(&mut self, id: Id, labels: &[&str], total: u64) {
        if let Some((Numbers::Counter(vec), labels)) = self.family(id, labels)
            && let Ok(counter) = vec.get_metric_with_label_values(&labels)
        {
            counter.inc_by(total.saturating_sub(counter.get()));
        }
    }

    /// Sets a gauge.
    pub(super) fn set(&mut self, id: Id, labels: &[&str], value: u64) {
        if let Some((Numbers::Gauge(vec), labels)) = self.family(id, labels)
            && let Ok(gauge) = vec.get_metric_with_label_values(&labels)
        {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        }
    }

    /// Removes the series of a gauge, so that only those that are set from now on are there.
    pub(super) fn clear(&mut self, id: Id) {
        if let Some(Family { numbers: Numbers::Gauge(vec), .. }) = self.families.get(id as usize) {
            vec.reset();
        }
    }

    /// Removes one series: what it counted is not known any more.
    pub(super) fn remove(&mut self, id: Id, labels: &[&str]) {
        // one that is not there needs no removal
        match self.families.get(id as usize).map(|family| &family.numbers) {
            Some(Numbers::Gauge(vec)) => _ = vec.remove_label_values(labels),
            Some(Numbers::Counter(vec)) => _ = vec.remove_label_values(labels),
            Some(Numbers::Seconds(vec)) => _ = vec.remove_label_values(labels),
            Some(Numbers::Histogram(_)) | None => {}
        }
    }

    /// Adds `times` times the same value to a histogram.
    pub(super) fn observe(&mut self, id: Id, labels: &[&str], value: f64, times: usize) {
        if !value.is_finite() {
            return;
        }
        if let Some((Numbers::Histogram(vec), labels)) = self.family(id, labels)
            && let Ok(histogram) = vec.get_metric_with_label_values(&labels)
        {
            if times == 1 {
                return histogram.observe(value);
            }
            let local = histogram.local();
            (0..times).for_each(|_| local.observe(value));
            local.flush();
        }
    }

    /// Adds a value to a histogram, and keeps the trace as the exemplar of its bucket.
    pub(super) fn observe_traced(&mut self, id: Id, labels: &[&str], exemplar: Exemplar) {
        self.observe(id, labels, exemplar.value, 1);
        self.exemplify(id, labels, exemplar);
    }

    /// A histogram of which others observe many values before they hand them over.
    pub(super) fn local(&mut self, id: Id, labels: &[&str]) -> Option<LocalHistogram> {
        let Some((Numbers::Histogram(vec), labels)) = self.family(id, labels) else { return None };
        Some(vec.get_metric_with_label_values(&labels).ok()?.local())
    }

    /// Keeps a trace as the exemplar of its bucket.
    pub(super) fn exemplify(&mut self, id: Id, labels: &[&str], exemplar: Exemplar) {
        if let Kind::Histogram(bounds) = id.row().kind {
            let bucket = bounds.iter().position(|bound| exemplar.value <= *bound).unwrap_or(bounds.len());
            let key = (id, labels.iter().map(|&label| label.to_owned()).collect());
            let buckets = self.exemplars.entry(key).or_insert_with(|| vec![None; bounds.len() + 1]);
            if let Some(place) = buckets.get_mut(bucket) {
                *place = Some(exemplar);
            }
        }
    }

    /// Labels as the bound of the family allows them; the series has its place from now on.
    pub(super) fn admit(&mut self, id: Id, labels: &[String]) -> Vec<String> {
        let labels: Vec<_> = labels.iter().map(String::as_str).collect();
        let admitted = self.family(id, &labels).map(|(_, labels)| labels).unwrap_or(labels);
        admitted.into_iter().map(str::to_owned).collect()
    }

    /// All series, families by name.
    pub(super) fn gather(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }

    /// The exemplars of one series' buckets.
    pub(super) fn exemplars(&self, id: Id, labels: Vec<String>) -> &[Option<Exemplar>] {
        self.exemplars.get(&(id, labels)).map_or(&[], Vec::as_slice)
    }

    /// The family, and the labels as its bound allows them.
    fn family<'a, 'l>(&'a mut self, id: Id, labels: &[&'l str]) -> Option<(&'a Numbers, Vec<&'l str>)> {
        let family = self.families.get_mut(id as usize)?;
        let mut labels = labels.to_vec();
        family.bound(&mut labels);
        Some((&family.numbers, labels))
    }
}

impl Family {
    fn new(row: &'static Row, registry: &Registry) -> Result<Self, prometheus::Error> {
        let names: Vec<_> = row.labels.iter().map(|label| label.name).collect();
        let opts = Opts::new(row.name, row.help);
        let numbers = match row.kind {
            Kind::Counter if row.unit == Unit::Seconds => {
                Numbers::Seconds(registered(registry, CounterVec::new(opts, &names)?)?)
            }
            Kind::Counter => Numbers::Counter(registered(registry, IntCounterVec::new(opts, &names)?)?),
            Kind::Gauge => Numbers::Gauge(registered(registry, IntGaugeVec::new(opts, &names)?)?),
            Kind::Histogram(bounds) => {
                let opts = HistogramOpts::from(opts).buckets(bounds.to_vec());
                Numbers::Histogram(registered(registry, HistogramVec::new(opts, &names)?)?)
            }
        };
        let at_start = at_start(row);
        for labels in &at_start {
            match &numbers {
                Numbers::Counter(vec) => drop(vec.get_metric_with_label_values(labels)?),
                Numbers::Seconds(vec) => drop(vec.get_metric_with_label_values(labels)?),
                Numbers::Gauge(vec) => drop(vec.get_metric_with_label_values(labels)?),
                Numbers::Histogram(vec) => drop(vec.get_metric_with_label_values(labels)?),
            }
        }
        let owned = |labels: Vec<&str>| labels.into_iter().map(str::to_owned).collect();
        let grows = row.labels.iter().any(|label| match label.values {
            Values::Closed(_) => false,
            Values::ClosedButLate { .. } | Values::Host => true,
        });
        let series = grows.then(|| at_start.into_iter().map(owned).collect());
        Ok(Self { row, numbers, series })
    }

    /// Puts what no closed list has, and what would be one series too many, under `__other__`.
    fn bound(&mut self, labels: &mut [&str]) {
        let Some(series) = &mut self.series else { return };
        for (value, label) in labels.iter_mut().zip(self.row.labels) {
            if label.values.closed().is_some_and(|all| !all.contains(value)) {
                *value = OTHER;
            }
        }
        let mut owned: Vec<_> = labels.iter().map(|&label| label.to_owned()).collect();
        if series.contains(&owned) {
            return;
        }
        if series.len() >= self.row.most_series
            && let (Some(last), Some(last_owned)) = (labels.last_mut(), owned.last_mut())
        {
            *last = OTHER;
            OTHER.clone_into(last_owned);
        }
        series.insert(owned);
    }
}

fn registered<C>(registry: &Registry, collector: C) -> Result<C, prometheus::Error>
where
    C: prometheus::core::Collector + Clone + 'static,
{
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

/// The label values of the series that are there from the start.
pub(super) fn at_start(row: &Row) -> Vec<Vec<&'static str>> {
    match row.at_start {
        AtStart::Nothing => Vec::new(),
        AtStart::These(these) => these(),
        AtStart::Product => row.labels.iter().fold(vec![Vec::new()], |so_far, label| {
            let values = label.values.at_start();
            so_far
                .iter()
                .flat_map(|begin| values.iter().map(|value| begin.iter().chain([value]).copied().collect()))
                .collect()
        }),
    }
}
