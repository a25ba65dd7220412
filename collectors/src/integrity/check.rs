//! One version in one cache, read: which hashes its files have, and what others in the cache say of them.
//!
//! Invariants: a file is open only while a part of it is read, so what is deleted meanwhile is gone; one that changes
//! meanwhile is no longer read, and nothing is said of it.

use std::io;
use std::path::{Path, PathBuf};

use gobeacon_formats::h1::{self, H1};
use gobeacon_formats::sumdb::Key;
use gobeacon_formats::zip::{Buffers, Digests, Failed, ReadAt};
use gobeacon_formats::{Artifact, Timestamp};

use super::entries::{Cache, Entry, is_file};
use super::pace::Pace;
use super::sumdb::{self, small_file};
use super::trees;
use super::{Corrupt, Part, Source};
use crate::os::{self, Stat};

/// Largest go.mod (golang.org/x/mod/zip.MaxGoMod).
const LARGEST_GO_MOD: u64 = 16 << 20;
/// A hash is 47 bytes.
const LARGEST_ZIP_HASH: u64 = 4096;

/// What a thread needs to check entries.
#[derive(Debug)]
pub(super) struct Work {
    buffers: Buffers,
    records: sumdb::Reader,
    trees: bool,
}

/// One hash and who says it, within one cache.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Claim {
    pub(super) artifact: Artifact,
    pub(super) sum: H1,
    pub(super) source: Source,
    pub(super) place: PathBuf,
    pub(super) written: Timestamp,
}

/// What an entry came to.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub(super) claims: Vec<Claim>,
    pub(super) faults: Vec<Corrupt>,
    /// Bytes of files that were read.
    pub(super) read_bytes: u64,
    /// Bytes that were hashed: the content of archives is larger than they are.
    pub(super) hashed_bytes: u64,
    /// Records of checksum databases that were proved to be in their logs.
    pub(super) proved: u64,
    /// Something could not be read, and why.
    pub(super) unreadable: Option<(PathBuf, io::Error)>,
    /// Something changed or went away while it was read: nothing can be said.
    pub(super) is_restless: bool,
}

impl Work {
    /// `keys` are those of checksum databases; `trees` says whether extracted trees are read.
    pub(super) fn new(keys: Vec<Key>, trees: bool) -> Self {
        Self { buffers: Buffers::default(), records: sumdb::Reader::new(keys), trees }
    }

    /// Reads all that an entry has.
    ///
    /// # Errors
    /// Only what `pace` says: it is time to stop.
    pub(super) fn check(&mut self, cache: &Cache, entry: &Entry, pace: &mut dyn Pace) -> io::Result<Checked> {
        let mut checked = Checked::default();
        let before = entry.mark(cache);
        let digests = self.zip(entry, pace, &mut checked)?;
        let zip_hash = zip_hash(entry, &mut checked);
        for broken in checked.faults.iter_mut().filter(|fault| fault.part == Part::Zip) {
            (broken.found, broken.expected) = (digests.as_ref().map(Digests::h1), zip_hash);
        }
        go_mod(entry, pace, &mut checked)?;
        for found in self.records.records(cache, entry) {
            match found.said {
                Ok(said) => {
                    checked.proved += u64::from(said.is_proved);
                    let claim = |(artifact, sum)| Claim {
                        artifact,
                        sum,
                        source: Source::Sumdb,
                        place: found.place.clone(),
                        written: found.written,
                    };
                    checked.claims.extend(said.sums.into_iter().map(claim));
                }
                Err(why) => checked.faults.push(fault(entry, Part::Sumdb, found.place, why.to_owned())),
            }
        }
        if self.trees && !entry.is_partial {
            // where zip and hash disagree nobody knows which of them the tree should be: either will do
            let digests = digests.filter(|it| it.damaged.is_none());
            let zip_sum = digests.as_ref().map(Digests::h1);
            let digests = digests.filter(|_| zip_hash.is_none_or(|sum| Some(sum) == zip_sum));
            trees::check(cache, entry, digests.as_ref(), [zip_hash, zip_sum], pace, &mut checked)?;
        }
        checked.is_restless |= entry.mark(cache) != before;
        Ok(checked)
    }

    fn zip(&mut self, entry: &Entry, pace: &mut dyn Pace, checked: &mut Checked) -> io::Result<Option<Digests>> {
        let path = entry.file("zip");
        let Some(stat) = file(entry.has_zip, &path, checked) else { return Ok(None) };
        let prefix = format!("{}@{}/", entry.module, entry.version);
        let source = Reading { path: &path, stat, pace, bytes: &mut checked.read_bytes };
        match Digests::read(source, stat.size, &prefix, &mut self.buffers) {
            Ok(digests) => {
                checked.hashed_bytes += digests.content_bytes;
                checked.claims.push(Claim {
                    artifact: Artifact::Zip,
                    sum: digests.h1(),
                    source: Source::Zip,
                    place: path.clone(),
                    written: stat.modified,
                });
                if let Some(broken) = &digests.damaged {
                    checked.faults.push(fault(entry, Part::Zip, path, broken.to_string()));
                }
                Ok(Some(digests))
            }
            Err(Failed::Broken(broken)) => {
                checked.faults.push(fault(entry, Part::Zip, path, broken.to_string()));
                Ok(None)
            }
            Err(Failed::Read(error)) => checked.could_not(path, error).map(|()| None),
        }
    }
}

