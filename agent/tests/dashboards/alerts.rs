//! Alerts: each says what it means, who is told and what to do, and is tested both ways.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::boards::{self, Rule};
use crate::catalogue::{self, Kind, metric_of};
use crate::none;
use crate::promql::{self, selections};

const HOME: &str = "https://github.com/gobeacon/gobeacon/blob/main/docs/runbooks/";

/// Every alert there is; the names are what people route and silence by.
const ALERTS: [&str; 21] = [
    "GoBuildCacheHitRatioDrop",
    "GoBuildFailureBudgetBurn",
    "GoBuildSlow",
    "GoCacheDiskNearlyFull",
    "GoChecksumMismatch",
    "GoChecksumMismatchSpike",
    "GoModuleCacheCorrupt",
    "GoModuleDownloadStalled",
    "GoModuleHashConflict",
    "GoProxyErrors",
    "GoProxyFallbackSpike",
    "GoRedundantDownloads",
    "GoStdlibRecompiling",
    "GoSumdbUnavailable",
    "GoTestFlaky",
    "GobeaconAbsent",
    "GobeaconCollectorDown",
    "GobeaconDown",
    "GobeaconDropping",
    "GobeaconLagging",
    "GobeaconNotDelivering",
];

fn names() -> BTreeSet<String> {
    boards::alerting_rules().iter().map(|rule| rule.name().to_owned()).collect()
}

#[test]
fn every_alert_has_a_summary_a_description_a_runbook_a_severity_and_an_area() {
    let mut offenders = Vec::new();
    for Rule { alert, labels, annotations, .. } in boards::alerting_rules() {
        let name = alert.unwrap();
        let mut wrong = |what: &str| offenders.push(format!("{name}: {what}"));
        let text = |name: &str| annotations.get(name).map(String::as_str).unwrap_or_default();
        if text("summary").is_empty() || text("summary").contains("{{") || text("summary").len() > 80 {
            wrong("a summary that is short and always the same");
        }
        if text("description").len() < 50 {
            wrong("a description");
        }
        if text("runbook_url") != format!("{HOME}{name}.md") {
            wrong("runbook_url");
        }
        if !["critical", "warning", "info"].contains(&labels.get("severity").map(String::as_str).unwrap_or_default()) {
            wrong("severity");
        }
        let areas = ["integrity", "supply", "build", "cache", "test", "agent"];
        if !areas.contains(&labels.get("area").map(String::as_str).unwrap_or_default()) {
            wrong("area");
        }
        if labels.values().any(|value| value.contains("{{")) {
            wrong("labels that stay: one that changes makes another alert of it");
        }
    }
    none(&offenders, "every alert has");
    assert_eq!(names().iter().map(String::as_str).collect::<Vec<_>>(), ALERTS);
}

#[test]
fn every_alert_has_a_runbook_and_every_runbook_an_alert() {
    let pages: BTreeMap<_, _> = boards::files("docs/runbooks", "md")
        .into_iter()
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(path).unwrap()))
        .collect();
    assert_eq!(pages.keys().cloned().collect::<BTreeSet<_>>(), names());
    for (name, page) in &pages {
        assert!(page.starts_with(&format!("# {name}\n")), "{name}");
        let headings: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(headings, ["Meaning", "Impact", "Diagnosis", "What to do"], "{name}");
        let rules: Vec<_> = boards::alerting_rules().into_iter().filter(|rule| rule.name() == name).collect();
        let said = page.lines().find_map(|line| line.strip_prefix("Severity: ")).unwrap_or_default();
        for rule in rules {
            assert!(
                said.contains(&rule.labels["severity"]),
                "{name} is {}, the page says {said}",
                rule.labels["severity"]
            );
        }
    }
}

#[test]
fn a_gauge_is_looked_at_over_time_so_that_one_scrape_neither_fires_nor_ends_an_alert() {
    let metrics = catalogue::metrics();
    let mut offenders = Vec::new();
    for rule in boards::alerting_rules() {
        let expr = promql::parse(&rule.expr).unwrap();
        for selection in selections(&expr) {
            let is_gauge =
                selection.name == "up" || metric_of(&metrics, selection.name).is_some_and(|it| it.kind == Kind::Gauge);
            if is_gauge && !selection.function.is_some_and(|it| it.ends_with("_over_time")) {
                offenders.push(format!("{}: {}", rule.name(), selection.name));
            }
        }
    }
    none(&offenders, "max_over_time and the like around gauges");
}

#[test]
fn each_window_of_the_budget_has_a_short_one_and_a_floor_on_the_number_of_commands() {
    let burn: Vec<_> =
        boards::alerting_rules().into_iter().filter(|rule| rule.name() == "GoBuildFailureBudgetBurn").collect();
    let windows = [("1h", "5m", 14.4), ("6h", "30m", 6.0), ("1d", "2h", 3.0), ("3d", "6h", 1.0)];
    assert_eq!(burn.len(), windows.len());
    for (rule, (long, short, times)) in burn.iter().zip(windows) {
        assert_eq!(rule.labels["window"], long);
        let expr = promql::parse(&rule.expr).unwrap();
        let [share, same, floor] = promql::compared_with(&expr)[..] else { panic!("{}", rule.expr) };
        // a hundredth of the commands may fail
        assert!((share - times * 0.01).abs() < 1e-9 && share == same, "{}", rule.expr);
        assert!(floor >= 20.0, "{}", rule.expr);
        let names: Vec<_> = selections(&expr).iter().map(|it| it.name.to_owned()).collect();
        let ratio = |window| format!("cluster_job:gobuild_command_failures_infrastructure:ratio{window}");
        assert_eq!(names, [ratio(long), ratio(short), "cluster_job:gobuild_commands:rate5m".to_owned()]);
        // the sum of what was counted in steps of half a minute, however much of the window there is
        assert!(rule.expr.contains(&format!("rate5m[{long}:30s]) * 30 >= ")), "{}", rule.expr);
    }
}

#[derive(Deserialize)]
struct TestFile {
    tests: Vec<Scenario>,
}

#[derive(Deserialize)]
struct Scenario {
    #[serde(default)]
    alert_rule_test: Vec<Expected>,
}

#[derive(Deserialize)]
struct Expected {
    alertname: String,
    #[serde(default)]
    exp_alerts: Vec<serde_json::Value>,
}

#[test]
fn every_alert_fires_in_a_test_of_promtool_with_its_annotations_and_is_silent_in_another() {
    let (mut fires, mut silent) = (BTreeSet::new(), BTreeSet::new());
    for path in boards::files("dashboards/tests", "yaml") {
        let file: TestFile = serde_saphyr::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        for scenario in &file.tests {
            let mut fired_here = BTreeSet::new();
            for expected in scenario.alert_rule_test.iter().filter(|it| !it.exp_alerts.is_empty()) {
                fired_here.insert(expected.alertname.clone());
                for alert in &expected.exp_alerts {
                    let annotations = &alert["exp_annotations"];
                    assert!(annotations["description"].is_string(), "{}: exact annotations", expected.alertname);
                }
            }
            let of_here = scenario.alert_rule_test.iter().map(|it| it.alertname.clone());
            silent.extend(of_here.filter(|name| !fired_here.contains(name)));
            fires.extend(fired_here);
        }
    }
    assert_eq!(fires, names(), "each fires in a scenario");
    assert_eq!(silent, names(), "each is silent in another");
}
