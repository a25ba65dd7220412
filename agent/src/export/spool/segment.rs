//! The files of the spool: how a batch lies in them, and what can be read back after a crash.
//!
//! A segment is a header and batches one behind the other, each with its length, a checksum, the number of its records
//! and the time when it was added. Beside it a file of the same number lists the places of batches that are done.
//! Nothing is ever changed in place.
//!
//! Invariant: whatever bytes a file has, reading it gives batches that were written whole, or fewer; never a panic,
//! never more memory than one batch.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use gobeacon_formats::Timestamp;
use prost::bytes::Bytes;

/// What a segment begins with. The digit is the version of the layout.
pub(super) const MAGIC: &[u8; 16] = b"gobeacon spool 1";
/// Bytes in front of each payload: its length, the checksum, the records, the time.
pub(super) const LEAD: u64 = 4 + 4 + 4 + 8;
/// Larger than any request may be: a length beyond it is no length.
const LARGEST: u32 = 64 << 20;

/// Where a batch lies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::export) struct Place {
    /// The number of the segment.
    pub(super) segment: u64,
    /// Which batch of the segment it is, counted from 0.
    pub(super) index: u32,
    /// Where its lead begins, in bytes.
    pub(super) at: u64,
}

/// A batch as the files tell of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::export) struct Kept {
    pub(in crate::export) place: Place,
    /// Of the payload.
    pub(in crate::export) bytes: u64,
    /// Spans or log records in it.
    pub(in crate::export) records: u64,
    /// When it was added.
    pub(in crate::export) added: Timestamp,
}

/// What a segment has.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Scan {
    /// Its batches, done ones included.
    pub(super) kept: Vec<Kept>,
    /// Up to where it is whole; 0 for a file that is no segment.
    pub(super) whole_to: u64,
    /// Bytes behind that: the torn end of the last write, or damage.
    pub(super) torn: u64,
}

/// The path of a segment.
pub(super) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:020}.spool"))
}

/// The path of the list of what is done of a segment.
pub(super) fn done_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:020}.done"))
}

/// The number of a segment, by the name of its file.
pub(super) fn number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".spool")?;
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

/// Writes a batch at the end of a segment.
pub(super) fn append(to: &mut impl Write, payload: &[u8], records: u64, added: Timestamp) -> io::Result<()> {
    let length = u32::try_from(payload.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let records = u32::try_from(records).unwrap_or(u32::MAX);
    let rest = rest_of_lead(records, added);
    let mut lead = Vec::with_capacity(LEAD as usize);
    lead.extend_from_slice(&length.to_le_bytes());
    lead.extend_from_slice(&checksum(&rest, payload).to_le_bytes());
    lead.extend_from_slice(&rest);
    to.write_all(&lead)?;
    to.write_all(payload)
}

/// Reads a segment from its start. The payloads are read and checked only where `check` is set: one that a later
/// segment follows was on disk before that was begun.
pub(super) fn scan(file: &mut File, number: u64, check: bool) -> io::Result<Scan> {
    let size = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(0))?;
    let mut magic = [0; MAGIC.len()];
    let is_segment = size >= magic.len() as u64 && file.read_exact(&mut magic).is_ok() && magic == *MAGIC;
    if !is_segment {
        return Ok(Scan { torn: size, ..Scan::default() });
    }
    let mut scan = Scan { whole_to: MAGIC.len() as u64, ..Scan::default() };
    let mut payload = Vec::new();
    while let Some(lead) = lead_at(file, scan.whole_to)? {
        let end = scan.whole_to + LEAD + u64::from(lead.length);
        if lead.length > LARGEST || end > size {
            break;
        }
        if check {
            payload.resize(lead.length as usize, 0);
            if !fill(file, &mut payload, scan.whole_to + LEAD)? || !lead.fits(&payload) {
                break;
            }
        }
        let index = u32::try_from(scan.kept.len()).unwrap_or(u32::MAX);
        scan.kept.push(Kept {
            place: Place { segment: number, index, at: scan.whole_to },
            bytes: lead.length.into(),
            records: lead.records.into(),
            added: lead.added,
        });
        scan.whole_to = end;
    }
    scan.torn = size.saturating_sub(scan.whole_to);
    Ok(scan)
}

/// Reads one batch back.
///
/// # Errors
/// It is not there any more, or not what was written.
pub(super) fn read(dir: &Path, place: Place) -> io::Result<Bytes> {
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "the spool is damaged there");
    let file = File::open(path(dir, place.segment))?;
    let lead = lead_at(&file, place.at)?.filter(|lead| lead.length <= LARGEST).ok_or_else(damaged)?;
    let mut payload = vec![0; lead.length as usize];
    if !fill(&file, &mut payload, place.at + LEAD)? || !lead.fits(&payload) {
        return Err(damaged());
    }
    Ok(payload.into())
}

/// One line of the list of what is done.
pub(super) fn done_entry(index: u32) -> [u8; 8] {
    let mut entry = [0; 8];
    let bytes = index.to_le_bytes().into_iter().chain((!index).to_le_bytes());
    entry.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    entry
}

