//! From names to downloads, for one cache: a state machine without input or output.
//!
//! It is told that a file for a zip is there, how it grows, that it is gone and that a zip got its name, by whoever
//! watches or looks; it says which downloads ended and which do not grow. Time comes in with what it is told.
//!
//! Invariant: a download that was begun is ended once, never before it began; state is bounded.

use std::collections::BTreeMap;
use std::time::Duration;

use gobeacon_formats::Timestamp;
use gobeacon_formats::module_path::unescape;

use super::names::Key;
use super::{Download, Ending, Event, Stall};

/// Most downloads under way at once. One beyond is told when it has ended, from the times of its zip.
const MOST_OPEN: usize = 4_096;
/// How far the birth of a zip may lie before the notice of it: it waited in a queue so long.
const LATE_SECONDS: f64 = 60.0;

/// What the file system says of the file of a download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileFacts {
    pub(super) bytes: u64,
    pub(super) born: Option<Timestamp>,
    pub(super) modified: Timestamp,
    pub(super) changed: Timestamp,
}

impl FileFacts {
    /// What tells it from another file of the same name.
    pub(super) fn made(&self) -> Timestamp {
        self.born.unwrap_or(self.modified)
    }
}

/// A zip that is in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Zip {
    pub(super) file: FileFacts,
    /// What is in the file of its hash, and when that was written.
    pub(super) sum: Option<(String, Timestamp)>,
}

impl Zip {
    /// Whether its times are those of a download rather than of a copy or of an unpacked archive: it was not written
    /// before it was made, its hash was written after it, and only then it got its name. The clock of file systems
    /// ticks a few hundred times a second: what was hashed within a tick is taken for a copy, rather than each small
    /// copy for a download.
    fn was_downloaded(&self) -> bool {
        let FileFacts { born, modified, changed, .. } = self.file;
        let in_order = |hashed: Timestamp| modified <= hashed && hashed <= changed;
        born.is_none_or(|born| born <= modified)
            && modified < changed
            && self.sum.as_ref().is_some_and(|(_, hashed)| in_order(*hashed))
    }
}

/// A download under way.
#[derive(Debug, Clone)]
struct Open {
    tmp: String,
    start: Timestamp,
    bytes: u64,
    /// When it grew last, as far as is known.
    grew: Timestamp,
    modified: Timestamp,
    is_stalled: bool,
    stalled_seconds: f64,
}

/// The downloads of one cache.
#[derive(Debug)]
pub(super) struct Tracker {
    stall_after: Duration,
    open: BTreeMap<Key, Open>,
    /// Files that nobody writes any more and that are still there: the download was told to have failed. As many as
    /// may be open; one beyond may be told again when all is looked at again.
    left_behind: BTreeMap<Key, String>,
}

impl Tracker {
    pub(super) fn new(stall_after: Duration) -> Self {
        Self { stall_after, open: BTreeMap::new(), left_behind: BTreeMap::new() }
    }

    /// The file of a download is there: it was just made, or it was found. `facts` are left out when it is gone again.
    pub(super) fn began(&mut self, key: Key, tmp: &str, at: Timestamp, facts: Option<FileFacts>, out: &mut Vec<Event>) {
        if self.left_behind.get(&key).is_some_and(|left| left == tmp) {
            return;
        }
        match self.open.get(&key) {
            Some(open) if open.tmp == tmp => return,
            // another try: the end of the one before was missed
            Some(_) => self.lost(&key, at, Ending::GivenUp, out),
            None if self.open.len() >= MOST_OPEN => return,
            None => {}
        }
        let start = earlier(at, facts.and_then(|facts| facts.born));
        let modified = facts.map_or(start, |facts| facts.modified);
        let bytes = facts.map_or(0, |facts| facts.bytes);
        let (tmp, grew) = (tmp.to_owned(), modified.max(start));
        self.open.insert(key, Open { tmp, start, bytes, grew, modified, is_stalled: false, stalled_seconds: 0.0 });
    }

    /// The file of a download under way was looked at.
    pub(super) fn looked(&mut self, key: &Key, facts: FileFacts, now: Timestamp, out: &mut Vec<Event>) {
        let Some(open) = self.open.get_mut(key) else { return };
        if facts.bytes != open.bytes || facts.modified != open.modified {
            let resumed = facts.modified.max(open.grew).min(now.max(open.grew));
            out.extend(stall_over(key, open, resumed));
            (open.bytes, open.modified, open.grew) = (facts.bytes, facts.modified, resumed);
        } else if !open.is_stalled && now.seconds_since(open.grew) >= self.stall_after.as_secs_f64() {
            open.is_stalled = true;
            out.push(Event::Stalled(Box::new(stall(key, open, now))));
        }
    }

