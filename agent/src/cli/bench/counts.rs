//! What every agent counts of the log: five numbers that each of them can show, and that must be the truth.
//!
//! Invariant: the five mean the same for the generator, for gobeacon, for its peers and for the bound.

use serde::Serialize;

/// The five counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    /// Lines.
    pub(super) lines: u64,
    /// `go: downloading`.
    pub(super) downloads: u64,
    /// Tests and subtests that ended, in text (`--- PASS`) or as objects of `go test -json`.
    pub(super) tests: u64,
    /// Those of them that failed.
    pub(super) failed: u64,
    /// Packages that were tested.
    pub(super) packages: u64,
}

impl Counts {
    /// Their names, in the order of [`Self::all`]; peers show them so.
    pub(super) const NAMES: [&'static str; 5] = ["lines", "downloads", "tests", "failed", "packages"];

    /// All five.
    pub(super) fn all(self) -> [u64; 5] {
        [self.lines, self.downloads, self.tests, self.failed, self.packages]
    }

    /// From what `find` says of each name; `None` where one is missing.
    pub(super) fn find(mut find: impl FnMut(&str) -> Option<u64>) -> Option<Self> {
        let [lines, downloads, tests, failed, packages] = Self::NAMES.map(&mut find);
        Some(Self { lines: lines?, downloads: downloads?, tests: tests?, failed: failed?, packages: packages? })
    }

    /// Whether none of them is less.
    pub(super) fn reached(self, truth: Self) -> bool {
        self.all().iter().zip(truth.all()).all(|(count, wanted)| *count >= wanted)
    }

    /// Counts the whole lines in a part of the log by the cheapest means there are: the first byte, then a prefix. It
    /// is what the log costs a program that does nothing else.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', bytes) {
            let line = bytes.get(start..end).unwrap_or_default();
            start = end + 1;
            self.lines += 1;
            match line.first() {
                Some(b'g') => self.downloads += u64::from(line.starts_with(b"go: downloading ")),
                Some(b'{') => self.object(line),
                Some(b'-') => self.result(line),
                Some(b' ') => self.result(line.trim_ascii_start()),
                Some(b'o') => self.packages += u64::from(line.starts_with(b"ok  \t")),
                Some(b'F') => self.packages += u64::from(line.starts_with(b"FAIL\t")),
                Some(_) | None => {}
            }
        }
    }

    fn result(&mut self, line: &[u8]) {
        let Some(verdict) = line.strip_prefix(b"--- ") else { return };
        let fails = verdict.starts_with(b"FAIL: ");
        self.tests += u64::from(fails || verdict.starts_with(b"PASS: "));
        self.failed += u64::from(fails);
    }

    fn object(&mut self, line: &[u8]) {
        let Some(time) = line.strip_prefix(b"{\"Time\":\"") else { return };
        let action = memchr::memchr(b'"', time).and_then(|end| time.get(end..)?.strip_prefix(b"\",\"Action\":\""));
        let Some(action) = action else { return };
        let fails = action.starts_with(b"fail\"");
        if fails || action.starts_with(b"pass\"") {
            let is_test = memchr::memmem::find(action, b",\"Test\":").is_some();
            self.tests += u64::from(is_test);
            self.failed += u64::from(is_test && fails);
            self.packages += u64::from(!is_test);
        }
    }
}
