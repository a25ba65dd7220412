//! `gobeacon cache stat`: what is in the caches, how large, how old.

mod build;
mod module;

use std::io::{self, Write};

use serde_json::json;

use super::output::{self, Error, Format};
use super::which::Which;
use super::{Exit, Subcommand, style, table};

/// Say what is in module caches and build caches: how much, of what kind, how old
///
/// Without --modcache and --gocache: the caches that the agent would watch, in the homes that may be read.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gobeacon cache stat
  gobeacon cache stat --gocache ~/.cache/go-build --format json

When something was used is known of build caches to the hour, since the go command notes it. Of module caches it is
known as far as the file system notes when files are read: usually to the day, not at all where that is switched off.

Exit status: 0 all was looked at, 1 something could not be, 2 the command line or the configuration has mistakes.")]
pub(super) struct Stat {
    #[command(flatten)]
    which: Which,
    /// Shape of the output: text for people, json for programs
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Also look for outputs of build caches that no entry names. It reads every entry, which counts as a cache hit to
    /// whoever watches the cache
    #[arg(long)]
    orphans: bool,
}

impl Subcommand for Stat {
    const NAME: &'static str = "stat";

    fn run(self) -> Result<Exit, Error> {
        let caches = self.which.find()?;
        let now = gobeacon_collectors::now();
        let modules: Vec<_> = caches.modules.iter().map(|root| module::Stat::of(root, now)).collect();
        let builds: Vec<_> = caches.builds.iter().map(|root| build::Stat::of(root, self.orphans, now)).collect();
        let mut out = output::stdout();
        match self.format {
            Format::Json => {
                let modules: Vec<_> = modules.iter().map(module::Stat::json).collect();
                let builds: Vec<_> = builds.iter().map(build::Stat::json).collect();
                let whole = json!({ "module_caches": modules, "build_caches": builds });
                serde_json::to_writer_pretty(&mut out, &whole).map_err(io::Error::from)?;
                writeln!(out)?;
            }
            Format::Text => {
                let mut page = style::Page::new(style::columns());
                modules.iter().for_each(|stat| stat.show(&mut page));
                builds.iter().for_each(|stat| stat.show(&mut page, now));
                if caches.is_empty() {
                    table::remark("no module cache and no build cache was found", &mut page);
                }
                out.write_all(page.text(style::colours()).as_bytes())?;
            }
        }
        out.flush()?;
        let problems = modules.iter().map(module::Stat::problems).chain(builds.iter().map(build::Stat::problems));
        let is_all_seen = !caches.is_some_missing && problems.sum::<u64>() == 0;
        Ok(if is_all_seen { Exit::Ok } else { Exit::Failed })
    }
}
