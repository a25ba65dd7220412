//! Framing as a whole: what goes in as a wrapped log comes out as its bare lines.

use super::*;
use crate::Timestamp;
use crate::lines::Lines;

/// What a log is without its framing, one string a line: `out text`, `err text`, `run command`; beside it how often a
/// command was said to have ended.
#[derive(Default)]
struct Seen {
    lines: Vec<String>,
    times: Vec<Option<Timestamp>>,
    places: Vec<(u64, u32)>,
    ends: usize,
}

impl Seen {
    fn push(&mut self, kind: &str, line: &Line<'_>, text: &[u8]) {
        self.lines.push(format!("{kind} {}", String::from_utf8_lossy(text)));
        self.times.push(line.time.timestamp());
        self.places.push((line.offset, line.lines));
    }
}

impl Sink for Seen {
    fn line(&mut self, line: &Line<'_>) {
        assert!(!line.text.contains(&b'\n'), "a line holds no line end");
        let kind = if line.tag == Tag::Out { "out" } else { "err" };
        self.push(kind, line, line.text);
    }

    fn command(&mut self, line: &Line<'_>, command: &[u8]) {
        self.push("run", line, command);
    }

    fn command_ended(&mut self) {
        self.ends += 1;
    }
}

fn read(log: &str) -> Seen {
    let (mut lines, mut framer, mut seen) = (Lines::default(), Framer::default(), Seen::default());
    lines.feed(log.as_bytes(), 0, |raw| framer.line(&raw, &mut seen));
    lines.finish(|raw| framer.line(&raw, &mut seen));
    framer.finish(&mut seen);
    assert_eq!(framer.open_from(), None, "nothing is held at the end");
    seen
}

fn lines(log: &str) -> Vec<String> {
    read(log).lines
}

#[test]
fn every_framing_has_a_name_of_its_own() {
    let names: std::collections::BTreeSet<_> = FRAMINGS.iter().map(|framing| framing.name).collect();
    assert_eq!(names.len(), FRAMINGS.len());
}

#[test]
fn parts_of_a_cri_line_are_joined_for_each_stream() {
    let log = "2024-05-01T12:00:00.1Z stdout P FA\n2024-05-01T12:00:00.2Z stderr P go: down\n\
               2024-05-01T12:00:00.3Z stdout F IL\n2024-05-01T12:00:00.4Z stderr F loading\n\
               2024-05-01T12:00:00.5Z stdout P tail";
    let seen = read(log);
    assert_eq!(seen.lines, ["out FAIL", "err go: downloading", "out tail"]);
    assert_eq!(seen.places, [(0, 2), (35, 2), (151, 1)]);
    assert_eq!(seen.times[0], Timestamp::parse_rfc3339(b"2024-05-01T12:00:00.1Z"));
}

#[test]
fn github_within_cri_comes_off_in_one_pass_and_the_inner_time_counts() {
    let log = "2024-05-01T12:00:09Z stdout F 2024-05-01T12:00:00.1234567Z ##[group]Run go test ./...\n\
               2024-05-01T12:00:09Z stdout F 2024-05-01T12:00:00.1234567Z \x1b[36;1mgo test ./...\x1b[0m\n\
               2024-05-01T12:00:09Z stdout F 2024-05-01T12:00:00.1234567Z ##[endgroup]\n\
               2024-05-01T12:00:09Z stdout F 2024-05-01T12:00:00.1234567Z ok  \tp\t0.1s\n";
    let seen = read(log);
    assert_eq!(seen.lines, ["run go test ./...", "out ok  \tp\t0.1s"]);
    assert_eq!(seen.times[1], Timestamp::parse_rfc3339(b"2024-05-01T12:00:00.1234567Z"));
}

#[test]
fn docker_objects_of_a_split_line_are_joined() {
    let log = r#"{"log":"a\t","stream":"stdout","time":"2024-05-01T12:00:00Z"}
{"log":"\u003cb\u003e\n","stream":"stdout","time":"2024-05-01T12:00:01Z"}
{"log":"c\r\n","stream":"stderr","time":"2024-05-01T12:00:02Z"}
{"log":"no newline","stream":"stdout","time":"2024-05-01T12:00:02Z"}
"#;
    assert_eq!(lines(log), ["out a\t<b>", "err c", "out no newline"]);
}

