//! A walk over everything that the globs can reach, a step at a time.
//!
//! The reader takes a few hundred steps between two turns of reading, so that a look at ten thousand files delays no
//! line. A directory is told before it is listed: who watches it first and lists it then misses nothing. It must not
//! know which files are known already.
//!
//! Invariant: every error is a step of its own; none ends the walk.

use std::ffi::OsString;
use std::fs::{self, DirEntry, FileType, ReadDir};
use std::io;
use std::path::{Path, PathBuf};

use super::glob::{Match, Patterns, Place};

/// One step of a walk.
#[derive(Debug)]
pub(crate) enum Found {
    /// It will be listed in the next step: watch it first.
    Directory(PathBuf),
    /// Something that a glob names and that is no directory.
    Candidate(PathBuf),
    /// Could not be looked at.
    Failed(PathBuf, io::Error),
}

/// Where a walk stands.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    todo: Vec<Todo>,
}

#[derive(Debug)]
enum Todo {
    /// A base; the flag says that the directory above it is watched by now.
    Base(PathBuf, Vec<Place>, bool),
    /// To be listed.
    List(PathBuf, Vec<Place>),
    /// Being listed.
    Entries(PathBuf, Vec<Place>, Names),
}

#[derive(Debug)]
enum Names {
    Listed(ReadDir),
    /// Only these are wanted.
    Wanted(std::vec::IntoIter<OsString>),
}

impl Walk {
    /// From all bases.
    pub(crate) fn everything(patterns: &Patterns) -> Self {
        let bases = patterns.bases().into_iter();
        Self { todo: bases.map(|(base, places)| Todo::Base(base.to_owned(), places, false)).collect() }
    }

    /// Adds one directory, which was found by other means.
    pub(crate) fn add(&mut self, path: PathBuf, places: Vec<Place>) {
        self.todo.push(Todo::Base(path, places, true));
    }

    pub(crate) fn is_done(&self) -> bool {
        self.todo.is_empty()
    }

    /// The next step; `None` at the end.
    pub(crate) fn step(&mut self, patterns: &Patterns) -> Option<Found> {
        loop {
            let found = match self.todo.pop()? {
                Todo::Base(path, places, above) => self.base(path, places, above),
                Todo::List(path, places) => self.list(path, places, patterns),
                Todo::Entries(path, places, names) => self.entries(path, places, names, patterns),
            };
            if found.is_some() {
                return found;
            }
        }
    }

    fn base(&mut self, path: PathBuf, places: Vec<Place>, above: bool) -> Option<Found> {
        match fs::metadata(&path) {
            Ok(it) if it.is_dir() => {
                self.todo.push(Todo::List(path.clone(), places));
                Some(Found::Directory(path))
            }
            // the base may come later: what is above it is watched, then looked at once more
            Err(error) if is_absent(&error) && !above => {
                let parent = path.ancestors().skip(1).find(|it| it.is_dir())?.to_owned();
                self.todo.push(Todo::Base(path, places, true));
                Some(Found::Directory(parent))
            }
            Ok(_) => None,
            Err(error) if is_absent(&error) => None,
            Err(error) => Some(Found::Failed(path, error)),
        }
    }

    fn list(&mut self, path: PathBuf, places: Vec<Place>, patterns: &Patterns) -> Option<Found> {
        let names = match patterns.only_names(&places) {
            Some(names) => Names::Wanted(names.into_iter()),
            None => match fs::read_dir(&path) {
                Ok(listed) => Names::Listed(listed),
                // gone since
                Err(error) if is_absent(&error) => return None,
                Err(error) => return Some(Found::Failed(path, error)),
            },
        };
        self.todo.push(Todo::Entries(path, places, names));
        None
    }

    /// The next entry of a directory that means something.
    fn entries(&mut self, dir: PathBuf, places: Vec<Place>, mut names: Names, patterns: &Patterns) -> Option<Found> {
        let found = loop {
            match names.next(&dir)? {
                Err(error) => break Found::Failed(dir.clone(), error),
                Ok((name, kind)) => {
                    let what = patterns.entry(&places, &name);
                    let path = dir.join(&name);
                    match choose(&path, kind, what) {
                        Some(_) if patterns.excludes(&path) => {}
                        Some(Choice::Candidate) => break Found::Candidate(path),
                        Some(Choice::Enter(inside)) => {
                            self.todo.push(Todo::Entries(dir, places, names));
                            self.todo.push(Todo::List(path.clone(), inside));
                            return Some(Found::Directory(path));
                        }
                        None => {}
                    }
                }
            }
        };
        self.todo.push(Todo::Entries(dir, places, names));
        Some(found)
    }
}

enum Choice {
    Candidate,
    Enter(Vec<Place>),
}

/// What to do with an entry, if anything.
fn choose(path: &Path, kind: FileType, what: Match) -> Option<Choice> {
    let enter = |inside: Vec<Place>| (!inside.is_empty()).then_some(Choice::Enter(inside));
    if kind.is_dir() {
        return enter(what.inside);
    }
    let leads_inside = kind.is_symlink() && !what.inside_link.is_empty();
    if leads_inside && fs::metadata(path).is_ok_and(|it| it.is_dir()) {
        return enter(what.inside_link);
    }
    (what.file && (kind.is_file() || kind.is_symlink())).then_some(Choice::Candidate)
}

impl Names {
    fn next(&mut self, dir: &Path) -> Option<io::Result<(OsString, FileType)>> {
        match self {
            Self::Listed(entries) => {
                Some(entries.next()?.and_then(|entry: DirEntry| Ok((entry.file_name(), entry.file_type()?))))
            }
            Self::Wanted(names) => names.find_map(|name| match fs::symlink_metadata(dir.join(&name)) {
                Ok(it) => Some(Ok((name, it.file_type()))),
                Err(error) if is_absent(&error) => None,
                Err(error) => Some(Err(error)),
            }),
        }
    }
}

/// Whether there is nothing at the path: no reason to complain.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
