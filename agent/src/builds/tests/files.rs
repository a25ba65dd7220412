//! What files show of downloads, with and without a log beside it.

use std::path::PathBuf;
use std::sync::Arc;

use gobeacon_collectors::modcache::{Download, Ending, Event as FileEvent, Report, Stall};
use gobeacon_collectors::{Batch, Replay, Root, Source};
use gobeacon_formats::{Event, EventKind, Failure, FailureClass, HttpAnswer, Timestamp};
use proptest::prelude::*;

use super::{Builds, Outcome, Seen, Settings, attribute, batch, check, echo, second, settings, source, text};
use crate::builds::build::{SpanKind, Value};

fn watching() -> Builds {
    Builds::new(Settings { files_are_watched: true, ..settings() })
}

fn root(id: u8) -> Arc<Root> {
    Arc::new(Root { id: [id; 16], path: PathBuf::from(format!("/cache{id}")) })
}

fn files(module: &str, start: f64, end: f64) -> Download {
    Download {
        module: module.to_owned(),
        version: "v1.0.0".to_owned(),
        start: second(start),
        end: second(end),
        bytes: 1_000,
        sum: Some("h1:x".to_owned()),
        ending: Ending::Fetched,
        redundant: false,
        stalled_seconds: 0.0,
    }
}

fn report(cache: u8, observed: f64, event: FileEvent) -> Report {
    Report { root: root(cache), observed: second(observed), events: vec![event] }
}

/// Files show a download at its end.
fn show(builds: &mut Builds, download: Download, out: &mut Vec<Outcome>) {
    builds.tick(download.end, out);
    let observed = download.end;
    let event = FileEvent::Downloaded(Box::new(download));
    builds.files(&Report { root: root(1), observed, events: vec![event] }, out);
}

/// A log says something at a time.
fn say(builds: &mut Builds, at: f64, kinds: Vec<EventKind>, out: &mut Vec<Outcome>) {
    say_in(7, builds, at, kinds, out);
}

fn say_in(log: u8, builds: &mut Builds, at: f64, kinds: Vec<EventKind>, out: &mut Vec<Outcome>) {
    let numbered = kinds.into_iter().enumerate();
    let offset = |n: usize| (at * 1_000.0) as u64 + n as u64;
    let events = numbered.map(|(n, kind)| Event { kind, time: None, offset: offset(n), lines: 1 }).collect();
    builds.tick(second(at), out);
    let source = Arc::new(Source { id: [log; 16], path: PathBuf::from("/logs/build.log") });
    builds.apply(&Batch { source, ..batch(second(at), events, false) }, out);
}

fn line(module: &str) -> EventKind {
    super::download(module)
}

fn zip(module: &str) -> EventKind {
    EventKind::HttpRequest {
        url: format!("https://proxy.example/{module}/@v/v1.0.0.zip"),
        answer: HttpAnswer::Answered { status: 200, duration_seconds: 0.1 },
    }
}

fn compiled() -> Vec<EventKind> {
    ["p1", "p2"].map(|package| EventKind::PackageCompiled { package: package.to_owned() }).to_vec()
}

/// How often a download was told to begin, to fail, and by files.
fn counts(seen: &Seen) -> (usize, usize, usize) {
    let count = |which: fn(&&Outcome) -> bool| seen.outcomes.iter().filter(which).count();
    (
        count(|it| matches!(it, Outcome::Download { .. })),
        count(|it| matches!(it, Outcome::DownloadFailed { .. })),
        count(|it| matches!(it, Outcome::Downloaded(_))),
    )
}

fn finished(mut builds: Builds, at: f64, mut out: Vec<Outcome>) -> Seen {
    builds.finish(second(at), &mut out);
    let seen = Seen::of(out);
    assert_eq!(check(&seen.spans, 2_000), Ok(()));
    seen
}

