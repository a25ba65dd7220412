//! Bytes -> raw lines.
//!
//! A line that lies wholly in a chunk is borrowed from it; a line that goes on in the next chunk is carried over. It
//! must not know what a line means: it only finds newlines, and says whether a line may hold bytes that need care.
//!
//! Invariants: offsets are exact to the byte; a line is the same wherever the chunks were cut; at most
//! [`MAX_LINE_BYTES`] are kept of a line, the rest of it is passed over at the speed of a memchr.

use memchr::{memchr, memchr3};

/// How much of a line is kept, in bytes. The longest lines that mean something are test2json lines (a test's output
/// is cut to 4 KiB there) and errors of the linker or of cgo with whole command lines (at most the 128 KiB that Linux
/// lets one argument have); a mebibyte leaves room for both and bounds what a log can make us hold.
pub(crate) const MAX_LINE_BYTES: usize = 1 << 20;

/// One line as it stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RawLine<'a> {
    /// Its bytes without the newline, at most [`MAX_LINE_BYTES`]. A carriage return before the newline is still there.
    pub(crate) bytes: &'a [u8],
    /// Offset of its first byte in the log.
    pub(crate) offset: u64,
    /// Whether it may hold an escape, a carriage return or a NUL. `false` is certain.
    pub(crate) special: bool,
    /// Whether it was longer than what is kept.
    pub(crate) truncated: bool,
}

/// The line cutter of one log.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// Head of the line that is not complete, at most [`MAX_LINE_BYTES`].
    carry: Vec<u8>,
    /// Length in bytes of that line so far, what was passed over included. 0 when there is none.
    carried: u64,
    /// Where the next chunk begins if nothing is skipped.
    next: u64,
}

