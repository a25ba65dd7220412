//! Recorded JSON output of seven Go versions, and the events that it gives.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::path::{Path, PathBuf};

use gobeacon_formats::{Event, EventKind, Parser};

fn recordings() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/json");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    paths.sort();
    assert!(paths.len() > 50, "the recordings are gone");
    let read = |path: PathBuf| (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap());
    paths.into_iter().map(read).collect()
}

fn parse(chunks: impl IntoIterator<Item = impl AsRef<[u8]>>) -> (Vec<Event>, Parser) {
    let (mut parser, mut events, mut offset) = (Parser::new(), Vec::new(), 0);
    for chunk in chunks {
        parser.feed(chunk.as_ref(), offset, &mut events);
        offset += chunk.as_ref().len() as u64;
    }
    parser.finish(&mut events);
    (events, parser)
}

fn kinds(events: &[Event]) -> Vec<EventKind> {
    events.iter().map(|event| event.kind.clone()).collect()
}

#[test]
fn each_recording_gives_its_events() {
    for (name, bytes) in recordings() {
        let (events, parser) = parse([&bytes]);
        let lines: Vec<String> = events.iter().map(|event| serde_json::to_string(&event.kind).unwrap()).collect();
        insta::assert_snapshot!(name.clone(), lines.join("\n"));
        assert_eq!(parser.counts().forgotten, 0, "{name}");
        assert_eq!(parser.open_from(), None, "{name}: all is said at the end");
    }
}

#[test]
fn bytes_cut_anywhere_give_the_same_events() {
    for (name, bytes) in recordings() {
        let (whole, _) = parse([&bytes]);
        assert_eq!(parse(bytes.chunks(1)).0, whole, "{name}");
    }
}

#[test]
fn objects_that_another_tool_has_written_anew_give_the_same_events() {
    let mut rewritten = 0;
    for (name, bytes) in recordings() {
        let mut anew = Vec::new();
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            match serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(line) {
                Ok(object) if object.contains_key("Action") => {
                    // sorted keys and blanks: nothing that the scanner accepts
                    let members: Vec<String> =
                        object.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
                    anew.extend_from_slice(format!("{{ {} }}\n", members.join(", ")).as_bytes());
                    rewritten += 1;
                }
                Ok(_) | Err(_) => anew.extend_from_slice(line),
            }
        }
        assert_eq!(kinds(&parse([&anew]).0), kinds(&parse([&bytes]).0), "{name}");
    }
    assert!(rewritten > 1000);
}

#[test]
fn an_event_has_the_time_and_offset_of_the_line_that_completed_it() {
    let log = concat!(
        r#"{"Time":"2026-11-20T23:00:00Z","Action":"start","Package":"a"}"#,
        "\ngo: downloading example.com/x v1.0.0\n",
        r#"{"Time":"2026-11-20T23:00:01Z","Action":"fail","Package":"a","Test":"T","Elapsed":0.5}"#,
        "\n",
        r#"{"Time":"2026-11-20T23:00:02Z","Action":"fail","Package":"a","Elapsed":1}"#,
        "\n",
    );
    let (events, _) = parse([log]);
    let seen: Vec<_> = events.iter().map(|e| (e.kind.name(), e.time.map(|t| t.to_string()), e.offset)).collect();
    let starts: Vec<u64> = log.match_indices("{\"Time").map(|(at, _)| at as u64).collect();
    let at = |second| Some(format!("2026-11-20T23:00:0{second}Z"));
    assert_eq!(
        seen,
        [
            ("module.download", None, 63),
            ("test.case", at(1), starts[1]),
            ("failure", at(1), starts[1]),
            ("test.package", at(2), starts[2]),
        ]
    );
}

#[test]
fn a_replay_from_open_from_gives_what_was_held() {
    for (name, bytes) in recordings() {
        let half = bytes.len() / 2;
        let (mut parser, mut first) = (Parser::new(), Vec::new());
        parser.feed(&bytes[..half], 0, &mut first);
        let from = parser.open_from().unwrap_or(half as u64);
        let mut rest = Vec::new();
        parser.feed(&bytes[half..], half as u64, &mut rest);
        parser.finish(&mut rest);
        let (mut second, mut replayed) = (Parser::new(), Vec::new());
        second.feed(&bytes[from as usize..], from, &mut replayed);
        second.finish(&mut replayed);
        for event in rest {
            assert!(replayed.contains(&event), "{name}: {event:?} is lost by a restart at {from}");
        }
    }
}
