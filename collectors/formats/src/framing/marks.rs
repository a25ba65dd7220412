//! Lines that a CI system or a shell wrote itself: command echoes, groups, sections, pipeline steps.
//!
//! Which of them runs a go command is an event; the rest say nothing about Go and end here. It sees a line without
//! stamp and escapes. It must not know any dialect.
//!
//! Invariant: a line that no row of [`FRAMINGS`] knows is passed on as it is, at the price of one look at its first
//! bytes.

use super::{FRAMINGS, Sink, buildkite, github};
use crate::line::Line;

/// What one line is to a framing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark<'a> {
    /// Not its own.
    No,
    /// Its own, and of no meaning for Go.
    Own,
    /// Its own, and whatever command ran before has ended.
    End,
    /// The echo of a go command: the command without its prompt.
    Command(&'a [u8]),
    /// A line of output that the CI system had marked: the line without the mark.
    Marked(&'a [u8]),
}

/// Which systems a stream was seen to come from, as far as the reading of later lines depends on it.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// Sequences of Buildkite: `---`, `~~~` and `+++` are its headers.
    pub(crate) buildkite: bool,
    /// GitHub or Azure: where we are in the listing of a step's script.
    pub(crate) script: github::Script,
    /// The command that the listing of a script shows first, where its header shows none.
    listed: bool,
}

impl Marks {
    /// A look at a line before its escapes go.
    pub(crate) fn raw(&mut self, line: &[u8]) {
        self.buildkite |= buildkite::is_stamped(line);
        self.listed = self.script.lists(line);
    }

    /// Hands a line on, or the event that it is. Says whether a CI system or a shell wrote it itself.
    #[inline]
    pub(crate) fn line(&mut self, line: &Line<'_>, sink: &mut impl Sink) -> bool {
        let candidate = match line.text {
            [b'+' | b'$' | b'[', ..] | [b'#', b'#', ..] => true,
            [b'-' | b'~', ..] => self.buildkite,
            _ => false,
        };
        if candidate || self.listed {
            return self.marked(line, sink);
        }
        sink.line(line);
        false
    }

    #[cold]
    fn marked(&mut self, line: &Line<'_>, sink: &mut impl Sink) -> bool {
        let mark = match std::mem::take(&mut self.listed) {
            true => self.script.listed(line.text),
            false => FRAMINGS
                .iter()
                .filter_map(|framing| framing.mark)
                .map(|mark| mark(self, line.text))
                .find(|mark| *mark != Mark::No)
                .unwrap_or(Mark::No),
        };
        match mark {
            Mark::No => sink.line(line),
            Mark::Own => {}
            Mark::End => sink.command_ended(),
            Mark::Command(command) => sink.command(line, command),
            Mark::Marked(text) => sink.line(&Line { text, ..*line }),
        }
        matches!(mark, Mark::Own | Mark::End | Mark::Command(_))
    }
}
