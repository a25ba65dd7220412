//! What graphs of actions say, as metrics.

use gobeacon_formats::action_graph::Reason;

use super::Metrics;
use super::catalogue::Id;
use super::families::Exemplar;
use crate::graphs::Counts;

/// The `source` of these numbers.
const SOURCE: &str = "action_graph";

impl Metrics {
    /// Counts one graph.
    pub(crate) fn graph(&mut self, counts: &Counts) {
        self.families.add(Id::CacheLookups, &[SOURCE], counts.lookups);
        self.families.add(Id::CacheHits, &[SOURCE], counts.hits);
        for (reason, count) in &counts.reasons {
            self.families.add(Id::CacheMisses, &[Reason::name(*reason)], *count as u64);
        }
        for (tool, seconds, cpu_seconds) in &counts.actions {
            let exemplar = Exemplar::of_root(counts.trace, *seconds, counts.end);
            self.families.observe_traced(Id::ActionDuration, &[tool.name()], exemplar);
            if let Some(seconds) = cpu_seconds {
                self.families.add_seconds(Id::ToolCpu, &[tool.name()], *seconds);
            }
        }
        if let Some(seconds) = counts.critical_path_seconds {
            let exemplar = Exemplar::of_root(counts.trace, seconds, counts.end);
            self.families.observe_traced(Id::CriticalPath, &[], exemplar);
        }
    }
}