/// The batches that a list says are done; what is torn or damaged of it says nothing.
pub(super) fn done_entries(list: &[u8]) -> impl Iterator<Item = u32> {
    list.chunks_exact(8).filter_map(|entry| {
        let (index, check) = entry.split_at_checked(4)?;
        let index = u32::from_le_bytes(index.try_into().ok()?);
        (u32::from_le_bytes(check.try_into().ok()?) == !index).then_some(index)
    })
}

struct Lead {
    length: u32,
    checksum: u32,
    records: u32,
    added: Timestamp,
}

impl Lead {
    fn fits(&self, payload: &[u8]) -> bool {
        checksum(&rest_of_lead(self.records, self.added), payload) == self.checksum
    }
}

/// `None` at the end of the file.
fn lead_at(file: &File, at: u64) -> io::Result<Option<Lead>> {
    let mut bytes = [0; LEAD as usize];
    if !fill(file, &mut bytes, at)? {
        return Ok(None);
    }
    let word = |at: usize| {
        let word = bytes.get(at..at + 4).and_then(|word| word.try_into().ok());
        u32::from_le_bytes(word.unwrap_or_default())
    };
    let added = bytes.get(12..20).and_then(|added| added.try_into().ok()).unwrap_or_default();
    let added = Timestamp::from_nanos(i64::from_le_bytes(added));
    Ok(Some(Lead { length: word(0), checksum: word(4), records: word(8), added }))
}

/// Fills the buffer from an offset; false where the file ends before.
fn fill(file: &File, buffer: &mut [u8], at: u64) -> io::Result<bool> {
    match file.read_exact_at(buffer, at) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn rest_of_lead(records: u32, added: Timestamp) -> [u8; 12] {
    let mut rest = [0; 12];
    let bytes = records.to_le_bytes().into_iter().chain(added.as_nanos().to_le_bytes());
    rest.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    rest
}

fn checksum(rest_of_lead: &[u8], payload: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&(payload.len() as u64).to_le_bytes());
    crc.update(rest_of_lead);
    crc.update(payload);
    crc.finalize()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn segment(payloads: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for (n, payload) in payloads.iter().enumerate() {
            append(&mut bytes, payload, n as u64, Timestamp::from_nanos(n as i64)).unwrap();
        }
        bytes
    }

    fn scanned(bytes: &[u8], check: bool) -> (Scan, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(path(dir.path(), 7), bytes).unwrap();
        (scan(&mut File::open(path(dir.path(), 7)).unwrap(), 7, check).unwrap(), dir)
    }

    proptest! {
        #[test]
        fn what_is_torn_or_damaged_gives_the_batches_in_front_of_it_and_they_read_back(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..8),
            cut in 0.0..1.2_f64,
            flip in prop::option::of((0.0..1.0_f64, 1..=255_u8)),
        ) {
            let mut bytes = segment(&payloads);
            let whole = bytes.len();
            let cut = ((whole as f64 * cut) as usize).min(whole);
            bytes.truncate(cut);
            let flipped = flip.map(|(at, by)| ((cut as f64 * at) as usize, by)).filter(|(at, _)| *at < cut);
            if let Some((at, by)) = flipped {
                bytes[at] ^= by;
            }
            let (scan, dir) = scanned(&bytes, true);
            let good_to = flipped.map_or(cut, |(at, _)| at);
            let mut end = MAGIC.len();
            let intact = payloads.iter().take_while(|payload| { end += LEAD as usize + payload.len(); end <= good_to }).count();
            prop_assert_eq!(scan.kept.len(), if good_to < MAGIC.len() { 0 } else { intact });
            prop_assert_eq!(scan.whole_to + scan.torn, cut as u64);
            for (kept, payload) in scan.kept.iter().zip(&payloads) {
                prop_assert_eq!(kept.bytes, payload.len() as u64);
                prop_assert_eq!(&read(dir.path(), kept.place).unwrap()[..], &payload[..]);
            }
        }

        #[test]
        fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..200), magic in any::<bool>()) {
            let bytes = if magic { [&MAGIC[..], &bytes].concat() } else { bytes };
            let (first, _) = scanned(&bytes, true);
            let (second, _) = scanned(&bytes, false);
            prop_assert!(first.kept.len() <= second.kept.len());
            done_entries(&bytes).for_each(drop);
        }
    }

    #[test]
    fn the_list_of_what_is_done_survives_a_torn_end() {
        let mut list = [done_entry(0), done_entry(u32::MAX), done_entry(77)].concat();
        list.extend_from_slice(&done_entry(5)[..6]);
        assert_eq!(done_entries(&list).collect::<Vec<_>>(), [0, u32::MAX, 77]);
    }

    #[test]
    fn only_the_names_of_segments_have_numbers() {
        assert_eq!(number("00000000000000000042.spool"), Some(42));
        for none in ["42.spool", "00000000000000000042.done", "0000000000000000004x.spool", ".spool"] {
            assert_eq!(number(none), None, "{none}");
        }
    }
}
