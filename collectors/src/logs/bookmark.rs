//! Where a log was left, and how it is known again: what a later life of the agent needs to go on in it.
//!
//! It must not know who keeps these, or how.
//!
//! Invariant: a log is gone on with only where it is the same file and both its first bytes and those in front of the
//! place are what was read.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use gobeacon_formats::{KeptParts, Timestamp};

use super::seen::{MOST_BYTES, Seen};
use crate::os::{self, Key, Stat};

/// Some bytes, as a number that others hardly have (FNV-1a, 64 bits: it tells accidents apart, not forgeries).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    /// How many bytes.
    pub length: u32,
    /// Of these bytes.
    pub hash: u64,
}

impl Default for Fingerprint {
    fn default() -> Self {
        Self { length: 0, hash: 0xcbf2_9ce4_8422_2325 }
    }
}

impl Fingerprint {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let next = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        Self { length, hash: bytes.iter().fold(Self::default().hash, next) }
    }
}

/// A place in a log that is a file, and what the file was then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bookmark {
    /// Of the file system that the file is on.
    pub device: u64,
    /// Of the file.
    pub inode: u64,
    /// When the file was made, in nanoseconds since the Unix epoch, where the file system keeps it.
    pub born: Option<i64>,
    /// How often the file had become another log before: by a truncation, or because its end was told.
    pub incarnation: u32,
    /// Offset where this log begins in the file: nearly always 0.
    pub began_at: u64,
    /// Offset up to which it was read.
    pub read_to: u64,
    /// How long the file was, in bytes.
    pub size: u64,
    /// Of its first bytes, at most 256.
    pub head: Fingerprint,
    /// Of the last bytes in front of `read_to`, at most 256.
    pub tail: Fingerprint,
    /// Parts of a line that stood at the end of the log before it, and with which it begins.
    pub inherited: Option<Arc<KeptParts>>,
}

impl Bookmark {
    pub(crate) fn key(&self) -> Key {
        Key { device: self.device, inode: self.inode, born: self.born }
    }

    /// Bytes that were there and not read.
    pub(crate) fn unread(&self) -> u64 {
        self.size.saturating_sub(self.read_to)
    }

    /// What was read of it, if this file still is that log, or a longer one with the same beginning.
    ///
    /// # Errors
    /// What the operating system says when the file is read.
    pub(crate) fn found_in(&self, handle: &fs::File, stat: &Stat) -> io::Result<Option<Seen>> {
        if stat.key != self.key() || stat.size < self.read_to {
            return Ok(None);
        }
        self.content_in(handle)
    }

    /// The same by the content alone.
    pub(crate) fn content_in(&self, handle: &fs::File) -> io::Result<Option<Seen>> {
        let same = |bytes: Option<Vec<u8>>, print: Fingerprint| bytes.filter(|it| Fingerprint::of(it) == print);
        let Some(head) = same(bytes_at(handle, 0, self.head.length)?, self.head) else { return Ok(None) };
        let from = self.read_to.saturating_sub(self.tail.length.into());
        let tail = same(bytes_at(handle, from, self.tail.length)?, self.tail);
        Ok(tail.map(|tail| Seen::known(head, tail, self.read_to)))
    }
}

/// `None` where the file ends before.
fn bytes_at(handle: &fs::File, offset: u64, length: u32) -> io::Result<Option<Vec<u8>>> {
    // a journal may claim anything
    let mut bytes = vec![0; (length as usize).min(MOST_BYTES)];
    let filled = os::fill_at(handle, &mut bytes, offset)?;
    Ok((filled == bytes.len()).then_some(bytes))
}

/// What a parser was given, and when: a replay gives it the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Up to here in the log.
    pub offset: u64,
    /// As the batch said it.
    pub observed: Timestamp,
    /// What happened there.
    pub cause: Cause,
}

/// Why there is a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Bytes were read.
    Read,
    /// The log was silent, and what waited to be continued was given out.
    Idle,
    /// It was silent for so long that its command is over, and what was open was given out.
    Rest,
}

/// Whether a batch says something for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// It does.
    No,
    /// An earlier life of the agent has counted and told all of it: it rebuilds what was open then, and no more.
    Part,
    /// The same, and the last one: its end is where the earlier life stopped.
    Last,
}

/// A log that an earlier life has read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Where it was found first.
    pub path: PathBuf,
    /// Where it was left.
    pub bookmark: Bookmark,
    /// What its parser was given, oldest first: at least all that came behind the beginning of what was open, but
    /// for some of the reading.
    pub steps: Vec<Step>,
    /// Something was open: a build, or lines that wait for others. Then it is read again from its start at once, else
    /// when it grows.
    pub is_open: bool,
    /// Its end was told: if it comes back, it goes on as another log from there.
    pub is_ended: bool,
}
