//! The data of the entries of an archive: read once, in order, through one window.
//!
//! Source: archive/zip/reader.go (`findBodyOffset`, `checksumReader`, `readDataDescriptor`).
//!
//! Invariant: no more is decompressed of an entry than the directory says that it has.

use std::io;

use flate2::{Crc, Decompress, FlushDecompress, Status};
use sha2::{Digest as _, Sha256};

use super::directory::{Entry, LOCAL_BYTES, u16_at, u32_at};
use super::{Failed, Flaw, ReadAt};

/// How much is read at once.
const WINDOW_BYTES: usize = 256 << 10;
/// How much is decompressed at once: what stays in the second cache of a core.
const PLAIN_BYTES: usize = 64 << 10;

const LOCAL: [u8; 4] = *b"PK\x03\x04";
const DESCRIPTOR: [u8; 4] = *b"PK\x07\x08";
const DESCRIBED_BEHIND: u16 = 8;
const ENCRYPTED: u16 = 1;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// Room to work in. One for each thread, to be used again.
pub struct Buffers {
    window: Vec<u8>,
    plain: Vec<u8>,
    inflate: Decompress,
}

impl std::fmt::Debug for Buffers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Buffers").finish_non_exhaustive()
    }
}

impl Default for Buffers {
    fn default() -> Self {
        Self { window: vec![0; WINDOW_BYTES], plain: vec![0; PLAIN_BYTES], inflate: Decompress::new(false) }
    }
}

/// An archive that is read.
pub(super) struct Content<'a, R> {
    source: R,
    size: u64,
    buffers: &'a mut Buffers,
    /// Which bytes of the archive are in the window.
    window_at: u64,
    window_bytes: usize,
}

/// What an entry came to.
pub(super) struct Read {
    pub(super) digest: [u8; 32],
    pub(super) checksum_holds: bool,
}

impl<'a, R: ReadAt> Content<'a, R> {
    pub(super) fn new(source: R, size: u64, buffers: &'a mut Buffers) -> Self {
        Self { source, size, buffers, window_at: 0, window_bytes: 0 }
    }

    /// Bytes that outlive the next read; all of them.
    pub(super) fn owned(&mut self, offset: u64, length: usize) -> Result<Vec<u8>, Failed> {
        let mut bytes = vec![0; length];
        if fill(&mut self.source, &mut bytes, offset)? < length {
            return Err(Flaw::Truncated.into());
        }
        Ok(bytes)
    }

    /// So many bytes, at most a window; `None` where the archive does not have them.
    pub(super) fn exact(&mut self, offset: u64, length: usize) -> io::Result<Option<&[u8]>> {
        Ok(Some(self.some(offset, length)?).filter(|it| it.len() >= length).and_then(|it| it.get(..length)))
    }

    /// As many bytes as the window has from there on, at least `wanted` where the archive has them.
    fn some(&mut self, offset: u64, wanted: usize) -> io::Result<&[u8]> {
        let end = self.window_at + self.window_bytes as u64;
        if offset < self.window_at || offset.saturating_add(wanted as u64) > end.min(self.size) {
            self.window_bytes = 0;
            self.window_bytes = fill(&mut self.source, &mut self.buffers.window, offset)?;
            self.window_at = offset;
        }
        let from = usize::try_from(offset - self.window_at).unwrap_or(usize::MAX);
        Ok(self.buffers.window.get(from..self.window_bytes).unwrap_or_default())
    }

    /// Reads one entry.
    pub(super) fn digest(&mut self, entry: &Entry, name: &[u8]) -> Result<Read, Failed> {
        let data = self.data(entry, name)?;
        if name.ends_with(b"/") {
            // a folder: Go takes it for an empty file, and says so of no other
            return if entry.size == 0 {
                Ok(Read { digest: Sha256::digest(b"").into(), checksum_holds: true })
            } else {
                Err(Flaw::WrongSize.into())
            };
        }
        if entry.flags & ENCRYPTED != 0 {
            return Err(Flaw::Method.into());
        }
        let (mut hash, mut checksum) = (Sha256::new(), Crc::new());
        let mut length = 0_u64;
        let mut each = |plain: &[u8]| {
            length += plain.len() as u64;
            hash.update(plain);
            checksum.update(plain);
            length <= entry.size
        };
        match entry.method {
            STORED => self.stored(data, entry, &mut each)?,
            DEFLATED => self.inflated(data, entry, &mut each)?,
            _ => return Err(Flaw::Method.into()),
        }
        if length != entry.size {
            return Err(Flaw::WrongSize.into());
        }
        let checksum_holds = if entry.flags & DESCRIBED_BEHIND != 0 {
            checksum.sum() == entry.checksum && self.descriptor(data, entry)? == Some(entry.checksum)
        } else {
            // 0: whoever wrote it did not set it
            entry.checksum == 0 || checksum.sum() == entry.checksum
        };
        Ok(Read { digest: hash.finalize().into(), checksum_holds })
    }

