//! What there is to verify in a module cache: one entry a version, with what the file system says of its files.
//!
//! Leaner than the walk of the inventory, since it is done every few seconds: a directory is listed, and only the files
//! that have a hash or are one are looked at.
//!
//! Source: cmd/go/internal/modfetch/cache.go (`CachePath`, `DownloadDir`).
//!
//! Invariant: memory grows with the versions of one module, not with the cache.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gobeacon_formats::module_path::{escape, unescape};

use crate::inventory::{Flow, Problems, note_unless_gone};
use crate::modcache::inventory::download_dir;
use crate::os::{self, Kind, Stat};
use crate::roots::{self, Root};

/// Names of checksum databases may have slashes; no more than these are looked for.
const DEEPEST_DATABASE: usize = 3;

/// A module cache.
#[derive(Debug, Clone)]
pub struct Cache {
    /// Where it is, and what.
    pub root: Arc<Root>,
    /// Folders of checksum databases, with the name of each.
    pub(super) databases: Vec<(String, PathBuf)>,
}

impl Cache {
    /// Looks for what is needed to verify its entries.
    pub fn open(root: Arc<Root>) -> Self {
        let top = root.path.join("cache/download/sumdb");
        let mut databases = Vec::new();
        find_databases(&top, "", DEEPEST_DATABASE, &mut databases);
        databases.sort();
        Self { root, databases }
    }

    /// The cache of a folder that was named.
    ///
    /// # Errors
    /// It is no folder, or cannot be read.
    pub fn named(path: &Path) -> io::Result<Self> {
        fs::read_dir(path)?;
        Ok(Self::open(Arc::new(roots::root(path)?)))
    }
}

fn find_databases(dir: &Path, name: &str, deeper: usize, found: &mut Vec<(String, PathBuf)>) {
    if !name.is_empty() && dir.join("lookup").is_dir() {
        found.push((name.to_owned(), dir.to_owned()));
        return;
    }
    let Ok(list) = fs::read_dir(dir) else { return };
    for entry in list.flatten().filter(|_| deeper > 0) {
        if let Some(part) = entry.file_name().to_str() {
            let name = if name.is_empty() { part.to_owned() } else { format!("{name}/{part}") };
            find_databases(&entry.path(), &name, deeper - 1, found);
        }
    }
}

/// One version of a module in one cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Module path.
    pub(super) module: String,
    /// Module version.
    pub(super) version: String,
    /// The folder of its files.
    pub(super) dir: PathBuf,
    pub(super) has_zip: bool,
    pub(super) has_hash: bool,
    pub(super) has_go_mod: bool,
    pub(super) is_partial: bool,
}

impl Entry {
    /// What there is of a version now; `None` where there is nothing.
    pub(super) fn find(cache: &Cache, module: &str, version: &str) -> Option<Self> {
        let mut entry = Self {
            module: module.to_owned(),
            version: version.to_owned(),
            dir: download_dir(&cache.root.path, module),
            has_zip: false,
            has_hash: false,
            has_go_mod: false,
            is_partial: false,
        };
        let is_there = |end| os::stat(&entry.file(end)).is_ok();
        let [zip, hash, go_mod, partial] = ["zip", "ziphash", "mod", "partial"].map(is_there);
        (entry.has_zip, entry.has_hash, entry.has_go_mod, entry.is_partial) = (zip, hash, go_mod, partial);
        (zip || hash || go_mod).then_some(entry)
    }

    /// A file of it.
    pub(super) fn file(&self, end: &str) -> PathBuf {
        self.dir.join(format!("{}.{end}", escape(&self.version)))
    }

    /// Where it is extracted.
    pub(super) fn tree(&self, cache: &Cache) -> PathBuf {
        cache.root.path.join(format!("{}@{}", escape(&self.module), escape(&self.version)))
    }

    /// Its record in a checksum database, below the folder of that.
    pub(super) fn record(&self, database: &Path) -> PathBuf {
        database.join("lookup").join(format!("{}@{}", escape(&self.module), escape(&self.version)))
    }

