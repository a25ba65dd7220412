//! `gobeacon cache manifest`: what a cache holds, to be compared with another one elsewhere.

use std::io::{self, Write};

use clap::error::ErrorKind;

use super::entries::{Entries, Entry, Facts, Key, header_line, line};
use super::output::{self, Error, Format};
use super::which::Which;
use super::{Exit, Subcommand};

/// List what is in one cache, sorted, one JSON object a line
///
/// Of a module cache: each version with the hash that the go command wrote beside its zip, the hash of its go.mod, and
/// the bytes of the zip. Of a build cache: each action and each output with its bytes and the time of its last use.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gobeacon cache manifest --modcache ~/go/pkg/mod > here.jsonl
  gobeacon cache diff here.jsonl there.jsonl

Exit status: 0 all was looked at, 1 something could not be, 2 the command line has mistakes.")]
pub(super) struct Manifest {
    #[command(flatten)]
    which: Which,
    /// Shape of the output: json is what `diff` reads; text has lines as in go.sum
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,
    /// Of a build cache, also say which output each action gave. It reads every entry, which counts as a cache hit to
    /// whoever watches the cache
    #[arg(long)]
    outputs: bool,
}

impl Subcommand for Manifest {
    const NAME: &'static str = "manifest";

    fn run(self) -> Result<Exit, Error> {
        let caches = self.which.find()?;
        let entries = match (caches.modules.as_slice(), caches.builds.as_slice()) {
            ([], []) if caches.is_some_missing => return Ok(Exit::Failed),
            ([root], []) => Entries::of_modules(root),
            ([], [root]) => Entries::of_builds(root, self.outputs),
            (modules, builds) => return Err(not_one(modules.len() + builds.len())),
        };
        let mut out = output::stdout();
        if self.format == Format::Json {
            writeln!(out, "{}", header_line(&entries).map_err(io::Error::from)?)?;
        }
        for entry in &entries.entries {
            match self.format {
                Format::Json => writeln!(out, "{}", line(entry).map_err(io::Error::from)?)?,
                Format::Text => text(entry, &mut out)?,
            }
        }
        out.flush()?;
        Ok(entries.exit())
    }
}

impl Entries {
    /// Says what could not be looked at.
    pub(super) fn exit(&self) -> Exit {
        match &self.problems.first {
            None => Exit::Ok,
            Some((path, error)) => {
                let number = self.problems.total();
                let first = path.display();
                output::complain(&format_args!("{number} files could not be looked at, the first is {first}: {error}"));
                Exit::Failed
            }
        }
    }
}

fn not_one(found: usize) -> Error {
    let text = format!("a manifest is of one cache, and {found} were found: name one with --modcache or --gocache\n");
    Error::Usage(clap::Error::raw(ErrorKind::MissingRequiredArgument, text))
}

/// Lines as in go.sum; of a build cache the name and the bytes.
fn text(entry: &Entry, out: &mut impl Write) -> io::Result<()> {
    match (&entry.key, &entry.facts) {
        (Key::Module { path, version }, Facts::Module(facts)) => {
            if let Some(h1) = &facts.h1 {
                writeln!(out, "{path} {version} {h1}")?;
            }
            if let Some(h1) = &facts.go_mod_h1 {
                writeln!(out, "{path} {version}/go.mod {h1}")?;
            }
            Ok(())
        }
        (Key::Action(id), Facts::Action { output: Some((output, bytes)), .. }) => {
            writeln!(out, "{id}-a {output} {bytes}")
        }
        (Key::Action(id), _) => writeln!(out, "{id}-a"),
        (Key::Output(id), Facts::Output { bytes, .. }) => writeln!(out, "{id}-d {bytes}"),
        (Key::Module { .. } | Key::Output(_), _) => Ok(()),
    }
}
