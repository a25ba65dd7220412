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

use std::ffi::{OsStr, OsString};
use std::io;
use std::process::ExitStatus;

use tokio::process::{Child, Command};

pub(crate) use relay::{Piece, Stream};
pub(crate) use signals::Signals;

/// How the command ended, as a shell would say it.
#[derive(Debug)]
pub(crate) struct Ended {
    /// 0..=255, or 128 and the number of the signal.
    pub(crate) code: u8,
    /// Why something that it wrote did not get to where our streams go, if so.
    pub(crate) lost: Option<io::Error>,
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

/// Runs `command` to its end; `each` gets what it wrote, after it was passed on. `signals` listen since before, so
/// that one that comes at once finds somebody.
///
/// # Errors
/// When the command cannot be started. Whatever happens later is told by its exit code.
pub(crate) async fn run(
    command: &[OsString],
    signals: &mut Signals,
    mut each: impl FnMut(Piece),
) -> Result<Ended, WrapError> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(WrapError::NotFound { program: String::new() });
    };
    let streams = streams::Streams::open()?;
    let mut child = start(program, arguments, streams.ends)?;
    let mut relays = relay::Relays::start(streams.reads)?;
    let pid = child.id();
    let status = loop {
        tokio::select! {
            biased;
            status = child.wait() => break status?,
            signal = signals.next() => signals::pass_on(signal, pid, &streams.terminals),
            Some(piece) = relays.pieces.recv() => each(piece),
        }
    };
    relays.command_ended();
    loop {
        tokio::select! {
            biased;
            // whoever reads our streams is slow, and somebody lost patience with us
            code = signals.ending() => return Ok(Ended { code, lost: None }),
            piece = relays.pieces.recv() => match piece {
                Some(piece) => each(piece),
                None => break,
            },
        }
    }
    Ok(Ended { code: code(status), lost: relays.finish().err() })
}

/// Starts it. Our copies of its ends are closed here: while they are open, its streams do not end.
fn start(program: &OsStr, arguments: &[OsString], ends: streams::Ends) -> Result<Child, WrapError> {
    let spawn = |program: &OsStr, before: Option<&OsStr>| {
        let ends = ends.try_clone()?;
        Command::new(program).args(before).args(arguments).stdout(ends.stdout).stderr(ends.stderr).spawn()
    };
    let started = spawn(program, None).or_else(|error| match error.raw_os_error() {
        // a script that does not say what runs it: shells run it themselves
        Some(code) if code == rustix::io::Errno::NOEXEC.raw_os_error() => spawn(OsStr::new("/bin/sh"), Some(program)),
        _ => Err(error),
    });
    started.map_err(|source| not_started(program, source))
}

fn not_started(program: &OsStr, source: io::Error) -> WrapError {
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
        (None, Some(signal)) => killed(signal),
        (None, None) => u8::MAX,
    }
}

/// The exit code of whom this signal ended.
fn killed(signal: i32) -> u8 {
    u8::try_from(signal.saturating_add(128)).unwrap_or(u8::MAX)
}
