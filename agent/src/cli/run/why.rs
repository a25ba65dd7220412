//! Why packages were compiled, for `run`: what is remembered of earlier builds is one file in the user's cache folder.
//!
//! Invariant: a file that cannot be read or written is as if there were none, and nobody is told; what two runs at once
//! remember is that of the later one.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use gobeacon_formats::action_graph::{ActionGraph, Explained, Hints, History, Reason};

use super::super::style::{FAINT, PLAIN, Page};

/// Files beyond this many bytes are not read.
const LARGEST: u64 = 64 << 20;
/// Where programs keep their caches below the home folder.
const CACHE_FOLDER: &str = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
/// Build flags that go into packages or programs; the values of some are the next word.
const WITH_VALUE: [&str; 7] = ["tags", "ldflags", "gcflags", "asmflags", "buildmode", "pgo", "compiler"];
const ALONE: [&str; 6] = ["race", "msan", "asan", "cover", "trimpath", "buildvcs"];
/// Variables that go into programs.
const VARIABLES: [&str; 8] =
    ["GOFLAGS", "GOEXPERIMENT", "CGO_ENABLED", "CGO_CFLAGS", "CGO_CPPFLAGS", "CGO_CXXFLAGS", "CGO_LDFLAGS", "GODEBUG"];
/// How many root causes are named.
const SHOWN: usize = 3;

/// Compares the graph with those before it, and remembers it.
pub(super) fn explain(
    graph: &ActionGraph,
    command: &[OsString],
    env: impl Fn(&str) -> Option<String>,
) -> Option<Explained> {
    let file = file(&env)?;
    let mut history = read(&file).unwrap_or_default();
    let explained = history.explain(graph, &hints(command, &env));
    // a full disk, or a home that may not be written: nothing is remembered then
    let _ = write(&file, &history);
    Some(explained)
}

/// The line of the summary.
pub(super) fn page(explained: &Explained, page: &mut Page) {
    let reasons = explained.reasons();
    let compiled: usize = reasons.values().sum();
    // nothing is known, or nothing was to be done
    if reasons.keys().all(|reason| matches!(reason, Reason::Cold | Reason::Unknown)) {
        return;
    }
    let list: Vec<String> = reasons.iter().map(|(reason, count)| format!("{count} {}", reason.name())).collect();
    let mut text = format!("{compiled}: {}", list.join(", "));
    let roots: Vec<String> = explained
        .roots()
        .into_iter()
        .take(SHOWN)
        .map(|(package, reason, others)| {
            let why = if reason == Reason::Source { "changed".to_owned() } else { format!("({})", reason.name()) };
            if others > 0 { format!("{package} {why}, {others} others for it") } else { format!("{package} {why}") }
        })
        .collect();
    if !roots.is_empty() {
        text = format!("{text}; {}", roots.join("; "));
    }
    page.line(2, &[(FAINT, "rebuilt    "), (PLAIN, &text)]);
}

fn file(env: &impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let absolute = |name: &str| env(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(CACHE_FOLDER)))?;
    Some(base.join("gobeacon/builds-v1.json"))
}

fn read(file: &Path) -> Option<History> {
    let is_small = std::fs::metadata(file).is_ok_and(|it| it.is_file() && it.len() <= LARGEST);
    is_small.then(|| serde_json::from_slice(&std::fs::read(file).ok()?).ok()).flatten()
}

/// Written new and renamed, so that nobody reads half of it.
fn write(file: &Path, history: &History) -> std::io::Result<()> {
    let folder = file.parent().ok_or(std::io::ErrorKind::NotFound)?;
    std::fs::create_dir_all(folder)?;
    let new = folder.join(format!(".builds-{}", std::process::id()));
    let written = std::fs::write(&new, serde_json::to_vec(history)?).and_then(|()| std::fs::rename(&new, file));
    if written.is_err() {
        let _ = std::fs::remove_file(&new);
    }
    written
}

