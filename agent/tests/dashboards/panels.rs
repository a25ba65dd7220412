//! Dashboards and panels: what a linter of dashboards asks for, and what ours promise besides.

use std::collections::{BTreeMap, BTreeSet};

use promql_parser::parser::Expr;
use serde_json::{Value, json};

use crate::boards::{self, Board, title};
use crate::none;
use crate::promql;

/// Panels that change their colour at a number that is no alert's, and why.
const OWN_THRESHOLDS: [(&str, &str); 3] = [
    ("Alerts", "the number of alerts that fire"),
    ("Do not answer", "the number of agents for which GobeaconDown fires"),
    ("Collectors that fail", "the number of collectors for which GobeaconCollectorDown fires"),
];

/// Histograms without exemplars.
const WITHOUT_EXEMPLARS: [&str; 1] = ["gobeacon_event_latency_seconds"];

const RUNBOOKS: &str = "https://github.com/gobeacon/gobeacon/blob/main/docs/runbooks/";

#[test]
fn every_dashboard_is_found_and_linked_alike_and_cannot_be_edited_in_place() {
    for board in boards::boards() {
        let Board { name, json } = &board;
        assert_eq!(json["uid"], format!("gobeacon-{name}"));
        assert!(json["title"].as_str().unwrap().starts_with("Go builds / "), "{name}");
        assert!(!json["description"].as_str().unwrap().is_empty(), "{name}");
        assert_eq!(json["editable"], false, "{name}: what is provisioned is changed in the repository");
        assert_eq!(json["tags"], json!(["gobeacon", "go"]), "{name}");
        assert!(json["schemaVersion"].as_u64().unwrap() >= 36, "{name}");
        let [link] = json["links"].as_array().unwrap().as_slice() else { panic!("{name}: one link to all others") };
        assert_eq!((&link["type"], &link["tags"]), (&json!("dashboards"), &json!(["gobeacon"])), "{name}");
        assert_eq!((&link["includeVars"], &link["keepTime"]), (&json!(true), &json!(true)), "{name}");
        let annotations: Vec<_> = board.annotations().into_iter().map(|it| it.expr).collect();
        assert!(annotations.iter().any(|it| it.starts_with("ALERTS{")), "{name}: {annotations:?}");
        assert!(annotations.iter().any(|it| it.contains("gobeacon_build_info")), "{name}: {annotations:?}");
    }
}

#[test]
fn variables_lead_from_one_datasource_to_cluster_job_and_node_and_several_may_be_chosen() {
    for board in boards::boards() {
        let name = &board.name;
        let variables = board.json["templating"]["list"].as_array().unwrap();
        let names: Vec<_> = variables.iter().map(|it| it["name"].as_str().unwrap()).collect();
        assert_eq!(names[..5], ["datasource", "cluster", "job", "instance", "tempo"], "{name}");
        let sources: Vec<_> =
            variables.iter().filter(|it| it["type"] == "datasource").map(|it| it["query"].as_str().unwrap()).collect();
        // the second is asked nothing: links to traces name it
        assert_eq!(sources, ["prometheus", "tempo"], "{name}");
        let mut before = vec!["datasource"];
        for variable in variables.iter().filter(|it| it["type"] == "query") {
            let it = variable["name"].as_str().unwrap();
            assert_eq!((&variable["multi"], &variable["includeAll"]), (&json!(true), &json!(true)), "{name}: {it}");
            // a Prometheus of one cluster often has no such label, and `.+` would leave out all that it has
            let everything = if it == "cluster" { ".*" } else { ".+" };
            assert_eq!(variable["allValue"], everything, "{name}: {it}");
            assert_eq!(variable["datasource"]["uid"], "${datasource}", "{name}: {it}");
            let query = variable["query"]["query"].as_str().unwrap();
            for earlier in before.iter().filter(|earlier| **earlier != "datasource") {
                assert!(query.contains(&format!("${earlier}")), "{name}: {it} is not narrowed by {earlier}: {query}");
            }
            let (selector, _) = query.trim_start_matches("label_values(").rsplit_once(", ").unwrap();
            promql::parse(selector).unwrap();
            before.push(it);
        }
    }
}