#[test]
fn a_log_line_and_the_files_are_one_span_of_the_build_with_the_times_of_the_files() {
    for log_first in [true, false] {
        let (mut builds, mut out) = (watching(), Vec::new());
        say(&mut builds, 9.0, vec![echo("go build -x")], &mut out);
        let log = vec![line("example.com/m"), zip("example.com/m")];
        if log_first {
            say(&mut builds, 10.0, log, &mut out);
            show(&mut builds, files("example.com/m", 10.1, 12.0), &mut out);
        } else {
            show(&mut builds, files("example.com/m", 10.1, 12.0), &mut out);
            say(&mut builds, 13.0, log, &mut out);
        }
        say(&mut builds, 13.5, compiled(), &mut out);
        let seen = finished(builds, 100.0, out);
        assert_eq!(counts(&seen), (1, 0, 1), "{log_first}");
        let [span] = seen.named("module download")[..] else { panic!("{:#?}", seen.spans) };
        assert_eq!((span.parent, seen.named("module downloads").len()), (Some(seen.root().span_id), 0));
        assert_eq!(attribute(span, "gobuild.download.bytes"), Some(&Value::Int(1_000)));
        assert_eq!(text(span, "server.address"), Some("proxy.example"));
        assert_eq!(text(span, "artifact.hash"), Some("h1:x"));
        assert_eq!(attribute(span, "gobuild.download.end_known"), Some(&Value::Bool(true)));
        // requests of the log may widen it
        assert!(span.start <= second(10.1) && span.end >= second(12.0));
        let told = seen.outcomes.iter().find_map(|it| if let Outcome::Downloaded(it) = it { Some(it) } else { None });
        assert_eq!(told.and_then(|it| it.host.as_deref()), Some("proxy.example"));
    }
}

#[test]
fn downloads_that_no_log_explains_have_one_root_a_burst() {
    let (mut builds, mut out) = (watching(), Vec::new());
    for (n, start) in [0.0, 0.5, 3.0, 40.0].into_iter().enumerate() {
        show(&mut builds, files(&format!("example.com/m{n}"), start, start + 1.0), &mut out);
    }
    builds.tick(second(43.5), &mut out);
    let before = Seen::of(out.clone());
    assert_eq!(before.named("module download").len(), 4, "children go out before their root");
    assert_eq!(before.named("module downloads").len(), 1);
    let seen = finished(builds, 44.0, out);
    assert_eq!((counts(&seen), seen.summaries.len()), ((4, 0, 4), 0));
    let roots = seen.named("module downloads");
    let sizes: Vec<_> = roots.iter().map(|root| attribute(root, "gobuild.downloads")).collect();
    assert_eq!(sizes, [Some(&Value::Int(3)), Some(&Value::Int(1))]);
    assert_eq!((roots[0].start, roots[0].end, roots[0].kind), (second(0.0), second(4.0), SpanKind::Internal));
    assert_eq!(text(roots[0], "gobuild.cache.path"), Some("/cache1"));
}

#[test]
fn a_log_that_comes_later_tells_nothing_twice() {
    let (mut builds, mut out) = (watching(), Vec::new());
    show(&mut builds, files("example.com/m", 0.0, 1.0), &mut out);
    builds.tick(second(10.0), &mut out);
    let info = EventKind::ModuleInfo {
        module: "example.com/m".to_owned(),
        version: Some("v1.0.0".to_owned()),
        sum: None,
        gomod_sum: None,
        error: None,
    };
    say(&mut builds, 30.0, vec![echo("go mod download -json"), line("example.com/m"), info], &mut out);
    let seen = finished(builds, 31.0, out);
    assert_eq!(counts(&seen), (1, 0, 1));
    assert_eq!(seen.named("module download").len(), 1);
}

