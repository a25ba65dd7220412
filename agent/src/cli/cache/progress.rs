//! How far a long walk has come, in one line of standard error; nothing where that is no terminal.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use super::style;

/// Not before this long, and not more often.
const EVERY: Duration = Duration::from_millis(200);

/// The line.
#[derive(Debug)]
pub(in crate::cli) struct Progress {
    /// `None` where nobody looks.
    last: Option<Instant>,
    is_drawn: bool,
}

impl Progress {
    /// Nothing is drawn yet.
    pub(in crate::cli) fn new() -> Self {
        Self { last: io::stderr().is_terminal().then(Instant::now), is_drawn: false }
    }

    /// Draws what `text` says, if it is time to.
    pub(in crate::cli) fn show<T: Display>(&mut self, text: impl FnOnce() -> T) {
        let Some(last) = &mut self.last else { return };
        if last.elapsed() < EVERY {
            return;
        }
        *last = Instant::now();
        self.is_drawn = true;
        let mut page = style::Page::new(style::columns_of(&io::stderr()));
        page.line(0, &[(style::FAINT, &text().to_string())]);
        // where it cannot be drawn the work goes on
        let mut stderr = io::stderr().lock();
        let _ = write!(stderr, "\r\x1b[K{}", page.text(style::colours_of(&stderr)).trim_end())
            .and_then(|()| stderr.flush());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_drawn {
            let _ = write!(io::stderr().lock(), "\r\x1b[K");
        }
    }
}
