//! parse, explain and replay.

use std::io::Write;
use std::process::Stdio;

use crate::{Logs, gobeacon, run, run_with_input, shown};

#[test]
fn parse_prints_one_event_a_line_for_people_and_for_programs() {
    let logs = Logs::new();
    insta::assert_snapshot!("parse_text", shown(&logs.run(&["parse", "build.log"])));
    insta::assert_snapshot!("parse_json", shown(&logs.run(&["parse", "--format", "json", "build.log"])));
}

#[test]
fn parse_names_the_log_unless_it_is_standard_input() {
    let line = b"go: downloading golang.org/x/text v0.3.0\n";
    let output = run_with_input(&["parse", "--format", "json", "-"], line);
    assert!(output.status.success());
    let event: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(event["kind"], "module.download");
    assert_eq!(event.get("log"), None);
}

#[test]
fn a_log_that_is_not_there_is_said_and_the_others_are_read() {
    let logs = Logs::new();
    let output = logs.run(&["parse", "--format", "json", "missing.log", "ok.json.log"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("gobeacon: cannot read missing.log: "));
    assert!(output.stdout.split(|b| *b == b'\n').count() > 10);
}

#[test]
fn a_log_that_is_compressed_with_gzip_is_read_as_the_log_in_it() {
    let logs = Logs::new();
    let plain = std::fs::read(logs.path("build.log")).unwrap();
    let (first, second) = plain.split_at(plain.len() / 2);
    // gzip files may be put one behind the other
    let packed = [gzip(first), gzip(second)].concat();
    std::fs::write(logs.path("build.log.gz"), &packed).unwrap();
    for arguments in [["parse", "--format", "json"], ["explain", "--format", "text"], ["replay", "--format", "json"]] {
        let stdin = |bytes: &[u8]| run_with_input(&[arguments.as_slice(), &["-"]].concat(), bytes);
        let (of_plain, of_packed) = (stdin(&plain), stdin(&packed));
        assert!(of_packed.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&of_packed.stderr));
        let events = |output: &std::process::Output| output.stdout.split(|b| *b == b'\n').count();
        assert!(events(&of_plain) > 1);
        assert_eq!(events(&of_plain), events(&of_packed), "{arguments:?}");
        assert!(logs.run(&[arguments.as_slice(), &["build.log.gz"]].concat()).status.success());
    }
    assert_eq!(run_with_input(&["parse", "-"], &plain).stdout, run_with_input(&["parse", "-"], &packed).stdout,);
}

#[test]
fn a_gzip_file_that_is_cut_off_is_said() {
    let logs = Logs::new();
    let packed = gzip(&std::fs::read(logs.path("build.log")).unwrap());
    std::fs::write(logs.path("cut.gz"), &packed[..packed.len() / 2]).unwrap();
    let output = logs.run(&["parse", "cut.gz"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("gobeacon: cannot read cut.gz: "));
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

#[test]
fn content_never_makes_parse_fail() {
    let mut hostile: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    hostile.extend(b"\n{\"Action\":\"pass\",\"Package\":\"p\"}\n{\"Action\":");
    let output = run_with_input(&["parse", "--format", "json", "-"], &hostile);
    assert!(output.status.success());
    assert!(output.stderr.is_empty());
}

#[test]
fn explain_says_what_failed_where_why_and_what_to_do() {
    let logs = Logs::new();
    insta::assert_snapshot!("explain", shown(&logs.run(&["explain", "build.log"])));
    insta::assert_snapshot!("explain_ok", shown(&logs.run(&["explain", "ok.json.log"])));
    insta::assert_snapshot!("explain_nothing", shown(&run_with_input(&["explain"], b"hello\nworld\n")));
    insta::assert_snapshot!("explain_json", pretty(&logs.run(&["explain", "--format", "json", "build.log"]).stdout));
}

#[test]
fn explain_judges_by_its_exit_code_only_when_it_is_asked_to() {
    let logs = Logs::new();
    let code = |arguments: &[&str]| logs.run(arguments).status.code();
    assert_eq!(code(&["explain", "build.log"]), Some(0));
    assert_eq!(code(&["explain", "--exit-code", "build.log"]), Some(1));
    assert_eq!(code(&["explain", "--exit-code", "ok.json.log"]), Some(0));
}

#[test]
fn an_explanation_is_at_most_a_screen_however_much_failed() {
    let mut log = Vec::new();
    for command in 0..300 {
        log.extend(format!("+ go build ./c{command}\n# example.com/p{command}\n").into_bytes());
        for line in 1..10 {
            log.extend(format!("p{command}.go:{line}:1: undefined: x{line}\n").into_bytes());
        }
    }
    let output = run_with_input(&["explain", "-"], &log);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("standard input: 300 go commands, 300 failed\n"), "{text}");
    assert!(text.lines().count() <= 40, "{text}");
    assert!(text.ends_with("--all shows everything\n"), "{text}");
}

#[test]
fn replay_shows_each_build_as_a_waterfall_or_as_json() {
    let logs = Logs::new();
    insta::assert_snapshot!("replay_text", shown(&logs.run(&["replay", "build.log"])));
    let output = logs.run(&["replay", "--format", "json", "build.log"]);
    let lines: Vec<_> = output.stdout.split(|b| *b == b'\n').filter(|line| !line.is_empty()).collect();
    assert_eq!(lines.len(), 4);
    insta::assert_snapshot!("replay_json_of_go_test", pretty(lines[2]));
}

#[test]
fn a_replay_of_the_same_log_makes_the_same_ids() {
    let logs = Logs::new();
    let once = || logs.run(&["replay", "--format", "json", "build.log"]).stdout;
    assert_eq!(once(), once());
}

#[test]
fn a_replay_to_nobody_fails_and_says_so() {
    let logs = Logs::new();
    let mut command = gobeacon(&["replay", "--otlp-endpoint", "http://127.0.0.1:1", "build.log"]);
    // the backend is away: what the deadline leaves is lost, and said
    command.env("GOBEACON_SHUTDOWN_TIMEOUT", "200ms").current_dir(logs.path("."));
    let output = command.stdin(Stdio::null()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("gobeacon: delivered 0 spans and 0 log events"), "{stderr}");
    assert!(stderr.contains("gobeacon: not delivered: "), "{stderr}");
}

#[test]
fn a_reader_that_goes_away_ends_a_command_silently() {
    let logs = Logs::new();
    let many: Vec<_> = std::iter::repeat_n(logs.path("ok.json.log"), 2_000).collect();
    for arguments in [&["parse", "--format", "json"][..], &["replay"][..], &["config", "schema"][..], &["man"][..]] {
        let mut command = gobeacon(arguments);
        if ["parse", "replay"].contains(&arguments[0]) {
            command.args(&many);
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {:?}", output.status);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
    }
}

#[test]
fn a_folder_is_no_log() {
    let output = run(&["parse", "/"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("gobeacon: cannot read /: "));
}

/// One JSON object over many lines, without ids.
fn pretty(json: &[u8]) -> String {
    let value: serde_json::Value = serde_json::from_slice(json).unwrap();
    crate::without_ids(&serde_json::to_string_pretty(&value).unwrap())
}
