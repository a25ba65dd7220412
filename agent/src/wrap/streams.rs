//! What the command gets as standard output and error, and what we read of it.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, OptionalActions, OutputModes, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize};

use super::relay::{Read, Stream};

/// The command's ends.
pub(super) struct Ends {
    /// Its standard output.
    pub(super) stdout: OwnedFd,
    /// Its standard error.
    pub(super) stderr: OwnedFd,
}

impl Ends {
    /// The same ends again.
    ///
    /// # Errors
    /// When there are no file descriptors left.
    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { stdout: self.stdout.try_clone()?, stderr: self.stderr.try_clone()? })
    }
}

/// The ends of both sides.
pub(super) struct Streams {
    /// For the command.
    pub(super) ends: Ends,
    /// For us.
    pub(super) reads: Vec<Read>,
    /// Pseudo-terminals, to pass on a change of size.
    pub(super) terminals: Vec<OwnedFd>,
}

impl Streams {
    /// Opens what our own streams call for.
    ///
    /// # Errors
    /// When pipes or pseudo-terminals cannot be had.
    pub(super) fn open() -> io::Result<Self> {
        let (stdout, stderr) = (io::stdout(), io::stderr());
        let mut terminals = Vec::new();
        let one = same_file(stdout.as_fd(), stderr.as_fd());
        let (out_read, out_write) = pair(stdout.as_fd(), stdout.is_terminal(), &mut terminals)?;
        if one {
            let second = out_write.try_clone()?;
            let reads = vec![Read { from: out_read, to: Stream::Out }];
            return Ok(Self { ends: Ends { stdout: out_write, stderr: second }, reads, terminals });
        }
        let (err_read, err_write) = pair(stderr.as_fd(), stderr.is_terminal(), &mut terminals)?;
        let reads = vec![Read { from: out_read, to: Stream::Out }, Read { from: err_read, to: Stream::Err }];
        Ok(Self { ends: Ends { stdout: out_write, stderr: err_write }, reads, terminals })
    }
}

/// Our end and the command's end.
fn pair(ours: BorrowedFd<'_>, terminal: bool, terminals: &mut Vec<OwnedFd>) -> io::Result<(OwnedFd, OwnedFd)> {
    if !terminal {
        let (read, write) = io::pipe()?;
        return Ok((read.into(), write.into()));
    }
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    rustix::io::fcntl_setfd(&master, rustix::io::FdFlags::CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let name = ptsname(&master, Vec::new())?;
    let slave = rustix::fs::open(name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
    // the settings of the real one, but bytes go through as they are: the real one ends lines and echoes
    let mut settings = tcgetattr(ours)?;
    settings.output_modes.remove(OutputModes::OPOST);
    settings.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
    tcsetattr(&slave, OptionalActions::Now, &settings)?;
    if let Ok(size) = tcgetwinsize(ours) {
        tcsetwinsize(&slave, size)?;
    }
    terminals.push(master.try_clone()?);
    Ok((master, slave))
}

/// Whether both are the same open terminal, pipe or file.
fn same_file(a: BorrowedFd<'_>, b: BorrowedFd<'_>) -> bool {
    match (rustix::fs::fstat(a), rustix::fs::fstat(b)) {
        (Ok(a), Ok(b)) => (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino),
        _ => false,
    }
}

/// Gives the pseudo-terminals the size of the real one.
pub(super) fn resize(terminals: &[OwnedFd]) {
    let Ok(size) = tcgetwinsize(io::stdout().as_fd()).or_else(|_| tcgetwinsize(io::stderr().as_fd())) else { return };
    for terminal in terminals {
        // a terminal that is gone has nobody to tell
        let _ = tcsetwinsize(terminal, size);
    }
}