#[test]
fn gitlab_sections_prompts_and_stamps_come_off() {
    let plain = "\x1b[0KRunning with gitlab-runner 17.0.0\x1b[0;m\n\
                 section_start:1714564800:step_script\r\x1b[0K\x1b[0K\x1b[36;1mExecuting\x1b[0;m\n\
                 \x1b[32;1m$ go test ./...\x1b[0;m\nok  \tp\t0.1s\n\
                 \tp2\t\tsection_end:1714564801:step_script\r\x1b[0K\n";
    let want = ["out Running with gitlab-runner 17.0.0", "out Executing", "run go test ./...", "out ok  \tp\t0.1s"];
    assert_eq!(lines(plain)[..4], want);
    assert_eq!(lines(plain)[4..], ["out \tp2\t\t"]);
    assert_eq!(read(plain).ends, 2);
    let stamped: String = plain.lines().map(|line| format!("2024-05-01T12:00:00.123456Z 00O {line}\n")).collect();
    assert_eq!(lines(&stamped), lines(plain));
}

#[test]
fn a_gitlab_line_that_goes_on_is_joined_and_progress_is_overprinted() {
    let log = "2024-05-01T12:00:00.000001Z 01O FAIL\t\n2024-05-01T12:00:00.000002Z 01E 10%\r\n\
               2024-05-01T12:00:00.000003Z 01O+p\t0.1s\n2024-05-01T12:00:00.000004Z 01E+done\n\
               2024-05-01T12:00:00.000005Z 01O next\n";
    assert_eq!(lines(log), ["out FAIL\tp\t0.1s", "out next", "err done"]);
}

#[test]
fn jenkins_is_read_with_stamps_from_the_start_or_from_its_middle() {
    let stamped = "[2024-05-01T12:00:00.123Z] + go test ./...\n[2024-05-01T12:00:01.123Z] ok  \tp\t0.1s\n";
    assert_eq!(lines(stamped), ["run go test ./...", "out ok  \tp\t0.1s"]);
    let later =
        format!("Started by user \x1b[8mha:////AB==\x1b[0madmin\n[Pipeline] sh\n+ set -e\n{stamped}[Pipeline] }}\n");
    assert_eq!(lines(&later), ["out Started by user admin", "out + set -e", "run go test ./...", "out ok  \tp\t0.1s"]);
    assert_eq!(lines("12:00:00  + go test\n12:00:01  ok\n"), ["run go test", "out ok"]);
    let rest = "[2024-05-01T12:00:01.123Z] ok  \tp\t0.1s\n[Pipeline] }\nERROR: script returned exit code 1\n";
    assert_eq!(lines(rest), ["out ok  \tp\t0.1s", "out ERROR: script returned exit code 1"]);
    let clock = "Started by timer\n12:00:00  + go test\n[Pipeline] sh\n12:00:01  ok\nFinished: SUCCESS\n12:00:02  a\n";
    assert_eq!(lines(clock)[1..], ["run go test", "out ok", "out Finished: SUCCESS", "out 12:00:02  a"]);
}

#[test]
fn buildkite_sequences_headers_and_prompt_come_off() {
    let log = "\x1b_bk;t=1714564800123\x07~~~ Running commands\r\n\
               \x1b_bk;t=1714564800124\x07\x1b[90m$\x1b[0m go test ./...\r\n\
               \x1b_bk;t=1714564800125\x07--- FAIL: TestA (0.00s)\r\n\
               \x1b_bk;t=1714564800126\x07--- :go: again\r\n";
    let seen = read(log);
    assert_eq!(seen.lines, ["run go test ./...", "out --- FAIL: TestA (0.00s)"]);
    assert_eq!(seen.times[0], Timestamp::parse_rfc3339(b"2024-05-01T12:00:00.124Z"));
}

