//! One error message of the go command: its first line and the lines that continue it, taken apart.
//!
//! The go command wraps errors: `go: A imports\n\tB: M@V: verifying module: ...`. This room peels the wrappers, keeps
//! what each of them names, and asks `classify` for the class of what is left.
//!
//! Sources: modload.ImportMissingError, module.ModuleError, mvs.BuildListError, load.PackageError, web.HTTPError,
//! toolchain/select.go, all below cmd/go/internal.

use super::bytes::{
    bounded_text, has, is_import_path, is_version, module_version, number, position, split_once, text, word,
};
use super::{classify, fields};
use crate::{Failure, FailureClass};

/// A message is kept up to this many bytes; no message of the go command comes near it.
pub(super) const MESSAGE_LIMIT: usize = 8 * 1024;

/// How errors of loading packages and modules begin behind a position.
const LOAD_ERRORS: &[&str] = &[
    "no required module provides package ",
    "cannot find package ",
    "cannot find module providing package ",
    "missing go.sum entry",
    "missing module for import",
    "module lookup disabled",
    "import lookup disabled",
    "GOPROXY list ",
    "invalid proxy URL",
    "zip: ",
    "unzip ",
    "zip for ",
    "verifying ",
    "checksum ",
    "reading http",
    "reading file:",
    "Get \"",
    "read \"http",
    "import cycle not allowed",
    "import \"",
    "ambiguous import: ",
    "use of internal package ",
    "use of vendored package ",
    "build constraints exclude all Go files",
    "no Go files in ",
    "found packages ",
    "cannot query module",
    "invalid response from proxy",
    "unrecognized import path ",
    "refusing to pass credentials",
    "invalid GOSUMDB",
    "missing GOSUMDB",
    "malformed import path ",
    "invalid import path",
    "local import ",
    "case-insensitive import collision",
    "code in directory ",
    "non-canonical import path ",
    "disallowed import path ",
    "cannot import current directory",
    "could not create module cache",
    "GOMODCACHE ",
    "GOPATH ",
    "cannot embed ",
    "unsupported protocol scheme",
];

/// What the wrappers of a message say.
#[derive(Debug, Default)]
pub(super) struct Peeled<'a> {
    pub(super) file: Option<&'a [u8]>,
    pub(super) line: Option<u32>,
    pub(super) module: Option<&'a [u8]>,
    pub(super) version: Option<&'a [u8]>,
    pub(super) package: Option<&'a [u8]>,
    /// `go: download goX: ` stood before.
    pub(super) toolchain: bool,
    /// From the first wrapper on, position and `go: ` taken off.
    pub(super) whole: &'a [u8],
    /// From the cause on, all wrappers taken off.
    pub(super) cause: &'a [u8],
}

impl<'a> Peeled<'a> {
    /// The line that holds the cause.
    pub(super) fn cause_line(&self) -> &'a [u8] {
        first_line(self.cause)
    }
}

/// The failure that a message reports; `None` when its words mean no failure that is known.
pub(super) fn failure(message: &[u8]) -> Option<Failure> {
    let peeled = peel(message);
    let class = class(&peeled)?;
    Some(build(class, &peeled))
}

/// The failure of a message that began with `go: `: what is not known is `unknown`.
pub(super) fn go_failure(message: &[u8]) -> Failure {
    let peeled = peel(message);
    build(class(&peeled).unwrap_or(FailureClass::Unknown), &peeled)
}

/// Whether the text behind a position is an error of loading packages or modules, not of a compiler or vet.
pub(super) fn is_load_error(body: &[u8]) -> bool {
    if LOAD_ERRORS.iter().any(|begin| body.starts_with(begin.as_bytes())) {
        return true;
    }
    let path_op = |op: &str| {
        body.strip_prefix(op.as_bytes())
            .is_some_and(|rest| rest.first().is_some_and(|b| matches!(b, b'/' | b'\\')) || rest.get(1) == Some(&b':'))
    };
    if ["open ", "mkdir ", "stat ", "lstat ", "rename ", "write ", "lock "].iter().any(|op| path_op(op)) {
        return true;
    }
    if has(body, " is relative, but relative import paths are not supported") {
        return true;
    }
    if let Some(rest) = body.strip_prefix(b"pattern ") {
        return has(rest, ": no matching files found")
            || has(rest, ": cannot embed ")
            || has(rest, ": invalid pattern");
    }
    if let Some(rest) = body.strip_prefix(b"package ") {
        let told =
            [" is not in std", " is not in GOROOT", " provided by ", " imports ", ": ", " is not a main package"];
        return told.iter().any(|words| has(rest, words))
            && word(rest).is_some_and(|(path, _)| is_import_path(strip_colon(path)));
    }
    if let Some(rest) = body.strip_prefix(b"module ") {
        return word(rest)
            .is_some_and(|(path, _)| is_import_path(strip_colon(path)) || module_version(strip_colon(path)).is_some());
    }
    split_once(body, b": ").is_some_and(|(head, _)| module_version(head).is_some())
}