#[test]
fn every_panel_says_what_it_shows_in_which_unit_and_lies_in_the_grid() {
    let mut offenders = Vec::new();
    for board in boards::boards() {
        let mut titles = BTreeSet::new();
        let mut ids = BTreeSet::new();
        for panel in board.panels() {
            let place = format!("{}: {}", board.name, title(panel));
            let mut wrong = |what: &str| offenders.push(format!("{place}: {what}"));
            if title(panel).is_empty() || !titles.insert(title(panel)) {
                wrong("a title of its own");
            }
            if panel["description"].as_str().unwrap_or_default().len() < 10 {
                wrong("a description");
            }
            if panel["fieldConfig"]["defaults"]["unit"].as_str().unwrap_or_default().is_empty() {
                wrong("a unit");
            }
            let targets = panel["targets"].as_array().unwrap();
            if targets.is_empty() || targets.iter().chain([panel]).any(|it| it["datasource"]["uid"] != "${datasource}")
            {
                wrong("expressions, of the datasource of the variable");
            }
            if !["stat", "timeseries", "bargauge", "table"].contains(&panel["type"].as_str().unwrap()) {
                wrong("one of the kinds of panels that are drawn for review");
            }
            if !ids.insert(panel["id"].as_u64().unwrap()) {
                wrong("an id of its own");
            }
            let at = |name: &str| panel["gridPos"][name].as_u64().unwrap();
            if at("x") + at("w") > 24 || at("w") < 3 || at("h") < 3 {
                wrong("a place within the 24 columns");
            }
        }
        let overlaps = overlapping(&board);
        offenders.extend(overlaps);
    }
    none(&offenders, "every panel has");
}

/// Panels that lie on each other. What is in a collapsed row has its place only while that row is open.
fn overlapping(board: &Board) -> Vec<String> {
    let mut taken = BTreeMap::new();
    let mut found = Vec::new();
    for panel in board.json["panels"].as_array().unwrap() {
        let at = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        for cell in (at("x")..at("x") + at("w")).flat_map(|x| (at("y")..at("y") + at("h")).map(move |y| (x, y))) {
            if let Some(other) = taken.insert(cell, title(panel)) {
                found.push(format!("{}: {} lies on {other}", board.name, title(panel)));
                break;
            }
        }
    }
    found
}

#[test]
fn the_first_row_has_the_numbers_and_details_are_collapsed() {
    for board in boards::boards() {
        let panels = board.json["panels"].as_array().unwrap();
        let first: Vec<_> = panels.iter().filter(|it| it["gridPos"]["y"] == 0).collect();
        assert!(first.len() >= 5 && first.iter().all(|it| it["type"] == "stat"), "{}", board.name);
        assert_eq!(title(first[0]), "Alerts", "{}: whether somebody should do something comes first", board.name);
        let rows: Vec<_> = panels.iter().filter(|it| it["collapsed"] == true).collect();
        assert!(!rows.is_empty(), "{}: no details", board.name);
        let last_open = panels.iter().rposition(|it| it["type"] != "row").unwrap();
        let first_row = panels.iter().position(|it| it["collapsed"] == true).unwrap();
        assert!(last_open < first_row, "{}: details come last", board.name);
    }
}

#[test]
fn thresholds_are_the_numbers_of_the_alerts_whose_runbooks_the_panel_links() {
    let alerts = boards::alerting_rules();
    let numbers_of = |alert: &str| -> Vec<f64> {
        let rules: Vec<_> = alerts.iter().filter(|rule| rule.name() == alert).collect();
        assert!(!rules.is_empty(), "a panel links the runbook of {alert}, which is no alert");
        rules.iter().flat_map(|rule| promql::compared_with(&promql::parse(&rule.expr).unwrap())).collect()
    };
    let mut offenders = Vec::new();
    let mut linked = BTreeSet::new();
    for board in boards::boards() {
        for panel in board.panels() {
            let names = runbooks(panel);
            let numbers: Vec<_> = names.iter().flat_map(|name| numbers_of(name)).collect();
            let steps = thresholds(panel);
            let place = format!("{}: {}", board.name, title(panel));
            if steps.is_empty() && !names.is_empty() {
                offenders.push(format!("{place}: a runbook, and no threshold"));
            }
            if OWN_THRESHOLDS.iter().any(|(own, _)| *own == title(panel)) {
                continue;
            }
            for step in steps.iter().filter(|step| !numbers.contains(step)) {
                offenders.push(format!("{place}: {step} is none of {numbers:?} of {names:?}"));
            }
            linked.extend(names);
        }
    }
    none(&offenders, "a panel changes its colour where an alert fires");
    // those of OWN_THRESHOLDS, and one that speaks where there is nothing to draw
    let unseen: Vec<_> = alerts.iter().map(|rule| rule.name()).filter(|name| !linked.contains(*name)).collect();
    assert_eq!(unseen, ["GobeaconDown", "GobeaconAbsent", "GobeaconCollectorDown"], "each other alert has its panel");
}

