//! The attack on the module that reads the journal: it is private to its room, so this stands in for the room.

#[path = "../../src/state/journal.rs"]
mod journal;

use journal::{MAGIC, framed, read};

/// In front of each record: its length and its checksum.
const LEAD: usize = 8;

/// Any bytes, as a journal and behind the head of one.
pub(crate) fn any(data: &[u8]) {
    for bytes in [data.to_vec(), [MAGIC, data].concat()] {
        let found = read(&bytes);
        let Some(records) = found.records else {
            assert!(!bytes.starts_with(MAGIC) && found.torn == bytes.len());
            continue;
        };
        let whole: usize = records.iter().map(|record| record.len() + LEAD).sum();
        assert_eq!(MAGIC.len() + whole + found.torn, bytes.len());
        // what was read is what stands there
        let again: Vec<u8> = records.iter().flat_map(|record| framed(record).unwrap()).collect();
        assert!(bytes[MAGIC.len()..].starts_with(&again));
    }
}

/// Records that were written, and one thing that happened to the file: the first bytes say to which.
pub(crate) fn damaged(data: &[u8]) {
    let Some((&[low, high, by], rest)) = data.split_first_chunk::<3>() else { return };
    let records: Vec<&[u8]> = rest.split(|byte| *byte == 0).collect();
    let (mut bytes, mut ends) = (MAGIC.to_vec(), Vec::new());
    for record in &records {
        bytes.extend(framed(record).unwrap());
        ends.push(bytes.len());
    }
    let at = usize::from(u16::from_le_bytes([low, high])) % bytes.len();
    match by {
        0 => bytes.truncate(at),
        by => bytes[at] ^= by,
    }
    let found = read(&bytes);
    if at < MAGIC.len() {
        assert!(found.records.is_none());
        return;
    }
    let intact = ends.iter().take_while(|end| **end <= at).count();
    assert_eq!(found.records.unwrap(), records[..intact]);
}
