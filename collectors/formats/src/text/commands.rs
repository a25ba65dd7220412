//! Lines of the go command that are an event by themselves: downloads, requests, `go get`, and those that only inform.
//!
//! Sources: modfetch/fetch.go, web/http.go, modget/get.go, modload/{import,load,init}.go, modfetch/repo.go below
//! cmd/go/internal.

use super::bytes::{float, is_import_path, rsplit_once, split_once, text, word};
use crate::{EventKind, HttpAnswer, ModuleChange};

/// The event of a line behind `go: `.
pub(super) fn event(rest: &[u8]) -> Option<EventKind> {
    let (verb, rest) = word(rest)?;
    match verb {
        b"downloading" => download(rest),
        b"added" => changed(rest, ModuleChange::Added),
        b"removed" => changed(rest, ModuleChange::Removed),
        b"upgraded" => changed(rest, ModuleChange::Upgraded),
        b"downgraded" => changed(rest, ModuleChange::Downgraded),
        b"found" => found(rest),
        b"warning:" => retracted(rest),
        b"module" => deprecated(rest),
        _ => None,
    }
}

/// `M V` or `goV (OS/ARCH)`.
fn download(rest: &[u8]) -> Option<EventKind> {
    let (name, behind) = word(rest)?;
    if let Some(platform) = behind.strip_prefix(b"(").and_then(|p| p.strip_suffix(b")")) {
        let (os, arch) = split_once(platform, b"/")?;
        return name.starts_with(b"go").then(|| EventKind::ToolchainDownload {
            version: text(name),
            os: text(os),
            arch: text(arch),
        });
    }
    (is_import_path(name) && plain(behind))
        .then(|| EventKind::ModuleDownload { module: text(name), version: text(behind) })
}

/// `M V` or `M V1 => V2`.
fn changed(rest: &[u8], change: ModuleChange) -> Option<EventKind> {
    let (module, versions) = word(rest)?;
    let (from, version) = match split_once(versions, b" => ") {
        Some((from, version)) => (Some(from), version),
        None => (None, versions),
    };
    let two = matches!(change, ModuleChange::Upgraded | ModuleChange::Downgraded);
    let shape = is_import_path(module) && plain(version) && from.is_none_or(plain) && from.is_some() == two;
    shape.then(|| EventKind::ModuleChanged {
        module: text(module),
        change,
        from: from.map(text),
        version: text(version),
    })
}

/// `P in M V`.
fn found(rest: &[u8]) -> Option<EventKind> {
    let (package, rest) = split_once(rest, b" in ")?;
    let (module, version) = word(rest)?;
    let shape = is_import_path(package) && is_import_path(module) && plain(version);
    shape.then(|| EventKind::ModuleFound { package: text(package), module: text(module), version: text(version) })
}

/// `M@V: retracted by module author: REASON`.
fn retracted(rest: &[u8]) -> Option<EventKind> {
    let (name, why) = split_once(rest, b": retracted by module author")?;
    let (module, version) = super::bytes::module_version(name)?;
    let reason = why.strip_prefix(b": ").map(text).filter(|reason| !reason.is_empty());
    Some(EventKind::ModuleRetracted { module: text(module), version: text(version), reason })
}

/// `M is deprecated: REASON`.
fn deprecated(rest: &[u8]) -> Option<EventKind> {
    let (name, why) = split_once(rest, b" is deprecated")?;
    let (module, version) = match super::bytes::module_version(name) {
        Some((module, version)) => (module, Some(text(version))),
        None => (name, None),
    };
    let reason = why.strip_prefix(b": ").map(text).filter(|reason| !reason.is_empty());
    is_import_path(module).then(|| EventKind::ModuleDeprecated { module: text(module), version, reason })
}

