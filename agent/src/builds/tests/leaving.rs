//! A build that is open when the agent stops: left to the next life, or ended where its log is gone.

use gobeacon_collectors::{Batch, Replay};
use gobeacon_formats::{Event, EventKind};
use proptest::prelude::*;

use super::properties::{events, quick, restless};
use super::{
    Builds, Outcome, PackageStatus, Seen, attribute, batch, case, check, echo, event, package, second, source,
};
use crate::builds::build::{Span, Value};
use crate::builds::{Resumption, Will};
use crate::metrics::Metrics;

/// What a journal has of the open build.
fn remembered(builds: &Builds) -> (Resumption, Option<Will>) {
    let will = serde_json::to_string(&builds.will(source().id)).unwrap();
    (builds.resumption(source().id), serde_json::from_str(&will).unwrap())
}

fn ended() -> Batch {
    batch(second(1e6), Vec::new(), true)
}

/// A first life on these events, and the next one, which does not find the log.
fn without_its_log(before: &[Event], max_spans: usize) -> (Vec<Outcome>, Vec<Outcome>) {
    let (mut first, mut told) = (Builds::new(restless(max_spans)), Vec::new());
    first.apply(&batch(second(0.0), before.to_vec(), false), &mut told);
    first.leave(second(1.0), &mut told);
    let (what, will) = remembered(&first);
    let (mut next, mut rest) = (Builds::new(restless(max_spans)), Vec::new());
    next.resume(source(), what, will.clone());
    assert_eq!((next.resumption(source().id), next.will(source().id)), (what, will), "a third life knows the same");
    next.apply(&ended(), &mut rest);
    assert_eq!(next.will(source().id), None);
    next.apply(&ended(), &mut rest);
    next.finish(second(2.0), &mut rest);
    (told, rest)
}

#[test]
fn the_root_of_a_build_whose_log_is_gone_says_what_was_known_and_that_its_end_is_not() {
    let words = "go test ./...";
    let events = vec![
        event(0, echo(words)),
        event(9, case("a", "TestA", gobeacon_formats::CaseStatus::Fail, 0.5)),
        event(20, package("a", PackageStatus::Fail, 1.0)),
        event(30, case("b", "TestB", gobeacon_formats::CaseStatus::Pass, 0.5)),
    ];
    let (told, rest) = without_its_log(&events, 2_000);
    let (told, rest) = (Seen::of(told), Seen::of(rest));
    let root = rest.root();
    assert_eq!((rest.spans.len(), root.name.as_ref()), (1, "go test"));
    let says = |name: &str| attribute(root, name);
    assert_eq!(says("gobuild.ended_by"), Some(&Value::Str("log_gone".into())));
    assert_eq!(says("gobuild.end_known"), Some(&Value::Bool(false)));
    assert_eq!(says("process.command_args"), Some(&Value::Strs(words.split(' ').map(str::to_owned).collect())));
    assert_eq!(says("gobuild.outcome"), Some(&Value::Str("failed".into())));
    assert_eq!(says("error.type"), Some(&Value::Str("test.failed".into())));
    assert_eq!(
        (says("gobuild.tests.failed"), says("gobuild.tests.passed")),
        (Some(&Value::Int(1)), Some(&Value::Int(1)))
    );
    // `b` was never reported: it and its test have no span
    assert_eq!(says("gobuild.test_packages.unfinished"), Some(&Value::Int(1)));
    assert_eq!(
        (says("gobuild.folded.packages"), says("gobuild.folded.tests")),
        (Some(&Value::Int(1)), Some(&Value::Int(1)))
    );
    let children = told.named("test package");
    assert_eq!((children.len(), children[0].parent, children[0].trace_id), (1, Some(root.span_id), root.trace_id));
    assert!(rest.summaries.is_empty());
}

