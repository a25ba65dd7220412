//! Recorded logs through the real parser: the tree of spans of each, as a snapshot.

use gobeacon_formats::Parser;

use super::{Seen, Span, Value, batch, check, ids, second, settings};
use crate::builds::Builds;

/// When the logs were read: a year after the first of them could be written, in seconds.
const READ: f64 = 31_536_000.0;

/// Parses a log as a whole and runs it through the state machine.
pub(super) fn read(log: &[u8]) -> Seen {
    let mut parser = Parser::new();
    let mut events = Vec::new();
    parser.feed(log, 0, &mut events);
    parser.finish(&mut events);
    let mut out = Vec::new();
    Builds::new(settings()).apply(&batch(second(READ), events, true), &mut out);
    Seen::of(out)
}

/// The spans as a tree, then the log records, for people. What the go command printed is left out: how much of it
/// a message holds is a matter of the parser.
fn drawn(seen: &Seen) -> String {
    let mut text = String::new();
    for root in seen.spans.iter().filter(|span| span.parent.is_none()) {
        draw(seen, root, 0, &mut text);
    }
    for log in &seen.logs {
        let span = seen.spans.iter().find(|span| Some(span.span_id) == log.span_id);
        let subject = log.body.split(": ").next().unwrap_or("");
        text += &format!("{} {:?} on {}: {subject}\n", log.event_name, log.severity, span.map_or("?", |s| &s.name));
    }
    text
}

fn draw(seen: &Seen, span: &Span, depth: usize, text: &mut String) {
    let times = format!("{:+.3}..{:+.3}", span.start.seconds_since(second(0.0)), span.end.seconds_since(second(0.0)));
    *text += &format!("{:width$}{} [{times}]", "", span.name, width = depth * 2);
    for (name, value) in &span.attributes {
        match value {
            Value::Str(value) => *text += &format!(" {name}={value}"),
            Value::Int(value) => *text += &format!(" {name}={value}"),
            Value::Float(value) => *text += &format!(" {name}={value}"),
            Value::Bool(value) => *text += &format!(" {name}={value}"),
            Value::Strs(value) => *text += &format!(" {name}={value:?}"),
        }
    }
    if span.error.is_some() {
        *text += " ERROR";
    }
    text.push('\n');
    let mut children: Vec<_> = seen.spans.iter().filter(|child| child.parent == Some(span.span_id)).collect();
    children.sort_by_key(|child| (child.start, child.name.clone()));
    for child in children {
        draw(seen, child, depth + 1, text);
    }
}

/// Each log of `tests/data/builds`: recorded pieces behind the echoes and wrappings of one CI system.
pub(super) const LOGS: &[(&str, &[u8])] = &[
    ("shell", include_bytes!("../../../tests/data/builds/shell.log")),
    ("json", include_bytes!("../../../tests/data/builds/json.log")),
    ("downloads", include_bytes!("../../../tests/data/builds/downloads.log")),
    ("cri", include_bytes!("../../../tests/data/builds/cri.log")),
    ("github", include_bytes!("../../../tests/data/builds/github.log")),
];

#[test]
fn recorded_logs_become_these_spans_and_records() {
    for (name, log) in LOGS {
        let seen = read(log);
        check(&seen.spans, 2_000).unwrap();
        insta::assert_snapshot!(*name, drawn(&seen));
    }
}

#[test]
fn the_summary_of_a_recorded_log_stands_on_its_own() {
    let (_, log) = LOGS[0];
    let mut summaries = read(log).summaries;
    for seen in summaries.iter_mut().flat_map(|summary| &mut summary.failures) {
        (seen.failure.message, seen.failure.file, seen.failure.line) = (None, None, None);
    }
    insta::assert_json_snapshot!("shell_summaries", summaries);
}

#[test]
fn a_recorded_log_read_in_chunks_of_any_size_gives_the_same_ids() {
    for (name, log) in LOGS {
        let whole = read(log);
        for size in [1, 7, 64, 1_000] {
            let mut parser = Parser::new();
            let mut builds = Builds::new(settings());
            let (mut out, mut offset) = (Vec::new(), 0);
            for chunk in log.chunks(size) {
                let mut events = Vec::new();
                parser.feed(chunk, offset, &mut events);
                offset += chunk.len() as u64;
                builds.apply(&batch(second(READ), events, false), &mut out);
            }
            let mut events = Vec::new();
            parser.finish(&mut events);
            builds.apply(&batch(second(READ), events, true), &mut out);
            assert_eq!(ids(&whole.spans), ids(&Seen::of(out).spans), "{name} in chunks of {size}");
        }
    }
}
