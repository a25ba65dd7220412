//! A log that was compressed while the agent was down: what was not read of it is read out of the archive.
//!
//! Rotation compresses a log under its name with something behind it. Which archive it is, its first bytes say. The
//! content is unpacked into a file without a name, so that it is read like any other log. It must not know what is
//! followed.
//!
//! Invariant: an archive is taken for the log only where what was read of the log stands in it; what is unpacked is
//! bounded on disk, and gone when it is closed.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::bookmark::{Fingerprint, Known};
use super::seen::Seen;
use crate::os;

/// Most bytes that are unpacked: a log that is longer counts as lost.
const MOST_BYTES: u64 = 1 << 30;

/// What was unpacked, and what of it was read.
pub(crate) struct Unpacked {
    pub(crate) handle: fs::File,
    pub(crate) seen: Seen,
}

/// Looks for the archive of a log in a folder and unpacks it.
///
/// # Errors
/// What the operating system says of the file that it is unpacked into.
pub(crate) fn unpacked(dir: &Path, known: &Known) -> io::Result<Option<Unpacked>> {
    let Some(name) = known.path.file_name() else { return Ok(None) };
    // nothing was read of it: it may be any archive
    if known.bookmark.head.length == 0 || known.bookmark.began_at > 0 {
        return Ok(None);
    }
    let is_ours = |path: &PathBuf| {
        let begins = path.file_name().is_some_and(|it| it.as_encoded_bytes().starts_with(name.as_encoded_bytes()));
        begins && path.extension().is_some_and(|it| it == "gz") && begins_like(path, known.bookmark.head)
    };
    let archives = fs::read_dir(dir)?.flatten().map(|entry| entry.path());
    for archive in archives.filter(is_ours) {
        let handle = unpack(&archive)?;
        if let Some(handle) = handle
            && let Some(seen) = known.bookmark.content_in(&handle)?
        {
            tracing::info!(archive = %archive.display(), "a log that was compressed meanwhile is read to its end");
            return Ok(Some(Unpacked { handle, seen }));
        }
    }
    Ok(None)
}

/// Whether the content begins with these bytes. What is no archive does not.
fn begins_like(archive: &Path, head: Fingerprint) -> bool {
    let mut begin = Vec::new();
    let read =
        os::open(archive).and_then(|file| MultiGzDecoder::new(file).take(head.length.into()).read_to_end(&mut begin));
    read.is_ok() && Fingerprint::of(&begin) == head
}

/// `None` where it is damaged or too long.
fn unpack(archive: &Path) -> io::Result<Option<fs::File>> {
    let mut content = MultiGzDecoder::new(io::BufReader::new(os::open(archive)?));
    let path = std::env::temp_dir().join(format!("gobeacon-{}-unpacked", std::process::id()));
    let mut file = fs::File::options().read(true).write(true).create_new(true).open(&path)?;
    // it stays there until it is closed
    fs::remove_file(&path)?;
    let mut buffer = vec![0; 128 << 10];
    let mut written = 0;
    loop {
        let length = match content.read(&mut buffer) {
            Ok(0) => return Ok(Some(file)),
            Ok(length) => length,
            Err(error) => {
                tracing::warn!(archive = %archive.display(), %error, "a compressed log is damaged");
                return Ok(None);
            }
        };
        written += length as u64;
        if written > MOST_BYTES {
            tracing::warn!(archive = %archive.display(), "a compressed log is too long to be unpacked");
            return Ok(None);
        }
        file.write_all(buffer.get(..length).unwrap_or_default())?;
    }
}
