//! The file of what is remembered: a header, and records one behind the other, each with its length and a checksum.
//!
//! Records are only ever added. When they have grown to several times what they say, all that counts is written anew
//! beside the file and put in its place. It must not know what a record means.
//!
//! Invariant: whatever bytes a file has, reading it gives the records at its start that were written whole; never a
//! panic, never more memory than the file is long.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// What the file begins with. The digit is the version of the layout.
pub(super) const MAGIC: &[u8; 16] = b"gobeacon state 1";
/// Bytes in front of each record: its length and its checksum.
const LEAD: usize = 8;
/// A file beyond this is not of gobeacon: ten thousand logs take a few mebibytes.
const LARGEST: u64 = 1 << 30;
/// So much may be added before anything is written anew.
const ROOM: u64 = 4 << 20;

/// What could be read of a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Read<'a> {
    /// The records, oldest first; `None`: it is no journal of this version.
    pub(super) records: Option<Vec<&'a [u8]>>,
    /// Bytes behind them: the torn end of the last write, or damage.
    pub(super) torn: usize,
}

/// Reads all that is whole.
pub(super) fn read(bytes: &[u8]) -> Read<'_> {
    let Some(mut rest) = bytes.strip_prefix(MAGIC) else { return Read { records: None, torn: bytes.len() } };
    let mut records = Vec::new();
    while let Some((record, behind)) = first(rest) {
        records.push(record);
        rest = behind;
    }
    Read { records: Some(records), torn: rest.len() }
}

fn first(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (lead, rest) = bytes.split_at_checked(LEAD)?;
    let (length, checksum) = lead.split_at_checked(4)?;
    let length = usize::try_from(u32::from_le_bytes(length.try_into().ok()?)).ok()?;
    let (record, behind) = rest.split_at_checked(length)?;
    (u32::from_le_bytes(checksum.try_into().ok()?) == sum(record)).then_some((record, behind))
}

/// A record as it stands in the file.
pub(super) fn framed(record: &[u8]) -> io::Result<Vec<u8>> {
    let length = u32::try_from(record.len()).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    let mut bytes = Vec::with_capacity(LEAD + record.len());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&sum(record).to_le_bytes());
    bytes.extend_from_slice(record);
    Ok(bytes)
}

fn sum(record: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    // so that zeros, which some file systems leave behind a crash, are no record
    crc.update(MAGIC);
    crc.update(record);
    crc.finalize()
}

/// The file, written to.
#[derive(Debug)]
pub(super) struct Journal {
    dir: PathBuf,
    /// `None`: before the next record all must be written anew.
    file: Option<File>,
    bytes: u64,
    /// Beyond this size all is written anew.
    most: u64,
}

/// Why a file that is there tells nothing.
#[derive(Debug)]
pub(super) enum Unusable {
    /// It is not of gobeacon, or of another version of it.
    Foreign,
    /// The operating system does not let us read it.
    Io(io::Error),
}

impl Journal {
    /// The journal of this folder, and what it holds: nothing where there is none.
    pub(super) fn open(dir: &Path) -> (Self, Result<Vec<u8>, Unusable>) {
        let journal = Self { dir: dir.to_owned(), file: None, bytes: 0, most: 0 };
        let path = journal.path();
        let read = fs::metadata(&path).and_then(|it| if it.len() > LARGEST { Ok(Vec::new()) } else { fs::read(&path) });
        let found = match read {
            Ok(bytes) if bytes.starts_with(MAGIC) => Ok(bytes),
            Ok(_) => Err(Unusable::Foreign),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(MAGIC.to_vec()),
            Err(error) => Err(Unusable::Io(error)),
        };
        (journal, found)
    }

    /// Gives what is in the way another name, which is told.
    pub(super) fn set_aside(&self) -> io::Result<PathBuf> {
        let aside = self.dir.join("journal.set-aside");
        fs::rename(self.path(), &aside)?;
        Ok(aside)
    }

    /// Bytes of the file.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds a record, or has all written anew: `everything` gives the one record that says it.
    ///
    /// # Errors
    /// It is not on the disk. All will be written anew the next time.
    pub(super) fn add(&mut self, record: &[u8], sync: bool, everything: impl FnOnce() -> Vec<u8>) -> io::Result<()> {
        let framed = framed(record)?;
        let is_full = self.bytes.saturating_add(framed.len() as u64) > self.most;
        let Some(file) = self.file.as_mut().filter(|_| !is_full) else { return self.anew(&everything()) };
        let written = file.write_all(&framed).and_then(|()| if sync { file.sync_data() } else { Ok(()) });
        match written {
            Ok(()) => self.bytes += framed.len() as u64,
            // what is in the file behind the last whole record is not known
            Err(_) => self.file = None,
        }
        written
    }

    fn anew(&mut self, everything: &[u8]) -> io::Result<()> {
        self.file = None;
        let path = self.dir.join("journal.new");
        let bytes = [&MAGIC[..], &framed(everything)?].concat();
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&path)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&path, self.path())?;
        File::open(&self.dir)?.sync_all()?;
        self.bytes = bytes.len() as u64;
        self.most = self.bytes.saturating_mul(4).saturating_add(ROOM);
        self.file = Some(file);
        Ok(())
    }

    fn path(&self) -> PathBuf {
        self.dir.join("journal")
    }
}
