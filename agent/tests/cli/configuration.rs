//! `gobeacon config`.

use std::process::Output;

use crate::{gobeacon, run, shown};

/// Checks a file with this text, under a name that is the same everywhere.
fn check(text: &str, env: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("agent.yaml"), text).unwrap();
    let mut command = gobeacon(&["config", "check", "agent.yaml"]);
    command.current_dir(folder.path()).env("GOBEACON_STATE_DIR", "/var/lib/gobeacon").envs(env.iter().copied());
    command.output().unwrap()
}

#[test]
fn the_example_passes_the_check() {
    let example = run(&["config", "example"]);
    assert!(example.status.success());
    let output = check(&String::from_utf8(example.stdout).unwrap(), &[]);
    insta::assert_snapshot!(shown(&output));
}

#[test]
fn check_says_what_would_be_followed_and_exported_and_no_secret() {
    let text = "logs:\n  include: [/var/log/pods/*/*/*.log]\n  exclude: ['**/gobeacon/**']\notlp:\n  \
                endpoint: https://user:hunter2@collector:4317\n  headers: {authorization: hunter2}\n  logs: false\n";
    let output = check(text, &[("GOBEACON_LISTEN", ":9000")]);
    assert!(!shown(&output).contains("hunter2"));
    insta::assert_snapshot!(shown(&output));
}

#[test]
fn the_standard_variables_of_opentelemetry_are_heard() {
    let output = check("", &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")]);
    assert!(shown(&output).contains("to http://collector:4318/v1/traces by http/protobuf"), "{}", shown(&output));
}

#[test]
fn mistakes_in_the_file_are_shown_in_their_place_and_end_with_2() {
    let output = check("listen: 127.0.0.1:1\nbuild:\n  idle_timeot: 1m\n", &[]);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(shown(&output));
}

#[test]
fn mistakes_in_variables_are_all_said_and_end_with_2() {
    let output = check("", &[("GOBEACON_BUILD_MAX_SPANS", "x"), ("GOBEACON_LOG_FORMAT", "xml")]);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(shown(&output));
}

#[test]
fn a_pattern_that_cannot_be_understood_ends_with_2() {
    let output = check("logs:\n  include: ['/var/log/[.log']\n", &[]);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(shown(&output));
}

#[test]
fn a_file_that_is_not_there_ends_with_2() {
    let output = run(&["config", "check", "--config", "/nonexistent/agent.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot read the configuration file /nonexistent/agent"));
}

#[test]
fn the_schema_is_json_and_knows_every_section() {
    let schema: serde_json::Value = serde_json::from_slice(&run(&["config", "schema"]).stdout).unwrap();
    for section in ["logs", "build", "otlp", "log"] {
        assert_eq!(schema["properties"][section]["additionalProperties"], false, "{section}");
    }
}
