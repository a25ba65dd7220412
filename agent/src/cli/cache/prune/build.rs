//! Entries of a build cache: which go, and how.
//!
//! First all actions, then all outputs, each looked at again at the moment it goes. A build that finds no action makes
//! it anew; one that found an action before has by that made its output young (markUsed of cmd/go/internal/cache sets
//! the times of both), and what is young stays. Nothing but `00/<hex>-a` to `ff/<hex>-d` is touched: not the time of
//! the last trim, nor what fuzzing found.
//!
//! Invariant: an output goes after the actions that are as old.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use gobeacon_collectors::buildcache::inventory::{Entry, Met, walk};
use gobeacon_collectors::inventory::Problems;
use gobeacon_formats::Timestamp;
use gobeacon_formats::cache_entry::Name;

use super::super::progress::Progress;
use super::super::table::thousands;
use super::limits::Limits;
use super::show::Removed;
use super::{Keep, os};

/// Sizes are added up by the minute of their last use.
const MINUTE: i64 = 60_000_000_000;

/// What would go.
#[derive(Debug)]
pub(super) struct Plan {
    /// What was used before this goes; `None`: nothing goes.
    pub(super) cutoff: Option<Timestamp>,
    pub(super) actions: u64,
    pub(super) outputs: u64,
    pub(super) bytes: u64,
    /// Of the whole cache.
    pub(super) all_bytes: u64,
    pub(super) problems: Problems,
}

/// Entries that were used in the same minute.
#[derive(Debug, Default)]
struct Minute {
    actions: u64,
    outputs: u64,
    bytes: u64,
}

impl Plan {
    pub(super) fn of(root: &Path, limits: &Limits) -> Self {
        let mut minutes: BTreeMap<i64, Minute> = BTreeMap::new();
        let mut progress = Progress::new();
        let mut entries = 0;
        let problems = walk(root, &mut |met, _| {
            match met {
                Met::Entry(entry) => {
                    let minute = minutes.entry(entry.used.as_nanos().div_euclid(MINUTE)).or_default();
                    match entry.name {
                        Name::Action(_) => minute.actions += 1,
                        Name::Output(_) => minute.outputs += 1,
                    }
                    minute.bytes += entry.bytes;
                    entries += 1;
                }
                Met::Other(_) => {}
                Met::Directory(_) => {
                    progress.show(|| format!("{}: {} entries", root.display(), thousands(entries)));
                }
            }
            ControlFlow::Continue(())
        });
        let all_bytes = minutes.values().map(|it| it.bytes).sum();
        let mut plan = Self { cutoff: None, actions: 0, outputs: 0, bytes: 0, all_bytes, problems };
        for (minute, of) in &minutes {
            let end = Timestamp::from_nanos(minute.saturating_add(1).saturating_mul(MINUTE));
            let is_old = limits.older_than.is_some_and(|it| end <= it.build);
            let is_too_much =
                limits.keep.is_some_and(|keep| all_bytes - plan.bytes > keep) && end <= limits.newest.build;
            if !is_old && !is_too_much {
                break;
            }
            plan.cutoff = Some(end);
            plan.actions += of.actions;
            plan.outputs += of.outputs;
            plan.bytes += of.bytes;
        }
        plan
    }

    /// Does it.
    pub(super) fn apply(&self, root: &Path, keep: &Keep) -> Removed {
        let mut removed = Removed::default();
        let Some(cutoff) = self.cutoff else { return removed };
        let mut progress = Progress::new();
        for outputs in [false, true] {
            let mut old: Vec<Entry> = Vec::new();
            let problems = walk(root, &mut |met, _| {
                match met {
                    Met::Entry(entry) if entry.used < cutoff && outputs == matches!(entry.name, Name::Output(_)) => {
                        old.push(entry.clone());
                    }
                    Met::Entry(_) | Met::Other(_) => {}
                    // a directory is listed to its end before anything in it goes
                    Met::Directory(_) => {
                        old.drain(..).for_each(|entry| remove(&entry, cutoff, keep, &mut removed));
                        progress.show(|| format!("{}: {} entries removed", root.display(), thousands(removed.entries)));
                    }
                }
                ControlFlow::Continue(())
            });
            removed.add_problems(&problems);
        }
        removed
    }
}

/// Removes one entry, unless it was used meanwhile.
fn remove(entry: &Entry, cutoff: Timestamp, keep: &Keep, removed: &mut Removed) {
    let metadata = match fs::symlink_metadata(&entry.path) {
        Ok(it) => it,
        // somebody else did: a trim
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => return removed.failed(&entry.path, &error),
    };
    if metadata.modified().is_ok_and(|time| time >= os::system_time(cutoff)) {
        removed.used_meanwhile += 1;
        return;
    }
    if os::is_open_below(&entry.path, &keep.open) {
        removed.open += 1;
        return;
    }
    let gone = if metadata.is_dir() { fs::remove_dir_all(&entry.path) } else { fs::remove_file(&entry.path) };
    match gone {
        Ok(()) => removed.add(entry.bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => removed.failed(&entry.path, &error),
    }
}
