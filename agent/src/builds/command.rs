//! Which go command an echoed line runs.
//!
//! A line such as `cd src && GOFLAGS=-mod=mod go build ./... && go test ./...` holds several; each is an
//! [`Invocation`] with its words. This is no shell: what it cannot read it passes over. Words are redacted as soon
//! as they are cut, so that nothing behind this module sees a secret.
//!
//! Invariant: a name comes from a closed list, whatever the line says.

use serde::Serialize;

use super::redact;

/// The closed set of the `subcommand` label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Subcommand {
    Build,
    Test,
    Vet,
    Install,
    Run,
    Mod,
    List,
    Generate,
    /// Every other go command, and those that the log does not name.
    Other,
}

impl Subcommand {
    /// All of them: the label's values.
    pub(crate) const ALL: [Self; 9] = [
        Self::Build,
        Self::Test,
        Self::Vet,
        Self::Install,
        Self::Run,
        Self::Mod,
        Self::List,
        Self::Generate,
        Self::Other,
    ];

    /// Its name in labels.
    pub(crate) const fn id(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Test => "test",
            Self::Vet => "vet",
            Self::Install => "install",
            Self::Run => "run",
            Self::Mod => "mod",
            Self::List => "list",
            Self::Generate => "generate",
            Self::Other => "other",
        }
    }

    /// The one that a span name such as `go mod download` stands for.
    pub(crate) fn of_name(name: &str) -> Self {
        let word = name.split(' ').nth(1).unwrap_or("");
        Self::ALL.into_iter().find(|subcommand| subcommand.id() == word).unwrap_or(Self::Other)
    }
}

/// Names that a root span can have, with the words behind `go`. Longer ones first: the first that fits is taken.
/// The subcommands are those of `go help` in Go 1.21 to 1.27, the tools those that ship with it.
const NAMES: &[&str] = &[
    "go mod download",
    "go mod edit",
    "go mod graph",
    "go mod init",
    "go mod tidy",
    "go mod vendor",
    "go mod verify",
    "go mod why",
    "go mod",
    "go work edit",
    "go work init",
    "go work sync",
    "go work use",
    "go work vendor",
    "go work",
    "go tool addr2line",
    "go tool asm",
    "go tool buildid",
    "go tool cgo",
    "go tool compile",
    "go tool covdata",
    "go tool cover",
    "go tool dist",
    "go tool fix",
    "go tool link",
    "go tool nm",
    "go tool objdump",
    "go tool pack",
    "go tool pprof",
    "go tool preprofile",
    "go tool test2json",
    "go tool trace",
    "go tool vet",
    "go tool",
    "go bug",
    "go build",
    "go clean",
    "go doc",
    "go env",
    "go fix",
    "go fmt",
    "go generate",
    "go get",
    "go help",
    "go install",
    "go list",
    "go run",
    "go telemetry",
    "go test",
    "go version",
    "go vet",
];

/// The name of a go command that the log does not tell.
pub(crate) const UNKNOWN_NAME: &str = "go";

/// One go command of an echoed line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invocation {
    /// `go test`, from a closed list.
    pub(crate) name: &'static str,
    /// The words from `go` on, redacted.
    pub(crate) words: Vec<String>,
}

/// The root span's name that is spelled so; that of a go command that is not told, where none is.
pub(super) fn known_name(name: &str) -> &'static str {
    NAMES.iter().find(|known| **known == name).copied().unwrap_or(UNKNOWN_NAME)
}

/// Longest echoed line that is read, in bytes; what is behind is passed over.
const MAX_LINE_BYTES: usize = 8 * 1024;
/// Most words kept of one command: OpenTelemetry's usual bound of 128 for lists.
const MAX_WORDS: usize = 128;
/// Most go commands read from one line.
const MAX_INVOCATIONS: usize = 16;

/// The go commands that `line` runs, in its order.
pub(crate) fn invocations(line: &str) -> Vec<Invocation> {
    let mut end = line.len().min(MAX_LINE_BYTES);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    let mut found = Vec::new();
    for words in cut(line.get(..end).unwrap_or("")) {
        match words.iter().position(|word| word == "-c").and_then(|at| words.get(at + 1)) {
            // `bash -c 'go test ./...'`
            Some(script) if !words.iter().any(|word| is_go(word)) => {
                found.extend(cut(script).into_iter().filter_map(invocation));
            }
            Some(_) | None => found.extend(invocation(words)),
        }
    }
    found.truncate(MAX_INVOCATIONS);
    found
}

