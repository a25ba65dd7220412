//! What is in a module cache: a walk over its module versions, and what they add up to.
//!
//! A version is what lies under its name in `cache/download/<module>/@v`, and the tree `<module>@<version>` that was
//! extracted from it. A version of which there is only a go.mod belongs to the graph of a build, and nothing of it was
//! built.
//!
//! Source: cmd/go/internal/modfetch/cache.go (CachePath, DownloadDir), fetch.go (download, unzip).
//!
//! Invariant: memory grows with the versions of one module, not with the cache.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use gobeacon_formats::Timestamp;
use gobeacon_formats::module_path::{escape, unescape};

use crate::inventory::{Count, Flow, Problems, each_entry, note_unless_gone, tree};
use crate::os;

mod total;

pub use total::{Inventory, inventory};

/// The module that toolchains come as.
pub const TOOLCHAIN_MODULE: &str = "golang.org/toolchain";

/// One version of a module, as far as the cache has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Version {
    /// Module path.
    pub module: String,
    /// Version.
    pub version: String,
    /// Bytes of the zip, where there is one.
    pub zip_bytes: Option<u64>,
    /// Bytes of the go.mod, where there is one.
    pub go_mod_bytes: Option<u64>,
    /// Whether the go command wrote the hash of the zip beside it.
    pub has_hash: bool,
    /// Bytes of everything in the folder of downloads, the zip included.
    pub download_bytes: u64,
    /// The extracted tree, where there is one; without its files and bytes unless they were asked for.
    pub tree: Option<Count>,
    /// Temporary files: downloads that go on, or whose go command was killed.
    pub unfinished: Count,
    /// Whether the extraction goes on, or its go command was killed.
    pub is_partial: bool,
    /// When a file of the download was written last; the tree's own folder, where there is no download.
    pub written: Timestamp,
    /// When the hash was read last, which each build does that uses the version; as far as the file system notes it.
    pub read: Option<Timestamp>,
}

impl Version {
    /// Whether there is more of it than a go.mod.
    pub fn is_built_from(&self) -> bool {
        self.zip_bytes.is_some() || self.tree.is_some()
    }

    /// Whether it is a toolchain.
    pub fn is_toolchain(&self) -> bool {
        self.module == TOOLCHAIN_MODULE
    }

    /// When it was used last, as far as can be known: written or, where the file system notes that, read.
    pub fn used(&self) -> Timestamp {
        self.read.map_or(self.written, |read| read.max(self.written))
    }

    /// All its bytes.
    pub fn bytes(&self) -> u64 {
        self.download_bytes + self.tree.map_or(0, |tree| tree.bytes)
    }

    fn note(&mut self, kind: FileKind, metadata: &Metadata) {
        let bytes = metadata.len();
        self.download_bytes += bytes;
        if kind != FileKind::Lock {
            self.written = self.written.max(os::modified(metadata));
        }
        match kind {
            FileKind::Zip => self.zip_bytes = Some(bytes),
            FileKind::GoMod => self.go_mod_bytes = Some(bytes),
            FileKind::Hash => {
                self.has_hash = true;
                self.read = os::read_at_time(metadata);
            }
            FileKind::Partial => self.is_partial = true,
            FileKind::Temporary => self.unfinished.add(bytes),
            FileKind::Lock | FileKind::Other => {}
        }
    }
}

/// Where the files of a version are.
pub fn download_dir(root: &Path, module: &str) -> PathBuf {
    root.join("cache/download").join(escape(module)).join("@v")
}

/// Where a version is extracted.
pub fn tree_dir(root: &Path, module: &str, version: &str) -> PathBuf {
    root.join(format!("{}@{}", escape(module), escape(version)))
}

/// What a walk meets.
#[derive(Debug)]
pub enum Met {
    /// A version. Those of one module come one behind the other, except for trees that have no download.
    Version(Box<Version>),
    /// Bytes in the folder of downloads that belong to no version: lists.
    Other(u64),
    /// The end of a directory.
    Directory,
}

