//! Signals that are sent to us reach the command; those that are ignored stay ignored.

use std::io::{Read as _, Write as _};
use std::process::Command;

use rustix::process::Signal;

use super::{GOBEACON, Running, bare, output, shell, text, wrapped};

/// Wrapped, in a session of its own: no terminal of the tester has a part in it.
fn away_from_terminals(command: &[&str]) -> Command {
    let mut away = Command::new("setsid");
    // what the tester's surroundings ignore (nohup) is ignored by all below them, unless it is asked for
    away.args(["env", "--default-signal", GOBEACON, "run", "-q", "--"]).args(command);
    away
}

#[test]
fn each_signal_that_is_sent_to_us_reaches_the_command() {
    let signals = [
        (Signal::TERM, "TERM"),
        (Signal::INT, "INT"),
        (Signal::HUP, "HUP"),
        (Signal::QUIT, "QUIT"),
        (Signal::USR1, "USR1"),
        (Signal::USR2, "USR2"),
        (Signal::ALARM, "ALRM"),
        (Signal::WINCH, "WINCH"),
    ];
    for (signal, name) in signals {
        let line = format!("trap 'echo got {name}; exit 7' {name}; echo ready; while :; do sleep 0.02; done");
        let mut running = Running::ready(&mut away_from_terminals(&shell(&line)));
        running.send(signal);
        assert_eq!((running.line(), running.code()), (format!("got {name}\n"), Some(7)));
    }
}

#[test]
fn a_command_that_does_not_care_is_ended_by_the_signal() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
        let mut running = Running::ready(&mut away_from_terminals(&shell("echo ready; exec sleep 60")));
        running.send(signal);
        assert_eq!((running.line(), running.code()), (String::new(), Some(code)));
    }
}

#[test]
fn a_signal_gets_through_while_the_command_floods_its_output() {
    let line = "trap 'exit 9' TERM; echo ready; while :; do echo 0123456789012345678901234567890123456789; done";
    let mut running = Running::ready(&mut away_from_terminals(&shell(line)));
    running.send(Signal::TERM);
    let mut rest = Vec::new();
    running.says.read_to_end(&mut rest).unwrap();
    assert_eq!(running.code(), Some(9));
}

#[test]
fn a_hang_up_that_is_ignored_stays_ignored_for_both() {
    let line = format!("trap '' HUP; exec {GOBEACON} run -q -- sh -c 'echo ready; read word; echo $word'");
    let mut running = Running::ready(&mut bare(&shell(&line)));
    running.send(Signal::HUP);
    running.child.stdin.as_mut().unwrap().write_all(b"still here\n").unwrap();
    assert_eq!((running.line(), running.code()), ("still here\n".to_owned(), Some(0)));
}

#[test]
#[cfg(target_os = "linux")]
fn the_command_begins_with_the_signals_that_it_would_have_had() {
    for before in ["", "trap '' HUP INT USR1;"] {
        let masks = |exec: &str| {
            let line = format!("{before} exec {exec} grep -E '^Sig(Ign|Blk|Cgt)' /proc/self/status");
            output(&mut bare(&shell(&line))).stdout
        };
        let (bare, ours) = (masks(""), masks(&format!("{GOBEACON} run -q --")));
        assert_eq!(text(&ours), text(&bare), "{before}");
        assert!(text(&bare).contains("SigIgn:"));
    }
}

#[test]
fn one_signal_is_one_signal() {
    let line = "n=0; trap 'n=$((n+1))' USR1; trap 'echo $n; exit 0' TERM; echo ready; while :; do sleep 0.02; done";
    let mut running = Running::ready(wrapped(&["-q"], &shell(line)).env("LC_ALL", "C"));
    running.send(Signal::USR1);
    running.send(Signal::TERM);
    assert_eq!((running.line(), running.code()), ("1\n".to_owned(), Some(0)));
}
