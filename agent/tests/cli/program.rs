//! The program around the commands: help, version, completions, manual pages, usage.

use crate::{run, shown};

#[test]
fn help_reads_well() {
    insta::assert_snapshot!("help", shown(&run(&["--help"])));
    insta::assert_snapshot!("help_short", shown(&run(&["-h"])));
}

#[test]
fn version_is_the_name_and_the_version() {
    let output = run(&["--version"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with(&format!("gobeacon {}", env!("CARGO_PKG_VERSION"))), "{text}");
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn a_wrong_command_line_ends_with_2_and_says_what_was_meant() {
    let output = run(&["explian", "x"]);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(shown(&output));
    assert_eq!(run(&["parse", "--format", "xml"]).status.code(), Some(2));
    assert_eq!(run(&[]).status.code(), Some(2));
}

#[test]
fn every_shell_gets_completions_that_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = run(&["completions", shell]);
        assert!(output.status.success(), "{shell}");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("explain") && text.contains("replay"), "{shell}");
    }
}

#[test]
fn the_manual_has_a_page_for_each_command() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("man1");
    assert!(run(&["man", "--dir", dir.to_str().unwrap()]).status.success());
    for page in ["gobeacon.1", "gobeacon-parse.1", "gobeacon-config-check.1"] {
        let text = std::fs::read_to_string(dir.join(page)).unwrap();
        assert!(text.contains(".TH"), "{page}");
    }
    assert!(run(&["man"]).stdout.starts_with(b".ie"));
}
