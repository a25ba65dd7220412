//! A line on its way through the layers of framing, and the two ways to keep one for a while: joined from parts, or
//! held until it is known what its framing is.
//!
//! Invariants: a joined line keeps at most [`MAX_LINE_BYTES`] of text, the rest is passed over and counted; what is
//! held is bounded by who holds it.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::line::{Line, LineTime, Tag};
use crate::lines::{MAX_LINE_BYTES, RawLine};

/// Room for a line that stays allocated between lines, in bytes.
pub(crate) const KEPT_CAPACITY: usize = 64 << 10;

/// A line with part of its framing still on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece<'a> {
    /// The line so far.
    pub(crate) line: Line<'a>,
    /// Whether the text may hold an escape, a carriage return or a NUL. `false` is certain.
    pub(crate) special: bool,
}

impl<'a> Piece<'a> {
    /// A raw line with nothing taken off.
    pub(crate) fn raw(raw: &RawLine<'a>) -> Self {
        let line = Line { text: raw.bytes, time: LineTime::None, tag: Tag::Out, offset: raw.offset, lines: 1 };
        Self { line, special: raw.special }
    }

    /// The same line with another text.
    pub(crate) fn with_text(self, text: &'a [u8]) -> Self {
        Self { line: Line { text, ..self.line }, ..self }
    }

    /// Whether there is nothing but blanks and a line end.
    pub(crate) fn is_blank(&self) -> bool {
        self.line.text.iter().all(u8::is_ascii_whitespace)
    }
}

/// What is known of a line that is kept, beside its text.
#[derive(Debug, Clone, Copy)]
struct Head {
    time: LineTime<'static>,
    tag: Tag,
    offset: u64,
    lines: u32,
    special: bool,
}

impl Head {
    fn of(piece: &Piece<'_>) -> Self {
        let Line { time, tag, offset, lines, .. } = piece.line;
        let time = time.timestamp().map_or(LineTime::None, LineTime::Parsed);
        Self { time, tag, offset, lines, special: piece.special }
    }

    fn piece(self, text: &[u8]) -> Piece<'_> {
        let Self { time, tag, offset, lines, special } = self;
        Piece { line: Line { text, time, tag, offset, lines }, special }
    }
}

/// One line that is being joined from the parts a runtime had split it into.
#[derive(Debug, Default)]
pub(crate) struct Join {
    text: Vec<u8>,
    head: Option<Head>,
    full: bool,
    truncated: u64,
}

impl Join {
    /// Whether a part is waiting for the next.
    pub(crate) fn is_open(&self) -> bool {
        self.head.is_some()
    }

    /// Offset of the first raw line of the line that is being joined.
    pub(crate) fn open_from(&self) -> Option<u64> {
        self.head.map(|head| head.offset)
    }

    /// Joined lines that were longer than what is kept.
    pub(crate) fn truncated(&self) -> u64 {
        self.truncated
    }

    /// Adds a part. Time and offset of the line are those of its first part.
    pub(crate) fn add(&mut self, part: &Piece<'_>) {
        match &mut self.head {
            None => self.head = Some(Head::of(part)),
            Some(head) => {
                head.lines = head.lines.saturating_add(part.line.lines);
                head.special |= part.special;
            }
        }
        let room = MAX_LINE_BYTES.saturating_sub(self.text.len());
        self.full |= room < part.line.text.len();
        self.text.extend_from_slice(part.line.text.get(..room).unwrap_or(part.line.text));
    }

    /// The parts so far, to be continued in another log, in front of whose first byte they stand.
    pub(crate) fn hand_over(&mut self) -> Self {
        let head = self.head.take().map(|head| Head { offset: 0, ..head });
        let full = std::mem::take(&mut self.full);
        Self { text: std::mem::take(&mut self.text), head, full, truncated: 0 }
    }

    /// The parts so far, as plain data; `None`: there are none.
    pub(super) fn kept(&self) -> Option<KeptJoin> {
        let Head { time, offset: _, tag: _, lines, special } = self.head?;
        let nanos = time.timestamp().map(Timestamp::as_nanos);
        let text = match std::str::from_utf8(&self.text) {
            Ok(text) => KeptText::Text(text.to_owned()),
            Err(_) => KeptText::Bytes(self.text.clone()),
        };
        Some(KeptJoin { nanos, lines, is_special: special, is_full: self.full, text })
    }

    /// Gives out the line, if there is one, and is empty again.
    pub(crate) fn take(&mut self, each: impl FnOnce(Piece<'_>)) {
        if let Some(head) = self.head.take() {
            each(head.piece(&self.text));
            self.truncated += u64::from(self.full);
            self.full = false;
            self.text.clear();
            self.text.shrink_to(KEPT_CAPACITY);
        }
    }
}

/// [`Join`] as plain data, in front of the first byte of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptJoin {
    /// Since the epoch, where the first part has a time.
    #[serde(default)]
    nanos: Option<i64>,
    lines: u32,
    #[serde(default)]
    is_special: bool,
    #[serde(default)]
    is_full: bool,
    text: KeptText,
}

/// Nearly always text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum KeptText {
    Text(String),
    Bytes(Vec<u8>),
}

impl KeptJoin {
    pub(super) fn join(&self, tag: Tag) -> Join {
        let time = self.nanos.map_or(LineTime::None, |nanos| LineTime::Parsed(Timestamp::from_nanos(nanos)));
        let mut text = match &self.text {
            KeptText::Text(text) => text.as_bytes().to_vec(),
            KeptText::Bytes(bytes) => bytes.clone(),
        };
        text.truncate(MAX_LINE_BYTES);
        let head = Head { time, tag, offset: 0, lines: self.lines, special: self.is_special };
        Join { text, head: Some(head), full: self.is_full, truncated: 0 }
    }
}

/// Lines that wait until it is known what their framing is.
#[derive(Debug, Default)]
pub(crate) struct Held {
    text: Vec<u8>,
    lines: Vec<(Head, usize)>,
}

impl Held {
    /// The most that is worth holding, in bytes and lines; beyond it the decision is taken with what there is.
    const MOST_BYTES: usize = 64 << 10;
    const MOST_LINES: usize = 64;

    /// Keeps a copy of a line. Says whether there is room for another.
    pub(crate) fn push(&mut self, piece: &Piece<'_>) -> bool {
        self.text.extend_from_slice(piece.line.text);
        self.lines.push((Head::of(piece), self.text.len()));
        self.text.len() < Self::MOST_BYTES && self.lines.len() < Self::MOST_LINES
    }

    /// Offset of the first line held.
    pub(crate) fn open_from(&self) -> Option<u64> {
        self.lines.first().map(|(head, _)| head.offset)
    }

    /// The lines, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Piece<'_>> {
        let starts = std::iter::once(0).chain(self.lines.iter().map(|(_, end)| *end));
        starts.zip(&self.lines).map(|(start, (head, end))| head.piece(self.text.get(start..*end).unwrap_or_default()))
    }
}
