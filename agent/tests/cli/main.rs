//! The real binary: what it prints, and how it ends.
//!
//! Snapshots hold the output whole. What differs from machine to machine (ids made of inodes, the version) is
//! replaced before.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod bench;
mod caches;
mod configuration;
mod logs;
#[path = "../../../collectors/tests/integrity/modules.rs"]
mod modules;
mod program;
mod verify;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime};

/// When the recorded logs were "written".
const WRITTEN: Duration = Duration::from_secs(1_790_000_000);

/// The binary in an empty environment.
fn gobeacon(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gobeacon"));
    command.args(arguments).env_clear().env("HOME", "/nonexistent");
    command
}

/// Runs it to its end.
fn run(arguments: &[&str]) -> Output {
    gobeacon(arguments).stdin(Stdio::null()).output().unwrap()
}

/// Runs it in a folder with this on standard input.
fn run_with_input(arguments: &[&str], input: &[u8]) -> Output {
    let mut child =
        gobeacon(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // who ends early does not read all of it
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

/// A folder with the recorded logs, all written at one time.
struct Logs {
    folder: tempfile::TempDir,
}

impl Logs {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
        for name in ["build.log", "ok.json.log"] {
            let path = folder.path().join(name);
            std::fs::copy(data.join(name), &path).unwrap();
            let file = std::fs::File::options().write(true).open(&path).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + WRITTEN).unwrap();
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the binary in the folder.
    fn run(&self, arguments: &[&str]) -> Output {
        gobeacon(arguments).current_dir(self.folder.path()).stdin(Stdio::null()).output().unwrap()
    }
}

/// Exit code, standard output and standard error, for a snapshot.
fn shown(output: &Output) -> String {
    let code = output.status.code().map_or_else(|| output.status.to_string(), |code| code.to_string());
    let stdout = String::from_utf8(output.stdout.clone()).unwrap();
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    let text = format!("exit {code}\n--- stdout\n{stdout}--- stderr\n{stderr}");
    without_ids(&text).replace(env!("CARGO_PKG_VERSION"), "VERSION")
}

/// Words of 32 or 16 hexadecimal digits are ids.
fn without_ids(text: &str) -> String {
    let mut shown = String::new();
    let mut word = String::new();
    for c in text.chars().chain(['\n']) {
        if c.is_ascii_hexdigit() && !c.is_ascii_uppercase() {
            word.push(c);
            continue;
        }
        match word.len() {
            32 => shown.push_str("TRACE"),
            16 => shown.push_str("SPAN"),
            _ => shown.push_str(&word),
        }
        word.clear();
        shown.push(c);
    }
    shown.pop();
    shown
}
