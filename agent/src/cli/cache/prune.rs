//! `gobeacon cache prune`: what of the caches was not used for long, and, when told to, away with it.
//!
//! It proposes unless it is told to remove. What it removes is what the go command itself would (of build caches), or
//! what `go clean -modcache` would, version by version and under the lock of each.
//!
//! Invariant: nothing is removed that was used within the last day, whose lock is held, or that a process has open.

mod build;
mod limits;
mod module;
mod show;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use gobeacon_formats::{Artifact, gosum};

use super::output::{self, Error, Format};
use super::which::Which;
use super::{Exit, Subcommand, style, table};
use crate::os::{self, FileId};
use limits::Limits;

/// Propose what of the caches could go, and remove it when told to
///
/// Without --yes nothing is removed. Without --modcache and --gocache: the caches of who runs it.
#[derive(Debug, clap::Args)]
#[command(
    group(clap::ArgGroup::new("limit").required(true).multiple(true)),
    after_help = "\
Examples:
  gobeacon cache prune --older-than 30d                         what was not used for 30 days
  gobeacon cache prune --keep 20GB --keep-go-sum ./go.sum       what was used longest ago, down to 20 GB a cache
  gobeacon cache prune --gocache /srv/go-build --older-than 7d --yes

Of a build cache only entries go, the way the go command removes them after five days. When one was used is known to
the hour.

Of a module cache whole versions go: the zip, its hash and the extracted tree, under the lock of the version. The go.mod
files stay, since builds read them without a lock and they are small. When a version was used is known as far as the
file system notes that its hash was read, which each build does: usually to the day. Where that is switched off
(noatime), only the time of the download is known, so prune while no build runs, or name the go.sum files of what is
still built with --keep-go-sum.

What was used within the last day stays, whatever the limits say. Where a go command holds a lock or any process has a
file open, that stays too.

Exit status: 0 done, 1 something could not be looked at or removed, 2 the command line or the configuration has
mistakes."
)]
pub(super) struct Prune {
    #[command(flatten)]
    which: Which,
    /// What was not used for so long: 30d, 2w, 36h
    #[arg(long, value_name = "AGE", group = "limit", value_parser = limits::parse_age)]
    older_than: Option<std::time::Duration>,
    /// What was used longest ago, until each cache has at most this size: 20GB, 500MB
    #[arg(long, value_name = "SIZE", group = "limit", value_parser = table::parse_bytes)]
    keep: Option<u64>,
    /// Keep the module versions that this go.sum names; may be given several times
    #[arg(long, value_name = "FILE")]
    keep_go_sum: Vec<PathBuf>,
    /// Remove it
    #[arg(long)]
    yes: bool,
    /// Shape of the output: text for people, json for programs
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Show all versions, however many they are
    #[arg(long)]
    all: bool,
}

/// What stays whatever its age.
#[derive(Debug, Default)]
struct Keep {
    /// Module path and version.
    versions: BTreeSet<(String, String)>,
    /// What any process had open when the removal began.
    open: BTreeSet<FileId>,
}

impl Subcommand for Prune {
    const NAME: &'static str = "prune";

    fn run(self) -> Result<Exit, Error> {
        let keep = Keep {
            versions: go_sums(&self.keep_go_sum)?,
            open: if self.yes { os::open_files() } else { BTreeSet::new() },
        };
        let mut caches = self.which.find_own()?;
        let named = caches.modules.len();
        caches.modules.retain(|root| is_module_cache(root));
        caches.is_some_missing |= caches.modules.len() < named;
        let limits = Limits::new(self.older_than, self.keep, gobeacon_collectors::now());
        let mut done = Vec::new();
        for root in &caches.modules {
            let plan = module::Plan::of(root, &limits, &keep);
            done.push(show::Done::module(root, &plan, self.yes.then(|| plan.apply(root, &limits, &keep))));
        }
        for root in &caches.builds {
            let plan = build::Plan::of(root, &limits);
            done.push(show::Done::build(root, &plan, self.yes.then(|| plan.apply(root, &keep))));
        }
        let mut out = output::stdout();
        match self.format {
            Format::Json => {
                let caches: Vec<_> = done.iter().map(show::Done::json).collect();
                let whole = serde_json::json!({ "removed": self.yes, "caches": caches });
                serde_json::to_writer_pretty(&mut out, &whole).map_err(io::Error::from)?;
                writeln!(out)?;
            }
            Format::Text => {
                let page = show::page(&done, self.yes, self.all, &limits);
                out.write_all(page.text(style::colours()).as_bytes())?;
            }
        }
        out.flush()?;
        let is_well = !caches.is_some_missing && done.iter().all(show::Done::is_well);
        Ok(if is_well { Exit::Ok } else { Exit::Failed })
    }
}

/// Nothing goes from a folder that merely has names with an `@` in it.
fn is_module_cache(root: &Path) -> bool {
    let is_one = root.join("cache/download").is_dir();
    if !is_one {
        output::complain(&format_args!("{} is no module cache: it has no cache/download", root.display()));
    }
    is_one
}

/// Every version whose zip these files name.
fn go_sums(paths: &[PathBuf]) -> Result<BTreeSet<(String, String)>, Error> {
    let mut versions = BTreeSet::new();
    for path in paths {
        let content = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
        gosum::read(&content, |line| {
            if line.artifact == Artifact::Zip {
                versions.insert((line.module.to_owned(), line.version.to_owned()));
            }
        });
    }
    Ok(versions)
}

/// Who names a file to keep what it says must not lose it because of a wrong name.
fn unreadable(path: &Path, error: &io::Error) -> Error {
    let text = format!("cannot read {}: {error}\n", path.display());
    Error::Usage(clap::Error::raw(ErrorKind::ValueValidation, text))
}
