//! Extracted trees against their zips: what builds compile is never verified by the go command.
//!
//! Source: cmd/go/internal/modcmd/verify.go (`verifyMod`), golang.org/x/mod/sumdb/dirhash (`DirFiles`); toolchains get
//! a go.mod for each `_go.mod` when they are used first (cmd/go/internal/toolchain).
//!
//! Invariant: files are only read, and links are not followed.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gobeacon_formats::h1::{self, H1};
use gobeacon_formats::zip::{Digests, LARGEST, ReadAt as _};
use sha2::{Digest as _, Sha256};

use super::check::{Checked, Reading, fault};
use super::entries::{Cache, Entry, is_file};
use super::pace::Pace;
use super::{Corrupt, Part};
use crate::modcache::inventory::TOOLCHAIN_MODULE;
use crate::os;

/// Most files of a tree: more than a zip of the largest allowed size has.
const MOST_FILES: usize = 500_000;
/// How many names are said of each kind of difference.
const MOST_NAMED: usize = 5;
const CHUNK_BYTES: usize = 128 << 10;

/// SHA-256 by name, as in the zip; `None` for what is no plain file.
type Files = BTreeMap<Vec<u8>, Option<[u8; 32]>>;

/// Reads the tree of an entry and says how it differs from its zip, or, where `digests` is none, from all of `sums`.
pub(super) fn check(
    cache: &Cache,
    entry: &Entry,
    digests: Option<&Digests>,
    sums: [Option<H1>; 2],
    pace: &mut dyn Pace,
    checked: &mut Checked,
) -> io::Result<()> {
    let dir = entry.tree(cache);
    if !dir.is_dir() || sums == [None, None] {
        return Ok(());
    }
    let prefix = format!("{}@{}/", entry.module, entry.version);
    let mut files = match read(&dir, &prefix, pace, checked)? {
        Some(files) => files,
        None => return Ok(()),
    };
    if entry.module == TOOLCHAIN_MODULE {
        files.retain(|name, digest| !is_copied_go_mod(name, digest.as_ref(), digests));
    }
    let found = sum(&files);
    let (expected, differences) = match digests {
        Some(digests) => (Some(digests.h1()), differences(&files, digests, prefix.len())),
        None => (sums.into_iter().flatten().next(), Vec::new()),
    };
    if (found.is_some() && sums.contains(&found)) || (digests.is_some() && differences.is_empty()) {
        return Ok(());
    }
    let detail = if differences.is_empty() {
        "its files are not those of the hash that the cache has".to_owned()
    } else {
        differences.join("; ")
    };
    checked.faults.push(Corrupt { found, expected, ..fault(entry, Part::Tree, dir, detail) });
    Ok(())
}

/// The hash of a tree; none where something in it has no content.
fn sum(files: &Files) -> Option<H1> {
    let known: Vec<_> = files.iter().filter_map(|(name, digest)| Some((name.as_slice(), digest.as_ref()?))).collect();
    (known.len() == files.len()).then(|| h1::of_files(known))
}

fn differences(files: &Files, digests: &Digests, prefix: usize) -> Vec<String> {
    let (mut missing, mut edited, mut known) = (Names::default(), Names::default(), 0);
    for (name, digest) in digests.files().filter(|(name, _)| !name.ends_with(b"/")) {
        match files.get(name) {
            Some(Some(there)) if there == digest => known += 1,
            Some(_) => {
                known += 1;
                edited.add(name, prefix);
            }
            None => missing.add(name, prefix),
        }
    }
    let mut added = Names::default();
    if files.len() > known {
        let expected: BTreeMap<_, _> = digests.files().collect();
        files.keys().filter(|name| !expected.contains_key(name.as_slice())).for_each(|name| added.add(name, prefix));
    }
    [("edited", edited), ("missing", missing), ("added", added)]
        .into_iter()
        .filter(|(_, names)| names.count > 0)
        .map(|(what, names)| names.said(what))
        .collect()
}

/// How many, and the first of them.
#[derive(Default)]
struct Names {
    count: usize,
    first: Vec<String>,
}

impl Names {
    fn add(&mut self, name: &[u8], prefix: usize) {
        self.count += 1;
        if self.first.len() < MOST_NAMED {
            self.first.push(String::from_utf8_lossy(name.get(prefix..).unwrap_or(name)).into_owned());
        }
    }

    fn said(&self, what: &str) -> String {
        let more = self.count - self.first.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{what}: {}{more}", self.first.join(", "))
    }
}

fn is_copied_go_mod(name: &[u8], digest: Option<&[u8; 32]>, digests: Option<&Digests>) -> bool {
    let Some(folder) = name.strip_suffix(b"/go.mod") else { return false };
    let original = [folder, b"/_go.mod"].concat();
    digests.is_some_and(|it| it.files().any(|(name, other)| name == original && Some(other) == digest))
}

/// All files of a tree; `None` when nothing can be said of it.
fn read(dir: &Path, prefix: &str, pace: &mut dyn Pace, checked: &mut Checked) -> io::Result<Option<Files>> {
    let mut files = Files::new();
    let mut todo = vec![(dir.to_owned(), prefix.as_bytes().to_vec())];
    let mut chunk = vec![0; CHUNK_BYTES];
    while let Some((dir, before)) = todo.pop() {
        let list = match fs::read_dir(&dir).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
            Ok(list) => list,
            Err(error) => return checked.could_not(dir, error).map(|()| None),
        };
        for entry in list {
            let name = [before.as_slice(), entry.file_name().as_encoded_bytes()].concat();
            let kind = match entry.file_type() {
                Ok(kind) => kind,
                Err(error) => return checked.could_not(entry.path(), error).map(|()| None),
            };
            if kind.is_dir() {
                todo.push((entry.path(), [name.as_slice(), b"/"].concat()));
                continue;
            }
            if files.len() >= MOST_FILES {
                return Ok(None);
            }
            let digest = if kind.is_file() { digest(entry.path(), &mut chunk, pace, checked)? } else { None };
            if checked.is_restless || checked.unreadable.is_some() {
                return Ok(None);
            }
            files.insert(name, digest);
        }
    }
    Ok(Some(files))
}

fn digest(path: PathBuf, chunk: &mut [u8], pace: &mut dyn Pace, checked: &mut Checked) -> io::Result<Option<[u8; 32]>> {
    let stat = match os::stat(&path) {
        Ok(stat) if is_file(&stat) && stat.size <= LARGEST => stat,
        Ok(_) => return Ok(None),
        Err(error) => return checked.could_not(path, error).map(|()| None),
    };
    let (mut hash, mut at) = (Sha256::new(), 0);
    while at < stat.size {
        let mut reading = Reading { path: &path, stat, pace, bytes: &mut checked.read_bytes };
        match reading.read_at(chunk, at) {
            Ok(0) => break,
            Ok(length) => {
                hash.update(chunk.get(..length).unwrap_or_default());
                at += length as u64;
            }
            Err(error) => return checked.could_not(path, error).map(|()| None),
        }
    }
    checked.hashed_bytes += at;
    Ok(Some(hash.finalize().into()))
}
