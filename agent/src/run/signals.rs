//! The signals that end the agent, and the one that has it read its configuration again.

use std::io::{self, IsTerminal};

use tokio::signal::unix::{self, SignalKind};

/// A signal that asks the agent to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// From a keyboard.
    Interrupt,
    /// From systemd or Kubernetes.
    Terminate,
    /// From a terminal that went away.
    Hangup,
}

impl Signal {
    /// Its name for people.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
            Self::Hangup => "SIGHUP",
        }
    }

    /// The exit code that shells give to a death by it.
    pub(crate) const fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
            Self::Hangup => 129,
        }
    }
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// To end.
    End(Signal),
    /// To read the configuration again.
    Reread,
}

/// Catches the signals from when it is made.
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: unix::Signal,
    terminate: unix::Signal,
    hangup: unix::Signal,
    has_terminal: bool,
}

impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let [interrupt, terminate, hangup] = kinds.map(unix::signal);
        // asked now: a terminal that went away is none any more
        let has_terminal = io::stdin().is_terminal();
        Ok(Self { interrupt: interrupt?, terminate: terminate?, hangup: hangup?, has_terminal })
    }

    /// The next one that comes. SIGHUP ends the agent only where there is a terminal to lose.
    pub(super) async fn next(&mut self) -> Told {
        tokio::select! {
            Some(()) = self.interrupt.recv() => Told::End(Signal::Interrupt),
            Some(()) = self.terminate.recv() => Told::End(Signal::Terminate),
            Some(()) = self.hangup.recv() => {
                if self.has_terminal { Told::End(Signal::Hangup) } else { Told::Reread }
            }
            else => std::future::pending().await,
        }
    }
}
