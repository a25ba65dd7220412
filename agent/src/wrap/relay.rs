//! Passes on what the command writes, byte for byte, and hands over a copy to be read.
//!
//! One thread a stream. When whoever reads our stream is gone, the command's stream is closed at once, so that it
//! meets the broken pipe that it would have met. After the command's end, all that it wrote is passed on however slow
//! the reader; whom it left behind with its streams is heard for [`LEFT_BEHIND`].
//!
//! Invariant: bytes are passed on before they are looked at; what is waiting to be looked at is bounded by
//! [`WAITING`] pieces, and a full channel slows the command as a slow terminal would.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::sync::mpsc;

/// Bytes read at once.
const PIECE_BYTES: usize = 64 << 10;
/// Pieces waiting to be parsed: 4 MiB at most.
const WAITING: usize = 64;
/// How long what the command left behind (a grandchild that holds its streams) may go on writing through us.
const LEFT_BEHIND: Duration = Duration::from_secs(1);

/// One of the two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output, or both where they are one.
    Out,
    /// Standard error.
    Err,
}

/// Something the command wrote.
#[derive(Debug)]
pub(crate) struct Piece {
    /// Where.
    pub(crate) stream: Stream,
    /// What.
    pub(crate) bytes: Vec<u8>,
}

/// A stream to be passed on.
pub(super) struct Read {
    /// Our end of it.
    pub(super) from: OwnedFd,
    /// Ours, where it goes.
    pub(super) to: Stream,
}

/// The threads at work.
pub(super) struct Relays {
    /// Ends when all streams have.
    pub(super) pieces: mpsc::Receiver<Piece>,
    threads: Vec<JoinHandle<io::Result<()>>>,
    /// Dropped at the command's end: that is how the threads learn of it.
    running: Option<PipeWriter>,
}

impl Relays {
    /// Starts a thread for each.
    ///
    /// # Errors
    /// When a thread cannot be had.
    pub(super) fn start(reads: Vec<Read>) -> io::Result<Self> {
        let (send, pieces) = mpsc::channel(WAITING);
        let (ended, running) = io::pipe()?;
        let mut threads = Vec::new();
        for read in reads {
            let to = match read.to {
                Stream::Out => io::stdout().as_fd().try_clone_to_owned()?,
                Stream::Err => io::stderr().as_fd().try_clone_to_owned()?,
            };
            let relay = Relay {
                from: File::from(read.from),
                to: File::from(to),
                stream: read.to,
                ended: ended.try_clone()?,
                send: send.clone(),
            };
            threads.push(std::thread::Builder::new().name("relay".to_owned()).spawn(move || relay.run())?);
        }
        Ok(Self { pieces, threads, running: Some(running) })
    }

    /// Tells that the command has ended.
    pub(super) fn command_ended(&mut self) {
        self.running = None;
    }

    /// After the last piece.
    ///
    /// # Errors
    /// When bytes could not be written for another reason than that nobody reads them.
    pub(super) fn finish(self) -> io::Result<()> {
        for thread in self.threads {
            thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread that passes bytes on has panicked")))?;
        }
        Ok(())
    }
}

struct Relay {
    from: File,
    to: File,
    stream: Stream,
    ended: PipeReader,
    send: mpsc::Sender<Piece>,
}

/// After the command's end.
struct Rest {
    /// What was in the pipe at its end and is not passed on yet, in bytes.
    owed: u64,
    /// Until then whom it left behind is heard.
    until: Instant,
}

/// What there is to do.
#[derive(Default)]
struct Ready {
    read: bool,
    nobody_reads: bool,
    command_ended: bool,
}

impl Relay {
    fn run(mut self) -> io::Result<()> {
        let mut buffer = vec![0; PIECE_BYTES];
        let mut rest: Option<Rest> = None;
        loop {
            let ready = self.wait(rest.as_ref())?;
            if ready.nobody_reads {
                return Ok(());
            }
            if ready.command_ended && rest.is_none() {
                let owed = rustix::io::ioctl_fionread(&self.from).unwrap_or(0);
                rest = Some(Rest { owed, until: Instant::now() + LEFT_BEHIND });
            }
            if ready.read {
                let passed = self.pass_on(&mut buffer)?;
                if passed == 0 {
                    return Ok(());
                }
                if let Some(rest) = &mut rest {
                    rest.owed = rest.owed.saturating_sub(passed as u64);
                }
            }
            if rest.as_ref().is_some_and(|rest| rest.owed == 0 && rest.until <= Instant::now()) {
                return Ok(());
            }
        }
    }

    /// Waits for bytes, for the reader to go, for the command's end, or for the end of the patience after that.
    fn wait(&self, rest: Option<&Rest>) -> io::Result<Ready> {
        let mut wanted = vec![
            PollFd::new(&self.from, PollFlags::IN),
            // nothing is asked of it: only errors are told
            PollFd::new(&self.to, PollFlags::empty()),
        ];
        if rest.is_none() {
            wanted.push(PollFd::new(&self.ended, PollFlags::IN));
        }
        let left = rest.map(|rest| rest.until.saturating_duration_since(Instant::now()));
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut wanted, timeout.as_ref()) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(Ready::default()),
            Err(error) => return Err(error.into()),
        }
        let told = |nth: usize| wanted.get(nth).map_or(PollFlags::empty(), PollFd::revents);
        Ok(Ready {
            read: !told(0).is_empty(),
            nobody_reads: told(1).intersects(PollFlags::ERR | PollFlags::HUP),
            command_ended: !told(2).is_empty(),
        })
    }

    /// Passes on what there is; 0 when the stream ends or nobody reads ours any more.
    fn pass_on(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // an error is an end too: EIO says that the other end of a pseudo-terminal is closed
        let length = rustix::io::retry_on_intr(|| rustix::io::read(&self.from, &mut *buffer)).unwrap_or_default();
        let bytes = buffer.get(..length).unwrap_or_default();
        if bytes.is_empty() || !self.write(bytes)? {
            return Ok(0);
        }
        // nobody listens any more: go on passing bytes through
        let _ = self.send.blocking_send(Piece { stream: self.stream, bytes: bytes.to_vec() });
        Ok(length)
    }

    /// Writes all; `false` when nobody reads.
    fn write(&mut self, mut bytes: &[u8]) -> io::Result<bool> {
        while !bytes.is_empty() {
            match self.to.write(bytes) {
                Ok(length) => bytes = bytes.get(length..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // somebody who shares our stream made it so
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let _ = poll(&mut [PollFd::new(&self.to, PollFlags::OUT)], None);
                }
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}
