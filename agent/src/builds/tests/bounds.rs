//! Logs that name more than is reasonable: state stays bounded, nothing is lost silently.

use gobeacon_formats::{CaseStatus, EventKind, Failure, FailureClass, HttpAnswer, PackageStatus};

use super::{Builds, Outcome, Seen, Settings, batch, case, check, event, package, run, second, settings, text};

/// Feeds `count` events in batches, without keeping what comes out but for the end.
fn flood(count: u64, make: impl Fn(u64) -> EventKind) -> (Seen, u64) {
    let mut builds = Builds::new(settings());
    let (mut told, mut kept) = (0, Vec::new());
    for begin in (0..count).step_by(5_000) {
        let events = (begin..(begin + 5_000).min(count)).map(|n| event(n * 50, make(n))).collect();
        let mut out = Vec::new();
        builds.apply(&batch(second(0.0), events, false), &mut out);
        told += out.iter().filter(|outcome| matches!(outcome, Outcome::Download { .. })).count() as u64;
        kept.extend(out.into_iter().filter(|outcome| matches!(outcome, Outcome::Telemetry(_))));
    }
    builds.finish(second(1.0), &mut kept);
    (Seen::of(kept), told)
}

#[test]
fn a_million_distinct_modules_are_all_told_and_held_within_bounds() {
    let (seen, told) = flood(1_000_000, |n| EventKind::ModuleDownload {
        module: format!("example.com/m{n}"),
        version: "v1.0.0".to_owned(),
    });
    check(&seen.spans, 2_000).unwrap();
    let summary = &seen.summaries[0];
    assert_eq!((told, summary.downloads_total), (1_000_000, 1_000_000));
    assert_eq!(seen.named("module download").len() as u64 + summary.folded.downloads, 1_000_000);
    assert!(summary.downloads.len() < 1_000);
}

#[test]
fn packages_that_open_and_never_close_are_given_up_oldest_first() {
    let (seen, _) = flood(30_000, |n| case(&format!("p{n}"), "TestA", CaseStatus::Pass, 1.0));
    check(&seen.spans, 2_000).unwrap();
    let summary = &seen.summaries[0];
    assert_eq!(summary.packages.unfinished, 30_000);
    assert_eq!(seen.named("test").len() as u64 + summary.folded.tests, 30_000);
    assert_eq!(seen.named("test package").len() as u64 + summary.folded.packages, 30_000);
}

#[test]
fn of_fifty_thousand_tests_the_failed_and_the_longest_keep_their_spans() {
    let name = |n: u64| format!("Test{n}");
    let mut events: Vec<_> = (0..50_000_u64)
        .map(|n| {
            let status = if n % 1_000 == 500 { CaseStatus::Fail } else { CaseStatus::Pass };
            event(n * 50, case("p", &name(n), status, if n % 1_000 == 7 { 30.0 } else { 0.01 }))
        })
        .collect();
    events.push(event(3_000_000, package("p", PackageStatus::Fail, 60.0)));
    let seen = run(settings(), events);
    check(&seen.spans, 2_000).unwrap();
    assert_eq!(seen.spans.len(), 2_000);
    for n in (0..50_000).filter(|n| n % 1_000 == 500 || n % 1_000 == 7) {
        assert!(seen.with("test.case.name", &name(n)).is_some(), "{}", name(n));
    }
    assert_eq!(seen.summaries[0].folded.tests, 50_000 - 1_998);
    assert_eq!(seen.summaries[0].tests.passed + seen.summaries[0].tests.failed, 50_000);
}

#[test]
fn of_ten_thousand_packages_the_failed_and_the_longest_keep_their_spans() {
    let mut events = Vec::new();
    for n in 0..10_000_u64 {
        let (status, seconds) = match n {
            9_000 => (PackageStatus::Fail, 0.1),
            9_500 => (PackageStatus::Pass, 300.0),
            _ => (PackageStatus::Pass, 0.1),
        };
        events.push(event(n * 100, case(&format!("p{n}"), "TestA", CaseStatus::Pass, seconds / 2.0)));
        events.push(event(n * 100 + 50, package(&format!("p{n}"), status, seconds)));
    }
    let seen = run(settings(), events);
    check(&seen.spans, 2_000).unwrap();
    assert!(seen.with("gobuild.package.import_path", "p9000").is_some());
    assert!(seen.with("gobuild.package.import_path", "p9500").is_some());
    assert_eq!(seen.summaries[0].slowest_packages[0].package.as_deref(), Some("p9500"));
}

#[test]
fn tests_that_take_ever_longer_displace_those_that_were_chosen_before() {
    let (name, mut events) = (|n: u64| format!("Test{n}"), Vec::new());
    for n in 0..8_000_u64 {
        let (of, seconds) = (format!("p{n}"), 1.0 + n as f64 / 100.0);
        events.push(event(n * 300, case(&of, &name(n), CaseStatus::Pass, seconds)));
        events.push(event(n * 300 + 100, case(&of, "TestShort", CaseStatus::Pass, 0.01)));
        events.push(event(n * 300 + 200, package(&of, PackageStatus::Pass, seconds)));
    }
    let seen = run(settings(), events);
    check(&seen.spans, 2_000).unwrap();
    assert_eq!(seen.spans.len(), 2_000);
    for n in 7_600..8_000 {
        assert!(seen.with("test.case.name", &name(n)).is_some(), "{}", name(n));
    }
    let folded = &seen.summaries[0].folded;
    assert_eq!(seen.named("test").len() as u64 + folded.tests, 16_000);
    assert_eq!(seen.named("test package").len() as u64 + folded.packages, 8_000);
}

#[test]
fn of_many_requests_the_refused_ones_keep_their_spans() {
    let (seen, _) = flood(20_000, |n| EventKind::HttpRequest {
        url: format!("https://proxy.example/example.com/m{n}/@v/list"),
        answer: HttpAnswer::Answered { status: if n == 15_000 { 500 } else { 200 }, duration_seconds: 0.1 },
    });
    check(&seen.spans, 2_000).unwrap();
    assert_eq!(seen.spans.iter().filter(|span| text(span, "error.type").is_some()).count(), 1);
    assert_eq!(seen.named("GET").len() as u64 + seen.summaries[0].folded.requests, 20_000);
}

#[test]
fn endless_failures_are_all_counted_and_the_records_of_a_build_are_bounded() {
    let (seen, _) = flood(5_000, |n| {
        EventKind::Failure(Box::new(Failure {
            package: Some(format!("p{n}")),
            message: Some("x".repeat(20_000)),
            ..Failure::new(FailureClass::CompileError)
        }))
    });
    let summary = &seen.summaries[0];
    assert_eq!(summary.failure_counts[0].count, 5_000);
    assert_eq!(seen.logs.len() as u64 + summary.folded.records, 5_000);
    assert!(seen.logs.len() <= 1_000 && format!("{summary:?}").len() < 1_000_000);
}

#[test]
fn texts_of_a_megabyte_are_cut_in_spans_records_and_summaries() {
    let long = "é".repeat(500_000);
    let seen = run(
        Settings { max_open_builds: 1, ..settings() },
        vec![
            event(0, EventKind::CommandStarted { command: format!("go test {long}") }),
            event(10, EventKind::ModuleDownload { module: long.clone(), version: long.clone() }),
            event(20, case(&long, &long, CaseStatus::Fail, 1.0)),
            event(30, package(&long, PackageStatus::Fail, 1.0)),
        ],
    );
    check(&seen.spans, 2_000).unwrap();
    assert!(format!("{:?}{:?}{:?}", seen.spans, seen.logs, seen.summaries).len() < 60_000);
}