#[test]
fn azure_marks_are_taken_off_and_swallowed() {
    let log = "\u{feff}2024-05-01T12:00:00.1234567Z ##[section]Starting: test\n\
               2024-05-01T12:00:00.1234567Z ##[command]/usr/bin/go test ./...\n\
               2024-05-01T12:00:00.1234567Z ##[error]./a.go:1:2: undefined: x\n";
    assert_eq!(lines(log), ["run /usr/bin/go test ./...", "out ./a.go:1:2: undefined: x"]);
}

#[test]
fn what_a_test_prints_in_a_bare_log_stays_as_it_is() {
    for spoof in [
        "2026-01-01T00:00:00Z --- FAIL: TestX (0.00s)",
        "2026-01-01T00:00:00Z stdout F --- FAIL: TestX (0.00s)",
        "2026-01-01T00:00:00.1234567Z FAIL\tp\t0.1s",
        "2026-01-01T00:00:00.123456Z 00O FAIL\tp\t0.1s",
        "[2026-01-01T00:00:00.123Z] FAIL\tp\t0.1s",
        "12:00:00 FAIL\tp\t0.1s",
        r#"{"log":"FAIL\tp\t0.1s\n","stream":"stdout","time":"2026-01-01T00:00:00Z"}"#,
    ] {
        let inside = format!("=== RUN   TestA\n{}ok  \tp\t0.1s\n", format!("{spoof}\n").repeat(100));
        let want: Vec<_> = inside.lines().map(|line| format!("out {line}")).collect();
        assert_eq!(lines(&inside), want, "in the middle: {spoof}");
        let first = format!("{spoof}\nok  \tp\t0.1s\n{spoof}\n");
        let want: Vec<_> = first.lines().map(|line| format!("out {line}")).collect();
        assert_eq!(lines(&first), want, "as the first line: {spoof}");
    }
}

#[test]
fn a_log_whose_program_prints_stamps_at_first_is_bare_from_its_first_bare_line() {
    let log = format!("{}ok  \tp\t0.1s\n2026-01-01T00:00:00Z FAIL\tp\t1s\n", "2026-01-01T00:00:00Z x\n".repeat(6));
    assert_eq!(lines(&log)[6..], ["out ok  \tp\t0.1s", "out 2026-01-01T00:00:00Z FAIL\tp\t1s"]);
}

#[test]
fn lines_without_the_stamp_within_a_stamped_log_are_kept_as_they_are() {
    let stamp = "2024-05-01T12:00:00.1234567Z ";
    let log = format!("{}torn\nlines\n{stamp}ok  \tp\t0.1s\n", format!("{stamp}x\n").repeat(8));
    assert_eq!(lines(&log)[8..], ["out torn", "out lines", "out ok  \tp\t0.1s"]);
}

#[test]
fn the_first_lines_are_given_out_when_the_log_is_idle() {
    let (mut cutter, mut framer, mut seen) = (Lines::default(), Framer::default(), Seen::default());
    let log = b"2024-05-01T12:00:00Z stdout F 2024-05-01T12:00:00.1234567Z ok  \tp\t0.1s\n";
    cutter.feed(log, 0, |raw| framer.line(&raw, &mut seen));
    assert_eq!((seen.lines.len(), framer.open_from()), (0, Some(0)));
    framer.idle(&mut seen);
    assert_eq!((seen.lines, framer.open_from()), (vec!["out ok  \tp\t0.1s".to_owned()], None));
}

#[test]
fn a_cri_log_that_never_ends_its_parts_is_held_within_the_bound() {
    let part = format!("2024-05-01T12:00:00.1Z stdout P {}\n", "x".repeat(16 << 10));
    let (mut cutter, mut framer, mut seen) = (Lines::default(), Framer::default(), Seen::default());
    for n in 0..1000 {
        cutter.feed(part.as_bytes(), n * part.len() as u64, |raw| framer.line(&raw, &mut seen));
    }
    assert_eq!((seen.lines.len(), framer.open_from()), (0, Some(0)));
    framer.finish(&mut seen);
    assert_eq!(seen.lines.len(), 1);
    assert_eq!(seen.lines[0].len(), crate::lines::MAX_LINE_BYTES + "out ".len());
    assert_eq!((framer.truncated(), seen.places[0]), (1, (0, 1000)));
}
