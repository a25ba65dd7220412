//! The fixed-layout scanner: one line of test2json or of the build printer, read in the key order of its encoder.
//!
//! The go command writes these objects with `encoding/json` from two structs (cmd/internal/test2json `event`,
//! cmd/go/internal/load `jsonBuildEvent`), so the keys always come in one order, without blanks. The scanner reads
//! just that and borrows from the line. It must not know what a record means.
//!
//! Invariant: on any deviation it gives `None` and `wire` reads the line with serde; what it does accept it reads
//! exactly as serde does (a fuzz target and a property test hold this).

use std::borrow::Cow;

use super::quote::quote_or_backslash;
use crate::text::decimal;

/// The fields of one object. A key that is missing is `None`.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Record<'a> {
    /// What happened.
    pub(crate) action: Action,
    /// RFC 3339.
    pub(crate) time: Option<Str<'a>>,
    /// Import path of the package under test.
    pub(crate) package: Option<Str<'a>>,
    /// Test, example, benchmark or fuzz target.
    pub(crate) test: Option<Str<'a>>,
    /// Seconds.
    pub(crate) elapsed: Option<f64>,
    /// A piece of output, mostly a line with its newline.
    pub(crate) output: Option<Str<'a>>,
    /// `frame`, `error` or `error-continue`, since Go 1.27.
    pub(crate) output_type: Option<Str<'a>>,
    /// The package whose build failure failed this package, since Go 1.24.
    pub(crate) failed_build: Option<Str<'a>>,
    /// Name of an attribute.
    pub(crate) key: Option<Str<'a>>,
    /// Value of an attribute.
    pub(crate) value: Option<Str<'a>>,
    /// Directory of artifacts.
    pub(crate) path: Option<Str<'a>>,
    /// The package being built, of build events.
    pub(crate) import_path: Option<Str<'a>>,
}

/// The actions of cmd/internal/test2json and cmd/go/internal/load/printer.go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Action {
    Start,
    Run,
    Pause,
    Cont,
    Pass,
    Bench,
    Fail,
    Output,
    Skip,
    Attr,
    Artifacts,
    BuildOutput,
    BuildFail,
    #[default]
    Unknown,
}

impl Action {
    /// By its name in the JSON.
    pub(crate) fn from_name(name: &[u8]) -> Self {
        match name {
            b"output" => Self::Output,
            b"run" => Self::Run,
            b"pass" => Self::Pass,
            b"start" => Self::Start,
            b"pause" => Self::Pause,
            b"cont" => Self::Cont,
            b"bench" => Self::Bench,
            b"fail" => Self::Fail,
            b"skip" => Self::Skip,
            b"attr" => Self::Attr,
            b"artifacts" => Self::Artifacts,
            b"build-output" => Self::BuildOutput,
            b"build-fail" => Self::BuildFail,
            _ => Self::Unknown,
        }
    }
}

/// A JSON string.
#[derive(Debug, Clone)]
pub(crate) enum Str<'a> {
    /// Without escapes.
    Plain(&'a str),
    /// As it stands in the JSON, with escapes that have been found valid.
    Escaped(&'a str),
    /// Decoded.
    Owned(String),
}

impl PartialEq for Str<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.decode() == other.decode()
    }
}

impl Str<'_> {
    /// The text.
    pub(crate) fn decode(&self) -> Cow<'_, str> {
        match self {
            Self::Plain(text) => Cow::Borrowed(text),
            Self::Escaped(raw) => {
                let mut text = String::with_capacity(raw.len());
                unescape(raw, &mut text);
                Cow::Owned(text)
            }
            Self::Owned(text) => Cow::Borrowed(text),
        }
    }

    /// The same, in a buffer that is used again.
    pub(crate) fn decode_in<'b>(&'b self, buffer: &'b mut String) -> &'b str {
        match self {
            Self::Plain(text) => text,
            Self::Escaped(raw) => {
                buffer.clear();
                unescape(raw, buffer);
                buffer
            }
            Self::Owned(text) => text,
        }
    }

    /// The text as it stands in the line: decoded, or with its escapes.
    pub(crate) fn raw(&self) -> &[u8] {
        match self {
            Self::Plain(text) | Self::Escaped(text) => text.as_bytes(),
            Self::Owned(text) => text.as_bytes(),
        }
    }
}

/// Reads a line. `None` for anything but the exact layout.
#[cfg(test)]
pub(crate) fn scan(line: &[u8]) -> Option<Record<'_>> {
    let mut record = Record::default();
    scan_into(line, &mut record).map(|()| record)
}

