//! GitLab's stamps: `2024-05-01T12:00:00.123456Z 00O text`.
//!
//! Behind the time stand the number of the writer in two hex digits, `O` or `E` for its stream, and a blank or `+`: a
//! line with `+` goes on the line before of the same writer and stream (progress that ended in a carriage return, or
//! a line of more than 8 KiB). Section markers and prompt colours are escapes and go there (`ansi`).
//! Source: gitlab-org/gitlab-runner, `helpers/timestamper`.

use super::stamps::{Shape, Stamp, Stamped};
use crate::line::{LineTime, Tag};

/// The stamp of GitLab.
pub(crate) const STAMP: Stamp = Stamp { peel, machine: true };

fn peel(line: &[u8], _: Option<Shape>) -> Option<Stamped<'_>> {
    let (stamp, rest) = super::timestamps::rfc3339(line)?;
    let [b' ', high, low, stream @ (b'O' | b'E'), flag @ (b' ' | b'+'), text @ ..] = rest else { return None };
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let writer = digit(high)? << 4 | digit(low)?;
    let tag = if *stream == b'O' { Tag::Out } else { Tag::Err };
    let time = LineTime::Rfc3339(stamp);
    Some(Stamped { time, text, shape: Shape::default(), stream: Some((tag, writer)), appends: *flag == b'+' })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_writer_and_continuation_are_read() {
        let stamped = peel(b"2024-05-01T12:00:00.123456Z 01E+ rest", None).unwrap();
        assert_eq!(stamped.text, b" rest");
        assert_eq!((stamped.stream, stamped.appends), (Some((Tag::Err, 1)), true));
        let stamped = peel(b"2024-05-01T12:00:00.123456Z 00O ", None).unwrap();
        assert_eq!((stamped.text, stamped.stream, stamped.appends), (&b""[..], Some((Tag::Out, 0)), false));
    }

    #[test]
    fn other_stamps_are_none() {
        for line in ["2024-05-01T12:00:00.123456Z text", "2024-05-01T12:00:00.123456Z 0xO a", "00O a", ""] {
            assert!(peel(line.as_bytes(), None).is_none(), "{line}");
        }
    }
}
