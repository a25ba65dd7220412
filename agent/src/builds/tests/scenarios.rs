//! One promise each, with events made by hand.

use std::time::Duration;

use gobeacon_formats::{CaseStatus, EventKind, Failure, FailureClass, HttpAnswer, PackageStatus};

use super::{
    Builds, Outcome, Seen, Settings, Value, attribute, batch, case, check, download, echo, event, package, run, second,
    settings, source, stamped, text,
};
use crate::builds::build::SpanKind;
use crate::builds::command::Subcommand;
use crate::builds::summary::{BuildOutcome, EndedBy};

fn failure(class: FailureClass, change: impl FnOnce(&mut Failure)) -> EventKind {
    let mut failure = Failure::new(class);
    change(&mut failure);
    EventKind::Failure(Box::new(failure))
}

fn request(url: &str, status: u16, seconds: f64) -> EventKind {
    let answer = HttpAnswer::Answered { status, duration_seconds: seconds };
    EventKind::HttpRequest { url: url.to_owned(), answer }
}

#[test]
fn an_echoed_test_run_becomes_a_tree_of_spans_with_the_times_of_the_log() {
    let seen = run(
        settings(),
        vec![
            stamped(0, 0.0, echo("go test ./...")),
            stamped(20, 1.0, download("example.com/lib")),
            stamped(50, 10.0, case("p", "TestA", CaseStatus::Pass, 2.0)),
            stamped(90, 11.0, package("p", PackageStatus::Pass, 4.0)),
        ],
    );
    check(&seen.spans, 2_000).unwrap();
    let root = seen.root();
    assert_eq!((root.name.as_ref(), root.start, root.end), ("go test", second(0.0), second(11.0)));
    assert_eq!(root.error, None);
    assert_eq!(text(root, "gobuild.confidence"), Some("inferred"));
    let words = ["go", "test", "./..."].map(str::to_owned).to_vec();
    assert_eq!(attribute(root, "process.command_args"), Some(&Value::Strs(words)));
    let suite = seen.named("test package")[0];
    assert_eq!((suite.start, suite.end, suite.parent), (second(7.0), second(11.0), Some(root.span_id)));
    let test = seen.named("test")[0];
    assert_eq!((test.start, test.end, test.parent), (second(8.0), second(10.0), Some(suite.span_id)));
    let loaded = seen.named("module download")[0];
    assert_eq!((loaded.kind, loaded.start, loaded.end), (SpanKind::Client, second(1.0), second(1.0)));
    assert_eq!(attribute(loaded, "gobuild.download.end_known"), Some(&Value::Bool(false)));
    assert_eq!(text(loaded, "artifact.purl"), Some("pkg:golang/example.com/lib@v1.0.0"));
}

#[test]
fn an_echo_alone_is_a_build_whose_end_is_not_known() {
    let seen = run(settings(), vec![stamped(0, 0.0, echo("go version"))]);
    assert_eq!(attribute(seen.root(), "gobuild.end_known"), Some(&Value::Bool(false)));
    assert_eq!(seen.root().name, "go version");
    assert_eq!(seen.summaries[0].duration_seconds, None);
    assert_eq!(seen.summaries[0].outcome, BuildOutcome::Ok);
    assert_eq!(seen.summaries[0].subcommand, Subcommand::Other);
}

#[test]
fn each_echo_is_a_build_of_its_own() {
    let seen = run(
        settings(),
        vec![
            event(0, echo("go build ./...")),
            event(10, echo("go test ./...")),
            event(20, package("p", PackageStatus::Pass, 1.0)),
        ],
    );
    let names: Vec<_> = seen.summaries.iter().map(|summary| (summary.name, summary.ended_by)).collect();
    assert_eq!(names, [("go build", EndedBy::NextCommand), ("go test", EndedBy::EndOfLog)]);
    assert_ne!(seen.summaries[0].trace_id, seen.summaries[1].trace_id);
}

