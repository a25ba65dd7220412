//! What is in a build cache: a walk over its entries, and what they add up to.
//!
//! Files of actions (`-a`) are not opened unless their outputs are asked for: to whoever watches, us included, that is
//! a hit. Size and last use come from stat: the go command sets the time of a file to the present when it uses it and
//! that time is more than an hour old (cmd/go/internal/cache: markUsed). The kind of an output comes from its first
//! bytes.
//!
//! Invariant: memory does not grow with the cache, except by 24 bytes an entry when orphans are asked for.

use std::fs::{self, DirEntry};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use gobeacon_formats::Timestamp;
use gobeacon_formats::cache_entry::{ACTION_BYTES, Action, EMPTY_OUTPUT, HEAD_BYTES, Id, Name, OutputKind};

use crate::inventory::{Age, Ages, Count, Flow, Problems, each_entry, note_unless_gone, tree};
use crate::os;

/// How many directories of entries there are: 00 to ff.
pub const DIRECTORIES: usize = 256;

/// One entry, as stat shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Action or output, and which.
    pub name: Name,
    /// Where it is.
    pub path: PathBuf,
    /// Bytes of the file, or of what is in the directory of an executable.
    pub bytes: u64,
    /// When it was used last, to the hour.
    pub used: Timestamp,
    /// Whether it is a directory with an executable in it.
    pub is_dir: bool,
}

/// What a walk meets.
#[derive(Debug)]
pub enum Met<'a> {
    /// An entry.
    Entry(&'a Entry),
    /// A file among the entries that is none, and its bytes.
    Other(u64),
    /// The end of a directory: so many of [`DIRECTORIES`] are done.
    Directory(usize),
}

/// Goes over all entries, directory by directory, in no order within one. The visitor may end it. Says what could not
/// be looked at.
pub fn walk(root: &Path, visit: &mut dyn FnMut(Met<'_>, &mut Problems) -> Flow) -> Problems {
    let mut problems = Problems::default();
    // a cache that was cleaned has no directories, and is none the less one: only the root must be there
    if let Err(error) = fs::read_dir(root) {
        problems.note(root, &error);
        return problems;
    }
    for number in 0..DIRECTORIES {
        let dir = root.join(format!("{number:02x}"));
        let mut flow = Flow::Continue(());
        each_entry(&dir, &mut problems, &mut |entry, problems| {
            if flow.is_continue() {
                match look_at(entry, problems) {
                    Some(Ok(entry)) => flow = visit(Met::Entry(&entry), problems),
                    Some(Err(bytes)) => flow = visit(Met::Other(bytes), problems),
                    None => {}
                }
            }
        });
        if flow.is_break() || visit(Met::Directory(number + 1), &mut problems).is_break() {
            break;
        }
    }
    problems
}

/// An entry, or the bytes of what is none; nothing when it is gone or cannot be looked at.
fn look_at(entry: &DirEntry, problems: &mut Problems) -> Option<Result<Entry, u64>> {
    let path = entry.path();
    let metadata = match entry.metadata() {
        Ok(metadata) => metadata,
        Err(error) => {
            note_unless_gone(&path, &error, problems);
            return None;
        }
    };
    let name = entry.file_name().to_str().and_then(Name::parse);
    let Some(name) = name.filter(|_| metadata.is_file() || metadata.is_dir()) else {
        return Some(Err(metadata.len()));
    };
    let is_dir = metadata.is_dir();
    let bytes = if is_dir { tree(&path, problems).bytes } else { metadata.len() };
    Some(Ok(Entry { name, path, bytes, used: os::modified(&metadata), is_dir }))
}

/// What the file of an action says; `None` when it is not whole. Opens it: whoever watches takes that for a hit.
///
/// # Errors
/// Those of opening and reading it.
pub fn read_action(path: &Path) -> io::Result<Option<Action>> {
    let file = os::open(path)?;
    // one more than there should be, so that a longer file is not taken for an entry
    let mut buffer = [0; ACTION_BYTES + 1];
    let length = os::read_at(&file, &mut buffer, 0)?;
    Ok(buffer.get(..length).and_then(Action::parse))
}

/// What is to be found out besides what stat says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Look {
    /// The kinds of outputs: each is opened and its first bytes are read.
    pub kinds: bool,
    /// Which outputs no action names: each action is opened and read, which counts as a hit to whoever watches.
    pub orphans: bool,
}

/// What a build cache holds.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    /// Actions.
    pub actions: Count,
    /// Outputs.
    pub outputs: Count,
    /// Outputs by kind, in the order of [`OutputKind::ALL`]; all 0 unless asked for.
    pub kinds: [Count; OutputKind::ALL.len()],
    /// Actions and outputs by when they were used last.
    pub ages: Ages,
    /// Executables in directories of their own, as Go 1.24 and newer keep them.
    pub executable_dirs: Count,
    /// Entries that are not whole: being written, or left by who was killed.
    pub half_written: u64,
    /// Outputs that no action names; only when asked for.
    pub orphans: Option<Count>,
    /// Files among the entries that are none.
    pub others: Count,
    /// What fuzzing collected. The go command never removes it by itself.
    pub fuzz: Count,
    /// When a go command last removed what was not used for five days.
    pub last_trim: Option<Timestamp>,
    /// What could not be looked at.
    pub problems: Problems,
    /// Whether the walk came to its end.
    pub is_complete: bool,
}

