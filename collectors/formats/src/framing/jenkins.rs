//! Jenkins: the Timestamper plugin and the lines that Jenkins writes itself.
//!
//! `[2024-05-01T12:00:00.123Z] text` is what the plugin leaves in the log of a pipeline; steps are echoed as
//! `[Pipeline] sh`. The plugin's page writes `12:00:01  text`, which the general time stamps cover. The hidden notes
//! of Jenkins are escapes and go there (`ansi`).
//! Source: jenkinsci/timestamper-plugin, `pipeline/GlobalDecorator.java`.

use super::marks::{Mark, Marks};
use super::stamps::{Shape, Stamp, Stamped};
use crate::line::LineTime;

/// The stamp of the Timestamper plugin.
pub(crate) const STAMP: Stamp = Stamp { peel, machine: true };

/// Brackets, exactly three decimals, `Z`, one blank.
fn peel(line: &[u8], _: Option<Shape>) -> Option<Stamped<'_>> {
    const LENGTH: usize = "2024-05-01T12:00:00.123Z".len();
    let (stamp, rest) = line.strip_prefix(b"[")?.split_at_checked(LENGTH)?;
    if stamp.get(19) != Some(&b'.') || super::timestamps::rfc3339(stamp)?.0.len() != LENGTH {
        return None;
    }
    let text = match rest.strip_prefix(b"]")?.split_first() {
        None => &[],
        Some((b' ', text)) => text,
        Some((b'\r', _)) => &[],
        Some(_) => return None,
    };
    Some(Stamped { time: LineTime::Rfc3339(stamp), text, ..Stamped::default() })
}

/// Whether this is how a log of Jenkins opens.
pub(crate) fn is_opening(line: &[u8]) -> bool {
    const OPENINGS: &[&[u8]] = &[
        b"Started by ",
        b"Running as ",
        b"Branch indexing",
        b"Branch event",
        b"Push event to branch ",
        b"Pull request #",
        b"Replayed #",
        b"Restarted from build #",
        b"[Pipeline] ",
    ];
    OPENINGS.iter().any(|opening| line.starts_with(opening))
}

/// Reads the echo of a pipeline step.
pub(crate) fn mark<'a>(_: &mut Marks, line: &'a [u8]) -> Mark<'a> {
    if line.starts_with(b"[Pipeline] ") { Mark::End } else { Mark::No }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_has_brackets_and_exactly_three_decimals() {
        let text = |line: &'static str| peel(line.as_bytes(), None).map(|stamped| stamped.text);
        assert_eq!(text("[2024-05-01T12:00:00.123Z] + go test"), Some(&b"+ go test"[..]));
        assert_eq!(text("[2024-05-01T12:00:00.123Z]"), Some(&b""[..]));
        assert_eq!(text("[2024-05-01T12:00:00.123Z]x"), None);
        assert_eq!(text("[2024-05-01T12:00:00Z] x"), None);
        assert_eq!(text("2024-05-01T12:00:00.123Z x"), None);
    }

    #[test]
    fn the_lines_it_writes_itself_are_known() {
        assert_eq!(mark(&mut Marks::default(), b"[Pipeline] sh"), Mark::End);
        assert_eq!(mark(&mut Marks::default(), b"[build failed]"), Mark::No);
        assert!(is_opening(b"Started by user admin"));
        assert!(!is_opening(b"=== RUN   TestA"));
    }
}
