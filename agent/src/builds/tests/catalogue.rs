//! What the code sets and what the catalogue says are the same.

use std::collections::BTreeSet;
use std::path::Path;

use gobeacon_formats::{CaseStatus, EventKind, Failure, FailureClass, HttpAnswer, PackageStatus};

use super::{
    Builds, Seen, Settings, batch, case, download, echo, event, files, logs, package, run, second, settings, source,
};
use crate::builds::build::{LogRecord, Span};
use crate::builds::catalogue::{BURST, EVENTS, RESOURCE, ROOT, SPANS, known};
use crate::builds::resource;

/// The row of a span.
fn row_of(span: &Span) -> &'static str {
    match span.parent {
        None if span.name == BURST => BURST,
        None => ROOT,
        Some(_) => SPANS.iter().find(|row| row.name == span.name).map_or("no row", |row| row.name),
    }
}

fn of_span(span: &Span, seen: &mut BTreeSet<String>) {
    let row = SPANS.iter().find(|row| row.name == row_of(span)).unwrap_or_else(|| panic!("no row for {span:?}"));
    assert_eq!(span.kind, row.kind, "{}", row.name);
    known(row.name, &span.attributes, row.attributes, seen);
}

fn of_record(record: &LogRecord, seen: &mut BTreeSet<String>) {
    let row = EVENTS.iter().find(|row| row.name == record.event_name);
    let row = row.unwrap_or_else(|| panic!("no row for {record:?}"));
    assert!(row.severities.contains(&record.severity), "{record:?}");
    known(row.name, &record.attributes, row.attributes, seen);
}

/// A failure of which all is known.
fn whole(class: FailureClass) -> EventKind {
    let text = |text: &str| Some(text.to_owned());
    EventKind::Failure(Box::new(Failure {
        class,
        module: text("example.com/m1"),
        version: text("v1.0.0"),
        package: text("p1"),
        test: text("T1"),
        url: text("https://proxy.example/example.com/m1/@v/v1.0.0.zip"),
        status: Some(403),
        host: text("proxy.example"),
        file: text("a.go"),
        line: Some(7),
        variable: text("GOFLAGS"),
        path: text("/go/pkg"),
        message: text("refused"),
        downloaded: text("h1:a"),
        expected: text("h1:b"),
        verifier: text("go.sum"),
        artifact: Some("zip"),
    }))
}

fn get(url: &str, status: u16) -> EventKind {
    let answer = match status {
        0 => HttpAnswer::Failed { error: "EOF".to_owned() },
        status => HttpAnswer::Answered { status, duration_seconds: 0.1 },
    };
    EventKind::HttpRequest { url: url.to_owned(), answer }
}

/// One command with everything in it that the recorded logs do not have.
fn rare() -> Vec<EventKind> {
    let without_time = |name: &str, status, coverage_percent| EventKind::TestPackage {
        package: name.to_owned(),
        status,
        cached: (status == PackageStatus::Pass).then_some(true),
        elapsed_seconds: None,
        coverage_percent,
    };
    let untimed = |package: Option<&str>, status| EventKind::TestCase {
        package: package.map(str::to_owned),
        name: "T1".to_owned(),
        status,
        elapsed_seconds: None,
    };
    vec![
        echo("go test -x ./..."),
        get("https://a.example/example.com/m1/@v/v1.0.0.info", 404),
        get("https://a.example/example.com/m1/@v/v1.0.0.info", 404),
        get("https://b.example/example.com/m1/@v/v1.0.0.info", 200),
        get("https://b.example/example.com/m1/@v/v1.0.0.zip", 0),
        get("https://sum.golang.org/lookup/example.com/m1@v1.0.0", 503),
        EventKind::ModuleInfo {
            module: "example.com/m2".to_owned(),
            version: Some("v1.0.0".to_owned()),
            sum: Some("h1:x".to_owned()),
            gomod_sum: None,
            error: None,
        },
        whole(FailureClass::ProxyForbidden),
        whole(FailureClass::ChecksumGosumMismatch),
        EventKind::PackageCompiled { package: "p1".to_owned() },
        EventKind::Diagnostic { package: None, file: "a.go".to_owned(), line: 1, column: None, message: None },
        EventKind::TestBenchmark { package: None, name: "B".to_owned(), iterations: 1, ns_per_op: None },
        untimed(None, CaseStatus::Fail),
        untimed(Some("p2"), CaseStatus::Fail),
        untimed(Some("p2"), CaseStatus::Pass),
        untimed(Some("p2"), CaseStatus::Skip),
        package("p2", PackageStatus::Fail, 1.0),
        without_time("p3", PackageStatus::Pass, Some(50.0)),
        package("p4", PackageStatus::BuildFailed, 0.0),
        package("p5", PackageStatus::SetupFailed, 0.0),
        without_time("p6", PackageStatus::NoTestFiles, None),
        case("p7", "T1", CaseStatus::Pass, 1.0),
    ]
}

