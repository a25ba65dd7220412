//! Where in its log an event stands, and when it was.

use crate::line::Line;
use crate::{Event, EventKind, Timestamp};

/// Position and time of the first line of something that may span several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct At {
    /// When, where the line says.
    pub(crate) time: Option<Timestamp>,
    /// Offset of its first line in bytes.
    pub(crate) offset: u64,
    /// Lines so far.
    pub(crate) lines: u32,
}

impl At {
    /// Of one line.
    pub(crate) fn of(line: &Line<'_>) -> Self {
        Self { time: line.time.timestamp(), offset: line.offset, lines: line.lines }
    }

    /// Counts another line in.
    pub(crate) fn add(&mut self, line: &Line<'_>) {
        self.lines = self.lines.saturating_add(line.lines);
    }

    /// An event here.
    pub(crate) fn event(self, kind: EventKind) -> Event {
        Event { kind, time: self.time, offset: self.offset, lines: self.lines.max(1) }
    }
}
