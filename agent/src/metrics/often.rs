//! What is counted for nearly every event: added up here, and handed to the families when somebody wants to see it.
//!
//! It knows no label that is not fixed, and writes no page.
//!
//! Invariant: behind [`Often::hand_over`] the families have all that was counted, each thing once.

use gobeacon_formats::Timestamp;
use prometheus::local::LocalHistogram;

use super::catalogue::{Id, Kind, UNKNOWN_REPOSITORY};
use super::families::{Exemplar, Families};
use crate::builds::build::TraceId;

/// The sums.
#[derive(Debug, Default)]
pub(super) struct Often {
    pub(super) tests: u64,
    pub(super) test_failures: u64,
    pub(super) packages: u64,
    pub(super) packages_cached: u64,
    /// Of hosts that no line names.
    pub(super) downloads: u64,
    durations: Option<Durations>,
}

/// How long tests took.
#[derive(Debug)]
struct Durations {
    seconds: LocalHistogram,
    bounds: &'static [f64],
    /// The last of each bucket, the infinite one behind the others.
    last: Vec<Option<Example>>,
}

/// A trace that is an example of what a bucket counts.
#[derive(Debug, Clone, Copy)]
struct Example {
    trace_id: TraceId,
    seconds: f64,
    time: Timestamp,
}

impl Often {
    /// A test took so long.
    pub(super) fn test_took(&mut self, seconds: f64, trace_id: TraceId, time: Timestamp, families: &mut Families) {
        if self.durations.is_none() {
            self.durations = Durations::new(families);
        }
        let Some(durations) = &mut self.durations else { return };
        durations.seconds.observe(seconds);
        let bucket = durations.bounds.iter().position(|bound| seconds <= *bound).unwrap_or(durations.bounds.len());
        if let Some(last) = durations.last.get_mut(bucket) {
            *last = Some(Example { trace_id, seconds, time });
        }
    }

    /// Brings all that was counted to the families.
    pub(super) fn hand_over(&mut self, unknown_host: &str, families: &mut Families) {
        let Self { tests, test_failures, packages, packages_cached, downloads, durations } = std::mem::take(self);
        families.add(Id::Tests, &[UNKNOWN_REPOSITORY], tests);
        families.add(Id::TestFailures, &[UNKNOWN_REPOSITORY], test_failures);
        families.add(Id::TestPackages, &[], packages);
        families.add(Id::TestPackagesCached, &[], packages_cached);
        families.add(Id::ModuleDownloads, &[unknown_host], downloads);
        if let Some(Durations { seconds, last, .. }) = durations {
            seconds.flush();
            for Example { trace_id, seconds, time } in last.into_iter().flatten() {
                let exemplar = Exemplar::of_root(trace_id, seconds, time);
                families.exemplify(Id::TestDuration, &[], exemplar);
            }
        }
    }
}

impl Durations {
    fn new(families: &mut Families) -> Option<Self> {
        let Kind::Histogram(bounds) = Id::TestDuration.row().kind else { return None };
        let seconds = families.local(Id::TestDuration, &[])?;
        Some(Self { seconds, bounds, last: vec![None; bounds.len() + 1] })
    }
}
