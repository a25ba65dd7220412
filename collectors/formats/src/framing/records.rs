//! The outer layer: container runtimes, which write each line of a container as a record.
//!
//! A log is a log of records when its first two lines that are not blank are records of one kind; the first is held
//! until the second has come, the log is idle or has ended. It must not know what is in the text of a record.
//!
//! Invariants: a log whose first line is no record is never touched; parts are joined per stream, bounded.

use super::FRAMINGS;
use super::piece::{Held, Join, KEPT_CAPACITY, Piece};
use super::trust::Trust;
use crate::line::{Line, LineTime, Tag};
use crate::lines::is_special;

/// One record of a container runtime.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    /// When the runtime got it.
    pub(crate) time: LineTime<'a>,
    /// The stream of the container.
    pub(crate) tag: Tag,
    /// What was written.
    pub(crate) text: Text<'a>,
    /// Whether the line ends with this record.
    pub(crate) ends: bool,
}

/// The text of a record.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Text<'a> {
    /// As it stands in the log.
    Plain(&'a [u8]),
    /// It had escapes: it is in the buffer that was given to the reader.
    Decoded,
}

/// Reads one raw line as a record; the buffer is for text that must be decoded.
pub(crate) type ReadRecord = for<'a> fn(&'a [u8], &mut Vec<u8>) -> Option<Record<'a>>;

/// The outer layer of one log.
#[derive(Debug, Default)]
pub(crate) struct Records {
    state: State,
    /// What waits for more parts, for each stream.
    joins: [Join; 2],
    decoded: Vec<u8>,
}

#[derive(Debug, Default)]
enum State {
    /// Nothing but blank lines so far.
    #[default]
    Undecided,
    /// The first line was a record; it is held.
    Proving(ReadRecord, Held),
    On(ReadRecord, Trust),
    /// Lines as they are.
    Bare,
}

/// Parts of lines that a container runtime has not ended, on their way to the log that takes the place of theirs.
#[derive(Debug)]
pub struct Parts {
    pub(super) read: ReadRecord,
    pub(super) joins: [Join; 2],
}

impl Records {
    /// Takes what waits for more parts.
    pub(crate) fn hand_over(&mut self) -> Option<Parts> {
        let State::On(read, _) = &self.state else { return None };
        let is_open = self.joins.iter().any(Join::is_open);
        is_open.then(|| Parts { read: *read, joins: self.joins.each_mut().map(Join::hand_over) })
    }

    /// Begins with parts of the log before.
    pub(crate) fn take_over(&mut self, parts: Parts) {
        let Parts { read, joins } = parts;
        self.state = State::On(read, Trust::new(true));
        self.joins = joins;
    }

    /// Whether the log is one of records, as far as that is known.
    pub(crate) fn may_be_on(&self) -> bool {
        match &self.state {
            State::Undecided | State::Proving(..) | State::On(..) => true,
            State::Bare => false,
        }
    }

    /// Whether it was decided that there are none.
    #[inline]
    pub(crate) fn is_off(&self) -> bool {
        matches!(self.state, State::Bare)
    }