#[test]
fn of_a_line_with_two_commands_the_events_tell_which() {
    let line = "cd x && go build ./... && go test ./...";
    let tested = run(settings(), vec![event(0, echo(line)), event(9, package("p", PackageStatus::Pass, 1.0))]);
    assert_eq!(tested.root().name, "go test");
    let broken = run(settings(), vec![event(0, echo(line)), event(9, failure(FailureClass::CompileError, |_| {}))]);
    assert_eq!(broken.root().name, "go build");
    assert_eq!(broken.summaries[0].command.as_deref(), Some("go build ./... && go test ./..."));
}

#[test]
fn without_an_echo_the_events_give_the_name() {
    let name = |kind| run(settings(), vec![event(0, kind)]).summaries[0].name;
    assert_eq!(name(package("p", PackageStatus::Pass, 1.0)), "go test");
    assert_eq!(name(failure(FailureClass::VetFinding, |_| {})), "go vet");
    assert_eq!(name(failure(FailureClass::CompileError, |_| {})), "go build");
    assert_eq!(name(failure(FailureClass::ProgramCrashed, |_| {})), "go run");
    assert_eq!(name(download("example.com/lib")), "go");
    let changed = EventKind::ModuleChanged {
        module: "m".to_owned(),
        change: gobeacon_formats::ModuleChange::Added,
        from: None,
        version: "v1.0.0".to_owned(),
    };
    assert_eq!(name(changed), "go get");
}

#[test]
fn a_word_alone_opens_no_build_and_the_second_in_a_row_does_from_the_first_on() {
    let word = |offset| event(offset, EventKind::PackageCompiled { package: "linux/amd64".to_owned() });
    assert!(run(settings(), vec![word(0)]).summaries.is_empty());
    let two = run(settings(), vec![word(3), word(9)]);
    let told = &two.summaries[0];
    assert_eq!((told.name, told.first_offset, told.packages_compiled), ("go build", 3, 2));
    // anything else that Go says opens one, and the word before was only a word
    let other = run(settings(), vec![word(3), event(9, download("example.com/lib"))]);
    assert_eq!((other.summaries[0].first_offset, other.summaries[0].packages_compiled), (9, 0));
}

#[test]
fn silence_for_the_idle_timeout_ends_a_build_and_the_next_event_opens_another() {
    let mut builds = Builds::new(Settings { idle_timeout: Duration::from_secs(60), ..settings() });
    let mut out = Vec::new();
    builds.apply(&batch(second(0.0), vec![event(0, download("example.com/a"))], false), &mut out);
    assert_eq!(builds.next_deadline(), Some(second(60.0)));
    builds.tick(second(59.0), &mut out);
    assert_eq!(builds.open_count(), 1);
    assert_eq!(builds.resumption(source().id).first_offset, Some(0));
    builds.tick(second(60.0), &mut out);
    assert_eq!(
        (builds.open_count(), builds.next_deadline(), builds.resumption(source().id).first_offset),
        (0, None, None)
    );
    builds.apply(&batch(second(70.0), vec![event(40, download("example.com/b"))], false), &mut out);
    builds.finish(second(71.0), &mut out);
    let seen = Seen::of(out);
    let ended: Vec<_> = seen.summaries.iter().map(|summary| (summary.first_offset, summary.ended_by)).collect();
    assert_eq!(ended, [(0, EndedBy::Idle), (40, EndedBy::Shutdown)]);
    check(&seen.spans, 2_000).unwrap();
}

#[test]
fn a_log_written_long_ago_is_idle_only_when_it_was_read_long_ago() {
    let mut builds = Builds::new(Settings { idle_timeout: Duration::from_secs(60), ..settings() });
    let mut out = Vec::new();
    let old = second(-86_400.0);
    builds.tick(second(0.0), &mut out);
    builds.apply(&batch(old, vec![event(0, download("example.com/a"))], false), &mut out);
    builds.tick(second(50.0), &mut out);
    builds.apply(&batch(old, vec![event(40, download("example.com/b"))], false), &mut out);
    builds.tick(second(100.0), &mut out);
    assert_eq!(builds.open_count(), 1);
    builds.tick(second(110.0), &mut out);
    let seen = Seen::of(out);
    assert_eq!(seen.summaries[0].downloads_total, 2);
    assert_eq!(seen.root().start, old);
}

