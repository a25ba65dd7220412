//! The inner layer: the time stamps that a CI system puts in front of each line, and the lines it writes itself.
//!
//! A stream of a log has stamps when its first [`PROOF`] lines that decide all carry one of the same kind and shape
//! (all of them where the log is idle or ends earlier); they are held so long. Blank lines and lines that a CI system
//! or a shell wrote itself decide nothing. A stream whose first line that decides has no stamp never has any: what a
//! test prints later on, however much like a stamp, is the test's.
//! The one exception is Jenkins, which begins to stamp in the middle: behind Jenkins' own opening lines one stamp is
//! enough, and where there is none, Jenkins' own stamp, and no other, may come on any line.
//!
//! Invariants: a line without a stamp is passed on as it is; what is held is bounded; it must not know any dialect.

use super::ansi;
use super::marks::Marks;
use super::piece::{Held, Join, KEPT_CAPACITY, Piece};
use super::records::BOM;
use super::trust::Trust;
use super::{FRAMINGS, Sink, jenkins};
use crate::line::{Line, LineTime, Tag};

/// Lines that must agree before a log has stamps.
const PROOF: u8 = 4;

/// What the stamps of one log have in common.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Whatever tells one form of a stamp from another.
    pub(crate) code: u8,
    /// Blanks between stamp and text; 0 for a tab.
    pub(crate) gap: u8,
}

/// A line with its stamp taken off.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Stamped<'a> {
    pub(crate) time: LineTime<'a>,
    pub(crate) text: &'a [u8],
    pub(crate) shape: Shape,
    /// The stream, and the number of the writer, where the stamp says so (GitLab).
    pub(crate) stream: Option<(Tag, u8)>,
    /// The text goes on the line before of the same stream (GitLab).
    pub(crate) appends: bool,
}

/// How one framing stamps lines.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp {
    /// Reads a stamp, of the shape that the log has where that is known.
    pub(crate) peel: for<'a> fn(&'a [u8], Option<Shape>) -> Option<Stamped<'a>>,
    /// Only machines write it: once it has proved itself it is not doubted again.
    pub(crate) machine: bool,
}

/// The inner layer of one stream.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    state: State,
    marks: Marks,
    /// Lines that may be continued, for each stream that stamps tell apart; beside it the number of the writer.
    joins: [(Join, u8); 2],
    scratch: Vec<u8>,
    /// The log opened with lines of Jenkins.
    is_jenkins: bool,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Undecided,
    Proving {
        stamp: Stamp,
        shape: Shape,
        seen: u8,
        held: Held,
    },
    On {
        stamp: Stamp,
        shape: Option<Shape>,
        trust: Trust,
        /// The log was turned to CRLF: each line, joined or not, has a carriage return behind it.
        crlf: bool,
    },
    Off,
}

impl Stream {
    /// Takes one line through the layer.
    #[inline]
    pub(crate) fn line(&mut self, piece: Piece<'_>, sink: &mut impl Sink) {
        match &mut self.state {
            State::Off => {
                self.plain(piece, sink);
            }
            State::On { .. } => self.stamped(piece, sink),
            State::Undecided => self.undecided(piece, sink),
            State::Proving { .. } => self.proving(piece, sink),
        }
    }

    /// Whether it was decided that there are no stamps.
    #[inline]
    pub(crate) fn is_off(&self) -> bool {
        matches!(self.state, State::Off)
    }

    /// A line without stamps and escapes.
    #[inline]
    pub(crate) fn bare(&mut self, line: &Line<'_>, sink: &mut impl Sink) {
        self.marks.line(line, sink);
    }

    /// Nothing came for a while, or the log ended: what waits is decided and given out.
    pub(crate) fn idle(&mut self, sink: &mut impl Sink) {
        if matches!(self.state, State::Proving { .. }) {
            self.decide(true, sink);
        }
        self.give_up_joins(sink);
    }

    /// Offset of the oldest line held.
    pub(crate) fn open_from(&self) -> Option<u64> {
        let held = match &self.state {
            State::Proving { held, .. } => held.open_from(),
            State::Undecided | State::On { .. } | State::Off => None,
        };
        self.joins.iter().map(|(join, _)| join.open_from()).chain([held]).flatten().min()
    }

    /// Joined lines that were longer than what is kept.
    pub(crate) fn truncated(&self) -> u64 {
        self.joins.iter().map(|(join, _)| join.truncated()).sum()
    }

    /// The first lines: is there a stamp?
    fn undecided(&mut self, piece: Piece<'_>, sink: &mut impl Sink) {
        let (bare, _) = leading(&piece);
        let stamps = FRAMINGS.iter().filter_map(|framing| framing.stamp);
        let found = stamps.filter_map(|stamp| Some((stamp, (stamp.peel)(bare, None)?.shape))).next();
        if let Some((stamp, shape)) = found {
            let mut held = Held::default();
            held.push(&piece);
            self.state = State::Proving { stamp, shape, seen: 1, held };
            // what opened the log is proof enough
            if self.is_jenkins {
                self.decide(true, sink);
            }
        } else if piece.is_blank() {
            sink.line(&piece.line);
        } else if jenkins::is_opening(bare) {
            self.is_jenkins = true;
            self.plain(piece, sink);
        } else if !self.plain(piece, sink) {
            self.state = self.without_stamps();
        }
    }

    /// The state of a stream whose lines have no stamps, at least not yet.
    fn without_stamps(&self) -> State {
        match self.is_jenkins {
            true => State::On { stamp: jenkins::STAMP, shape: None, trust: Trust::settled(), crlf: false },
            false => State::Off,
        }
    }

