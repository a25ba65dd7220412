//! What an error text names besides its class: URL, host, status, path, variable, hashes, package.
//!
//! The rules of the event contract that are not about classes stand here: which class carries a URL, whose host it
//! is, and which of two paths is the denied one.

use super::bytes::{float, has, is_import_path, is_version, module_version, rsplit_once, split_once, text, word};
use super::classify;
use super::message::{Peeled, first_line};
use crate::module_path::unescape;
use crate::{Failure, FailureClass};

/// Fills in what the text of a failure names.
pub(super) fn fill(failure: &mut Failure, peeled: &Peeled<'_>) {
    let area = failure.class.id().split('.').next().unwrap_or_default();
    match area {
        "checksum" => checksum(failure, peeled),
        "package" => package(failure, peeled),
        "io" => {
            failure.path = denied_path(peeled.cause_line());
        }
        "env" | "cache" => {
            failure.variable = variable(peeled.whole);
            failure.path = None;
        }
        "gosum" | "gomod" | "workspace" => manifest(failure, peeled),
        "modcache" => cache_path(failure, peeled),
        _ => {}
    }
    if matches!(area, "proxy" | "network" | "vcs" | "checksum" | "module") {
        remote(failure, peeled);
    }
    if matches!(area, "io") && failure.module.is_none() {
        module_of_cache_path(failure);
    }
    if matches!(
        failure.class,
        FailureClass::ModuleVersionInvalid | FailureClass::ModulePathMismatch | FailureClass::ModuleNeedsNewerGo
    ) && failure.module.is_none()
    {
        first_module(failure, peeled.whole);
    }
    if area == "proxy" && failure.module.is_none() {
        first_module_after(failure, peeled.whole, b"zip for ");
    }
    if matches!(failure.class, FailureClass::ProxyNotFound)
        && has(peeled.whole, "cannot find module providing package ")
    {
        package(failure, peeled);
        module_word(failure, peeled.whole);
    }
    if matches!(failure.class, FailureClass::CgoError | FailureClass::IoPermission | FailureClass::Usage)
        && failure.package.is_none()
    {
        package_before_cause(failure, peeled);
    }
    if failure.class == FailureClass::VendorInconsistent {
        package(failure, peeled);
        failure.module = None;
        failure.version = None;
    }
}

/// `verifying M@V[/go.mod]: checksum mismatch` and what follows it.
fn checksum(failure: &mut Failure, peeled: &Peeled<'_>) {
    if failure.class == FailureClass::ChecksumSumdbForked {
        failure.module = None;
        failure.version = None;
        return;
    }
    let mismatch = matches!(failure.class, FailureClass::ChecksumGosumMismatch | FailureClass::ChecksumSumdbMismatch);
    let whole = peeled.whole;
    if let Some((_, rest)) = split_once(whole, b"verifying ")
        && let Some((what, _)) = split_once(rest, b": ")
    {
        let (name, go_mod) = match what.strip_suffix(b"/go.mod") {
            Some(name) => (name, true),
            None => (what, what == b"go.mod"),
        };
        if let Some((module, version)) = module_version(name) {
            failure.module = Some(text(module));
            failure.version = Some(text(version));
        }
        if mismatch {
            failure.artifact = Some(if go_mod { "go.mod" } else { "zip" });
        }
    }
    if !mismatch {
        return;
    }
    let hashes = whole.split(|b| *b == b'\n').filter_map(|line| {
        let (name, hash) = split_once(line.trim_ascii(), b": ")?;
        let hash = hash.trim_ascii();
        hash.starts_with(b"h1:").then_some((name.trim_ascii(), hash))
    });
    for (name, hash) in hashes {
        if name == b"downloaded" {
            failure.downloaded = Some(text(hash));
        } else {
            failure.verifier = Some(text(name));
            failure.expected = Some(text(hash));
        }
    }
}

/// The package that is missing, empty, in a cycle.
fn package(failure: &mut Failure, peeled: &Peeled<'_>) {
    let whole = peeled.whole;
    for lead in [
        &b"no required module provides package "[..],
        b"cannot find module providing package ",
        b"cannot find package ",
        b"but does not contain package ",
        b"does not contain package ",
        b"does not contain packages matching ",
        b"found package ",
        b"missing module for import: ",
        b"provides package ",
        b"package ",
    ] {
        let Some((_, rest)) = split_once(whole, lead) else { continue };
        let token =
            rest.split(|b| b.is_ascii_whitespace() || matches!(b, b';' | b'"' | b',' | b')')).find(|t| !t.is_empty());
        let Some(token) = token.map(|t| t.strip_suffix(b":").unwrap_or(t)) else { continue };
        if is_import_path(token)
            && failure.class != FailureClass::PackageImportCycle
            && failure.class != FailureClass::PackageConflict
        {
            failure.package = Some(text(token));
            break;
        }
        if failure.class == FailureClass::PackageImportCycle && lead == b"package " && is_import_path(token) {
            failure.package = Some(text(token));
            break;
        }
    }
    if let Some((_, rest)) = split_once(whole, b"module ")
        && let Some((module, version)) = word(rest).and_then(|(name, _)| module_version(name))
        && has(rest, " found")
    {
        failure.module = Some(text(module));
        failure.version = Some(text(version));
    }
    if failure.class == FailureClass::PackageConflict {
        if let Some((_, rest)) = split_once(whole, b"ambiguous import: found package ") {
            failure.package = word(rest).map(|(path, _)| text(path));
        } else {
            failure.package = None;
        }
    }
    if failure.class == FailureClass::PackageImportCycle && failure.package.is_none() {
        failure.package = word(whole).map(|(path, _)| path).filter(|path| is_import_path(path)).map(text);
    }
}

