//! `gobeacon parse`: what a log says, one event a line.
//!
//! It knows nothing of builds.
//!
//! Invariant: content never makes it fail; only files that cannot be read do.

use std::io::{self, Write};
use std::path::PathBuf;

use gobeacon_formats::Event;
use serde::Serialize;

use super::output::{self, Error, Format};
use super::reading::{self, Input};
use super::{Exit, Subcommand};

/// Print what logs of Go builds say, one event a line
///
/// Reads standard output and standard error of go commands, as they are or as a CI system wrapped them, and prints
/// the events in them: downloads, requests, diagnostics, tests, packages and failures. A line that means nothing is
/// passed over.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gobeacon parse build.log
  go test -json ./... 2>&1 | gobeacon parse --format json - | jq 'select(.kind == \"failure\")'")]
pub(super) struct Parse {
    /// Logs to read; `-`, or none, is standard input
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Shape of the output: text for people, json for programs (one object a line)
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl Subcommand for Parse {
    const NAME: &'static str = "parse";

    fn run(self) -> Result<Exit, Error> {
        let mut out = output::stdout();
        let exit = reading::read_all(&Input::all(self.files), |input, batch| {
            let log = match input {
                Input::Stdin => None,
                Input::File(path) => Some(path.to_string_lossy()),
            };
            for event in &batch.events {
                write_event(&Line { event, log: log.as_deref() }, self.format, &mut out)?;
            }
            // who follows a pipe wants to see what came through it
            if *input == Input::Stdin {
                out.flush()?;
            }
            Ok(())
        })?;
        out.flush()?;
        Ok(exit)
    }
}

/// An event and the log that it is from.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    event: &'a Event,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<&'a str>,
}

fn write_event(line: &Line<'_>, format: Format, out: &mut impl Write) -> io::Result<()> {
    match format {
        Format::Json => {
            serde_json::to_writer(&mut *out, line)?;
            out.write_all(b"\n")
        }
        Format::Text => write_text(line, out),
    }
}

/// `KIND  name=value ...`, with the fields as the JSON has them; where the event stands comes last.
fn write_text(line: &Line<'_>, out: &mut impl Write) -> io::Result<()> {
    let fields = serde_json::to_value(line)?;
    write!(out, "{:<18}", line.event.kind.name())?;
    for (name, value) in fields.as_object().into_iter().flatten() {
        if ["kind", "offset", "lines", "log"].contains(&name.as_str()) {
            continue;
        }
        match value.as_str() {
            Some(text) if text.bytes().all(|b| b.is_ascii_graphic() && b != b'"') => write!(out, " {name}={text}")?,
            Some(_) | None => write!(out, " {name}={value}")?,
        }
    }
    match line.log {
        Some(log) => writeln!(out, "  ({log}@{})", line.event.offset),
        None => writeln!(out, "  (@{})", line.event.offset),
    }
}
