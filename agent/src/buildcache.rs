//! What was seen of build caches, as log events and as what the gauges show.
//!
//! Reports in, outcomes and totals out; time comes in with the reports. It names no metric and no wire format, and
//! does not know how a cache is watched.
//!
//! Invariant: what is held is one row for each cache that is there now.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use gobeacon_collectors::buildcache::{Event, How, Report, Stock};

use crate::builds::Outcome;
use crate::builds::build::{Attributes, LogRecord, Telemetry, Value};
use crate::builds::redact;

#[cfg(test)]
pub(crate) mod catalogue;
mod records;
#[cfg(test)]
mod tests;

/// Longest path in an attribute, in bytes.
const MAX_PATH_BYTES: usize = 4096;

/// All build caches that are followed.
#[derive(Debug)]
pub(crate) struct BuildCaches {
    resource: Arc<Attributes>,
    followed: BTreeMap<[u8; 16], Followed>,
}

#[derive(Debug)]
struct Followed {
    path: PathBuf,
    how: How,
    stock: Option<Stock>,
    free_bytes: Option<u64>,
}

/// What is in all of them together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// How many are seen how, in the order of [`How::ALL`].
    pub(crate) seen: [u64; How::ALL.len()],
    /// What is in those that were looked at; `None` when none was.
    pub(crate) stock: Option<Stock>,
    /// What the file system has left that has least.
    pub(crate) free_bytes: Option<u64>,
}

impl BuildCaches {
    /// None is followed yet.
    pub(crate) fn new(host_name: Option<String>) -> Self {
        let text = |value: &'static str| Value::Str(value.into());
        let mut resource: Attributes = vec![
            ("service.name", text("go-build")),
            ("telemetry.distro.name", text("gobeacon")),
            ("telemetry.distro.version", text(env!("CARGO_PKG_VERSION"))),
        ];
        resource.extend(host_name.map(|name| ("host.name", Value::Str(name.into()))));
        Self { resource: Arc::new(resource), followed: BTreeMap::new() }
    }

    /// Takes in what was seen of one cache.
    pub(crate) fn apply(&mut self, report: &Report, out: &mut Vec<Outcome>) {
        let mut logs = Vec::new();
        for event in &report.events {
            self.note(report, event);
            logs.extend(records::of(event, report.observed).map(|record| at(record, report)));
        }
        if !logs.is_empty() {
            let resource = Arc::clone(&self.resource);
            out.push(Outcome::Telemetry(Telemetry { resource, spans: Vec::new(), logs }));
        }
    }

    /// What the gauges show.
    pub(crate) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for Followed { how, stock, free_bytes, .. } in self.followed.values() {
            if let Some(count) = totals.seen.get_mut(*how as usize) {
                *count += 1;
            }
            if let Some(stock) = stock {
                let sum = totals.stock.get_or_insert_default();
                sum.actions = sum.actions.and(stock.actions);
                sum.outputs.iter_mut().zip(stock.outputs).for_each(|(sum, it)| *sum = sum.and(it));
            }
            totals.free_bytes = totals.free_bytes.into_iter().chain(*free_bytes).min();
        }
        totals
    }

    fn note(&mut self, report: &Report, event: &Event) {
        match event {
            Event::Seen(how) => {
                let path = report.root.path.clone();
                let followed = self.followed.entry(report.root.id);
                followed.or_insert(Followed { path, how: *how, stock: None, free_bytes: None }).how = *how;
            }
            Event::Stock { stock, free_bytes } => {
                if let Some(followed) = self.followed.get_mut(&report.root.id) {
                    (followed.stock, followed.free_bytes) = (Some(*stock), *free_bytes);
                }
            }
            Event::Gone => {
                if let Some(gone) = self.followed.remove(&report.root.id) {
                    tracing::debug!(cache = %gone.path.display(), "no gauge has this build cache any more");
                }
            }
            Event::Used(_)
            | Event::Inventory(_)
            | Event::Removed(_)
            | Event::Restored(_)
            | Event::Worth(_)
            | Event::HitsLost { .. } => {}
        }
    }
}

/// Says which cache a record is about.
fn at(mut record: LogRecord, report: &Report) -> LogRecord {
    let path = redact::bounded(report.root.path.to_string_lossy().into_owned(), MAX_PATH_BYTES);
    record.body = format!("{path}: {}", record.body);
    record.attributes.insert(0, ("gobuild.cache.path", Value::Str(path.into())));
    record
}
