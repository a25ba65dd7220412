//! `gobeacon parse`: what a log says, one event a line.
//!
//! Reads a piece, parses it, writes its events, forgets them: memory does not grow with the log. It knows nothing of
//! builds.
//!
//! Invariant: content never makes it fail; only files that cannot be read do.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use gobeacon_formats::{Event, Parser};
use serde::Serialize;

use super::output::{self, Error, Format, Input};
use super::{Exit, Subcommand};

/// How much of a log is read at once.
const PIECE_BYTES: usize = 64 << 10;

/// Print what logs of Go builds say, one event a line
///
/// Reads standard output and standard error of go commands, as they are or as a CI system wrapped them, and prints
/// the events in them: downloads, requests, diagnostics, tests, packages and failures. A line that means nothing is
/// passed over.
#[derive(Debug, clap::Args)]
pub(super) struct Parse {
    /// Logs to read; `-`, or none, is standard input
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Shape of the output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl Subcommand for Parse {
    const NAME: &'static str = "parse";

    fn run(self) -> Result<Exit, Error> {
        let mut out = output::stdout();
        let mut exit = Exit::Ok;
        let files = if self.files.is_empty() { vec![PathBuf::from("-")] } else { self.files };
        for input in files.into_iter().map(Input::from) {
            match parse(&input, self.format, &mut out) {
                Ok(()) => {}
                Err(Stop::Read(error)) => {
                    output::complain(&format_args!("cannot read {input}: {error}"));
                    exit = Exit::Failed;
                }
                Err(Stop::Write(error)) => return Err(Error::Output(error)),
            }
        }
        out.flush()?;
        Ok(exit)
    }
}

/// Why a log was not read to its end.
enum Stop {
    Read(io::Error),
    Write(io::Error),
}

/// An event and the log that it is from.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    event: &'a Event,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<&'a str>,
}

fn parse(input: &Input, format: Format, out: &mut impl Write) -> Result<(), Stop> {
    let mut reader = input.open().map_err(Stop::Read)?;
    let name = input.name();
    let mut parser = Parser::new();
    let mut events = Vec::new();
    let mut piece = vec![0; PIECE_BYTES];
    let mut offset = 0_u64;
    loop {
        let length = match reader.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Stop::Read(error)),
        };
        parser.feed(piece.get(..length).unwrap_or_default(), offset, &mut events);
        offset = offset.saturating_add(length as u64);
        write_events(&mut events, name.as_deref(), format, out).map_err(Stop::Write)?;
        // who follows a pipe wants to see what came through it
        if *input == Input::Stdin {
            out.flush().map_err(Stop::Write)?;
        }
    }
    parser.finish(&mut events);
    write_events(&mut events, name.as_deref(), format, out).map_err(Stop::Write)
}

fn write_events(events: &mut Vec<Event>, log: Option<&str>, format: Format, out: &mut impl Write) -> io::Result<()> {
    for event in events.drain(..) {
        let line = Line { event: &event, log };
        match format {
            Format::Json => {
                serde_json::to_writer(&mut *out, &line)?;
                out.write_all(b"\n")?;
            }
            Format::Text => write_text(&line, out)?,
        }
    }
    Ok(())
}

/// `KIND  name=value ...`, with the fields as the JSON has them; where an event stands comes last.
fn write_text(line: &Line<'_>, out: &mut impl Write) -> io::Result<()> {
    let value = serde_json::to_value(line)?;
    write!(out, "{:<18}", line.event.kind.name())?;
    for (name, value) in value.as_object().into_iter().flatten() {
        match (name.as_str(), value) {
            ("kind" | "offset" | "lines" | "log", _) => {}
            (name, serde_json::Value::String(text)) if text.bytes().all(|b| b.is_ascii_graphic() && b != b'"') => {
                write!(out, " {name}={text}")?;
            }
            (name, value) => write!(out, " {name}={value}")?,
        }
    }
    writeln!(
        out,
        "  ({}{}@{})",
        line.log.unwrap_or_default(),
        if line.log.is_some() { " " } else { "" },
        line.event.offset
    )
}