/// More of everything than there is room for.
fn flood() -> Vec<EventKind> {
    let mut kinds = Vec::new();
    for n in 0..1_100 {
        kinds.push(download(&format!("example.com/m{n}")));
        kinds.push(get(&format!("https://a.example/example.com/m{n}/@v/list"), 200));
    }
    for n in 0..1_100 {
        kinds.push(whole(FailureClass::ProxyForbidden));
        kinds.push(case(&format!("p{}", n / 100), &format!("T{n}"), CaseStatus::Pass, 1.0));
    }
    kinds
}

fn numbered(kinds: Vec<EventKind>) -> Vec<gobeacon_formats::Event> {
    kinds.into_iter().enumerate().map(|(n, kind)| event(10 * n as u64, kind)).collect()
}

/// One that was ours to run, and one of which only the echo is known.
fn ended() -> Seen {
    let mut out = Vec::new();
    let mut builds = Builds::new(settings());
    builds.apply(&batch(second(0.0), numbered(vec![echo("go build"), echo("go vet")]), false), &mut out);
    builds.exited(source().id, 1, second(2.0));
    builds.finish(second(3.0), &mut out);
    Seen::of(out)
}

#[test]
fn every_attribute_is_in_the_catalogue_with_its_type_and_every_row_of_it_is_seen() {
    let tight = Settings { max_spans_per_build: 8, ..settings() };
    let mut all = vec![run(settings(), numbered(rare())), run(tight, numbered(flood())), ended(), files::everything()];
    all.extend(logs::LOGS.iter().map(|(_, log)| logs::read(log)));
    let mut seen = BTreeSet::new();
    for one in &all {
        one.spans.iter().for_each(|span| of_span(span, &mut seen));
        one.logs.iter().for_each(|record| of_record(record, &mut seen));
    }
    let host = Settings { host_name: Some("ci-1".to_owned()), ..settings() };
    let id = "0123456789abcdef".repeat(4);
    for path in ["/var/log/pods/ci_runner_0f1e/build/2.log", &format!("/var/log/containers/runner_ci_build-{id}.log")] {
        known("resource", &resource::of_log(Path::new(path), &host), RESOURCE, &mut seen);
    }
    let spans = SPANS.iter().map(|row| (row.name, row.attributes));
    let events = EVENTS.iter().map(|row| (row.name, row.attributes));
    let rows = spans.chain(events).chain([("resource", RESOURCE)]);
    let rows: BTreeSet<_> =
        rows.flat_map(|(of, rows)| rows.iter().map(move |row| format!("{of}: {}", row.name))).collect();
    let never: Vec<_> = rows.difference(&seen).collect();
    assert!(never.is_empty(), "no code sets {never:#?}");
}

#[test]
fn a_name_stands_once_in_a_row_and_has_one_type_everywhere() {
    let rows = SPANS.iter().map(|row| row.attributes).chain(EVENTS.iter().map(|row| row.attributes)).chain([RESOURCE]);
    let mut types = std::collections::BTreeMap::new();
    for attributes in rows {
        let names: BTreeSet<_> = attributes.iter().map(|it| it.name).collect();
        assert_eq!(names.len(), attributes.len());
        for it in attributes {
            assert_eq!(*types.entry(it.name).or_insert(it.kind), it.kind, "{}", it.name);
        }
    }
}
