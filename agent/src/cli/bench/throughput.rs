//! What a log costs: each program tails an empty file, the log is appended as fast as the disk takes it, and the time
//! on the processor counts from the first byte until everything is counted (and, for gobeacon, every span has arrived).
//!
//! Invariant: a figure is given for right counts only.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use super::child;
use super::counts::Counts;
use super::receiver::Receiver;
use super::tool::Tool;
use crate::os::Usage;

/// How often the page is asked for, and how long the receiver must be quiet until all spans have come.
const ASK_EVERY: Duration = Duration::from_millis(250);
const QUIET: Duration = Duration::from_millis(1500);
/// A program that is slower than this, in bytes a second, is given up.
const SLOWEST: u64 = 2_000_000;
/// How much is read at once.
const BLOCK_BYTES: usize = 128 << 10;

/// A log on disk and the truth about it.
#[derive(Debug)]
pub(super) struct Log<'a> {
    pub(super) path: &'a Path,
    pub(super) bytes: u64,
    pub(super) truth: Counts,
}

/// What it cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    pub(super) cpu_seconds: f64,
    pub(super) wall_seconds: f64,
    pub(super) peak_bytes: u64,
    pub(super) counts: Counts,
}

/// The cost of a program that does nothing but count: the bound of all.
pub(super) fn bound(log: &Log<'_>, mut progress: impl FnMut(u64)) -> io::Result<Cost> {
    let (began, cpu) = (Instant::now(), thread_seconds());
    let (mut file, mut buffer, mut counts) = (File::open(log.path)?, vec![0; 2 * BLOCK_BYTES], Counts::default());
    let (mut held, mut total) = (0, 0);
    loop {
        let read = file.read(buffer.get_mut(held..).unwrap_or_default())?;
        let there = buffer.get(..held + read).unwrap_or_default();
        if read == 0 {
            break;
        }
        let whole = memchr::memrchr(b'\n', there).map_or(0, |at| at + 1);
        counts.add(there.get(..whole).unwrap_or_default());
        buffer.copy_within(whole..held + read, 0);
        held = held + read - whole;
        total += read as u64;
        progress(total);
    }
    let cpu_seconds = thread_seconds() - cpu;
    Ok(Cost { cpu_seconds, wall_seconds: began.elapsed().as_secs_f64(), peak_bytes: 0, counts })
}

/// The cost of a program that tails `to`, which is empty. `spans` is where what it exports arrives.
///
/// # Errors
/// The log cannot be written, or the program does not come to its end: a sentence that says so.
pub(super) fn follow(
    tool: &mut Tool,
    log: &Log<'_>,
    to: &Path,
    spans: Option<&Receiver>,
    mut progress: impl FnMut(u64),
) -> Result<Cost, String> {
    let (began, before) = (Instant::now(), tool.running.usage());
    append(log.path, to, &mut progress).map_err(|error| format!("the log cannot be written: {error}"))?;
    let within = Duration::from_secs(60 + log.bytes / SLOWEST);
    let mut last = Counts::default();
    let reached = child::wait(within, ASK_EVERY, || {
        last = tool.counts().unwrap_or(last);
        progress(log.bytes);
        last.reached(log.truth).then_some(()).map(Ok).or_else(|| tool.running.has_ended().then_some(Err(())))
    });
    match reached {
        Some(Ok(())) => {}
        Some(Err(())) => return Err(format!("it ended: {}", tool.running.last_words())),
        None => return Err(format!("after {within:?} it had counted {last:?}, not {:?}", log.truth)),
    }
    if let Some(receiver) = spans {
        settled(receiver, within);
    }
    let Usage { cpu_seconds, peak_bytes, .. } = tool.running.usage();
    let wall_seconds = began.elapsed().as_secs_f64();
    let counts = tool.counts().unwrap_or(last);
    if counts != log.truth {
        return Err(format!("it counted {counts:?}, and the truth is {:?}", log.truth));
    }
    Ok(Cost { cpu_seconds: cpu_seconds - before.cpu_seconds, wall_seconds, peak_bytes, counts })
}

/// Appends one file to another.
fn append(from: &Path, to: &Path, progress: &mut impl FnMut(u64)) -> io::Result<()> {
    let (mut from, mut to) = (File::open(from)?, File::options().append(true).open(to)?);
    let (mut buffer, mut total) = (vec![0; 8 * BLOCK_BYTES], 0);
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        to.write_all(buffer.get(..read).unwrap_or_default())?;
        total += read as u64;
        progress(total);
    }
}

/// Waits until no span comes any more.
fn settled(receiver: &Receiver, within: Duration) {
    let (mut last, mut since) = (receiver.totals(), Instant::now());
    child::wait(within, ASK_EVERY, || {
        let now = receiver.totals();
        if now != last {
            (last, since) = (now, Instant::now());
        }
        (since.elapsed() >= QUIET).then_some(())
    });
}

/// Time of this thread on the processor.
fn thread_seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