    /// Where the data begins, once the header before it is what it should be.
    fn data(&mut self, entry: &Entry, name: &[u8]) -> Result<u64, Failed> {
        let whole = usize::try_from(LOCAL_BYTES).unwrap_or_default() + name.len();
        let header = self.exact(entry.header, whole)?.ok_or(Flaw::Truncated)?;
        let (Some(name_bytes), Some(extra_bytes)) = (u16_at(header, 26), u16_at(header, 28)) else {
            return Err(Flaw::BadHeader.into());
        };
        if !header.starts_with(&LOCAL) || usize::from(name_bytes) != name.len() || !header.ends_with(name) {
            return Err(Flaw::BadHeader.into());
        }
        let data = entry.header + LOCAL_BYTES + u64::from(name_bytes) + u64::from(extra_bytes);
        if data.checked_add(entry.compressed).is_none_or(|end| end > self.size) {
            return Err(Flaw::Truncated.into());
        }
        Ok(data)
    }

    fn stored(&mut self, data: u64, entry: &Entry, each: &mut impl FnMut(&[u8]) -> bool) -> Result<(), Failed> {
        let mut read = 0;
        while read < entry.compressed {
            let some = self.some(data + read, 1)?;
            let left = usize::try_from(entry.compressed - read).unwrap_or(usize::MAX);
            let some = some.get(..left.min(some.len())).unwrap_or_default();
            if some.is_empty() {
                return Err(Flaw::Truncated.into());
            }
            read += some.len() as u64;
            if !each(some) {
                return Err(Flaw::WrongSize.into());
            }
        }
        Ok(())
    }

    fn inflated(&mut self, data: u64, entry: &Entry, each: &mut impl FnMut(&[u8]) -> bool) -> Result<(), Failed> {
        self.buffers.inflate.reset(false);
        let mut read = 0;
        loop {
            let left = usize::try_from(entry.compressed - read).unwrap_or(usize::MAX);
            if left > 0 {
                self.some(data + read, 1)?;
            }
            let Buffers { window, plain, inflate } = &mut *self.buffers;
            let from = usize::try_from(data + read - self.window_at).unwrap_or(usize::MAX);
            let input = window.get(from..self.window_bytes).unwrap_or_default();
            let input = input.get(..left.min(input.len())).unwrap_or_default();
            let (in_before, out_before) = (inflate.total_in(), inflate.total_out());
            let status = inflate.decompress(input, plain, FlushDecompress::None).map_err(|_| Flaw::BadData)?;
            let (taken, made) = (inflate.total_in() - in_before, inflate.total_out() - out_before);
            read += taken;
            let made = plain.get(..usize::try_from(made).unwrap_or_default()).unwrap_or_default();
            if !each(made) {
                return Err(Flaw::WrongSize.into());
            }
            match status {
                Status::StreamEnd => return Ok(()),
                Status::Ok | Status::BufError if taken == 0 && made.is_empty() => return Err(Flaw::Truncated.into()),
                Status::Ok | Status::BufError => {}
            }
        }
    }

    /// The checksum behind the data; its signature may be left out.
    fn descriptor(&mut self, data: u64, entry: &Entry) -> Result<Option<u32>, Failed> {
        let at = data + entry.compressed;
        let descriptor = self.some(at, 12)?;
        let skip = if descriptor.starts_with(&DESCRIPTOR) { 4 } else { 0 };
        Ok(u32_at(descriptor, skip))
    }
}

/// Reads until the buffer is full or the archive ends.
fn fill(source: &mut impl ReadAt, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut length = 0;
    while let Some(rest) = buffer.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match source.read_at(rest, offset + length as u64)? {
            0 => break,
            read => length += read,
        }
    }
    Ok(length)
}
