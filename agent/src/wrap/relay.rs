//! Passes on what the command writes, byte for byte, and hands over a copy to be read.
//!
//! One thread a stream. A stream that cannot be written any more is closed towards the command too, so that it sees
//! the broken pipe that it would have seen.
//!
//! Invariant: bytes are passed on before they are looked at; what is waiting to be looked at is bounded by
//! [`WAITING`] pieces, and a full channel slows the command as a slow terminal would.

use std::fs::File;
use std::io::{self, Read as _, Write};
use std::os::fd::{AsFd, OwnedFd};

use tokio::sync::mpsc;

/// Bytes read at once.
const PIECE_BYTES: usize = 64 << 10;
/// Pieces waiting to be parsed: 4 MiB at most.
const WAITING: usize = 64;

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

/// Starts a thread for each. The channel ends when all streams have.
///
/// # Errors
/// When a thread cannot be had.
pub(super) fn start(reads: Vec<Read>) -> io::Result<mpsc::Receiver<Piece>> {
    let (send, receive) = mpsc::channel(WAITING);
    for read in reads {
        let send = send.clone();
        let to = match read.to {
            Stream::Out => io::stdout().as_fd().try_clone_to_owned()?,
            Stream::Err => io::stderr().as_fd().try_clone_to_owned()?,
        };
        std::thread::Builder::new()
            .name("relay".to_owned())
            .spawn(move || relay(File::from(read.from), File::from(to), read.to, &send))?;
    }
    Ok(receive)
}

fn relay(mut from: File, mut to: File, stream: Stream, send: &mpsc::Sender<Piece>) {
    let mut buffer = vec![0; PIECE_BYTES];
    loop {
        let length = match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // EIO: the other end of a pseudo-terminal is closed
            Err(_) => return,
        };
        let bytes = buffer.get(..length).unwrap_or_default();
        if to.write_all(bytes).is_err() {
            return;
        }
        // nobody listens any more: go on passing bytes through
        let _ = send.blocking_send(Piece { stream, bytes: bytes.to_vec() });
    }
}
