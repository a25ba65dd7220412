//! What was found in module caches, as metrics.
//!
//! Invariant: a conflict counts in the gauge for as long as it is there, and once in the counters.

use gobeacon_collectors::integrity::{Event, Report};
use gobeacon_formats::Artifact;

use super::Metrics;
use super::catalogue::Id;
use crate::builds::ids;

/// The `verifier` of these mismatches.
const VERIFIER: &str = "cache";

impl Metrics {
    /// Counts what was verified, and what is wrong.
    pub(crate) fn integrity(&mut self, report: &Report) {
        self.families.set(Id::HashConflicts, &[], report.conflicts);
        for event in &report.events {
            match event {
                Event::Verified(count) => self.families.add(Id::ModulesVerified, &[], *count),
                Event::Conflict(conflict) => {
                    self.families.add(Id::ChecksumMismatches, &[VERIFIER, Artifact::name(conflict.artifact)], 1);
                    self.mismatched.add(ids::remembered(&[&conflict.module, &conflict.version]), report.observed);
                }
                Event::Corrupt(_) => self.families.add(Id::ModulesCorrupt, &[], 1),
                Event::Resolved { .. } => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use gobeacon_collectors::integrity::Conflict;
    use gobeacon_formats::Timestamp;

    use super::*;
    use crate::metrics::Format;

    #[test]
    fn a_conflict_is_counted_once_and_leaves_the_gauge_when_it_is_gone() {
        let now = Timestamp::from_nanos(1);
        let mut metrics = Metrics::new(now).unwrap();
        let (module, version) = ("a.b/c".to_owned(), "v1.0.0".to_owned());
        let conflict = Conflict { module, version, artifact: Artifact::GoMod, sides: Vec::new() };
        let events = vec![Event::Verified(3), Event::Conflict(Box::new(conflict))];
        metrics.integrity(&Report { observed: now, conflicts: 1, events });
        let page = metrics.page(Format::Text, now).unwrap().0;
        for line in [
            "gobuild_module_hash_conflicts 1",
            "gobuild_module_verified_total 3",
            "gobuild_module_corrupt_total 0",
            "gobuild_checksum_mismatches_total{artifact=\"go_mod\",verifier=\"cache\"} 1",
            "gobuild_checksum_mismatched_modules 1",
        ] {
            assert!(page.lines().any(|it| it == line), "{line} in {page}");
        }
        let (module, version) = ("a.b/c".to_owned(), "v1.0.0".to_owned());
        metrics.integrity(&Report { observed: now, conflicts: 0, events: vec![Event::Resolved { module, version }] });
        let page = metrics.page(Format::Text, now).unwrap().0;
        assert!(page.lines().any(|it| it == "gobuild_module_hash_conflicts 0"), "{page}");
    }
}
