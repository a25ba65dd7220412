//! What an earlier life left in the folder: found, checked, and what is not ours set aside.
//!
//! Invariant: reading a folder changes nothing but torn ends and names of files that are not segments.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use super::segment::{self, Kept};
use super::writer::{Segment, Segments};

/// Reads all segments of a folder: the batches that are not done, and what is known of each segment.
pub(super) fn recover(dir: &Path) -> io::Result<(Vec<Kept>, Segments)> {
    let mut numbers = BTreeSet::new();
    for entry in fs::read_dir(dir)? {
        numbers.extend(segment::number(&entry?.file_name().to_string_lossy()));
    }
    let newest = numbers.last().copied();
    let (mut kept, mut segments) = (Vec::new(), Segments::new());
    for number in numbers {
        let is_newest = Some(number) == newest;
        match one(dir, number, is_newest) {
            Ok((left, segment)) => {
                kept.extend(left);
                segments.insert(number, segment);
            }
            Err(error) => {
                let path = segment::path(dir, number);
                tracing::error!(path = %path.display(), %error, "a file of the spool cannot be read and is passed over");
            }
        }
    }
    Ok((kept, segments))
}

/// One segment: what of it is not done.
fn one(dir: &Path, number: u64, is_newest: bool) -> io::Result<(Vec<Kept>, Segment)> {
    let path = segment::path(dir, number);
    let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
    let scan = segment::scan(&mut file, number, is_newest)?;
    if scan.whole_to == 0 && scan.torn > 0 && !is_unfinished(&file, scan.torn)? {
        let aside = path.with_extension("set-aside");
        fs::rename(&path, &aside)?;
        tracing::error!(path = %aside.display(), "a file in the spool is not of gobeacon and is set aside");
        return Ok((Vec::new(), Segment::default()));
    }
    if scan.torn > 0 {
        if is_newest {
            // the end of a write that a crash cut off: nobody was told that it is there
            tracing::info!(path = %path.display(), bytes = scan.torn, "the spool ends in a torn write, which is cut off");
        } else {
            tracing::error!(path = %path.display(), bytes = scan.torn, "the spool is damaged: what is behind is lost");
        }
        file.set_len(scan.whole_to)?;
        file.sync_all()?;
    }
    let list = fs::read(segment::done_path(dir, number)).unwrap_or_default();
    let done: BTreeSet<u32> = segment::done_entries(&list).collect();
    let left: Vec<Kept> = scan.kept.iter().filter(|kept| !done.contains(&kept.place.index)).copied().collect();
    let segment = Segment { live: left.len(), bytes: scan.whole_to, ..Segment::default() };
    Ok((left, segment))
}

/// Whether a file is the beginning of a segment whose header was not written whole.
fn is_unfinished(mut file: &File, size: u64) -> io::Result<bool> {
    use std::io::{Read as _, Seek as _};
    if size >= segment::MAGIC.len() as u64 {
        return Ok(false);
    }
    let mut begin = Vec::new();
    file.seek(io::SeekFrom::Start(0))?;
    file.read_to_end(&mut begin)?;
    Ok(segment::MAGIC.starts_with(&begin))
}
