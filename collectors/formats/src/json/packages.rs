//! The packages whose tests are running, as far as their output has been read.
//!
//! It only stores: what the fields mean is `test_json`'s. A package is found again without hashing while its lines
//! follow each other, and forgotten when its result came.
//!
//! Invariant: at most [`MAX_PACKAGES`] packages and about [`MAX_BYTES`] are held, whatever the log says; the least
//! recently used are forgotten first, in bulk, and handed back to be counted.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::told::{Hint, Running};
use crate::stack::Stack;
use crate::text::At;

/// Packages held at most. A go command runs as many at a time as the machine has processors.
pub(crate) const MAX_PACKAGES: usize = 4096;
/// Bytes held at most in their texts, names and sets.
pub(crate) const MAX_BYTES: usize = 16 << 20;

/// A test that failed and may yet turn out to have panicked.
#[derive(Debug)]
pub(crate) struct FailedTest {
    pub(crate) name: String,
    pub(crate) at: At,
    pub(crate) raced: bool,
    pub(crate) note: Option<Note>,
}

/// The last position line that a test printed.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Note {
    /// Whose it is.
    pub(crate) test: u64,
    /// `FILE:LINE: message`, without the newline.
    pub(crate) text: String,
    /// The test binary marked it as an error.
    pub(crate) error: bool,
}

/// A text that the runtime prints when a program dies.
#[derive(Debug)]
pub(crate) struct Crash {
    /// The test that test2json laid it to.
    pub(crate) test: Option<String>,
    /// The line, as printed.
    pub(crate) message: String,
    /// It may yet be a log line: a goroutine's stack has to follow.
    pub(crate) doubtful: bool,
    pub(crate) at: At,
    /// Where it died.
    pub(crate) stack: Stack,
}

/// The test binary's own alarm.
#[derive(Debug)]
pub(crate) struct Timeout {
    /// The line, as printed.
    pub(crate) message: String,
    pub(crate) running: Running,
    pub(crate) at: At,
}

/// The beginning of a line whose newline has not come yet.
#[derive(Debug)]
pub(crate) struct Fragment {
    pub(crate) test: Option<String>,
    pub(crate) text: String,
}

/// One package under test.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: Arc<str>,
    /// Its first line.
    pub(crate) opened: At,
    touched: u64,
    bytes: usize,
    pub(crate) hint: Hint,
    pub(crate) cached: bool,
    pub(crate) coverage: Option<f64>,
    /// A test of it failed.
    pub(crate) failed: bool,
    /// A data race was reported, by whatever test.
    pub(crate) race_seen: bool,
    pub(crate) pending: Option<Box<FailedTest>>,
    pub(crate) crash: Option<Box<Crash>>,
    pub(crate) timeout: Option<Box<Timeout>>,
    pub(crate) fragment: Option<Box<Fragment>>,
    pub(crate) note: Option<Box<Note>>,
    /// Why the test binary could not be run or how it ended, as printed.
    pub(crate) exit: Option<Box<str>>,
    /// Tests (by hash) that saw a race.
    pub(crate) raced: HashSet<u64, RandomState>,
    /// Tests (by hash) with a subtest that failed.
    pub(crate) parents: HashSet<u64, RandomState>,
}

impl Package {
    fn new(name: Arc<str>, opened: At) -> Self {
        Self {
            name,
            opened,
            touched: 0,
            bytes: 0,
            hint: Hint::None,
            cached: false,
            coverage: None,
            failed: false,
            race_seen: false,
            pending: None,
            crash: None,
            timeout: None,
            fragment: None,
            note: None,
            exit: None,
            raced: HashSet::default(),
            parents: HashSet::default(),
        }
    }

    /// Bytes that it holds, roughly.
    fn size(&self) -> usize {
        let test = |test: &Option<String>| test.as_ref().map_or(0, String::capacity);
        size_of::<Self>()
            + 2 * self.name.len()
            + self
                .pending
                .as_ref()
                .map_or(0, |p| 160 + p.name.capacity() + p.note.as_ref().map_or(0, |n| n.text.capacity()))
            + self.crash.as_ref().map_or(0, |c| 128 + c.message.capacity() + test(&c.test) + c.stack.bytes())
            + self.timeout.as_ref().map_or(0, |t| 96 + t.message.capacity() + t.running.bytes())
            + self.fragment.as_ref().map_or(0, |f| 64 + f.text.capacity() + test(&f.test))
            + self.note.as_ref().map_or(0, |n| 48 + n.text.capacity())
            + self.exit.as_ref().map_or(0, |e| e.len())
            + 16 * (self.raced.capacity() + self.parents.capacity())
    }
}

/// So few slots are looked through one by one: go test runs about as many packages at a time.
const FEW: usize = 8;

/// All packages of one stream.
#[derive(Debug, Default)]
pub(crate) struct Packages {
    slots: Vec<Option<Package>>,
    free: Vec<usize>,
    index: HashMap<Arc<str>, usize, RandomState>,
    /// The slot that was used last.
    last: usize,
    clock: u64,
    bytes: usize,
}

