//! `# import/path` and the lines under it: what compiler, linker, cgo, C compiler and vet said of one package.
//!
//! The header is printed by cmd/go/internal/work.cmdError: `# DESC`, and for a step with another name `# [DESC]` on
//! the next line. The lines under it decide what failed; a block is open until something else begins.
//!
//! Invariant: a block gives at most one failure; every position line in it is a diagnostic.

use super::at::At;
use super::bytes::{Position, has, hash, text};
use super::seen::Seen;
use crate::line::Line;
use crate::{Event, EventKind, Failure, FailureClass};

/// An open block.
#[derive(Debug)]
pub(super) struct Block {
    /// Without ` [P.test]`; `None` where the header is a file (a PGO profile).
    package: Option<String>,
    header: At,
    /// `# [P]` came: the lines are vet's. `# [pkg-config ...]`: cgo's.
    vet: bool,
    /// A failure was given out, or the lines are known to be harmless.
    decided: bool,
    /// The first line that is neither a position nor known.
    other: Option<(At, String)>,
}

/// What a header line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Header<'a> {
    /// `# P` or `# P [P.test]`.
    Package(&'a [u8]),
    /// `# /path/to/default.pgo`: preprofile.
    Profile,
}

/// Reads a `# ` line; `None` for those of -x, -n, `go mod vendor -v` and for prose.
pub(super) fn header(line: &[u8]) -> Option<Header<'_>> {
    let rest = line.strip_prefix(b"# ")?;
    let (name, test) = match memchr::memchr(b' ', rest) {
        Some(at) => (rest.get(..at)?, rest.get(at + 1..)?),
        None => (rest, &b""[..]),
    };
    let test_ok = test.is_empty() || (test.starts_with(b"[") && test.ends_with(b"]") && !test.contains(&b' '));
    if !test_ok {
        return None;
    }
    if name.starts_with(b"/") && name.ends_with(b".pgo") || name.ends_with(b".pprof") {
        return Some(Header::Profile);
    }
    (super::bytes::is_import_path(name) && name != b"get" && name != b"lock").then_some(Header::Package(name))
}

impl Block {
    /// Opens a block under a header.
    pub(super) fn open(header: &Header<'_>, at: At) -> Self {
        let package = match header {
            Header::Package(name) => Some(text(name)),
            Header::Profile => None,
        };
        Self { package, header: at, vet: false, decided: false, other: None }
    }

    /// Offset of the header.
    pub(super) fn offset(&self) -> u64 {
        self.header.offset
    }

    /// `# [P]`, `# [pkg-config ...]`, `# pkg-config ...` under the header. Says whether the line is one of these.
    pub(super) fn subheader(&mut self, line: &Line<'_>, seen: &mut Seen, out: &mut Vec<Event>) -> bool {
        let Some(rest) = line.text.strip_prefix(b"# ") else { return false };
        if rest.starts_with(b"pkg-config")
            || rest.starts_with(b"[pkg-config")
            || has(rest, " --cflags ")
            || has(rest, " --libs ")
        {
            self.fail(FailureClass::CgoError, None, At::of(line), rest, seen, out);
            return true;
        }
        if rest.starts_with(b"[") && rest.ends_with(b"]") {
            self.vet = true;
            return true;
        }
        false
    }

    /// A position line that is no load error.
    pub(super) fn position(&mut self, line: &Line<'_>, found: Position<'_>, seen: &mut Seen, out: &mut Vec<Event>) {
        let body = found.body;
        if body.starts_with(b"note: ") || body.starts_with(b"too many errors") || body.starts_with(b"remark: ") {
            return;
        }
        if has(body, "undefined reference to") || has(body, "multiple definition of") {
            self.fail(FailureClass::LinkError, None, At::of(line), body, seen, out);
            return;
        }
        let at = At::of(line);
        diagnostic(self.package.as_deref(), found, at, seen, out);
        if body.starts_with(b"warning: ") || is_optimisation(body) {
            return;
        }
        let class = self.class_of(body);
        self.fail(class, Some(found), at, body, seen, out);
    }