/// The numbers at which anything in a panel changes its colour.
fn thresholds(panel: &Value) -> Vec<f64> {
    let config = &panel["fieldConfig"];
    let overrides = config["overrides"].as_array().unwrap().iter();
    let of_overrides = overrides
        .flat_map(|it| it["properties"].as_array().unwrap())
        .filter(|it| it["id"] == "thresholds")
        .map(|it| &it["value"]["steps"]);
    let steps = [&config["defaults"]["thresholds"]["steps"]].into_iter().chain(of_overrides);
    steps.flat_map(|steps| steps.as_array().unwrap()).filter_map(|step| step["value"].as_f64()).collect()
}

/// The alerts whose runbooks a panel links.
fn runbooks(panel: &Value) -> BTreeSet<String> {
    let links = panel["links"].as_array().into_iter().flatten();
    let names = links.filter_map(|it| it["url"].as_str().unwrap().strip_prefix(RUNBOOKS)?.strip_suffix(".md"));
    names.map(str::to_owned).collect()
}

#[test]
fn links_lead_to_dashboards_variables_and_runbooks_that_there_are() {
    let boards = boards::boards();
    let variables: BTreeMap<_, Vec<_>> = boards
        .iter()
        .map(|board| {
            let list = board.json["templating"]["list"].as_array().unwrap();
            (board.name.as_str(), list.iter().map(|it| it["name"].as_str().unwrap()).collect())
        })
        .collect();
    let (mut drills, mut traces) = (0, 0);
    for board in &boards {
        for panel in board.panels() {
            for url in urls(panel) {
                let place = format!("{}, {}: {url}", board.name, title(panel));
                if let Some(rest) = url.strip_prefix("/d/gobeacon-") {
                    drills += 1;
                    let (name, query) = rest.split_once('?').unwrap();
                    let there = variables.get(name).unwrap_or_else(|| panic!("{place}: no such dashboard"));
                    for part in query.split('&').filter_map(|part| part.strip_prefix("var-")) {
                        assert!(there.contains(&part.split('=').next().unwrap()), "{place}: no such variable");
                    }
                    assert!(query.contains("${__url_time_range}"), "{place}: the time is kept");
                } else if url.starts_with("/explore?") {
                    traces += 1;
                    assert!(url.contains("${tempo}") && url.contains("${__from}"), "{place}");
                } else {
                    let page = url.strip_prefix(RUNBOOKS).unwrap_or_else(|| panic!("{place}: leads elsewhere"));
                    let exists = page.contains("${") || boards::root("docs/runbooks").join(page).is_file();
                    assert!(exists, "{place}: no such runbook");
                }
            }
        }
    }
    assert!(drills >= 10 && traces >= 8, "{drills} links to dashboards, {traces} to traces");
}

/// All URLs of a panel: of itself, of its values, of its cells.
fn urls(panel: &Value) -> Vec<&str> {
    let mut found = Vec::new();
    let mut open = vec![panel];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(map) => {
                found.extend(map.get("url").and_then(Value::as_str));
                open.extend(map.values());
            }
            Value::Array(all) => open.extend(all),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    found
}

#[test]
fn every_p95_line_asks_for_the_exemplars_that_lead_to_traces() {
    let mut offenders = Vec::new();
    let mut seen = 0;
    for board in boards::boards() {
        for query in board.all_queries().iter().filter(|query| !query.is_instant) {
            let expr = promql::parse_panel(&query.expr).unwrap();
            let mut is_p95 = false;
            promql::each(&expr, None, &mut |part, _| {
                if let Expr::Call(call) = part
                    && call.func.name == "histogram_quantile"
                    && matches!(&*call.args.args[0], Expr::NumberLiteral(number) if (number.val - 0.95).abs() < 1e-9)
                {
                    is_p95 = true;
                }
            });
            let has_them = !WITHOUT_EXEMPLARS.iter().any(|name| query.expr.contains(name));
            seen += usize::from(is_p95 && has_them);
            if query.exemplar != (is_p95 && has_them) {
                offenders.push(query.place.clone());
            }
        }
    }
    none(&offenders, "exemplars on p95 lines of histograms that have them, and nowhere else");
    assert!(seen >= 5, "{seen} lines with exemplars");
}
