//! Expressions: they parse, select what is there, and do with it what can be done with it.

use std::collections::BTreeSet;

use gobeacon_formats::{FAILURES, Severity};

use crate::boards::{self, Query};
use crate::catalogue::{Kind, metric_of};
use crate::none;
use crate::promql::{self, Known, RANGE, RATE_INTERVAL, Selection, selections, taken};

/// Panels with a time of their own in the brackets, and why.
const OWN_WINDOWS: [(&str, &str); 5] = [
    ("modules, Proxies that were passed over, A", "the window of GoProxyFallbackSpike, whose line it shows"),
    ("modules, Checksum database out of reach, A", "the window of GoSumdbUnavailable, whose line it shows"),
    ("tests, Flaky in a day, A", "the window of GoTestFlaky, whose number it shows"),
    ("tests, Flaky tests within a day, A", "the window of GoTestFlaky, whose line it shows"),
    ("agent, Errors: lost, A", "the window of GobeaconDropping, whose line it shows"),
];

/// Where a counter itself is looked at, beside its increase, and why.
const BARE_COUNTERS: [(&str, &str); 7] = [
    ("GoChecksumMismatch", "a node whose first scrape shows the mismatch has no increase"),
    ("GoModuleCacheCorrupt", "a node whose first scrape shows the damage has no increase"),
    ("GoProxyFallbackSpike", "a host that is new has no increase"),
    ("cluster_job:gobuild_module_download_failures_supply:increase15m", "a host that is new has no increase"),
    ("modules, Downloads that failed, A", "a host that is new has no increase"),
    ("modules, Proxies that were passed over, A", "a host that is new has no increase"),
    ("modules, Failed downloads by host, A", "a host that is new has no increase"),
];

fn all_queries() -> Vec<Query> {
    boards::boards().iter().flat_map(boards::Board::all_queries).collect()
}

#[test]
fn every_expression_parses_and_uses_only_metrics_labels_and_values_that_there_are() {
    let known = Known::new();
    let mut offenders = Vec::new();
    let (mut panels, mut rules) = (0, 0);
    let boards = boards::boards();
    let annotations = boards.iter().flat_map(boards::Board::annotations);
    for query in boards.iter().flat_map(boards::Board::all_queries).chain(annotations) {
        panels += 1;
        let checked = promql::parse_panel(&query.expr).and_then(|expr| known.labels_of(&expr));
        offenders.extend(checked.err().map(|why| format!("{}: {why}", query.place)));
    }
    for rule in boards::recording_rules().iter().chain(&boards::alerting_rules()) {
        rules += 1;
        let checked = promql::parse(&rule.expr).and_then(|expr| known.labels_of(&expr));
        offenders.extend(checked.err().map(|why| format!("{}: {why}", rule.name())));
    }
    none(&offenders, "expressions that cannot be answered");
    assert!(panels > 100 && rules > 30, "{panels} expressions of panels, {rules} rules");
}

#[test]
fn counters_stand_within_rate_or_increase_and_histograms_are_asked_by_their_buckets() {
    let known = Known::new();
    let mut offenders = Vec::new();
    let mut excused = BTreeSet::new();
    let mut check = |place: &str, selection: &Selection<'_>| {
        let Some(metric) = metric_of(&known.metrics, selection.name) else { return };
        if let Some((excuse, _)) = BARE_COUNTERS.iter().find(|(it, _)| *it == place) {
            excused.insert(*excuse);
            return;
        }
        let is_rated = selection.function.is_some_and(|it| ["rate", "increase"].contains(&it));
        match metric.kind {
            Kind::Counter | Kind::Histogram if !is_rated => {
                offenders.push(format!("{place}: {} is a counter", selection.name));
            }
            Kind::Gauge if is_rated => offenders.push(format!("{place}: {} is a gauge", selection.name)),
            Kind::Counter | Kind::Histogram | Kind::Gauge => {}
        }
    };
    for query in all_queries() {
        let expr = promql::parse_panel(&query.expr).unwrap();
        selections(&expr).iter().for_each(|selection| check(&query.place, selection));
    }
    for rule in boards::recording_rules().iter().chain(&boards::alerting_rules()) {
        let expr = promql::parse(&rule.expr).unwrap();
        selections(&expr).iter().for_each(|selection| check(rule.name(), selection));
    }
    assert_eq!(excused.len(), BARE_COUNTERS.len(), "an exception that none needs: {excused:?}");
    none(&offenders, "what counts up says nothing by itself, and what goes up and down has no rate");
}

