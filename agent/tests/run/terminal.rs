//! On a terminal the command has a terminal: `script` makes one.

use std::io::{BufRead, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Stdio};

use super::{GOBEACON, with_default_signals};

/// A terminal with a shell script on it.
struct Terminal {
    folder: tempfile::TempDir,
}

impl Terminal {
    /// `child.sh` is the command.
    fn with(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("child.sh"), script).unwrap();
        Self { folder }
    }

    fn child(&self) -> PathBuf {
        self.folder.path().join("child.sh")
    }

    /// Runs `before`, then the command, wrapped or not, on the terminal.
    fn start(&self, before: &str, wrapped: bool) -> Child {
        let wrap = if wrapped { format!("{GOBEACON} run -q -- ") } else { String::new() };
        let line = format!("stty cols 77 rows 21; {before} {wrap}sh {}", self.child().display());
        let mut script = with_default_signals("script");
        script.args(["--quiet", "--return", "--command", &line, "/dev/null"]).current_dir(&self.folder);
        script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
    }

    /// Runs it to its end: exit code and what the terminal got. The terminal is open until then.
    fn run(&self, before: &str, wrapped: bool) -> (Option<i32>, String) {
        let mut child = self.start(before, wrapped);
        let keyboard = child.stdin.take();
        let ended = child.wait_with_output().unwrap();
        drop(keyboard);
        (ended.status.code(), String::from_utf8_lossy(&ended.stdout).into_owned())
    }

    /// Bare and wrapped give this.
    #[track_caller]
    fn gives(&self, before: &str, code: i32, text: &str) {
        let (bare, ours) = (self.run(before, false), self.run(before, true));
        assert_eq!(ours, bare);
        assert_eq!(ours, (Some(code), text.to_owned()));
    }
}

#[test]
fn all_three_streams_are_terminals_and_colours_and_line_ends_are_untouched() {
    let terminal = Terminal::with(
        "[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && printf '\\033[31mred\\033[0m\\nplain\\r\\tx\\n'; echo err >&2; exit 3",
    );
    terminal.gives("", 3, "\u{1b}[31mred\u{1b}[0m\r\nplain\r\tx\r\nerr\r\n");
}

#[test]
fn the_size_of_the_window_is_the_one_of_the_terminal() {
    Terminal::with("stty size <&1; stty size <&2; stty size").gives("", 0, "21 77\r\n21 77\r\n21 77\r\n");
}

#[test]
fn a_window_that_changes_its_size_tells_the_command_and_the_command_sees_the_new_size() {
    // the size is asked for in a loop: the command may hear of it from the terminal before we do
    let terminal = Terminal::with(
        "exec 3>&1; trap 'changed=1' WINCH; : >ready; while [ -z \"$changed\" ]; do sleep 0.02; done
        while [ \"$(stty size <&3)\" = '21 77' ]; do sleep 0.02; done; stty size <&1",
    );
    let resize = "(while [ ! -e ready ]; do sleep 0.02; done; rm ready; stty cols 99 rows 33 </dev/tty) &";
    terminal.gives(resize, 0, "33 99\r\n");
}

#[test]
fn a_key_of_the_terminal_reaches_the_command_once() {
    let terminal = Terminal::with(
        "n=0; trap 'n=$((n+1))' INT; echo ready; while [ $n = 0 ]; do sleep 0.02; done; sleep 0.5; echo got $n; exit 5",
    );
    for wrapped in [false, true] {
        let mut child = terminal.start("trap : INT;", wrapped);
        let mut keyboard = child.stdin.take().unwrap();
        let mut screen = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        screen.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\r\n");
        keyboard.write_all(b"\x03").unwrap();
        line.clear();
        screen.read_line(&mut line).unwrap();
        assert_eq!((line.trim_start_matches("^C"), child.wait().unwrap().code()), ("got 1\r\n", Some(5)));
    }
}

#[test]
fn a_line_that_is_typed_reaches_the_command() {
    let terminal = Terminal::with("stty -echo; echo ready; read word; echo \"<$word>\"");
    let mut child = terminal.start("", true);
    let mut keyboard = child.stdin.take().unwrap();
    let mut screen = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    screen.read_line(&mut line).unwrap();
    keyboard.write_all(b"typed\r").unwrap();
    line.clear();
    screen.read_line(&mut line).unwrap();
    assert_eq!((line.as_str(), child.wait().unwrap().code()), ("<typed>\r\n", Some(0)));
}

#[test]
fn output_into_a_pipe_is_a_pipe_though_errors_go_to_the_terminal() {
    let terminal = Terminal::with("[ -t 1 ] || echo pipe >&2; [ -t 2 ] && echo terminal >&2; echo through");
    let line = format!("{GOBEACON} run -q -- sh {} | cat", terminal.child().display());
    let mut script = with_default_signals("script");
    script.args(["--quiet", "--return", "--command", &line, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = script.spawn().unwrap();
    let keyboard = child.stdin.take();
    let ended = child.wait_with_output().unwrap();
    drop(keyboard);
    let mut lines: Vec<_> = std::str::from_utf8(&ended.stdout).unwrap().lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["pipe", "terminal", "through"]);
}
