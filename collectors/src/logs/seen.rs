//! What was read of a file, remembered so that it is known again: its first bytes and the last before the offset.
//!
//! A file that was truncated and has grown again beyond the offset shows nothing in its size, but other bytes where
//! these stood. It must not know what becomes of a file that is not the same any more.
//!
//! Invariant: it holds at most [`MOST_BYTES`] twice, and never says of a file that only grew that it is another.

use std::fs;
use std::io;

use super::bookmark::Fingerprint;
use crate::os;

/// So many bytes are remembered of each end: some lines, which no other log has there by chance.
pub(crate) const MOST_BYTES: usize = 256;

/// What is known of the content of one file.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The first bytes; empty where reading did not begin at the start.
    head: Vec<u8>,
    /// The last bytes in front of `end`.
    tail: Vec<u8>,
    end: u64,
}

/// What a look at the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// What was read still stands there.
    Same,
    /// Something else stands there.
    Other,
    /// It is shorter than what was read.
    Shorter,
}

impl Seen {
    /// These bytes were read in an earlier life: the first ones, and the last in front of `end`.
    pub(crate) fn known(head: Vec<u8>, tail: Vec<u8>, end: u64) -> Self {
        Self { head, tail, end }
    }

    /// The first bytes and the last ones, as numbers.
    pub(crate) fn fingerprints(&self) -> (Fingerprint, Fingerprint) {
        (Fingerprint::of(&self.head), Fingerprint::of(&self.tail))
    }

    /// These bytes were read at `offset`.
    pub(crate) fn remember(&mut self, bytes: &[u8], offset: u64) {
        if offset != self.end {
            self.tail.clear();
        }
        if offset == self.head.len() as u64 && self.head.len() < MOST_BYTES {
            let room = MOST_BYTES - self.head.len();
            self.head.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        }
        let new = bytes.get(bytes.len().saturating_sub(MOST_BYTES)..).unwrap_or(bytes);
        let keep = MOST_BYTES - new.len();
        self.tail.drain(..self.tail.len().saturating_sub(keep));
        self.tail.extend_from_slice(new);
        self.end = offset.saturating_add(bytes.len() as u64);
    }

    /// Whether the file still has what was read of it.
    pub(crate) fn look(&self, handle: &fs::File) -> io::Result<Content> {
        let begin = self.end.saturating_sub(self.tail.len() as u64);
        let end = stands_at(handle, &self.tail, begin)?;
        if end == Content::Same && begin > 0 { stands_at(handle, &self.head, 0) } else { Ok(end) }
    }
}

fn stands_at(handle: &fs::File, wanted: &[u8], offset: u64) -> io::Result<Content> {
    let mut buffer = [0; MOST_BYTES];
    let Some(there) = buffer.get_mut(..wanted.len()) else { return Ok(Content::Same) };
    if os::fill_at(handle, there, offset)? < wanted.len() {
        return Ok(Content::Shorter);
    }
    Ok(if there == wanted { Content::Same } else { Content::Other })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;

    #[test]
    fn what_only_grew_is_the_same_and_what_was_written_anew_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let text: Vec<u8> = (0..5000_u32).flat_map(|n| n.to_le_bytes()).collect();
        for pieces in [1, 7, 255, 256, 257, 4096] {
            fs::write(&path, &text).unwrap();
            let file = fs::File::options().read(true).write(true).open(&path).unwrap();
            let mut seen = Seen::default();
            for (n, piece) in text.chunks(pieces).enumerate() {
                seen.remember(piece, (n * pieces) as u64);
                assert_eq!(seen.look(&file).unwrap(), Content::Same);
            }
            file.write_all_at(b"x", text.len() as u64 - 1).unwrap();
            assert_eq!(seen.look(&file).unwrap(), Content::Other, "its end");
            fs::write(&path, &text).unwrap();
            file.write_all_at(b"x", 3).unwrap();
            assert_eq!(seen.look(&file).unwrap(), Content::Other, "its head");
            file.set_len(100).unwrap();
            assert_eq!(seen.look(&file).unwrap(), Content::Shorter);
        }
    }

    #[test]
    fn bytes_that_were_passed_over_are_not_compared() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), [&b"one"[..], &[7; 9000], b"two"].concat()).unwrap();
        let file = fs::File::open(dir.path().join("a")).unwrap();
        let mut seen = Seen::default();
        seen.remember(b"one", 0);
        seen.remember(b"two", 9003);
        assert_eq!(seen.look(&file).unwrap(), Content::Same);
        assert_eq!(Seen::default().look(&file).unwrap(), Content::Same, "nothing is known");
    }
}
