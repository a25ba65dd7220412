//! `gobeacon cache diff`: whether two caches, or what they were, hold the same.

mod compare;
mod show;

use std::io::{self, Write};
use std::path::PathBuf;

use super::entries::Entries;
use super::output::{self, Error, Format};
use super::{Exit, Subcommand, style};

/// Compare two caches, or manifests of them: what is missing, what is extra, what conflicts
///
/// Missing is what A has and B does not, extra the reverse. Conflicting is what both have and is not the same: a module
/// version with another hash, an action with another output.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gobeacon cache diff ~/go/pkg/mod /mnt/node2/go/pkg/mod
  gobeacon cache diff monday.jsonl tuesday.jsonl

The outputs of actions are compared where both sides say them: `cache manifest --outputs`, or --outputs for folders.
Another output of the same action is no error by itself: results of tests have times in them.

Exit status: 0 the same, 1 they differ, 2 they cannot be compared, or the command line has mistakes.")]
pub(super) struct Diff {
    /// A module cache, a build cache, or a manifest
    #[arg(value_name = "A")]
    a: PathBuf,
    /// Another one of the same kind
    #[arg(value_name = "B")]
    b: PathBuf,
    /// Shape of the output: text for people, json for programs
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Show all entries, however many they are
    #[arg(long)]
    all: bool,
    /// Of folders that are build caches, also compare which output each action gave. It reads every entry, which counts
    /// as a cache hit to whoever watches the cache
    #[arg(long)]
    outputs: bool,
}

impl Subcommand for Diff {
    const NAME: &'static str = "diff";

    fn run(self) -> Result<Exit, Error> {
        let read = |path| {
            let entries = Entries::of(path, self.outputs);
            entries.map_err(|error| output::complain(&error)).ok()
        };
        let (Some(a), Some(b)) = (read(&self.a), read(&self.b)) else { return Ok(Exit::CouldNotTell) };
        if a.kind != b.kind {
            output::complain(&"one is a module cache and the other is a build cache");
            return Ok(Exit::CouldNotTell);
        }
        let is_whole = [&a, &b].map(|it| it.exit() == Exit::Ok) == [true, true];
        let found = compare::compare(&a.entries, &b.entries);
        let mut out = output::stdout();
        match self.format {
            Format::Json => {
                serde_json::to_writer_pretty(&mut out, &show::json(&found)).map_err(io::Error::from)?;
                writeln!(out)?;
            }
            Format::Text => {
                let most = if self.all { usize::MAX } else { show::MOST_SHOWN };
                let page = show::page(&found, [&self.a, &self.b], most);
                out.write_all(page.text(style::colours()).as_bytes())?;
            }
        }
        out.flush()?;
        Ok(match (is_whole, found.is_same()) {
            (false, _) => Exit::CouldNotTell,
            (true, true) => Exit::Ok,
            (true, false) => Exit::Failed,
        })
    }
}
