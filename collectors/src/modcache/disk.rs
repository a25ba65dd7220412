//! What the file system says of the files of a download, and of the lock beside them.
//!
//! Invariant: nothing is written or locked, and only the hash is opened, for as long as it takes to read it.

use std::path::{Path, PathBuf};

use gobeacon_formats::Timestamp;

use super::Settings;
use super::names::Key;
use super::tracker::{FileFacts, Zip};
use crate::inventory::read_small;
use crate::now;
use crate::{Root, os};

/// The hash of a zip is `h1:` and 44 characters.
const LONGEST_SUM: u64 = 128;

/// Which inodes are locked; asked for once in a look, when it matters.
pub(super) enum Locked {
    NotAsked,
    Told(Option<std::collections::HashSet<u64>>),
}

impl Locked {
    /// Whether it is sure that nobody holds the lock of a version.
    pub(super) fn is_free(&mut self, versions: &Path, key: &Key) -> bool {
        if let Self::NotAsked = self {
            *self = Self::Told(os::locked_inodes());
        }
        let Self::Told(Some(locked)) = self else { return false };
        let lock = os::stat(&versions.join(format!("{}.lock", key.version)));
        lock.is_ok_and(|stat| !locked.contains(&stat.key.inode))
    }
}

/// Whether a file that was there before we were may still be written.
pub(super) fn may_be_written(versions: &Path, key: &Key, facts: FileFacts, settings: &Settings) -> bool {
    let quiet = now().seconds_since(facts.modified);
    quiet < settings.abandon_after.as_secs_f64() && !Locked::NotAsked.is_free(versions, key)
}

/// A zip and its hash.
pub(super) fn zip(path: &Path, key: &Key, file: FileFacts) -> Zip {
    let hash = path.join(format!("{}.ziphash", key.version));
    let sum = os::stat(&hash).ok().filter(|stat| stat.kind == os::Kind::File && stat.size <= LONGEST_SUM);
    // so that nobody takes our reading for a use of the version
    let read = || String::from_utf8(read_small(&hash, LONGEST_SUM).ok()?).ok();
    let sum = sum.and_then(|stat| Some((read()?.trim().to_owned(), stat.modified)));
    Zip { file, sum: sum.filter(|(sum, _)| sum.starts_with("h1:")) }
}

/// What the file system says of a file; `None` when it is not there.
pub(super) fn file_facts(path: &Path) -> Option<FileFacts> {
    let stat = os::stat(path).ok().filter(|stat| stat.kind == os::Kind::File)?;
    let born = stat.key.born.map(Timestamp::from_nanos);
    Some(FileFacts { bytes: stat.size, born, modified: stat.modified, changed: stat.changed })
}

/// The `@v` folder of a version.
pub(super) fn versions(root: &Root, key: &Key) -> PathBuf {
    root.path.join("cache/download").join(&*key.module).join("@v")
}

/// Where the zip of a version is.
pub(super) fn zip_path(versions: &Path, key: &Key) -> PathBuf {
    versions.join(format!("{}.zip", key.version))
}