/// Reads a line into a record that is empty. `None` for anything but the exact layout: the record is then of no use.
pub(crate) fn scan_into<'a>(line: &'a [u8], record: &mut Record<'a>) -> Option<()> {
    // no early exit: the loop is one pass of vector instructions
    if line.iter().fold(0, |control, &byte| control | u8::from(byte < 0x20)) != 0 {
        return None;
    }
    let mut cursor = Cursor { text: simdutf8::basic::from_utf8(line).ok()?, at: 0 };
    if cursor.eat(b"{\"Time\":\"") {
        record.time = Some(cursor.string()?);
        cursor.eat(b",\"Action\":\"").then_some(())?;
    } else if cursor.eat(b"{\"ImportPath\":\"") {
        record.import_path = Some(cursor.string()?);
        cursor.eat(b",\"Action\":\"").then_some(())?;
    } else {
        cursor.eat(b"{\"Action\":\"").then_some(())?;
    }
    record.action = Action::from_name(cursor.string()?.raw());
    if record.action == Action::Unknown {
        return None;
    }
    record.package = cursor.member(b",\"Package\":\"")?;
    record.test = cursor.member(b",\"Test\":\"")?;
    if cursor.eat(b",\"Elapsed\":") {
        record.elapsed = Some(cursor.number()?);
    }
    record.output = cursor.member(b",\"Output\":\"")?;
    if cursor.ends() {
        return Some(());
    }
    record.output_type = cursor.member(b",\"OutputType\":\"")?;
    record.failed_build = cursor.member(b",\"FailedBuild\":\"")?;
    record.key = cursor.member(b",\"Key\":\"")?;
    record.value = cursor.member(b",\"Value\":\"")?;
    record.path = cursor.member(b",\"Path\":\"")?;
    cursor.ends().then_some(())
}

/// A place in the line.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// Steps over `what` if it stands here.
    #[inline]
    fn eat<const N: usize>(&mut self, what: &[u8; N]) -> bool {
        // of a known length: a comparison of words, no call
        let here = self.rest().first_chunk::<N>() == Some(what);
        if here {
            self.at += N;
        }
        here
    }

    /// Whether the object, and with it the line, ends here.
    fn ends(&self) -> bool {
        self.rest() == b"}"
    }

    /// A member that may be missing; the outer `None` is a deviation.
    #[inline]
    #[expect(clippy::option_option, reason = "missing and malformed are two answers")]
    fn member<const N: usize>(&mut self, name: &[u8; N]) -> Option<Option<Str<'a>>> {
        if self.eat(name) { self.string().map(Some) } else { Some(None) }
    }

    /// The rest of a string behind its opening quote, and the closing quote.
    #[inline]
    fn string(&mut self) -> Option<Str<'a>> {
        let rest = self.rest();
        let mut end = quote_or_backslash(rest)?;
        let mut escaped = false;
        while rest.get(end) == Some(&b'\\') {
            escaped = true;
            let from = end + escape_len(rest.get(end..)?)?;
            end = from + quote_or_backslash(rest.get(from..)?)?;
        }
        let raw = self.text.get(self.at..self.at + end)?;
        self.at += end + 1;
        Some(if escaped { Str::Escaped(raw) } else { Str::Plain(raw) })
    }

    /// A number as the encoder writes durations: digits, perhaps a point and more digits; up to 15 of them, so that
    /// every reader comes to the same float.
    fn number(&mut self) -> Option<f64> {
        let rest = self.rest();
        let end = rest.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b'.')).unwrap_or(rest.len());
        let (whole, decimals) = match rest.get(..end)?.iter().position(|byte| *byte == b'.') {
            Some(point) => (rest.get(..point)?, rest.get(point + 1..end)?),
            None => (rest.get(..end)?, [].as_slice()),
        };
        let has_point = whole.len() < end;
        let leading_zero = whole.len() > 1 && whole.first() == Some(&b'0');
        let exponent = matches!(rest.get(end), Some(b'e' | b'E' | b'+' | b'-'));
        if whole.is_empty() || leading_zero || has_point == decimals.is_empty() || exponent || end > 16 {
            return None;
        }
        let text = rest.get(..end)?;
        self.at += end;
        decimal(text).or_else(|| std::str::from_utf8(text).ok()?.parse().ok())
    }
}

