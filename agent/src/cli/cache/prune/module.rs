//! Versions of a module cache: which go, and how.
//!
//! What the lock of a version guards goes while we hold it: the hash, the zip, the tree; in this order. Without its hash
//! a go command takes neither zip nor tree and waits for the lock; only then may the zip go, which who waits would
//! otherwise have counted on; and the tree goes last, behind the mark that it is not whole. The lock's own file stays:
//! who waits for it would wait on a file that nobody sees any more. go.mod and .info stay: no lock guards them.
//!
//! Source: cmd/go/internal/modfetch: DownloadDir, DownloadZip, download, unzip, lockVersion, SideLock.
//!
//! Invariant: a tree that is not whole has no hash beside its zip, and has its mark until it is gone.

mod remove;

use std::ops::ControlFlow;
use std::path::Path;

use gobeacon_collectors::inventory::{Problems, Space, space};
use gobeacon_collectors::modcache::inventory::{Met, walk};
use gobeacon_formats::Timestamp;

use super::super::progress::Progress;
use super::super::table::thousands;
use super::Keep;
use super::limits::Limits;
use super::show::Removed;
use remove::{NotRemoved, remove};

/// What would go.
#[derive(Debug)]
pub(super) struct Plan {
    /// The one that was used longest ago first.
    pub(super) versions: Vec<Candidate>,
    pub(super) bytes: u64,
    /// Of all versions in the cache.
    pub(super) all_bytes: u64,
    /// How many stay because a go.sum names them.
    pub(super) named: u64,
    pub(super) space: Option<Space>,
    pub(super) problems: Problems,
}

/// A version that may go.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) module: String,
    pub(super) version: String,
    pub(super) used: Timestamp,
    /// Of the zip and of the tree.
    pub(super) bytes: u64,
}

impl Plan {
    pub(super) fn of(root: &Path, limits: &Limits, keep: &Keep) -> Self {
        let mut plan = Self {
            versions: Vec::new(),
            bytes: 0,
            all_bytes: 0,
            named: 0,
            space: space(root).ok(),
            problems: Problems::default(),
        };
        let mut progress = Progress::new();
        let mut versions = 0;
        plan.problems = walk(root, true, &mut |met, _| {
            match met {
                Met::Version(it) => {
                    versions += 1;
                    plan.all_bytes += it.bytes();
                    let bytes = it.zip_bytes.unwrap_or_default() + it.tree.map_or(0, |tree| tree.bytes);
                    let used = it.used();
                    if it.is_built_from() && used < limits.newest.module {
                        let named = (it.module, it.version);
                        if keep.versions.contains(&named) {
                            plan.named += 1;
                        } else {
                            let (module, version) = named;
                            plan.versions.push(Candidate { module, version, used, bytes });
                        }
                    }
                }
                Met::Other(bytes) => plan.all_bytes += bytes,
                Met::Directory => {
                    progress.show(|| format!("{}: {} versions", root.display(), thousands(versions)));
                }
            }
            ControlFlow::Continue(())
        });
        plan.choose(limits);
        plan
    }

    /// Leaves those that go.
    fn choose(&mut self, limits: &Limits) {
        self.versions.sort_by(|a, b| (a.used, &a.module, &a.version).cmp(&(b.used, &b.module, &b.version)));
        let (mut bytes, all_bytes) = (0, self.all_bytes);
        self.versions.retain(|it| {
            let is_old = limits.older_than.is_some_and(|cutoffs| it.used < cutoffs.module);
            let is_too_much = limits.keep.is_some_and(|keep| all_bytes - bytes > keep);
            let goes = is_old || is_too_much;
            bytes += if goes { it.bytes } else { 0 };
            goes
        });
        self.bytes = bytes;
    }

    /// Does it.
    pub(super) fn apply(&self, root: &Path, limits: &Limits, keep: &Keep) -> Removed {
        let mut removed = Removed::default();
        let mut progress = Progress::new();
        for version in &self.versions {
            match remove(root, version, limits.newest.module, keep) {
                Ok(()) => removed.add(version.bytes),
                Err(NotRemoved::Locked) => removed.locked += 1,
                Err(NotRemoved::UsedMeanwhile) => removed.used_meanwhile += 1,
                Err(NotRemoved::Open) => removed.open += 1,
                Err(NotRemoved::Failed(path, error)) => removed.failed(&path, &error),
            }
            progress.show(|| format!("{}: {} versions removed", root.display(), thousands(removed.entries)));
        }
        removed
    }
}
