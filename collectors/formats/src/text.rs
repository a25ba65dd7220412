//! The text of the go command and of `go test`, mixed and interleaved as CI logs have it.
//!
//! One state machine a stream. Each line is dispatched by its first byte; what is left over costs a comparison or
//! two. Three things are held across lines, each bounded: a message that a TAB line may continue, an open `# pkg`
//! block, and the block of a test binary.
//!
//! Invariants: inside the block of a test binary only the lines of the test framework mean something, so that a test
//! cannot forge a download or a checksum mismatch; a line that means nothing allocates nothing.

mod at;
mod block;
mod bytes;
mod classify;
mod commands;
mod fields;
mod go_test;
mod leads;
mod message;
mod seen;
mod vet_words;

pub(crate) use at::At;
use bytes::bounded_text;
pub(crate) use bytes::decimal;

use self::block::Block;
use self::go_test::{TestRun, Took};
use self::seen::Seen;
use crate::line::Line;
use crate::{Event, EventKind, Failure, FailureClass};

/// A message whose next lines may continue it.
#[derive(Debug)]
struct Held {
    text: Vec<u8>,
    at: At,
    /// It began with `go: `: an error whatever it says.
    go: bool,
}

/// The state of one stream of text.
#[derive(Debug, Default)]
pub(crate) struct Text {
    held: Option<Held>,
    block: Option<Block>,
    tests: TestRun,
    seen: Seen,
    /// The line before was a bare `#`, as `-n` prints around package names.
    bare_hash: bool,
    /// Inside a here-document of `-x`.
    here_document: bool,
    forgotten: u64,
}

impl Text {
    /// Reads one line. Says whether it meant something.
    pub(crate) fn line(&mut self, line: &Line<'_>, out: &mut Vec<Event>) -> bool {
        if self.held.is_some() && self.continues(line, out) {
            return true;
        }
        let bytes = line.text;
        let Some(first) = bytes.first() else {
            self.bare_hash = false;
            return false;
        };
        if self.here_document {
            self.here_document = bytes != b"EOF" && !bytes.starts_with(b"go: ");
            return true;
        }
        match self.tests.line(line, &mut self.seen, out) {
            Took::Yes => {
                self.close_block(out);
                return true;
            }
            Took::Quiet => return false,
            Took::No => {}
        }
        let hash_before = std::mem::replace(&mut self.bare_hash, false);
        match first {
            b'#' => self.hash_line(line, hash_before, out),
            b'\t' | b' ' => self.in_block(line, out),
            _ => self.plain(line, out),
        }
    }

    /// Nothing came for a while.
    pub(crate) fn idle(&mut self, out: &mut Vec<Event>) {
        self.release(out);
        self.tests.idle(&mut self.seen, out);
    }

    /// The stream ended.
    pub(crate) fn finish(&mut self, out: &mut Vec<Event>) {
        self.release(out);
        self.close_block(out);
        self.tests.flush(None, &mut self.seen, out);
    }

    /// Another command starts.
    pub(crate) fn new_command(&mut self, out: &mut Vec<Event>) {
        self.finish(out);
        self.seen.clear();
        self.here_document = false;
        self.bare_hash = false;
    }

    /// Takes out of the events from `from` on the failures of tests that failed before in this command: a test that
    /// runs several times (-count) is one cause.
    pub(crate) fn test_failures_once(&mut self, from: usize, out: &mut Vec<Event>) {
        let mut at = from;
        while let Some(event) = out.get(at) {
            if let EventKind::Failure(failure) = &event.kind
                && failure.class.id().starts_with("test.")
                && !self.seen.first_failure(failure)
            {
                out.remove(at);
            } else {
                at += 1;
            }
        }
    }

    /// Offset of the oldest line that is held.
    pub(crate) fn open_from(&self) -> Option<u64> {
        let held = self.held.as_ref().map(|held| held.at.offset);
        let block = self.block.as_ref().map(Block::offset);
        [held, block, self.tests.open_from()].into_iter().flatten().min()
    }

    /// Pieces of state given up because a bound was reached.
    pub(crate) fn forgotten(&self) -> u64 {
        self.forgotten + self.seen.forgotten() + self.tests.forgotten()
    }