fn class(peeled: &Peeled<'_>) -> Option<FailureClass> {
    let class =
        classify::class_of(peeled.whole, peeled.cause_line()).or_else(|| refused_tunnel(peeled.cause_line()))?;
    // `M V: CAUSE` is go mod verify: whatever the cause, the module cache is not what it was
    let verify = peeled.whole.starts_with(peeled.module.unwrap_or(b"\0")) && verify_line(peeled.whole).is_some();
    Some(if verify { FailureClass::ModcacheCorrupt } else { class })
}

/// `Get "https://...": TEXT`: the HTTP proxy answered CONNECT with another status, of which net/http prints the text
/// alone.
fn refused_tunnel(line: &[u8]) -> Option<FailureClass> {
    let (_, text) = split_once(line.strip_prefix(b"Get \"https://")?, b"\": ")?;
    (!has(text, ": ") && !text.is_empty()).then_some(FailureClass::NetworkProxy)
}

fn build(class: FailureClass, peeled: &Peeled<'_>) -> Failure {
    let owned = |bytes: Option<&[u8]>| bytes.map(text);
    let mut failure = Failure::new(class);
    failure.file = owned(peeled.file);
    failure.line = peeled.line;
    failure.module = owned(peeled.module);
    failure.version = owned(peeled.version);
    failure.package = owned(peeled.package);
    failure.message = Some(bounded_text(trim(peeled.whole), MESSAGE_LIMIT));
    fields::fill(&mut failure, peeled);
    if failure.module.is_some() && peeled.package.is_some() && !class.id().starts_with("package.") {
        // the importer chain is worth naming only where the cause names no module
        failure.package = None;
    }
    failure
}

/// Takes a message apart.
pub(super) fn peel(message: &[u8]) -> Peeled<'_> {
    let mut peeled = Peeled::default();
    let mut rest = message;
    loop {
        let before = rest.len();
        for prefix in [&b"-> "[..], b"go: ", b"vet: ", b"warning: "] {
            rest = rest.strip_prefix(prefix).unwrap_or(rest);
        }
        if peeled.file.is_none()
            && let Some(found) = position(first_line(rest))
        {
            peeled.file = Some(found.file);
            peeled.line = Some(found.line);
            rest = behind(rest, found.body);
        }
        if rest.len() == before {
            break;
        }
    }
    peeled.whole = rest;
    peeled.cause = rest;
    peel_toolchain(&mut peeled);
    peel_chain(&mut peeled);
    peel_modules(&mut peeled);
    peeled
}

/// `download goX: `, `download goX for OS/ARCH: `.
fn peel_toolchain(peeled: &mut Peeled<'_>) {
    if let Some(rest) = peeled.cause.strip_prefix(b"download go")
        && let Some((_, cause)) = split_once(rest, b": ")
        && split_once(cause, b": ").is_some_and(|(head, _)| module_version(head).is_some())
    {
        peeled.toolchain = true;
        peeled.cause = cause;
    }
}

/// `A imports\n\tB imports\n\tC: CAUSE`, `package A\n\timports B from b.go\n\timports C: CAUSE`, `A tested by\n...`.
fn peel_chain(peeled: &mut Peeled<'_>) {
    let first = first_line(peeled.cause);
    let go_form = first.ends_with(b" imports") || first.ends_with(b" tested by");
    let package_form = first.strip_prefix(b"package ").filter(|rest| !has(rest, " is not in "));
    if !go_form && package_form.is_none() {
        return;
    }
    let mut last = peeled.cause;
    let mut at = peeled.cause;
    while let Some((_, next)) = split_once(at, b"\n") {
        let trimmed = first_line(next).trim_ascii_start();
        let chained = go_form
            || position(trimmed).is_some()
            || trimmed.starts_with(b"imports ")
            || trimmed.starts_with(b"tested by ");
        if !chained || !next.starts_with(b"\t") {
            break;
        }
        last = next;
        at = next;
        if split_once(trimmed, b": ").is_some() {
            break;
        }
    }
    let mut line = last.trim_ascii_start();
    for keyword in [&b"package "[..], b"imports ", b"tested by "] {
        line = line.strip_prefix(keyword).unwrap_or(line);
    }
    if let Some(found) = position(first_line(line))
        && let Some(importer) = package_form
    {
        // `package A\n\ta.go:2:8: use of internal package ...`
        peeled.file = Some(found.file);
        peeled.line = Some(found.line);
        peeled.package = Some(importer.trim_ascii()).filter(|name| is_import_path(name));
        peeled.cause = behind(line, found.body);
        return;
    }
    let Some((head, cause)) = split_once(line, b": ") else { return };
    if head.contains(&b'\n') {
        return;
    }
    let name = split_once(head, b" from ").map_or(head, |(name, _)| name);
    if is_import_path(name) || name.starts_with(b".") {
        peeled.package = Some(name);
        peeled.cause = cause;
    }
}

