//! The dialects of one stream, and which of them reads a line.
//!
//! A dialect turns lines of one kind of output (text of the go command and of tests; JSON objects) into events. This
//! room only chooses; it must not know framing or what any line means.
//!
//! Invariants: each line goes to exactly one dialect; the order of events is the order in which they were complete.

use crate::Event;
use crate::json::Json;
use crate::line::Line;
use crate::text::Text;

/// The state of every dialect, for one stream of one log.
#[derive(Debug, Default)]
pub(crate) struct Dialects {
    json: Json,
    text: Text,
}

impl Dialects {
    /// Reads one line. Says whether it meant something: became an event, or is part of one or of a known block.
    pub(crate) fn line(&mut self, line: &Line<'_>, out: &mut Vec<Event>) -> bool {
        let before = out.len();
        if let Some(&first) = line.text.first()
            && self.json.wants(first)
            && self.json.line(line, &mut self.text, out)
        {
            self.text.test_failures_once(before, out);
            return true;
        }
        self.text.line(line, out)
    }

    /// Nothing came for a while: gives out what is complete but was waiting for a line that might continue it.
    pub(crate) fn idle(&mut self, out: &mut Vec<Event>) {
        self.text.idle(out);
    }

    /// The stream ended: gives out all that is held.
    pub(crate) fn finish(&mut self, out: &mut Vec<Event>) {
        let before = out.len();
        self.json.finish(&mut self.text, out);
        self.text.test_failures_once(before, out);
        self.text.finish(out);
    }

    /// Another go command starts: gives out what is held and forgets what is kept for one command.
    pub(crate) fn new_command(&mut self, out: &mut Vec<Event>) {
        let before = out.len();
        self.json.new_command(&mut self.text, out);
        self.text.test_failures_once(before, out);
        self.text.new_command(out);
    }

    /// Offset of the oldest line that is held, if any is.
    pub(crate) fn open_from(&self) -> Option<u64> {
        [self.json.open_from(), self.text.open_from()].into_iter().flatten().min()
    }

    /// Pieces of state given up because a bound was reached.
    pub(crate) fn forgotten(&self) -> u64 {
        self.json.forgotten() + self.text.forgotten()
    }
}
