//! What the walks over caches have in common: who is told of what they meet, and what they add up.
//!
//! A walk is told to go on or to stop after each directory, by whoever looks at its progress: the agent waits there for
//! its pace, a command draws a line, either ends it.
//!
//! Invariant: a walk ends on no error: it counts it and goes on.

use std::io::{self, Read as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use gobeacon_formats::Timestamp;

use crate::harness::Problem;
use crate::os;

/// Whether a walk goes on.
pub type Flow = ControlFlow<()>;

/// Things and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// How many.
    pub entries: u64,
    /// How many bytes they have together.
    pub bytes: u64,
}

impl Count {
    pub(crate) fn add(&mut self, bytes: u64) {
        self.entries += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// The sum of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self { entries: self.entries + other.entries, bytes: self.bytes.saturating_add(other.bytes) }
    }

    pub(crate) fn add_all(&mut self, other: Self) {
        self.entries += other.entries;
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// How long ago something was used, roughly. The bounds are those of the go command: it notes a use at most once an
/// hour, and removes what was not used for five days (cmd/go/internal/cache: mtimeInterval, trimLimit).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Age {
    /// Less than an hour.
    Hour,
    /// Less than a day.
    Day,
    /// Less than five days.
    FiveDays,
    /// Less than thirty days.
    Month,
    /// Longer.
    Older,
}

impl Age {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::Hour, Self::Day, Self::FiveDays, Self::Month, Self::Older];

    /// The word for it in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hour => "under_1h",
            Self::Day => "under_1d",
            Self::FiveDays => "under_5d",
            Self::Month => "under_30d",
            Self::Older => "over_30d",
        }
    }

    /// Of something that was used then. What lies in the future was used just now.
    pub fn of(used: Timestamp, now: Timestamp) -> Self {
        const HOUR: i64 = 3_600_000_000_000;
        match now.as_nanos().saturating_sub(used.as_nanos()) {
            age if age < HOUR => Self::Hour,
            age if age < 24 * HOUR => Self::Day,
            age if age < 5 * 24 * HOUR => Self::FiveDays,
            age if age < 30 * 24 * HOUR => Self::Month,
            _ => Self::Older,
        }
    }
}

/// Counts for each age, in the order of [`Age::ALL`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ages([Count; Age::ALL.len()]);

impl Ages {
    /// What is of this age.
    pub fn of(&self, age: Age) -> Count {
        self.0.get(age as usize).copied().unwrap_or_default()
    }

    pub(crate) fn add(&mut self, age: Age, bytes: u64) {
        if let Some(count) = self.0.get_mut(age as usize) {
            count.add(bytes);
        }
    }
}

/// What a walk could not look at.
#[derive(Debug, Clone, Default)]
pub struct Problems {
    counts: [u64; Problem::ALL.len()],
    /// The first of them, with its error.
    pub first: Option<(PathBuf, String)>,
}

impl Problems {
    /// How many there are.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How many of each, in the order of [`Problem::ALL`].
    pub fn counts(&self) -> impl Iterator<Item = (Problem, u64)> {
        Problem::ALL.into_iter().zip(self.counts)
    }

    /// Notes one.
    pub fn note(&mut self, path: &Path, error: &io::Error) {
        let problem = Problem::of(error);
        if let Some(count) = self.counts.get_mut(problem as usize) {
            *count += 1;
        }
        self.first.get_or_insert_with(|| (path.to_owned(), error.to_string()));
    }
}

/// Room on the file system that a cache is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Bytes that this process may still fill.
    pub free_bytes: u64,
    /// Bytes that there are.
    pub total_bytes: u64,
    /// Whether it notes when a file is read at all; where it does, Linux usually notes it once a day (relatime).
    pub notes_reads: bool,
}

/// How much room there is.
///
/// # Errors
/// Those of statvfs.
pub fn space(path: &Path) -> io::Result<Space> {
    os::space(path)
}

/// The whole of a small file, read as collectors read: where the system has a way to, nobody sees that it was.
///
/// # Errors
/// Those of opening and reading it; that it is larger than `most` bytes.
pub fn read_small(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    os::open(path)?.take(most + 1).read_to_end(&mut content)?;
    if content.len() as u64 > most { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(content) }
}

/// Files below a directory and their bytes; symbolic links count as themselves. What cannot be looked at is noted.
pub(crate) fn tree(top: &Path, problems: &mut Problems) -> Count {
    let mut count = Count::default();
    let mut todo = vec![top.to_owned()];
    while let Some(dir) = todo.pop() {
        each_entry(&dir, problems, &mut |entry, problems| match entry.file_type() {
            Ok(kind) if kind.is_dir() => todo.push(entry.path()),
            Ok(_) => match entry.metadata() {
                Ok(it) => count.add(it.len()),
                Err(error) => note_unless_gone(&entry.path(), &error, problems),
            },
            Err(error) => note_unless_gone(&entry.path(), &error, problems),
        });
    }
    count
}

/// Lists a directory. One that went away since is empty.
pub(crate) fn each_entry(dir: &Path, problems: &mut Problems, each: &mut dyn FnMut(&std::fs::DirEntry, &mut Problems)) {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) => return note_unless_gone(dir, &error, problems),
    };
    for entry in entries {
        match entry {
            Ok(entry) => each(&entry, problems),
            Err(error) => {
                note_unless_gone(dir, &error, problems);
                // the error may come again for ever
                return;
            }
        }
    }
}

/// What goes away while it is looked at is no problem: builds and trims go on.
pub(crate) fn note_unless_gone(path: &Path, error: &io::Error, problems: &mut Problems) {
    if error.kind() != io::ErrorKind::NotFound {
        problems.note(path, error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_by_the_bounds_of_the_go_command() {
        let now = Timestamp::from_nanos(1_790_000_000_000_000_000);
        let hours = |hours: i64| Age::of(Timestamp::from_nanos(now.as_nanos() - hours * 3_600_000_000_000), now);
        assert_eq!([-5, 0, 1, 23].map(hours), [Age::Hour, Age::Hour, Age::Day, Age::Day]);
        assert_eq!([24, 119, 120, 720].map(hours), [Age::FiveDays, Age::FiveDays, Age::Month, Age::Older]);
        assert!(Age::ALL.iter().enumerate().all(|(n, it)| *it as usize == n));
    }
}