/// go.mod, go.sum and go.work: the missing package of go.sum, the file of the text.
fn manifest(failure: &mut Failure, peeled: &Peeled<'_>) {
    let whole = peeled.whole;
    if failure.class == FailureClass::GosumMissingEntry {
        failure.module = None;
        failure.version = None;
        for lead in [&b"providing package "[..], b"needed to verify package "] {
            if let Some((_, rest)) = split_once(whole, lead) {
                let token = rest.split(|b| b.is_ascii_whitespace() || *b == b';').next().unwrap_or_default();
                failure.package = Some(text(token)).filter(|token| !token.is_empty());
            }
        }
        return;
    }
    if failure.file.is_none() {
        for lead in [&b"errors parsing "[..], b"error loading ", b"error reading ", b"reading ", b"malformed "] {
            if let Some((_, rest)) = split_once(whole, lead) {
                let token = rest.split(|b| matches!(b, b':' | b'\n' | b' ')).next().unwrap_or_default();
                if [&b".mod"[..], b".work", b".sum"].iter().any(|end| token.ends_with(end)) {
                    failure.file = Some(text(token));
                    break;
                }
            }
        }
    }
    // the position under the heading is more telling than the heading
    for line in whole.split(|b| *b == b'\n').skip(1) {
        if super::message::is_file_line(line)
            && let Some(found) = super::bytes::position(line)
        {
            failure.file = Some(text(found.file));
            failure.line = Some(found.line);
            break;
        }
    }
    if failure.class == FailureClass::GomodUpdatesNeeded || failure.class == FailureClass::GomodNotFound {
        failure.file = peeled.file.map(text);
    }
}

/// URL, host and status of what was asked.
fn remote(failure: &mut Failure, peeled: &Peeled<'_>) {
    let line = peeled.cause_line();
    failure.status = classify::status(line).map(|(_, status)| status);
    let urls: Vec<&[u8]> = urls(line).collect();
    let vcs_tool = failure.class.id().starts_with("vcs.") && failure.status.is_none() && !has(line, "go-import")
        || ["git ls-remote", "git fetch", "git clone", "exit status 128"].iter().any(|words| has(peeled.cause, words));
    if vcs_tool && !has(line, "?go-get=1") {
        failure.url = None;
        failure.host = self::urls(peeled.cause)
            .find(|url| !has(url, "/doc/faq"))
            .and_then(host)
            .or_else(|| ssh_host(peeled.cause));
        return;
    }
    let mut distinct = urls.clone();
    distinct.dedup();
    if let [only] = distinct.as_slice() {
        failure.url = Some(text(only));
    }
    failure.host = urls.first().and_then(|url| host(url));
}

/// All `scheme://...` of a text, without the punctuation that ends a sentence.
fn urls(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|b| b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b'(' | b')' | b',')).filter_map(|token| {
        let at = memchr::memmem::find(token, b"://")?;
        let scheme = token.get(..at)?;
        let start = scheme.iter().rposition(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'+' | b'.' | b'-')));
        let token = token.get(start.map_or(0, |start| start + 1)..)?;
        let end = token.iter().rposition(|b| !matches!(b, b':' | b';'))?;
        token.get(..=end).filter(|url| !url.starts_with(b"://") && url.len() > scheme.len() + 3)
    })
}

/// The host of a URL, without user and port; none for files.
fn host(url: &[u8]) -> Option<String> {
    let (scheme, rest) = split_once(url, b"://")?;
    if scheme == b"file" {
        return None;
    }
    let authority = rest.split(|b| matches!(b, b'/' | b'?' | b'#')).next()?;
    let authority = rsplit_once(authority, b"@").map_or(authority, |(_, host)| host);
    let host = match authority.strip_prefix(b"[") {
        Some(six) => split_once(six, b"]").map(|(host, _)| host)?,
        None => split_once(authority, b":").map_or(authority, |(host, _)| host),
    };
    (!host.is_empty()).then(|| text(host))
}

