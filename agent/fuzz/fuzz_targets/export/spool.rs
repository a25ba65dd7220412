//! The attack on the module that reads segments: it is private to its room, so this stands in for the room.

#[path = "../../../src/export/spool/segment.rs"]
mod segment;

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;

use gobeacon_formats::Timestamp;
use segment::{LEAD, MAGIC, Scan, append, done_entries, path, read, scan};

/// A folder in memory, for the life of this process.
pub(crate) fn folder() -> PathBuf {
    let dir = PathBuf::from(format!("/dev/shm/gobeacon-fuzz-spool-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

/// Any bytes, as a segment and behind the head of one.
pub(crate) fn any(data: &[u8], dir: &PathBuf) {
    for bytes in [data.to_vec(), [MAGIC, data].concat()] {
        let whole = scanned(&bytes, dir, true);
        let believed = scanned(&bytes, dir, false);
        assert_eq!(whole.whole_to + whole.torn, bytes.len() as u64);
        assert!(whole.kept.len() <= believed.kept.len());
        assert!(whole.kept.len() as u64 <= bytes.len() as u64 / LEAD);
        for kept in &whole.kept {
            assert_eq!(read(dir, kept.place).unwrap().len() as u64, kept.bytes);
        }
        // what nobody has checked is checked when it is read
        for kept in believed.kept.iter().skip(whole.kept.len()) {
            let _ = read(dir, kept.place).map(|payload| assert_eq!(payload.len() as u64, kept.bytes));
        }
    }
    assert!(done_entries(data).count() <= data.len() / 8);
}

/// Batches that were written, and one thing that happened to the file: the first byte says to which.
pub(crate) fn damaged(data: &[u8], dir: &PathBuf) {
    let Some((&[at, high, by], rest)) = data.split_first_chunk::<3>().map(|(head, rest)| (head, rest)) else {
        return;
    };
    let payloads: Vec<&[u8]> = rest.split(|byte| *byte == 0).collect();
    let mut bytes = MAGIC.to_vec();
    let mut ends = Vec::new();
    for (n, payload) in payloads.iter().enumerate() {
        append(&mut bytes, payload, n as u64, Timestamp::from_nanos(n as i64)).unwrap();
        ends.push(bytes.len());
    }
    let at = usize::from(u16::from_le_bytes([at, high])) % bytes.len();
    match by {
        0 => bytes.truncate(at),
        by => bytes[at] ^= by,
    }
    let intact = if at < MAGIC.len() { 0 } else { ends.iter().take_while(|end| **end <= at).count() };
    let found = scanned(&bytes, dir, true);
    assert_eq!(found.kept.len(), intact);
    for (kept, payload) in found.kept.iter().zip(&payloads) {
        assert_eq!(&read(dir, kept.place).unwrap()[..], *payload);
    }
}

fn scanned(bytes: &[u8], dir: &PathBuf, check: bool) -> Scan {
    let path = path(dir, 7);
    File::create(&path).unwrap().write_all(bytes).unwrap();
    scan(&mut File::open(&path).unwrap(), 7, check).unwrap()
}
