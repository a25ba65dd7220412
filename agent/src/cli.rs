//! The command line: one table of subcommands, one file a subcommand.
//!
//! A row of [`COMMANDS`] feeds the parser, the help, the completions, the man pages and the reference page. What a
//! command does is in its own file; this one knows only how a command is found, run and ended.
//!
//! Invariant: every way out of a command is an [`Exit`] or an [`Error`], and both have one of the documented codes.

mod agent;
mod bench;
mod cache;
mod completions;
mod config;
mod explain;
mod man;
mod output;
mod parse;
mod reading;
mod replay;
mod run;
mod style;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{ArgMatches, Args};

pub(crate) use output::{EXIT_CODES, Error};

/// The subcommands, in the order of the help.
const COMMANDS: &[Row] = &[
    row::<agent::Agent>(),
    row::<run::Run>(),
    row::<explain::Explain>(),
    row::<parse::Parse>(),
    row::<replay::Replay>(),
    cache::ROW,
    row::<bench::Bench>(),
    row::<config::ConfigCommand>(),
    row::<completions::Completions>(),
    row::<man::Man>(),
];

const ABOUT: &str = "Tells why Go builds are slow, why they fail, and whether what is built is what it should be";

const EXAMPLES: &str = "\
Examples:
  gobeacon run -- go test ./...                   where the time went, and why it failed
  gobeacon explain build.log                      what failed, where, why, and what to do
  gobeacon replay build.log                       the build as a waterfall of spans
  gobeacon cache stat                             what is in the module and build caches, how large, how old
  gobeacon parse --format json build.log          what the log says, one event a line
  gobeacon agent --logs '/var/log/pods/*/*/*.log' --otlp-endpoint http://localhost:4317
                                                  follow logs into metrics, traces and log events
";

/// How a command ended, when nothing kept it from running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: done, and nothing was wrong.
    Ok,
    /// 1: it ran, and found a failure or could not do a part of its work. The reason has been said.
    Failed,
    /// 2: it could not find out what it was asked. The reason has been said.
    CouldNotTell,
    /// 128 + n: signal n ended it at once.
    Killed(u8),
    /// That of the command that was run.
    Code(u8),
}

impl Exit {
    /// The worse of both.
    fn or(self, other: Self) -> Self {
        if self == Self::Ok { other } else { self }
    }
}

/// A subcommand: its arguments and what it does with them.
trait Subcommand: Args {
    /// The word that selects it.
    const NAME: &'static str;
    /// Does it.
    fn run(self) -> Result<Exit, Error>;
}

/// One row of the table.
struct Row {
    name: &'static str,
    define: fn(clap::Command) -> clap::Command,
    run: fn(&ArgMatches) -> Result<Exit, Error>,
}

const fn row<S: Subcommand>() -> Row {
    Row { name: S::NAME, define: S::augment_args, run: |matches| S::from_arg_matches(matches)?.run() }
}

/// Reads the arguments, runs the command, says what went wrong, and gives the exit code.
pub(crate) fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let ended =
        command().try_get_matches_from(arguments).map_err(Error::from).and_then(|matches| dispatch(COMMANDS, &matches));
    match ended {
        Ok(Exit::Ok) => ExitCode::SUCCESS,
        Ok(Exit::Failed) => ExitCode::from(1),
        Ok(Exit::CouldNotTell) => ExitCode::from(2),
        Ok(Exit::Killed(code)) => ExitCode::from(code),
        Ok(Exit::Code(code)) => ExitCode::from(code),
        Err(error) => error.report(),
    }
}

/// The whole command line as clap knows it.
pub(crate) fn command() -> clap::Command {
    let root = clap::Command::new("gobeacon")
        .about(ABOUT)
        .version(version())
        .after_long_help(after_help())
        .subcommand_required(true)
        .arg_required_else_help(true)
        .max_term_width(100);
    COMMANDS.iter().fold(root, |root, row| root.subcommand((row.define)(clap::Command::new(row.name))))
}

/// The version, with the commit where `GOBEACON_COMMIT` named it to the compiler.
fn version() -> String {
    let version = env!("CARGO_PKG_VERSION");
    option_env!("GOBEACON_COMMIT").map_or_else(|| version.to_owned(), |commit| format!("{version} ({commit})"))
}

/// Examples and exit codes.
fn after_help() -> String {
    let mut codes = style::Page::new(100);
    EXIT_CODES.iter().for_each(|(code, meaning)| codes.wrapped(2, &format!("{code:<9} "), style::PLAIN, meaning));
    format!("{EXAMPLES}\nExit status:\n{}", codes.text(false))
}

/// Runs the command of the table that the arguments name.
fn dispatch(commands: &[Row], matches: &ArgMatches) -> Result<Exit, Error> {
    let found = matches.subcommand().and_then(|(name, matches)| {
        let row = commands.iter().find(|row| row.name == name)?;
        Some((row.run)(matches))
    });
    found.unwrap_or(Ok(Exit::Failed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }
}
