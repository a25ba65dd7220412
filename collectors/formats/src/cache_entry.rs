//! The files of a build cache: their names, what an entry says, and what kind of thing an output is.
//!
//! `<64 hex>-a` is an action: a line of 175 bytes that names an output. `<64 hex>-d` is an output under the SHA-256 of
//! its content: a file, or since Go 1.24 a directory with one executable in it.
//!
//! Source: cmd/go/internal/cache/cache.go (entrySize, putIndexEntry, copyFile), what the outputs begin with:
//! cmd/internal/archive, cmd/go/internal/modindex, cmd/go/internal/test (computeTestInputsID), gob facts of vet.
//!
//! Invariant: nothing here fails on bytes that nobody expected: they are no entry, no name, another kind.

use std::fmt;

use crate::Timestamp;

/// How long the file of an action is.
pub const ACTION_BYTES: usize = 175;
/// How much of the beginning of an output, and of its end, [`OutputKind::of`] wants to see.
pub const HEAD_BYTES: usize = 256;

/// The id of an action or of an output: a SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(pub [u8; 32]);

/// The SHA-256 of nothing: the one output that may be empty.
pub const EMPTY_OUTPUT: Id = Id([
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41,
    0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
]);

impl Id {
    /// From 64 hexadecimal digits, as the go command writes them: lower case.
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
        let mut id = [0; 32];
        for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
            for digit in pair {
                let value = match digit {
                    b'0'..=b'9' => digit - b'0',
                    b'a'..=b'f' => digit - b'a' + 10,
                    _ => return None,
                };
                *byte = *byte << 4 | value;
            }
        }
        Some(Self(id))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What the name of a file in a build cache says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Name {
    /// `<64 hex>-a`
    Action(Id),
    /// `<64 hex>-d`
    Output(Id),
}

impl Name {
    /// Of a file name; `None` for what is no entry.
    pub fn parse(name: &str) -> Option<Self> {
        let (id, kind) = name.split_once('-')?;
        let id = Id::from_hex(id)?;
        match kind {
            "a" => Some(Self::Action(id)),
            "d" => Some(Self::Output(id)),
            _ => None,
        }
    }
}

/// What the file of an action says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Action {
    /// The action, as in the name of the file.
    pub id: Id,
    /// What it gave.
    pub output: Id,
    /// How long that is, in bytes.
    pub size: u64,
    /// When it was put into the cache.
    pub put: Timestamp,
}

impl Action {
    /// `v1 <action> <output> <size> <unix nanoseconds>\n`, the numbers filled up with blanks to 20 places. `None` when
    /// it is not whole, or not that.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let line = text.strip_suffix('\n').filter(|_| bytes.len() == ACTION_BYTES)?;
        let mut words = line.strip_prefix("v1 ")?.split_ascii_whitespace();
        let action = Self {
            id: Id::from_hex(words.next()?)?,
            output: Id::from_hex(words.next()?)?,
            size: words.next()?.parse().ok()?,
            put: Timestamp::from_nanos(words.next()?.parse().ok()?),
        };
        words.next().is_none().then_some(action)
    }
}

/// What an output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OutputKind {
    /// A compiled package.
    Archive,
    /// The index of a module or of a package.
    Index,
    /// What a test printed, or which files and variables it read.
    TestResult,
    /// A program.
    Executable,
    /// What vet found out about a package.
    Vet,
    /// Lists of files, what a compiler printed, generated sources, flags of cgo.
    Other,
}

