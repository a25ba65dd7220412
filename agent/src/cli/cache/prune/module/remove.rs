//! One version goes.
//!
//! Invariant: whatever goes wrong half way, the next go command that wants the version makes it whole again.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use gobeacon_collectors::modcache::inventory::{download_dir, look, tree_dir};
use gobeacon_formats::Timestamp;
use gobeacon_formats::module_path::escape;
use rustix::fs::{FlockOperation, flock};

use super::super::Keep;
use super::Candidate;
use crate::os;

/// Why a version stays.
#[derive(Debug)]
pub(super) enum NotRemoved {
    /// A go command holds the lock.
    Locked,
    /// It is younger than it was, or gone.
    UsedMeanwhile,
    /// A process has a file of it open.
    Open,
    Failed(PathBuf, io::Error),
}

pub(super) fn remove(root: &Path, it: &Candidate, newest: Timestamp, keep: &Keep) -> Result<(), NotRemoved> {
    let downloads = download_dir(root, &it.module);
    let file = |end: &str| downloads.join(format!("{}{end}", escape(&it.version)));
    let tree = tree_dir(root, &it.module, &it.version);

    not_locked(&root.join("cache/lock"))?;
    // held until the end of this function
    let _lock = lock(&downloads, &file(".lock"))?;
    let now = look(root, &it.module, &it.version).ok_or(NotRemoved::UsedMeanwhile)?;
    if now.used() >= newest {
        return Err(NotRemoved::UsedMeanwhile);
    }
    if [&tree, &file(".zip")].iter().any(|path| os::is_open_below(path, &keep.open)) {
        return Err(NotRemoved::Open);
    }
    remove_file(&file(".ziphash"))?;
    remove_file(&file(".zip"))?;
    let partial = file(".partial");
    File::create(&partial).map_err(failed(&partial))?;
    remove_tree(&tree).map_err(failed(&tree))?;
    remove_file(&partial)
}

/// The lock of the version, as the go command takes it. It is held as long as the file is open.
fn lock(dir: &Path, path: &Path) -> Result<File, NotRemoved> {
    fs::create_dir_all(dir).map_err(failed(dir))?;
    let file = File::options().read(true).write(true).create(true).truncate(false).open(path).map_err(failed(path))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(NotRemoved::Locked),
        Err(error) => Err(NotRemoved::Failed(path.to_owned(), error.into())),
    }
}

/// The lock of the whole cache, which old go commands hold while they write. It is only asked for: who holds it for
/// longer keeps go commands waiting.
fn not_locked(path: &Path) -> Result<(), NotRemoved> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(NotRemoved::Failed(path.to_owned(), error)),
    };
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(NotRemoved::Locked),
        Err(error) => Err(NotRemoved::Failed(path.to_owned(), error.into())),
    }
}

fn remove_file(path: &Path) -> Result<(), NotRemoved> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(NotRemoved::Failed(path.to_owned(), error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Directories of the module cache may not be written: they are made so before they go. A link goes, not what it leads
/// to.
fn remove_tree(tree: &Path) -> io::Result<()> {
    match fs::symlink_metadata(tree) {
        Ok(it) if it.is_dir() => {}
        Ok(_) => return fs::remove_file(tree),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    let mut todo = vec![tree.to_owned()];
    while let Some(dir) = todo.pop() {
        let mode = fs::symlink_metadata(&dir)?.permissions().mode();
        if mode & 0o700 != 0o700 {
            fs::set_permissions(&dir, fs::Permissions::from_mode(mode | 0o700))?;
        }
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                todo.push(entry.path());
            }
        }
    }
    fs::remove_dir_all(tree)
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> NotRemoved {
    let path = path.to_owned();
    move |error| NotRemoved::Failed(path, error)
}
