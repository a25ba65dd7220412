//! Stretches of a file in which nothing was written: bytes that are all NUL.
//!
//! They come from a crash of the machine, from room that a writer reserved, and from a writer that does not append:
//! after its file was truncated it goes on where it was, behind a hole. None of that is a line. It must not know
//! lines or parsers.
//!
//! Invariant: a stretch is told by its length alone, wherever the reads cut it.

use std::ops::Range;

/// From so many NULs on a stretch is no content: a page, the least that a file system leaves out.
pub(crate) const LEAST_GAP: usize = 4096;

/// NULs to hand on where they are content after all.
pub(crate) static NULS: [u8; LEAST_GAP] = [0; LEAST_GAP];

/// How many NULs are at the end.
pub(crate) fn at_end(bytes: &[u8]) -> usize {
    bytes.iter().rev().take_while(|byte| **byte == 0).count()
}

/// How many NULs are at the start.
pub(crate) fn at_start(bytes: &[u8]) -> usize {
    // sixteen bytes at a time: a hole is read as fast as it comes
    let words = bytes.chunks_exact(16).take_while(|word| **word == [0; 16]).count() * 16;
    words + bytes.iter().skip(words).take_while(|byte| **byte == 0).count()
}

/// The first gap that begins and ends in these bytes.
pub(crate) fn gap(bytes: &[u8]) -> Option<Range<usize>> {
    // one byte a page says that there is none
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if *byte == 0 {
            let (before, behind) = bytes.split_at(at);
            let run = at - at_end(before)..at + at_start(behind);
            if run.len() >= LEAST_GAP {
                return Some(run);
            }
        }
        at += LEAST_GAP;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_found_wherever_it_stands_and_a_shorter_one_is_none() {
        for begin in [0, 1, 4095, 4096, 5000] {
            for length in [0, 1, 15, 16, 17, 4095, 4096, 9001] {
                let bytes = [vec![b'x'; begin], vec![0; length], vec![b'y'; 300]].concat();
                let wanted = (length >= LEAST_GAP).then_some(begin..begin + length);
                assert_eq!(gap(&bytes), wanted, "{begin} {length}");
                let (_, from_gap) = bytes.split_at(begin);
                assert_eq!(at_start(from_gap), length);
            }
        }
        assert_eq!(at_end(b"a\0b\0\0"), 2);
    }
}
