//! Zip archives of modules, as the go command reads them: the digest of every file in one pass over the bytes.
//!
//! What the hash of a module is depends on what Go's own reader finds in the archive, so this one finds the same:
//! entries are what the directory at the end says (archive/zip: `readDirectoryEnd`, `readDirectoryHeader`), and sizes
//! and checksums of the directory must hold (`checksumReader`). What the go command would refuse to extract is broken
//! here too (golang.org/x/mod/zip: `checkZip`): larger than 500 MiB, names that lead elsewhere, names that stand twice.
//! Stricter than both: entries must not overlap, and the header before an entry must name it.
//!
//! It reads through [`ReadAt`], which knows where the bytes are; nothing here does.
//!
//! Invariants: what is read and held is bounded whatever the archive says: the directory by [`LARGEST_DIRECTORY`],
//! the content by [`LARGEST`]; nothing is believed that was not read.

mod content;
mod directory;

use std::fmt;
use std::io;

pub use content::Buffers;
use content::Content;
use directory::Directory;

use crate::h1::{self, H1};

/// Largest archive, and largest content of one, in bytes (golang.org/x/mod/zip.MaxZipFile).
pub const LARGEST: u64 = 500 << 20;
/// Largest directory of an archive, in bytes: some hundred thousand files.
pub const LARGEST_DIRECTORY: u64 = 64 << 20;

/// Where the bytes of an archive come from.
pub trait ReadAt {
    /// Reads bytes that begin at `offset`; fewer than asked for only at the end of the archive.
    ///
    /// # Errors
    /// Whatever keeps the bytes from being read; it is handed through.
    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl ReadAt for &[u8] {
    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|from| self.get(from..)).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        Ok(length)
    }
}

/// What is wrong with an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// There is no directory at its end: no zip archive, or one that was cut off.
    NoDirectory,
    /// The directory does not have the entries it should have.
    BadDirectory,
    /// The archive, its content or its directory is larger than the go command allows.
    TooLarge,
    /// An entry goes on beyond the end of the archive, or its data ends too soon.
    Truncated,
    /// There is no header where the directory says that an entry is, or it names another one.
    BadHeader,
    /// Two entries share bytes.
    Overlap,
    /// An entry is compressed in a way that Go does not know, or encrypted.
    Method,
    /// The data of an entry cannot be decompressed.
    BadData,
    /// An entry has another length than the directory says.
    WrongSize,
    /// The checksum of an entry is not the one of the directory.
    WrongChecksum,
    /// A name leads out of the module, or belongs to another one, or cannot be that of a file.
    BadName,
    /// A name stands twice.
    Duplicate,
}

impl Flaw {
    /// As a sentence goes on after "the zip is broken: ".
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::NoDirectory => "it has no directory at its end, so it is no zip file or was cut off",
            Self::BadDirectory => "its directory does not have the entries that it should have",
            Self::TooLarge => "it is larger than the go command allows",
            Self::Truncated => "data is missing",
            Self::BadHeader => "a header is not what the directory says",
            Self::Overlap => "two files share bytes",
            Self::Method => "a file is compressed in a way that Go does not know",
            Self::BadData => "a file cannot be decompressed",
            Self::WrongSize => "a file has not the size that the directory says",
            Self::WrongChecksum => "a file has not the checksum that the directory says",
            Self::BadName => "a name does not belong into this module",
            Self::Duplicate => "a file stands in it twice",
        }
    }
}

/// A flaw and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Broken {
    /// What is wrong.
    pub flaw: Flaw,
    /// The entry, where it is one.
    pub entry: Option<String>,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.flaw.meaning())?;
        self.entry.as_ref().map_or(Ok(()), |entry| write!(f, " ({entry})"))
    }
}

/// Why there are no digests.
#[derive(Debug)]
pub enum Failed {
    /// The bytes could not be read.
    Read(io::Error),
    /// The archive is broken.
    Broken(Broken),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

impl From<Flaw> for Failed {
    fn from(flaw: Flaw) -> Self {
        Self::Broken(Broken { flaw, entry: None })
    }
}

/// The digests of all files of an archive.
#[derive(Debug, Clone)]
pub struct Digests {
    directory: Directory,
    /// By number of the entry: SHA-256 of the content.
    digests: Vec<[u8; 32]>,
    /// Bytes of all files together.
    pub content_bytes: u64,
    /// The first file whose checksum is wrong though it could be read: Go's reader would refuse it.
    pub damaged: Option<Broken>,
}

impl Digests {
    /// Reads the whole archive of the module version whose files begin with `prefix` (`module@version/`).
    ///
    /// # Errors
    /// [`Failed`].
    pub fn read(source: impl ReadAt, size: u64, prefix: &str, buffers: &mut Buffers) -> Result<Self, Failed> {
        let mut content = Content::new(source, size, buffers);
        let directory = Directory::read(&mut content, size)?;
        directory.check(prefix)?;
        let mut digests = vec![[0; 32]; directory.entries.len()];
        let (mut content_bytes, mut damaged) = (0, None);
        for number in directory.in_order_of_place() {
            let Some(entry) = directory.entries.get(number) else { continue };
            let name = directory.name(entry);
            let read = content.digest(entry, name).map_err(|failed| at(failed, name))?;
            if !read.checksum_holds && damaged.is_none() {
                damaged = Some(Broken { flaw: Flaw::WrongChecksum, entry: Some(text(name)) });
            }
            content_bytes += entry.size;
            if let Some(digest) = digests.get_mut(number) {
                *digest = read.digest;
            }
        }
        Ok(Self { directory, digests, content_bytes, damaged })
    }

    /// The h1 hash (golang.org/x/mod/sumdb/dirhash.HashZip).
    pub fn h1(&self) -> H1 {
        h1::of_files(self.files())
    }

    /// Name, with the prefix, and SHA-256 of every entry, in the order of names.
    pub fn files(&self) -> impl Iterator<Item = (&[u8], &[u8; 32])> {
        let order = self.directory.in_order_of_names();
        order.into_iter().filter_map(|number| {
            let entry = self.directory.entries.get(number)?;
            Some((self.directory.name(entry), self.digests.get(number)?))
        })
    }
}

/// Says at which entry it was.
fn at(failed: Failed, name: &[u8]) -> Failed {
    match failed {
        Failed::Broken(Broken { flaw, entry: None }) => Failed::Broken(Broken { flaw, entry: Some(text(name)) }),
        Failed::Broken(Broken { entry: Some(_), .. }) | Failed::Read(_) => failed,
    }
}

/// A name for people: bounded.
fn text(name: &[u8]) -> String {
    const LONGEST: usize = 512;
    String::from_utf8_lossy(name.get(..LONGEST).unwrap_or(name)).into_owned()
}
