//! How the agent ends, and how it does not begin.

use std::net::TcpListener;
use std::process::Stdio;

use rustix::process::Signal;

use crate::otlp_receiver::{Answer, Receiver};
use crate::program::{Agent, command};

const BUILD: &str = "+ go build ./...\ngo: downloading corp.example/lib v1.0.0\n+ go version\n";

/// The names of the spans that have arrived when an agent that has read a build and half of one has ended.
fn names_at_the_end(state: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::start());
    std::fs::write(folder.path().join("a.log"), BUILD).unwrap();
    let url = receiver.url();
    let arguments = ["--otlp-endpoint", &url, "--otlp-protocol", "http/protobuf"];
    let mut agent = Agent::start_with_state(folder.path(), &folder.path().join(state), &arguments, variables);
    agent.wait_for_line("gobeacon_log_lines_total 3");
    agent.signal(Signal::TERM);
    assert_eq!(agent.ended().code(), Some(0), "{}", agent.said());
    receiver.spans().into_iter().map(|(_, span)| span.name).collect()
}

#[test]
fn sigterm_exports_what_was_read_and_ends_with_0() {
    assert_eq!(names_at_the_end("state", &[]), ["module download", "go build", "go version"]);
}

#[test]
fn sigterm_leaves_what_is_open_to_the_next_start_where_it_is_told_to_and_can_remember() {
    let keep = [("GOBEACON_BUILD_ON_SHUTDOWN", "keep")];
    assert_eq!(names_at_the_end("state", &keep), ["module download", "go build"]);
    assert_eq!(names_at_the_end("a.log", &keep), ["module download", "go build", "go version"]);
}

#[test]
fn sigint_without_anything_to_export_to_ends_with_0() {
    let folder = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(folder.path(), &[], &[]);
    agent.signal(Signal::INT);
    assert_eq!(agent.ended().code(), Some(0), "{}", agent.said());
    assert_eq!(agent.said().matches("no traces and log events are exported").count(), 1, "{}", agent.said());
}

#[test]
fn a_backend_that_never_answers_holds_the_end_up_to_the_deadline_and_no_longer() {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::start());
    receiver.answer(Answer::Hang);
    std::fs::write(folder.path().join("a.log"), BUILD).unwrap();
    let arguments = ["--otlp-endpoint", &receiver.url(), "--otlp-protocol", "http/protobuf"];
    let mut agent = Agent::start(folder.path(), &arguments, &[("GOBEACON_SHUTDOWN_TIMEOUT", "1s")]);
    agent.wait_for_line("gobeacon_log_lines_total 3");
    agent.signal(Signal::TERM);
    assert_eq!(agent.ended().code(), Some(0), "{}", agent.said());
    assert!(agent.said().contains("is kept on disk for the next start"), "{}", agent.said());
    assert!(!agent.said().contains("is lost"), "{}", agent.said());
    drop(agent);

    // the next start sends it, though the log is gone
    std::fs::remove_file(folder.path().join("a.log")).unwrap();
    receiver.answer(Answer::Ok);
    let _agent = Agent::start(folder.path(), &arguments, &[]);
    receiver.wait_for_spans(2);
    let names: Vec<_> = receiver.spans().iter().map(|(_, span)| span.name.clone()).collect();
    assert!(names.contains(&"go build".to_owned()) && names.contains(&"module download".to_owned()), "{names:?}");
}

#[test]
fn without_a_spool_what_a_dead_backend_did_not_take_is_lost_and_said() {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::start());
    receiver.answer(Answer::Hang);
    std::fs::write(folder.path().join("a.log"), BUILD).unwrap();
    let arguments = ["--otlp-endpoint", &receiver.url(), "--otlp-protocol", "http/protobuf"];
    let variables = [("GOBEACON_SHUTDOWN_TIMEOUT", "1s"), ("GOBEACON_OTLP_SPOOL_BYTES", "0")];
    let mut agent = Agent::start(folder.path(), &arguments, &variables);
    agent.wait_for_line("gobeacon_log_lines_total 3");
    agent.signal(Signal::TERM);
    assert_eq!(agent.ended().code(), Some(0), "{}", agent.said());
    assert!(agent.said().contains("data was not exported before the deadline and is lost"), "{}", agent.said());
}

#[test]
fn a_second_signal_ends_the_agent_at_once_with_128_and_its_number() {
    for (second, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::start());
        receiver.answer(Answer::Hang);
        std::fs::write(folder.path().join("a.log"), BUILD).unwrap();
        let arguments = ["--otlp-endpoint", &receiver.url(), "--otlp-protocol", "http/protobuf"];
        let mut agent = Agent::start(folder.path(), &arguments, &[("GOBEACON_SHUTDOWN_TIMEOUT", "1h")]);
        agent.wait_for_line("gobeacon_log_lines_total 3");
        agent.signal(Signal::TERM);
        // it has something to export, and is on its way down
        receiver.wait_for_begun(1);
        agent.wait_until_it_says("the agent stops");
        agent.signal(second);
        assert_eq!(agent.ended().code(), Some(code), "{}", agent.said());
    }
}

#[test]
fn a_port_in_use_is_said_in_a_sentence() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = command(&["--listen", &address], &[]).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    let sentence = format!(
        "gobeacon: cannot listen on {address}: another program has this port: stop it, or choose another with --listen\n"
    );
    assert!(said.ends_with(&sentence), "{said}");
}

#[test]
fn a_glob_that_cannot_be_understood_is_a_mistake_of_the_configuration() {
    let output = command(&["--listen", "off", "--logs", "/a/{b"], &[]).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_state_folder_that_cannot_be_written_is_a_warning_and_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a-file");
    std::fs::write(&file, "").unwrap();
    for wrong in [file.clone(), file.join("below")] {
        let mut agent = Agent::start_with_state(folder.path(), &wrong, &[], &[]);
        let words = "the state folder cannot be written";
        let said = agent.wait_until_it_says(words);
        let warning = said.lines().find(|line| line.contains(words)).unwrap();
        assert!(warning.contains("WARN") && warning.contains(wrong.to_str().unwrap()), "{warning}");
        agent.signal(Signal::TERM);
        assert_eq!(agent.ended().code(), Some(0));
    }
}

#[test]
fn a_state_folder_that_is_missing_is_made_and_only_its_lock_is_in_it_while_there_is_nothing_to_remember() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("a/b");
    let mut agent = Agent::start_with_state(folder.path(), &state, &[], &[]);
    let names: Vec<_> = std::fs::read_dir(&state).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(names, ["journal.lock"]);
    agent.signal(Signal::TERM);
    assert_eq!(agent.ended().code(), Some(0), "{}", agent.said());
    assert!(!agent.said().contains("state folder"), "{}", agent.said());
}
