//! What a cache holds, entry by entry: out of the cache itself, or out of a manifest that was written elsewhere.
//!
//! Invariant: entries are sorted and each stands once, wherever they come from.

mod file;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use gobeacon_collectors::buildcache::inventory as builds;
use gobeacon_collectors::inventory::{Problems, read_small};
use gobeacon_collectors::modcache::inventory as modules;
use gobeacon_formats::cache_entry::{Id, Name};
use gobeacon_formats::module_path::escape;
use gobeacon_formats::{Timestamp, h1};

use super::progress::Progress;
use super::table::thousands;

pub(super) use file::{header_line, line};

/// No hash and no go.mod is larger: 16 MiB is the go command's own limit (golang.org/x/mod/zip.MaxGoMod).
const LARGEST_GO_MOD: u64 = 16 << 20;

/// Which kind of cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CacheKind {
    Module,
    Build,
}

/// What tells one entry from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Module { path: String, version: String },
    Action(Id),
    Output(Id),
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: Key,
    pub(super) facts: Facts,
}

/// What is known of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Facts {
    /// A module version.
    Module(Box<ModuleFacts>),
    /// An action: when it was used last, and what it gave, where that was read.
    Action { used: Option<Timestamp>, output: Option<(Id, u64)> },
    /// An output.
    Output { used: Option<Timestamp>, bytes: u64 },
}

/// What is known of a module version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ModuleFacts {
    /// As the go command wrote it beside the zip.
    pub(super) h1: Option<String>,
    /// Of the go.mod that is there.
    pub(super) go_mod_h1: Option<String>,
    pub(super) zip_bytes: Option<u64>,
    pub(super) is_extracted: bool,
}

impl ModuleFacts {
    /// Whether there is more of it than a go.mod.
    pub(super) fn is_built_from(&self) -> bool {
        self.h1.is_some() || self.zip_bytes.is_some() || self.is_extracted
    }
}

/// The entries of a cache.
#[derive(Debug)]
pub(super) struct Entries {
    pub(super) kind: CacheKind,
    /// Whether actions say what they gave.
    pub(super) has_outputs: bool,
    pub(super) entries: Vec<Entry>,
    /// What could not be looked at.
    pub(super) problems: Problems,
}

/// Why there are none.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoEntries {
    #[error("cannot read {}: {error}", path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("{}:{line}: {why}", path.display())]
    Malformed { path: PathBuf, line: usize, why: String },
    #[error("{} is neither a module cache nor a build cache", path.display())]
    NoCache { path: PathBuf },
}

impl Entries {
    /// Of a folder or of a manifest.
    pub(super) fn of(path: &Path, outputs: bool) -> Result<Self, NoEntries> {
        let unreadable = |error| NoEntries::Unreadable { path: path.to_owned(), error };
        if !fs::metadata(path).map_err(unreadable)?.is_dir() {
            return file::read(path);
        }
        fs::read_dir(path).map_err(unreadable)?;
        match CacheKind::of(path) {
            Some(CacheKind::Module) => Ok(Self::of_modules(path)),
            Some(CacheKind::Build) => Ok(Self::of_builds(path, outputs)),
            None => Err(NoEntries::NoCache { path: path.to_owned() }),
        }
    }

    /// Of a module cache.
    pub(super) fn of_modules(root: &Path) -> Self {
        let mut progress = Progress::new();
        let mut found = BTreeMap::new();
        let problems = modules::walk(root, false, &mut |met, problems| {
            match met {
                // of a download that did not end there is nothing yet
                modules::Met::Version(version) if !version.is_built_from() && version.go_mod_bytes.is_none() => {}
                modules::Met::Version(version) => {
                    let facts = module_facts(root, &version, problems);
                    let key = Key::Module { path: version.module, version: version.version };
                    found.insert(key, Facts::Module(Box::new(facts)));
                }
                modules::Met::Other(_) => {}
                modules::Met::Directory => {
                    progress.show(|| format!("{}: {} versions", root.display(), thousands(found.len() as u64)));
                }
            }
            ControlFlow::Continue(())
        });
        let entries = found.into_iter().map(|(key, facts)| Entry { key, facts }).collect();
        Self { kind: CacheKind::Module, has_outputs: false, entries, problems }
    }

    /// Of a build cache. With `outputs` each action is read, which whoever watches takes for hits.
    pub(super) fn of_builds(root: &Path, outputs: bool) -> Self {
        let mut progress = Progress::new();
        let mut entries = Vec::new();
        let problems = builds::walk(root, &mut |met, problems| {
            match met {
                builds::Met::Entry(entry) => entries.extend(build_entry(entry, outputs, problems)),
                builds::Met::Other(_) => {}
                builds::Met::Directory(_) => {
                    progress.show(|| format!("{}: {} entries", root.display(), thousands(entries.len() as u64)));
                }
            }
            ControlFlow::Continue(())
        });
        entries.sort_unstable_by(|a: &Entry, b| a.key.cmp(&b.key));
        Self { kind: CacheKind::Build, has_outputs: outputs, entries, problems }
    }
}

impl CacheKind {
    /// What a folder looks like, if anything.
    fn of(root: &Path) -> Option<Self> {
        if root.join("cache/download").is_dir() {
            Some(Self::Module)
        } else if root.join("00").is_dir() || root.join("trim.txt").is_file() {
            Some(Self::Build)
        } else {
            None
        }
    }
}

fn build_entry(entry: &builds::Entry, outputs: bool, problems: &mut Problems) -> Option<Entry> {
    let used = Some(entry.used);
    Some(match entry.name {
        Name::Output(id) => Entry { key: Key::Output(id), facts: Facts::Output { used, bytes: entry.bytes } },
        Name::Action(id) => {
            let read = if outputs { builds::read_action(&entry.path) } else { Ok(None) };
            let action = match read {
                Ok(action) => action,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
                Err(error) => {
                    problems.note(&entry.path, &error);
                    None
                }
            };
            let output = action.map(|action| (action.output, action.size));
            Entry { key: Key::Action(id), facts: Facts::Action { used, output } }
        }
    })
}

fn module_facts(root: &Path, version: &modules::Version, problems: &mut Problems) -> ModuleFacts {
    let stem = modules::download_dir(root, &version.module).join(escape(&version.version));
    let mut read = |end: &str| {
        let mut path = stem.clone().into_os_string();
        path.push(end);
        let path = Path::new(&path);
        read_small(path, LARGEST_GO_MOD).map_err(|error| problems.note(path, &error)).ok()
    };
    let hash = if version.has_hash { read(".ziphash") } else { None };
    let go_mod = if version.go_mod_bytes.is_some() { read(".mod") } else { None };
    ModuleFacts {
        h1: hash.map(|text| String::from_utf8_lossy(&text).trim().to_owned()).filter(|text| text.starts_with("h1:")),
        go_mod_h1: go_mod.map(|content| h1::of_go_mod(&content).to_string()),
        zip_bytes: version.zip_bytes,
        is_extracted: version.tree.is_some() && !version.is_partial,
    }
}
