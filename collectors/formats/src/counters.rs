//! The files in which Go's own tools count: `PROGRAM@VERSION-GOVERSION-OS-ARCH-DATE.v1.count`.
//!
//! Each tool of a Go distribution since 1.23 maps such a file into its memory and adds to 64-bit numbers in it, several
//! processes at once. A file has a header with metadata, a table of 512 heads of chains, and records (number, length
//! of the name, offset of the next record, name). A name with lines in it is a stack counter: the name, then frames, in
//! which `"` stands for the package of the frame before.
//!
//! Source: golang.org/x/telemetry/internal/counter (file.go `mappedFile`, parse.go `Parse`, stackcounter.go), vendored
//! into cmd; the same in 1.23 to 1.27. Pure: bytes in, numbers out.
//!
//! Invariant: a file that is cut, foreign, growing or corrupt gives a reason and no number; what is read is bounded by
//! the length of the file.

use std::collections::BTreeMap;

mod table;

pub use table::{COUNTERS, Meaning, Row, Tool, meaning};

/// What a file of this format begins with.
const PREFIX: &[u8] = b"# telemetry/counter file v1\n";
/// Where the length of the header stands: behind the prefix, which is a multiple of 4.
const LENGTH_AT: usize = PREFIX.len();
/// A file is never shorter than this, and grows by it.
const PAGE: usize = 16 << 10;
/// The header ends on a multiple of it, and records begin on one.
const UNIT: usize = 32;
/// Heads of chains.
const HEADS: usize = 512;
/// The allocation limit, and the heads behind it.
const TABLE: usize = 4 + 4 * HEADS;
/// What stands before the name of a record.
const RECORD: usize = 16;
/// Longest name.
const NAME: usize = 4 << 10;

/// Files larger than this are not read: real ones have one to four pages.
pub const LARGEST: usize = 4 << 20;

/// Why a file gives no numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unreadable {
    /// It does not begin as a file of counters does.
    Foreign,
    /// It is shorter than it says, or than any: not yet written, or cut.
    Incomplete,
    /// Longer than [`LARGEST`].
    TooLarge,
    /// It contradicts itself.
    Corrupt,
}

/// Which program counted in a file, as its metadata tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Program {
    /// Import path: `cmd/go`, `cmd/compile`, `golang.org/x/tools/gopls`.
    pub path: String,
    /// Its version; that of Go for what belongs to Go.
    pub version: String,
    /// The Go version it was built with.
    pub go_version: String,
    /// First moment of the week, as RFC 3339.
    pub begin: String,
    /// First moment behind the week, as RFC 3339: the file may be taken away then.
    pub end: String,
}

/// What one file says at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CountFile {
    /// Who counted.
    pub program: Program,
    /// By name; that of a stack is to be [`spelled_out`].
    pub counts: BTreeMap<String, u64>,
}

impl CountFile {
    /// Reads a whole file.
    ///
    /// # Errors
    /// Why there is nothing to be read.
    pub fn parse(bytes: &[u8]) -> Result<Self, Unreadable> {
        let file = Bytes::of(bytes)?;
        let program = program(bytes.get(LENGTH_AT + 4..file.header).ok_or(Unreadable::Corrupt)?)?;
        let limit = file.word(file.header).ok_or(Unreadable::Incomplete)? as usize;
        if limit > bytes.len() {
            return Err(Unreadable::Incomplete);
        }
        let mut counts = BTreeMap::new();
        for head in 0..HEADS {
            let mut at = file.word(file.header + 4 + 4 * head).ok_or(Unreadable::Incomplete)? as usize;
            while at != 0 {
                let record = file.record(at)?;
                // a name has one chain and stands in it once, so a chain that is a circle ends here
                let name = std::str::from_utf8(record.name).map_err(|_| Unreadable::Corrupt)?;
                if bucket(record.name) != head || counts.insert(name.to_owned(), record.count).is_some() {
                    return Err(Unreadable::Corrupt);
                }
                at = record.next;
            }
        }
        Ok(Self { program, counts })
    }
}

