//! One log, read from its beginning to its end: what `parse`, `replay` and `explain` have in common.
//!
//! Reads a piece, parses it, hands it on, forgets it: memory does not grow with the log.
//!
//! What is compressed with gzip is unpacked on the way: rotated logs often are.
//!
//! Invariant: the batches are those that the collector of logs would send for the same bytes, so a replay sees what
//! the agent sees.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;
use gobeacon_collectors::{Batch, Cause, Replay, Source, logs};
use gobeacon_formats::{LineCounts, Parser, Timestamp};
use sha2::{Digest, Sha256};

use super::Exit;
use super::output::{self, Error};

/// How much of a log is read at once.
const PIECE_BYTES: usize = 64 << 10;

/// Where a command reads a log from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Input {
    /// `-`.
    Stdin,
    /// A file.
    File(PathBuf),
}

impl From<PathBuf> for Input {
    fn from(path: PathBuf) -> Self {
        if path == Path::new("-") { Self::Stdin } else { Self::File(path) }
    }
}

impl std::fmt::Display for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stdin => f.write_str("standard input"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

impl Input {
    /// The inputs of a command: standard input where none is named.
    pub(super) fn all(files: Vec<PathBuf>) -> Vec<Self> {
        if files.is_empty() { vec![Self::Stdin] } else { files.into_iter().map(Self::from).collect() }
    }
}

/// Reads one log after the other and hands on their batches. A log that cannot be read is said, and the others are
/// read all the same.
///
/// # Errors
/// What `each` gives back ends the reading.
pub(super) fn read_all(
    inputs: &[Input],
    mut each: impl FnMut(&Input, Batch) -> Result<(), Error>,
) -> Result<Exit, Error> {
    let mut exit = Exit::Ok;
    for input in inputs {
        match read(input, &mut |batch| each(input, batch)) {
            Ok(()) => {}
            Err(Stop::Read(error)) => {
                output::complain(&format_args!("cannot read {input}: {error}"));
                exit = Exit::Failed;
            }
            Err(Stop::Each(error)) => return Err(error),
        }
    }
    Ok(exit)
}

/// Why a log was not read to its end.
enum Stop {
    Read(io::Error),
    Each(Error),
}

fn read(input: &Input, each: &mut dyn FnMut(Batch) -> Result<(), Error>) -> Result<(), Stop> {
    match input {
        Input::Stdin => read_from(io::stdin().lock(), None, Path::new("-"), gobeacon_collectors::now(), each),
        Input::File(path) => {
            let file = File::open(path).map_err(Stop::Read)?;
            let (source, written) = logs::identify(path, &file).map_err(Stop::Read)?;
            read_from(file, Some(source.id), path, written, each)
        }
    }
}

/// What gzip begins every file with: its magic and the only method there is.
const GZIP: &[u8] = &[0x1f, 0x8b, 8];

/// Unpacks what begins as gzip does; the rest is as it is.
fn read_from(
    reader: impl Read,
    id: Option<[u8; 16]>,
    path: &Path,
    observed: Timestamp,
    each: &mut dyn FnMut(Batch) -> Result<(), Error>,
) -> Result<(), Stop> {
    let mut reader = BufReader::with_capacity(PIECE_BYTES, reader);
    let packed = loop {
        match reader.fill_buf() {
            Ok(bytes) => break bytes.starts_with(GZIP),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Stop::Read(error)),
        }
    };
    match packed {
        true => read_plain(MultiGzDecoder::new(reader), id, path, observed, each),
        false => read_plain(reader, id, path, observed, each),
    }
}

/// A stream that has no identity is what it begins with.
fn read_plain(
    mut reader: impl Read,
    id: Option<[u8; 16]>,
    path: &Path,
    observed: Timestamp,
    each: &mut dyn FnMut(Batch) -> Result<(), Error>,
) -> Result<(), Stop> {
    let mut source = None;
    let mut parser = Parser::new();
    let mut piece = vec![0; PIECE_BYTES];
    let mut read_to = 0_u64;
    let mut before = LineCounts::default();
    loop {
        let length = match reader.read(&mut piece) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Stop::Read(error)),
        };
        let bytes = piece.get(..length).unwrap_or_default();
        let source = source.get_or_insert_with(|| {
            Arc::new(Source { id: id.unwrap_or_else(|| hash(&[bytes])), path: path.to_owned() })
        });
        let mut events = Vec::new();
        parser.feed(bytes, read_to, &mut events);
        read_to = read_to.saturating_add(length as u64);
        if length == 0 {
            parser.finish(&mut events);
        }
        let counts = parser.counts();
        each(Batch {
            source: Arc::clone(source),
            observed,
            events,
            lines: counts.since(before),
            bytes: length as u64,
            read_to,
            open_from: parser.open_from().unwrap_or(read_to),
            ended: length == 0,
            cause: Cause::Read,
            replay: Replay::No,
            bookmark: None,
        })
        .map_err(Stop::Each)?;
        before = counts;
        if length == 0 {
            return Ok(());
        }
    }
}

/// An id for what has none: made of bytes that tell it from others.
pub(super) fn hash(parts: &[&[u8]]) -> [u8; 16] {
    let hash = parts.iter().fold(Sha256::new(), |hash, part| hash.chain_update(part)).finalize();
    let mut id = [0; 16];
    id.iter_mut().zip(hash.iter()).for_each(|(to, from)| *to = *from);
    id
}
