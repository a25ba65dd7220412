//! go.sum and go.work.sum: which hash each module version should have.
//!
//! Source: cmd/go/internal/modfetch (`readGoSum`): three fields a line; the hash of an empty go.mod was written by
//! mistake once and is passed over; hashes of kinds that are not known do not count.
//!
//! Invariant: a line that is cut or foreign is counted and is no hash.

use memchr::memchr;

use crate::Artifact;
use crate::h1::H1;

/// cmd/go/internal/modfetch.emptyGoModHash.
const EMPTY_GO_MOD: &str = "h1:G7mAYYxgmS0lVkHyy2hEOLQCFB0DlQFTMLWggykrydY=";

/// One line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Module path.
    pub module: &'a str,
    /// Module version.
    pub version: &'a str,
    /// What the hash is of.
    pub artifact: Artifact,
    /// The hash.
    pub sum: H1,
}

/// Reads all lines; hands each on and counts those that are none.
pub fn read<'a>(bytes: &'a [u8], mut each: impl FnMut(Line<'a>)) -> u64 {
    let (mut rest, mut malformed) = (bytes, 0);
    while !rest.is_empty() {
        let end = memchr(b'\n', rest).unwrap_or(rest.len());
        match line(rest.get(..end).unwrap_or_default()) {
            Found::Line(line) => each(line),
            Found::Nothing => {}
            Found::Malformed => malformed += 1,
        }
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    malformed
}

enum Found<'a> {
    Line(Line<'a>),
    Nothing,
    Malformed,
}

fn line(bytes: &[u8]) -> Found<'_> {
    let Ok(text) = std::str::from_utf8(bytes) else { return Found::Malformed };
    let mut fields = text.split_whitespace();
    match (fields.next(), fields.next(), fields.next(), fields.next()) {
        (None, ..) | (Some(_), Some(_), Some(EMPTY_GO_MOD), None) => Found::Nothing,
        (Some(module), Some(version), Some(sum), None) => match H1::parse(sum) {
            Some(sum) => {
                let (version, artifact) = match version.strip_suffix("/go.mod") {
                    Some(version) => (version, Artifact::GoMod),
                    None => (version, Artifact::Zip),
                };
                Found::Line(Line { module, version, artifact, sum })
            }
            None if sum.starts_with(crate::h1::PREFIX) => Found::Malformed,
            None => Found::Nothing,
        },
        _ => Found::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_the_go_command_reads_them_and_others_are_counted() {
        let zip = "h1:7DYOH7eH2YtG5jD5a6vVZRrjUfUt8tUCVPmaYyVVjwk=";
        let text = format!(
            "a.b/c v1.0.0 {zip}\r\na.b/c v1.0.0/go.mod {zip}\n\na.b/c v1.0.1/go.mod {EMPTY_GO_MOD}\n\
             a.b/c v1.0.2 h9:new\na.b/c v1.0.3 h1:cut\ntwo fields\na.b/c v1.0.4 {zip} four\n\u{fffd}"
        );
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(b"\na.b/c v2 \xff");
        let mut lines = Vec::new();
        let malformed = read(&bytes, |line| lines.push((line.version.to_owned(), line.artifact)));
        assert_eq!(lines, [("v1.0.0".to_owned(), Artifact::Zip), ("v1.0.0".to_owned(), Artifact::GoMod)]);
        assert_eq!(malformed, 5);
    }
}
