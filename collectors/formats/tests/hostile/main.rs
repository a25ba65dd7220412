//! Logs that nobody would write by accident: whatever comes, one parser holds at most [`BOUND`] bytes.
//!
//! Memory is what the process holds, so one test runs at a time.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod memory;

use std::sync::Mutex;

use gobeacon_formats::{Event, LineCounts, Parser};

/// What one parser may hold, in bytes: the carried line, the joined line of each stream and the copy that escapes are
/// taken off, each of a mebibyte in a buffer that may be twice as large, and the state of the dialects. The allocator
/// keeps some of what was freed, and the events of one chunk come on top.
const BOUND: usize = 32 << 20;

/// Held by the test that runs.
static ALONE: Mutex<()> = Mutex::new(());

const CHUNK: usize = 1 << 20;

/// Feeds `chunks` chunks of a log that `make` writes and throws the events away as the agent would; returns how many
/// there were, and the counts.
fn feed(chunks: usize, mut make: impl FnMut(usize, &mut Vec<u8>)) -> (usize, LineCounts) {
    let _alone = ALONE.lock();
    let (mut chunk, mut out) = (Vec::with_capacity(2 * CHUNK), Vec::<Event>::new());
    let (mut parser, mut offset, mut events) = (Parser::new(), 0, 0);
    let before = memory::resident();
    for n in 0..chunks {
        chunk.clear();
        make(n, &mut chunk);
        parser.feed(&chunk, offset, &mut out);
        offset += chunk.len() as u64;
        events += out.len();
        out = Vec::new();
        let held = memory::resident().saturating_sub(before);
        assert!(held <= BOUND, "{held} bytes are held after {offset} bytes of the log");
    }
    parser.finish(&mut out);
    (events + out.len(), parser.counts())
}

/// A log that begins with `head` and goes on with `rest` for ever.
fn endless(chunks: usize, head: &str, rest: &[u8]) -> (usize, LineCounts) {
    feed(chunks, |n, chunk| {
        if n == 0 {
            chunk.extend_from_slice(head.as_bytes());
        }
        while chunk.len() < CHUNK {
            chunk.extend_from_slice(rest);
        }
    })
}

#[test]
fn a_line_of_a_gigabyte_is_one_truncated_line() {
    let (_, counts) = endless(1024, "", b"0123456789abcdef");
    assert_eq!((counts.lines, counts.truncated), (1, 1));
}

#[test]
fn an_endless_line_that_begins_like_an_event_or_a_frame_is_held_within_the_bound() {
    for head in [
        "--- FAIL: TestA (0.00s) ",
        "FAIL\tcorp.example/p\t0.1s",
        "go: downloading corp.example/m v1.0.0",
        "go: corp.example/m@v1.0.0: ",
        "# corp.example/p",
        "panic: ",
        "verifying corp.example/m@v1.0.0: checksum mismatch",
        "+ go test ",
        "##[group]Run go test ",
        "{\"Time\":\"2024-05-01T12:00:00Z\",\"Action\":\"output\",\"Package\":\"p\",\"Output\":\"",
        "{\"log\":\"",
        "{\n\t\"Path\": \"",
        "2024-05-01T12:00:00Z stdout F ",
        "2024-05-01T12:00:00.123456Z 00O ",
        "\x1b]0;",
        "\x1b[8mha:",
    ] {
        let (_, counts) = endless(4, head, b"x/y ");
        assert_eq!(counts.truncated, 1, "{head}");
    }
}

#[test]
fn endless_escapes_nuls_and_carriage_returns_are_held_within_the_bound() {
    for rest in [
        "\x1b[31m",
        "\x1b]0;",
        "\x1b",
        "\x1b[8mha:",
        "\0",
        "\r",
        "\r\x1b[0K",
        "section_end:1:a\r\x1b[0K",
        "\x1b_bk;t=1\x07",
    ] {
        endless(2, "", rest.as_bytes());
        // as lines of their own, and a few thousand of them in a line
        feed(1, |_, chunk| chunk.extend_from_slice(format!("{rest}\n").repeat(20_000).as_bytes()));
        feed(1, |_, chunk| chunk.extend_from_slice(format!("{}\n", rest.repeat(5_000)).repeat(4).as_bytes()));
    }
}

#[test]
fn random_bytes_are_held_within_the_bound() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    feed(16, |_, chunk| {
        while chunk.len() < CHUNK {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            chunk.extend_from_slice(&state.to_le_bytes());
        }
    });
}

#[test]
fn parts_of_a_line_that_never_ends_are_held_within_the_bound_and_counted_once_a_stream() {
    let text = "x".repeat(1000);
    for (parts, streams) in [
        (format!("2024-05-01T12:00:00Z stdout P {text}\n2024-05-01T12:00:00Z stderr P {text}\n"), 2),
        (format!("{{\"log\":\"{text}\",\"stream\":\"stdout\",\"time\":\"2024-05-01T12:00:00Z\"}}\n"), 1),
        (format!("2024-05-01T12:00:00.123456Z 00O+{text}\n2024-05-01T12:00:00.123456Z 00E+{text}\n"), 2),
    ] {
        let (_, counts) = endless(8, "", parts.as_bytes());
        assert_eq!(counts.truncated, streams, "{}", &parts[..40]);
    }
}

#[test]
fn a_log_that_spoofs_results_in_stamps_gives_none() {
    let spoof = "2026-01-01T00:00:00Z --- FAIL: TestX (0.00s)\n2026-01-01T00:00:00Z FAIL\tcorp.example/p\t0.1s\n\
                 2026-01-01T00:00:00Z stdout F FAIL\tcorp.example/p\t0.1s\n[2026-01-01T00:00:00.123Z] FAIL\tp\t1s\n";
    let head = "=== RUN   TestA\n";
    assert_eq!(endless(1, head, spoof.as_bytes()).0, 0);
}
