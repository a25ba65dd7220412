//! The directory at the end of an archive: which entries there are, and where.
//!
//! Source: archive/zip/reader.go (`init`, `readDirectoryEnd`, `findDirectory64End`, `readDirectoryHeader`), whose order
//! of looking decides what an archive contains.
//!
//! Invariant: no entry is listed that lies outside of the archive, shares bytes with another one, or makes the content
//! larger than is allowed.

use std::ops::Range;

use super::content::Content;
use super::{Broken, Failed, Flaw, LARGEST, LARGEST_DIRECTORY, ReadAt, text};

const END: [u8; 4] = *b"PK\x05\x06";
const END_BYTES: usize = 22;
const LOCATOR_64: [u8; 4] = *b"PK\x06\x07";
const LOCATOR_64_BYTES: usize = 20;
const END_64: [u8; 4] = *b"PK\x06\x06";
const END_64_BYTES: usize = 56;
const HEADER: [u8; 4] = *b"PK\x01\x02";
const HEADER_BYTES: usize = 46;
/// The header before the data of an entry, without name and extra fields.
pub(super) const LOCAL_BYTES: u64 = 30;
const EXTRA_64: u16 = 1;

/// One entry.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// In the bytes of the directory.
    name: Range<usize>,
    /// Offset of the header before the data.
    pub(super) header: u64,
    pub(super) compressed: u64,
    pub(super) size: u64,
    pub(super) checksum: u32,
    pub(super) method: u16,
    pub(super) flags: u16,
}

/// All entries.
#[derive(Debug, Clone)]
pub(super) struct Directory {
    bytes: Vec<u8>,
    pub(super) entries: Vec<Entry>,
}

/// What the end of an archive says of its directory.
struct End {
    at: u64,
    records: u64,
    size: u64,
    offset: u64,
}

impl Directory {
    pub(super) fn read<R: ReadAt>(content: &mut Content<'_, R>, size: u64) -> Result<Self, Failed> {
        if size > LARGEST {
            return Err(Flaw::TooLarge.into());
        }
        let end = end(content, size)?;
        let start = end.at.checked_sub(end.size).and_then(|it| it.checked_sub(end.offset));
        let mut base = start.ok_or(Flaw::BadDirectory)?;
        // archives in front of which something was put, whose offsets may or may not count it
        if base > 0 && content.exact(end.offset, HEADER_BYTES)?.is_some_and(|header| header.starts_with(&HEADER)) {
            base = 0;
        }
        let from = base.saturating_add(end.offset);
        let length = end.at.checked_sub(from).ok_or(Flaw::BadDirectory)?;
        if length > LARGEST_DIRECTORY {
            return Err(Flaw::TooLarge.into());
        }
        let bytes = content.owned(from, usize::try_from(length).map_err(|_| Flaw::TooLarge)?)?;
        let mut entries = Vec::new();
        let mut at = 0;
        while let Some((mut entry, next)) = header(&bytes, at) {
            entry.header = entry.header.saturating_add(base);
            entries.push(entry);
            at = next;
        }
        // the count has 16 bits, also where there are more entries
        if entries.len() as u64 & 0xffff != end.records & 0xffff {
            return Err(Flaw::BadDirectory.into());
        }
        Ok(Self { bytes, entries })
    }

    pub(super) fn name(&self, entry: &Entry) -> &[u8] {
        self.bytes.get(entry.name.clone()).unwrap_or_default()
    }

    /// Numbers of entries.
    pub(super) fn in_order_of_place(&self) -> Vec<usize> {
        let mut order: Vec<_> = (0..self.entries.len()).collect();
        order.sort_unstable_by_key(|it| self.entries.get(*it).map(|entry| entry.header));
        order
    }

    /// Numbers of entries.
    pub(super) fn in_order_of_names(&self) -> Vec<usize> {
        let mut order: Vec<_> = (0..self.entries.len()).collect();
        order.sort_unstable_by_key(|it| self.entries.get(*it).map(|entry| self.name(entry)));
        order
    }

    /// What must hold for all entries together.
    pub(super) fn check(&self, prefix: &str) -> Result<(), Failed> {
        let mut left = LARGEST;
        for entry in &self.entries {
            let name = self.name(entry);
            left = left.checked_sub(entry.size).ok_or_else(|| flawed(Flaw::TooLarge, name))?;
            if !name.strip_prefix(prefix.as_bytes()).is_some_and(is_name) {
                return Err(flawed(Flaw::BadName, name));
            }
        }
        let mut before: Option<&[u8]> = None;
        for entry in self.in_order_of_names().into_iter().filter_map(|it| self.entries.get(it)) {
            let name = self.name(entry);
            if before == Some(name) {
                return Err(flawed(Flaw::Duplicate, name));
            }
            before = Some(name);
        }
        let mut taken = 0;
        for entry in self.in_order_of_place().into_iter().filter_map(|it| self.entries.get(it)) {
            if entry.header < taken {
                return Err(flawed(Flaw::Overlap, self.name(entry)));
            }
            // the extra fields before the data may have another length than those of the directory
            let header = LOCAL_BYTES + entry.name.len() as u64;
            taken = entry.header.saturating_add(header).saturating_add(entry.compressed);
        }
        Ok(())
    }
}

