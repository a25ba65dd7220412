//! One build cache.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use gobeacon_collectors::buildcache::inventory::{DIRECTORIES, Inventory, Look, inventory};
use gobeacon_collectors::inventory::{Age, Space, space};
use gobeacon_formats::Timestamp;
use gobeacon_formats::cache_entry::OutputKind;
use serde_json::{Value, json};

use super::super::progress::Progress;
use super::super::style::{NAME, PLAIN, Page};
use super::super::table::{self, Table, bytes, counted, thousands};
use super::super::time;

/// What was found.
#[derive(Debug)]
pub(super) struct Stat {
    root: PathBuf,
    found: Inventory,
    space: Option<Space>,
}

impl Stat {
    pub(super) fn of(root: &Path, orphans: bool, now: Timestamp) -> Self {
        let mut progress = Progress::new();
        let look = Look { kinds: true, orphans };
        let found = inventory(root, look, now, &mut |sofar, done| {
            progress.show(|| {
                let entries = thousands(sofar.entries().entries);
                format!("{}: {entries} entries, {} %", root.display(), done * 100 / DIRECTORIES)
            });
            ControlFlow::Continue(())
        });
        Self { root: root.to_owned(), found, space: space(root).ok() }
    }

    pub(super) fn problems(&self) -> u64 {
        self.found.problems.total()
    }

    pub(super) fn show(&self, page: &mut Page, now: Timestamp) {
        let found = &self.found;
        let all = found.entries();
        page.gap();
        page.line(0, &[(NAME, "Build cache "), (NAME, &self.root.display().to_string())]);
        let mut line = format!("{} in {} entries", bytes(all.bytes), thousands(all.entries));
        match found.last_trim {
            Some(trim) => line += &format!(", trimmed by a go command {} ago", table::ago(trim, now)),
            None => line += ", never trimmed",
        }
        page.line(2, &[(PLAIN, &line)]);
        if let Some(space) = &self.space {
            page.line(2, &[(PLAIN, &table::room(space))]);
        }
        let mut kinds = Table::new("what is in it");
        kinds.row("actions", found.actions.entries, found.actions.bytes);
        for (kind, count) in OutputKind::ALL.into_iter().zip(found.kinds) {
            kinds.row_if_any(words(kind), count.entries, count.bytes);
        }
        kinds.row_if_any("fuzzing (never removed by itself)", found.fuzz.entries, found.fuzz.bytes);
        kinds.row_if_any("no entries", found.others.entries, found.others.bytes);
        kinds.write(page);
        let mut ages = Table::new("last used");
        for age in Age::ALL {
            let count = found.ages.of(age);
            ages.row_if_any(table::age(age), count.entries, count.bytes);
        }
        ages.write(page);
        if found.half_written > 0 {
            let count = counted(found.half_written, "file");
            table::remark(&format!("not whole, because being written or left by who was killed: {count}"), page);
        }
        if let Some(orphans) = found.orphans {
            let (count, size) = (counted(orphans.entries, "output"), bytes(orphans.bytes));
            table::remark(&format!("named by no entry: {count}, {size}"), page);
        }
        table::problems(&found.problems, page);
    }

    pub(super) fn json(&self) -> Value {
        let found = &self.found;
        let kinds: serde_json::Map<_, _> = OutputKind::ALL
            .into_iter()
            .zip(found.kinds)
            .map(|(kind, it)| (kind.name().to_owned(), json!({ "entries": it.entries, "bytes": it.bytes })))
            .collect();
        let ages: serde_json::Map<_, _> = Age::ALL
            .into_iter()
            .map(|age| (age, found.ages.of(age)))
            .map(|(age, it)| (age.name().to_owned(), json!({ "entries": it.entries, "bytes": it.bytes })))
            .collect();
        json!({
            "path": self.root.to_string_lossy(),
            "bytes": found.entries().bytes,
            "actions": found.actions.entries,
            "outputs": found.outputs.entries,
            "kinds": kinds,
            "last_used": ages,
            "executables": found.executable_dirs.entries,
            "half_written": found.half_written,
            "orphans": found.orphans.map(|it| json!({ "entries": it.entries, "bytes": it.bytes })),
            "no_entries": found.others.entries,
            "fuzz_bytes": found.fuzz.bytes,
            "last_trim": found.last_trim.and_then(time),
            "free_bytes": self.space.map(|it| it.free_bytes),
            "total_bytes": self.space.map(|it| it.total_bytes),
            "problems": found.problems.total(),
        })
    }
}

/// A kind as people say it.
fn words(kind: OutputKind) -> &'static str {
    match kind {
        OutputKind::Archive => "compiled packages",
        OutputKind::Index => "module indexes",
        OutputKind::TestResult => "test results",
        OutputKind::Executable => "executables",
        OutputKind::Vet => "facts of vet",
        OutputKind::Other => "lists of files, generated sources, other",
    }
}
