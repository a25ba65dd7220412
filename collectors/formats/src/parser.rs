//! One log, bytes in, events out.
//!
//! The parser cuts the bytes into lines, takes off what CI systems and container runtimes wrapped around them
//! (`framing`), and hands each line to the dialects. It owns the state of one log and nothing else.
//!
//! Invariants: it never fails; what it holds is bounded; a line that means nothing costs no allocation; bytes may be
//! cut into chunks anywhere and give the same events.

use crate::dialects::Dialects;
use crate::framing::{Framer, Parts, Sink};
use crate::line::{Line, Tag};
use crate::lines::Lines;
use crate::{Event, EventKind};

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

impl LineCounts {
    /// What was counted after `before`.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            lines: self.lines.saturating_sub(before.lines),
            unrecognised: self.unrecognised.saturating_sub(before.unrecognised),
            truncated: self.truncated.saturating_sub(before.truncated),
            forgotten: self.forgotten.saturating_sub(before.forgotten),
        }
    }
}

/// The state of one log.
#[derive(Debug, Default)]
pub struct Parser {
    lines: Lines,
    framer: Framer,
    streams: Streams,
}

/// The dialects of each stream, which do not disturb each other, and the counts of both.
#[derive(Debug, Default)]
struct Streams {
    out: Dialects,
    err: Dialects,
    counts: LineCounts,
}

/// Where lines go: to the dialects of their stream, and from there to the events.
struct Reader<'a> {
    streams: &'a mut Streams,
    events: &'a mut Vec<Event>,
}

impl Parser {
    /// A parser at the start of a log.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the next bytes of the log, which start at `offset`, and appends the events that are complete to `out`.
    /// A last line without its newline is kept (bounded) until the rest comes. Where `offset` is not where the last
    /// bytes ended, that line ends there.
    pub fn feed(&mut self, bytes: &[u8], offset: u64, out: &mut Vec<Event>) {
        let mut reader = Reader { streams: &mut self.streams, events: out };
        self.lines.feed(bytes, offset, |raw| {
            reader.streams.counts.lines += 1;
            reader.streams.counts.truncated += u64::from(raw.truncated);
            self.framer.line(&raw, &mut reader);
        });
    }

    /// Nothing came for a while: gives out what is complete but was waiting for a line that might have continued it.
    /// Tests and packages that are open stay open.
    pub fn idle(&mut self, out: &mut Vec<Event>) {
        self.framer.idle(&mut Reader { streams: &mut self.streams, events: out });
        self.streams.out.idle(out);
        self.streams.err.idle(out);
    }

    /// Nothing came for so long that the command is over: gives out tests and packages that are still open, too. A
    /// last line without newline is still kept.
    pub fn rest(&mut self, out: &mut Vec<Event>) {
        self.idle(out);
        Reader { streams: &mut self.streams, events: out }.command_ended();
    }

    /// The log ended: gives out all that is held, a last line without newline included.
    pub fn finish(&mut self, out: &mut Vec<Event>) {
        let mut reader = Reader { streams: &mut self.streams, events: out };
        self.lines.finish(|raw| {
            reader.streams.counts.lines += 1;
            reader.streams.counts.truncated += u64::from(raw.truncated);
            self.framer.line(&raw, &mut reader);
        });
        self.framer.finish(&mut reader);
        self.streams.out.finish(out);
        self.streams.err.finish(out);
    }

    /// Takes the parts of lines that a container runtime has not ended: the log was rotated between two of them, and
    /// the rest is in the log that took its place.
    pub fn hand_over(&mut self) -> Option<Parts> {
        self.framer.hand_over()
    }

    /// Begins with the parts that the log before had at its end. To be called before the first byte is read. What is
    /// joined of them has the offset 0 here.
    pub fn take_over(&mut self, parts: Parts) {
        self.framer.take_over(parts);
    }

    /// Whether [`hand_over`](Self::hand_over) may ever give anything for this log, as far as that is known.
    pub fn may_hand_over(&self) -> bool {
        self.framer.may_have_records()
    }

    /// Counts since the parser was made.
    pub fn counts(&self) -> LineCounts {
        let Streams { out, err, counts } = &self.streams;
        LineCounts {
            lines: counts.lines,
            // one record of a runtime may hold several lines
            unrecognised: counts.unrecognised.min(counts.lines),
            truncated: counts.truncated + self.framer.truncated(),
            forgotten: out.forgotten() + err.forgotten(),
        }
    }

    /// Offset of the first byte that is not yet part of an event given out: a parser that starts anew there gives
    /// the events that this one still holds. `None` when nothing is held.
    pub fn open_from(&self) -> Option<u64> {
        let Streams { out, err, .. } = &self.streams;
        let held = [self.lines.open_from(), self.framer.open_from(), out.open_from(), err.open_from()];
        held.into_iter().flatten().min()
    }
}

impl Sink for Reader<'_> {
    #[inline]
    fn line(&mut self, line: &Line<'_>) {
        let dialects = match line.tag {
            Tag::Out => &mut self.streams.out,
            Tag::Err => &mut self.streams.err,
        };
        if !dialects.line(line, self.events) {
            self.streams.counts.unrecognised += u64::from(line.lines);
        }
    }

    fn command(&mut self, line: &Line<'_>, command: &[u8]) {
        // the echo stands in one stream; what follows in both belongs to the new command
        self.command_ended();
        let kind = EventKind::CommandStarted { command: String::from_utf8_lossy(command).into_owned() };
        self.events.push(Event { kind, time: line.time.timestamp(), offset: line.offset, lines: line.lines });
    }

    fn command_ended(&mut self) {
        self.streams.out.new_command(self.events);
        self.streams.err.new_command(self.events);
    }
}