    /// Takes the record off a raw line and hands on the lines that are complete.
    pub(crate) fn line(&mut self, piece: Piece<'_>, next: &mut impl FnMut(Piece<'_>)) {
        match &mut self.state {
            State::Bare => next(piece),
            State::On(read, _) => {
                let read = *read;
                self.on(read, piece, next);
            }
            State::Undecided => self.undecided(piece, next),
            State::Proving(read, held) => {
                let same = read(piece.line.text, &mut self.decoded).is_some();
                let room = held.push(&piece);
                if same || !piece.is_blank() || !room {
                    self.decide(same, next);
                }
            }
        }
    }

    /// Nothing came for a while, or the log ended: the decision is taken with what there is.
    pub(crate) fn idle(&mut self, next: &mut impl FnMut(Piece<'_>)) {
        if matches!(self.state, State::Proving(..)) {
            self.decide(true, next);
        }
    }

    /// The log ended: parts that wait are lines now.
    pub(crate) fn finish(&mut self, next: &mut impl FnMut(Piece<'_>)) {
        self.idle(next);
        self.give_up_parts(next);
    }

    /// Offset of the oldest line held.
    pub(crate) fn open_from(&self) -> Option<u64> {
        let held = match &self.state {
            State::Proving(_, held) => held.open_from(),
            State::Undecided | State::On(..) | State::Bare => None,
        };
        self.joins.iter().map(Join::open_from).chain([held]).flatten().min()
    }

    /// Joined lines that were longer than what is kept.
    pub(crate) fn truncated(&self) -> u64 {
        self.joins.iter().map(Join::truncated).sum()
    }

    /// A line of a log of records.
    fn on(&mut self, read: ReadRecord, piece: Piece<'_>, next: &mut impl FnMut(Piece<'_>)) {
        let is_record = self.record(read, piece, next);
        let State::On(_, trust) = &mut self.state else { return };
        if is_record {
            return trust.hit();
        }
        if !piece.is_blank() && !trust.miss() {
            self.state = State::Bare;
            self.give_up_parts(next);
        }
        next(piece);
    }

    fn undecided(&mut self, piece: Piece<'_>, next: &mut impl FnMut(Piece<'_>)) {
        let text = piece.line.text;
        // the byte order mark of a file that an editor or PowerShell wrote
        let piece = match text.strip_prefix(BOM) {
            Some(text) if piece.line.offset == 0 => piece.with_text(text),
            _ => piece,
        };
        if piece.is_blank() {
            return next(piece);
        }
        let mut readers = FRAMINGS.iter().filter_map(|framing| framing.record);
        match readers.find(|read| read(piece.line.text, &mut self.decoded).is_some()) {
            None => {
                self.state = State::Bare;
                next(piece);
            }
            Some(read) => {
                let mut held = Held::default();
                held.push(&piece);
                self.state = State::Proving(read, held);
            }
        }
    }

    /// The lines held are records, or they are bare.
    fn decide(&mut self, records: bool, next: &mut impl FnMut(Piece<'_>)) {
        let State::Proving(read, held) = std::mem::take(&mut self.state) else { return };
        self.state = if records { State::On(read, Trust::new(true)) } else { State::Bare };
        for piece in held.iter() {
            self.line(piece, next);
        }
    }

    /// Reads one record, joins its parts. Says whether it was one.
    fn record(&mut self, read: ReadRecord, piece: Piece<'_>, next: &mut impl FnMut(Piece<'_>)) -> bool {
        let Some(record) = read(piece.line.text, &mut self.decoded) else { return false };
        let (text, special) = match record.text {
            Text::Plain(text) => (text, piece.special),
            Text::Decoded => (self.decoded.as_slice(), is_special(&self.decoded)),
        };
        let [out, err] = &mut self.joins;
        let join = match record.tag {
            Tag::Out => out,
            Tag::Err => err,
        };
        let line = Line { text, time: record.time, tag: record.tag, ..piece.line };
        lines_of(Piece { line, special }, record.ends, join, next);
        if self.decoded.capacity() > KEPT_CAPACITY {
            self.decoded = Vec::new();
        }
        true
    }

    fn give_up_parts(&mut self, next: &mut impl FnMut(Piece<'_>)) {
        self.joins.iter_mut().for_each(|join| join.take(&mut *next));
    }
}

/// The byte order mark in UTF-8.
pub(crate) const BOM: &[u8] = b"\xef\xbb\xbf";

/// Hands on the lines of one record: nearly always one, or a part of one.
fn lines_of(piece: Piece<'_>, ends: bool, join: &mut Join, next: &mut impl FnMut(Piece<'_>)) {
    let mut rest = piece.line.text;
    while let Some(end) = memchr::memchr(b'\n', rest) {
        let (text, after) = rest.split_at(end);
        whole(piece.with_text(text), join, next);
        rest = after.get(1..).unwrap_or_default();
    }
    match ends {
        true => whole(piece.with_text(rest), join, next),
        false => join.add(&piece.with_text(rest)),
    }
}

fn whole(piece: Piece<'_>, join: &mut Join, next: &mut impl FnMut(Piece<'_>)) {
    if join.is_open() {
        join.add(&piece);
        join.take(next);
    } else {
        next(piece);
    }
}
