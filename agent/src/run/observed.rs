//! What collectors saw besides logs: to the metrics, and to what makes spans and log events of it.
//!
//! Invariant: one arm for each collector; what it means is said in the rooms, not here.

use gobeacon_collectors::{Observation, now};

use super::Agent;
use crate::builds::Outcome;

impl Agent {
    /// Takes in what a collector saw.
    pub(super) fn observe(&mut self, observation: Observation) {
        match observation {
            Observation::BuildCache(report) => {
                self.metrics.build_cache(&report);
                self.build_caches.apply(&report, &mut self.outcomes);
                self.metrics.build_caches(&self.build_caches.totals());
            }
            Observation::Counters(report) => self.metrics.counters(&report),
            Observation::ModCache(report) => {
                self.metrics.modcache(&report);
                self.builds.tick(now(), &mut self.outcomes);
                self.builds.files(&report, &mut self.outcomes);
            }
            Observation::Integrity(report) => {
                self.metrics.integrity(&report);
                self.incidents.apply(&report, &mut self.outcomes);
            }
            Observation::ActionGraph(report) => {
                if let Some(told) = self.graphs.apply(&report) {
                    self.metrics.graph(&told.counts);
                    self.outcomes.push(Outcome::Telemetry(told.telemetry));
                }
            }
        }
        self.settle(now());
    }
}