#[test]
fn files_that_come_after_the_build_has_sent_its_downloads_tell_nothing_twice() {
    let (mut builds, mut out) = (watching(), Vec::new());
    say(&mut builds, 9.0, vec![echo("go build"), line("example.com/m")], &mut out);
    say(&mut builds, 10.0, vec![echo("go vet")], &mut out);
    show(&mut builds, files("example.com/m", 9.1, 10.5), &mut out);
    let seen = finished(builds, 31.0, out);
    assert_eq!(counts(&seen), (1, 0, 1));
    let [span] = seen.named("module download")[..] else { panic!("{:#?}", seen.spans) };
    assert_eq!(attribute(span, "gobuild.download.end_known"), Some(&Value::Bool(false)));
}

#[test]
fn downloads_wait_a_moment_for_their_files_when_the_command_goes_on() {
    let (mut builds, mut out) = (watching(), Vec::new());
    say(&mut builds, 9.0, vec![echo("go build"), line("example.com/m")], &mut out);
    say(&mut builds, 10.0, compiled(), &mut out);
    assert_eq!(Seen::of(out.clone()).named("module download").len(), 0);
    show(&mut builds, files("example.com/m", 9.1, 10.2), &mut out);
    assert_eq!(builds.next_deadline(), Some(second(11.0)));
    builds.tick(second(11.0), &mut out);
    let before = Seen::of(out.clone());
    let [span] = before.named("module download")[..] else { panic!("{:#?}", before.spans) };
    assert_eq!((span.start, span.end), (second(9.1), second(10.2)));
    assert_eq!(counts(&finished(builds, 31.0, out)), (1, 0, 1));
}

#[test]
fn a_download_that_is_told_behind_others_that_have_gone_out_is_not_lost_by_a_restart() {
    let late = || {
        EventKind::Failure(Box::new(Failure {
            module: Some("example.com/gone".to_owned()),
            version: Some("v1.0.0".to_owned()),
            ..Failure::new(FailureClass::ProxyNotFound)
        }))
    };
    let (mut first, mut out) = (watching(), Vec::new());
    say(&mut first, 9.0, vec![echo("go build"), line("example.com/m")], &mut out);
    say(&mut first, 10.0, compiled(), &mut out);
    first.tick(second(13.0), &mut out);
    assert_eq!(Seen::of(out.clone()).named("module download").len(), 1);
    say(&mut first, 14.0, vec![late()], &mut out);

    let (mut next, mut told) = (watching(), Vec::new());
    next.resume(source(), first.resumption(source().id), None);
    let kinds = [vec![echo("go build"), line("example.com/m")], compiled(), vec![late()]].concat();
    let numbered = kinds.into_iter().zip(9_000..);
    let events = numbered.map(|(kind, offset)| Event { kind, time: None, offset, lines: 1 }).collect();
    next.tick(second(20.0), &mut told);
    next.replay(&Batch { replay: Replay::Last, ..batch(second(14.0), events, false) }, &mut told);
    assert_eq!(told, []);
    let seen = finished(next, 31.0, told);
    let names: Vec<_> = seen.named("module download").iter().map(|it| attribute(it, "gobuild.module.path")).collect();
    assert!(names.contains(&Some(&Value::Str("example.com/gone".into()))), "{names:?}");
}

#[test]
fn downloads_go_out_while_the_command_is_silent_once_files_have_shown_all_that_began() {
    let (mut builds, mut out) = (watching(), Vec::new());
    say(&mut builds, 9.0, vec![echo("go build"), line("example.com/m"), line("example.com/n")], &mut out);
    show(&mut builds, files("example.com/m", 9.1, 10.0), &mut out);
    builds.tick(second(20.0), &mut out);
    assert_eq!(Seen::of(out.clone()).named("module download").len(), 0, "the other one is under way");
    show(&mut builds, files("example.com/n", 9.1, 21.0), &mut out);
    say(&mut builds, 22.0, vec![line("example.com/o")], &mut out);
    builds.tick(second(30.0), &mut out);
    assert_eq!(Seen::of(out.clone()).named("module download").len(), 0, "a third one is under way");
    show(&mut builds, files("example.com/o", 22.0, 31.0), &mut out);
    assert_eq!(builds.next_deadline(), Some(second(33.0)));
    builds.tick(second(33.0), &mut out);
    assert_eq!(Seen::of(out.clone()).named("module download").len(), 3);
    assert_eq!(counts(&finished(builds, 60.0, out)), (3, 0, 3));
}

