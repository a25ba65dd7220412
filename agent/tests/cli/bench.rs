//! A short bench: the shape of what it says, and counts that are the truth.

use serde_json::Value;

use crate::run;

#[test]
fn a_short_bench_counts_the_truth_and_says_everything_that_it_measured() {
    let arguments = ["--size", "2MB", "--lines-per-job", "800", "--peers", "none", "--probes", "2", "--load", "200kB"];
    let more = ["--files", "3", "--idle", "100ms", "--silence", "100ms", "--format", "json"];
    let output = run(&[&["bench"][..], &arguments, &more].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    assert_eq!(output.status.code(), Some(0), "{report:#}");
    let truth = &report["log"];
    assert!(truth["bytes"].as_u64().unwrap() >= 2_000_000);
    for row in report["throughput"].as_array().unwrap() {
        for name in ["lines", "downloads", "tests", "failed", "packages"] {
            assert_eq!(row["counts"][name], truth[name], "{name} of {}", row["name"]);
        }
    }
    assert!(report["spans"]["spans"].as_u64().unwrap() > 1_000);
    insta::assert_snapshot!("bench_shape", shape(&report, 0));
}

#[test]
fn an_unknown_peer_is_a_mistake_of_the_command_line_that_names_the_known_ones() {
    let output = run(&["bench", "--peers", "mtial"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("mtail, rsyslog, fluent-bit, vector"));
}

#[test]
fn a_log_of_a_seed_is_written_with_the_truth_about_it() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str| {
        let path = folder.path().join(name);
        let output = run(&["bench", "--size", "100kB", "--seed", "7", "--write-log", path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(0));
        (std::fs::read_to_string(path).unwrap(), serde_json::from_slice::<Value>(&output.stdout).unwrap())
    };
    let (log, truth) = write("a.log");
    assert_eq!((log.lines().count() as u64, log.ends_with('\n')), (truth["lines"].as_u64().unwrap(), true));
    assert_eq!((log, truth), write("b.log"));
}

/// Names and kinds of values: those of a list once, numbers as what they are.
fn shape(value: &Value, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) => {
            fields.iter().map(|(name, of)| format!("\n{indent}{name}:{}", shape(of, depth + 1))).collect()
        }
        Value::Array(items) => items.iter().map(|of| format!("\n{indent}-{}", shape(of, depth + 1))).collect(),
        Value::Number(_) => " number".to_owned(),
        Value::String(text) => format!(" {}", text.replace(env!("CARGO_PKG_VERSION"), "VERSION")),
        Value::Bool(_) | Value::Null => format!(" {value}"),
    }
}
