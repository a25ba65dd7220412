//! What the versions of a module cache add up to.
//!
//! It must not know how they are found.
//!
//! Invariant: a version counts once, a module once when its versions come one behind the other.

use std::ops::ControlFlow;
use std::path::Path;

use gobeacon_formats::Timestamp;

use super::{Met, Version, walk};
use crate::inventory::{Age, Ages, Count, Flow, Problems, tree};

/// What a module cache holds.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    /// Modules of which there is more than a go.mod; toolchains count apart.
    pub modules: u64,
    /// Versions of them.
    pub versions: u64,
    /// Versions of which there is a go.mod only.
    pub go_mod_only: u64,
    /// Zips of modules.
    pub zips: Count,
    /// Extracted trees: how many, and the bytes in them.
    pub trees: Count,
    /// Toolchains: how many, and the bytes of their zips and trees.
    pub toolchains: Count,
    /// Temporary files of downloads.
    pub unfinished: Count,
    /// Trees whose extraction has not ended.
    pub partial: u64,
    /// Versions by when they were used last, as far as that is known.
    pub ages: Ages,
    /// Bytes in the folder of downloads that are no zip: go.mod files, hashes, lists.
    pub small_bytes: u64,
    /// What is kept of checksum databases.
    pub sumdb: Count,
    /// What is kept of version control repositories.
    pub vcs: Count,
    /// What could not be looked at.
    pub problems: Problems,
    /// Whether the walk came to its end.
    pub is_complete: bool,
    last_module: String,
}

impl Inventory {
    /// Nothing yet, of a walk that nobody ended so far.
    pub fn begin() -> Self {
        Self { is_complete: true, ..Self::default() }
    }

    /// All bytes.
    pub fn bytes(&self) -> u64 {
        let counts = [self.zips, self.trees, self.toolchains, self.unfinished, self.sumdb, self.vcs];
        counts.iter().map(|it| it.bytes).sum::<u64>() + self.small_bytes
    }

    /// Adds one version.
    pub fn add(&mut self, version: &Version, now: Timestamp) {
        let zip = version.zip_bytes.unwrap_or_default();
        self.small_bytes += version.download_bytes.saturating_sub(zip).saturating_sub(version.unfinished.bytes);
        self.unfinished.add_all(version.unfinished);
        self.partial += u64::from(version.is_partial);
        if !version.is_built_from() {
            self.go_mod_only += u64::from(version.go_mod_bytes.is_some());
            return;
        }
        self.ages.add(Age::of(version.used(), now), version.bytes());
        let tree = version.tree.map_or(0, |tree| tree.bytes);
        if version.is_toolchain() {
            self.toolchains.add(zip + tree);
            return;
        }
        self.versions += 1;
        self.modules += u64::from(self.last_module != version.module);
        version.module.clone_into(&mut self.last_module);
        if let Some(zip) = version.zip_bytes {
            self.zips.add(zip);
        }
        if version.tree.is_some() {
            self.trees.add(tree);
        }
    }
}

/// Adds up what a module cache holds; bytes of trees only if `trees`. `progress` is called after each directory with
/// what is known by then; it may wait, and may end the walk.
pub fn inventory(root: &Path, trees: bool, now: Timestamp, progress: &mut dyn FnMut(&Inventory) -> Flow) -> Inventory {
    let mut inventory = Inventory::begin();
    let problems = walk(root, trees, &mut |met, _| {
        match met {
            Met::Version(version) => inventory.add(&version, now),
            Met::Other(bytes) => inventory.small_bytes += bytes,
            Met::Directory => {
                let flow = progress(&inventory);
                inventory.is_complete = flow.is_continue();
                return flow;
            }
        }
        ControlFlow::Continue(())
    });
    inventory.problems = problems;
    inventory.add_rest(root);
    inventory
}

impl Inventory {
    /// What belongs to no module: a few repositories and the tiles of checksum databases.
    pub fn add_rest(&mut self, root: &Path) {
        for (name, count) in [("cache/download/sumdb", &mut self.sumdb), ("cache/vcs", &mut self.vcs)] {
            let path = root.join(name);
            if self.is_complete && path.is_dir() {
                *count = tree(&path, &mut self.problems);
            }
        }
    }
}