/// Goes over all versions; the bytes of trees are counted if `trees`. The visitor may end it. Says what could not be
/// looked at.
pub fn walk(root: &Path, trees: bool, visit: &mut dyn FnMut(Met, &mut Problems) -> Flow) -> Problems {
    let mut problems = Problems::default();
    if let Err(error) = std::fs::read_dir(root) {
        problems.note(root, &error);
        return problems;
    }
    let walk = Walk { root, trees };
    if walk.downloads(visit, &mut problems).is_continue() {
        // ended or not: there is nothing behind it
        let _ = walk.lone_trees(visit, &mut problems);
    }
    problems
}

/// One version as it is now, without the bytes of its tree; `None` when there is nothing of it.
pub fn look(root: &Path, module: &str, version: &str) -> Option<Version> {
    let mut found = None;
    let mut problems = Problems::default();
    let mut visit = |met, _: &mut Problems| {
        match met {
            Met::Version(one) if one.version == version => found = Some(*one),
            Met::Version(_) | Met::Other(_) | Met::Directory => {}
        }
        ControlFlow::Continue(())
    };
    // ended or not: there is nothing behind it
    let _ = Walk { root, trees: false }.module(&download_dir(root, module), module, &mut visit, &mut problems);
    let tree = tree_dir(root, module, version);
    let lone = || {
        let written = os::modified(&std::fs::metadata(&tree).ok().filter(Metadata::is_dir)?);
        let (module, version) = (module.to_owned(), version.to_owned());
        Some(Version { module, version, written, tree: Some(Count::default()), ..Version::default() })
    };
    found.or_else(lone)
}

struct Walk<'a> {
    root: &'a Path,
    trees: bool,
}

impl Walk<'_> {
    /// Everything that has a folder `@v`.
    fn downloads(&self, visit: &mut dyn FnMut(Met, &mut Problems) -> Flow, problems: &mut Problems) -> Flow {
        let top = self.root.join("cache/download");
        let sumdb = top.join("sumdb");
        let mut todo = vec![top.clone()];
        while let Some(dir) = todo.pop() {
            if dir.file_name().is_some_and(|name| name == "@v") {
                let module = dir.parent().and_then(|it| it.strip_prefix(&top).ok()).and_then(Path::to_str);
                if let Some(module) = module {
                    self.module(&dir, &unescape(module), visit, problems)?;
                }
                continue;
            }
            for_each_dir(&dir, problems, &mut |path| {
                if path != sumdb {
                    todo.push(path);
                }
            });
            visit(Met::Directory, problems)?;
        }
        ControlFlow::Continue(())
    }

    /// The versions of one module.
    fn module(
        &self,
        dir: &Path,
        module: &str,
        visit: &mut dyn FnMut(Met, &mut Problems) -> Flow,
        problems: &mut Problems,
    ) -> Flow {
        let mut versions: BTreeMap<String, Version> = BTreeMap::new();
        let mut other = 0;
        each_entry(dir, problems, &mut |entry, problems| {
            let name = entry.file_name();
            let metadata = match entry.metadata() {
                Ok(it) => it,
                Err(error) => return note_unless_gone(&entry.path(), &error, problems),
            };
            match name.to_str().and_then(file_of_version) {
                Some((version, kind)) => versions.entry(unescape(version)).or_default().note(kind, &metadata),
                None => other += metadata.len(),
            }
        });
        for (name, mut version) in versions {
            module.clone_into(&mut version.module);
            version.version = name;
            let path = tree_dir(self.root, module, &version.version);
            version.tree = path.is_dir().then(|| self.tree(&path, problems));
            if version.written == Timestamp::default() {
                version.written = modified(&path);
            }
            visit(Met::Version(Box::new(version)), problems)?;
        }
        visit(Met::Other(other), problems)?;
        visit(Met::Directory, problems)
    }

    /// Trees of which there is no download: somebody removed it.
    fn lone_trees(&self, visit: &mut dyn FnMut(Met, &mut Problems) -> Flow, problems: &mut Problems) -> Flow {
        let cache = self.root.join("cache");
        let mut todo = vec![self.root.to_owned()];
        while let Some(dir) = todo.pop() {
            let mut found = Vec::new();
            for_each_dir(&dir, problems, &mut |path| match version_of_tree(self.root, &path) {
                Some(version) => found.push((path, version)),
                None if path != cache => todo.push(path),
                None => {}
            });
            for (path, mut version) in found {
                let downloads = download_dir(self.root, &version.module);
                let escaped = escape(&version.version);
                let is_known = FILES.iter().any(|(end, _)| downloads.join(format!("{escaped}{end}")).exists());
                if !is_known {
                    version.written = modified(&path);
                    version.tree = Some(self.tree(&path, problems));
                    visit(Met::Version(Box::new(version)), problems)?;
                }
            }
            visit(Met::Directory, problems)?;
        }
        ControlFlow::Continue(())
    }

    fn tree(&self, path: &Path, problems: &mut Problems) -> Count {
        if self.trees { tree(path, problems) } else { Count::default() }
    }
}

