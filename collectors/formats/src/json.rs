//! The JSON dialects: objects that the go command prints among its text.
//!
//! test2json and build events stand on one line each, everything else spans lines. This room tells them apart; what
//! they mean is `test_json`'s, `build_json`'s and `module_json`'s. Text inside of objects is read by the text dialect
//! of the stream, so that a cause that is printed both ways is one failure.
//!
//! Invariants: an object of no known kind gives no event; a line of output allocates nothing unless it means
//! something; what is held is bounded, and what is given up for it is counted.

mod build_json;
mod module_json;
mod packages;
mod quote;
mod scan;
mod test_json;
mod told;
mod verdict;
mod wire;

use std::sync::LazyLock;

use memchr::memmem::Finder;

use self::build_json::BuildJson;
use self::module_json::Objects;
use self::scan::{Action, Record};
use self::test_json::TestJson;
pub(crate) use self::told::Running;
use crate::Event;
use crate::line::Line;
use crate::text::Text;

/// Keys that an object of Go has, wherever they stand: programs log objects of other kinds.
static ACTION: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"Action\""));
static PATH: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"Path\""));

/// The state of the JSON objects in one stream.
#[derive(Debug, Default)]
pub(crate) struct Json {
    tests: TestJson,
    builds: BuildJson,
    objects: Objects,
}

impl Json {
    /// Whether a line that begins with this byte is to be offered to `line`.
    #[inline]
    pub(crate) fn wants(&self, first_byte: u8) -> bool {
        first_byte == b'{' || self.objects.is_open()
    }

    /// Reads one line. Says whether it is part of an object; if not it may be text.
    pub(crate) fn line(&mut self, line: &Line<'_>, text: &mut Text, out: &mut Vec<Event>) -> bool {
        let bytes = line.text;
        if bytes.first() != Some(&b'{') {
            return self.objects.line(line, text, out);
        }
        let mut record = Record::default();
        if scan::scan_into(bytes, &mut record).is_some() {
            self.record(&record, line, text, out);
            return true;
        }
        self.other_object(line, text, out)
    }

    /// The stream ended.
    pub(crate) fn finish(&mut self, text: &mut Text, out: &mut Vec<Event>) {
        self.builds.finish(text, out);
        self.tests.finish(out);
        self.objects.finish();
    }

    /// Another go command starts.
    pub(crate) fn new_command(&mut self, text: &mut Text, out: &mut Vec<Event>) {
        self.finish(text, out);
    }

    /// Offset of the oldest line that is held.
    pub(crate) fn open_from(&self) -> Option<u64> {
        [self.tests.open_from(), self.builds.open_from(), self.objects.open_from()].into_iter().flatten().min()
    }

    /// Pieces of state given up because a bound was reached.
    pub(crate) fn forgotten(&self) -> u64 {
        self.tests.forgotten() + self.builds.forgotten() + self.objects.forgotten()
    }

    #[inline]
    fn record(&mut self, record: &Record<'_>, line: &Line<'_>, text: &mut Text, out: &mut Vec<Event>) {
        match record.action {
            Action::BuildOutput | Action::BuildFail => self.builds.record(record, line, text, out),
            Action::Start | Action::Run | Action::Pause | Action::Cont | Action::Pass | Action::Bench => {
                self.tests.record(record, line, out);
            }
            Action::Fail | Action::Output | Action::Skip | Action::Attr | Action::Artifacts => {
                self.tests.record(record, line, out);
            }
            Action::Unknown => {}
        }
    }

    /// An object that the scanner did not know.
    #[cold]
    fn other_object(&mut self, line: &Line<'_>, text: &mut Text, out: &mut Vec<Event>) -> bool {
        let bytes = line.text.trim_ascii_end();
        if bytes == b"{" {
            self.objects.begin(line);
            return true;
        }
        if ACTION.find(bytes).is_some()
            && let Some(record) = wire::read(bytes)
        {
            self.record(&record, line, text, out);
            return true;
        }
        if PATH.find(bytes).is_some() {
            return Objects::whole(line, text, out);
        }
        bytes == b"{}"
    }
}
