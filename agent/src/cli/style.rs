//! Text for people: colours on terminals only, lines that fit.
//!
//! Invariant: what comes out of a log is cleaned before it is shown: it can move no cursor and set no colour.

use std::fmt::Display;
use std::io::IsTerminal;
use std::os::fd::AsFd;

use anstyle::{AnsiColor, Style};

/// A failure.
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Success.
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
/// What to do.
pub(super) const ADVICE: Style = AnsiColor::Cyan.on_default();
/// A name to look for.
pub(super) const NAME: Style = Style::new().bold();
/// Less important than the rest.
pub(super) const FAINT: Style = Style::new().dimmed();
/// As it comes.
pub(super) const PLAIN: Style = Style::new();

/// Columns of a page that no terminal shows.
const PAGE_COLUMNS: usize = 120;

/// Lines that fit into so many columns.
#[derive(Debug)]
pub(super) struct Page {
    columns: usize,
    lines: Vec<String>,
}

impl Page {
    /// An empty page.
    pub(super) fn new(columns: usize) -> Self {
        Self { columns: columns.max(40), lines: Vec::new() }
    }

    /// How many lines it has.
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// One line of parts; what does not fit is cut off at its end.
    pub(super) fn line(&mut self, indent: usize, parts: &[(Style, &str)]) {
        let mut line = " ".repeat(indent);
        let mut left = self.columns.saturating_sub(indent);
        for (style, part) in parts {
            let part = cut(&clean(part), left);
            left = left.saturating_sub(part.chars().count());
            if !part.is_empty() {
                line.push_str(&paint(*style, part));
            }
        }
        self.lines.push(line);
    }

    /// A text that goes on in the next line where it does not fit; its first line begins with `lead`.
    pub(super) fn wrapped(&mut self, indent: usize, lead: &str, style: Style, text: &str) {
        let hang = indent.saturating_add(lead.chars().count());
        let mut lead = lead.to_owned();
        for line in wrap(&clean(text), self.columns.saturating_sub(hang)) {
            self.lines.push(format!("{}{}", " ".repeat(indent), paint(style, format_args!("{lead}{line}"))));
            lead = " ".repeat(lead.chars().count());
        }
    }

    /// An empty line, unless the page has none yet.
    pub(super) fn gap(&mut self) {
        if !self.lines.is_empty() {
            self.lines.push(String::new());
        }
    }

    /// At most so many lines; the last one says what is missing.
    pub(super) fn truncate(&mut self, lines: usize, rest: &str) {
        if self.lines.len() > lines {
            self.lines.truncate(lines.saturating_sub(1));
            self.line(0, &[(FAINT, rest)]);
        }
    }

    /// The page as text, with colours if `colours`.
    pub(super) fn text(&self, colours: bool) -> String {
        let text = self.lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n");
        let text = if colours { text } else { anstream::adapter::strip_str(&text).to_string() };
        if text.is_empty() { text } else { text + "\n" }
    }
}

/// Whether standard output gets colours.
pub(super) fn colours() -> bool {
    colours_of(&std::io::stdout())
}

/// Whether a stream gets colours: it is a terminal, and `NO_COLOR` is not set; `CLICOLOR_FORCE` forces them.
pub(super) fn colours_of(stream: &impl anstream::stream::RawStream) -> bool {
    anstream::AutoStream::choice(stream) != anstream::ColorChoice::Never
}

/// How wide standard output is.
pub(super) fn columns() -> usize {
    columns_of(&std::io::stdout())
}

/// How wide a stream is.
pub(super) fn columns_of(stream: &(impl IsTerminal + AsFd)) -> usize {
    if !stream.is_terminal() {
        return PAGE_COLUMNS;
    }
    rustix::termios::tcgetwinsize(stream).map_or(PAGE_COLUMNS, |size| usize::from(size.ws_col).clamp(40, 200))
}

/// The text in a colour.
pub(super) fn paint(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Without control characters; a tab is a blank.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|c| if c == '\t' { ' ' } else { c }).filter(|c| !c.is_control() && !reorders(*c)).collect()
}

/// Marks that make a terminal show a text in another order than it has.
fn reorders(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// At most so many characters, the last of them an ellipsis where some are missing.
fn cut(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    let kept: String = text.chars().take(columns.saturating_sub(1)).collect();
    if columns == 0 { String::new() } else { kept + "…" }
}

/// Cut into lines between words.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace().flat_map(|word| pieces(word, columns)) {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= columns => {
                line.push(' ');
                line.push_str(&word);
            }
            Some(_) | None => lines.push(word),
        }
    }
    lines
}

/// A word that is wider than a line, in parts that are not.
fn pieces(word: &str, columns: usize) -> Vec<String> {
    let chars: Vec<_> = word.chars().collect();
    chars.chunks(columns.max(1)).map(|piece| piece.iter().collect()).collect()
}

/// `250ms`, `1.23s`, `3m05s`: as exact as a person wants it.
pub(super) fn seconds(seconds: f64) -> String {
    if seconds >= 60.0 {
        let whole = seconds.round() as u64;
        return format!("{}m{:02}s", whole / 60, whole % 60);
    }
    match seconds {
        it if it >= 10.0 => format!("{it:.1}s"),
        it if it >= 1.0 => format!("{it:.2}s"),
        it => format!("{:.0}ms", it * 1000.0),
    }
}

/// `1 test`, `2 tests`.
pub(super) fn count(number: u64, what: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {what}{s}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_can_move_no_cursor_and_set_no_colour() {
        let mut page = Page::new(80);
        page.line(0, &[(PLAIN, "a\x1b[31mb\r\n\u{9b}2Jc\u{202e}d\te")]);
        assert_eq!(page.text(false), "a[31mb2Jcd e\n");
    }

    #[test]
    fn no_line_is_wider_than_the_page() {
        let mut page = Page::new(40);
        page.line(4, &[(BAD, "✗ "), (NAME, &"x".repeat(100))]);
        page.wrapped(4, "→ ", ADVICE, &"word ".repeat(40));
        let text = page.text(false);
        assert!(text.lines().all(|line| line.chars().count() <= 40), "{text}");
        assert!(text.lines().next().unwrap().ends_with('…'), "{text}");
        assert!(text.lines().nth(2).unwrap().starts_with("      word"), "{text}");
    }

    #[test]
    fn times_are_as_exact_as_a_person_wants_them() {
        assert_eq!([0.0, 0.25, 1.234, 12.34, 185.4].map(seconds), ["0ms", "250ms", "1.23s", "12.3s", "3m05s"]);
    }
}