impl Lines {
    /// Cuts the next chunk, which starts at `offset`. Where that is not where the last one ended, the line that was
    /// carried over ends there.
    pub(crate) fn feed(&mut self, bytes: &[u8], offset: u64, mut each: impl FnMut(RawLine<'_>)) {
        if offset != self.next {
            self.finish(&mut each);
        }
        self.next = offset.saturating_add(bytes.len() as u64);
        let mut rest = bytes;
        let mut at = offset;
        if self.carried > 0 {
            let Some(end) = memchr(b'\n', rest) else { return self.keep(rest) };
            let (tail, after) = split_line(rest, end);
            self.keep(tail);
            self.flush(at.saturating_add(end as u64), &mut each);
            at = at.saturating_add(end as u64 + 1);
            rest = after;
        }
        rest = whole_lines(rest, at, &mut each);
        self.keep(rest);
    }

    /// The log ended: the line without a newline, if there is one, is complete.
    pub(crate) fn finish(&mut self, mut each: impl FnMut(RawLine<'_>)) {
        if self.carried > 0 {
            self.flush(self.next, &mut each);
        }
    }

    /// Offset of the first byte of the line that is not complete.
    pub(crate) fn open_from(&self) -> Option<u64> {
        (self.carried > 0).then(|| self.next.saturating_sub(self.carried))
    }

    /// Adds to the line that is carried over.
    fn keep(&mut self, bytes: &[u8]) {
        let room = MAX_LINE_BYTES.saturating_sub(self.carry.len()).min(bytes.len());
        self.carry.extend_from_slice(bytes.get(..room).unwrap_or_default());
        self.carried = self.carried.saturating_add(bytes.len() as u64);
    }

    /// Gives out the carried line, whose last byte is before `end`.
    fn flush(&mut self, end: u64, each: &mut impl FnMut(RawLine<'_>)) {
        each(RawLine {
            bytes: &self.carry,
            offset: end.saturating_sub(self.carried),
            special: is_special(&self.carry),
            truncated: self.carried > self.carry.len() as u64,
        });
        self.carry.clear();
        self.carry.shrink_to(KEPT_CAPACITY);
        self.carried = 0;
    }
}

/// Room for a carried line that stays allocated between lines, in bytes.
const KEPT_CAPACITY: usize = 64 << 10;

/// Gives out the lines that end in `bytes`; returns what is behind the last newline. `at` is the offset of the first.
fn whole_lines<'a>(bytes: &'a [u8], mut at: u64, each: &mut impl FnMut(RawLine<'_>)) -> &'a [u8] {
    let mut rest = bytes;
    // distance from `rest` to the next byte that needs care: one search serves all lines before it
    let mut care = memchr3(0x1b, b'\r', 0, rest).unwrap_or(usize::MAX);
    while let Some(end) = memchr(b'\n', rest) {
        let (line, after) = split_line(rest, end);
        let special = care < end;
        let kept = line.get(..MAX_LINE_BYTES).unwrap_or(line);
        each(RawLine { bytes: kept, offset: at, special, truncated: kept.len() < line.len() });
        at = at.saturating_add(end as u64 + 1);
        rest = after;
        care = match care {
            usize::MAX => usize::MAX,
            _ if special => memchr3(0x1b, b'\r', 0, rest).unwrap_or(usize::MAX),
            ahead => ahead.saturating_sub(end + 1),
        };
    }
    rest
}

/// What is before and behind the newline at `end`.
fn split_line(bytes: &[u8], end: usize) -> (&[u8], &[u8]) {
    (bytes.get(..end).unwrap_or_default(), bytes.get(end + 1..).unwrap_or_default())
}

/// Whether there is a byte that needs care: an escape, a carriage return, a NUL.
pub(crate) fn is_special(bytes: &[u8]) -> bool {
    memchr3(0x1b, b'\r', 0, bytes).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Cut = (Vec<u8>, u64, bool);

    fn cut(chunks: &[&[u8]]) -> Vec<Cut> {
        let (mut lines, mut out, mut offset) = (Lines::default(), Vec::new(), 0);
        let mut keep = |raw: RawLine<'_>| out.push((raw.bytes.to_vec(), raw.offset, raw.truncated));
        for chunk in chunks {
            lines.feed(chunk, offset, &mut keep);
            offset += chunk.len() as u64;
        }
        lines.finish(&mut keep);
        out
    }

    #[test]
    fn a_log_cut_anywhere_gives_the_same_lines_and_offsets() {
        let log = b"one\n\ntwo\r\n\x1b[1mthree\nlast without newline";
        let whole = cut(&[log]);
        assert_eq!(whole.len(), 5);
        assert_eq!(whole[4], (b"last without newline".to_vec(), 20, false));
        for a in 0..log.len() {
            for b in a..log.len() {
                assert_eq!(cut(&[&log[..a], &log[a..b], &log[b..]]), whole, "cut at {a} and {b}");
            }
        }
    }

    #[test]
    fn a_line_is_special_exactly_when_it_holds_a_byte_that_needs_care() {
        let mut lines = Lines::default();
        let mut seen = Vec::new();
        lines.feed(b"a\nb\x1b\nc\nd\re\n\0\nf\n", 0, |raw| seen.push((raw.special, is_special(raw.bytes))));
        assert_eq!(seen.len(), 6);
        assert!(seen.iter().all(|(said, is)| said == is), "{seen:?}");
    }

    #[test]
    fn a_gigabyte_without_a_newline_is_held_within_the_bound_and_counted_once() {
        let chunk = vec![b'x'; 1 << 20];
        let (mut lines, mut seen) = (Lines::default(), Vec::new());
        for n in 0..1024_u64 {
            lines.feed(&chunk, n << 20, |raw| seen.push((raw.bytes.len(), raw.offset, raw.truncated)));
            assert_eq!(lines.open_from(), Some(0));
            assert!(lines.carry.capacity() <= 2 * MAX_LINE_BYTES);
        }
        lines.feed(b"\nnext\n", 1 << 30, |raw| seen.push((raw.bytes.len(), raw.offset, raw.truncated)));
        assert_eq!(seen, [(MAX_LINE_BYTES, 0, true), (4, (1 << 30) + 1, false)]);
        assert!(lines.carry.capacity() <= KEPT_CAPACITY);
    }

    #[test]
    fn a_long_line_is_cut_to_the_same_head_in_one_chunk_as_in_many() {
        let mut log = vec![b'y'; MAX_LINE_BYTES + 5];
        log.push(b'\n');
        let (a, b) = log.split_at(MAX_LINE_BYTES - 3);
        assert_eq!(cut(&[&log]), cut(&[a, b]));
        assert_eq!(cut(&[&log])[0].0.len(), MAX_LINE_BYTES);
        let exact = &log[5..];
        assert!(!cut(&[exact])[0].2, "a line of exactly the bound is not cut");
    }

    #[test]
    fn a_jump_in_the_offsets_ends_the_line_that_was_carried() {
        let (mut lines, mut seen) = (Lines::default(), Vec::new());
        lines.feed(b"half", 0, |raw| seen.push((raw.bytes.to_vec(), raw.offset)));
        lines.feed(b"new\n", 100, |raw| seen.push((raw.bytes.to_vec(), raw.offset)));
        assert_eq!(seen, [(b"half".to_vec(), 0), (b"new".to_vec(), 100)]);
    }
}
