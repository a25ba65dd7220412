//! GitHub Actions (and Gitea, Forgejo): seven decimals in front of each line, `##[...]` marks, `[command]`.
//!
//! `2024-05-01T12:00:00.1234567Z ##[group]Run go test ./...` opens the header of a step; the lines of its script
//! follow in cyan, then `shell:`, `env:`, `##[endgroup]`, then the output. `##[error]` stands in front of a line of
//! the output that a problem matcher has recognised, and in front of what the runner itself has to say. A log file begins with a byte order mark.
//! Source: actions/runner, `src/Runner.Common/Logging.cs`, `src/Runner.Worker/Handlers/ScriptHandler.cs`,
//! `src/Runner.Worker/Handlers/OutputManager.cs`.

use super::marks::{Mark, Marks};
use super::shell;
use super::stamps::{Shape, Stamp, Stamped};
use crate::line::LineTime;

/// The stamp of GitHub and of Azure.
pub(crate) const STAMP: Stamp = Stamp { peel, machine: true };

/// Exactly seven decimals, `Z` and one blank.
fn peel(line: &[u8], _: Option<Shape>) -> Option<Stamped<'_>> {
    const LENGTH: usize = "2024-05-01T12:00:00.1234567Z".len();
    let (stamp, rest) = line.split_at_checked(LENGTH)?;
    if stamp.get(19) != Some(&b'.') || super::timestamps::rfc3339(stamp)?.0.len() != LENGTH {
        return None;
    }
    let text = match rest.split_first() {
        None | Some((b'\r', _)) => rest,
        Some((b' ', text)) => text,
        Some(_) => return None,
    };
    Some(Stamped { time: LineTime::Rfc3339(stamp), text, ..Stamped::default() })
}

/// Where a stream is in the header of a step.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Script {
    /// Not in one.
    #[default]
    Outside,
    /// In one whose command is not known yet.
    Open,
    /// In one whose command is known.
    Named,
}

impl Script {
    /// Whether a line, its colours still on, is one of a script that the header lists.
    pub(crate) fn lists(self, line: &[u8]) -> bool {
        self != Self::Outside && line.starts_with(b"\x1b[36;1m")
    }

    /// Reads a line that the header lists: it is no output. The first go command names a step without one.
    pub(crate) fn listed<'a>(&mut self, line: &'a [u8]) -> Mark<'a> {
        let command = line.trim_ascii();
        if *self == Self::Open && shell::runs_go(command) {
            *self = Self::Named;
            return Mark::Command(command);
        }
        Mark::Own
    }
}

/// Reads a mark of GitHub.
pub(crate) fn mark<'a>(marks: &mut Marks, line: &'a [u8]) -> Mark<'a> {
    if let Some(command) = line.strip_prefix(b"[command]") {
        return if shell::runs_go(command) { Mark::Command(command.trim_ascii()) } else { Mark::Own };
    }
    let Some((name, text)) = annotation(line) else { return Mark::No };
    match name {
        b"group" => {
            let command = text.strip_prefix(b"Run ").map(<[u8]>::trim_ascii);
            let found = command.filter(|command| shell::runs_go(command));
            marks.script = match (command, found) {
                (Some(_), Some(_)) => Script::Named,
                (Some(_), None) => Script::Open,
                (None, _) => Script::Outside,
            };
            match (command, found) {
                (_, Some(command)) => Mark::Command(command),
                (Some(_), None) => Mark::End,
                (None, None) => Mark::Own,
            }
        }
        b"endgroup" => {
            marks.script = Script::Outside;
            Mark::Own
        }
        b"command" if shell::runs_go(text) => Mark::Command(text.trim_ascii()),
        b"error" | b"warning" | b"notice" if is_output(text) => Mark::Marked(text),
        // the verdict on a step
        b"error" if text.starts_with(b"Process completed with exit code") => Mark::End,
        b"command" | b"error" | b"warning" | b"notice" | b"debug" | b"add-matcher" | b"remove-matcher" => Mark::Own,
        _ => Mark::No,
    }
}

/// Whether a marked line is one of the output that a problem matcher found, and not a word of the runner or an action.
fn is_output(text: &[u8]) -> bool {
    const STARTS: &[&[u8]] = &[b"--- ", b"FAIL", b"panic: ", b"go: ", b"vet: ", b"# "];
    STARTS.iter().any(|start| text.trim_ascii_start().starts_with(start))
        || memchr::memmem::find(text, b".go:").is_some()
}

/// `##[name]text`.
pub(crate) fn annotation(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let body = line.strip_prefix(b"##[")?;
    let end = body.iter().take(32).position(|byte| *byte == b']')?;
    Some((body.get(..end)?, body.get(end + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_has_exactly_seven_decimals() {
        let text = |line: &'static str| peel(line.as_bytes(), None).map(|stamped| stamped.text);
        assert_eq!(text("2024-05-01T12:00:00.1234567Z ok"), Some(&b"ok"[..]));
        assert_eq!(text("2024-05-01T12:00:00.1234567Z  indented"), Some(&b" indented"[..]));
        assert_eq!(text("2024-05-01T12:00:00.1234567Z"), Some(&b""[..]));
        assert_eq!(text("2024-05-01T12:00:00.123456Z ok"), None);
        assert_eq!(text("2024-05-01T12:00:00.12345678Z ok"), None);
        assert_eq!(text("2024-05-01T12:00:00.1234567+01:00 ok"), None);
    }

    #[test]
    fn marks_are_commands_own_lines_or_marked_output() {
        let mut marks = Marks::default();
        let mut read = |line: &'static str| mark(&mut marks, line.as_bytes());
        assert_eq!(read("##[group]Run go test ./..."), Mark::Command(b"go test ./..."));
        assert_eq!(read("##[group]Run actions/checkout@v4"), Mark::End);
        assert_eq!(read("##[group]Operating System"), Mark::Own);
        assert_eq!(read("##[endgroup]"), Mark::Own);
        assert_eq!(read("[command]/opt/go/bin/go build"), Mark::Command(b"/opt/go/bin/go build"));
        assert_eq!(read("[command]/usr/bin/git version"), Mark::Own);
        assert_eq!(read("##[error]./main.go:5:3: undefined: x"), Mark::Marked(b"./main.go:5:3: undefined: x"));
        assert_eq!(read("##[error]Process completed with exit code 1."), Mark::End);
        assert_eq!(read("##[error]Bash exited with code '1'."), Mark::Own);
        assert_eq!(read("##[unknown]x"), Mark::No);
        assert_eq!(read("# corp.example/p"), Mark::No);
    }

    #[test]
    fn the_first_go_command_that_a_script_lists_names_a_step_whose_header_has_none() {
        let mut marks = Marks::default();
        assert_eq!(mark(&mut marks, b"##[group]Run set -e"), Mark::End);
        assert!(marks.script.lists(b"\x1b[36;1mgo vet ./...\x1b[0m"));
        assert_eq!(marks.script.listed(b"set -e"), Mark::Own);
        assert_eq!(marks.script.listed(b"go vet ./..."), Mark::Command(b"go vet ./..."));
        assert_eq!(marks.script.listed(b"go test ./..."), Mark::Own);
        mark(&mut marks, b"##[endgroup]");
        assert!(!marks.script.lists(b"\x1b[36;1mgo vet ./...\x1b[0m"));
    }
}
