//! Commands as shells echo them: `+ go test ./...` (`sh -x`), `$ go build` (GitLab, Buildkite, npm).
//!
//! Whether a command line runs the go command is decided here for every framing: assignments, `env` and the like may
//! stand before it, it may have a path, it may be one of several commands. Programs that run go themselves
//! (gotestsum, make) are not go commands.

use super::marks::{Mark, Marks};

/// Reads an echo of a shell.
pub(crate) fn mark<'a>(_: &mut Marks, line: &'a [u8]) -> Mark<'a> {
    let command = match line.split_first() {
        Some((b'$', rest)) => rest,
        Some((b'+', _)) => {
            let depth = line.iter().take_while(|byte| **byte == b'+').count();
            line.get(depth..).unwrap_or_default()
        }
        Some(_) | None => return Mark::No,
    };
    match command.strip_prefix(b" ").map(<[u8]>::trim_ascii) {
        Some(command) if runs_go(command) => Mark::Command(without_note(command)),
        Some(_) | None => Mark::No,
    }
}

/// GitLab says behind the first line of a command that it left out the rest.
fn without_note(command: &[u8]) -> &[u8] {
    command.strip_suffix(b" # collapsed multi-line command").unwrap_or(command)
}

/// Whether a command line runs the go command.
pub(crate) fn runs_go(command: &[u8]) -> bool {
    let mut words = Words { rest: command.get(..LONGEST).unwrap_or(command) };
    let mut at_start = true;
    while let Some(word) = words.next() {
        match word {
            b"&&" | b"||" | b";" | b"|" | b"(" | b"{" => at_start = true,
            _ if !at_start => at_start = word.ends_with(b";"),
            // `env -u NAME`
            b"-u" => drop(words.next()),
            _ if is_assignment(word) || PREFIXES.contains(&word) || is_argument_of_prefix(word) => {}
            _ if is_go(word) => return words.next().is_some_and(|word| subcommand(word, &mut words)),
            _ => at_start = word.ends_with(b";"),
        }
    }
    false
}

/// How much of a command line is looked at, in bytes.
const LONGEST: usize = 4096;

/// Programs that run the command behind them, and words of the shell that may stand before one.
const PREFIXES: &[&[u8]] =
    &[b"env", b"exec", b"time", b"command", b"sudo", b"nice", b"nohup", b"timeout", b"then", b"do", b"if", b"!"];

/// The subcommands of the go command. Source: `go help` of 1.27.
const SUBCOMMANDS: &[&[u8]] = &[
    b"bug",
    b"build",
    b"clean",
    b"doc",
    b"env",
    b"fix",
    b"fmt",
    b"generate",
    b"get",
    b"install",
    b"list",
    b"mod",
    b"run",
    b"telemetry",
    b"test",
    b"tool",
    b"version",
    b"vet",
    b"work",
];

/// `-C DIR` may stand before the subcommand.
fn subcommand(word: &[u8], words: &mut Words<'_>) -> bool {
    let word = match word {
        b"-C" => words.nth(1).unwrap_or_default(),
        _ if word.starts_with(b"-C=") => words.next().unwrap_or_default(),
        _ => word,
    };
    let end = word.iter().rposition(|byte| !matches!(byte, b';' | b')')).map_or(0, |at| at + 1);
    SUBCOMMANDS.contains(&word.get(..end).unwrap_or_default())
}

/// `go`, `go.exe`, `go1.22.3`, with or without a path.
fn is_go(word: &[u8]) -> bool {
    let name = word.rsplit(|byte| matches!(byte, b'/' | b'\\')).next().unwrap_or_default();
    let name = name.strip_suffix(b".exe").unwrap_or(name);
    match name.strip_prefix(b"go") {
        Some([]) => true,
        Some(version @ [b'1'..=b'9', ..]) => version.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'.'),
        Some(_) | None => false,
    }
}

/// `NAME=value`.
fn is_assignment(word: &[u8]) -> bool {
    let name = word.split(|byte| *byte == b'=').next().unwrap_or_default();
    name.len() < word.len()
        && name.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// A flag or a number, as `nice -n 5`, `timeout -k 5s 10m` and `env -u NAME` take them.
fn is_argument_of_prefix(word: &[u8]) -> bool {
    word.starts_with(b"-") || word.first().is_some_and(u8::is_ascii_digit)
}

/// The words of a command line; quotes hold a word together and are not part of it where they enclose it.
struct Words<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest.trim_ascii_start();
        if let Some((b'(' | b'{', after)) = rest.split_first() {
            self.rest = after;
            return rest.get(..1);
        }
        let (mut quote, mut length) = (None, 0);
        for byte in rest {
            match (quote, byte) {
                (None, b' ' | b'\t' | b'\n') => break,
                (None, b'\'' | b'"') => quote = Some(byte),
                (Some(open), _) if open == byte => quote = None,
                (Some(_) | None, _) => {}
            }
            length += 1;
        }
        let (word, after) = rest.split_at_checked(length)?;
        self.rest = after;
        let inner = match word {
            [b'\'', inner @ .., b'\''] | [b'"', inner @ .., b'"'] => inner,
            _ => word,
        };
        (!word.is_empty()).then_some(inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_that_runs_go_is_told_from_one_that_does_not() {
        for yes in [
            "go test ./...",
            "GOFLAGS=-mod=mod go build",
            "GOFLAGS='-mod=mod -v' CGO_ENABLED=0 go build ./cmd/x",
            "env X=1 go test",
            "env -u GOFLAGS -i go test",
            "/usr/local/go/bin/go test",
            "\"C:\\Program Files\\Go\\bin\\go.exe\" vet ./...",
            "go1.22.3 version",
            "go -C sub build",
            "cd sub && go test ./...",
            "cd sub; go test ./...",
            "(cd sub && time go test)",
            "sudo -E nice -n 5 timeout 10m go test -race",
            "set -e; go mod download",
            "go mod tidy;",
        ] {
            assert!(runs_go(yes.as_bytes()), "{yes}");
        }
        for no in [
            "gotestsum -- ./...",
            "make test",
            "echo go test",
            "go",
            "go away",
            "golangci-lint run",
            "gopher build",
            "docker run golang go test",
            "cat go.mod",
            "'go test'",
            "git commit -m 'x && go test'",
            "",
        ] {
            assert!(!runs_go(no.as_bytes()), "{no}");
        }
    }

    #[test]
    fn an_echo_is_read_at_any_depth_and_without_its_prompt() {
        let mut marks = Marks::default();
        for (line, want) in [
            ("+ go test ./...", "go test ./..."),
            ("++ go list", "go list"),
            ("$ go build", "go build"),
            ("$ go test ./... # collapsed multi-line command", "go test ./..."),
            ("+ GOFLAGS=-mod=mod go build", "GOFLAGS=-mod=mod go build"),
        ] {
            assert_eq!(mark(&mut marks, line.as_bytes()), Mark::Command(want.as_bytes()), "{line}");
        }
        for line in ["+go test", "+\tgo test", "+ gotestsum", "$go build", "+", "$", "++"] {
            assert_eq!(mark(&mut marks, line.as_bytes()), Mark::No, "{line}");
        }
    }
}
