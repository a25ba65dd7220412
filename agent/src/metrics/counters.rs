//! What Go's own counters say, as metrics.
//!
//! Invariant: while no folder has ever counted, there is no series that says 0: nothing is known.

use gobeacon_collectors::counters::{FolderState, Report};
use gobeacon_formats::counters::{COUNTERS, Meaning, Tool, meaning};

use super::Metrics;
use super::catalogue::Id;
use crate::builds::command::Subcommand;

/// The `source` of these numbers.
const SOURCE: &str = "counters";

impl Metrics {
    /// Adds by how much the counters grew.
    pub(crate) fn counters(&mut self, report: &Report) {
        for (state, count) in FolderState::ALL.iter().zip(report.folders) {
            self.families.set(Id::TelemetryFolders, &[state.name()], count as u64);
        }
        if report.is_counting() {
            // known from now on: those that did not grow are 0
            COUNTERS.iter().for_each(|row| self.counted(row.meaning, 0));
            Subcommand::ALL.iter().for_each(|it| self.families.add(Id::SubcommandInvocations, &[it.id()], 0));
        }
        for (name, by) in &report.grown {
            if let Some(meaning) = meaning(name) {
                self.counted(meaning, *by);
            }
        }
    }

    fn counted(&mut self, meaning: Meaning<'_>, by: u64) {
        match meaning {
            Meaning::CacheHit => {
                self.families.add(Id::CacheLookups, &[SOURCE], by);
                self.families.add(Id::CacheHits, &[SOURCE], by);
            }
            Meaning::CacheMiss => self.families.add(Id::CacheLookups, &[SOURCE], by),
            Meaning::StdlibRecompiled => self.families.add(Id::StdlibRecompiled, &[], by),
            Meaning::Tool(tool) => self.families.add(Id::ToolInvocations, &[Tool::name(tool)], by),
            Meaning::Subcommand(words) => {
                // `mod-tidy` is `go mod tidy`
                let subcommand = Subcommand::of_name(&format!("go {}", words.replace('-', " ")));
                self.families.add(Id::SubcommandInvocations, &[subcommand.id()], by);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use gobeacon_formats::Timestamp;

    use super::*;
    use crate::metrics::Format;

    fn report(folders: [usize; 4], grown: &[(&str, u64)]) -> Report {
        let grown = grown.iter().map(|(name, by)| ((*name).to_owned(), *by)).collect();
        Report { observed: Timestamp::from_nanos(1), folders, grown }
    }

    #[test]
    fn numbers_are_there_once_they_are_known_and_not_before() {
        let now = Timestamp::from_nanos(1);
        let mut metrics = Metrics::new(now).unwrap();
        metrics.counters(&report([0, 1, 1, 0], &[]));
        let page = metrics.page(Format::Text, now).unwrap().0;
        assert!(page.contains("gobeacon_telemetry_folders{state=\"off\"} 1"), "{page}");
        for unknown in ["source=\"counters\"", "gobuild_stdlib_recompiled", "gobuild_tool_inv", "gobuild_subcommand"] {
            assert!(!page.contains(unknown), "{unknown}");
        }
        let grown = [
            ("go/buildcache/hit", 3),
            ("go/buildcache/miss", 1),
            ("go/subcommand:mod-tidy", 2),
            ("cgo/invocations", 1),
        ];
        metrics.counters(&report([1, 0, 0, 0], &grown));
        let page = metrics.page(Format::Text, now).unwrap().0;
        for known in [
            "gobuild_cache_lookups_total{source=\"counters\"} 4",
            "gobuild_cache_hits_total{source=\"counters\"} 3",
            "gobuild_stdlib_recompiled_commands_total 0",
            "gobuild_tool_invocations_total{tool=\"cgo\"} 1",
            "gobuild_tool_invocations_total{tool=\"vet\"} 0",
            "gobuild_subcommand_invocations_total{subcommand=\"mod\"} 2",
            "gobuild_subcommand_invocations_total{subcommand=\"test\"} 0",
        ] {
            assert!(page.lines().any(|line| line == known), "{known}: {page}");
        }
    }
}