    /// The zip of a version got its name. Says whether a download of it was under way.
    pub(super) fn named(&mut self, key: &Key, at: Timestamp, zip: Option<&Zip>, out: &mut Vec<Event>) -> bool {
        let Some(mut open) = self.open.remove(key) else { return false };
        let born = zip.and_then(|zip| zip.file.born);
        let start = earlier(open.start, born);
        let end = zip.map_or(at, |zip| at.min(zip.file.changed.max(zip.file.modified))).max(start);
        out.extend(stall_over(key, &mut open, end));
        out.push(Event::Downloaded(Box::new(Download {
            bytes: zip.map_or(open.bytes, |zip| zip.file.bytes),
            sum: zip.and_then(|zip| zip.sum.as_ref()).map(|(sum, _)| sum.clone()),
            stalled_seconds: open.stalled_seconds,
            ..download(key, start, end, Ending::Fetched)
        })));
        true
    }

    /// A zip was found whose download nobody saw: it ended between two looks. Says whether it was one.
    pub(super) fn found(&self, key: &Key, zip: &Zip, since: Timestamp, out: &mut Vec<Event>) -> bool {
        let FileFacts { bytes, born, modified, changed } = zip.file;
        if changed < since || !zip.was_downloaded() {
            return false;
        }
        let start = born.unwrap_or(modified);
        let sum = zip.sum.as_ref().map(|(sum, _)| sum.clone());
        let found = Download { bytes, sum, ..download(key, start, changed.max(start), Ending::Fetched) };
        out.push(Event::Downloaded(Box::new(found)));
        true
    }

    /// The file of a download was removed, or nobody writes it any more. `tmp` is left out when it is not known which.
    pub(super) fn failed(&mut self, key: &Key, tmp: Option<&str>, at: Timestamp, how: Ending, out: &mut Vec<Event>) {
        if tmp.is_some() && self.left_behind.get(key).map(String::as_str) == tmp {
            self.left_behind.remove(key);
        }
        if self.open.get(key).is_some_and(|open| tmp.is_none_or(|tmp| open.tmp == tmp)) {
            self.lost(key, at, how, out);
        }
    }

    /// What was begun has been told by other means: nothing is under way.
    pub(super) fn forget(&mut self, key: &Key) {
        self.open.remove(key);
    }

    /// The cache itself is gone, and with it all that was under way.
    pub(super) fn gone(&mut self, at: Timestamp, out: &mut Vec<Event>) {
        while let Some(key) = self.open.keys().next().cloned() {
            self.lost(&key, at, Ending::GivenUp, out);
        }
    }

    /// The downloads under way: which, in which file, and when that grew last.
    pub(super) fn open(&self) -> impl Iterator<Item = (&Key, &str, Timestamp)> {
        self.open.iter().map(|(key, open)| (key, &*open.tmp, open.grew))
    }

    /// Whether nothing is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.open.is_empty()
    }

    fn lost(&mut self, key: &Key, at: Timestamp, ending: Ending, out: &mut Vec<Event>) {
        let Some(mut open) = self.open.remove(key) else { return };
        if ending == Ending::Abandoned && self.left_behind.len() < MOST_OPEN {
            self.left_behind.insert(key.clone(), open.tmp.clone());
        }
        let end = at.max(open.start);
        out.extend(stall_over(key, &mut open, end));
        let (bytes, stalled_seconds) = (open.bytes, open.stalled_seconds);
        let lost = Download { bytes, stalled_seconds, ..download(key, open.start, end, ending) };
        out.push(Event::Downloaded(Box::new(lost)));
    }
}

/// The birth of a file is its start, unless it makes no sense beside the notice of it.
fn earlier(at: Timestamp, born: Option<Timestamp>) -> Timestamp {
    born.filter(|born| *born < at && at.seconds_since(*born) < LATE_SECONDS).unwrap_or(at)
}

fn download(key: &Key, start: Timestamp, end: Timestamp, ending: Ending) -> Download {
    Download {
        module: unescape(&key.module),
        version: unescape(&key.version),
        start,
        end,
        bytes: 0,
        sum: None,
        ending,
        redundant: false,
        stalled_seconds: 0.0,
    }
}

fn stall(key: &Key, open: &Open, until: Timestamp) -> Stall {
    Stall {
        module: unescape(&key.module),
        version: unescape(&key.version),
        start: open.start,
        since: open.grew,
        until,
        bytes: open.bytes,
    }
}

fn stall_over(key: &Key, open: &mut Open, until: Timestamp) -> Option<Event> {
    if !std::mem::take(&mut open.is_stalled) {
        return None;
    }
    let over = stall(key, open, until.max(open.grew));
    open.stalled_seconds += over.until.seconds_since(over.since);
    Some(Event::StallOver(Box::new(over)))
}

#[cfg(test)]
mod tests;
