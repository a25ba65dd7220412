//! Nothing is measured for nobody: each metric stands in a dashboard or a rule.

use std::collections::BTreeSet;

use crate::boards;
use crate::catalogue::{self, metric_of};
use crate::promql::{self, selections};

/// Metrics that no dashboard and no rule asks for, and why.
const UNUSED: [(&str, &str); 0] = [];

#[test]
fn every_metric_of_the_catalogue_stands_in_a_dashboard_or_a_rule() {
    let metrics = catalogue::metrics();
    let mut used = BTreeSet::new();
    let panels = boards::boards().into_iter().flat_map(|board| board.all_queries()).map(|query| query.expr);
    let rules = boards::recording_rules().into_iter().chain(boards::alerting_rules()).map(|rule| rule.expr);
    for expr in panels.chain(rules) {
        let expr = promql::parse_panel(&expr).unwrap();
        used.extend(selections(&expr).iter().filter_map(|it| metric_of(&metrics, it.name)).map(|it| it.name.clone()));
    }
    let unused: Vec<_> = metrics.iter().map(|it| it.name.as_str()).filter(|name| !used.contains(*name)).collect();
    let excused: Vec<_> = UNUSED.iter().map(|(name, _)| *name).collect();
    assert_eq!(unused, excused, "metrics that nobody looks at");
}

#[test]
fn every_recording_rule_is_asked_for() {
    let panels = boards::boards().into_iter().flat_map(|board| board.all_queries()).map(|query| query.expr);
    let rules = boards::recording_rules().into_iter().chain(boards::alerting_rules()).map(|rule| rule.expr);
    let all: Vec<_> = panels.chain(rules).collect();
    for rule in boards::recording_rules() {
        let name = rule.name();
        let asks = |expr: &String| {
            selections(&promql::parse_panel(expr).unwrap()).iter().any(|selection| selection.name == name)
        };
        assert!(all.iter().any(asks), "nobody asks for {name}");
    }
}