impl Checked {
    /// Whether a file that was read has something beside it that says what it should be.
    pub(super) fn is_compared(&self) -> bool {
        let is_read = |claim: &&Claim| matches!(claim.source, Source::Zip | Source::GoMod);
        self.claims.iter().filter(is_read).any(|claim| {
            self.claims.iter().any(|other| other.artifact == claim.artifact && other.source != claim.source)
        })
    }

    /// Notes that something could not be read. Handed on is only that it is time to stop.
    pub(super) fn could_not(&mut self, path: PathBuf, error: io::Error) -> io::Result<()> {
        let kind = error.kind();
        if kind == io::ErrorKind::Interrupted {
            return Err(error);
        }
        if matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::StaleNetworkFileHandle) {
            self.is_restless = true;
        } else {
            self.unreadable = Some((path, error));
        }
        Ok(())
    }
}

pub(super) fn fault(entry: &Entry, part: Part, place: PathBuf, detail: String) -> Corrupt {
    let (module, version) = (entry.module.clone(), entry.version.clone());
    Corrupt { module, version, part, place, detail, found: None, expected: None }
}

/// What the file system says of a plain file that should be there.
fn file(is_listed: bool, path: &Path, checked: &mut Checked) -> Option<Stat> {
    if !is_listed {
        return None;
    }
    let stat = os::stat(path).and_then(|stat| if is_file(&stat) { Ok(stat) } else { Err(io::ErrorKind::Other.into()) });
    match stat {
        Ok(stat) => Some(stat),
        Err(error) => {
            // an error of the file system is no reason to stop
            let _ = checked.could_not(path.to_owned(), error);
            None
        }
    }
}

/// What the `.ziphash` says. The go command trims it (modfetch: checkMod).
fn zip_hash(entry: &Entry, checked: &mut Checked) -> Option<H1> {
    let path = entry.file("ziphash");
    let stat = file(entry.has_hash, &path, checked)?;
    let bytes = match small_file(&path, LARGEST_ZIP_HASH) {
        Ok(bytes) => bytes,
        Err(error) => {
            let _ = checked.could_not(path, error);
            return None;
        }
    };
    checked.read_bytes += bytes.len() as u64;
    let Some(sum) = std::str::from_utf8(&bytes).ok().and_then(|text| H1::parse(text.trim())) else {
        let detail = if bytes.is_empty() { "it is empty" } else { "there is no hash in it" };
        checked.faults.push(fault(entry, Part::ZipHash, path, detail.to_owned()));
        return None;
    };
    let (artifact, source) = (Artifact::Zip, Source::ZipHash);
    checked.claims.push(Claim { artifact, sum, source, place: path, written: stat.modified });
    Some(sum)
}

fn go_mod(entry: &Entry, pace: &mut dyn Pace, checked: &mut Checked) -> io::Result<()> {
    let path = entry.file("mod");
    let Some(stat) = file(entry.has_go_mod, &path, checked) else { return Ok(()) };
    pace.before(stat.size.min(LARGEST_GO_MOD))?;
    match small_file(&path, LARGEST_GO_MOD) {
        Ok(bytes) => {
            checked.read_bytes += bytes.len() as u64;
            checked.hashed_bytes += bytes.len() as u64;
            let (artifact, source, sum) = (Artifact::GoMod, Source::GoMod, h1::of_go_mod(&bytes));
            checked.claims.push(Claim { artifact, sum, source, place: path, written: stat.modified });
            Ok(())
        }
        Err(error) => checked.could_not(path, error),
    }
}

/// A file that is opened for each read of it and must stay the same meanwhile.
pub(super) struct Reading<'a> {
    pub(super) path: &'a Path,
    pub(super) stat: Stat,
    pub(super) pace: &'a mut dyn Pace,
    pub(super) bytes: &'a mut u64,
}

impl ReadAt for Reading<'_> {
    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let left = self.stat.size.saturating_sub(offset).min(buffer.len() as u64);
        self.pace.before(left)?;
        let file = os::open(self.path)?;
        let now = os::stat_open(&file)?;
        let is_same = (now.key, now.size, now.modified) == (self.stat.key, self.stat.size, self.stat.modified);
        if !is_same {
            return Err(io::ErrorKind::StaleNetworkFileHandle.into());
        }
        let read = os::read_at(&file, buffer, offset)?;
        *self.bytes += read as u64;
        Ok(read)
    }
}
