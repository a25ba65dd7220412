//! Buildkite: an escape sequence with the time in front of each line, and `---`, `~~~`, `+++` section headers.
//!
//! `ESC _bk;t=1714564800123 BEL` is an application program command, which goes with the escapes (`ansi`); only its
//! time is read here. Headers are told from `--- FAIL:` and from diffs by having been stamped that way.
//! Source: buildkite/agent, `process/timestamper.go`, and Buildkite's page on managing log output.

use super::marks::{Mark, Marks};

const PREFIX: &[u8] = b"\x1b_bk;t=";

/// Whether a line, its escapes still on, begins with the sequence.
pub(crate) fn is_stamped(line: &[u8]) -> bool {
    line.starts_with(PREFIX)
}

/// The milliseconds in an escape sequence of Buildkite.
pub(crate) fn millis(sequence: &[u8]) -> Option<&[u8]> {
    let body = sequence.strip_prefix(PREFIX)?;
    let digits = body.iter().take_while(|byte| byte.is_ascii_digit()).count();
    body.get(..digits).filter(|digits| !digits.is_empty())
}

/// Reads a section header.
pub(crate) fn mark<'a>(marks: &mut Marks, line: &'a [u8]) -> Mark<'a> {
    const RESULTS: &[&[u8]] = &[b"PASS: ", b"FAIL: ", b"SKIP: ", b"BENCH: "];
    let headers: &[&[u8]] = &[b"--- ", b"~~~ ", b"+++ "];
    let title = headers.iter().find_map(|header| line.strip_prefix(*header)).filter(|_| marks.buildkite);
    match title {
        Some(title) if !RESULTS.iter().any(|result| title.starts_with(result)) => Mark::End,
        Some(_) | None => Mark::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_its_own_only_in_its_logs_and_never_a_test_result() {
        let mut marks = Marks::default();
        assert_eq!(mark(&mut marks, b"--- :go: go test"), Mark::No);
        marks.raw(b"\x1b_bk;t=1714564800123\x07x");
        for line in ["--- :go: go test", "~~~ Running commands", "+++ :go: test"] {
            assert_eq!(mark(&mut marks, line.as_bytes()), Mark::End, "{line}");
        }
        assert_eq!(mark(&mut marks, b"--- FAIL: TestA (0.00s)"), Mark::No);
    }

    #[test]
    fn the_time_of_a_sequence_is_read() {
        assert_eq!(millis(b"\x1b_bk;t=1714564800123\x07"), Some(&b"1714564800123"[..]));
        assert_eq!(millis(b"\x1b_bk;t=\x07"), None);
        assert_eq!(millis(b"\x1b[0m"), None);
    }
}