#[test]
fn panels_look_over_the_interval_of_grafana_and_numbers_over_the_time_that_is_shown() {
    let mut offenders = Vec::new();
    let mut excused = BTreeSet::new();
    for query in all_queries() {
        let expr = promql::parse_panel(&query.expr).unwrap();
        for selection in selections(&expr) {
            // what was the last or the largest of a time is no rate
            let is_rate = selection.function.is_some_and(|it| ["rate", "increase"].contains(&it));
            let Some(range) = selection.range.filter(|_| is_rate) else { continue };
            let right = if query.is_instant { RANGE } else { RATE_INTERVAL };
            if range == right {
                continue;
            }
            match OWN_WINDOWS.iter().find(|(place, _)| *place == query.place) {
                Some((place, _)) => _ = excused.insert(place),
                None => offenders.push(format!("{}: {:?} of {}", query.place, range, selection.name)),
            }
        }
    }
    none(&offenders, "[$__rate_interval] in graphs, [$__range] in numbers and tables");
    assert_eq!(excused.len(), OWN_WINDOWS.len(), "an exception that none needs: {excused:?}");
}

#[test]
fn every_selection_of_a_panel_is_narrowed_by_the_variables() {
    let known = Known::new();
    let mut offenders = Vec::new();
    for query in all_queries() {
        let expr = promql::parse_panel(&query.expr).unwrap();
        for selection in selections(&expr) {
            let there = known.labels_of_series(selection.name).unwrap_or_default();
            // alerts may have no node: they are narrowed to cluster and job
            let wanted = ["cluster", "job", "instance"].into_iter().filter(|it| there.contains(*it));
            // what has been an agent is compared with what is narrowed
            let joined = query.place.starts_with("agent, Do not answer") && selection.name == "gobeacon_build_info";
            for label in wanted.filter(|it| !joined && (selection.name != "ALERTS" || *it != "instance")) {
                let value = format!("${label}");
                let is_narrowed = selection.matchers.iter().any(|it| it.name == label && it.value == value);
                if !is_narrowed {
                    offenders.push(format!("{}: {} lacks {label}=~\"{value}\"", query.place, selection.name));
                }
            }
        }
    }
    none(&offenders, "who chooses a cluster, job or node sees nothing else");
}

#[test]
fn the_name_of_a_recording_rule_says_its_labels_and_what_it_is_made_of() {
    let known = Known::new();
    let mut offenders = Vec::new();
    for rule in boards::recording_rules() {
        let expr = promql::parse(&rule.expr).unwrap();
        let labels: Vec<_> = known.labels_of(&expr).unwrap().into_iter().collect();
        let mut parts = rule.name().split(':');
        let (level, metric) = (parts.next().unwrap(), parts.next().unwrap_or_default());
        let mut named: Vec<_> = level.split('_').map(str::to_owned).collect();
        named.sort();
        if named != labels || parts.count() != 1 {
            offenders.push(format!("{} has the labels {labels:?}", rule.name()));
        }
        let of_parts = |selected: &str| {
            let own = selected.split(':').nth(1).unwrap_or(selected);
            own.starts_with("gobuild_")
                && (own.starts_with(metric) || metric.starts_with(own.trim_end_matches("_total")))
        };
        if !selections(&expr).iter().any(|it| of_parts(it.name)) {
            offenders.push(format!("{} is not made of {metric}", rule.name()));
        }
    }
    none(&offenders, "level:metric:operations");
}

#[test]
fn failures_that_are_not_in_the_code_are_those_of_severity_warning_and_critical() {
    // a failure of which nothing is known may well be in the code
    let wanted: Vec<_> =
        FAILURES.iter().filter(|row| row.severity != Severity::Info && row.id != "unknown").map(|row| row.id).collect();
    let all: Vec<_> = FAILURES.iter().map(|row| row.id).collect();
    let mut seen = 0;
    let rules: Vec<_> = boards::recording_rules().into_iter().map(|rule| (rule.name().to_owned(), rule.expr)).collect();
    for (place, expr) in all_queries().into_iter().map(|query| (query.place, query.expr)).chain(rules) {
        let expr = promql::parse_panel(&expr).unwrap();
        for selection in selections(&expr).iter().filter(|it| it.name == "gobuild_command_failures_total") {
            for matcher in selection.matchers.iter().filter(|it| it.name == "class") {
                seen += 1;
                assert_eq!(taken(matcher, &all), wanted, "{place}");
            }
        }
    }
    assert!(seen >= 3, "the dashboards and the rules tell these failures apart: {seen}");
}