#[test]
fn a_failure_that_a_log_explains_has_its_class_and_one_that_only_files_show_the_class_of_its_end() {
    let (mut builds, mut out) = (watching(), Vec::new());
    say(&mut builds, 9.0, vec![echo("go build"), line("example.com/m")], &mut out);
    let failed = |module: &str, start, ending| Download { ending, sum: None, ..files(module, start, start + 1.0) };
    show(&mut builds, failed("example.com/m", 9.1, Ending::GivenUp), &mut out);
    let failure = Failure {
        module: Some("example.com/m".to_owned()),
        version: Some("v1.0.0".to_owned()),
        ..Failure::new(FailureClass::ProxyServerError)
    };
    say(&mut builds, 10.5, vec![EventKind::Failure(Box::new(failure))], &mut out);
    show(&mut builds, failed("example.com/n", 10.6, Ending::Abandoned), &mut out);
    let seen = finished(builds, 31.0, out);
    assert_eq!(counts(&seen), (2, 2, 2));
    let class = |module: &str| text(seen.with("gobuild.module.path", module).unwrap(), "error.type");
    assert_eq!((class("example.com/m"), class("example.com/n")), (Some("proxy.server_error"), Some("interrupted")));
}

#[test]
fn two_builds_that_fetch_the_same_into_two_caches_have_each_their_own() {
    let (mut builds, mut out) = (watching(), Vec::new());
    say_in(1, &mut builds, 10.0, vec![echo("go build"), line("example.com/m")], &mut out);
    say_in(2, &mut builds, 15.0, vec![echo("go test"), line("example.com/m")], &mut out);
    show(&mut builds, files("example.com/m", 15.1, 16.0), &mut out);
    show(&mut builds, files("example.com/m", 10.1, 17.0), &mut out);
    let seen = finished(builds, 31.0, out);
    assert_eq!(counts(&seen), (2, 0, 2));
    for (name, start) in [("go build", 10.1), ("go test", 15.1)] {
        let root = seen.spans.iter().find(|span| span.name == name).unwrap();
        let child = seen.named("module download").into_iter().find(|span| span.trace_id == root.trace_id).unwrap();
        assert_eq!(child.start, second(start), "{name}");
    }
}

#[test]
fn a_toolchain_that_only_files_show_is_counted_as_one() {
    let (mut builds, mut out) = (watching(), Vec::new());
    let version = "v0.0.1-go1.27.3.linux-amd64".to_owned();
    show(&mut builds, Download { version, ..files("golang.org/toolchain", 0.0, 1.0) }, &mut out);
    let seen = finished(builds, 31.0, out);
    assert_eq!(counts(&seen), (0, 0, 1));
    let told = Outcome::ToolchainDownload { offset: 0, version: "go1.27.3".to_owned() };
    assert!(seen.outcomes.contains(&told), "{:?}", seen.outcomes);
}

fn stall() -> Stall {
    let (module, version) = ("example.com/m".to_owned(), "v1.0.0".to_owned());
    Stall { module, version, start: second(9.0), since: second(10.0), until: second(40.0), bytes: 7 }
}

