//! Signals that are sent to us and meant for the command.
//!
//! Those that the terminal sends reach the command by themselves, as it stays in our process group: they are not
//! passed on a second time. Those that were ignored when we began stay ignored, for us and for the command.

use std::future::Future;
use std::io::{self, IsTerminal};
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// What is passed on, besides the change of size.
const PASSED_ON: &[(Signal, i32)] = &[
    (Signal::INT, 2),
    (Signal::TERM, 15),
    (Signal::HUP, 1),
    (Signal::QUIT, 3),
    (Signal::USR1, 10),
    (Signal::USR2, 12),
];
/// SIGWINCH.
const SIZE_CHANGED: i32 = 28;

/// The signals that we listen to.
pub(super) struct Signals {
    streams: Vec<(Signal, Stream)>,
}

impl Signals {
    /// Listens from now on.
    ///
    /// # Errors
    /// When a handler cannot be installed.
    pub(super) fn listen() -> io::Result<Self> {
        let ignored = ignored();
        let mut streams = Vec::new();
        for (name, number) in PASSED_ON {
            if ignored & (1 << (number - 1)) == 0 {
                streams.push((*name, signal(SignalKind::from_raw(raw(*name)))?));
            }
        }
        streams.push((Signal::WINCH, signal(SignalKind::from_raw(raw(Signal::WINCH)))?));
        Ok(Self { streams })
    }

    /// The next one.
    pub(super) fn next(&mut self) -> Next<'_> {
        Next(self)
    }
}

/// Waits for whichever comes first.
pub(super) struct Next<'a>(&'a mut Signals);

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
        super::streams::resize(terminals);
        return;
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
    let stdin = io::stdin();
    stdin.is_terminal() && rustix::termios::tcgetpgrp(&stdin).is_ok_and(|group| group == rustix::process::getpgrp())
}

fn raw(signal: Signal) -> i32 {
    if signal == Signal::WINCH {
        return SIZE_CHANGED;
    }
    signal.as_raw()
}

/// The signals that were ignored when we were started, as a bit mask; 0 where the system does not tell.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).map(str::trim);
    mask.and_then(|mask| u64::from_str_radix(mask, 16).ok()).unwrap_or(0)
}
