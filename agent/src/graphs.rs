//! Graphs of actions as traces: a root for the go command, a span for each action that ran, and why it had to.
//!
//! A state machine without input or output: graphs in, spans, log events and counts out. A graph is a trace of its own,
//! with ids of what it is (host, file, first moment), so that the same graph read again is the same trace; which log or
//! process belongs to it is not decided here.
//!
//! Invariants: every span's parent is exported in the same trace, begins no later and ends no earlier; never more spans
//! than the limit, and what did not fit is counted on the root; what is remembered of graphs before is bounded.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use gobeacon_collectors::action_graph::Report;
use gobeacon_formats::Timestamp;
use gobeacon_formats::action_graph::{Action, ActionGraph, Explained, Hints, History, Lookup, Reason, is_test_run};
use gobeacon_formats::counters::Tool;

use crate::builds::build::{Telemetry, TraceId};
use crate::builds::{self, ids};

#[cfg(test)]
pub(crate) mod catalogue;
mod spans;
#[cfg(test)]
mod tests;

/// All graphs so far.
#[derive(Debug)]
pub(crate) struct Graphs {
    history: History,
    settings: builds::Settings,
}

/// What one graph tells.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    pub(crate) telemetry: Telemetry,
    pub(crate) counts: Counts,
}

/// What is counted of one graph.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Counts {
    pub(crate) trace: TraceId,
    /// When the last action was done.
    pub(crate) end: Timestamp,
    /// Actions that were looked up in the build cache; none under `-a`.
    pub(crate) lookups: u64,
    pub(crate) hits: u64,
    /// Packages that were compiled, by why.
    pub(crate) reasons: BTreeMap<Reason, usize>,
    /// Tool, seconds and CPU seconds of each action that ran.
    pub(crate) actions: Vec<(Tool, f64, Option<f64>)>,
    /// `None` where nothing ran.
    pub(crate) critical_path_seconds: Option<f64>,
}

/// A graph with all that is known of it.
struct Known<'a> {
    graph: &'a ActionGraph,
    path: &'a Path,
    observed: Timestamp,
    explained: Explained,
    counts: Counts,
    /// Numbers of the actions of the critical path.
    critical: BTreeSet<usize>,
}

impl Graphs {
    /// Nothing is remembered.
    pub(crate) fn new(settings: builds::Settings) -> Self {
        Self { history: History::default(), settings }
    }

    /// Another bound of spans from now on.
    pub(crate) fn change(&mut self, settings: &builds::Settings) {
        self.settings.max_spans_per_build = settings.max_spans_per_build;
    }

    /// Takes in a graph; `None` for one that is only to be remembered.
    pub(crate) fn apply(&mut self, report: &Report) -> Option<Told> {
        let graph: &ActionGraph = &report.graph;
        let hints = Hints { targets: report.targets.clone(), ..Hints::default() };
        let explained = self.history.explain(graph, &hints);
        let (start, end) = graph.start().zip(graph.done())?;
        if report.before {
            return None;
        }
        let path = report.path.to_string_lossy();
        let trace = ids::trace_of_graph(&self.settings.host_id, &path, start.as_nanos());
        let critical = graph.critical();
        let counts = Counts {
            trace,
            end,
            critical_path_seconds: (!critical.is_empty()).then(|| critical.iter().map(|(_, it)| it.seconds()).sum()),
            ..count(graph, &explained, trace, end)
        };
        let critical = critical.into_iter().map(|(id, _)| id).collect();
        let known = Known { graph, path: &report.path, observed: report.observed, explained, counts, critical };
        let resource = Arc::new(builds::resource::of_machine(&self.settings));
        let spans = spans::spans(&known, start, self.settings.max_spans_per_build.max(1));
        let logs = spans::cache_miss(&known).into_iter().collect();
        Some(Told { telemetry: Telemetry { resource, spans, logs }, counts: known.counts })
    }
}

/// An action that is a span: it ran one of Go's tools, or a test.
fn runs(action: &Action) -> Option<Tool> {
    action.tool.filter(|_| action.executed || is_test_run(action))
}

fn count(graph: &ActionGraph, explained: &Explained, trace: TraceId, end: Timestamp) -> Counts {
    let reasons = explained.reasons();
    let of = |wanted: Lookup| graph.actions().filter(|action| action.lookup() == Some(wanted)).count() as u64;
    // with -a nothing is looked up
    let (hits, misses) =
        if reasons.contains_key(&Reason::Forced) { (0, 0) } else { (of(Lookup::Hit), of(Lookup::Miss)) };
    let actions = graph.actions().filter_map(|action| Some((runs(action)?, action.seconds(), action.cpu_seconds)));
    Counts {
        trace,
        end,
        lookups: hits + misses,
        hits,
        reasons,
        actions: actions.collect(),
        critical_path_seconds: None,
    }
}
