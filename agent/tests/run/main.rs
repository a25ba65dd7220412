//! `gobeacon run`, the real binary: nobody can tell that it stands between.
//!
//! Most tests run a command twice, bare and wrapped, and compare. They need `sh`, `bash`, `script` and `stty`, as every
//! Debian has, and `go`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod exits;
mod export;
mod go;
#[path = "../support/otlp_receiver.rs"]
mod otlp_receiver;
mod signals;
mod streams;
mod terminal;

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

const GOBEACON: &str = env!("CARGO_BIN_EXE_gobeacon");

/// The command, wrapped.
fn wrapped(options: &[&str], command: &[&str]) -> Command {
    let mut wrapped = with_default_signals(GOBEACON);
    wrapped.arg("run").args(options).arg("--").args(command);
    wrapped
}

/// The command as it is.
fn bare(command: &[&str]) -> Command {
    let mut bare = with_default_signals(command[0]);
    bare.args(&command[1..]);
    bare
}

/// Whoever runs the tests may ignore signals (nohup), and what is ignored is inherited.
fn with_default_signals(program: &str) -> Command {
    let mut command = Command::new("env");
    command.args(["--default-signal", program]);
    command
}

/// A line of shell.
fn shell(line: &str) -> [&str; 3] {
    ["sh", "-c", line]
}

/// To its end, without input.
fn output(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// A command that runs, without a terminal, and what it says.
struct Running {
    child: Child,
    says: BufReader<ChildStdout>,
}

impl Running {
    /// Starts it, and waits until it says `ready`.
    fn ready(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let says = BufReader::new(child.stdout.take().unwrap());
        let mut running = Self { child, says };
        assert_eq!(running.line(), "ready\n");
        running
    }

    /// The next line; empty at the end.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.says.read_line(&mut line).unwrap();
        line
    }

    fn send(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Its exit code, once it has ended.
    fn code(mut self) -> Option<i32> {
        drop(self.child.stdin.take());
        self.child.wait().unwrap().code()
    }
}
