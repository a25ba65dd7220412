//! What a command writes and how it fails: standard output, standard error, exit codes.
//!
//! Invariant: a reader of our output that goes away (`gobeacon parse log | head -1`) ends the command silently and
//! is no failure.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use gobeacon_collectors::logs;

use crate::config::ConfigError;
use crate::export::{Off, SettingsError, StartError};
use crate::run::AgentError;

/// Every exit code there is, and what it means.
pub(crate) const EXIT_CODES: &[(&str, &str)] = &[
    ("0", "done; a reader of the output that goes away changes nothing"),
    (
        "1",
        "it ran and could not do a part of its work (a log that cannot be read, telemetry that was not delivered), or \
         found a failure and was asked to say so (`explain --exit-code`), or what was compared is not the same \
         (`cache diff`)",
    ),
    ("2", "the command line or the configuration has mistakes; `cache diff`: it cannot be compared"),
    ("126, 127", "`run`: the command cannot be run, there is no such command"),
    (
        "128 + n",
        "`agent` was told to stop a second time, by signal n, and ended at once; `run`: signal n ended the command",
    ),
    ("any other", "`run` ends as its command did"),
];

/// The shape of what a command prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    // no doc comments: they would make the help of every command longer
    Text,
    Json,
}

/// Why a command could not go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The command line is wrong, or asks for help.
    #[error(transparent)]
    Usage(#[from] clap::Error),
    /// Standard output could not be written.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
    /// The configuration has mistakes.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A pattern of logs cannot be used.
    #[error(transparent)]
    Logs(#[from] logs::Error),
    /// The configuration of the export has one.
    #[error(transparent)]
    Export(#[from] SettingsError),
    /// A file that the configuration of the export names cannot be used.
    #[error(transparent)]
    ExportFile(#[from] StartError),
    /// Telemetry was to be sent, and there is nowhere to send it.
    #[error("nothing can be sent: {0}")]
    NothingToExportTo(Off),
    /// A file that the command makes cannot be written.
    #[error("cannot write {}: {error}", path.display())]
    CannotWrite { path: PathBuf, error: io::Error },
    /// The operating system refuses what every program needs.
    #[error("cannot start: {0}")]
    NoRuntime(#[source] io::Error),
    /// The agent cannot start.
    #[error(transparent)]
    Agent(#[from] AgentError),
}

impl Error {
    /// Says it on standard error, and gives the exit code.
    pub(crate) fn report(self) -> ExitCode {
        match self {
            Self::Usage(error) => {
                let code = u8::try_from(error.exit_code()).unwrap_or(2);
                // help goes to standard output, which may be closed: nothing to be done then
                let _ = error.print();
                ExitCode::from(code)
            }
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Self::Agent(error) => {
                complain(&error);
                ExitCode::from(if error.is_misconfigured() { 2 } else { 1 })
            }
            Self::Output(_) | Self::CannotWrite { .. } | Self::NoRuntime(_) => {
                complain(&self);
                ExitCode::from(1)
            }
            Self::Config(_) | Self::Logs(_) | Self::Export(_) | Self::ExportFile(_) | Self::NothingToExportTo(_) => {
                complain(&self);
                ExitCode::from(2)
            }
        }
    }
}

/// Standard output, locked and buffered. Flush it at the end: only then is it known that all was written.
pub(crate) fn stdout() -> BufWriter<io::StdoutLock<'static>> {
    BufWriter::with_capacity(64 << 10, io::stdout().lock())
}

/// One line on standard error, where it is written at all.
pub(crate) fn complain(what: &dyn std::fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "gobeacon: {what}");
}