impl OutputKind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 6] = [Self::Archive, Self::Index, Self::TestResult, Self::Executable, Self::Vet, Self::Other];

    /// The word for it in labels and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::Index => "index",
            Self::TestResult => "test_result",
            Self::Executable => "executable",
            Self::Vet => "vet",
            Self::Other => "other",
        }
    }

    /// Told from how a file begins and how it ends; [`HEAD_BYTES`] of each are enough. Where a file is shorter both
    /// are the whole of it.
    pub fn of(head: &[u8], tail: &[u8]) -> Self {
        const EXECUTABLES: &[&[u8]] = &[b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\0asm"];
        let has = |text: &[u8], word: &[u8]| text.windows(word.len()).any(|part| part == word);
        if head.starts_with(b"!<arch>\n") {
            Self::Archive
        } else if head.starts_with(b"go index v") {
            Self::Index
        } else if EXECUTABLES.iter().any(|magic| head.starts_with(magic)) {
            Self::Executable
        } else if head.starts_with(b"# test log\n") || is_test_result(tail) {
            Self::TestResult
        } else if has(head, b"gobFact") {
            Self::Vet
        } else {
            Self::Other
        }
    }
}

/// Whether the last line is the verdict on a package that passed; only those are cached.
fn is_test_result(tail: &[u8]) -> bool {
    let last = tail.strip_suffix(b"\n").and_then(|text| text.rsplit(|byte| *byte == b'\n').next());
    last.is_some_and(|line| line.starts_with(b"ok  \t"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn an_entry_that_the_go_command_wrote_is_read() {
        let output = EMPTY_OUTPUT.to_string();
        let line = format!("v1 {ID} {output} {:>20} {:>20}\n", 4096, 1_790_000_000_123_456_789_i64);
        assert_eq!(line.len(), ACTION_BYTES);
        let action = Action::parse(line.as_bytes()).unwrap();
        assert_eq!((action.id.to_string(), action.output, action.size), (ID.to_owned(), EMPTY_OUTPUT, 4096));
        assert_eq!(action.put, Timestamp::from_nanos(1_790_000_000_123_456_789));
    }

    #[test]
    fn half_of_an_entry_and_what_is_none_are_told_as_none() {
        let line = format!("v1 {ID} {ID} {:>20} {:>20}\n", 1, 2);
        for cut in 0..line.len() {
            assert_eq!(Action::parse(&line.as_bytes()[..cut]), None);
        }
        for wrong in [line.replace("v1", "v2"), line.replace('a', "A"), line.replace(" 1 ", " x "), "\u{e4}".repeat(88)]
        {
            assert_eq!(Action::parse(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn names_of_entries_are_told_from_others() {
        let id = Id::from_hex(ID).unwrap();
        assert_eq!(Name::parse(&format!("{ID}-a")), Some(Name::Action(id)));
        assert_eq!(Name::parse(&format!("{ID}-d")), Some(Name::Output(id)));
        for none in ["README", "trim.txt", "-a", &format!("{ID}-x"), &format!("{ID}0-a"), &format!("{ID}-a-d")] {
            assert_eq!(Name::parse(none), None, "{none}");
        }
    }

    #[test]
    fn the_kind_of_an_output_is_told_by_its_first_bytes_and_of_a_test_by_its_last() {
        let kind = |bytes: &[u8]| OutputKind::of(bytes, bytes);
        assert_eq!(kind(b"!<arch>\n__.PKGDEF"), OutputKind::Archive);
        assert_eq!(kind(b"go index v2\n"), OutputKind::Index);
        assert_eq!(kind(b"# test log\ngetenv HOME\n"), OutputKind::TestResult);
        assert_eq!(kind(b"=== RUN   TestA\nPASS\nok  \texample.com/w\t0.005s\n"), OutputKind::TestResult);
        assert_eq!(kind(b"\x7fELF\x02"), OutputKind::Executable);
        assert_eq!(
            kind(b"\x0d\xff\x81\x02\x01\x02\xff\x82\0\x01\xff\x80\0\0\x34\x7f\x03\x01\x01\x07gobFact"),
            OutputKind::Vet
        );
        assert_eq!(kind(b"./a.go\n./b.go\n"), OutputKind::Other);
        assert_eq!(kind(b""), OutputKind::Other);
        assert!(OutputKind::ALL.iter().enumerate().all(|(n, it)| *it as usize == n));
    }
}
