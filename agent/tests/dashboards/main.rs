//! Dashboards, rules, alerts and runbooks, held to what the agent measures and to each other.
//!
//! Each expression is parsed; metrics, labels and label values are compared with the catalogue as the reference page has
//! it, which the program writes. The rules that a linter of dashboards would check stand here as tests, with every
//! exception and its reason. Whether the expressions have data is for the end-to-end tests.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod alerts;
#[path = "../support/boards.rs"]
mod boards;
mod catalogue;
mod coverage;
mod expressions;
mod panels;
mod promql;

/// Fails with all offenders at once, one a line.
#[track_caller]
fn none(offenders: &[String], rule: &str) {
    assert!(offenders.is_empty(), "{rule}\n  {}", offenders.join("\n  "));
}
