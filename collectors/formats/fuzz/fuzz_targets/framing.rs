//! Lines in a framing, cut anywhere: the same events as in one chunk, and no panic.
//!
//! The input is lines of any bytes; its first two bytes choose what stands in front of each and where the log is cut,
//! so that the fuzzer need not find out what a time stamp looks like.
#![no_main]

use gobeacon_formats::{Event, Parser};
use libfuzzer_sys::fuzz_target;

/// What stands in front of each line; the last ones vary from line to line.
const FRAMES: &[&[&str]] = &[
    &[""],
    &["2024-05-01T12:00:00.123456789Z stdout F ", "2024-05-01T12:00:00Z stderr P ", "2024-05-01T12:00:01Z stdout P "],
    &["2024-05-01T12:00:00.1234567Z ", "2024-05-01T12:00:00.1234567Z ##[group]Run ", "2024-05-01T12:00:00.1234567Z ##["],
    &["2024-05-01T12:00:00.123456Z 00O ", "2024-05-01T12:00:00.123456Z 00O+", "2024-05-01T12:00:00.123456Z 01E+"],
    &["[2024-05-01T12:00:00.123Z] ", "[Pipeline] ", "12:00:01  "],
    &["\x1b_bk;t=1714564800123\x07", "\x1b[8mha:////", "section_start:1:a\r\x1b[0K"],
    &["2024-05-01 12:00:00 ", "2024-05-01 12:00:00  ", ""],
    &["{\"log\":\"", "{\"time\":\"2024-05-01T12:00:00Z\",\"log\":\"\\n", "{"],
    &["2024-05-01T12:00:00Z stdout F 2024-05-01T12:00:00.1234567Z ", "2024-05-01T12:00:00Z stdout F "],
    &["+ ", "$ ", "+ env A=b go test "],
];

/// What ends a docker object that a frame has opened.
const DOCKER_END: &[u8] = b"\",\"stream\":\"stdout\",\"time\":\"2024-05-01T12:00:00Z\"}";

fuzz_target!(|data: &[u8]| {
    let [frame, step, lines @ ..] = data else { return };
    let Some(frames) = FRAMES.get(usize::from(*frame) % FRAMES.len()) else { return };
    let mut log = Vec::new();
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let first = usize::from(line.first().copied().unwrap_or(0));
        let frame = frames.get(first % frames.len()).copied().unwrap_or_default();
        log.extend_from_slice(frame.as_bytes());
        match line.strip_suffix(b"\n") {
            Some(body) if frame.contains("\"log\"") => log.extend_from_slice(&[body, DOCKER_END, b"\n"].concat()),
            Some(_) | None => log.extend_from_slice(line),
        }
    }
    let (whole, counts) = parse(&log, log.len().max(1));
    let (cut, cut_counts) = parse(&log, usize::from(*step).max(1));
    assert_eq!(whole, cut);
    assert_eq!(counts, cut_counts);
});

fn parse(log: &[u8], step: usize) -> (Vec<Event>, gobeacon_formats::LineCounts) {
    let (mut parser, mut out, mut offset) = (Parser::new(), Vec::new(), 0);
    for chunk in log.chunks(step) {
        parser.feed(chunk, offset, &mut out);
        offset += chunk.len() as u64;
        assert!(parser.open_from().is_none_or(|open| open <= offset));
    }
    parser.finish(&mut out);
    (out, parser.counts())
}