/// `git@HOST: Permission denied` and `ssh: connect to host HOST port 22`.
fn ssh_host(cause: &[u8]) -> Option<String> {
    if let Some((_, rest)) = split_once(cause, b"connect to host ") {
        return word(rest).map(|(host, _)| text(host));
    }
    let (_, rest) = split_once(cause, b"git@")?;
    let token = rest.split(|b| b.is_ascii_whitespace() || matches!(b, b':' | b'/')).next()?;
    (!token.is_empty()).then(|| text(token))
}

/// `open PATH: permission denied`: the last path before the cause.
fn denied_path(line: &[u8]) -> Option<String> {
    let (head, _) = rsplit_once(line, b": ")?;
    let segment = rsplit_once(head, b": ").map_or(head, |(_, last)| last);
    let path = segment.rsplit(|b| *b == b' ').next()?;
    let path = path.strip_prefix(b"\"").and_then(|path| path.strip_suffix(b"\"")).unwrap_or(path);
    (!path.is_empty()).then(|| text(path))
}

/// The first variable of the go command that the text names.
fn variable(whole: &[u8]) -> Option<String> {
    if has(whole, "creating work dir") {
        return None;
    }
    if has(whole, "neither GOMODCACHE nor GOPATH")
        || has(whole, "neither GOPATH nor GOMODCACHE")
        || has(whole, "nor $HOME")
    {
        return has(whole, "GOCACHE is not defined").then(|| "HOME".to_owned());
    }
    if has(whole, "could not create module cache") {
        return Some("GOMODCACHE".to_owned());
    }
    if has(whole, "build cache") && !has(whole, "GOCACHE") {
        return Some("GOCACHE".to_owned());
    }
    whole
        .split(|b| !(b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_'))
        .find(|word| (word.starts_with(b"GO") && word.len() > 3 && *word != b"GOENV") || word.starts_with(b"CGO_"))
        .map(text)
}

/// `unzip PATH: ...`, `... modified (PATH)`: the path, and the module that it belongs to.
fn cache_path(failure: &mut Failure, peeled: &Peeled<'_>) {
    let line = peeled.whole;
    let path = match split_once(line, b"unzip ") {
        Some((_, rest)) => split_once(rest, b": ").map(|(path, _)| path),
        None => rsplit_once(first_line(line), b" (").and_then(|(_, rest)| rest.strip_suffix(b")")),
    };
    failure.path = path.map(text);
    if failure.module.is_none() {
        module_of_cache_path(failure);
    }
}

/// `.../cache/download/M/@v/V.zip` and `.../M@V/...`, upper case as `!x`.
fn module_of_cache_path(failure: &mut Failure) {
    let Some(path) = failure.path.clone() else { return };
    let Some((_, rest)) = path.split_once("/cache/download/") else { return };
    let Some((module, file)) = rest.split_once("/@v/") else { return };
    let version = [".zip", ".ziphash", ".mod", ".info", ".lock", ".partial"]
        .iter()
        .find_map(|end| file.find(end).and_then(|at| file.get(..at)))
        .unwrap_or(file);
    if version == "list" || !is_version(version.as_bytes()) {
        failure.module = Some(unescape(module));
        return;
    }
    failure.module = Some(unescape(module));
    failure.version = Some(unescape(version));
}

/// The first `M@V` of the text.
fn first_module(failure: &mut Failure, whole: &[u8]) {
    for token in first_line(whole).split(|b| b.is_ascii_whitespace() || matches!(b, b'"' | b'(' | b')' | b',')) {
        if let Some((module, version)) = module_version(token.strip_suffix(b":").unwrap_or(token)) {
            failure.module = Some(text(module));
            failure.version = Some(text(version));
            return;
        }
    }
    module_word(failure, whole);
}

/// `LEAD M@V`.
fn first_module_after(failure: &mut Failure, whole: &[u8], lead: &[u8]) {
    if let Some((_, rest)) = split_once(whole, lead) {
        first_module(failure, rest);
    }
}

/// `module M: `.
fn module_word(failure: &mut Failure, whole: &[u8]) {
    let mut rest = whole;
    while let Some((_, behind)) = split_once(rest, b"module ") {
        rest = behind;
        let token = behind.split(|b| b.is_ascii_whitespace()).next().unwrap_or_default();
        if let Some(token) = token.strip_suffix(b":")
            && is_import_path(token)
            && failure.module.is_none()
        {
            failure.module = Some(text(token));
        }
    }
}

/// `P: CAUSE`: an error of a build action names its package in front (work/exec.go).
fn package_before_cause(failure: &mut Failure, peeled: &Peeled<'_>) {
    if let Some((head, rest)) = split_once(peeled.whole, b": ")
        && is_import_path(head)
        && !has(head, " ")
        && head != b"pattern"
        && float(head).is_none()
        && !rest.is_empty()
        && peeled.file.is_none()
        && (head.contains(&b'/') || has(rest, "go build "))
    {
        failure.package = Some(text(head));
    }
}
