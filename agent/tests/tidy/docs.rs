//! Documents: links lead somewhere, decisions are numbered, an invariant is held by a test that exists.

use std::path::Path;

use crate::{none, tree};

#[test]
fn every_relative_link_leads_to_a_file() {
    let mut offenders = Vec::new();
    for file in tree::texts().iter().filter(|file| file.has_extension("md")) {
        let folder = Path::new(&file.path).parent().unwrap();
        for (n, target) in links(&file.text) {
            let path = target.split('#').next().unwrap();
            if !path.is_empty() && !tree::root().join(folder).join(path).exists() {
                offenders.push(format!("{}:{n}: {target}", file.path));
            }
        }
    }
    none(&offenders, "links that lead nowhere");
}

#[test]
fn every_anchor_of_a_link_is_a_heading() {
    let mut offenders = Vec::new();
    for file in tree::texts().iter().filter(|file| file.has_extension("md")) {
        let folder = Path::new(&file.path).parent().unwrap();
        for (n, target) in links(&file.text) {
            let Some((path, anchor)) = target.split_once('#') else { continue };
            let page = match path {
                "" => file.text.clone(),
                path => std::fs::read_to_string(tree::root().join(folder).join(path)).unwrap_or_default(),
            };
            if !page.lines().filter(|line| line.starts_with('#')).any(|line| slug(line) == anchor) {
                offenders.push(format!("{}:{n}: {target}", file.path));
            }
        }
    }
    none(&offenders, "anchors that are no heading");
}

#[test]
fn every_invariant_of_the_architecture_is_held_by_a_test_that_exists() {
    let text = tree::read("docs/ARCHITECTURE.md");
    let mut offenders = Vec::new();
    let mut held = 0;
    // an invariant goes on until the next one or the next heading
    for part in text.split("**Invariant:**").skip(1) {
        let invariant = part.split("\n#").next().unwrap();
        let named: Vec<_> = tests_named_in(invariant).collect();
        if named.is_empty() {
            offenders.push(format!("no test is named for: {}", invariant.trim().lines().next().unwrap()));
        }
        for (path, test) in named {
            held += 1;
            let source = std::fs::read_to_string(tree::root().join(path)).unwrap_or_default();
            if !source.contains(&format!("fn {test}(")) && !source.contains(&format!("def {test}(")) {
                offenders.push(format!("{path} has no `fn {test}` or `def {test}`"));
            }
        }
    }
    none(&offenders, "docs/ARCHITECTURE.md promises what no test holds");
    assert!(held >= 5, "only {held} invariants were found: the reader of the page is broken");
}

#[test]
fn every_decision_has_a_number_of_its_own_and_says_context_decision_and_consequences() {
    let mut offenders = Vec::new();
    let mut numbers = Vec::new();
    for file in tree::texts().iter().filter(|file| file.path.starts_with("docs/adr/")) {
        let name = file.path.trim_start_matches("docs/adr/");
        let Some(number) = name.get(..4).and_then(|it| it.parse::<u32>().ok()).filter(|_| name.ends_with(".md")) else {
            offenders.push(format!("{}: call it NNNN-what-was-decided.md", file.path));
            continue;
        };
        numbers.push(number);
        for heading in ["Context", "Decision", "Consequences"] {
            if !file.text.lines().any(|line| line.starts_with("## ") && line.contains(heading)) {
                offenders.push(format!("{}: no heading `## {heading}`", file.path));
            }
        }
    }
    none(&offenders, "decisions are recorded as docs/adr/0001-record-decisions.md says");
    numbers.sort_unstable();
    let mut expected = numbers.clone();
    expected.dedup();
    assert_eq!(numbers, expected, "each number stands for one decision");
}

#[test]
fn every_page_stands_in_the_summary_of_the_book_once_and_every_decision_among_the_decisions() {
    let summary = tree::read("docs/SUMMARY.md");
    let listed: Vec<_> = links(&summary).into_iter().map(|(_, target)| format!("docs/{target}")).collect();
    let decisions = tree::read("docs/explanation/decisions.md");
    let mut offenders = Vec::new();
    for file in tree::texts().iter().filter(|it| it.path.starts_with("docs/") && it.has_extension("md")) {
        let times = listed.iter().filter(|it| **it == file.path).count();
        if times != 1 && file.path != "docs/SUMMARY.md" {
            offenders.push(format!("{} stands {times} times in docs/SUMMARY.md", file.path));
        }
        let name = file.path.trim_start_matches("docs/");
        if name.starts_with("adr/") && !decisions.contains(name) {
            offenders.push(format!("{} is not in docs/explanation/decisions.md", file.path));
        }
    }
    none(&offenders, "a page that is in no list is found by nobody");
    assert!(listed.len() > 40, "only {} pages were found: the reader of the summary is broken", listed.len());
}

#[test]
fn the_readme_names_the_test_command_and_ci_calls_it() {
    assert!(tree::read("README.md").lines().any(|line| line.trim() == ".ci/test"));
    assert!(tree::read(".ci/run").contains("/test\""));
}

/// Targets of `](...)` that are no URL, with their lines; code is passed over.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (n, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        // what is between backticks is code
        for prose in line.split('`').step_by(2) {
            for part in prose.split("](").skip(1) {
                let target = part.split(')').next().unwrap();
                if !target.contains("://") && !target.starts_with("mailto:") {
                    found.push((n + 1, target));
                }
            }
        }
    }
    found
}

/// The anchor that a heading gets.
fn slug(heading: &str) -> String {
    heading
        .trim_start_matches('#')
        .trim()
        .to_lowercase()
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
            _ => None,
        })
        .collect()
}

/// Every `path.rs::test` between backticks, as the path and the name of the test.
fn tests_named_in(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let code = text.split('`').skip(1).step_by(2);
    code.filter_map(|code| code.rsplit_once("::")).filter(|(path, _)| path.ends_with(".rs") || path.ends_with(".py"))
}
