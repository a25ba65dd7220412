//! One line of a log as the dialects see it: framing taken off, its time and stream beside it.
//!
//! This is the seam between framing and dialects. It borrows everything; a dialect that must keep a line copies what
//! it needs. It must not know any CI system, any dialect, or how a line was cut.
//!
//! Invariant: `text` holds no line end and no byte of the framing.

use crate::Timestamp;

/// One line, or one line joined from several raw lines that a container runtime had split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// The line without framing, escape sequences and line end. May hold invalid UTF-8.
    pub(crate) text: &'a [u8],
    /// The time stamp of the innermost framing that carries one.
    pub(crate) time: LineTime<'a>,
    /// Which stream of the process it was written to.
    pub(crate) tag: Tag,
    /// Offset in the log of the first byte of its first raw line, framing included.
    pub(crate) offset: u64,
    /// Raw lines that it was joined from, at least 1.
    pub(crate) lines: u32,
}

/// The stream that a line was written to. `Out` also where the framing does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tag {
    /// Standard output, or not known.
    Out,
    /// Standard error.
    Err,
}

/// A time stamp as it stands in the log: it is parsed when an event needs it, not for each line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum LineTime<'a> {
    /// The line carries none, or one that names no instant (a time of day, a date without an offset from UTC).
    #[default]
    None,
    /// RFC 3339 text.
    Rfc3339(&'a [u8]),
    /// Milliseconds since the Unix epoch, in decimal digits.
    EpochMillis(&'a [u8]),
    /// Parsed already, where the line had to be kept for a while.
    Parsed(Timestamp),
}

impl LineTime<'_> {
    /// The instant; `None` where there is none or it is out of range.
    pub(crate) fn timestamp(self) -> Option<Timestamp> {
        match self {
            Self::None => None,
            Self::Rfc3339(text) => Timestamp::parse_rfc3339(text),
            Self::EpochMillis(digits) => {
                let millis: i64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
                millis.checked_mul(1_000_000).map(Timestamp::from_nanos)
            }
            Self::Parsed(time) => Some(time),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_a_stamp_gives_the_same_instant() {
        let rfc = LineTime::Rfc3339(b"2024-05-01T12:00:00.123Z").timestamp();
        assert!(rfc.is_some());
        assert_eq!(LineTime::EpochMillis(b"1714564800123").timestamp(), rfc);
    }

    #[test]
    fn a_stamp_that_names_no_instant_gives_none() {
        assert_eq!(LineTime::None.timestamp(), None);
        assert_eq!(LineTime::Rfc3339(b"2024-99-01T12:00:00Z").timestamp(), None);
        assert_eq!(LineTime::EpochMillis(b"99999999999999999999").timestamp(), None);
    }
}
