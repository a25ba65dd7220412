//! What would go, or went, for people and for programs.

use std::io;
use std::path::{Path, PathBuf};

use gobeacon_collectors::inventory::Problems;
use serde_json::{Value, json};

use super::super::style::{ADVICE, NAME, PLAIN, Page, columns};
use super::super::table::{self, Table, ago, bytes, counted, remark, thousands};
use super::super::time;
use super::limits::Limits;
use super::{build, module};

/// How many versions people see unless they want all.
const MOST_SHOWN: usize = 20;

/// What became of a plan.
#[derive(Debug, Default)]
pub(super) struct Removed {
    /// Entries or versions.
    pub(super) entries: u64,
    pub(super) bytes: u64,
    /// Stayed: a go command holds the lock.
    pub(super) locked: u64,
    /// Stayed: used since it was looked at.
    pub(super) used_meanwhile: u64,
    /// Stayed: a process has it open.
    pub(super) open: u64,
    /// What could not be removed.
    pub(super) problems: Problems,
    /// How much could not be looked at a second time.
    unseen: u64,
}

impl Removed {
    pub(super) fn add(&mut self, bytes: u64) {
        self.entries += 1;
        self.bytes += bytes;
    }

    pub(super) fn failed(&mut self, path: &Path, error: &io::Error) {
        self.problems.note(path, error);
    }

    pub(super) fn add_problems(&mut self, problems: &Problems) {
        self.unseen = self.unseen.max(problems.total());
    }
}

/// One cache.
#[derive(Debug)]
pub(super) struct Done {
    root: PathBuf,
    kind: &'static str,
    /// Lines for people: what would go.
    plan: String,
    versions: Vec<module::Candidate>,
    named: u64,
    notes_reads: bool,
    bytes: u64,
    all_bytes: u64,
    json: Value,
    removed: Option<Removed>,
    problems: Problems,
}

impl Done {
    pub(super) fn module(root: &Path, plan: &module::Plan, removed: Option<Removed>) -> Self {
        let versions = plan.versions.iter().map(
            |it| json!({ "path": it.module, "version": it.version, "bytes": it.bytes, "last_used": time(it.used) }),
        );
        Self {
            root: root.to_owned(),
            kind: "module",
            plan: counted(plan.versions.len() as u64, "version"),
            versions: plan.versions.clone(),
            named: plan.named,
            notes_reads: plan.space.is_none_or(|it| it.notes_reads),
            bytes: plan.bytes,
            all_bytes: plan.all_bytes,
            json: json!({ "versions": versions.collect::<Vec<_>>(), "kept_by_go_sum": plan.named }),
            removed,
            problems: plan.problems.clone(),
        }
    }

    pub(super) fn build(root: &Path, plan: &build::Plan, removed: Option<Removed>) -> Self {
        Self {
            root: root.to_owned(),
            kind: "build",
            plan: format!("{} and {}", counted(plan.actions, "action"), counted(plan.outputs, "output")),
            versions: Vec::new(),
            named: 0,
            notes_reads: true,
            bytes: plan.bytes,
            all_bytes: plan.all_bytes,
            json: json!({
                "actions": plan.actions,
                "outputs": plan.outputs,
                "used_before": plan.cutoff.and_then(time),
            }),
            removed,
            problems: plan.problems.clone(),
        }
    }

    /// Whether all was looked at, and all that should go went.
    pub(super) fn is_well(&self) -> bool {
        let removed = self.removed.as_ref();
        self.problems.total() == 0 && removed.is_none_or(|it| it.problems.total() + it.unseen == 0)
    }

    pub(super) fn json(&self) -> Value {
        let removed = self.removed.as_ref().map(|it| {
            json!({
                "entries": it.entries,
                "bytes": it.bytes,
                "stayed": { "locked": it.locked, "used_meanwhile": it.used_meanwhile, "open": it.open },
                "failed": it.problems.total(),
            })
        });
        json!({
            "cache": self.kind,
            "path": self.root.to_string_lossy(),
            "bytes": self.all_bytes,
            "proposed_bytes": self.bytes,
            "proposed": self.json,
            "removed": removed,
            "problems": self.problems.total(),
        })
    }

    fn show(&self, limits: &Limits, most: usize, page: &mut Page) {
        page.gap();
        let title = if self.kind == "module" { "Module cache " } else { "Build cache " };
        page.line(0, &[(NAME, title), (NAME, &self.root.display().to_string())]);
        let stays = self.all_bytes.saturating_sub(self.bytes);
        let text = format!("{}, {}; {} would stay", self.plan, bytes(self.bytes), bytes(stays));
        let lead = if self.removed.is_some() { "was to go: " } else { "could go: " };
        page.line(2, &[(PLAIN, lead), (PLAIN, &text)]);
        let mut table = Table::new("version, last used, bytes");
        for it in self.versions.iter().take(most) {
            let used = format!("{} ago", ago(it.used, limits.now));
            table.texts(format!("{}@{}", it.module, it.version), used, bytes(it.bytes));
        }
        table.write(page);
        if let Some(more) = self.versions.len().checked_sub(most).filter(|more| *more > 0) {
            remark(&format!("and {} more: --all shows them", thousands(more as u64)), page);
        }
        if self.named > 0 {
            remark(&format!("{} more are as old and stay: go.sum files name them", thousands(self.named)), page);
        }
        if limits.keep.is_some_and(|keep| stays > keep) {
            remark("what stays is more than it should be: it was used within the last day, or has to be kept", page);
        }
        if !self.notes_reads {
            remark("the file system does not note when files are read: last used is when it was downloaded", page);
        }
        table::problems(&self.problems, page);
        if let Some(removed) = &self.removed {
            removed.show(page);
        }
    }
}

impl Removed {
    fn show(&self, page: &mut Page) {
        page.line(2, &[(NAME, &format!("removed: {}, {}", thousands(self.entries), bytes(self.bytes)))]);
        let stayed = [
            (self.locked, "a go command holds the lock"),
            (self.used_meanwhile, "used or gone meanwhile"),
            (self.open, "a process has it open"),
        ];
        for (number, why) in stayed.iter().filter(|(number, _)| *number > 0) {
            remark(&format!("{} stayed: {why}", thousands(*number)), page);
        }
        table::problems(&self.problems, page);
    }
}

/// For people.
pub(super) fn page(done: &[Done], is_removed: bool, all: bool, limits: &Limits) -> Page {
    let mut page = Page::new(columns());
    let most = if all { usize::MAX } else { MOST_SHOWN };
    done.iter().for_each(|it| it.show(limits, most, &mut page));
    page.gap();
    if done.is_empty() {
        remark("no module cache and no build cache was found", &mut page);
    } else if !is_removed && done.iter().any(|it| it.bytes > 0) {
        page.line(0, &[(ADVICE, "Nothing was removed. --yes removes it.")]);
    }
    if limits.is_raised {
        remark("what was used within the last day always stays", &mut page);
    }
    page
}
