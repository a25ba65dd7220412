//! The lines that testing and `go test` print, one at a time: pure functions from a line to its parts.

use super::super::bytes::{float, is_import_path, number, rsplit_once, split_once};
use crate::{CaseStatus, PackageStatus};

/// The test in a frame of a stack: `example.com/app.TestX.func1(0x1)`, `created by example.com/app.TestX in goroutine 6`.
pub(super) fn test_in_frame(line: &[u8]) -> Option<&[u8]> {
    let frame = line.strip_prefix(b"created by ").unwrap_or(line);
    let function = rsplit_once(frame, b"/").map_or(frame, |(_, function)| function);
    let (_, name) = split_once(function, b".")?;
    let end = name.iter().position(|b| matches!(b, b'.' | b'(' | b' ')).filter(|end| *end > 0)?;
    let name = name.get(..end)?;
    let test = [&b"Test"[..], b"Fuzz", b"Example", b"Benchmark"].iter().any(|begin| {
        name.strip_prefix(*begin)
            .is_some_and(|rest| !rest.first().is_some_and(u8::is_ascii_lowercase) && !rest.is_empty())
    });
    (test && name != b"TestMain" && !frame.starts_with(b"\t")).then_some(name)
}

/// Whether the line begins the text of a crash; `Some(true)` for a test timeout.
pub(super) fn crash_text(bytes: &[u8]) -> Option<bool> {
    if let Some(rest) = bytes.strip_prefix(b"panic: ") {
        return Some(rest.starts_with(b"test timed out after "));
    }
    if bytes.starts_with(b"*** Test killed") {
        return Some(true);
    }
    let begins = [
        &b"fatal error: "[..],
        b"signal: ",
        b"SIGSEGV: ",
        b"SIGABRT: ",
        b"SIGQUIT: ",
        b"SIGBUS: ",
        b"SIGILL: ",
        b"SIGFPE: ",
        b"SIGTRAP: ",
        b"unexpected fault address ",
    ];
    begins.iter().any(|begin| bytes.starts_with(begin)).then_some(false)
}

/// `PASS: Name (0.00s)`.
pub(super) fn case_line(rest: &[u8]) -> Option<(CaseStatus, &[u8], Option<f64>)> {
    let (status, rest) = match rest.get(..6)? {
        b"PASS: " => (CaseStatus::Pass, rest.get(6..)?),
        b"FAIL: " => (CaseStatus::Fail, rest.get(6..)?),
        b"SKIP: " => (CaseStatus::Skip, rest.get(6..)?),
        _ => return None,
    };
    if rest.starts_with(b"Benchmark") && !rest.contains(&b' ') {
        // a benchmark prints no time; its name may carry GOMAXPROCS
        let name = rsplit_once(rest, b"-").filter(|(_, procs)| number(procs).is_some()).map_or(rest, |(name, _)| name);
        return Some((status, name, None));
    }
    let (name, elapsed) = rsplit_once(rest, b" (")?;
    let elapsed = float(elapsed.strip_suffix(b"s)")?)?;
    (!name.is_empty()).then_some((status, name, Some(elapsed)))
}

/// A result line of a package.
#[derive(Debug)]
pub(super) struct PackageLine<'a> {
    pub(super) package: &'a [u8],
    pub(super) status: PackageStatus,
    pub(super) cached: bool,
    pub(super) elapsed: Option<f64>,
    pub(super) coverage: Option<f64>,
}

pub(super) fn package_line(bytes: &[u8]) -> Option<PackageLine<'_>> {
    let (status, rest) = if let Some(rest) = bytes.strip_prefix(b"ok  \t") {
        (PackageStatus::Pass, rest)
    } else if let Some(rest) = bytes.strip_prefix(b"FAIL\t") {
        (PackageStatus::Fail, rest)
    } else {
        (PackageStatus::NoTestFiles, bytes.strip_prefix(b"?   \t")?)
    };
    let end = memchr::memchr2(b'\t', b' ', rest).unwrap_or(rest.len());
    let (package, behind) = (rest.get(..end)?, rest.get(end..)?);
    // a directory that cannot be loaded is named as it was on the command line
    if !is_import_path(package)
        && !package.starts_with(b"./")
        && !package.starts_with(b"../")
        && !package.starts_with(b"/")
    {
        return None;
    }
    let behind = behind.trim_ascii();
    let status = match (status, behind) {
        (PackageStatus::Fail, b"[build failed]") => PackageStatus::BuildFailed,
        (PackageStatus::Fail, b"[setup failed]") => PackageStatus::SetupFailed,
        (PackageStatus::NoTestFiles, note) if !note.starts_with(b"[no test files]") => return None,
        (status, _) => status,
    };
    let time = behind.split(|b| matches!(b, b'\t' | b' ')).next().unwrap_or_default();
    let elapsed = time.strip_suffix(b"s").and_then(float);
    let cached = time == b"(cached)";
    if matches!(status, PackageStatus::Pass | PackageStatus::Fail) && elapsed.is_none() && !cached {
        return None;
    }
    Some(PackageLine { package, status, cached, elapsed, coverage: coverage(behind) })
}

/// `coverage: 66.7% of statements`.
pub(super) fn coverage(bytes: &[u8]) -> Option<f64> {
    // most lines have none: nothing of this length is one
    (bytes.len() > b"coverage: % of statements".len()).then_some(())?;
    let (_, rest) = split_once(bytes, b"coverage: ")?;
    let (percent, _) = split_once(rest, b"% of statements")?;
    float(percent)
}

/// `\tP\t\tcoverage: 0.0% of statements`, or without text and newline: package, coverage, what is glued to it.
pub(super) fn no_tests_line(bytes: &[u8]) -> Option<(&[u8], Option<f64>, &[u8])> {
    let rest = bytes.strip_prefix(b"\t")?;
    let (package, behind) = split_once(rest, b"\t\t")?;
    if !is_import_path(package) {
        return None;
    }
    if !behind.starts_with(b"coverage: ") {
        return Some((package, None, behind));
    }
    let glued =
        [&b"ok  \t"[..], b"FAIL\t", b"?   \t", b"\t"].iter().find_map(|next| memchr::memmem::find(behind, next));
    let rest = glued.and_then(|at| behind.get(at..)).unwrap_or_default();
    Some((package, coverage(behind), rest))
}