    /// Reports a whole error text that came another way than by lines (a JSON field), as if behind `go: `.
    pub(crate) fn error_text(&mut self, error: &[u8], at: At, amend: impl FnOnce(&mut Failure), out: &mut Vec<Event>) {
        let mut failure = message::go_failure(error);
        amend(&mut failure);
        self.give(failure, at, out);
    }

    /// What came so far of a block is all: `build-fail` came behind the lines of its package.
    pub(crate) fn end_of_block(&mut self, out: &mut Vec<Event>) {
        self.release(out);
        self.close_block(out);
    }

    /// A `# ` line: a request of -x, the header of a block, or neither.
    fn hash_line(&mut self, line: &Line<'_>, hash_before: bool, out: &mut Vec<Event>) -> bool {
        let bytes = line.text;
        if bytes == b"#" {
            // `#`, `# P`, `#`: a heading of -n
            self.bare_hash = !hash_before;
            return true;
        }
        if let Some(rest) = bytes.strip_prefix(b"# get ") {
            if let Some(kind) = commands::request_end(rest) {
                out.push(At::of(line).event(kind));
            }
            return true;
        }
        if let Some(block) = &mut self.block
            && block.subheader(line, &mut self.seen, out)
        {
            return true;
        }
        if hash_before {
            self.bare_hash = false;
            return true;
        }
        let Some(header) = block::header(bytes) else { return false };
        self.close_block(out);
        self.block = Some(Block::open(&header, At::of(line)));
        true
    }

    /// A line that begins with neither `#` nor blank.
    fn plain(&mut self, line: &Line<'_>, out: &mut Vec<Event>) -> bool {
        let bytes = line.text;
        if let Some(rest) = bytes.strip_prefix(b"go: ") {
            return self.go_line(line, rest, out);
        }
        if let Some(found) = bytes::position(bytes)
            && self.position(line, found, out)
        {
            return true;
        }
        if let Some(rest) = bytes.strip_prefix(b"vet: ")
            && let Some(found) = bytes::position(rest)
        {
            self.vet_position(line, found, out);
            return true;
        }
        if bytes.first().is_some_and(u8::is_ascii_digit)
            && let Some(kind) = commands::vcs_end(bytes)
        {
            out.push(At::of(line).event(kind));
            return true;
        }
        if bytes.ends_with(b"<< 'EOF'") || bytes.ends_with(b"<< 'EOF' # internal") {
            self.here_document = true;
            return true;
        }
        if let Some(package) = leads::go_build(bytes) {
            // up to 1.21 a failing pkg-config opens its block so
            self.close_block(out);
            self.block = Some(Block::open(&block::Header::Package(package), At::of(line)));
            return true;
        }
        if leads::is_lead(bytes) {
            return self.lead(line, out);
        }
        if self.block.is_some() {
            return self.in_block(line, out);
        }
        if commands::is_compiled_package(bytes) {
            out.push(At::of(line).event(EventKind::PackageCompiled { package: bytes::text(bytes) }));
            return true;
        }
        false
    }

    /// `go: ...`.
    fn go_line(&mut self, line: &Line<'_>, rest: &[u8], out: &mut Vec<Event>) -> bool {
        self.close_block(out);
        if let Some(kind) = commands::event(rest) {
            out.push(At::of(line).event(kind));
            return true;
        }
        if commands::is_information(rest) {
            return true;
        }
        self.hold(line, true, out);
        true
    }

    /// A line that begins an error without `go: `.
    fn lead(&mut self, line: &Line<'_>, out: &mut Vec<Event>) -> bool {
        if self.block.is_some() && leads::is_block_line(line.text) {
            return self.in_block(line, out);
        }
        self.close_block(out);
        // the build stops there, whatever git said
        let certain = line.text.starts_with(b"error obtaining VCS status: ");
        self.hold(line, certain, out);
        true
    }

