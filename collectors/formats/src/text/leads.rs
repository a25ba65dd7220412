//! Lines that begin an error of the go command without `go: ` in front.
//!
//! Load errors are printed as they are, the build cache and GOCACHEPROG call base.Fatalf without a prefix, and errors
//! of build actions are led by their package. A line that only looks like one of these is let go later: a message
//! whose words fit no class gives no event.

use super::bytes::{has, is_import_path, is_version, module_version, split_once, word};

const BEGINS: &[&str] = &[
    "verifying ",
    "build cache is ",
    "failed to initialize build cache at ",
    "error starting GOCACHEPROG",
    "error reading JSON from GOCACHEPROG",
    "GOCACHEPROG ",
    "cannot install, GOBIN",
    "malformed go.sum:",
    "SECURITY ERROR",
    "go.sum database server misbehavior detected",
    "flag provided but not defined: -",
    "flag needs an argument: -",
    "invalid value \"",
    "invalid boolean value ",
    "bad flag syntax: ",
    "found packages ",
    "no Go files in ",
    "no packages to ",
    "named files must ",
    "pattern ",
    "package ",
    "cannot find package ",
    "no required module provides package ",
    "current directory is contained in a module ",
    "error obtaining VCS status: ",
    "malformed import path \"",
    "cannot find module providing ",
    "missing go.sum entry",
    "unzip ",
    "-> ",
    "import cycle not allowed",
    "build constraints exclude all Go files",
    "could not create module cache",
    "module cache not found",
    "cannot use -",
    "cannot use path@version",
    "can only use path@version",
    "-race requires cgo",
    "-race is only supported",
    "-buildmode=",
    "buildmode=",
    "-mod=",
    "build flag -mod",
    "-covermode ",
    "-linkshared ",
    "unsupported GOOS/GOARCH pair",
    "cmd/go: unsupported GOOS/GOARCH pair",
    "module ",
    "directory ",
    "stat ",
    "lstat ",
    "warning: GOPATH set to GOROOT",
    "unknown environment setting",
    "updates to go.mod needed",
    "inconsistent vendoring",
    "reading go.sum",
    "exec go",
    "ambiguous import",
    "case-insensitive ",
    "imports ",
    "can't load package: ",
    "PGO error",
    "toolchain ",
];

/// For each first byte, which of `BEGINS` begin with it: most lines are told by theirs.
static BY_FIRST: [u128; 256] = {
    assert!(BEGINS.len() <= 128, "a set of them is a u128");
    let mut sets = [0; 256];
    let mut i = 0;
    while i < BEGINS.len() {
        #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
        if let Some(byte) = BEGINS[i].as_bytes().first() {
            sets[*byte as usize] |= 1 << i;
        }
        i += 1;
    }
    sets
};

/// Whether the line begins with one of `BEGINS`.
fn begins(line: &[u8]) -> bool {
    let mut set = line.first().and_then(|first| BY_FIRST.get(usize::from(*first))).copied().unwrap_or(0);
    while set != 0 {
        if BEGINS.get(set.trailing_zeros() as usize).is_some_and(|begin| line.starts_with(begin.as_bytes())) {
            return true;
        }
        set &= set - 1;
    }
    false
}

/// Whether the line may begin an error.
pub(super) fn is_lead(line: &[u8]) -> bool {
    if begins(line) {
        return plausible(line);
    }
    if line.starts_with(b"go ") {
        return has(line, ": unknown command") || has(line, ": unknown help topic");
    }
    if line.starts_with(b"Run 'go help ") {
        return true;
    }
    // what is left has a cause behind a colon
    let Some((head, cause)) = split_once(line, b": ") else { return false };
    is_action_error(head, cause) || is_verify_line(line) || is_module_error(head, cause)
}