#[test]
fn a_gap_between_time_stamps_ends_a_build_in_a_replay_too() {
    let settings = Settings { idle_timeout: Duration::from_secs(60), ..settings() };
    let seen = run(settings, vec![stamped(0, 0.0, download("a.b/a")), stamped(9, 100.0, download("a.b/b"))]);
    assert_eq!(seen.summaries.len(), 2);
}

#[test]
fn bytes_without_events_keep_a_build_open_only_while_the_parser_holds_something() {
    let mut builds = Builds::new(Settings { idle_timeout: Duration::from_secs(60), ..settings() });
    let mut out = Vec::new();
    builds.apply(&batch(second(0.0), vec![event(0, echo("go test ./..."))], false), &mut out);
    let mut more = batch(second(50.0), vec![], false);
    (more.bytes, more.read_to, more.open_from) = (100, 200, 120);
    builds.apply(&more, &mut out);
    assert_eq!(builds.next_deadline(), Some(second(110.0)));
    more.observed = second(60.0);
    more.open_from = more.read_to;
    builds.apply(&more, &mut out);
    assert_eq!(builds.next_deadline(), Some(second(110.0)));
}

#[test]
fn more_builds_than_the_bound_close_the_one_that_was_silent_longest() {
    let mut builds = Builds::new(Settings { max_open_builds: 2, ..settings() });
    let mut out = Vec::new();
    for n in 0..3_u8 {
        let mut one = batch(second(f64::from(n)), vec![event(0, download("example.com/a"))], false);
        one.source = std::sync::Arc::new(gobeacon_collectors::Source { id: [n; 16], path: format!("/{n}").into() });
        builds.apply(&one, &mut out);
    }
    assert_eq!(builds.open_count(), 2);
    let seen = Seen::of(out);
    assert_eq!((seen.summaries[0].log.as_str(), seen.summaries[0].ended_by), ("/0", EndedBy::TooManyOpen));
}

#[test]
fn failures_colour_the_span_they_belong_to_and_the_root_takes_the_most_telling() {
    let seen = run(
        settings(),
        vec![
            event(0, case("p", "TestA", CaseStatus::Fail, 0.1)),
            event(
                10,
                failure(FailureClass::TestFailed, |f| (f.package, f.test) = (Some("p".into()), Some("TestA".into()))),
            ),
            event(20, case("p", "TestB", CaseStatus::Fail, 0.1)),
            event(
                30,
                failure(FailureClass::TestPanic, |f| {
                    (f.package, f.test) = (Some("p".into()), Some("TestB".into()));
                    f.message = Some("panic: boom".into());
                }),
            ),
            event(40, package("p", PackageStatus::Fail, 1.0)),
            event(50, package("q", PackageStatus::Fail, 1.0)),
            event(60, failure(FailureClass::TestExit, |f| f.package = Some("q".into()))),
        ],
    );
    check(&seen.spans, 2_000).unwrap();
    let error_type = |key, value| seen.with(key, value).and_then(|span| text(span, "error.type"));
    assert_eq!(error_type("test.case.name", "TestA"), Some("test.failed"));
    assert_eq!(error_type("test.case.name", "TestB"), Some("test.panic"));
    assert_eq!(error_type("gobuild.package.import_path", "p"), Some("test.panic"));
    assert_eq!(error_type("gobuild.package.import_path", "q"), Some("test.exit"));
    assert_eq!(text(seen.root(), "error.type"), Some("test.panic"));
    assert_eq!(seen.root().error.as_deref(), Some("panic: boom"));
    assert_eq!(seen.summaries[0].primary_failure, Some(1));
    let panic = seen.logs.iter().find(|log| log.body.contains("panic: boom")).unwrap();
    assert_eq!(panic.span_id, seen.with("test.case.name", "TestB").map(|span| span.span_id));
}

