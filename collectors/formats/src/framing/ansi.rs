//! Escape sequences, carriage returns and NUL bytes: what is for a terminal and not for a reader.
//!
//! Only lines that hold one of these bytes come here. Removed are: CSI, OSC and the other string sequences with their
//! text, two-byte and charset sequences, Jenkins' hidden notes (`ESC[8mha:...ESC[0m`), GitLab's section markers
//! (`section_start:123:name CR ESC[0K`), NUL. Of a line that was overprinted by carriage returns the last stretch
//! with any text is kept, as a terminal would show it. A section marker parts two lines, since what a section printed
//! without a newline at its end stands in front of it; a newline is put in its place.
//!
//! Invariants: work is linear in the line; text outside sequences is never lost to a sequence without an end.

use memchr::{memchr, memchr2, memchr3, memmem, memrchr};

/// The line without them, or the lines where section markers part it, with a newline for each marker. `scratch` is
/// used when the line must be copied.
pub(crate) fn clean<'a>(line: &'a [u8], scratch: &'a mut Vec<u8>) -> &'a [u8] {
    let line = without_line_end(line);
    let Some(first) = memchr3(0x1b, b'\r', 0, line) else { return line };
    scratch.clear();
    strip(line, first, scratch);
    scratch
}

fn without_line_end(line: &[u8]) -> &[u8] {
    let mut line = line;
    while let Some(shorter) = line.strip_suffix(b"\r") {
        line = shorter;
    }
    line
}

/// Copies the line without sequences, markers and NULs; the first byte that needs care is at `first`.
fn strip(line: &[u8], first: usize, into: &mut Vec<u8>) {
    let (mut rest, mut next) = (line, Some(first));
    while let Some(at) = next {
        let (before, special) = rest.split_at(at);
        into.extend_from_slice(before);
        let used = match special.first() {
            Some(0x1b) => sequence(special),
            Some(b'\r') => {
                let is_marker = special.starts_with(b"\r\x1b[0K") && drop_section_marker(into);
                into.push(if is_marker { b'\n' } else { b'\r' });
                1
            }
            Some(_) | None => 1,
        };
        rest = special.get(used..).unwrap_or_default();
        next = memchr3(0x1b, b'\r', 0, rest);
    }
    into.extend_from_slice(rest);
}

/// Length of the escape sequence at the start of `text`, which begins with an escape; at least 1.
pub(crate) fn sequence(text: &[u8]) -> usize {
    match text.get(1) {
        Some(b'[') => control_sequence(text),
        Some(b']' | b'P' | b'X' | b'^' | b'_') => string_sequence(text),
        // charsets and the like: any number of intermediate bytes and a final one
        Some(0x20..=0x2f) => {
            let between = text.iter().skip(1).take_while(|byte| matches!(byte, 0x20..=0x2f)).count();
            1 + between + usize::from(matches!(text.get(1 + between), Some(0x30..=0x7e)))
        }
        Some(0x30..=0x7e) => 2,
        Some(_) | None => 1,
    }
}

/// `ESC [`, parameters, a final byte; with Jenkins' notes, which hide their text by one.
fn control_sequence(text: &[u8]) -> usize {
    let body = text.get(2..).unwrap_or_default();
    let parameters = body.iter().take_while(|byte| matches!(byte, 0x20..=0x3f)).count();
    let length = 2 + parameters + usize::from(matches!(body.get(parameters), Some(0x40..=0x7e)));
    if text.starts_with(NOTE) {
        // base64 holds no escape: the next one ends the note, or it is none
        let hidden = text.get(NOTE.len()..).unwrap_or_default();
        if let Some(end) = memchr(0x1b, hidden).filter(|end| hidden.get(*end..).is_some_and(|at| at.starts_with(RESET)))
        {
            return NOTE.len() + end + RESET.len();
        }
    }
    length
}

const NOTE: &[u8] = b"\x1b[8mha:";
const RESET: &[u8] = b"\x1b[0m";

/// `ESC ]` (or `P`, `X`, `^`, `_`), text, BEL or `ESC \`. Without an end only the two bytes go.
fn string_sequence(text: &[u8]) -> usize {
    let body = text.get(2..).unwrap_or_default();
    match memchr2(0x07, 0x1b, body) {
        Some(end) if body.get(end) == Some(&0x07) => 2 + end + 1,
        Some(end) if body.get(end + 1) == Some(&b'\\') => 2 + end + 2,
        Some(_) | None => 2,
    }
}