/// Prose begins with some of the same words; the go command goes on in a certain way.
fn plausible(line: &[u8]) -> bool {
    if let Some(rest) = line.strip_prefix(b"package ") {
        return word(rest)
            .map_or(is_import_path(rest) && rest.contains(&b'/') || rest.starts_with(b"command-line"), |(path, _)| {
                is_import_path(path.strip_suffix(b":").unwrap_or(path))
            });
    }
    if let Some(rest) = line.strip_prefix(b"module ") {
        return word(rest).is_some_and(|(path, _)| {
            let path = path.strip_suffix(b":").unwrap_or(path);
            (is_import_path(path) && path.contains(&b'.')) || module_version(path).is_some()
        });
    }
    if let Some(rest) = line.strip_prefix(b"pattern ") {
        return has(rest, ": ");
    }
    if line.starts_with(b"stat ") || line.starts_with(b"lstat ") {
        return has(line, ": directory not found") || has(line, ": no such file or directory");
    }
    if let Some(rest) = line.strip_prefix(b"directory ") {
        return has(rest, "outside ") || has(rest, "not a package") || has(rest, "is contained in a module");
    }
    if let Some(rest) = line.strip_prefix(b"-> ") {
        return rest.starts_with(b"unzip ")
            || split_once(rest, b": ").is_some_and(|(head, _)| module_version(head).is_some());
    }
    if let Some(rest) = line.strip_prefix(b"toolchain ") {
        return has(rest, " invoked to provide ");
    }
    true
}

/// `P: CAUSE` of a build action (work/exec.go), for causes that only the go command has.
fn is_action_error(head: &[u8], cause: &[u8]) -> bool {
    if head.len() > 512 || !is_import_path(head) {
        return false;
    }
    let known = [
        &b"go build "[..],
        b"invalid flag in ",
        b"malformed #cgo",
        b"C source files not allowed",
        b"C++ source files not allowed",
        b"package using cgo has Go assembly file",
        b"import cycle not allowed",
        b"build constraints exclude",
        b"no Go files in ",
        b"no non-test Go files",
        b"cannot embed ",
    ];
    if known.iter().any(|begin| cause.starts_with(begin)) {
        return true;
    }
    let io =
        [&b"write "[..], b"open ", b"mkdir ", b"copying ", b"rename ", b"remove ", b"fork/exec ", b"close ", b"chmod "];
    let ends = [
        &b": no space left on device"[..],
        b": permission denied",
        b": read-only file system",
        b": disk quota exceeded",
        b": no such file or directory",
    ];
    let failed = ends.iter().any(|end| cause.ends_with(end));
    let works = has(cause, "go-build")
        || has(cause, "$WORK")
        || head.contains(&b'/')
        || super::commands::is_compiled_package(head);
    failed && works && io.iter().any(|begin| cause.starts_with(begin))
}

/// `M V: dir has been modified (...)`: go mod verify.
fn is_verify_line(line: &[u8]) -> bool {
    let Some((module, rest)) = word(line) else { return false };
    let Some((version, cause)) = split_once(rest, b": ") else { return false };
    is_import_path(module)
        && module.contains(&b'.')
        && is_version(version)
        && !version.contains(&b' ')
        && (has(cause, "has been modified") || has(cause, "ziphash") || has(cause, "zip") || has(cause, "open "))
}

/// `M@V: CAUSE` bare, as `go list -m` and workspace commands print it.
fn is_module_error(head: &[u8], cause: &[u8]) -> bool {
    let Some((module, _)) = module_version(head) else { return false };
    module.contains(&b'.') && super::message::is_load_error(cause)
        || cause.starts_with(b"invalid version")
        || cause.starts_with(b"unrecognized import path")
}

/// Whether the line is a compiler's or linker's own when it stands under a `# pkg` header.
pub(super) fn is_block_line(line: &[u8]) -> bool {
    [&b"flag provided but not defined"[..], b"invalid value \"", b"flag needs an argument", b"PGO error"]
        .iter()
        .any(|begin| line.starts_with(begin))
}

/// `go build P:` alone on a line.
pub(super) fn go_build(line: &[u8]) -> Option<&[u8]> {
    let package = line.strip_prefix(b"go build ")?.strip_suffix(b":")?;
    is_import_path(package).then_some(package)
}