impl Packages {
    /// The package, if it is open.
    #[inline]
    pub(crate) fn find(&mut self, name: &str) -> Option<&mut Package> {
        let slot = self.slot(name)?;
        self.last = slot;
        self.clock += 1;
        let package = self.slots.get_mut(slot)?.as_mut()?;
        package.touched = self.clock;
        Some(package)
    }

    /// The package, opened where it is not. Those that had to be forgotten for it are handed to `forget`.
    pub(crate) fn open(
        &mut self,
        name: &str,
        at: impl FnOnce() -> At,
        forget: impl FnMut(Package),
    ) -> Option<&mut Package> {
        if self.slot(name).is_none() {
            if self.index.len() >= MAX_PACKAGES {
                self.forget_oldest(forget);
            }
            let name: Arc<str> = name.into();
            let mut package = Package::new(Arc::clone(&name), at());
            package.bytes = package.size();
            self.bytes += package.bytes;
            let slot = self.free.pop().unwrap_or_else(|| {
                self.slots.push(None);
                self.slots.len() - 1
            });
            if let Some(place) = self.slots.get_mut(slot) {
                *place = Some(package);
            }
            self.index.insert(name, slot);
        }
        self.find(name)
    }

    /// To be called when the package last found has grown: keeps the books, and the bound.
    pub(crate) fn grown(&mut self, forget: impl FnMut(Package)) {
        if let Some(package) = self.slots.get_mut(self.last).and_then(Option::as_mut) {
            let size = package.size();
            self.bytes = self.bytes + size - package.bytes;
            package.bytes = size;
        }
        if self.bytes > MAX_BYTES {
            self.forget_oldest(forget);
        }
    }

    /// Takes a package out.
    pub(crate) fn close(&mut self, name: &str) -> Option<Package> {
        let slot = self.index.remove(name)?;
        self.free.push(slot);
        let package = self.slots.get_mut(slot)?.take()?;
        self.bytes -= package.bytes.min(self.bytes);
        Some(package)
    }

    /// Takes out all, in the order in which they began.
    pub(crate) fn drain(&mut self) -> Vec<Package> {
        let mut all: Vec<Package> = std::mem::take(self).slots.into_iter().flatten().collect();
        all.sort_by_key(|package| package.opened.offset);
        all
    }

    /// Where the first of them began.
    pub(crate) fn open_from(&self) -> Option<u64> {
        self.slots.iter().flatten().map(|package| package.opened.offset).min()
    }

    #[inline]
    fn slot(&self, name: &str) -> Option<usize> {
        match self.slots.get(self.last) {
            Some(Some(package)) if &*package.name == name => Some(self.last),
            // comparing a few names is quicker than hashing one
            _ if self.slots.len() <= FEW => {
                self.slots.iter().position(|slot| slot.as_ref().is_some_and(|package| &*package.name == name))
            }
            _ => self.index.get(name).copied(),
        }
    }

    /// Forgets the eighth that was not used for longest, so that a flood of packages costs little for each.
    fn forget_oldest(&mut self, mut forget: impl FnMut(Package)) {
        let mut ages: Vec<(u64, Arc<str>)> =
            self.slots.iter().flatten().map(|package| (package.touched, Arc::clone(&package.name))).collect();
        ages.sort_unstable();
        for (_, name) in ages.iter().take(ages.len() / 8 + 1) {
            self.close(name).into_iter().for_each(&mut forget);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: At = At { time: None, offset: 0, lines: 1 };

    #[test]
    fn the_least_recently_used_packages_are_forgotten_first() {
        let mut packages = Packages::default();
        let mut gone = Vec::new();
        for i in 0..MAX_PACKAGES {
            packages.open(&format!("p{i}"), || AT, |p| gone.push(p.name)).unwrap();
        }
        assert!(packages.find("p0").is_some());
        packages.open("one too many", || AT, |p| gone.push(p.name)).unwrap();
        assert!(gone.contains(&"p1".into()) && !gone.contains(&"p0".into()));
        assert!(packages.find("p0").is_some() && packages.find("one too many").is_some());
        assert!(packages.index.len() <= MAX_PACKAGES);
    }

    #[test]
    fn texts_are_held_within_the_bound() {
        let mut packages = Packages::default();
        let mut gone = 0;
        for i in 0..4000 {
            let package = packages.open(&format!("p{i}"), || AT, |_| gone += 1).unwrap();
            package.fragment = Some(Box::new(Fragment { test: None, text: "x".repeat(8192) }));
            packages.grown(|_| gone += 1);
            assert!(packages.bytes <= MAX_BYTES);
        }
        assert!(gone > 1000);
        assert_eq!(packages.drain().len() + gone, 4000);
        assert_eq!(packages.bytes, 0);
    }
}
