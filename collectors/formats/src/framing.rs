//! What CI systems and container runtimes wrap around a line, and how to take it off.
//!
//! Two layers, the outer one first: records of a container runtime (`records`), then for each of its streams the
//! stamps and marks of a CI system (`stamps`, `marks`) and what is meant for a terminal (`ansi`). One row of
//! [`FRAMINGS`] is one system; a new one is a file and a row. It must not know any dialect: what it makes are plain
//! lines, and the command echoes among them.
//!
//! Architecture invariant: **bare output of the go command is never damaged.** Whether a log is wrapped is decided
//! once, from its first lines, which are held until they agree (`records` and `stamps` say how); nothing that a test
//! prints later can switch a framing on. What is held is bounded, and counted where the bound is reached.

mod ansi;
mod azure;
mod buildkite;
mod cri;
mod docker_json;
mod github;
mod gitlab;
mod jenkins;
mod kept;
mod marks;
mod piece;
mod records;
mod shell;
mod stamps;
mod timestamps;
mod trust;

use crate::line::{Line, Tag};
use crate::lines::RawLine;
pub use kept::KeptParts;
use marks::{Mark, Marks};
use piece::Piece;
pub use records::Parts;
use records::{ReadRecord, Records};
use stamps::{Stamp, Stream};

/// One system that wraps lines: what it puts around them, as far as it does.
pub(crate) struct Framing {
    /// Name, as in the documentation and in [`KeptParts`].
    pub(crate) name: &'static str,
    /// Reads a line as a record of a container runtime.
    pub(crate) record: Option<ReadRecord>,
    /// Reads the stamp in front of each line.
    pub(crate) stamp: Option<Stamp>,
    /// Reads a line that the system wrote itself.
    pub(crate) mark: Option<for<'a> fn(&mut Marks, &'a [u8]) -> Mark<'a>>,
}

/// Every framing. Where two could read a line, the first one does: the narrower stand before the wider.
pub(crate) const FRAMINGS: &[Framing] = &[
    Framing { name: "cri", record: Some(cri::read), stamp: None, mark: None },
    Framing { name: "docker_json", record: Some(docker_json::read), stamp: None, mark: None },
    Framing { name: "github", record: None, stamp: Some(github::STAMP), mark: Some(github::mark) },
    Framing { name: "azure", record: None, stamp: None, mark: Some(azure::mark) },
    Framing { name: "gitlab", record: None, stamp: Some(gitlab::STAMP), mark: None },
    Framing { name: "jenkins", record: None, stamp: Some(jenkins::STAMP), mark: Some(jenkins::mark) },
    Framing { name: "buildkite", record: None, stamp: None, mark: Some(buildkite::mark) },
    Framing { name: "shell", record: None, stamp: None, mark: Some(shell::mark) },
    Framing {
        name: "timestamps",
        record: None,
        stamp: Some(Stamp { peel: timestamps::peel, machine: false }),
        mark: None,
    },
];

/// Where the lines go when their framing is off.
pub(crate) trait Sink {
    /// A line for the dialects.
    fn line(&mut self, line: &Line<'_>);
    /// The echo of a go command, without its prompt; the line says when and where.
    fn command(&mut self, line: &Line<'_>, command: &[u8]);
    /// The CI system said that what ran before has ended.
    fn command_ended(&mut self);
}

/// The framing of one log.
#[derive(Debug, Default)]
pub(crate) struct Framer {
    records: Records,
    out: Stream,
    err: Stream,
}

impl Framer {
    /// Takes the framing off one line.
    #[inline]
    pub(crate) fn line(&mut self, raw: &RawLine<'_>, sink: &mut impl Sink) {
        if !raw.special && self.records.is_off() && self.out.is_off() {
            // nothing is wrapped around the lines of this log: what the layers would do, at once
            return self.out.bare(&Piece::raw(raw).line, sink);
        }
        let (records, mut next) = self.layers(sink);
        records.line(Piece::raw(raw), &mut next);
    }

    /// Nothing came for a while: gives out what waits only because it might be continued or contradicted. Parts of a
    /// line that a runtime has split stay.
    pub(crate) fn idle(&mut self, sink: &mut impl Sink) {
        {
            let (records, mut next) = self.layers(sink);
            records.idle(&mut next);
        }
        self.out.idle(sink);
        self.err.idle(sink);
    }

    /// The log ended: gives out all that is held.
    pub(crate) fn finish(&mut self, sink: &mut impl Sink) {
        {
            let (records, mut next) = self.layers(sink);
            records.finish(&mut next);
        }
        self.out.idle(sink);
        self.err.idle(sink);
    }

    /// Parts that wait for others; see [`Parts`].
    pub(crate) fn hand_over(&mut self) -> Option<Parts> {
        self.records.hand_over()
    }

    pub(crate) fn take_over(&mut self, parts: Parts) {
        self.records.take_over(parts);
    }

    /// Whether the log may be one of a container runtime.
    pub(crate) fn may_have_records(&self) -> bool {
        self.records.may_be_on()
    }

    /// Offset of the oldest line that is held.
    pub(crate) fn open_from(&self) -> Option<u64> {
        [self.records.open_from(), self.out.open_from(), self.err.open_from()].into_iter().flatten().min()
    }

    /// Joined lines that were longer than what is kept.
    pub(crate) fn truncated(&self) -> u64 {
        self.records.truncated() + self.out.truncated() + self.err.truncated()
    }

    /// The outer layer, and what it hands its lines to.
    #[inline]
    fn layers(&mut self, sink: &mut impl Sink) -> (&mut Records, impl FnMut(Piece<'_>)) {
        let Self { records, out, err } = self;
        let next = |piece: Piece<'_>| match piece.line.tag {
            Tag::Out => out.line(piece, sink),
            Tag::Err => err.line(piece, sink),
        };
        (records, next)
    }
}

#[cfg(test)]
mod tests;
