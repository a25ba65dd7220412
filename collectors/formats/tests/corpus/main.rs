//! The golden corpus: what the go command really printed, against what a perfect parser reports of it.
//!
//! Every recorded stream is parsed bare and wrapped in every framing, each in chunks cut at seeded random places. The
//! rules of scoring are those of `testdata/README.md`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod cases;
mod random;
mod score;
mod wrap;

use cases::Stream;
use gobeacon_formats::{Event, Parser};
use random::Random;
use score::Score;
use serde_json::Value;
use wrap::{WRAPPERS, Wrapper};

/// The share of expected events that a wrapped log must give.
const WRAPPED_ACCURACY: f64 = 0.998;

/// The events of a log in one chunk.
fn parse(log: &[u8]) -> Vec<Event> {
    let (mut parser, mut out) = (Parser::new(), Vec::new());
    parser.feed(log, 0, &mut out);
    parser.finish(&mut out);
    out
}

/// The events of a log cut at random places.
fn parse_cut(log: &[u8], random: &mut Random) -> Vec<Event> {
    let (mut parser, mut out) = (Parser::new(), Vec::new());
    let mut at = 0;
    while at < log.len() {
        let end = (at + 1 + random.below(200)).min(log.len());
        parser.feed(&log[at..end], at as u64, &mut out);
        at = end;
    }
    parser.finish(&mut out);
    out
}

fn json(events: &[Event]) -> Vec<Value> {
    events.iter().map(|event| serde_json::to_value(event).unwrap()).collect()
}

/// What an event says, without where and when: framing changes those.
fn meanings(events: &[Event]) -> Vec<String> {
    let meaning = |event: &Event| serde_json::to_string(&event.kind).unwrap();
    events.iter().filter(|event| event.kind.name() != "command.started").map(meaning).collect()
}

#[test]
fn every_recorded_stream_gives_exactly_the_events_of_its_label() {
    let mut score = Score::default();
    for stream in cases::streams() {
        score.add(&stream, &json(&parse(&stream.bytes)));
    }
    assert!(score.streams > 1000, "the corpus is there: {} streams", score.streams);
    assert!(score.is_perfect(), "{score}");
}

#[test]
fn every_recorded_stream_gives_the_same_events_wherever_it_is_cut() {
    let mut random = Random::new(1);
    for stream in cases::distinct() {
        assert_eq!(parse_cut(&stream.bytes, &mut random), parse(&stream.bytes), "{stream}");
    }
}

/// Scores one wrapper; says which streams gave other events than bare.
fn score_wrapped(wrapper: &Wrapper, seed: u64) -> (Score, Vec<String>) {
    let (mut score, mut differ) = (Score::default(), Vec::new());
    let mut random = Random::new(seed);
    for stream in cases::distinct() {
        let wrapped = (wrapper.wrap)(&stream, &mut random);
        let events = parse_cut(&wrapped, &mut random);
        let (want, got) = (meanings(&parse(&stream.bytes)), meanings(&events));
        if want != got {
            let mut lines = vec![format!("{} {stream}", wrapper.name)];
            lines.extend(want.iter().filter(|event| !got.contains(event)).map(|event| format!("   lost  {event}")));
            lines.extend(got.iter().filter(|event| !want.contains(event)).map(|event| format!("   extra {event}")));
            differ.push(lines.join("\n"));
        }
        for event in &events {
            assert!((event.offset as usize) < wrapped.len() && event.lines > 0, "{} {stream}", wrapper.name);
        }
        score.add(&stream, &json(&events));
    }
    (score, differ)
}

#[test]
fn a_wrapped_log_gives_the_events_of_the_bare_one() {
    let mut failed = Vec::new();
    for (n, wrapper) in WRAPPERS.iter().enumerate() {
        let (score, differ) = score_wrapped(wrapper, n as u64 + 2);
        println!("{:32} accuracy {:.4}, {} streams differ from bare", wrapper.name, score.accuracy(), differ.len());
        if score.accuracy() < WRAPPED_ACCURACY {
            failed.push(format!("{}\n{score}", wrapper.name));
        }
        failed.extend(differ);
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn a_wrapped_log_says_which_go_command_ran_and_when() {
    let mut random = Random::new(7);
    let stream = Stream::of(b"ok  \tcorp.example/p\t0.1s\n");
    for wrapper in WRAPPERS.iter().filter(|wrapper| wrapper.echoes) {
        let events = parse(&(wrapper.wrap)(&stream, &mut random));
        let commands: Vec<_> = events.iter().filter(|event| event.kind.name() == "command.started").collect();
        assert_eq!(commands.len(), 1, "{}: {events:?}", wrapper.name);
        let command = serde_json::to_value(commands[0]).unwrap();
        assert_eq!(command["command"], "go test ./...", "{}", wrapper.name);
        assert_eq!(command["time"].is_string(), wrapper.times, "{}: {command}", wrapper.name);
    }
}