#[test]
fn a_command_that_is_lost_with_its_log_counts_as_one_that_failed_where_it_had() {
    let mut metrics = Metrics::new(second(0.0)).unwrap();
    let events = [event(0, echo("go test")), event(9, package("a", PackageStatus::Fail, 1.0))];
    let (_, rest) = without_its_log(&events, 2_000);
    rest.iter().for_each(|outcome| metrics.outcome(outcome, second(0.0)));
    let (page, _) = metrics.page(crate::metrics::Format::Text, second(0.0)).unwrap();
    for line in [
        "gobuild_commands_total{repository=\"unknown\",subcommand=\"test\"} 1",
        "gobuild_command_failures_total{class=\"unknown\",subcommand=\"test\"} 1",
    ] {
        assert!(page.lines().any(|it| it == line), "{line} is not in {page}");
    }
}

#[test]
fn what_is_in_no_journal_of_this_version_is_passed_over() {
    let will: Will = serde_json::from_str(
        r#"{"name": "go frobnicate", "class": "of.the_future", "counts": [["gobuild.of_the_future", 7]], "else": 1}"#,
    )
    .unwrap();
    let (mut builds, mut out) = (Builds::new(restless(100)), Vec::new());
    let what = Resumption { first_offset: Some(7), downloads_wait: false };
    builds.resume(source(), what, Some(will));
    builds.apply(&ended(), &mut out);
    let seen = Seen::of(out);
    let root = seen.root();
    assert_eq!((root.name.as_ref(), &root.error), ("go", &None));
    assert_eq!(attribute(root, "gobuild.of_the_future"), None);
}

proptest! {
    #![proptest_config(quick())]

    #[test]
    fn whenever_a_log_goes_every_span_has_its_parent_and_what_has_none_is_counted(
        events in events(),
        max_spans in prop_oneof![8..40_usize, Just(2_000)],
    ) {
        let (told, rest) = without_its_log(&events, max_spans);
        let lost = rest.iter().filter(|outcome| matches!(outcome, Outcome::CommandLost { .. })).count();
        let seen = Seen::of([told, rest].concat());
        prop_assert_eq!(check(&seen.spans, max_spans), Ok(()));
        let roots = seen.spans.iter().filter(|span| span.parent.is_none()).count();
        prop_assert_eq!(roots, seen.summaries.len() + lost);
        let roots = seen.spans.iter().filter(|span| span.parent.is_none());
        let folded = |root: &Span| match attribute(root, "gobuild.folded.tests") {
            Some(Value::Int(count)) => u64::try_from(*count).unwrap(),
            Some(Value::Str(_) | Value::Float(_) | Value::Bool(_) | Value::Strs(_)) | None => 0,
        };
        let folded: u64 = roots.map(folded).sum();
        let cases = events.iter().filter(|event| matches!(event.kind, EventKind::TestCase { .. })).count() as u64;
        prop_assert_eq!(seen.named("test").len() as u64 + folded, cases);
    }

    #[test]
    fn a_build_that_was_left_goes_on_in_the_next_life_as_if_nothing_had_been(events in events(), stop in 0..120_usize) {
        let (before, behind) = events.split_at(stop.min(events.len()));
        let (mut first, mut out) = (Builds::new(restless(2_000)), Vec::new());
        first.apply(&batch(second(0.0), before.to_vec(), false), &mut out);
        let (what, will) = remembered(&first);
        let (mut next, mut told_again) = (Builds::new(restless(2_000)), Vec::new());
        next.resume(source(), what, will);
        let last = Batch { replay: Replay::Last, ..batch(second(0.0), before.to_vec(), false) };
        next.replay(&last, &mut told_again);
        prop_assert!(told_again.is_empty(), "{told_again:?}");
        let mut as_it_left = Vec::new();
        first.leave(second(0.0), &mut as_it_left);
        prop_assert!(as_it_left.is_empty(), "{as_it_left:?}");
        let (mut as_before, mut again) = (Vec::new(), Vec::new());
        first.apply(&batch(second(0.0), behind.to_vec(), true), &mut as_before);
        next.apply(&batch(second(0.0), behind.to_vec(), true), &mut again);
        prop_assert_eq!(again, as_before);
    }
}
