//! What holds for every sequence of events and every way of cutting it into batches.

use gobeacon_collectors::{Batch, Replay};
use gobeacon_formats::{CaseStatus, Event, EventKind, Failure, FailureClass, HttpAnswer, PackageStatus};
use proptest::prelude::*;

use super::{
    Builds, Outcome, Seen, Settings, batch, case, check, download, echo, ids, package, second, settings, source,
};

fn status() -> impl Strategy<Value = CaseStatus> {
    prop_oneof![Just(CaseStatus::Pass), Just(CaseStatus::Fail), Just(CaseStatus::Skip)]
}

fn package_status() -> impl Strategy<Value = PackageStatus> {
    prop_oneof![
        Just(PackageStatus::Pass),
        Just(PackageStatus::Fail),
        Just(PackageStatus::NoTestFiles),
        Just(PackageStatus::BuildFailed),
        Just(PackageStatus::SetupFailed),
    ]
}

fn class() -> impl Strategy<Value = FailureClass> {
    (0..gobeacon_formats::FAILURES.len()).prop_map(|at| gobeacon_formats::FAILURES[at].class)
}

fn failure() -> impl Strategy<Value = EventKind> {
    (class(), 0..4_u8, 0..4_u8, any::<bool>()).prop_map(|(class, module, package, with_test)| {
        EventKind::Failure(Box::new(Failure {
            module: (module > 0).then(|| format!("example.com/m{module}")),
            version: (module > 0).then(|| "v1.0.0".to_owned()),
            package: (package > 0).then(|| format!("p{package}")),
            test: with_test.then(|| "T1".to_owned()),
            message: Some("reading https://u:p@proxy.example/x?y: refused".to_owned()),
            ..Failure::new(class)
        }))
    })
}

fn request() -> impl Strategy<Value = EventKind> {
    (1..4_u8, 0..5_u8, prop_oneof![Just(200_u16), Just(404), Just(500), Just(0)], 0.0..9.0_f64).prop_map(
        |(module, file, status, seconds)| {
            let file = ["@v/list", "@v/v1.0.0.info", "@v/v1.0.0.mod", "@v/v1.0.0.zip", "@latest"][usize::from(file)];
            EventKind::HttpRequest {
                url: format!("https://proxy{}.example/example.com/m{module}/{file}", status % 3),
                answer: match status {
                    0 => HttpAnswer::Failed { error: "EOF".to_owned() },
                    status => HttpAnswer::Answered { status, duration_seconds: seconds },
                },
            }
        },
    )
}

fn elapsed() -> impl Strategy<Value = f64> {
    prop_oneof![8 => 0.0..50.0_f64, 1 => Just(f64::NAN), 1 => Just(1e300), 1 => Just(-5.0)]
}

fn kind() -> impl Strategy<Value = EventKind> {
    prop_oneof![
        1 => prop_oneof![Just("go test ./..."), Just("go env"), Just("make && go build && go vet")].prop_map(echo),
        4 => (1..5_u8).prop_map(|m| download(&format!("example.com/m{m}"))),
        4 => request(),
        8 => (0..4_u8, 0..6_u8, status(), elapsed())
            .prop_map(|(p, t, status, elapsed)| case(&if p == 0 { String::new() } else { format!("p{p}") }, &format!("T{t}"), status, elapsed)),
        4 => (1..4_u8, package_status(), elapsed()).prop_map(|(p, status, elapsed)| package(&format!("p{p}"), status, elapsed)),
        4 => failure(),
        1 => (1..4_u8).prop_map(|m| EventKind::ModuleInfo {
            module: format!("example.com/m{m}"), version: Some("v1.0.0".to_owned()), sum: Some("h1:x".to_owned()), gomod_sum: None, error: None }),
        1 => Just(EventKind::ToolchainDownload { version: "go1.22.3".to_owned(), os: "linux".to_owned(), arch: "amd64".to_owned() }),
        1 => Just(EventKind::PackageCompiled { package: "p1".to_owned() }),
        1 => Just(EventKind::VcsCommand { command: "git fetch https://example.com/m1".to_owned(), duration_seconds: 1.0 }),
    ]
}

/// Events in the order of the log, each perhaps with a time stamp; here and there two are told in reverse order, as
/// the parser does with what it held.
pub(super) fn events() -> impl Strategy<Value = Vec<Event>> {
    let one = (kind(), proptest::option::weighted(0.4, 0.0..2_000.0_f64), proptest::bool::weighted(0.1));
    proptest::collection::vec(one, 1..120).prop_map(|made| {
        let mut events: Vec<_> = Vec::new();
        let mut late = Vec::new();
        for (n, (kind, time, swap)) in made.into_iter().enumerate() {
            let is_echo = matches!(kind, EventKind::CommandStarted { .. });
            events.push(Event { kind, time: time.map(second), offset: 10 * n as u64, lines: 1 });
            late.push(swap && !is_echo);
        }
        for n in 1..events.len() {
            if late[n] && late[n - 1] {
                events.swap(n - 1, n);
            }
        }
        events
    })
}

