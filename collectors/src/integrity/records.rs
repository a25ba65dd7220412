//! The go.sum files that caches are compared with.
//!
//! Invariant: memory is bounded by [`MOST_LINES`] distinct lines, however many files there are; what did not fit is
//! counted.

use std::collections::HashMap;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use gobeacon_formats::h1::H1;
use gobeacon_formats::{Artifact, Timestamp, gosum};

use super::entries::{Key, is_file};
use super::{Source, Witness};
use crate::os;
use crate::roots;

/// Distinct hashes that are kept: those of some hundred large projects.
const MOST_LINES: usize = 500_000;
/// The largest go.sum known has some hundred thousand lines.
const LARGEST: u64 = 64 << 20;

/// What all go.sum files say.
#[derive(Debug, Default)]
pub struct GoSums {
    files: Vec<File>,
    lines: HashMap<(Key, Artifact), Vec<(H1, usize)>>,
    count: usize,
    /// What the files looked like when they were read.
    mark: u64,
    /// Lines that are no lines of a go.sum.
    pub malformed: u64,
    /// Distinct lines that did not fit.
    pub left_out: u64,
}

#[derive(Debug, Clone)]
struct File {
    path: PathBuf,
    written: Timestamp,
    first_seen: Timestamp,
}

impl GoSums {
    /// Reads these files.
    ///
    /// # Errors
    /// The first file that cannot be read, with its error; what could be read is kept.
    pub fn read(&mut self, paths: &[PathBuf], now: Timestamp) -> Result<(), (PathBuf, io::Error)> {
        let old = std::mem::take(self);
        let mut failed = Ok(());
        for path in paths {
            let seen = old.files.iter().find(|file| file.path == *path).map(|file| file.first_seen);
            if let Err(error) = self.add(path, seen.unwrap_or(now)) {
                failed = failed.and(Err((path.clone(), error)));
            }
        }
        failed
    }

    /// Reads what patterns stand for, unless nothing of it changed.
    pub(super) fn look(&mut self, patterns: &[String], now: Timestamp) -> Result<(), (PathBuf, io::Error)> {
        let paths: Vec<_> = patterns.iter().flat_map(|pattern| roots::expand(pattern)).collect();
        let mut hasher = DefaultHasher::new();
        for path in &paths {
            let stat = os::stat(path).ok();
            (path, stat.map(|it| (it.key, it.size, it.modified.as_nanos()))).hash(&mut hasher);
        }
        let mark = hasher.finish();
        if mark == self.mark {
            return Ok(());
        }
        let read = self.read(&paths, now);
        self.mark = mark;
        read
    }

    fn add(&mut self, path: &Path, first_seen: Timestamp) -> io::Result<()> {
        let stat = os::stat(path)?;
        if !is_file(&stat) || stat.size > LARGEST {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no go.sum"));
        }
        let mut bytes = Vec::new();
        fs::File::open(path)?.take(LARGEST).read_to_end(&mut bytes)?;
        let number = self.files.len();
        self.files.push(File { path: path.to_owned(), written: stat.modified, first_seen });
        let (mut added, mut left_out) = (0, 0);
        let (lines, room) = (&mut self.lines, MOST_LINES.saturating_sub(self.count));
        let malformed = gosum::read(&bytes, |line| {
            let said = lines.entry((Key::of(line.module, line.version), line.artifact)).or_default();
            if said.iter().any(|(sum, _)| *sum == line.sum) {
                return;
            }
            if added < room {
                said.push((line.sum, number));
                added += 1;
            } else {
                left_out += 1;
            }
        });
        self.count += added;
        self.malformed += malformed;
        self.left_out += left_out;
        Ok(())
    }

    /// The hashes that are said of a module version; usually one.
    pub(super) fn sums(&self, key: Key, artifact: Artifact) -> impl Iterator<Item = H1> {
        self.lines.get(&(key, artifact)).into_iter().flatten().map(|(sum, _)| *sum)
    }

    /// Each hash with a file that says it.
    pub(super) fn witnesses(&self, key: Key, artifact: Artifact) -> impl Iterator<Item = (H1, Witness)> {
        self.lines.get(&(key, artifact)).into_iter().flatten().filter_map(|(sum, number)| {
            let File { path, written, first_seen } = self.files.get(*number)?.clone();
            Some((*sum, Witness { source: Source::GoSum, place: path, written, first_seen }))
        })
    }
}