/// The go command among these words: behind assignments and wrappers such as `env` or `time`. A directory called `go`
/// is none.
fn invocation(words: Vec<String>) -> Option<Invocation> {
    let at = words.iter().position(|word| is_go(word))?;
    let first = words.iter().take(at).all(|word| word.contains('='));
    let words: Vec<String> = words.into_iter().skip(at).take(MAX_WORDS).collect();
    let name = name_of(&words);
    (first || name != UNKNOWN_NAME).then(|| Invocation { name, words: redact::words(words) })
}

/// Whether a word runs the go command: `go`, `/usr/local/go/bin/go`, `go1.22.3`, `gotip`.
fn is_go(word: &str) -> bool {
    let base = word.rsplit(['/', '\\']).next().unwrap_or(word);
    let base = base.strip_suffix(".exe").unwrap_or(base);
    base == "go"
        || base == "gotip"
        || base.strip_prefix("go1.").is_some_and(|v| v.starts_with(|c: char| c.is_ascii_digit()))
}

/// The name for a go command's words.
fn name_of(words: &[String]) -> &'static str {
    let mut rest = words.iter().skip(1).map(String::as_str).peekable();
    // `-C dir` is the one flag that stands before the subcommand
    while rest.peek().is_some_and(|word| word.starts_with('-')) {
        if rest.next() == Some("-C") {
            rest.next();
        }
    }
    let (first, second) = (rest.next().unwrap_or(""), rest.next().unwrap_or(""));
    NAMES
        .iter()
        .find(|name| {
            let mut parts = name.split(' ').skip(1);
            parts.next() == Some(first) && parts.next().is_none_or(|part| part == second)
        })
        .copied()
        .unwrap_or(UNKNOWN_NAME)
}

/// Cuts a shell line into commands and words: quotes and backslashes are undone, operators part commands.
fn cut(line: &str) -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some('\''), _) => word.get_or_insert_default().push(c),
            (_, '\\') => word.get_or_insert_default().extend(chars.next()),
            (Some(_), _) => word.get_or_insert_default().push(c),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ' | '\t') => words.extend(word.take()),
            (None, ';' | '&' | '|' | '\n' | '(' | ')') => {
                words.extend(word.take());
                commands.push(std::mem::take(&mut words));
            }
            (None, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    commands.push(words);
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(line: &str) -> Vec<&'static str> {
        invocations(line).into_iter().map(|invocation| invocation.name).collect()
    }

    #[test]
    fn the_name_is_the_subcommand_and_two_words_for_mod_work_and_tool() {
        assert_eq!(names("go test -race ./..."), ["go test"]);
        assert_eq!(names("go mod download -x"), ["go mod download"]);
        assert_eq!(names("go work sync"), ["go work sync"]);
        assert_eq!(names("go tool golangci-lint run"), ["go tool"]);
        assert_eq!(names("go -C sub vet ./..."), ["go vet"]);
        assert_eq!(names("/usr/local/go/bin/go build"), ["go build"]);
        assert_eq!(names("CGO_ENABLED=0 go1.22.3 install ./cmd/x"), ["go install"]);
        assert_eq!(names("go frobnicate"), ["go"]);
    }

    #[test]
    fn a_line_may_run_several_go_commands_or_none() {
        assert_eq!(names("cd x && go build ./... && go test ./..."), ["go build", "go test"]);
        assert_eq!(names("docker build ."), [] as [&str; 0]);
        assert_eq!(names("bash -euc true -c 'cd go && go test'"), ["go test"]);
        assert_eq!(names("cd go && go build"), ["go build"]);
        assert_eq!(names("sudo env A=b go build"), ["go build"]);
        assert_eq!(names("go test ./... 2>&1 | tee log"), ["go test"]);
    }

    #[test]
    fn quotes_and_backslashes_are_undone() {
        let found = invocations(r#"go test -run 'A|B' -ldflags "-s -w" a\ b"#);
        assert_eq!(found[0].words, ["go", "test", "-run", "A|B", "-ldflags", "-s -w", "a b"]);
    }

    #[test]
    fn every_name_gives_a_subcommand_of_the_closed_set() {
        assert_eq!(Subcommand::of_name("go test"), Subcommand::Test);
        assert_eq!(Subcommand::of_name("go mod tidy"), Subcommand::Mod);
        assert_eq!(Subcommand::of_name("go get"), Subcommand::Other);
        assert_eq!(Subcommand::of_name(UNKNOWN_NAME), Subcommand::Other);
    }

    #[test]
    fn a_line_of_a_megabyte_is_cut() {
        let line = format!("go test {}é", "x ".repeat(500_000));
        assert_eq!(invocations(&line)[0].words.len(), MAX_WORDS);
    }
}