    /// `vet: FILE:L:C: MESSAGE`: a package that does not compile, said by vet.
    pub(super) fn vet_position(&mut self, line: &Line<'_>, found: Position<'_>, seen: &mut Seen, out: &mut Vec<Event>) {
        let at = At::of(line);
        diagnostic(self.package.as_deref(), found, at, seen, out);
        self.fail(type_error(found.body), Some(found), at, found.body, seen, out);
    }

    /// Any other line under the header. Says whether it was understood.
    pub(super) fn other(&mut self, line: &Line<'_>, seen: &mut Seen, out: &mut Vec<Event>) -> bool {
        let body = line.text;
        if self.decided || body.is_empty() {
            return self.decided;
        }
        if self.package.is_none() || has(body, "PGO error") || body.starts_with(b"preprofile: ") {
            let package = self.package.take();
            self.fail(FailureClass::Usage, None, At::of(line), body, seen, out);
            self.package = package;
            return true;
        }
        if let Some(class) = telling(body) {
            let package = self.package.clone();
            if matches!(class, FailureClass::ToolchainInvalid | FailureClass::IoDiskFull | FailureClass::IoPermission) {
                self.package = None;
            }
            self.fail(class, None, At::of(line), body, seen, out);
            self.package = package;
            return true;
        }
        if self.other.is_none() && !body.starts_with(b"\t") && !is_harmless(body) {
            self.other = Some((At::of(line), super::bytes::bounded_text(body, 1024)));
        }
        false
    }

    /// Closes it: a block that only has lines nobody knows failed without a position.
    pub(super) fn close(mut self, seen: &mut Seen, out: &mut Vec<Event>) {
        let telling_name =
            self.package.as_deref().is_some_and(|name| name.contains(['/', '.']) || name == "command-line-arguments");
        if let Some((at, body)) = self.other.take()
            && !self.decided
            && telling_name
            && at.offset <= self.header.offset.saturating_add(4096)
        {
            self.fail(FailureClass::CompileError, None, at, body.as_bytes(), seen, out);
        }
    }

    fn class_of(&self, body: &[u8]) -> FailureClass {
        if body.starts_with(b"error: ") || body.starts_with(b"fatal error: ") {
            FailureClass::CgoError
        } else if body.starts_with(b"syntax error: ") {
            FailureClass::CompileSyntax
        } else if self.vet || super::vet_words::is_vet(body) {
            FailureClass::VetFinding
        } else {
            FailureClass::CompileError
        }
    }

    fn fail(
        &mut self,
        class: FailureClass,
        found: Option<Position<'_>>,
        at: At,
        body: &[u8],
        seen: &mut Seen,
        out: &mut Vec<Event>,
    ) {
        if self.decided {
            return;
        }
        self.decided = true;
        let mut failure = Failure::new(class);
        failure.package.clone_from(&self.package);
        failure.file = found.map(|found| text(found.file));
        failure.line = found.map(|found| found.line);
        failure.message = Some(super::bytes::bounded_text(body, super::message::MESSAGE_LIMIT));
        if seen.first_failure(&failure) {
            out.push(at.event(EventKind::Failure(Box::new(failure))));
        }
    }
}

/// A type error that vet reports because it could not check the package.
pub(super) fn type_error(body: &[u8]) -> FailureClass {
    if body.starts_with(b"syntax error: ") || is_parser_error(body) {
        FailureClass::CompileSyntax
    } else {
        FailureClass::CompileError
    }
}

/// Messages of go/scanner and go/parser: the go command prints them without a header when it cannot read imports.
pub(super) fn is_parser_error(body: &[u8]) -> bool {
    let begins = [
        &b"expected "[..],
        b"illegal ",
        b"missing ",
        b"unexpected ",
        b"invalid BOM",
        b"invalid character",
        b"imports must appear before",
        b"syntax error",
    ];
    begins.iter().any(|begin| body.starts_with(begin)) && !has(body, "missing a final value")
        || body.ends_with(b" not terminated")
        || has(body, "escape sequence")
}