/// `M@V: `, `module M: `, `M@V requires M2@V2: `, `M@V requires\n\tM2@V2: `, `M V: ` (go mod verify).
fn peel_modules(peeled: &mut Peeled<'_>) {
    if let Some((module, version, cause)) = verify_line(peeled.cause) {
        (peeled.module, peeled.version, peeled.cause) = (Some(module), Some(version), cause);
        return;
    }
    while let Some((head, cause)) = split_once(peeled.cause, b": ") {
        let Some(last) = head.rsplit(|b| b.is_ascii_whitespace()).next() else { return };
        let one = !head.iter().any(|b| b.is_ascii_whitespace());
        let named = head.strip_prefix(b"module ").is_some_and(|name| name == last);
        let chain = has(head, " requires ") || has(head, " requires\n") || named;
        if let Some((module, version)) = module_version(last)
            && (one || chain)
        {
            (peeled.module, peeled.version) = (Some(module), Some(version));
        } else if named && is_import_path(last) {
            (peeled.module, peeled.version) = (Some(last), None);
        } else {
            return;
        }
        peeled.cause = cause;
    }
}

/// `M V: CAUSE`, parted by a blank: a line of go mod verify.
fn verify_line(line: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (module, rest) = word(line)?;
    let (version, cause) = split_once(rest, b": ")?;
    let plain = is_import_path(module) && is_version(version) && !version.contains(&b' ');
    plain.then_some((module, version, cause))
}

/// The part of `rest` that begins where `body`, a part of its first line, begins.
fn behind<'a>(rest: &'a [u8], body: &'a [u8]) -> &'a [u8] {
    let first = first_line(rest).len();
    rest.get(first.saturating_sub(body.len())..).unwrap_or(body)
}

pub(super) fn first_line(bytes: &[u8]) -> &[u8] {
    memchr::memchr(b'\n', bytes).and_then(|end| bytes.get(..end)).unwrap_or(bytes)
}

fn trim(bytes: &[u8]) -> &[u8] {
    bytes.trim_ascii_end()
}

fn strip_colon(bytes: &[u8]) -> &[u8] {
    bytes.strip_suffix(b":").unwrap_or(bytes)
}

/// `DIR/go.mod:N: ` at the start of a line: the lines under `errors parsing go.mod:`.
pub(super) fn is_file_line(line: &[u8]) -> bool {
    split_once(line, b":").is_some_and(|(file, rest)| {
        let ends = [&b".mod"[..], b".work", b"go.sum", b".json", b"modules.txt"].iter().any(|end| file.ends_with(end));
        ends && split_once(rest, b":").is_some_and(|(digits, _)| number(digits).is_some())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(message: &str) -> (FailureClass, Option<String>, Option<String>, Option<String>) {
        let failure = go_failure(message.as_bytes());
        (failure.class, failure.module, failure.version, failure.package)
    }

    fn s(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn wrappers_are_peeled_and_what_they_name_is_kept() {
        let m = "go: corp.example/app imports\n\tcorp.example/lib/uuid: corp.example/lib/uuid@v1.0.0: parsing go.mod: missing module line";
        assert_eq!(names(m), (FailureClass::ProxyInvalidContent, s("corp.example/lib/uuid"), s("v1.0.0"), None));
        let m = "go: corp.example/app imports\n\tcorp.example/lib/uuid: module lookup disabled by GOPROXY=off";
        assert_eq!(names(m), (FailureClass::ProxyOff, None, None, s("corp.example/lib/uuid")));
        let m = "package corp.example/app/a\n\timports corp.example/app/b from a.go\n\timports corp.example/app/a from b.go: import cycle not allowed";
        assert_eq!(names(m), (FailureClass::PackageImportCycle, None, None, s("corp.example/app/a")));
        let m = "go: a.example/x@v1.0.0 requires\n\tb.example/y@v2.0.0+incompatible: reading https://p.example/y: 403 Forbidden";
        assert_eq!(names(m), (FailureClass::ProxyForbidden, s("b.example/y"), s("v2.0.0+incompatible"), None));
    }
}
