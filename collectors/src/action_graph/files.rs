//! The files of the folders: which changed, what they say now, and which were told.
//!
//! Invariant: a file is read when its time stamp, size or identity changed, and the same content is told once.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gobeacon_formats::Timestamp;
use gobeacon_formats::action_graph::ActionGraph;

use super::Report;
use crate::harness::{Health, Problem};
use crate::os::{self, Key, Kind};

/// Graphs beyond this many bytes are not read.
const LARGEST: u64 = 256 << 20;
/// Most files of a folder that are looked at.
const MOST_FILES: usize = 4096;

/// All files that are looked at.
#[derive(Debug, Default)]
pub(super) struct Files {
    dirs: Vec<PathBuf>,
    seen: BTreeMap<PathBuf, Seen>,
}

/// What a file was when it was read last.
#[derive(Debug, Clone, Default)]
struct Seen {
    stamp: Option<Stamp>,
    /// When the graph began that was told of it last.
    told: Option<Timestamp>,
    /// What the plan says it will make, and was there already.
    targets: Vec<String>,
    /// It was no graph when it was read last, and no plan.
    broken: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    key: Key,
    modified: Timestamp,
    size: u64,
}

impl Files {
    pub(super) fn dirs(&self) -> Vec<PathBuf> {
        self.dirs.clone()
    }

    /// Looks at all files of these folders, and adds what is new.
    pub(super) fn scan(&mut self, dirs: &[PathBuf], first: bool, health: &Health, to: &mut VecDeque<Report>) {
        self.dirs = dirs.to_vec();
        let mut there = BTreeMap::new();
        for dir in dirs {
            let entries = match fs::read_dir(dir) {
                Ok(entries) => entries,
                Err(error) => {
                    health.problem(Problem::of(&error));
                    continue;
                }
            };
            for entry in entries.flatten().take(MOST_FILES) {
                let path = entry.path();
                let mut seen = self.seen.remove(&path).unwrap_or_default();
                if let Some(report) = seen.look(&path, first, health) {
                    to.push_back(report);
                }
                there.insert(path, seen);
            }
        }
        self.seen = there;
    }
}

impl Seen {
    fn look(&mut self, path: &Path, before: bool, health: &Health) -> Option<Report> {
        let stat = os::stat(path).ok().filter(|stat| stat.kind == Kind::File)?;
        let stamp = Stamp { key: stat.key, modified: stat.modified, size: stat.size };
        if self.stamp == Some(stamp) {
            // a file that is no graph and stays none is said once
            if std::mem::take(&mut self.broken) {
                health.problem(Problem::Malformed);
                tracing::warn!(path = %path.display(), "a file among the graphs of actions is none, or cut");
            }
            return None;
        }
        self.stamp = Some(stamp);
        if stat.size > LARGEST {
            self.broken = true;
            return None;
        }
        let bytes = match read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                health.problem(Problem::of(&error));
                return None;
            }
        };
        self.broken = false;
        if let Some(graph) = ActionGraph::parse(&bytes) {
            let began = graph.start();
            // touched or copied onto itself: the same graph
            if self.told == began {
                return None;
            }
            self.told = began;
            let targets = std::mem::take(&mut self.targets);
            let path = path.to_owned();
            return Some(Report { path, observed: crate::now(), graph: Arc::new(graph), targets, before });
        }
        match ActionGraph::plan(&bytes) {
            Some(targets) => self.targets = targets.into_iter().filter(|it| Path::new(it).is_file()).collect(),
            // being written, perhaps
            None => self.broken = !bytes.is_empty(),
        }
        None
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = os::open(path)?;
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(file, LARGEST), &mut bytes)?;
    Ok(bytes)
}
