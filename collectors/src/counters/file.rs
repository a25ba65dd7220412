//! One file of counters: what it said last, and by how much it grew since.
//!
//! Invariant: a number is told as grown only against what was read of the same file before.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use gobeacon_formats::Timestamp;
use gobeacon_formats::counters::{CountFile, LARGEST, Unreadable, meaning};

use crate::os::{self, Key, Kind};

/// No machine counts as much between two looks: the number is broken.
const MOST: u64 = u32::MAX as u64;
/// How far time stamps of files may be behind: the kernel's go by its ticks, and some file systems keep full seconds.
pub(super) const COARSE_SECONDS: f64 = 2.0;

/// What is known of a file.
#[derive(Debug)]
pub(super) struct Known {
    key: Key,
    /// What it said last; `None` while it was there before us and could not be read yet.
    counts: Option<BTreeMap<String, u64>>,
    /// It is of the go command itself.
    pub(super) of_go: bool,
    /// What was wrong last, so that it is said once.
    trouble: Option<Trouble>,
}

/// Why a file gives nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    Unreadable(io::ErrorKind),
    Content(Unreadable),
    /// A number became smaller, or grew beyond belief.
    Numbers,
}

/// What a look at a file gave.
#[derive(Debug)]
pub(super) enum Looked {
    /// By how much its numbers grew.
    Grown(BTreeMap<String, u64>),
    /// The same trouble as before, or one that passes by itself.
    Nothing,
    /// Something is wrong that was not before.
    Wrong(Trouble),
}

impl Known {
    /// A file that was not there at `before`, when its folder was read last, begins at 0; one that was moved here or
    /// was there before us begins at what it says.
    pub(super) fn new(stat: &os::Stat, before: Timestamp) -> Self {
        let born = stat.key.born.map_or(stat.modified, Timestamp::from_nanos);
        let came = born.min(stat.modified).plus_seconds(COARSE_SECONDS);
        let counts = (came >= before).then(BTreeMap::new);
        Self { key: stat.key, counts, of_go: false, trouble: None }
    }

    /// Whether the name leads to the same file still.
    pub(super) fn is(&self, stat: &os::Stat) -> bool {
        self.key == stat.key
    }

    pub(super) fn look(&mut self, path: &Path) -> Looked {
        let trouble = match read(path).map(|bytes| CountFile::parse(&bytes)) {
            Ok(Ok(file)) => {
                self.of_go |= file.program.path == "cmd/go";
                let used = file.counts.into_iter().filter(|(name, _)| meaning(name).is_some()).collect();
                match self.take(used) {
                    Ok(grown) => {
                        self.trouble = None;
                        return Looked::Grown(grown);
                    }
                    Err(trouble) => trouble,
                }
            }
            // the go command has just made it
            Ok(Err(Unreadable::Incomplete)) => return Looked::Nothing,
            Ok(Err(content)) => Trouble::Content(content),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Looked::Nothing,
            Err(error) => Trouble::Unreadable(error.kind()),
        };
        let is_new = self.trouble.replace(trouble) != Some(trouble);
        if is_new { Looked::Wrong(trouble) } else { Looked::Nothing }
    }

    /// Takes the numbers as the last ones, and says by how much they grew. Numbers that cannot be are taken without
    /// being told: too few is better than what never happened.
    fn take(&mut self, now: BTreeMap<String, u64>) -> Result<BTreeMap<String, u64>, Trouble> {
        let Some(before) = self.counts.replace(now.clone()) else { return Ok(BTreeMap::new()) };
        if before.iter().any(|(name, count)| now.get(name).is_none_or(|now| now < count)) {
            return Err(Trouble::Numbers);
        }
        let by = |(name, now): (String, u64)| {
            let by = now - before.get(&name).copied().unwrap_or_default();
            (by > 0).then_some((name, by))
        };
        let grown: BTreeMap<_, _> = now.into_iter().filter_map(by).collect();
        if grown.values().any(|by| *by > MOST) { Err(Trouble::Numbers) } else { Ok(grown) }
    }
}

/// The whole file, once and closed again. It may grow meanwhile: what it says then is behind what is read first.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = os::open(path)?;
    let stat = os::stat_open(&file)?;
    if stat.kind != Kind::File {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // one more than is read of any file tells that it is too large
    let size = usize::try_from(stat.size).unwrap_or(usize::MAX).min(LARGEST + 1);
    let mut bytes = vec![0; size];
    let have = os::fill_at(&file, &mut bytes, 0)?;
    bytes.truncate(have);
    Ok(bytes)
}