/// What the command line and the environment tell besides the graph.
fn hints(command: &[OsString], env: &impl Fn(&str) -> Option<String>) -> Hints {
    let mut words: Vec<String> = command.iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    if let Some(end) = words.iter().position(|word| matches!(word.as_str(), "-args" | "--args" | "--")) {
        words.truncate(end);
    }
    let in_variable = env("GOFLAGS").unwrap_or_default();
    let of_variable = in_variable.split_ascii_whitespace();
    let forced =
        words.iter().map(String::as_str).chain(of_variable).any(|word| matches!(word, "-a" | "--a" | "-a=true"));
    let mut flags: Vec<String> = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let Some(flag) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')) else { continue };
        let name = flag.split('=').next().unwrap_or_default();
        if WITH_VALUE.contains(&name) && name == flag {
            flags.push(format!("{flag}={}", words.get(at + 1).map_or("", String::as_str)));
        } else if WITH_VALUE.contains(&name) || ALONE.contains(&name) {
            flags.push(flag.to_owned());
        }
    }
    flags.extend(VARIABLES.iter().filter_map(|name| Some(format!("{name}={}", env(name)?))));
    flags.sort();
    Hints { forced: Some(forced), flags: Some(digest(&flags)), targets: Vec::new() }
}

/// Flags may hold secrets (`-ldflags -X`): only a hash is kept.
fn digest(flags: &[String]) -> String {
    use sha2::{Digest as _, Sha256};
    let hash = Sha256::digest(flags.join("\n"));
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(command: &[&str], goflags: &str) -> Hints {
        let command: Vec<OsString> = command.iter().map(OsString::from).collect();
        hints(&command, &|name| (name == "GOFLAGS").then(|| goflags.to_owned()))
    }

    #[test]
    fn forced_and_flags_are_read_of_the_command_and_of_goflags() {
        assert_eq!(of(&["go", "build", "-a"], "").forced, Some(true));
        assert_eq!(of(&["go", "build", "./..."], "-mod=vendor -a").forced, Some(true));
        assert_eq!(of(&["go", "test", ".", "-args", "-a"], "").forced, Some(false));
        let flags = |command: &[&str], goflags: &str| of(command, goflags).flags;
        let plain = flags(&["go", "build", "-o", "x", "./..."], "");
        assert_eq!(plain, flags(&["go", "build", "-v", "."], ""));
        for other in [&["go", "build", "-tags", "x"][..], &["go", "build", "-race"], &["go", "build", "--ldflags=-s"]] {
            assert_ne!(plain, flags(other, ""), "{other:?}");
        }
        assert_ne!(plain, flags(&["go", "build"], "-tags=x"));
        assert_eq!(flags(&["go", "build", "-tags", "x"], ""), flags(&["go", "build", "-tags=x"], ""));
    }

    #[test]
    fn a_home_that_cannot_be_written_or_a_broken_file_remembers_nothing_and_says_nothing() {
        let json = br#"[{"ID":0,"Mode":"build","Package":"a","ActionID":"x","BuildID":"x/y","Cmd":["compile a.go"],
            "TimeStart":"2026-01-01T00:00:00Z","TimeDone":"2026-01-01T00:00:01Z"}]"#;
        let graph = ActionGraph::parse(json).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let reasons = |home: &Path| {
            let home = home.to_str().unwrap().to_owned();
            let explained = explain(&graph, &[], |name| (name == "XDG_CACHE_HOME").then(|| home.clone()));
            explained.map(|it| it.reasons().into_keys().collect::<Vec<_>>())
        };
        assert_eq!(reasons(Path::new("/proc")), Some(vec![Reason::Cold]));
        assert_eq!(reasons(Path::new("relative")), None);
        assert_eq!(reasons(dir.path()), Some(vec![Reason::Cold]));
        assert_eq!(reasons(dir.path()), Some(vec![Reason::Evicted]));
        std::fs::write(dir.path().join("gobeacon/builds-v1.json"), "{").unwrap();
        assert_eq!(reasons(dir.path()), Some(vec![Reason::Cold]));
        assert_eq!(std::fs::read_dir(dir.path().join("gobeacon")).unwrap().count(), 1);
    }
}
