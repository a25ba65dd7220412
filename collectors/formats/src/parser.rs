//! One log, bytes in, events out.
//!
//! The parser cuts the bytes into lines, takes off what CI systems and container runtimes wrapped around them
//! (`framing`), and hands each line to the dialects. It owns the state of one log and nothing else.
//!
//! Invariants: it never fails; what it holds is bounded; a line that means nothing costs no allocation; bytes may be
//! cut into chunks anywhere and give the same events.

use crate::Event;
use crate::dialects::Dialects;
use crate::line::{Line, LineTime, Tag};
use crate::lines::{Lines, RawLine};

/// How many lines of a log were read, and what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LineCounts {
    /// Complete lines (ended by a newline, or by the end of the stream).
    pub lines: u64,
    /// Lines that meant nothing to any dialect.
    pub unrecognised: u64,
    /// Lines longer than the bound: the rest of them was passed over.
    pub truncated: u64,
    /// Pieces of state (open tests, open packages, held lines) given up because a bound was reached.
    pub forgotten: u64,
}

/// The state of one log.
#[derive(Debug, Default)]
pub struct Parser {
    lines: Lines,
    reader: Reader,
}

/// What reads a line once it is cut.
#[derive(Debug, Default)]
struct Reader {
    counts: LineCounts,
    dialects: Dialects,
}

impl Parser {
    /// A parser at the start of a log.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the next bytes of the log, which start at `offset`, and appends the events that are complete to `out`.
    /// A last line without its newline is kept (bounded) until the rest comes.
    pub fn feed(&mut self, bytes: &[u8], offset: u64, out: &mut Vec<Event>) {
        self.lines.feed(bytes, offset, |raw| self.reader.line(&raw, out));
    }

    /// Nothing came for a while: gives out what is complete but was waiting for a line that might have continued it.
    /// Tests and packages that are open stay open.
    pub fn idle(&mut self, out: &mut Vec<Event>) {
        self.reader.dialects.idle(out);
    }

    /// The log ended: gives out all that is held, a last line without newline included.
    pub fn finish(&mut self, out: &mut Vec<Event>) {
        self.lines.finish(|raw| self.reader.line(&raw, out));
        self.reader.dialects.finish(out);
    }

    /// Counts since the parser was made.
    pub fn counts(&self) -> LineCounts {
        LineCounts { forgotten: self.reader.dialects.forgotten(), ..self.reader.counts }
    }

    /// Offset of the first byte that is not yet part of an event given out: a parser that starts anew there gives
    /// the events that this one still holds. `None` when nothing is held.
    pub fn open_from(&self) -> Option<u64> {
        [self.lines.open_from(), self.reader.dialects.open_from()].into_iter().flatten().min()
    }
}

impl Reader {
    fn line(&mut self, raw: &RawLine<'_>, out: &mut Vec<Event>) {
        self.counts.lines += 1;
        self.counts.truncated += u64::from(raw.truncated);
        let line = Line { text: raw.bytes, time: LineTime::None, tag: Tag::Out, offset: raw.offset, lines: 1 };
        if !self.dialects.line(&line, out) {
            self.counts.unrecognised += 1;
        }
    }
}
