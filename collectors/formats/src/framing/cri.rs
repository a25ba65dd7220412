//! The log files of Kubernetes: what containerd and CRI-O write for a pod.
//!
//! `2024-05-01T12:00:00.123456789Z stdout F text`: an RFC 3339 time, the stream, tags, the text. The first tag is `F`
//! for a line that is whole or the last part of one, `P` for a part that goes on in the next record of its stream
//! (also the last bytes of a stream that did not end in a newline).
//! Source: kubernetes/design-proposals-archive, `node/kubelet-cri-logging.md`.

use super::records::{Record, Text};
use super::timestamps;
use crate::line::{LineTime, Tag};

/// Reads one record.
pub(crate) fn read<'a>(line: &'a [u8], _: &mut Vec<u8>) -> Option<Record<'a>> {
    let (stamp, rest) = timestamps::rfc3339(line)?;
    let (tag, rest) = match rest.strip_prefix(b" stdout ") {
        Some(rest) => (Tag::Out, rest),
        None => (Tag::Err, rest.strip_prefix(b" stderr ")?),
    };
    let (ends, rest) = match rest.split_first()? {
        (b'F', rest) => (true, rest),
        (b'P', rest) => (false, rest),
        _ => return None,
    };
    let text = match rest.split_first() {
        None => rest,
        Some((b' ', text)) => text,
        // more tags
        Some((b':', more)) => more.get(memchr::memchr(b' ', more)? + 1..)?,
        // a line end that lost the blank before it
        Some((b'\r', [])) => rest,
        Some(_) => return None,
    };
    // a file that was turned to CRLF has a carriage return behind each part: in a joined line it would overprint
    let text = if ends { text } else { text.strip_suffix(b"\r").unwrap_or(text) };
    Some(Record { time: LineTime::Rfc3339(stamp), tag, text: Text::Plain(text), ends })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: &str) -> Option<(Tag, &[u8], bool)> {
        read(line.as_bytes(), &mut Vec::new()).map(|record| match record.text {
            Text::Plain(text) => (record.tag, text, record.ends),
            Text::Decoded => panic!("CRI has nothing to decode"),
        })
    }

    #[test]
    fn whole_and_partial_records_of_both_streams_are_read() {
        assert_eq!(text("2024-05-01T12:00:00.123456789Z stdout F ok"), Some((Tag::Out, &b"ok"[..], true)));
        assert_eq!(text("2024-05-01T12:00:00.1+02:00 stderr P \tpart "), Some((Tag::Err, &b"\tpart "[..], false)));
        assert_eq!(text("2024-05-01T12:00:00Z stdout F:x:y tagged"), Some((Tag::Out, &b"tagged"[..], true)));
        assert_eq!(text("2024-05-01T12:00:00Z stdout F "), Some((Tag::Out, &b""[..], true)));
        assert_eq!(text("2024-05-01T12:00:00Z stdout F"), Some((Tag::Out, &b""[..], true)));
    }

    #[test]
    fn what_only_resembles_a_record_is_none() {
        for line in ["", "2024-05-01T12:00:00Z", "2024-05-01T12:00:00Z stdout X a", "2024-05-01T12:00:00Z stdin F a"] {
            assert_eq!(text(line), None, "{line}");
        }
        assert_eq!(text("2024-05-01T12:00:00Z stdout Fail"), None);
        assert_eq!(text("2024-05-01 12:00:00 stdout F a"), None);
    }
}