/// The name of a stack with the packages that its frames leave out; any other name as it is.
pub fn spelled_out(name: &str) -> String {
    if !name.contains('\n') {
        return name.to_owned();
    }
    let mut package = "";
    let lines = name.split('\n').map(|line| match line.rsplit_once('.') {
        Some(("\"", rest)) => format!("{package}.{rest}"),
        Some((path, _)) if !path.is_empty() => {
            package = path;
            line.to_owned()
        }
        Some(_) | None => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The file with the byte order of the machine that wrote it.
struct Bytes<'a> {
    all: &'a [u8],
    header: usize,
    little: bool,
}

struct Record<'a> {
    count: u64,
    next: usize,
    name: &'a [u8],
}

impl<'a> Bytes<'a> {
    fn of(all: &'a [u8]) -> Result<Self, Unreadable> {
        if all.len() > LARGEST {
            return Err(Unreadable::TooLarge);
        }
        let (start, whole) = (all.get(..PREFIX.len()).unwrap_or(all), all.len() >= PAGE);
        if !PREFIX.starts_with(start) && start.iter().any(|byte| *byte != 0) {
            return Err(Unreadable::Foreign);
        }
        if !whole || start != PREFIX {
            return Err(Unreadable::Incomplete);
        }
        // numbers are in the order of the machine: the length of a header, turned around, is larger than any file
        let order = [true, false].into_iter().find_map(|little| {
            let header = Self { all, header: 0, little }.word(LENGTH_AT)? as usize;
            let fits = header > LENGTH_AT + 4 && header <= PAGE - TABLE && header.is_multiple_of(UNIT);
            fits.then_some(Self { all, header, little })
        });
        order.ok_or(Unreadable::Corrupt)
    }

    fn word(&self, at: usize) -> Option<u32> {
        let bytes: [u8; 4] = self.all.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    fn long(&self, at: usize) -> Option<u64> {
        let bytes: [u8; 8] = self.all.get(at..at.checked_add(8)?)?.try_into().ok()?;
        Some(if self.little { u64::from_le_bytes(bytes) } else { u64::from_be_bytes(bytes) })
    }

    fn record(&self, at: usize) -> Result<Record<'a>, Unreadable> {
        if at < self.header + TABLE || !at.is_multiple_of(UNIT) {
            return Err(Unreadable::Corrupt);
        }
        // all of it lies within the limit, and the limit within the file
        let read = || {
            let length = self.word(at + 8)? as usize & 0x00ff_ffff;
            let name = self.all.get(at + RECORD..(at + RECORD).checked_add(length)?)?;
            Some(Record { count: self.long(at)?, next: self.word(at + 12)? as usize, name })
        };
        let record = read().ok_or(Unreadable::Corrupt)?;
        if record.name.is_empty() || record.name.len() > NAME { Err(Unreadable::Corrupt) } else { Ok(record) }
    }
}

fn program(meta: &[u8]) -> Result<Program, Unreadable> {
    let meta = meta.split(|byte| *byte == 0).next().unwrap_or_default();
    let meta = std::str::from_utf8(meta).map_err(|_| Unreadable::Corrupt)?;
    let mut program = Program::default();
    for line in meta.lines().filter(|line| !line.is_empty()) {
        let (key, value) =
            line.split_once(": ").or_else(|| line.strip_suffix(':').map(|key| (key, ""))).ok_or(Unreadable::Corrupt)?;
        let place = match key {
            "Program" => &mut program.path,
            "Version" => &mut program.version,
            "GoVersion" => &mut program.go_version,
            "TimeBegin" => &mut program.begin,
            "TimeEnd" => &mut program.end,
            _ => continue,
        };
        value.clone_into(place);
    }
    if program.path.is_empty() { Err(Unreadable::Corrupt) } else { Ok(program) }
}

/// Which chain a name belongs to: FNV-1a, folded.
fn bucket(name: &[u8]) -> usize {
    let hash = name.iter().fold(2_166_136_261_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(16_777_619));
    (hash ^ (hash >> 16)) as usize % HEADS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Real files, of the go command and the compiler: only their used part is kept.
    const GO_1_23: &[u8] = include_bytes!("../testdata/counters/go1.23.9.count");
    const GO_1_27: &[u8] = include_bytes!("../testdata/counters/go1.27.3.count");
    const STACKS: &[u8] = include_bytes!("../testdata/counters/stacks.count");

    fn whole(used: &[u8]) -> Vec<u8> {
        let mut file = used.to_vec();
        file.resize(used.len().next_multiple_of(PAGE), 0);
        file
    }

    #[test]
    fn the_files_of_real_go_commands_are_read() {
        for (used, version) in [(GO_1_23, "go1.23.9"), (GO_1_27, "go1.27.3")] {
            let file = CountFile::parse(&whole(used)).unwrap();
            assert_eq!((file.program.path.as_str(), file.program.version.as_str()), ("cmd/go", version));
            assert_eq!(file.program.begin, "2026-11-21T00:00:00Z");
            let count = |name: &str| file.counts.get(name).copied().unwrap_or_default();
            assert_eq!(count("go/subcommand:build"), 3, "{:?}", file.counts);
            assert_eq!((count("go/buildcache/hit"), count("go/buildcache/miss")), (1, 3));
            assert_eq!(count("go/buildcache/stdlib-recompiled"), 1);
        }
    }

    #[test]
    fn the_frames_of_a_stack_are_spelled_out() {
        let file = CountFile::parse(&whole(STACKS)).unwrap();
        let stack = spelled_out(file.counts.keys().find(|name| name.contains('\n')).unwrap());
        let frames: Vec<_> = stack.lines().collect();
        assert_eq!(frames[0], "trial/stack");
        assert!(frames.iter().filter(|frame| frame.starts_with("main.")).count() >= 3, "{frames:?}");
        assert!(!stack.contains('"'), "{frames:?}");
    }

    #[test]
    fn what_is_foreign_cut_or_not_yet_written_says_so() {
        let file = whole(GO_1_27);
        let why = |bytes: &[u8]| CountFile::parse(bytes).unwrap_err();
        assert_eq!(why(b"{\"Week\": \"2026-11-21\"}"), Unreadable::Foreign);
        assert_eq!(why(b""), Unreadable::Incomplete);
        assert_eq!(why(&file[..PREFIX.len() - 3]), Unreadable::Incomplete);
        assert_eq!(why(&file[..PAGE - 1]), Unreadable::Incomplete);
        assert_eq!(why(&vec![0; PAGE]), Unreadable::Incomplete);
        assert_eq!(why(&vec![0; LARGEST + 1]), Unreadable::TooLarge);
        let mut grown = file.clone();
        let header = Bytes::of(&file).unwrap().header;
        grown[header..header + 4].copy_from_slice(&(2 * PAGE as u32).to_le_bytes());
        assert_eq!(why(&grown), Unreadable::Incomplete);
        let mut lost = file;
        lost[LENGTH_AT..LENGTH_AT + 4].copy_from_slice(&[0xff; 4]);
        assert_eq!(why(&lost), Unreadable::Corrupt);
    }

    #[test]
    fn a_chain_that_is_a_circle_ends() {
        let mut file = whole(GO_1_27);
        let header = Bytes::of(&file).unwrap().header;
        let head = (0..HEADS).map(|it| header + 4 + 4 * it).find(|at| file[*at..*at + 4] != [0; 4]).unwrap();
        let record = u32::from_le_bytes(file[head..head + 4].try_into().unwrap()) as usize;
        file.copy_within(head..head + 4, record + 12);
        assert_eq!(CountFile::parse(&file), Err(Unreadable::Corrupt));
    }

    proptest! {
        /// Nothing is read that is not there.
        #[test]
        fn flipped_bytes_give_a_reason_or_no_more_than_there_is(flips in prop::collection::vec((0..GO_1_27.len(), 1..=255u8), 1..4)) {
            let (file, mut bad) = (whole(GO_1_27), whole(GO_1_27));
            for (at, by) in flips {
                bad[at] ^= by;
            }
            if let Ok(read) = CountFile::parse(&bad) {
                let good = CountFile::parse(&file).unwrap();
                prop_assert!(read.counts.len() <= good.counts.len());
            }
        }

        #[test]
        fn any_bytes_behind_the_prefix_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..256), at in 0..2_000usize) {
            let mut file = whole(GO_1_27);
            let end = (LENGTH_AT + at + bytes.len()).min(file.len());
            let start = LENGTH_AT + at;
            file[start..end].copy_from_slice(&bytes[..end - start]);
            let _ = CountFile::parse(&file);
        }
    }
}