impl Inventory {
    /// All entries.
    pub fn entries(&self) -> Count {
        let mut all = self.actions;
        all.add_all(self.outputs);
        all
    }
}

/// Adds up what a build cache holds. `progress` is called after each directory with what is known by then and how many
/// of [`DIRECTORIES`] are done; it may wait, and may end the walk.
pub fn inventory(
    root: &Path,
    look: Look,
    now: Timestamp,
    progress: &mut dyn FnMut(&Inventory, usize) -> Flow,
) -> Inventory {
    let mut inventory = Inventory { last_trim: last_trim(root), ..Inventory::default() };
    let mut links = look.orphans.then(Links::default);
    let problems = walk(root, &mut |met, problems| {
        match met {
            Met::Entry(entry) => inventory.add(entry, look, now, links.as_mut(), problems),
            Met::Other(bytes) => inventory.others.add(bytes),
            Met::Directory(done) => {
                inventory.is_complete = done == DIRECTORIES;
                return progress(&inventory, done);
            }
        }
        ControlFlow::Continue(())
    });
    inventory.problems = problems;
    inventory.orphans = links.map(Links::orphans);
    let fuzz = root.join("fuzz");
    if inventory.is_complete && fuzz.is_dir() {
        inventory.fuzz = tree(&fuzz, &mut inventory.problems);
    }
    inventory
}

impl Inventory {
    fn add(&mut self, entry: &Entry, look: Look, now: Timestamp, links: Option<&mut Links>, problems: &mut Problems) {
        self.ages.add(Age::of(entry.used, now), entry.bytes);
        match entry.name {
            Name::Action(_) => {
                self.actions.add(entry.bytes);
                if entry.bytes != ACTION_BYTES as u64 {
                    self.half_written += 1;
                } else if let Some(links) = links {
                    match read_action(&entry.path) {
                        Ok(Some(action)) => links.named.push(short(action.output)),
                        Ok(None) => self.half_written += 1,
                        Err(error) => note_unless_gone(&entry.path, &error, problems),
                    }
                }
            }
            Name::Output(id) => {
                self.outputs.add(entry.bytes);
                self.half_written += u64::from(entry.bytes == 0 && id != EMPTY_OUTPUT);
                if entry.is_dir {
                    self.executable_dirs.add(entry.bytes);
                }
                if let Some(links) = links {
                    links.there.push((short(id), entry.bytes));
                }
                if look.kinds {
                    match kind(entry) {
                        Ok(kind) => self.add_kind(kind, entry.bytes),
                        Err(error) => note_unless_gone(&entry.path, &error, problems),
                    }
                }
            }
        }
    }

    fn add_kind(&mut self, kind: OutputKind, bytes: u64) {
        if let Some(count) = self.kinds.get_mut(kind as usize) {
            count.add(bytes);
        }
    }
}

/// What kind of thing an output is.
///
/// # Errors
/// Those of opening and reading it.
fn kind(entry: &Entry) -> io::Result<OutputKind> {
    if entry.is_dir { Ok(OutputKind::Executable) } else { kind_of_file(&entry.path, entry.bytes) }
}

/// What kind of thing an output is that is a file of so many bytes.
///
/// # Errors
/// Those of opening and reading it.
pub(crate) fn kind_of_file(path: &Path, bytes: u64) -> io::Result<OutputKind> {
    if bytes == 0 {
        return Ok(OutputKind::Other);
    }
    let file = os::open(path)?;
    let mut head = [0; HEAD_BYTES];
    let length = os::read_at(&file, &mut head, 0)?;
    let head = head.get(..length).unwrap_or_default();
    let kind = OutputKind::of(head, head);
    if kind != OutputKind::Other || length < HEAD_BYTES {
        return Ok(kind);
    }
    let mut tail = [0; HEAD_BYTES];
    let length = os::read_at(&file, &mut tail, bytes.saturating_sub(HEAD_BYTES as u64))?;
    Ok(OutputKind::of(head, tail.get(..length).unwrap_or_default()))
}

/// Which outputs are named and which are there, by the first half of their ids' first half.
#[derive(Debug, Default)]
struct Links {
    named: Vec<u64>,
    there: Vec<(u64, u64)>,
}

impl Links {
    fn orphans(mut self) -> Count {
        self.named.sort_unstable();
        let mut orphans = Count::default();
        let there = self.there.iter().filter(|(id, _)| self.named.binary_search(id).is_err());
        there.for_each(|(_, bytes)| orphans.add(*bytes));
        orphans
    }
}

/// 64 bits of a hash: among a million of them two are the same once in 37 million caches.
fn short(id: Id) -> u64 {
    id.0.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// What `trim.txt` says: seconds since 1970.
fn last_trim(root: &Path) -> Option<Timestamp> {
    let file = os::open(&root.join("trim.txt")).ok()?;
    let mut buffer = [0; 32];
    let length = os::read_at(&file, &mut buffer, 0).ok()?;
    let seconds: i64 = std::str::from_utf8(buffer.get(..length)?).ok()?.trim().parse().ok()?;
    Some(Timestamp::from_nanos(seconds.checked_mul(1_000_000_000)?))
}
