//! `go mod download -json`, and every other object of the go command that spans lines.
//!
//! The go command prints them indented (`json.MarshalIndent` with TABs), each beginning with `{` and ending with `}`
//! at the margin. The object is read line by line and only what an event needs is kept, so that an object may be of
//! any size. `go list`, `go env`, `go vet` and `go version -m` print such objects too; they give no event, and the
//! lines behind them are text again.
//!
//! Invariants: a line that cannot stand in such an object ends it, and so do [`MAX_FOREIGN`] lines between its own;
//! what is held is bounded by [`MAX_FIELD`] a field.

use crate::line::Line;
use crate::text::{At, Text};
use crate::{Event, EventKind};

/// Bytes kept of one field.
const MAX_FIELD: usize = 64 << 10;
/// Lines of other origin that may stand between the lines of an object before it is given up.
const MAX_FOREIGN: u32 = 64;
/// Nesting of objects and arrays; `go list -json` has three levels.
const MAX_DEPTH: u32 = 64;

/// The state of objects that span lines, in one stream.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    open: Option<Object>,
    forgotten: u64,
}

/// An object whose end has not come.
#[derive(Debug)]
struct Object {
    at: At,
    depth: u32,
    foreign: u32,
    module: Module,
}

/// What `go mod download -json` says of one module (cmd/go/internal/modcmd/download.go, `ModuleJSON`).
#[derive(Debug, Default)]
struct Module {
    path: Option<String>,
    version: Option<String>,
    error: Option<String>,
    sum: Option<String>,
    gomod_sum: Option<String>,
    /// It has a key that only downloads have.
    is_download: bool,
    /// It has a key that downloads never have.
    is_other: bool,
}

impl Objects {
    /// Whether an object is open.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Where the open object began.
    pub(crate) fn open_from(&self) -> Option<u64> {
        self.open.as_ref().map(|object| object.at.offset)
    }

    /// Objects whose end never came.
    pub(crate) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// The stream or the command ended: an open object is given up.
    pub(crate) fn finish(&mut self) {
        self.forgotten += u64::from(self.open.take().is_some());
    }

    /// A line that is `{` alone.
    pub(crate) fn begin(&mut self, line: &Line<'_>) {
        self.finish();
        self.open = Some(Object { at: At::of(line), depth: 1, foreign: 0, module: Module::default() });
    }

    /// Reads a line while an object is open. Says whether it belonged to it.
    pub(crate) fn line(&mut self, line: &Line<'_>, text: &mut Text, out: &mut Vec<Event>) -> bool {
        let Some(object) = &mut self.open else { return false };
        let inside = matches!(line.text.first(), Some(b' ' | b'\t' | b'}'));
        if !inside {
            object.foreign += 1;
            if object.foreign > MAX_FOREIGN {
                self.finish();
            }
            return false;
        }
        let Some(depth) = depth_after(line.text, object.depth) else {
            self.finish();
            return false;
        };
        object.at.add(line);
        if object.depth == 1 {
            object.module.member(line.text);
        }
        object.depth = depth;
        if depth == 0
            && let Some(object) = self.open.take()
        {
            object.module.give(object.at, text, out);
        }
        true
    }

    /// Reads an object that stands on one line. Says whether it is one.
    pub(crate) fn whole(line: &Line<'_>, text: &mut Text, out: &mut Vec<Event>) -> bool {
        let Ok(serde_json::Value::Object(members)) = serde_json::from_slice(line.text) else { return false };
        let mut module = Module::default();
        for (key, value) in members {
            module.value(&key, value);
        }
        module.give(At::of(line), text, out);
        true
    }
}

impl Module {
    /// A line at the top level: `"Key": value,`.
    fn member(&mut self, line: &[u8]) {
        let line = line.trim_ascii();
        let line = line.strip_suffix(b",").unwrap_or(line);
        let Some((key, value)) = line.strip_prefix(b"\"").and_then(|rest| split_once(rest, b"\":")) else { return };
        let Ok(key) = std::str::from_utf8(key) else { return };
        // the value of a nested object is never needed, only that it is none of a string
        let value = String::from_utf8_lossy(value.trim_ascii());
        self.value(key, serde_json::from_str(&value).unwrap_or(serde_json::Value::Null));
    }

    fn value(&mut self, key: &str, value: serde_json::Value) {
        let text = match value {
            serde_json::Value::String(text) if text.len() <= MAX_FIELD => Some(text),
            serde_json::Value::String(_) | serde_json::Value::Null | serde_json::Value::Bool(_) => None,
            serde_json::Value::Number(_) | serde_json::Value::Array(_) | serde_json::Value::Object(_) => None,
        };
        match key {
            "Path" => self.path = text,
            "Version" => self.version = text,
            "Sum" => self.sum = text,
            "GoModSum" => self.gomod_sum = text,
            // of `go list` it is an object
            "Error" if text.is_none() => self.is_other = true,
            "Error" => {
                self.is_download = true;
                self.error = text;
            }
            "Info" | "Zip" => self.is_download = true,
            "Query" | "GoMod" | "Dir" | "Origin" | "Reuse" => {}
            _ => self.is_other = true,
        }
    }

    fn give(self, at: At, text: &mut Text, out: &mut Vec<Event>) {
        let Some(path) = self.path.filter(|_| self.is_download && !self.is_other) else { return };
        out.push(at.event(EventKind::ModuleInfo {
            module: path.clone(),
            version: self.version.clone(),
            sum: self.sum,
            gomod_sum: self.gomod_sum,
            error: self.error.clone(),
        }));
        let Some(error) = self.error else { return };
        let amend = |failure: &mut crate::Failure| {
            // a query such as `latest` is no version
            let version = self.version.filter(|version| version.starts_with('v'));
            if failure.module.is_none() {
                failure.module = Some(path);
                failure.version = version;
            } else if failure.version.is_none() && failure.module.as_deref() == Some(&path) {
                failure.version = version;
            }
        };
        text.error_text(error.trim_ascii_end().as_bytes(), at, amend, out);
    }
}

/// The nesting behind a line; `None` where the line cannot stand in an object that is printed indented.
fn depth_after(line: &[u8], mut depth: u32) -> Option<u32> {
    let mut rest = line.trim_ascii();
    let closes = matches!(rest.first(), Some(b'}' | b']'));
    if !closes && !matches!(rest.first(), Some(b'"' | b'{' | b'[' | b'0'..=b'9' | b'-' | b't' | b'f' | b'n')) {
        return None;
    }
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'"' => rest = behind_string(rest)?,
            b'{' | b'[' if depth < MAX_DEPTH => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1)?,
            b',' | b':' | b' ' | b'0'..=b'9' | b'a'..=b'z' | b'E' | b'.' | b'+' | b'-' => {}
            _ => return None,
        }
        if depth == 0 && !rest.is_empty() {
            return None;
        }
    }
    Some(depth)
}

/// What stands behind the closing quote.
fn behind_string(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        let at = memchr::memchr2(b'"', b'\\', rest)?;
        let step = if rest.get(at) == Some(&b'"') { 1 } else { 2 };
        rest = rest.get(at + step..)?;
        if step == 1 {
            return Some(rest);
        }
    }
}

fn split_once<'a>(text: &'a [u8], by: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = memchr::memmem::find(text, by)?;
    Some((text.get(..at)?, text.get(at + by.len()..)?))
}
