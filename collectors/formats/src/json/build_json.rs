//! `build-output` and `build-fail` of `-json` since Go 1.24: the text of the build, wrapped line by line.
//!
//! The text is read by the text dialect as if it had been printed. The go command prints a whole message under one
//! lock (cmd/go/internal/work/shell.go), so the lines of one package follow each other; only the end of a line may
//! come in a later object. It must not know what the text says.
//!
//! Invariant: at most one unfinished line is held, up to [`MAX_LINE`] bytes.

use super::scan::{Action, Record, Str};
use crate::line::{Line, Tag};
use crate::text::{At, Text};
use crate::{Event, EventKind};

/// Longest line joined from pieces; the rest is given up and counted.
const MAX_LINE: usize = 64 << 10;

/// The state of build events in one stream.
#[derive(Debug, Default)]
pub(crate) struct BuildJson {
    unfinished: Option<Unfinished>,
    forgotten: u64,
}

/// A line whose newline has not come yet.
#[derive(Debug)]
struct Unfinished {
    import_path: String,
    text: String,
    offset: u64,
}

impl BuildJson {
    /// Reads one object.
    pub(crate) fn record(&mut self, record: &Record<'_>, line: &Line<'_>, text: &mut Text, out: &mut Vec<Event>) {
        let import_path = record.import_path.as_ref().map(Str::decode).unwrap_or_default();
        if self.unfinished.as_ref().is_some_and(|unfinished| unfinished.import_path != import_path) {
            self.flush(line, text, out);
        }
        match record.action {
            Action::BuildOutput => {
                let output = record.output.as_ref().map(Str::decode).unwrap_or_default();
                self.output(&import_path, &output, line, text, out);
            }
            Action::BuildFail => {
                self.flush(line, text, out);
                text.end_of_block(out);
                if !import_path.is_empty() {
                    let package = without_variant(&import_path).to_owned();
                    out.push(At::of(line).event(EventKind::BuildFailed { package }));
                }
            }
            Action::Start | Action::Run | Action::Pause | Action::Cont | Action::Pass | Action::Bench => {}
            Action::Fail | Action::Output | Action::Skip | Action::Attr | Action::Artifacts | Action::Unknown => {}
        }
    }

    /// The stream or the command ended.
    pub(crate) fn finish(&mut self, text: &mut Text, out: &mut Vec<Event>) {
        if let Some(unfinished) = self.unfinished.take() {
            let line = Line {
                text: unfinished.text.as_bytes(),
                time: crate::line::LineTime::None,
                tag: Tag::Err,
                offset: unfinished.offset,
                lines: 1,
            };
            text.line(&line, out);
        }
    }

    /// Where the unfinished line began.
    pub(crate) fn open_from(&self) -> Option<u64> {
        self.unfinished.as_ref().map(|unfinished| unfinished.offset)
    }

    /// Lines cut at the bound.
    pub(crate) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    fn output(&mut self, import_path: &str, output: &str, line: &Line<'_>, text: &mut Text, out: &mut Vec<Event>) {
        let mut rest = output;
        while let Some((whole, after)) = rest.split_once('\n') {
            rest = after;
            match self.unfinished.take() {
                Some(mut unfinished) => {
                    self.forgotten += unfinished.push(whole);
                    read(&unfinished.text, unfinished.offset, line, text, out);
                }
                None => read(whole, line.offset, line, text, out),
            }
        }
        if rest.is_empty() {
            return;
        }
        let unfinished = self.unfinished.get_or_insert_with(|| Unfinished {
            import_path: import_path.to_owned(),
            text: String::new(),
            offset: line.offset,
        });
        self.forgotten += unfinished.push(rest);
    }

    fn flush(&mut self, line: &Line<'_>, text: &mut Text, out: &mut Vec<Event>) {
        if let Some(unfinished) = self.unfinished.take() {
            read(&unfinished.text, unfinished.offset, line, text, out);
        }
    }
}

impl Unfinished {
    /// Adds a piece; gives 1 where it did not fit.
    fn push(&mut self, piece: &str) -> u64 {
        if self.text.len() + piece.len() > MAX_LINE {
            return 1;
        }
        self.text.push_str(piece);
        0
    }
}

/// Hands one line of the build's text to the text dialect. The go command would have printed it on standard error.
fn read(whole: &str, offset: u64, line: &Line<'_>, text: &mut Text, out: &mut Vec<Event>) {
    let whole = whole.strip_suffix('\r').unwrap_or(whole);
    text.line(&Line { text: whole.as_bytes(), tag: Tag::Err, offset, ..*line }, out);
}

/// `P [P.test]` -> `P`.
fn without_variant(import_path: &str) -> &str {
    match import_path.split_once(" [") {
        Some((package, variant)) if variant.ends_with(']') => package,
        Some(_) | None => import_path,
    }
}