/// Takes a GitLab section marker off the end of what has been copied. Says whether there was one.
fn drop_section_marker(copied: &mut Vec<u8>) -> bool {
    /// In bytes; the name and options of a section.
    const LONGEST: usize = 256;
    let from = copied.len().saturating_sub(LONGEST);
    let tail = copied.get(from..).unwrap_or_default();
    let Some(at) = memmem::rfind(tail, b"section_") else { return false };
    let marker = tail.get(at..).unwrap_or_default();
    let body = marker.strip_prefix(b"section_start:").or_else(|| marker.strip_prefix(b"section_end:"));
    let is_marker = body.is_some_and(|body| {
        let digits = body.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let name = body.get(digits..).unwrap_or_default();
        digits > 0 && name.len() > 1 && name.starts_with(b":") && name.iter().all(u8::is_ascii_graphic)
    });
    if is_marker {
        copied.truncate(from + at);
    }
    is_marker
}

/// What a terminal would show of a line with carriage returns: the last stretch that has any text.
pub(crate) fn overprinted(line: &[u8]) -> &[u8] {
    let mut line = without_line_end(line);
    while let Some(at) = memrchr(b'\r', line) {
        let (before, last) = line.split_at(at);
        let last = last.get(1..).unwrap_or_default();
        if !last.is_empty() {
            return last;
        }
        line = before;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(line: &str) -> String {
        let mut scratch = Vec::new();
        let lines = clean(line.as_bytes(), &mut scratch).split(|byte| *byte == b'\n').map(overprinted);
        String::from_utf8(lines.collect::<Vec<_>>().join(&b"|"[..])).unwrap()
    }

    #[test]
    fn sequences_of_every_kind_go_and_text_stays() {
        for (line, want) in [
            ("\x1b[31;1m--- FAIL: TestA (0.00s)\x1b[0m", "--- FAIL: TestA (0.00s)"),
            ("\x1b]0;title\x07a\x1b]8;;http://x\x1b\\b", "ab"),
            ("\x1b_bk;t=1714564800123\x07$ go test", "$ go test"),
            ("\x1b(B\x1b=a\x1b7b\x1b[?25lc\x1b[38:2::1:2:3md", "abcd"),
            ("\x1bPq..\x1b\\a", "a"),
            ("a\0b\0", "ab"),
            ("a\r", "a"),
            ("a\r\r", "a"),
        ] {
            assert_eq!(cleaned(line), want, "{line:?}");
        }
    }

    #[test]
    fn a_sequence_without_an_end_takes_no_text_with_it() {
        for (line, want) in [
            ("\x1b]0;title and more", "0;title and more"),
            ("\x1b]0;\x1b[1mtext", "0;text"),
            ("a\x1b", "a"),
            ("a\x1b[", "a"),
            ("a\x1b[12", "a"),
            ("\x1b[8mha:////abc", "ha:////abc"),
            ("\x1b[8mha:////abc\x1b[1mx", "ha:////abcx"),
        ] {
            assert_eq!(cleaned(line), want, "{line:?}");
        }
    }

    #[test]
    fn hidden_notes_of_jenkins_go_with_their_text() {
        assert_eq!(cleaned("\x1b[8mha:////4Lp+/==\x1b[0m[Pipeline] sh"), "[Pipeline] sh");
    }

    #[test]
    fn section_markers_of_gitlab_part_what_stood_before_them_from_what_follows() {
        let both =
            "section_end:1:a_b\r\x1b[0Ksection_start:2:step[collapsed=true]\r\x1b[0K\x1b[0K\x1b[36;1mRun\x1b[0;m";
        assert_eq!(cleaned(both), "||Run");
        assert_eq!(cleaned("\tcorp.example/p\t\tsection_end:1:x\r\x1b[0K"), "\tcorp.example/p\t\t|");
        assert_eq!(cleaned("section_x:1:a\r\x1b[0Kb"), "b");
    }

    #[test]
    fn of_an_overprinted_line_the_last_stretch_with_text_is_kept() {
        assert_eq!(cleaned("10%\r20%\rok  \tp\t0.1s"), "ok  \tp\t0.1s");
        assert_eq!(cleaned("FAIL\tp\t0.1s\r\x1b[K"), "FAIL\tp\t0.1s");
        assert_eq!(cleaned("\r\r\r"), "");
    }
}