    /// What it is, in every cache the same.
    pub(super) fn key(&self) -> Key {
        Key::of(&self.module, &self.version)
    }

    /// Another number once any of its files is another one, or was written.
    pub(super) fn mark(&self, cache: &Cache) -> u64 {
        let mut hasher = DefaultHasher::new();
        let files = [(self.has_zip, "zip"), (self.has_hash, "ziphash"), (self.has_go_mod, "mod")];
        let files = files.iter().filter(|(there, _)| *there).map(|(_, end)| self.file(end));
        let records = cache.databases.iter().map(|(_, database)| self.record(database));
        for (number, path) in files.chain(records).enumerate() {
            if let Ok(stat) = os::stat(&path) {
                (number, stat.key, stat.size, stat.modified.as_nanos()).hash(&mut hasher);
            }
        }
        self.is_partial.hash(&mut hasher);
        hasher.finish()
    }
}

/// A module version in 16 bytes: of two of a million versions, one in 10^26 has the key of another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key([u8; 16]);

impl Key {
    pub(super) fn of(module: &str, version: &str) -> Self {
        use sha2::{Digest as _, Sha256};
        let hash = Sha256::new().chain_update(module).chain_update([0]).chain_update(version).finalize();
        Self(hash.first_chunk().copied().unwrap_or_default())
    }
}

/// Goes over all versions of a cache; the visitor may end it. Says what could not be looked at.
pub(super) fn entries(cache: &Cache, visit: &mut dyn FnMut(Entry) -> Flow) -> Problems {
    let mut problems = Problems::default();
    let top = cache.root.path.join("cache/download");
    let sumdb = top.join("sumdb");
    if let Err(error) = fs::read_dir(&cache.root.path) {
        problems.note(&cache.root.path, &error);
        return problems;
    }
    let mut todo = vec![top.clone()];
    while let Some(dir) = todo.pop() {
        let list = match fs::read_dir(&dir) {
            Ok(list) => list,
            Err(error) => {
                note_unless_gone(&dir, &error, &mut problems);
                continue;
            }
        };
        if dir.file_name().is_some_and(|name| name == "@v") {
            let module = dir.parent().and_then(|it| it.strip_prefix(&top).ok()).and_then(Path::to_str);
            let Some(module) = module.map(unescape) else { continue };
            if versions(&dir, list, &module).into_values().try_for_each(&mut *visit).is_break() {
                return problems;
            }
            continue;
        }
        for entry in list.flatten() {
            // symbolic links are not followed: the go command makes none
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) && entry.path() != sumdb {
                todo.push(entry.path());
            }
        }
    }
    problems
}

fn versions(dir: &Path, list: fs::ReadDir, module: &str) -> BTreeMap<String, Entry> {
    let mut versions = BTreeMap::new();
    for entry in list.flatten() {
        let name = entry.file_name();
        let Some((version, end)) = name.to_str().and_then(|name| name.rsplit_once('.')) else { continue };
        if version.is_empty() || !matches!(end, "zip" | "ziphash" | "mod" | "partial") {
            continue;
        }
        let entry = versions.entry(version.to_owned()).or_insert_with(|| Entry {
            module: module.to_owned(),
            version: unescape(version),
            dir: dir.to_owned(),
            has_zip: false,
            has_hash: false,
            has_go_mod: false,
            is_partial: false,
        });
        match end {
            "zip" => entry.has_zip = true,
            "ziphash" => entry.has_hash = true,
            "mod" => entry.has_go_mod = true,
            _ => entry.is_partial = true,
        }
    }
    versions.retain(|_, entry| entry.has_zip || entry.has_hash || entry.has_go_mod);
    versions
}

/// Whether a path leads to a plain file.
pub(super) fn is_file(stat: &Stat) -> bool {
    match stat.kind {
        Kind::File => true,
        Kind::Directory | Kind::Other => false,
    }
}