/// Length of the escape that `rest` begins with; `None` where serde would refuse it or join it with the next.
fn escape_len(rest: &[u8]) -> Option<usize> {
    match rest.get(1)? {
        b'n' | b't' | b'"' | b'\\' | b'/' | b'b' | b'f' | b'r' => Some(2),
        b'u' => {
            let hex = rest.get(2..6)?;
            let surrogate = matches!(hex, [b'd' | b'D', b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F', ..]);
            (hex.iter().all(u8::is_ascii_hexdigit) && !surrogate).then_some(6)
        }
        _ => None,
    }
}

/// Decodes escapes that `escape_len` has accepted.
fn unescape(raw: &str, text: &mut String) {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        text.push_str(rest.get(..at).unwrap_or_default());
        let after = rest.as_bytes().get(at + 1).copied().unwrap_or_default();
        let mut end = at + 2;
        let decoded = match after {
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'u' => {
                end = at + 6;
                let code = rest.get(at + 2..end).and_then(|hex| u32::from_str_radix(hex, 16).ok());
                code.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            itself => char::from(itself),
        };
        text.push(decoded);
        rest = rest.get(end..).unwrap_or_default();
    }
    text.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::wire;

    fn both(line: &str) -> Option<Record<'_>> {
        let scanned = scan(line.as_bytes());
        if let Some(record) = &scanned {
            assert_eq!(Some(record), wire::read(line.as_bytes()).as_ref(), "{line}");
        }
        scanned
    }

    #[test]
    fn the_layout_of_the_encoder_is_read_without_serde() {
        let record = both(
            r#"{"Time":"2026-11-20T23:35:22.33Z","Action":"output","Package":"a/b","Test":"T/x","Output":"a\t\u003cq\u0026\"\\\n","OutputType":"error"}"#,
        )
        .unwrap();
        assert_eq!(record.action, Action::Output);
        assert_eq!(record.output.unwrap().decode(), "a\t<q&\"\\\n");
        let record =
            both(r#"{"Action":"fail","Package":"a/b","Elapsed":0.007,"FailedBuild":"a/b [a/b.test]"}"#).unwrap();
        assert_eq!(record.elapsed, Some(0.007));
        assert!(both(r#"{"ImportPath":"a","Action":"build-output","Output":"é ü\n"}"#).is_some());
        assert!(both(r#"{"Action":"attr","Package":"a","Test":"T","Key":"owner","Value":"x y"}"#).is_some());
        assert!(both(r#"{"Action":"artifacts","Package":"a","Test":"T","Path":"/tmp/x"}"#).is_some());
    }

    #[test]
    fn any_deviation_is_left_to_serde() {
        for line in [
            r#"{"Action":"output","Test":"T","Package":"p"}"#,
            r#"{ "Action":"pass"}"#,
            r#"{"Action":"pass"} "#,
            r#"{"Action":"pass","Elapsed":1e-3}"#,
            r#"{"Action":"pass","Elapsed":01}"#,
            r#"{"Action":"pass","Elapsed":1.}"#,
            r#"{"Action":"pass","Elapsed":12345678901234567}"#,
            r#"{"Action":"output","Output":"\ud83d\ude00"}"#,
            r#"{"Action":"output","Output":"\x"}"#,
            r#"{"Action":"output","Output":"\u12g4"}"#,
            r#"{"Action":"output","Output":"open"#,
            r#"{"Action":"invented"}"#,
            "{\"Action\":\"output\",\"Output\":\"\u{1}\"}",
            r#"{"Package":"p"}"#,
            "{}",
            "",
        ] {
            assert_eq!(scan(line.as_bytes()), None, "{line}");
        }
        assert_eq!(scan(b"{\"Action\":\"output\",\"Output\":\"\xff\"}"), None);
    }

    proptest::proptest! {
        #[test]
        fn what_the_scanner_accepts_it_reads_as_serde_does(
            action in "output|pass|fail|run|build-output|skip",
            package in ".{0,20}", output in "(\\PC|[\\n\\t\"\\\\<>&\u{1}\u{2028}😀]){0,40}", elapsed in proptest::option::of(0.0f64..1e6),
            cut in 0usize..400, flip in proptest::option::of((0usize..400, 0u8..128)),
        ) {
            let elapsed = elapsed.map(|e| format!(",\"Elapsed\":{}", (e * 1000.0).round() / 1000.0)).unwrap_or_default();
            let package = serde_json::to_string(&package).unwrap();
            let output = serde_json::to_string(&output).unwrap().replace('<', "\\u003c");
            let mut line = format!("{{\"Action\":\"{action}\",\"Package\":{package}{elapsed},\"Output\":{output}}}").into_bytes();
            if let Some((at, byte)) = flip {
                if let Some(place) = line.get_mut(at) { *place = byte; }
            } else if cut < 40 {
                line.truncate(cut);
            }
            if let Some(record) = scan(&line) {
                proptest::prop_assert_eq!(Some(record), wire::read(&line));
            }
        }
    }
}