#[test]
fn a_package_that_did_not_build_has_the_class_of_its_compile_error() {
    let seen = run(
        settings(),
        vec![
            event(0, failure(FailureClass::CompileSyntax, |f| f.package = Some("p".into()))),
            event(10, package("p", PackageStatus::BuildFailed, 0.0)),
        ],
    );
    assert_eq!(text(seen.named("test package")[0], "error.type"), Some("compile.syntax"));
    assert_eq!(seen.summaries[0].packages.build_failed, 1);
    assert_eq!(seen.summaries[0].failure_counts.len(), 1);
}

#[test]
fn a_download_seen_by_all_its_signals_is_told_once_with_its_requests() {
    let zip = "https://u:pw@proxy.example/example.com/lib/@v/v1.0.0.zip?x=1";
    let seen = run(
        settings(),
        vec![
            stamped(0, 0.0, echo("go build -x")),
            stamped(10, 1.0, request("https://proxy.example/example.com/lib/@v/v1.0.0.mod", 200, 0.5)),
            stamped(20, 2.0, download("example.com/lib")),
            stamped(30, 4.0, request(zip, 200, 1.5)),
            stamped(
                40,
                5.0,
                EventKind::ModuleInfo {
                    module: "example.com/lib".into(),
                    version: Some("v1.0.0".into()),
                    sum: Some("h1:abc=".into()),
                    gomod_sum: None,
                    error: None,
                },
            ),
        ],
    );
    check(&seen.spans, 2_000).unwrap();
    let told: Vec<_> = seen.outcomes.iter().filter(|o| matches!(o, Outcome::Download { .. })).collect();
    let [Outcome::Download { host, .. }] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(host.as_deref(), Some("proxy.example"));
    let span = seen.named("module download")[0];
    assert_eq!((span.start, span.end), (second(0.5), second(4.0)));
    assert_eq!(text(span, "artifact.hash"), Some("h1:abc="));
    assert_eq!(text(span, "server.address"), Some("proxy.example"));
    let requests = seen.named("GET");
    assert!(requests.iter().all(|get| get.parent == Some(span.span_id) && get.kind == SpanKind::Client));
    assert!(seen.with("url.full", "https://proxy.example/example.com/lib/@v/v1.0.0.zip").is_some());
}

#[test]
fn a_refused_download_fails_its_span_and_counts_as_one_download_that_failed() {
    let seen = run(
        settings(),
        vec![
            event(0, download("example.com/lib")),
            event(
                40,
                failure(FailureClass::ProxyForbidden, |f| {
                    (f.module, f.version) = (Some("example.com/lib".into()), Some("v1.0.0".into()));
                    (f.host, f.status) = (Some("proxy.example".into()), Some(403));
                }),
            ),
            event(
                80,
                failure(FailureClass::NetworkDns, |f| {
                    (f.module, f.version) = (Some("example.com/other".into()), Some("v1.0.0".into()));
                }),
            ),
        ],
    );
    let failed: Vec<_> = seen.outcomes.iter().filter(|o| matches!(o, Outcome::DownloadFailed { .. })).collect();
    assert_eq!(failed.len(), 2);
    let span = seen.with("gobuild.module.path", "example.com/lib").unwrap();
    assert_eq!(text(span, "error.type"), Some("proxy.forbidden"));
    assert_eq!(seen.logs[0].span_id, Some(span.span_id));
    let summary = &seen.summaries[0];
    assert_eq!((summary.downloads_total, summary.downloads_failed), (2, 2));
    assert_eq!(summary.downloads[0].host.as_deref(), Some("proxy.example"));
}

#[test]
fn a_checksum_mismatch_is_a_record_with_both_hashes() {
    let seen = run(
        settings(),
        vec![event(
            0,
            failure(FailureClass::ChecksumGosumMismatch, |f| {
                (f.module, f.version) = (Some("example.com/lib".into()), Some("v1.0.0".into()));
                (f.downloaded, f.expected) = (Some("h1:down=".into()), Some("h1:want=".into()));
                (f.verifier, f.artifact) = (Some("go.sum".into()), Some("zip"));
            }),
        )],
    );
    let record = seen.logs.iter().find(|log| log.event_name == "gobuild.checksum.mismatch").unwrap();
    assert!(
        record.body.contains("example.com/lib@v1.0.0 does not match go.sum: downloaded h1:down=, expected h1:want=")
    );
    assert_eq!(record.severity, crate::builds::build::LogSeverity::Error);
    assert_eq!(text(seen.root(), "error.type"), Some("checksum.gosum_mismatch"));
    assert!(seen.named("module download").is_empty(), "a mismatch needs no download");
}