/// Feeds the events, cut after those whose number is in `cuts`.
fn cut(settings: &Settings, events: &[Event], cuts: &[usize]) -> Vec<Outcome> {
    let mut builds = Builds::new(settings.clone());
    let mut out = Vec::new();
    let mut rest = Vec::new();
    for (n, event) in events.iter().enumerate() {
        rest.push(event.clone());
        if cuts.contains(&n) {
            builds.apply(&batch(second(n as f64), std::mem::take(&mut rest), false), &mut out);
        }
    }
    builds.apply(&batch(second(3_000.0), rest, true), &mut out);
    assert_eq!(builds.open_count(), 0);
    out
}

pub(super) fn quick() -> ProptestConfig {
    ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() }
}

/// Builds that never rest, so that only echoes and the end of the log part them.
pub(super) fn restless(max_spans: usize) -> Settings {
    Settings { idle_timeout: std::time::Duration::from_secs(1_000_000), max_spans_per_build: max_spans, ..settings() }
}

proptest! {
    #![proptest_config(quick())]

    #[test]
    fn every_span_has_an_exported_parent_that_covers_it_and_ids_stand_once(
        events in events(),
        cuts in proptest::collection::vec(0..120_usize, 0..20),
        max_spans in prop_oneof![8..40_usize, Just(2_000)],
    ) {
        let settings = Settings { max_spans_per_build: max_spans, ..settings() };
        let seen = Seen::of(cut(&settings, &events, &cuts));
        prop_assert_eq!(check(&seen.spans, max_spans), Ok(()));
        prop_assert_eq!(seen.spans.iter().filter(|span| span.parent.is_none()).count(), seen.summaries.len());
    }

    #[test]
    fn cuts_change_neither_ids_nor_counts(
        events in events(),
        cuts in proptest::collection::vec(0..120_usize, 0..20),
        max_spans in prop_oneof![8..40_usize, Just(2_000)],
    ) {
        let settings = restless(max_spans);
        let (whole, pieces) = (Seen::of(cut(&settings, &events, &[])), Seen::of(cut(&settings, &events, &cuts)));
        prop_assert_eq!(&whole.outcomes, &pieces.outcomes);
        // which spans are kept may hang on how long they seemed to take, and that on when they were read
        if max_spans == 2_000 {
            prop_assert_eq!(ids(&whole.spans), ids(&pieces.spans));
        }
    }

    #[test]
    fn a_log_that_is_read_again_goes_on_as_if_nothing_had_been(
        events in events(),
        stop in 0..120_usize,
        cuts in proptest::collection::vec(0..120_usize, 0..5),
    ) {
        let (before, behind) = events.split_at(stop.min(events.len()));
        let (mut first, mut out) = (Builds::new(restless(2_000)), Vec::new());
        first.apply(&batch(second(0.0), before.to_vec(), false), &mut out);
        let resumption = first.resumption(source().id);
        let mut second_life = Builds::new(restless(2_000));
        second_life.resume(source(), resumption, None);
        let mut told_again = Vec::new();
        let mut rest = before;
        for cut in cuts {
            let (part, behind) = rest.split_at(cut.min(rest.len()));
            let part = Batch { replay: Replay::Part, ..batch(second(0.0), part.to_vec(), false) };
            second_life.replay(&part, &mut told_again);
            rest = behind;
        }
        second_life.tick(second(1e9), &mut told_again);
        let last = Batch { replay: Replay::Last, ..batch(second(0.0), rest.to_vec(), false) };
        second_life.replay(&last, &mut told_again);
        prop_assert!(told_again.is_empty(), "{told_again:?}");
        let (mut as_before, mut again) = (Vec::new(), Vec::new());
        first.apply(&batch(second(0.0), behind.to_vec(), true), &mut as_before);
        second_life.apply(&batch(second(0.0), behind.to_vec(), true), &mut again);
        prop_assert_eq!(again, as_before);
    }

    #[test]
    fn every_case_has_a_span_or_is_counted_as_folded(events in events(), max_spans in 8..60_usize) {
        let seen = Seen::of(cut(&restless(max_spans), &events, &[]));
        let cases = events.iter().filter(|event| matches!(event.kind, EventKind::TestCase { .. })).count() as u64;
        let folded: u64 = seen.summaries.iter().map(|summary| summary.folded.tests).sum();
        prop_assert_eq!(seen.named("test").len() as u64 + folded, cases);
        let told = seen.outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Download { .. })).count() as u64;
        prop_assert_eq!(seen.summaries.iter().map(|summary| summary.downloads_total).sum::<u64>(), told);
    }
}
