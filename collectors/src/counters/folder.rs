//! One folder of counters: its mode, and its files.
//!
//! Files come and go: each program and version has its own, a new one begins each week, and what is over is taken away
//! once it is uploaded or reported.
//!
//! Invariant: a file that is gone takes nothing back; one that comes anew under its name is another file.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::PathBuf;

use gobeacon_formats::Timestamp;

use super::FolderState;
use super::file::{Known, Looked, Trouble};
use crate::harness::{Health, Problem};
use crate::os::{self, Kind};

/// Most files of a folder that are read: a program and version a week make one each.
const MOST_FILES: usize = 2048;
/// How files of counters end.
const SUFFIX: &str = ".v1.count";
/// What the go command itself leaves in a folder in which it counts, also when no week is open
/// (cmd/go/internal/telemetrystats, x/telemetry start.go).
const TOKEN: &str = "upload.token";
/// A mode file has a word and a date.
const LARGEST_MODE: u64 = 256;

/// One folder.
#[derive(Debug)]
pub(super) struct Folder {
    /// `go env GOTELEMETRYDIR`.
    path: PathBuf,
    /// When its files were listed last.
    listed: Timestamp,
    files: BTreeMap<OsString, Known>,
    /// A go command counted here once.
    counted: bool,
    /// Why it could not be listed last, so that it is said once.
    trouble: Option<io::ErrorKind>,
    /// It has more files than are read; said once.
    overfull: bool,
}

impl Folder {
    /// What came after `before` in it is new.
    pub(super) fn new(path: PathBuf, before: Timestamp) -> Self {
        Self { path, listed: before, files: BTreeMap::new(), counted: false, trouble: None, overfull: false }
    }

    /// Reads all its files; adds to `grown` by how much each counter grew.
    pub(super) fn look(&mut self, now: Timestamp, health: &Health, grown: &mut BTreeMap<String, u64>) -> FolderState {
        let local = self.path.join("local");
        let listed = match fs::read_dir(&local) {
            Ok(entries) => entries.flatten().map(|entry| entry.file_name()).collect(),
            // nobody has counted yet
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.path.is_dir() => Vec::new(),
            Err(error) => {
                if self.trouble.replace(error.kind()) != Some(error.kind()) {
                    health.problem(Problem::of(&error));
                    tracing::warn!(path = %local.display(), %error, "Go's counters cannot be read");
                }
                return FolderState::Unreadable;
            }
        };
        self.trouble = None;
        self.counted |= listed.iter().any(|name| name == TOKEN);
        let mut names: Vec<OsString> = listed.into_iter().filter(|name| is_counts(name)).collect();
        self.bound(&mut names, health);
        self.files.retain(|name, _| names.binary_search(name).is_ok());
        for name in names {
            self.file(name, health, grown);
        }
        self.listed = now;
        self.counted |= self.files.values().any(|file| file.of_go);
        match self.is_off() {
            true => FolderState::Off,
            false if self.counted => FolderState::Counting,
            false => FolderState::Empty,
        }
    }

    fn file(&mut self, name: OsString, health: &Health, grown: &mut BTreeMap<String, u64>) {
        let path = self.path.join("local").join(&name);
        // gone between listing and reading: nothing that could be told
        let Ok(stat) = os::stat(&path) else { return };
        let known = match self.files.remove(&name) {
            Some(known) if known.is(&stat) => known,
            Some(_) | None => Known::new(&stat, self.listed),
        };
        let known = self.files.entry(name).or_insert(known);
        match known.look(&path) {
            Looked::Grown(by) => by.into_iter().for_each(|(name, by)| *grown.entry(name).or_default() += by),
            Looked::Nothing => {}
            Looked::Wrong(trouble) => {
                health.problem(match trouble {
                    Trouble::Unreadable(kind) => Problem::of(&kind.into()),
                    Trouble::Content(_) | Trouble::Numbers => Problem::Malformed,
                });
                tracing::warn!(path = %path.display(), ?trouble, "a file of Go's counters is passed over");
            }
        }
    }

    /// Leaves out the oldest weeks of too many, and puts the names in order.
    fn bound(&mut self, names: &mut Vec<OsString>, health: &Health) {
        let overfull = names.len() > MOST_FILES;
        if overfull && !self.overfull {
            health.problem(Problem::Malformed);
            tracing::warn!(path = %self.path.display(), files = names.len(), "more files of counters than are read");
        }
        self.overfull = overfull;
        if overfull {
            names.sort_by_cached_key(|name| Reverse(week(name)));
            names.truncate(MOST_FILES);
        }
        names.sort();
    }

    /// What `go telemetry off` wrote (x/telemetry/internal/telemetry/dir.go `Mode`).
    fn is_off(&self) -> bool {
        let path = self.path.join("mode");
        let is_small = os::stat(&path).is_ok_and(|stat| stat.kind == Kind::File && stat.size <= LARGEST_MODE);
        let mode = if is_small { fs::read_to_string(&path).unwrap_or_default() } else { String::new() };
        mode.trim().split(' ').next() == Some("off")
    }
}

fn is_counts(name: &OsStr) -> bool {
    name.as_encoded_bytes().ends_with(SUFFIX.as_bytes())
}

/// The date in the name, as it stands there.
fn week(name: &OsStr) -> Vec<u8> {
    let name = name.as_encoded_bytes();
    let stem = name.strip_suffix(SUFFIX.as_bytes()).unwrap_or(name);
    stem.get(stem.len().saturating_sub("2006-01-02".len())..).unwrap_or(stem).to_vec()
}
