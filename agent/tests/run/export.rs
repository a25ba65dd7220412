//! What `--otlp` sends, and what happens when nobody takes it.

use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;

use super::otlp_receiver::{Answer, Receiver};
use super::{output, shell, text, wrapped};

/// A go command for those who do not have one: it prints what go prints.
const GO: &str = "#!/bin/sh\nprintf -- '--- FAIL: TestA (0.10s)\\n    a_test.go:7: no\\nFAIL\\nFAIL\\texample.com/a\\t0.200s\\nok  \\texample.com/b\\t0.300s\\nFAIL\\n'\nexit 1\n";

fn go(folder: &tempfile::TempDir) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.path().join("go");
    std::fs::write(&path, GO).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

fn attribute(span: &Span, key: &str) -> Option<Value> {
    let found = span.attributes.iter().find(|it| it.key == key)?;
    found.value.clone()?.value
}

#[test]
fn the_trace_of_the_command_is_exact_and_whole() {
    for protocol in ["grpc", "http/protobuf"] {
        let receiver = Receiver::start();
        let folder = tempfile::tempdir().unwrap();
        let url = format!("--otlp={}", receiver.url());
        let ran = output(&mut wrapped(&[&url, "--otlp-protocol", protocol], &[&go(&folder), "test", "./..."]));
        assert_eq!(ran.status.code(), Some(1), "{}", text(&ran.stderr));
        let spans: Vec<Span> = receiver.spans().into_iter().map(|(_, span)| span).collect();
        let roots: Vec<&Span> = spans.iter().filter(|span| span.parent_span_id.is_empty()).collect();
        assert_eq!(roots.len(), 1, "{spans:?}");
        let root = roots[0];
        assert_eq!(root.name, "go test");
        assert_eq!(attribute(root, "process.exit.code"), Some(Value::IntValue(1)));
        assert_eq!(attribute(root, "gobuild.confidence"), Some(Value::StringValue("exact".to_owned())));
        assert!(spans.len() > 2, "{spans:?}");
        for span in &spans {
            assert_eq!(span.trace_id, root.trace_id);
            assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
            let parent = spans.iter().find(|it| it.span_id == span.parent_span_id).unwrap_or(root);
            assert!(span.start_time_unix_nano >= parent.start_time_unix_nano, "{} in {}", span.name, parent.name);
            assert!(span.end_time_unix_nano <= parent.end_time_unix_nano, "{} in {}", span.name, parent.name);
        }
    }
}

#[test]
fn a_receiver_that_refuses_is_named_and_changes_no_exit_code() {
    let receiver = Receiver::start();
    receiver.answer(Answer::Http(400, Vec::new()));
    let folder = tempfile::tempdir().unwrap();
    let url = format!("--otlp={}", receiver.url());
    let ran = output(&mut wrapped(&[&url, "--otlp-protocol=http/protobuf", "-q"], &[&go(&folder), "test"]));
    assert_eq!(ran.status.code(), Some(1));
    assert!(text(&ran.stderr).contains("gobeacon: not delivered: "), "{}", text(&ran.stderr));
}

#[test]
fn a_receiver_that_is_not_there_is_waited_for_within_bounds() {
    let address = Receiver::start().address();
    let folder = tempfile::tempdir().unwrap();
    let begin = Instant::now();
    let url = format!("--otlp=http://{address}");
    let mut run = wrapped(&[&url, "-q"], &[&go(&folder), "test"]);
    let ran = output(run.env("GOBEACON_SHUTDOWN_TIMEOUT", "300ms"));
    assert_eq!(ran.status.code(), Some(1));
    assert!(text(&ran.stderr).contains("gobeacon: not delivered: "), "{}", text(&ran.stderr));
    assert!(begin.elapsed() < Duration::from_secs(20));
}

#[test]
fn without_an_endpoint_the_command_runs_and_it_is_said() {
    let ran = output(&mut wrapped(&["--otlp", "-q"], &shell("echo ran; exit 9")));
    assert_eq!((ran.status.code(), text(&ran.stdout)), (Some(9), "ran\n"));
    let said = text(&ran.stderr);
    assert!(said.contains("nothing can be sent") && said.contains("the command runs all the same"), "{said}");
}