#[test]
fn a_stall_is_told_when_it_begins_and_ends_in_the_trace_of_its_build_and_counted_meanwhile() {
    let (mut builds, mut out) = (watching(), Vec::new());
    say(&mut builds, 9.0, vec![echo("go build"), line("example.com/m")], &mut out);
    builds.files(&report(1, 40.0, FileEvent::Stalled(Box::new(stall()))), &mut out);
    builds.files(&report(1, 50.0, FileEvent::StallOver(Box::new(stall()))), &mut out);
    show(&mut builds, Download { stalled_seconds: 30.0, ..files("example.com/m", 9.0, 51.0) }, &mut out);
    let seen = finished(builds, 60.0, out);
    let gauge: Vec<_> = seen
        .outcomes
        .iter()
        .filter_map(|it| if let Outcome::DownloadsStalled(n) = it { Some(*n) } else { None })
        .collect();
    assert_eq!((gauge, seen.logs.len()), (vec![1, 0], 2));
    let span = seen.named("module download")[0];
    assert!(seen.logs.iter().all(|log| log.span_id == Some(span.span_id) && log.trace_id == Some(span.trace_id)));
    assert_eq!(attribute(span, "gobuild.download.stalled_seconds"), Some(&Value::Float(30.0)));
}

#[test]
fn a_flood_that_no_log_explains_is_sent_within_the_bounds() {
    let (mut builds, mut out) = (watching(), Vec::new());
    for n in 0..10_000 {
        show(&mut builds, files(&format!("example.com/m{n}"), 0.0, 1.0), &mut out);
    }
    let seen = finished(builds, 2.0, out);
    assert_eq!(counts(&seen), (10_000, 0, 10_000));
    assert_eq!(seen.named("module download").len(), 10_000);
}

/// Every attribute that files bring.
pub(super) fn everything() -> Seen {
    let (mut builds, mut out) = (watching(), Vec::new());
    builds.files(&report(1, 40.0, FileEvent::Stalled(Box::new(stall()))), &mut out);
    builds.files(&report(1, 50.0, FileEvent::StallOver(Box::new(stall()))), &mut out);
    let odd = Download { redundant: true, stalled_seconds: 1.0, ..files("example.com/m", 1.0, 2.0) };
    show(&mut builds, odd, &mut out);
    show(&mut builds, Download { ending: Ending::Abandoned, ..files("example.com/n", 1.0, 2.0) }, &mut out);
    finished(builds, 60.0, out)
}

/// What happens to one module: when files show it, when a log does, if at all.
type Told = (Option<(u8, u8)>, Option<u8>);

fn moments(all: &[Told]) -> Vec<(f64, usize, Option<Timestamp>)> {
    let mut moments = Vec::new();
    for (module, (files, log)) in all.iter().enumerate() {
        if let Some((start, length)) = files {
            let (start, end) = (f64::from(*start), f64::from(*start) + f64::from(*length) / 50.0);
            moments.push((end, module, Some(second(start))));
        }
        // a line is printed when the download begins, and read up to five seconds later
        if let Some(late) = log {
            let start = files.map_or(5.0, |(start, _)| f64::from(start));
            moments.push((start + f64::from(*late) / 51.0, module, None));
        }
    }
    moments.sort_by(|a, b| a.0.total_cmp(&b.0));
    moments
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_whatever_order_files_and_logs_tell_each_download_is_one_span_and_counts_once(
        all in proptest::collection::vec(any::<Told>(), 1..20),
        goes_on in proptest::collection::vec(any::<bool>(), 60),
    ) {
        let (mut builds, mut out) = (watching(), Vec::new());
        for ((at, module, start), goes_on) in moments(&all).into_iter().zip(goes_on) {
            let name = format!("example.com/m{module}");
            match start {
                Some(start) => show(&mut builds, Download { start, ..files(&name, 0.0, at) }, &mut out),
                None if goes_on => say(&mut builds, at, [vec![line(&name)], compiled()].concat(), &mut out),
                None => say(&mut builds, at, vec![line(&name)], &mut out),
            }
        }
        builds.finish(second(1_000.0), &mut out);
        let seen = Seen::of(out);
        prop_assert_eq!(check(&seen.spans, 2_000), Ok(()));
        let told = all.iter().filter(|(files, log)| files.is_some() || log.is_some()).count();
        let by_files = all.iter().filter(|(files, _)| files.is_some()).count();
        prop_assert_eq!(counts(&seen), (told, 0, by_files));
        prop_assert_eq!(seen.named("module download").len(), told);
    }
}
