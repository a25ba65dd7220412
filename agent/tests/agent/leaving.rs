//! What is open when the agent stops: a later life goes on with it, or ends it where its log is gone.

use std::collections::BTreeSet;
use std::fs;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;

use crate::lives::{Lives, undisturbed};
use crate::program::wait_for;
use crate::surviving::{LOG, lines};

/// A package has gone out, its command goes on.
const OPEN: &str = "+ go test ./...\nok  \tcorp.example/app/a\t0.100s\n";

/// Spans of this name, one for each id.
fn distinct(lives: &Lives, name: &str) -> Vec<Span> {
    let mut seen = BTreeSet::new();
    let spans = lives.receiver.spans().into_iter().map(|(_, span)| span);
    spans.filter(|span| span.name == name && seen.insert((span.trace_id.clone(), span.span_id.clone()))).collect()
}

fn attribute(span: &Span, name: &str) -> Option<Value> {
    span.attributes.iter().find(|it| it.key == name)?.value.clone()?.value
}

#[test]
fn told_to_end_behind_every_line_it_goes_on_with_the_same_builds_and_sends_nothing_twice() {
    let (counters, spans, events) = undisturbed(&[("a.log", LOG.to_owned())], lines(LOG));
    let mut lives = Lives::new();
    lives.begin();
    let mut written = 0.0;
    for (n, line) in LOG.split_inclusive('\n').enumerate() {
        // half a line now and then
        let (half, rest) = line.split_at(if n % 4 == 0 { line.len() / 2 } else { 0 });
        lives.append("a.log", half);
        if n % 2 == 0 {
            lives.wait_for("gobeacon_log_lines_total", written);
        }
        lives.end();
        lives.append("a.log", rest);
        written += 1.0;
        lives.begin();
    }
    lives.wait_for("gobeacon_log_lines_total", written);
    assert_eq!(lives.settled(), counters);
    lives.end();
    assert_eq!(lives.spans(), spans);
    assert_eq!(lives.events(), events);
    assert_eq!(lives.doubled(), 0, "who ends in order knows what it has sent");
}

#[test]
fn a_build_whose_log_is_gone_when_the_agent_starts_again_gets_its_root_once() {
    type Destroy = fn(&std::path::Path);
    let ways: [Destroy; 3] = [
        |log| fs::remove_file(log).unwrap(),
        |log| fs::write(log, "").unwrap(),
        |log| {
            fs::rename(log, log.with_extension("elsewhere")).unwrap();
            fs::remove_file(log.with_extension("elsewhere")).unwrap();
            fs::write(log, "+ go vet ./...\n".repeat(20)).unwrap();
        },
    ];
    for (way, destroy) in ways.into_iter().enumerate() {
        for in_order in [false, true] {
            let mut lives = Lives::new();
            lives.append("a.log", OPEN);
            lives.begin();
            lives.wait_for("gobuild_test_packages_total", 1.0);
            lives.settled();
            wait_for("the journal has it", || {
                let journal = fs::read(lives.state().join("journal")).unwrap_or_default();
                let has_it = memchr::memmem::find(&journal, b"gobuild.test_packages.passed").is_some();
                if has_it { Ok(()) } else { Err(String::from_utf8_lossy(&journal).into_owned()) }
            });
            if in_order {
                _ = lives.end()
            } else {
                lives.kill()
            }
            assert_eq!(distinct(&lives, "go test"), [], "it is open");
            destroy(&lives.path("a.log"));
            // lives that may not get so far as to tell it
            for _ in 0..2 {
                lives.begin();
                lives.kill();
            }
            lives.begin();
            lives.wait_for("gobuild_commands_total{repository=\"unknown\",subcommand=\"test\"}", 1.0);
            lives.settled();
            lives.kill();
            lives.begin();
            let counters = lives.settled();
            assert_eq!(
                counters["gobuild_commands_total{repository=\"unknown\",subcommand=\"test\"}"], 1.0,
                "way {way}: {counters:?}"
            );
            assert_eq!(counters["gobuild_test_packages_total"], 1.0);
            lives.end();
            let (roots, packages) = (distinct(&lives, "go test"), distinct(&lives, "test package"));
            assert_eq!((roots.len(), packages.len()), (1, 1), "way {way}: {roots:?} {packages:?}");
            let (root, package) = (&roots[0], &packages[0]);
            assert_eq!((&package.trace_id, &package.parent_span_id), (&root.trace_id, &root.span_id));
            assert!(root.start_time_unix_nano <= package.start_time_unix_nano);
            assert!(root.end_time_unix_nano >= package.end_time_unix_nano);
            assert_eq!(attribute(root, "gobuild.ended_by"), Some(Value::StringValue("log_gone".to_owned())));
            assert_eq!(attribute(root, "gobuild.end_known"), Some(Value::BoolValue(false)));
            assert_eq!(attribute(root, "gobuild.test_packages.passed"), Some(Value::IntValue(1)));
        }
    }
}

/// Lines as a container runtime writes them; one that ends with `\\` goes on in the next.
fn records(lines: &str) -> String {
    let record = |line: &str| match line.strip_suffix('\\') {
        Some(part) => format!("2026-01-02T03:04:05.000000000Z stdout P {part}\n"),
        None => format!("2026-01-02T03:04:05.000000000Z stdout F {line}\n"),
    };
    lines.lines().map(record).collect()
}

#[test]
fn a_line_that_a_runtime_split_over_a_rotation_counts_once_whenever_the_agent_is_killed() {
    const PACKAGES: &str = "gobuild_test_packages_total";
    let mut lives = Lives::new();
    lives.append("0.log", &records("+ go test ./...\nok  \tcorp.example/app/a\t0.1s\nok  \tcorp.exam\\"));
    lives.begin();
    lives.wait_for("gobeacon_log_lines_total", 3.0);
    lives.settled();
    lives.kill();
    // between the two parts of the line
    fs::rename(lives.path("0.log"), lives.path("0.log.1")).unwrap();
    lives.append("0.log", &records("ple/app/b\t0.2s\nok  \tcorp.example/app/c\t0.1s"));
    lives.begin();
    lives.wait_for(PACKAGES, 3.0);
    lives.settled();
    lives.kill();
    // behind them: what the new log began with is in neither file alone
    lives.begin();
    lives.append("0.log", &records("ok  \tcorp.example/app/d\t0.1s\n+ go version"));
    lives.wait_for(PACKAGES, 4.0);
    lives.wait_for("gobeacon_log_lines_total", 7.0);
    let counters = lives.settled();
    assert_eq!(counters[PACKAGES], 4.0);
    lives.end();
    let packages = distinct(&lives, "test package");
    let named: BTreeSet<_> = packages
        .iter()
        .filter_map(|it| match attribute(it, "gobuild.package.import_path") {
            Some(Value::StringValue(name)) => Some(name),
            _ => None,
        })
        .collect();
    assert_eq!(named, ["a", "b", "c", "d"].map(|name| format!("corp.example/app/{name}")).into());
    assert_eq!(packages.len(), 4, "each has one id");
    // the command of the old log, and that of the new one
    let roots = distinct(&lives, "go test");
    assert_eq!(roots.len(), 2, "{roots:?}");
    let parents: BTreeSet<_> = packages.iter().map(|it| (it.trace_id.clone(), it.parent_span_id.clone())).collect();
    assert_eq!(parents, roots.iter().map(|it| (it.trace_id.clone(), it.span_id.clone())).collect());
}