    /// A position: a diagnostic, or an error of loading. Says whether it was one of these.
    fn position(&mut self, line: &Line<'_>, found: bytes::Position<'_>, out: &mut Vec<Event>) -> bool {
        if message::is_file_line(line.text) || (message::is_load_error(found.body) && is_source(found.file)) {
            self.hold(line, false, out);
            return true;
        }
        if let Some(block) = &mut self.block {
            block.position(line, found, &mut self.seen, out);
            return true;
        }
        // without a header it is go vet's since 1.26, which prints columns of Go files only
        if found.column.is_none() || !found.file.ends_with(b".go") {
            return false;
        }
        let at = At::of(line);
        block::diagnostic(None, found, at, &mut self.seen, out);
        let class =
            if block::is_parser_error(found.body) { FailureClass::CompileSyntax } else { FailureClass::VetFinding };
        let mut failure = Failure::new(class);
        failure.file = Some(bytes::text(found.file));
        failure.line = Some(found.line);
        failure.message = Some(bounded_text(found.body, message::MESSAGE_LIMIT));
        self.give(failure, at, out);
        true
    }

    fn vet_position(&mut self, line: &Line<'_>, found: bytes::Position<'_>, out: &mut Vec<Event>) {
        if message::is_load_error(found.body) {
            self.hold(line, false, out);
        } else if let Some(block) = &mut self.block {
            block.vet_position(line, found, &mut self.seen, out);
        } else {
            let at = At::of(line);
            block::diagnostic(None, found, at, &mut self.seen, out);
            let mut failure = Failure::new(block::type_error(found.body));
            failure.file = Some(bytes::text(found.file));
            failure.line = Some(found.line);
            failure.message = Some(bounded_text(found.body, message::MESSAGE_LIMIT));
            self.give(failure, at, out);
        }
    }

    fn in_block(&mut self, line: &Line<'_>, out: &mut Vec<Event>) -> bool {
        match &mut self.block {
            Some(block) => block.other(line, &mut self.seen, out),
            None => false,
        }
    }

    /// Keeps a message until it is known to be whole.
    fn hold(&mut self, line: &Line<'_>, go: bool, out: &mut Vec<Event>) {
        self.release(out);
        let text = line.text.get(..message::MESSAGE_LIMIT).unwrap_or(line.text).to_vec();
        let held = Held { text, at: At::of(line), go };
        self.held = Some(held);
    }

    /// Whether the line continues the message that is held; else the message is given out.
    fn continues(&mut self, line: &Line<'_>, out: &mut Vec<Event>) -> bool {
        let Some(held) = &mut self.held else { return false };
        let bytes = line.text;
        let heading = held.text.ends_with(b":");
        let belongs = (bytes.starts_with(b"\t") && !go_test::is_package_line(bytes))
            || (heading && message::is_file_line(bytes))
            || (held.text.starts_with(b"SECURITY ERROR") && bytes.starts_with(b"go.sum database server misbehavior"));
        // the position lines under `errors parsing go.mod:` go on without a heading of their own
        let belongs = belongs || (message::is_file_line(bytes) && memchr::memmem::find(&held.text, b":\n").is_some());
        if !belongs {
            self.release(out);
            return false;
        }
        held.at.add(line);
        if held.text.len() + bytes.len() < message::MESSAGE_LIMIT {
            held.text.push(b'\n');
            held.text.extend_from_slice(bytes);
        }
        true
    }

    /// Gives out the message that is held.
    fn release(&mut self, out: &mut Vec<Event>) {
        let Some(held) = self.held.take() else { return };
        let failure = if held.go { Some(message::go_failure(&held.text)) } else { message::failure(&held.text) };
        if let Some(failure) = failure {
            self.give(failure, held.at, out);
        }
    }

    /// Gives out a failure, once.
    fn give(&mut self, failure: Failure, at: At, out: &mut Vec<Event>) {
        if self.seen.first_failure(&failure) {
            out.push(at.event(EventKind::Failure(Box::new(failure))));
        }
    }

    fn close_block(&mut self, out: &mut Vec<Event>) {
        if let Some(block) = self.block.take() {
            block.close(&mut self.seen, out);
        }
    }
}

/// Whether a load error can stand behind this file: sources and the manifests.
fn is_source(file: &[u8]) -> bool {
    [&b".go"[..], b".mod", b".work", b".sum", b".s", b".c", b".h", b"modules.txt"].iter().any(|end| file.ends_with(end))
}