#[test]
fn a_fallback_from_a_refusing_proxy_is_told_with_its_reason() {
    let seen = run(
        settings(),
        vec![
            event(0, request("https://a.example/example.com/lib/@v/v1.0.0.info", 404, 0.1)),
            event(10, request("https://b.example/example.com/lib/@v/v1.0.0.info", 200, 0.1)),
        ],
    );
    let told =
        Outcome::ProxyFallback { offset: 10, from_host: "a.example".into(), reason: FailureClass::ProxyNotFound };
    assert!(seen.outcomes.contains(&told));
    assert_eq!(seen.logs[0].event_name, "gobuild.proxy.fallback");
    assert_eq!(seen.root().error, None, "a fallback that worked is no failure of the command");
    let refused = seen.spans.iter().find(|span| span.error.is_some()).unwrap();
    assert_eq!(text(refused, "error.type"), Some("proxy.not_found"));
}

#[test]
fn a_database_that_a_proxy_does_not_mirror_is_no_incident_and_one_that_fails_is_one() {
    let supported = "https://proxy.example/sumdb/sum.golang.org/supported";
    let lookup = "https://sum.golang.org/lookup/example.com/lib@v1.0.0";
    let fine = run(settings(), vec![event(0, request(supported, 404, 0.1)), event(9, request(lookup, 200, 0.1))]);
    assert!(fine.logs.is_empty() && fine.outcomes.len() == 1);
    let down = run(settings(), vec![event(0, request(lookup, 503, 0.1)), event(9, request(lookup, 503, 0.1))]);
    let told = down.outcomes.iter().filter(|o| matches!(o, Outcome::SumdbRequestFailed { .. })).count();
    assert_eq!((told, down.logs.len()), (2, 1));
    assert_eq!(down.logs[0].event_name, "gobuild.sumdb.unavailable");
}

#[test]
fn a_test_that_fails_and_then_passes_is_flaky_once() {
    let seen = run(
        settings(),
        vec![
            event(0, case("p", "TestA", CaseStatus::Fail, 0.0)),
            event(10, case("p", "TestA", CaseStatus::Pass, 0.0)),
            event(20, case("p", "TestA", CaseStatus::Pass, 0.0)),
            event(30, package("p", PackageStatus::Fail, 0.0)),
        ],
    );
    assert_eq!(seen.outcomes.iter().filter(|o| matches!(o, Outcome::TestFlaky { .. })).count(), 1);
    assert_eq!(seen.summaries[0].tests.flaky, 1);
    assert_eq!(seen.logs.iter().filter(|log| log.event_name == "gobuild.test.flaky").count(), 1);
}

#[test]
fn a_package_that_never_ended_is_exported_for_its_cases() {
    let seen = run(settings(), vec![event(0, case("p", "TestA", CaseStatus::Pass, 1.0))]);
    check(&seen.spans, 2_000).unwrap();
    assert_eq!(text(seen.named("test package")[0], "gobuild.test.package_status"), Some("unfinished"));
    assert_eq!(seen.summaries[0].packages.unfinished, 1);
}

#[test]
fn cases_of_a_test_binary_run_by_hand_hang_on_the_root() {
    let seen = run(settings(), vec![event(0, case("", "TestA", CaseStatus::Pass, 1.0))]);
    check(&seen.spans, 2_000).unwrap();
    assert_eq!(seen.named("test")[0].parent, Some(seen.root().span_id));
}

#[test]
fn secrets_of_the_echo_reach_neither_span_nor_summary() {
    let seen = run(settings(), vec![event(0, echo("go build -ldflags '-X main.key=hunter2' --token=hunter2"))]);
    assert!(!format!("{seen:?}").contains("hunter2"));
}
