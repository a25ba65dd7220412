//! The exit code is the one that a shell would show.

use std::os::unix::fs::PermissionsExt as _;

use super::{GOBEACON, bare, output, shell, text, wrapped};

#[test]
fn every_exit_code_is_passed_on() {
    for code in 0..=255 {
        let line = format!("exit {code}");
        assert_eq!(output(&mut wrapped(&["-q"], &shell(&line))).status.code(), Some(code));
    }
}

#[test]
fn death_by_a_signal_is_told_as_a_shell_tells_it() {
    // what ends a process: not CHLD, CONT, STOP, TSTP, TTIN, TTOU, URG, WINCH
    for signal in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 29, 30, 31, 34, 64] {
        let line = format!("ulimit -c 0; kill -{signal} $$");
        // a shell in between says what it makes of the signal
        let bare = output(&mut bare(&["bash", "-c", "sh -c \"$0\"; exit $?", &line])).status.code();
        let ours = output(&mut wrapped(&["-q"], &shell(&line))).status.code();
        assert_eq!((bare, ours), (Some(128 + signal), Some(128 + signal)), "signal {signal}");
    }
}

#[test]
fn what_cannot_be_run_ends_as_in_a_shell() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    std::fs::write(&plain, "echo never").unwrap();
    let not_found = output(&mut wrapped(&[], &["no-such-command-anywhere"]));
    assert_eq!(not_found.status.code(), Some(127));
    assert_eq!(text(&not_found.stderr), "gobeacon: no-such-command-anywhere: command not found\n");
    assert_eq!(output(&mut wrapped(&[], &["./no/such/file"])).status.code(), Some(127));
    assert_eq!(output(&mut wrapped(&[], &[folder.path().to_str().unwrap()])).status.code(), Some(126));
    assert_eq!(output(&mut wrapped(&[], &[plain.to_str().unwrap()])).status.code(), Some(126));
}

#[test]
fn a_script_that_does_not_say_what_runs_it_is_run_by_the_shell() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script");
    std::fs::write(&script, "echo \"$1\"; exit 5\n").unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let ran = output(&mut wrapped(&["-q"], &[script.to_str().unwrap(), "a b"]));
    assert_eq!((ran.status.code(), text(&ran.stdout)), (Some(5), "a b\n"));
}

#[test]
fn whoever_ignores_the_end_of_children_still_learns_the_exit_code() {
    let line = format!("trap '' CHLD; exec {GOBEACON} run -q -- sh -c 'exit 6'");
    assert_eq!(output(&mut bare(&shell(&line))).status.code(), Some(6));
}

#[test]
fn a_configuration_with_mistakes_does_not_keep_the_command_from_running() {
    let ran = output(wrapped(&["-q"], &shell("echo ran; exit 4")).env("GOBEACON_BUILD_IDLE_TIMEOUT", "soon"));
    assert_eq!((ran.status.code(), text(&ran.stdout)), (Some(4), "ran\n"));
    assert!(text(&ran.stderr).starts_with("gobeacon: the configuration is not used"), "{}", text(&ran.stderr));
}
