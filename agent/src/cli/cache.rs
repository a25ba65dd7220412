//! `gobeacon cache`: what module caches and build caches hold, whether two hold the same, and what could go.
//!
//! A row of [`COMMANDS`] is a command of its own with a file of its own, as in the table of all commands.
//!
//! Invariant: only `prune` changes anything in a cache, and only when it is told to.

mod diff;
mod entries;
mod manifest;
pub(super) mod progress;
mod prune;
mod stat;
pub(super) mod table;
mod verify;
mod which;

use clap::ArgMatches;
use gobeacon_formats::Timestamp;

use super::{Error, Exit, Row, Subcommand, dispatch, output, row, style};

/// The commands, in the order of the help.
const COMMANDS: &[Row] = &[
    row::<stat::Stat>(),
    row::<verify::Verify>(),
    row::<manifest::Manifest>(),
    row::<diff::Diff>(),
    row::<prune::Prune>(),
];

/// The row in the table of all commands.
pub(super) const ROW: Row = Row { name: "cache", define, run };

fn define(command: clap::Command) -> clap::Command {
    let command =
        command.about("Look at module caches and build caches").subcommand_required(true).arg_required_else_help(true);
    COMMANDS.iter().fold(command, |command, row| command.subcommand((row.define)(clap::Command::new(row.name))))
}

fn run(matches: &ArgMatches) -> Result<Exit, Error> {
    dispatch(COMMANDS, matches)
}

/// Times in JSON are RFC 3339.
fn time(timestamp: Timestamp) -> Option<String> {
    jiff::Timestamp::from_nanosecond(timestamp.as_nanos().into()).ok().map(|it| it.to_string())
}