/// Gives out a diagnostic once: the compiler and vet, or a package and its test variant, say the same thing twice.
pub(super) fn diagnostic(package: Option<&str>, found: Position<'_>, at: At, seen: &mut Seen, out: &mut Vec<Event>) {
    let file = found.file.strip_prefix(b"./").unwrap_or(found.file);
    let column = found.column.unwrap_or(0).to_le_bytes();
    let key = hash(&[
        b"diagnostic",
        package.unwrap_or_default().as_bytes(),
        file,
        &found.line.to_le_bytes(),
        &column,
        found.body,
    ]);
    if !seen.first(key) {
        return;
    }
    out.push(at.event(EventKind::Diagnostic {
        package: package.map(str::to_owned),
        file: text(found.file),
        line: found.line,
        column: found.column,
        message: Some(super::bytes::bounded_text(found.body, 1024)).filter(|message| !message.is_empty()),
    }));
}

/// Lines without a position whose words decide.
fn telling(body: &[u8]) -> Option<FailureClass> {
    if has(body, "no space left on device") {
        return Some(FailureClass::IoDiskFull);
    }
    if body.ends_with(b": permission denied") {
        return Some(FailureClass::IoPermission);
    }
    if body.starts_with(b"flag provided but not defined") || body.starts_with(b"invalid value \"") {
        return Some(FailureClass::Usage);
    }
    if body.starts_with(b"fork/exec ") {
        return Some(FailureClass::ToolchainInvalid);
    }
    if body.starts_with(b"cgo: ") {
        return Some(FailureClass::CgoError);
    }
    if has(body, "does not match go tool version") {
        return Some(FailureClass::ToolchainInvalid);
    }
    let linker = has(body, "relocation target ")
        || (has(body, "link: ") && !has(body, "link: warning"))
        || (has(body, "ld: ") && !has(body, "ld: warning"))
        || has(body, "ld returned ")
        || has(body, "linker command failed");
    linker.then_some(FailureClass::LinkError)
}

/// What a successful step prints too.
fn is_harmless(body: &[u8]) -> bool {
    body.starts_with(b"#")
        || has(body, "warning: ")
        || has(body, ": In function ")
        || has(body, "In file included from")
        || body.starts_with(b" ")
        || body.starts_with(b"{")
        || body.starts_with(b"}")
        || body.starts_with(b"note: ")
        || super::go_test::is_test_line(body)
        // go mod why, go mod vendor -v, -v: paths under a heading
        || super::bytes::is_import_path(body)
        || body.starts_with(b"(main module does not need ")
}

/// `-gcflags=-m` and its kin: findings of the optimiser, printed by a compile that succeeds
/// (cmd/compile/internal/{escape,inline,ssa}).
fn is_optimisation(body: &[u8]) -> bool {
    const BEGINS: &[&str] = &[
        "can inline ",
        "cannot inline ",
        "inlining call to ",
        "inline call to ",
        "leaking param",
        "moved to heap: ",
        "devirtualizing ",
        "partially devirtualizing ",
        "Found Is",
        "Proved ",
        "Disproved ",
        "parameter ",
        "ignoring self-assignment",
        "zero-copy ",
        "index bounds check elided",
        "slice bounds check elided",
        "stack object ",
        "func literal ",
        "mark inline",
        "hash-line",
        "bounds check",
        "removed ",
        "generated nil check",
    ];
    const ENDS: &[&str] =
        &[" escapes to heap", " escapes to heap:", " does not escape", " does not escape, mutate, or call"];
    BEGINS.iter().any(|words| body.starts_with(words.as_bytes()))
        || ENDS.iter().any(|words| body.ends_with(words.as_bytes()))
        || body.first().is_some_and(u8::is_ascii_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_told_from_other_hash_lines() {
        assert_eq!(header(b"# corp.example/app"), Some(Header::Package(b"corp.example/app")));
        assert_eq!(header(b"# corp.example/app [corp.example/app.test]"), Some(Header::Package(b"corp.example/app")));
        assert_eq!(header(b"# /src/default.pgo"), Some(Header::Profile));
        for no in ["# get https://x", "# import config", "# corp.example/lib v1.0.0", "## explicit", "#", "# [a]", "#x"]
        {
            assert_eq!(header(no.as_bytes()), None, "{no}");
        }
    }
}
