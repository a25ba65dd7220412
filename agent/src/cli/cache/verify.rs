//! `gobeacon cache verify`: whether module caches hold what they should.
//!
//! Invariant: "all is well" is said only when everything that is there was read.

mod json;
mod page;

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Instant;

use clap::error::ErrorKind;
use gobeacon_collectors::integrity::{self, Cache, Found, GoSums};
use gobeacon_formats::sumdb::Key;

use super::output::{self, Error, Format};
use super::progress::Progress;
use super::table::{bytes, thousands};
use super::which::ModuleCaches;
use super::{Exit, Subcommand, style};

/// Say whether module caches hold what they should
///
/// Reads every zip and go.mod and compares its hash with the .ziphash beside it, the records of the checksum database
/// in the cache (and those with the signed log, as far as the cache has it), the go.sum files that are named, and the
/// same version in the other caches, and the extracted trees, which builds compile, with their zips. The go command
/// does so only when it downloads.
///
/// Without --modcache: the caches that the agent would watch, in the homes that may be read.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gobeacon cache verify
  gobeacon cache verify --modcache ~/go/pkg/mod --go-sum go.sum
  gobeacon cache verify --modcache /srv/a/mod --modcache /srv/b/mod --format json

Exit status: 0 all is well, also where there is nothing yet, 1 something conflicts or is corrupt, 2 not everything could \
be checked: no such folder, not readable, the command line has mistakes.")]
pub(super) struct Verify {
    #[command(flatten)]
    which: ModuleCaches,
    /// A go.sum or go.work.sum to compare with; may be given several times
    #[arg(long, value_name = "FILE")]
    go_sum: Vec<PathBuf>,
    /// Do not compare the extracted trees, which builds compile, with their zips: reads a quarter as much
    #[arg(long)]
    no_extracted: bool,
    /// Key of a checksum database of your own, as GOSUMDB has it (name+hash+key); may be given several times
    #[arg(long, value_name = "KEY", value_parser = key)]
    sumdb_key: Vec<Key>,
    /// How many threads read and hash; unset, one for each core
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Shape of the output: text for people, json for programs
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl Subcommand for Verify {
    const NAME: &'static str = "verify";

    fn run(self) -> Result<Exit, Error> {
        let which = self.which.find()?;
        let mut is_some_missing = which.is_some_missing;
        let mut caches = Vec::new();
        for path in &which.modules {
            match Cache::named(path) {
                // one of two names is one
                Ok(cache) if caches.iter().any(|it: &Cache| it.root.id == cache.root.id) => {}
                Ok(cache) => caches.push(cache),
                Err(error) => {
                    output::complain(&format_args!("cannot read {}: {error}", path.display()));
                    is_some_missing = true;
                }
            }
        }
        let mut go_sums = GoSums::default();
        if let Err((path, error)) = go_sums.read(&self.go_sum, gobeacon_collectors::now()) {
            output::complain(&format_args!("cannot read {}: {error}", path.display()));
            is_some_missing = true;
        }
        let keys: Vec<_> = integrity::known_keys().into_iter().chain(self.sumdb_key).collect();
        let jobs = self.jobs.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
        let malformed = go_sums.malformed;
        let (mut progress, began) = (Progress::new(), Instant::now());
        let found = integrity::verify(
            &caches,
            go_sums,
            &keys,
            (!self.no_extracted, jobs),
            gobeacon_collectors::now(),
            &mut |tally| {
                progress.show(|| {
                    let (read, all) = (thousands(tally.read), thousands(tally.versions));
                    format!("{read} of {all} module versions, {}", bytes(tally.hashed_bytes))
                });
            },
        );
        drop(progress);
        let outcome = Outcome { caches, found, malformed, is_some_missing, seconds: began.elapsed().as_secs_f64() };
        let mut out = output::stdout();
        match self.format {
            Format::Json => json::write(&outcome, &mut out)?,
            Format::Text => {
                let mut page = style::Page::new(style::columns());
                page::show(&outcome, &mut page);
                out.write_all(page.text(style::colours()).as_bytes())?;
            }
        }
        out.flush()?;
        Ok(outcome.exit())
    }
}

/// What was found, and how complete it is.
#[derive(Debug)]
struct Outcome {
    caches: Vec<Cache>,
    found: Found,
    /// Lines of go.sum files that are none.
    malformed: u64,
    is_some_missing: bool,
    seconds: f64,
}

impl Outcome {
    fn is_wrong(&self) -> bool {
        !self.found.conflicts.is_empty() || !self.found.corrupt.is_empty()
    }

    fn is_incomplete(&self) -> bool {
        self.is_some_missing || self.found.unreadable.1 > 0 || self.malformed > 0
    }

    fn exit(&self) -> Exit {
        if self.is_wrong() {
            Exit::Failed
        } else if self.is_incomplete() {
            Exit::Code(2)
        } else {
            Exit::Ok
        }
    }
}

fn key(text: &str) -> Result<Key, clap::Error> {
    Key::parse(text).ok_or_else(|| clap::Error::raw(ErrorKind::InvalidValue, "it is no name+hash+key\n"))
}
