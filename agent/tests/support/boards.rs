//! The dashboards and rules of the repository as data, for the tests that look at them and those that ask a Prometheus.
#![allow(dead_code, reason = "each of the test programs uses a part of it")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

/// One dashboard: its file name without `.json`, and what is in it.
pub(crate) struct Board {
    pub(crate) name: String,
    pub(crate) json: Value,
}

/// One expression of a panel.
pub(crate) struct Query {
    /// `build-health, Failed, A`.
    pub(crate) place: String,
    pub(crate) expr: String,
    pub(crate) is_instant: bool,
    pub(crate) exemplar: bool,
}

#[derive(Debug, Deserialize)]
struct RuleFile {
    groups: Vec<Group>,
}

#[derive(Debug, Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

/// A recording or an alerting rule.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Rule {
    pub(crate) record: Option<String>,
    pub(crate) alert: Option<String>,
    pub(crate) expr: String,
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) annotations: BTreeMap<String, String>,
}

impl Rule {
    /// Its name, whichever it is.
    pub(crate) fn name(&self) -> &str {
        self.record.as_deref().or(self.alert.as_deref()).unwrap()
    }
}

impl Board {
    /// All panels but rows, those in collapsed rows too.
    pub(crate) fn panels(&self) -> Vec<&Value> {
        let mut found = Vec::new();
        for panel in self.json["panels"].as_array().unwrap() {
            if panel["type"] == "row" {
                found.extend(panel["panels"].as_array().unwrap());
            } else {
                found.push(panel);
            }
        }
        found
    }

    /// The expressions of a panel.
    pub(crate) fn queries(&self, panel: &Value) -> Vec<Query> {
        let targets = panel["targets"].as_array().unwrap();
        let query = |target: &Value| Query {
            place: format!("{}, {}, {}", self.name, title(panel), target["refId"].as_str().unwrap()),
            expr: target["expr"].as_str().unwrap().to_owned(),
            is_instant: target["instant"] == true,
            exemplar: target["exemplar"] == true,
        };
        targets.iter().map(query).collect()
    }

    /// The expressions of all annotations that are not Grafana's own.
    pub(crate) fn annotations(&self) -> Vec<Query> {
        let all = self.json["annotations"]["list"].as_array().unwrap();
        let ours = all.iter().filter(|it| it["builtIn"] != 1);
        ours.map(|it| Query {
            place: format!("{}, annotation {}", self.name, it["name"].as_str().unwrap()),
            expr: it["expr"].as_str().unwrap().to_owned(),
            is_instant: false,
            exemplar: false,
        })
        .collect()
    }

    /// The expressions of all panels.
    pub(crate) fn all_queries(&self) -> Vec<Query> {
        self.panels().into_iter().flat_map(|panel| self.queries(panel)).collect()
    }
}

pub(crate) fn title(panel: &Value) -> &str {
    panel["title"].as_str().unwrap_or_default()
}

/// A path in the repository.
pub(crate) fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(path)
}

/// All dashboards.
pub(crate) fn boards() -> Vec<Board> {
    let read = |path: PathBuf| Board {
        name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
        json: serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap(),
    };
    let boards: Vec<_> = files("dashboards/grafana", "json").into_iter().map(read).collect();
    assert!(boards.len() >= 5, "{} dashboards", boards.len());
    boards
}

/// All recording rules.
pub(crate) fn recording_rules() -> Vec<Rule> {
    rules("dashboards/rules")
}

/// All alerting rules; a name may stand more than once.
pub(crate) fn alerting_rules() -> Vec<Rule> {
    rules("dashboards/alerts")
}

fn rules(folder: &str) -> Vec<Rule> {
    let mut all = Vec::new();
    for path in files(folder, "yaml") {
        let file: RuleFile = serde_saphyr::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        all.extend(file.groups.into_iter().flat_map(|group| group.rules));
    }
    assert!(all.len() > 10, "{} rules in {folder}", all.len());
    all
}

/// The files of a folder with this extension, by name.
pub(crate) fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = entries.filter(|path| path.extension().is_some_and(|it| it == extension)).collect();
    found.sort();
    found
}

/// Puts values in the place of variables, as Grafana does: `$name`, the longest names first.
pub(crate) fn substitute(expr: &str, variables: &[(&str, &str)]) -> String {
    let mut variables = variables.to_vec();
    variables.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    let mut expr = expr.to_owned();
    for (name, value) in variables {
        expr = expr.replace(&format!("${name}"), value);
    }
    assert!(!expr.contains('$'), "a variable without a value: {expr}");
    expr
}