    /// The first line had a stamp: do the next?
    fn proving(&mut self, piece: Piece<'_>, sink: &mut impl Sink) {
        let State::Proving { stamp, shape, seen, held } = &mut self.state else { return };
        let room = held.push(&piece);
        let (bare, _) = leading(&piece);
        match (stamp.peel)(bare, Some(*shape)) {
            Some(stamped) => {
                *shape = stamped.shape;
                *seen += 1;
                if *seen >= PROOF || !room {
                    self.decide(true, sink);
                }
            }
            None if piece.is_blank() && room => {}
            // what Jenkins writes itself may have no stamp, and is as good a proof as another one
            None if jenkins::is_opening(bare) => {
                self.is_jenkins = true;
                self.decide(true, sink);
            }
            None => self.decide(false, sink),
        }
    }

    fn decide(&mut self, has_stamps: bool, sink: &mut impl Sink) {
        let State::Proving { stamp, shape, held, .. } = std::mem::take(&mut self.state) else { return };
        let crlf = held.iter().next().is_some_and(|first| first.line.text.ends_with(b"\r"));
        self.state = match has_stamps {
            true => State::On { stamp, shape: Some(shape), trust: Trust::new(stamp.machine), crlf },
            false => self.without_stamps(),
        };
        for piece in held.iter() {
            self.line(piece, sink);
        }
    }

    /// A line of a log that has stamps.
    fn stamped(&mut self, piece: Piece<'_>, sink: &mut impl Sink) {
        let State::On { stamp, shape, trust, crlf } = &mut self.state else { return };
        let (bare, time) = leading(&piece);
        let Some(stamped) = (stamp.peel)(bare, *shape) else { return self.unstamped(piece, sink) };
        trust.hit();
        *shape = Some(stamped.shape);
        let time = [stamped.time, time, piece.line.time].into_iter().find(|time| *time != LineTime::None);
        let tag = stamped.stream.map_or(piece.line.tag, |(tag, _)| tag);
        let line = Line { text: stamped.text, time: time.unwrap_or_default(), tag, ..piece.line };
        let piece = Piece { line, ..piece };
        match stamped.stream {
            Some((tag, writer)) => {
                let text = if *crlf { stamped.text.strip_suffix(b"\r") } else { None };
                self.joined(piece.with_text(text.unwrap_or(stamped.text)), tag, writer, stamped.appends, sink);
            }
            None => {
                self.plain(piece, sink);
            }
        }
    }

    /// A line without a stamp in a log that has stamps.
    fn unstamped(&mut self, piece: Piece<'_>, sink: &mut impl Sink) {
        self.give_up_joins(sink);
        let own = self.plain(piece, sink);
        if let State::On { trust, .. } = &mut self.state
            && !own
            && !piece.is_blank()
            && !trust.miss()
        {
            self.state = self.without_stamps();
        }
    }

    /// A line that may be continued by the next one of its stream.
    fn joined(&mut self, piece: Piece<'_>, tag: Tag, writer: u8, appends: bool, sink: &mut impl Sink) {
        let mut joins = std::mem::take(&mut self.joins);
        let [out, err] = &mut joins;
        let (join, last) = match tag {
            Tag::Out => out,
            Tag::Err => err,
        };
        if !(appends && *last == writer) {
            join.take(|piece| {
                self.plain(piece, sink);
            });
        }
        join.add(&piece);
        *last = writer;
        self.joins = joins;
    }

    fn give_up_joins(&mut self, sink: &mut impl Sink) {
        if self.joins.iter().all(|(join, _)| !join.is_open()) {
            return;
        }
        let mut joins = std::mem::take(&mut self.joins);
        for (join, _) in &mut joins {
            join.take(|piece| {
                self.plain(piece, sink);
            });
        }
        self.joins = joins;
    }

    /// A line with its stamp off, or that has none. Says whether a CI system or a shell wrote it itself.
    #[inline]
    fn plain(&mut self, piece: Piece<'_>, sink: &mut impl Sink) -> bool {
        if !piece.special {
            return self.marks.line(&piece.line, sink);
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let (_, time) = leading(&piece);
        self.marks.raw(piece.line.text);
        let time = if piece.line.time == LineTime::None { time } else { piece.line.time };
        let mut rest = ansi::clean(piece.line.text, &mut scratch);
        let mut own = false;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (text, after) = rest.split_at(end);
            if !text.is_empty() {
                self.marks.line(&Line { text: ansi::overprinted(text), time, ..piece.line }, sink);
            }
            sink.command_ended();
            (rest, own) = (after.get(1..).unwrap_or_default(), true);
        }
        if !(own && rest.is_empty()) {
            own |= self.marks.line(&Line { text: ansi::overprinted(rest), time, ..piece.line }, sink);
        }
        scratch.shrink_to(KEPT_CAPACITY);
        self.scratch = scratch;
        own
    }
}

/// The text behind escape sequences and a byte order mark at its start, and the time that Buildkite puts into such a
/// sequence.
fn leading<'a>(piece: &Piece<'a>) -> (&'a [u8], LineTime<'a>) {
    let (mut text, mut time) = (piece.line.text, LineTime::None);
    while piece.special && text.first() == Some(&0x1b) {
        let (sequence, rest) = text.split_at(ansi::sequence(text).min(text.len()));
        if let Some(millis) = super::buildkite::millis(sequence) {
            time = LineTime::EpochMillis(millis);
        }
        text = rest;
    }
    (text.strip_prefix(BOM).unwrap_or(text), time)
}