fn flawed(flaw: Flaw, name: &[u8]) -> Failed {
    Failed::Broken(Broken { flaw, entry: Some(text(name)) })
}

/// Whether it is the path of a file below a module, or of a folder where it ends with a slash
/// (golang.org/x/mod/module.CheckFilePath, as far as it is about leaving the module).
fn is_name(path: &[u8]) -> bool {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    let is_part = |part: &[u8]| !matches!(part, b"" | b"." | b"..");
    let is_text = std::str::from_utf8(path).is_ok_and(|text| !text.contains(['\\', '\n', '\0']));
    is_text && path.split(|byte| *byte == b'/').all(is_part)
}

/// Looks for the end in the last KiB, then in the last 65.
fn end<R: ReadAt>(content: &mut Content<'_, R>, size: u64) -> Result<End, Failed> {
    for look in [1024, 65 * 1024] {
        let length = size.min(look);
        let tail = content.owned(size - length, usize::try_from(length).map_err(|_| Flaw::TooLarge)?)?;
        if let Some(at) = find(&tail) {
            let end = tail.get(at..).unwrap_or_default();
            let mut end = End {
                at: size - length + at as u64,
                records: u16_at(end, 10).ok_or(Flaw::NoDirectory)?.into(),
                size: u32_at(end, 12).ok_or(Flaw::NoDirectory)?.into(),
                offset: u32_at(end, 16).ok_or(Flaw::NoDirectory)?.into(),
            };
            if end.records == 0xffff || end.size == 0xffff_ffff || end.offset == 0xffff_ffff {
                end_64(content, &mut end)?;
            }
            return Ok(end);
        }
        if length == size {
            break;
        }
    }
    Err(Flaw::NoDirectory.into())
}

/// The last place where an end with its whole comment is; a comment that is cut off ends the search.
fn find(tail: &[u8]) -> Option<usize> {
    let last = tail.len().checked_sub(END_BYTES)?;
    let at = memchr::memmem::rfind(tail.get(..last + END.len())?, &END)?;
    let comment = usize::from(u16_at(tail, at + 20)?);
    (at + END_BYTES + comment <= tail.len()).then_some(at)
}

fn end_64<R: ReadAt>(content: &mut Content<'_, R>, end: &mut End) -> Result<(), Failed> {
    let Some(locator) = end.at.checked_sub(LOCATOR_64_BYTES as u64) else { return Ok(()) };
    let Some(locator) = content.exact(locator, LOCATOR_64_BYTES)? else { return Ok(()) };
    let is_one = u32_at(locator, 4) == Some(0) && u32_at(locator, 16) == Some(1);
    let Some(at) = u64_at(locator, 8).filter(|_| locator.starts_with(&LOCATOR_64) && is_one) else { return Ok(()) };
    let bytes = content.exact(at, END_64_BYTES)?.ok_or(Flaw::NoDirectory)?;
    if !bytes.starts_with(&END_64) {
        return Err(Flaw::NoDirectory.into());
    }
    let number = |at| u64_at(bytes, at).ok_or(Flaw::NoDirectory);
    (end.records, end.size, end.offset) = (number(32)?, number(40)?, number(48)?);
    end.at = at;
    Ok(())
}

/// The entry whose header begins at `at`, and where the next one does.
fn header(directory: &[u8], at: usize) -> Option<(Entry, usize)> {
    let fixed = directory.get(at..at + HEADER_BYTES)?;
    if !fixed.starts_with(&HEADER) {
        return None;
    }
    let length = |at| u16_at(fixed, at).map(usize::from);
    let name = at + HEADER_BYTES..at + HEADER_BYTES + length(28)?;
    let extra = name.end..name.end + length(30)?;
    let next = extra.end + length(32)?;
    directory.get(at..next)?;
    let mut entry = Entry {
        name,
        header: u32_at(fixed, 42)?.into(),
        compressed: u32_at(fixed, 20)?.into(),
        size: u32_at(fixed, 24)?.into(),
        checksum: u32_at(fixed, 16)?,
        method: u16_at(fixed, 10)?,
        flags: u16_at(fixed, 8)?,
    };
    widen(&mut entry, directory.get(extra)?)?;
    Some((entry, next))
}

/// Sizes that do not fit into 32 bits stand in an extra field.
fn widen(entry: &mut Entry, mut extra: &[u8]) -> Option<()> {
    const FULL: u64 = 0xffff_ffff;
    while let (Some(tag), Some(length)) = (u16_at(extra, 0), u16_at(extra, 2)) {
        let Some(mut field) = extra.get(4..4 + usize::from(length)) else { break };
        extra = extra.get(4 + usize::from(length)..)?;
        if tag == EXTRA_64 {
            for number in [&mut entry.size, &mut entry.compressed, &mut entry.header] {
                if *number == FULL {
                    *number = u64_at(field, 0)?;
                    field = field.get(8..)?;
                }
            }
        }
    }
    Some(())
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