/// What a file in the folder of downloads is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileKind {
    Zip,
    GoMod,
    Hash,
    Partial,
    Temporary,
    /// Made by whoever wants to look, so its time says nothing.
    Lock,
    Other,
}

/// How the names of a version's files end. The longer ends come first.
const FILES: &[(&str, FileKind)] = &[
    (".ziphash", FileKind::Hash),
    (".partial", FileKind::Partial),
    (".info", FileKind::Other),
    (".lock", FileKind::Lock),
    (".mod", FileKind::GoMod),
    (".zip", FileKind::Zip),
];

/// The version, still escaped, and what the file is. Temporary files are named `<file><digits>.tmp`
/// (cmd/go/internal/modfetch: tempFile).
fn file_of_version(name: &str) -> Option<(&str, FileKind)> {
    let whole =
        |name| FILES.iter().find_map(|(end, kind)| str::strip_suffix(name, end).map(|version| (version, *kind)));
    let found = match name.strip_suffix(".tmp") {
        Some(rest) => {
            let (version, _) = whole(rest.trim_end_matches(|c: char| c.is_ascii_digit()))?;
            (version, FileKind::Temporary)
        }
        None => whole(name)?,
    };
    (!found.0.is_empty()).then_some(found)
}

/// Which version a folder holds; `None` for one on the way to it.
fn version_of_tree(root: &Path, path: &Path) -> Option<Version> {
    let (module, version) = path.strip_prefix(root).ok()?.to_str()?.rsplit_once('@')?;
    // what is no version is somebody's folder, not ours to tell of
    version.strip_prefix('v').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))?;
    Some(Version { module: unescape(module), version: unescape(version), ..Version::default() })
}

fn modified(path: &Path) -> Timestamp {
    std::fs::metadata(path).map(|it| os::modified(&it)).unwrap_or_default()
}

fn for_each_dir(dir: &Path, problems: &mut Problems, each: &mut dyn FnMut(PathBuf)) {
    each_entry(dir, problems, &mut |entry, problems| match entry.file_type() {
        Ok(kind) if kind.is_dir() => each(entry.path()),
        Ok(_) => {}
        Err(error) => note_unless_gone(&entry.path(), &error, problems),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_version_are_told_by_their_ends() {
        assert_eq!(file_of_version("v1.0.0.zip"), Some(("v1.0.0", FileKind::Zip)));
        assert_eq!(file_of_version("v1.0.0.ziphash"), Some(("v1.0.0", FileKind::Hash)));
        assert_eq!(file_of_version("v1.0.0.zip123456.tmp"), Some(("v1.0.0", FileKind::Temporary)));
        assert_eq!(
            file_of_version("v0.0.1-go1.24.1.linux-amd64.mod"),
            Some(("v0.0.1-go1.24.1.linux-amd64", FileKind::GoMod))
        );
        for none in ["list", "list123.tmp", ".zip", "v1.0.0.txt", "v1.0.0.tmp"] {
            assert_eq!(file_of_version(none), None, "{none}");
        }
    }
}
