//! Real graphs of several Go versions, as spans and counts.

use std::collections::BTreeMap;

use super::catalogue::{EVENTS, SPANS};
use super::*;
use crate::builds::build::{Span, Value};
use crate::builds::catalogue::known;

/// One of the graphs that the parser is tested with.
fn report(version: &str, build: &str) -> Report {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../collectors/formats/testdata/graphs");
    let path = Path::new(folder).join(version).join(build).with_extension("json");
    let graph = ActionGraph::parse(&std::fs::read(&path).unwrap()).unwrap();
    let path = Path::new("/graphs").join(build);
    Report { path, observed: graph.done().unwrap(), graph: Arc::new(graph), targets: Vec::new(), before: false }
}

fn graphs(max_spans_per_build: usize) -> Graphs {
    let host_name = Some("ci-1".to_owned());
    Graphs::new(builds::Settings { max_spans_per_build, host_name, ..builds::Settings::default() })
}

fn attribute<'a>(span: &'a Span, name: &str) -> Option<&'a Value> {
    span.attributes.iter().find(|(it, _)| *it == name).map(|(_, value)| value)
}

#[track_caller]
fn check_tree(spans: &[Span], most: usize) {
    let root = spans.last().unwrap();
    assert!(spans.len() <= most && root.parent.is_none());
    let ids: BTreeSet<_> = spans.iter().map(|span| span.span_id).collect();
    assert_eq!(ids.len(), spans.len());
    for span in spans {
        assert!(span.start <= span.end && root.start <= span.start && span.end <= root.end, "{span:?}");
        assert!(span.trace_id == root.trace_id && (span.parent.is_none() || span.parent == Some(root.span_id)));
    }
}

#[test]
fn an_edited_leaf_is_three_compilations_with_their_causes_and_a_link() {
    for version in ["1.22", "1.24", "1.26", "1.27"] {
        let mut graphs = graphs(2_000);
        let cold = graphs.apply(&report(version, "cold")).unwrap();
        check_tree(&cold.telemetry.spans, 2_000);
        assert_eq!((cold.counts.hits, cold.counts.lookups), (0, cold.telemetry.spans.len() as u64 - 1));
        let told = graphs.apply(&report(version, "leaf")).unwrap();
        let spans = &told.telemetry.spans;
        check_tree(spans, 2_000);
        let mut why: Vec<_> =
            spans.iter().filter_map(|it| Some((it, attribute(it, "gobuild.action.miss_reason")?))).collect();
        why.sort_by_key(|(span, _)| span.start);
        let why: Vec<_> =
            why.iter().map(|(span, why)| (attribute(span, "gobuild.package.import_path").unwrap(), *why)).collect();
        let text = |text: &'static str| Value::Str(text.into());
        assert_eq!(why.first().unwrap(), &(&text("example.com/app/leaf"), &text("source")));
        assert!(why.len() == 3 && why.iter().skip(1).all(|(_, why)| **why == text("dependency")), "{why:?}");
        assert_eq!(spans.iter().filter(|it| it.name == "link").count(), 1);
        assert_eq!(told.counts.lookups - told.counts.hits, 4);
        let on_path = spans.iter().filter(|it| attribute(it, "gobuild.action.on_critical_path").is_some()).count();
        assert_eq!(on_path, report(version, "leaf").graph.critical_path().len());
        let [event] = &told.telemetry.logs[..] else { panic!("{:?}", told.telemetry.logs) };
        assert_eq!(
            event.body,
            "3 packages were compiled: 1 source, 2 dependency; it began with example.com/app/leaf (source, 2 others)"
        );
        assert_eq!(graphs.apply(&report(version, "warm")).unwrap().telemetry.logs, []);
    }
}

#[test]
fn what_was_there_before_is_compared_with_and_not_told() {
    let mut graphs = graphs(2_000);
    assert_eq!(graphs.apply(&Report { before: true, ..report("1.27", "cold") }), None);
    let told = graphs.apply(&report("1.27", "leaf")).unwrap();
    assert_eq!(told.counts.reasons, BTreeMap::from([(Reason::Source, 1), (Reason::Dependency, 2)]));
}

#[test]
fn beyond_the_limit_failures_the_critical_path_and_the_longest_stay_and_the_rest_is_counted() {
    for (build, limit) in [("broken", 2), ("test", 20), ("cold", 8)] {
        let all = graphs(2_000).apply(&report("1.27", build)).unwrap().telemetry.spans;
        let kept = graphs(limit).apply(&report("1.27", build)).unwrap().telemetry.spans;
        check_tree(&kept, limit);
        let folded = all.len() - kept.len();
        let counted = attribute(kept.last().unwrap(), "gobuild.folded.actions");
        assert_eq!(counted, (folded > 0).then_some(&Value::Int(folded as i64)));
        assert_eq!(
            all.iter().filter(|it| it.error.is_some()).count(),
            kept.iter().filter(|it| it.error.is_some()).count()
        );
        // derived: the same spans have the same ids
        assert!(kept.iter().all(|it| all.iter().any(|other| other.span_id == it.span_id && other.start == it.start)));
    }
}

#[test]
fn every_attribute_is_in_the_catalogue_with_its_type_and_every_row_of_it_is_seen() {
    let mut graphs = graphs(30);
    let mut reports: Vec<Report> =
        ["cold", "leaf", "gomod", "tags", "gcflags", "goamd64", "dir", "cleaned", "test", "broken", "back"]
            .map(|build| report("1.26", build))
            .to_vec();
    reports.push(report("1.27", "cold"));
    let mut forced = report("1.26", "a");
    forced.targets = forced.graph.actions().map(|it| it.target.clone()).filter(|it| !it.is_empty()).collect();
    reports.push(report("1.26", "back"));
    reports.push(forced);
    let mut seen = BTreeSet::new();
    for told in reports.iter().filter_map(|it| graphs.apply(it)) {
        for span in &told.telemetry.spans {
            let name = if span.parent.is_none() { "go SUBCOMMAND" } else { &*span.name };
            let row = SPANS.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("no row for {span:?}"));
            known(name, &span.attributes, row.attributes, &mut seen);
        }
        for record in &told.telemetry.logs {
            let row = EVENTS.iter().find(|row| row.name == record.event_name).unwrap();
            known(row.name, &record.attributes, row.attributes, &mut seen);
        }
    }
    let of_steps = |name: &str| ["compile", "link", "vet", "test run"].contains(&name);
    let rows =
        SPANS.iter().map(|row| (row.name, row.attributes)).chain(EVENTS.iter().map(|row| (row.name, row.attributes)));
    for (of, attributes) in rows {
        for attribute in attributes {
            // all kinds of action have one list: what is only of compilations is seen there
            let there = seen.contains(&format!("{of}: {}", attribute.name))
                || of_steps(of) && seen.contains(&format!("compile: {}", attribute.name));
            assert!(there, "no code sets {} of {of}", attribute.name);
        }
    }
}
