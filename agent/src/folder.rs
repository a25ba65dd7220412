//! Folders that one process has at a time: the spool's, and the journal's.
//!
//! Invariant: who has the lock has the folder to itself until the lock is dropped, however the process ends.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

/// Makes the folder where it is missing, and locks it by a file of this name in it. `None`: another process has it.
///
/// # Errors
/// The folder or the file cannot be made or locked.
pub(crate) fn locked(dir: &Path, name: &str) -> io::Result<Option<File>> {
    fs::create_dir_all(dir)?;
    let lock = File::create(dir.join(name))?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
