//! Signals that are sent to us and meant for the command.
//!
//! Those that the terminal sends reach the command by themselves, as it stays in our process group: they are not
//! passed on a second time. Those that were ignored when we began stay ignored, for us and for the command.

use std::fs::File;
use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

use crate::os;

/// What is passed on. The change of size last: it ends nothing.
const PASSED_ON: [Signal; 8] =
    [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT, Signal::USR1, Signal::USR2, Signal::ALARM, Signal::WINCH];

/// The signals that we listen to.
pub(crate) struct Signals {
    streams: Vec<(Signal, Stream)>,
    /// Held so that the end of the command can be learned: whoever started us may ignore SIGCHLD, and then the
    /// system would forget the exit code.
    _child: Stream,
}

impl Signals {
    /// Listens from now on, until the process ends.
    ///
    /// # Errors
    /// When a handler cannot be installed.
    pub(crate) fn listen() -> io::Result<Self> {
        let ignored = os::ignored_signals();
        let mut streams = Vec::new();
        for name in PASSED_ON {
            let number = name.as_raw();
            let bit = u32::try_from(number - 1).ok().and_then(|shift| 1_u64.checked_shl(shift)).unwrap_or(0);
            if ignored & bit == 0 {
                streams.push((name, signal(SignalKind::from_raw(number))?));
            }
        }
        Ok(Self { streams, _child: signal(SignalKind::child())? })
    }

    /// The next one.
    pub(crate) fn next(&mut self) -> Next<'_> {
        Next(self)
    }

    /// The next one that asks us to end, as the exit code of whom it ends.
    pub(crate) async fn ending(&mut self) -> u8 {
        loop {
            let signal = self.next().await;
            if signal != Signal::WINCH {
                return super::killed(signal.as_raw());
            }
        }
    }
}

/// Waits for whichever comes first.
pub(crate) struct Next<'a>(&'a mut Signals);

impl Future for Next<'_> {
    type Output = Signal;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Signal> {
        for (name, stream) in &mut self.0.streams {
            if stream.poll_recv(context).is_ready() {
                return Poll::Ready(*name);
            }
        }
        Poll::Pending
    }
}

/// Hands a signal to the command.
pub(super) fn pass_on(signal: Signal, pid: Option<u32>, terminals: &[OwnedFd]) {
    if signal == Signal::WINCH {
        // the command heard of the change from the terminal, maybe before its own terminal had the new size
        super::streams::resize(terminals);
    }
    let key = signal == Signal::INT || signal == Signal::QUIT;
    if key && from_terminal() {
        return;
    }
    let pid = pid.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // it may be gone already: then its exit is on the way
        let _ = kill_process(pid, signal);
    }
}

/// Whether a key of the terminal may have sent it: then all of our process group has it.
fn from_terminal() -> bool {
    let Ok(terminal) = File::open("/dev/tty") else { return false };
    rustix::termios::tcgetpgrp(&terminal).is_ok_and(|group| group == rustix::process::getpgrp())
}
