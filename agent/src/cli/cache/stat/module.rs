//! One module cache.

use std::cmp::Reverse;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use gobeacon_collectors::inventory::{Age, Space, space};
use gobeacon_collectors::modcache::inventory::{Inventory, Met, Version, walk};
use gobeacon_formats::Timestamp;
use serde_json::{Value, json};

use super::super::progress::Progress;
use super::super::style::{NAME, PLAIN, Page};
use super::super::table::{self, Table, bytes, counted, thousands};
use super::super::time;

/// How many modules stand in the tables.
const MOST_SHOWN: usize = 10;

/// What was found.
#[derive(Debug)]
pub(super) struct Stat {
    root: PathBuf,
    found: Inventory,
    /// The largest ones first, at most [`MOST_SHOWN`].
    largest: Vec<Module>,
    /// The ones with most versions first, at least two, at most [`MOST_SHOWN`].
    most_versions: Vec<Module>,
    space: Option<Space>,
}

/// All versions of a module.
#[derive(Debug, Clone, Default)]
struct Module {
    path: String,
    versions: u64,
    bytes: u64,
    /// Of all versions but the one that was used last.
    older_bytes: u64,
    newest: Option<(Timestamp, u64)>,
}

impl Module {
    fn add(&mut self, version: &Version) {
        let (used, bytes) = (version.used(), version.bytes());
        self.versions += 1;
        self.bytes += bytes;
        self.newest = self.newest.max(Some((used, bytes)));
        self.older_bytes = self.bytes.saturating_sub(self.newest.map_or(0, |(_, bytes)| bytes));
    }
}

impl Stat {
    pub(super) fn of(root: &Path, now: Timestamp) -> Self {
        let mut progress = Progress::new();
        let mut stat = Self {
            root: root.to_owned(),
            found: Inventory::begin(),
            largest: Vec::new(),
            most_versions: Vec::new(),
            space: space(root).ok(),
        };
        let mut module = Module::default();
        let problems = walk(root, true, &mut |met, _| {
            match met {
                Met::Version(version) => {
                    stat.found.add(&version, now);
                    if module.path != version.module {
                        stat.rank(std::mem::take(&mut module));
                        version.module.clone_into(&mut module.path);
                    }
                    if version.is_built_from() {
                        module.add(&version);
                    }
                }
                Met::Other(bytes) => stat.found.small_bytes += bytes,
                Met::Directory => progress.show(|| {
                    let versions = thousands(stat.found.versions);
                    format!("{}: {versions} versions, {}", root.display(), bytes(stat.found.bytes()))
                }),
            }
            ControlFlow::Continue(())
        });
        stat.rank(module);
        stat.found.problems = problems;
        stat.found.add_rest(root);
        stat
    }

    /// Keeps a module if it is among the largest, or among those with most versions.
    fn rank(&mut self, module: Module) {
        if module.versions > 1 {
            self.most_versions.push(module.clone());
            self.most_versions.sort_by_key(|it| (Reverse((it.versions, it.older_bytes)), it.path.clone()));
            self.most_versions.truncate(MOST_SHOWN);
        }
        if module.versions > 0 {
            self.largest.push(module);
            self.largest.sort_by_key(|it| (Reverse(it.bytes), it.path.clone()));
            self.largest.truncate(MOST_SHOWN);
        }
    }

    pub(super) fn problems(&self) -> u64 {
        self.found.problems.total()
    }

    pub(super) fn show(&self, page: &mut Page) {
        let found = &self.found;
        page.gap();
        page.line(0, &[(NAME, "Module cache "), (NAME, &self.root.display().to_string())]);
        let (versions, modules) = (counted(found.versions, "version"), counted(found.modules, "module"));
        let whole = bytes(found.bytes());
        page.line(2, &[(PLAIN, &format!("{whole} in {versions} of {modules}"))]);
        if let Some(space) = &self.space {
            page.line(2, &[(PLAIN, &table::room(space))]);
        }
        self.parts().write(page);
        let mut ages = Table::new("downloaded or used, as far as it is known");
        for age in Age::ALL {
            let count = found.ages.of(age);
            ages.row_if_any(table::age(age), count.entries, count.bytes);
        }
        ages.write(page);
        let mut largest = Table::new("largest modules");
        self.largest.iter().for_each(|it| largest.row(it.path.as_str(), it.versions, it.bytes));
        largest.write(page);
        let mut several = Table::new("modules with most versions, and what all but the last used one have");
        self.most_versions.iter().for_each(|it| several.row(it.path.as_str(), it.versions, it.older_bytes));
        several.write(page);
        if found.unfinished.entries > 0 || found.partial > 0 {
            let downloads = counted(found.unfinished.entries, "download");
            let extractions = counted(found.partial, "extraction");
            let text = format!("not finished, because at work or left by who was killed: {downloads}, {extractions}");
            table::remark(&text, page);
        }
        if self.space.is_some_and(|it| !it.notes_reads) {
            table::remark("the file system does not note when files are read: only downloads are known", page);
        }
        table::problems(&found.problems, page);
    }

    fn parts(&self) -> Table {
        let found = &self.found;
        let mut parts = Table::new("what is in it");
        parts.row("zips", found.zips.entries, found.zips.bytes);
        parts.row("extracted trees", found.trees.entries, found.trees.bytes);
        parts.row_if_any("toolchains", found.toolchains.entries, found.toolchains.bytes);
        parts.row("go.mod files alone; all hashes and lists", found.go_mod_only, found.small_bytes);
        parts.row_if_any("checksum databases", found.sumdb.entries, found.sumdb.bytes);
        parts.row_if_any("repositories of version control", found.vcs.entries, found.vcs.bytes);
        parts.row_if_any("unfinished downloads", found.unfinished.entries, found.unfinished.bytes);
        parts
    }

    pub(super) fn json(&self) -> Value {
        let found = &self.found;
        let ages: serde_json::Map<_, _> = Age::ALL
            .into_iter()
            .map(|age| (age, found.ages.of(age)))
            .map(|(age, it)| (age.name().to_owned(), json!({ "versions": it.entries, "bytes": it.bytes })))
            .collect();
        let modules = |list: &[Module]| -> Vec<Value> {
            let each = list.iter();
            each.map(|it| {
                json!({
                    "module": it.path,
                    "versions": it.versions,
                    "bytes": it.bytes,
                    "older_bytes": it.older_bytes,
                    "last_used": it.newest.and_then(|(used, _)| time(used)),
                })
            })
            .collect()
        };
        json!({
            "path": self.root.to_string_lossy(),
            "bytes": found.bytes(),
            "modules": found.modules,
            "versions": found.versions,
            "go_mod_only": found.go_mod_only,
            "zip_bytes": found.zips.bytes,
            "tree_bytes": found.trees.bytes,
            "toolchains": { "versions": found.toolchains.entries, "bytes": found.toolchains.bytes },
            "sumdb_bytes": found.sumdb.bytes,
            "vcs_bytes": found.vcs.bytes,
            "unfinished_downloads": { "files": found.unfinished.entries, "bytes": found.unfinished.bytes },
            "unfinished_extractions": found.partial,
            "last_used": ages,
            "notes_reads": self.space.map(|it| it.notes_reads),
            "largest_modules": modules(&self.largest),
            "modules_with_most_versions": modules(&self.most_versions),
            "free_bytes": self.space.map(|it| it.free_bytes),
            "total_bytes": self.space.map(|it| it.total_bytes),
            "problems": found.problems.total(),
        })
    }
}
