//! Runs a command as if nobody stood between, and reads along what it writes.
//!
//! Standard input is inherited. Standard output and error are read and passed on byte for byte: through a pipe where
//! ours are pipes or files, through a pseudo-terminal where ours are terminals, and through one and the same where
//! ours are one and the same, so that the order of what is written stays. The command stays in our process group and
//! session: the terminal's keys reach it as ever.
//!
//! Invariants: nothing is added to, taken from or held back in the streams; its environment and working directory
//! are ours; its exit is told as a shell tells it.

mod relay;
mod signals;
mod streams;

use std::ffi::OsString;
use std::io;
use std::process::ExitStatus;
use std::time::Duration;

pub(crate) use relay::{Piece, Stream};

/// How long what is left behind (a grandchild that holds the streams) may go on writing through us.
const LEFT_BEHIND: Duration = Duration::from_secs(2);

/// How the command ended, as a shell would say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ended {
    /// 0..=255, or 128 and the number of the signal.
    pub(crate) code: u8,
}

/// Why the command did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WrapError {
    /// No such program.
    #[error("{program}: command not found")]
    NotFound {
        /// As it was given.
        program: String,
    },
    /// It is there and cannot be run.
    #[error("{program}: {source}")]
    NotExecutable {
        /// As it was given.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// Pipes or threads could not be made.
    #[error("cannot set up the streams of the command: {0}")]
    Streams(#[from] io::Error),
}

impl WrapError {
    /// What a shell exits with.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::NotFound { .. } => 127,
            Self::NotExecutable { .. } => 126,
            Self::Streams(_) => 125,
        }
    }
}

/// Runs `command` to its end; `each` gets what it wrote, after it was passed on.
///
/// # Errors
/// When the command cannot be started. Whatever happens later is told by its exit code.
pub(crate) async fn run(command: &[OsString], mut each: impl FnMut(Piece)) -> Result<Ended, WrapError> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(WrapError::NotFound { program: String::new() });
    };
    // before the start: a signal that comes at once must find somebody
    let mut signals = signals::Signals::listen()?;
    let streams = streams::Streams::open()?;
    let mut child = tokio::process::Command::new(program);
    child.args(arguments).stdout(streams.stdout).stderr(streams.stderr);
    let mut child = child.spawn().map_err(|source| not_started(program, source))?;
    // our copies of its ends must go, or the streams never end
    let mut pieces = relay::start(streams.reads)?;
    let pid = child.id();
    let status = loop {
        tokio::select! {
            biased;
            status = child.wait() => break status?,
            Some(piece) = pieces.recv() => each(piece),
            signal = signals.next() => signals::pass_on(signal, pid, &streams.terminals),
        }
    };
    let deadline = tokio::time::sleep(LEFT_BEHIND);
    tokio::pin!(deadline);
    loop {
        tokio::select! {
            piece = pieces.recv() => match piece {
                Some(piece) => each(piece),
                None => break,
            },
            () = &mut deadline => break,
        }
    }
    Ok(Ended { code: code(status) })
}

fn not_started(program: &OsString, source: io::Error) -> WrapError {
    let program = program.to_string_lossy().into_owned();
    if source.kind() == io::ErrorKind::NotFound {
        WrapError::NotFound { program }
    } else {
        WrapError::NotExecutable { program, source }
    }
}

/// As `$?` has it.
fn code(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => u8::try_from(code & 0xff).unwrap_or(u8::MAX),
        (None, Some(signal)) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        (None, None) => u8::MAX,
    }
}