/// Whether a line behind `go: ` only informs. Each of these is written to standard error by a command that goes on.
pub(super) fn is_information(rest: &[u8]) -> bool {
    const BEGINS: &[&str] = &[
        "downloading ",
        "finding ",
        "found ",
        "extracting ",
        "warning: ",
        "to switch to the latest unretracted version",
        "to add module requirements and sums:",
        "creating new go.mod",
        "creating workspace",
        "copying requirements from ",
        "ignoring ",
        "dropping requirement ",
        "accepting indirect upgrade ",
        "trying upgrade to ",
        "trying ",
        "toolchain upgrade needed to resolve ",
        "read full module graph.",
        "using ",
        "upgrading toolchain to ",
        "default toolchain ",
        "switching ",
        "-d flag is deprecated",
        "-f flag is a no-op",
        "-fix flag is a no-op",
        "no dependencies to vendor",
        "no module dependencies to download",
        "added ",
        "removed ",
        "upgraded ",
        "downgraded ",
        "RESTRICTED",
        "stripping unprintable",
        "updating go.mod",
        "converted ",
        "linking ",
        "found modules.txt",
    ];
    BEGINS.iter().any(|begin| rest.starts_with(begin.as_bytes()))
        || (super::bytes::has(rest, " requires go >= ") && super::bytes::has(rest, "; switching to go"))
        || (rest.starts_with(b"module ") && super::bytes::has(rest, " is deprecated"))
        || rest.starts_with(b"writing stat cache: ")
}

/// What follows `# get `: `URL: 200 OK (0.100s)` or `URL: ERROR`. A request that only starts is none.
pub(super) fn request_end(rest: &[u8]) -> Option<EventKind> {
    let (url, answer) = split_once(rest, b": ")?;
    if let Some((head, seconds)) = rsplit_once(answer, b" (")
        && let Some(duration_seconds) = seconds.strip_suffix(b"s)").and_then(float)
        && let Some(status) = head.get(..3).and_then(super::bytes::number)
        && head.get(3).is_none_or(|b| *b == b' ')
    {
        let status = u16::try_from(status).ok()?;
        return Some(EventKind::HttpRequest {
            url: text(url),
            answer: HttpAnswer::Answered { status, duration_seconds },
        });
    }
    Some(EventKind::HttpRequest { url: text(url), answer: HttpAnswer::Failed { error: text(answer) } })
}

/// `0.012s # cd DIR; git ...`.
pub(super) fn vcs_end(bytes: &[u8]) -> Option<EventKind> {
    let (seconds, rest) = split_once(bytes, b"s # cd ")?;
    let duration_seconds = float(seconds)?;
    let (_, command) = split_once(rest, b"; ")?;
    Some(EventKind::VcsCommand { command: text(command), duration_seconds })
}

/// Packages of the standard library whose path is one word, besides the common ones with a slash.
const STD_WORDS: &[&str] = &[
    "bufio", "bytes", "cmp", "context", "crypto", "embed", "encoding", "errors", "expvar", "flag", "fmt", "hash",
    "html", "image", "io", "iter", "log", "maps", "math", "mime", "net", "os", "path", "plugin", "reflect", "regexp",
    "runtime", "slices", "sort", "strconv", "strings", "structs", "sync", "syscall", "testing", "time", "unicode",
    "unique", "unsafe", "uuid", "weak",
];

/// Whether the line is nothing but an import path, as `-v` prints it.
pub(super) fn is_compiled_package(bytes: &[u8]) -> bool {
    if bytes.len() > 512 || !is_import_path(bytes) {
        return false;
    }
    if !bytes.contains(&b'/') {
        return bytes == b"command-line-arguments" || STD_WORDS.iter().any(|std| std.as_bytes() == bytes);
    }
    let test = [&b"Benchmark"[..], b"Test", b"Example", b"Fuzz"].iter().any(|begin| bytes.starts_with(begin));
    !test
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && !bytes.ends_with(b".go")
        && !bytes.ends_with(b".test")
}

fn plain(version: &[u8]) -> bool {
    !version.is_empty() && !version.iter().any(u8::is_ascii_whitespace)
}
