//! The log files of Docker's `json-file` driver: one JSON object a line.
//!
//! `{"log":"text\n","stream":"stdout","time":"2024-05-01T12:00:00.123456789Z"}`, with `attrs` where the daemon is told
//! to. A line longer than 16 KiB is split over objects; only the last one's `log` ends in a newline.
//! Source: moby/moby, `daemon/logger/jsonfilelog/jsonlog/jsonlog.go` and `daemon/logger/copier.go`.

use memchr::{memchr, memchr2};

use super::records::{Record, Text};
use crate::line::{LineTime, Tag};

/// Reads one record. Text with escapes is decoded into `decoded`, which is emptied first.
pub(crate) fn read<'a>(line: &'a [u8], decoded: &mut Vec<u8>) -> Option<Record<'a>> {
    let mut rest = blank(line).strip_prefix(b"{")?;
    let (mut log, mut tag, mut time) = (None, Tag::Out, None);
    loop {
        let (key, after) = string(blank(rest))?;
        let value = blank(blank(after).strip_prefix(b":")?);
        rest = match key {
            b"log" | b"stream" | b"time" => {
                let (value, after) = string(value)?;
                match key {
                    b"log" => log = Some(value),
                    b"stream" if value == b"stderr" => tag = Tag::Err,
                    b"stream" => {}
                    _ => time = Some(value),
                }
                after
            }
            _ => skip(value)?,
        };
        rest = match blank(rest).split_first()? {
            (b',', more) => more,
            (b'}', _) => break,
            _ => return None,
        };
    }
    let (log, time) = (log?, LineTime::Rfc3339(time?));
    // most lines have one escape, the newline at their end
    let (body, ends) = log.strip_suffix(b"\\n").map_or((log, false), |body| (body, true));
    if memchr(b'\\', body).is_none() {
        return Some(Record { time, tag, text: Text::Plain(body), ends });
    }
    decoded.clear();
    decode(log, decoded);
    let ends = decoded.last() == Some(&b'\n');
    if ends {
        decoded.pop();
    }
    Some(Record { time, tag, text: Text::Decoded, ends })
}

fn blank(bytes: &[u8]) -> &[u8] {
    bytes.trim_ascii_start()
}

/// A string at the start: what is between its quotes, escapes as they are, and what follows.
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = bytes.strip_prefix(b"\"")?;
    let mut at = 0;
    loop {
        at += memchr2(b'"', b'\\', inner.get(at..)?)?;
        match inner.get(at)? {
            b'"' => return Some((inner.get(..at)?, inner.get(at + 1..)?)),
            _ => at += 2,
        }
    }
}

/// What follows a value of any kind.
fn skip(bytes: &[u8]) -> Option<&[u8]> {
    let (mut rest, mut depth) = (bytes, 0_u32);
    loop {
        rest = match rest.split_first()? {
            (b'"', _) => string(rest)?.1,
            (b'{' | b'[', more) => {
                depth += 1;
                more
            }
            (b'}' | b']' | b',', _) if depth == 0 => return Some(rest),
            (b'}' | b']', more) => {
                depth -= 1;
                more
            }
            (_, more) => more,
        };
    }
}

/// Decodes the escapes of a JSON string. What is no escape stays as it is.
fn decode(text: &[u8], into: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = memchr(b'\\', rest) {
        let (before, escape) = rest.split_at(at);
        into.extend_from_slice(before);
        let (byte, used) = match escape.get(1) {
            Some(b'n') => (b'\n', 2),
            Some(b't') => (b'\t', 2),
            Some(b'r') => (b'\r', 2),
            Some(b'b') => (8, 2),
            Some(b'f') => (12, 2),
            Some(b'u') => {
                let (letter, used) = unicode(escape);
                into.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                rest = escape.get(used..).unwrap_or_default();
                continue;
            }
            Some(other) => (*other, 2),
            None => (b'\\', 1),
        };
        into.push(byte);
        rest = escape.get(used..).unwrap_or_default();
    }
    into.extend_from_slice(rest);
}

/// `\u` and four hexadecimal digits, or two of these that are a surrogate pair: the letter and how many bytes it took.
fn unicode(escape: &[u8]) -> (char, usize) {
    let Some(first) = hex(escape) else { return (char::REPLACEMENT_CHARACTER, 2) };
    if let Some(letter) = char::from_u32(first) {
        return (letter, 6);
    }
    let pair = escape.get(6..).and_then(hex).filter(|second| first < 0xdc00 && (0xdc00..0xe000).contains(second));
    match pair.and_then(|second| char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))) {
        Some(letter) => (letter, 12),
        None => (char::REPLACEMENT_CHARACTER, 6),
    }
}

/// The number of a `\u` and four hexadecimal digits at the start.
fn hex(escape: &[u8]) -> Option<u32> {
    let digits = escape.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |sum, digit| Some(sum << 4 | char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: &str) -> Option<(Tag, String, bool)> {
        let mut decoded = Vec::new();
        let record = read(line.as_bytes(), &mut decoded)?;
        let text = match record.text {
            Text::Plain(text) => text.to_vec(),
            Text::Decoded => decoded,
        };
        Some((record.tag, String::from_utf8(text).unwrap(), record.ends))
    }

    #[test]
    fn an_object_is_read_with_any_spacing_order_and_extra_fields() {
        let want = Some((Tag::Err, "ok".to_owned(), true));
        assert_eq!(text(r#"{"log":"ok\n","stream":"stderr","time":"2024-05-01T12:00:00Z"}"#), want);
        assert_eq!(text(r#"{"log": "ok\n", "stream": "stderr", "time": "2024-05-01T12:00:00Z"}"#), want);
        let attrs = r#"{"attrs":{"a":["}",1,null]},"time":"t","stream":"stderr","log":"ok\n"}"#;
        assert_eq!(text(attrs), want);
    }

    #[test]
    fn escapes_are_decoded_to_the_bytes_that_were_written() {
        let line = r#"{"log":"a\tb \"q\" \\ \u003c\u00e9\ud83d\ude00 \udc80","stream":"stdout","time":"t"}"#;
        assert_eq!(text(line), Some((Tag::Out, "a\tb \"q\" \\ <é😀 \u{fffd}".to_owned(), false)));
        assert_eq!(text(r#"{"log":"a\\n","time":"t"}"#), Some((Tag::Out, "a\\n".to_owned(), false)));
    }

    #[test]
    fn objects_of_other_kinds_are_none() {
        for line in [
            r#"{"Time":"2024-05-01T12:00:00Z","Action":"run","Package":"p"}"#,
            r#"{"log":"a","stream":"stdout"}"#,
            r#"{"log":"a","time":"t""#,
            r#"{"log":1,"time":"t"}"#,
            "{",
            "",
        ] {
            assert_eq!(text(line), None, "{line}");
        }
    }
}
