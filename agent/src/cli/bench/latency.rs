//! How late a line is seen: on the page of metrics, and as a span at the receiver; and what an agent costs that has
//! nothing to do.
//!
//! Each probe is two lines of which the generated log has none: their counter and their span are theirs alone.
//!
//! Invariant: the clock of a probe starts before its bytes are written.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::child;
use super::corpus::Corpus;
use super::receiver::Receiver;
use super::tool::Tool;

/// How long a probe may take before it counts as lost.
const LOST: Duration = Duration::from_secs(60);
/// How often it is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// Between two probes.
const GAP: Duration = Duration::from_millis(100);
/// The writer of the load makes as many appends a second as a busy job.
const APPENDS_A_SECOND: u64 = 20;
/// After the start, until it counts as idle.
const STARTED: Duration = Duration::from_secs(5);

/// Times of many probes, in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Spread {
    probes: usize,
    p50: f64,
    p95: f64,
    p99: f64,
    most: f64,
}

/// What probes showed.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Latency {
    /// Until the counter on the page has them.
    pub(super) metric: Spread,
    /// Until the receiver has their span.
    pub(super) span: Spread,
}

/// An agent with nothing to do.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Idle {
    pub(super) files: u64,
    pub(super) seconds: f64,
    /// Of one core.
    pub(super) cpu_percent: f64,
    pub(super) resident_mib: f64,
}

/// Logs that nothing was written to for long, and an agent that follows them.
#[derive(Debug)]
pub(super) struct Quiet<'a> {
    pub(super) tool: Tool,
    pub(super) receiver: &'a Receiver,
    dir: PathBuf,
    files: u64,
    probes: u64,
}

impl<'a> Quiet<'a> {
    /// Makes so many files, and at least one, in a folder of their own.
    pub(super) fn start(program: &Path, receiver: &'a Receiver, dir: &Path, files: u64) -> io::Result<Self> {
        let logs = dir.join("logs");
        fs::create_dir_all(&logs)?;
        for n in 0..files.max(1) {
            fs::write(log(&logs, n), "one line\n")?;
        }
        let tool = Tool::gobeacon(program, &logs.join("*.log"), dir, receiver)?;
        Ok(Self { tool, receiver, dir: logs, files: files.max(1), probes: 0 })
    }

    /// What it costs to have nothing to do.
    pub(super) fn idle(&self, during: Duration) -> Idle {
        std::thread::sleep(STARTED);
        let (before, began) = (self.tool.running.usage(), Instant::now());
        std::thread::sleep(during);
        let (after, seconds) = (self.tool.running.usage(), began.elapsed().as_secs_f64());
        let cpu_seconds = (after.exact_cpu_seconds - before.exact_cpu_seconds).max(0.0);
        let cpu_percent = 100.0 * cpu_seconds / seconds;
        Idle { files: self.files, seconds, cpu_percent, resident_mib: after.resident_bytes as f64 / 1_048_576.0 }
    }

    /// So many probes, each after this silence.
    ///
    /// # Errors
    /// A file cannot be written, or a probe is lost: a sentence that says so.
    pub(super) fn probe(
        &mut self,
        probes: u64,
        silence: Duration,
        mut progress: impl FnMut(u64),
    ) -> Result<Option<Latency>, String> {
        let (mut metric, mut span) = (Vec::new(), Vec::new());
        for n in 0..probes {
            progress(n);
            std::thread::sleep(silence.max(GAP));
            let (to_metric, to_span) = self.one()?;
            metric.push(to_metric);
            span.push(to_span);
        }
        Ok(Spread::of(metric).zip(Spread::of(span)).map(|(metric, span)| Latency { metric, span }))
    }

    /// The same while another log grows by so many bytes a second.
    ///
    /// # Errors
    /// As [`Self::probe`].
    pub(super) fn probe_under_load(
        &mut self,
        probes: u64,
        bytes_a_second: u64,
        progress: impl FnMut(u64),
    ) -> Result<Option<Latency>, String> {
        let (path, is_over) = (self.dir.join("load.log"), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| load(&path, bytes_a_second, &is_over));
            let found = self.probe(probes, GAP, progress);
            is_over.store(true, Ordering::Relaxed);
            match writer.join() {
                Ok(Ok(())) => found,
                Ok(Err(error)) => Err(format!("the load cannot be written: {error}")),
                Err(_) => Err("the writer of the load crashed".to_owned()),
            }
        })
    }

    fn one(&mut self) -> Result<(Duration, Duration), String> {
        self.probes += 1;
        let (n, receiver, address) = (self.probes, self.receiver, self.tool.address);
        let name = format!("probe.example/number/{n}/of/this/run");
        receiver.await_name(&name);
        let lines = format!("go: downloading go1.99.{n} (linux/amd64)\nok  \t{name}\t0.001s\n");
        // a few files far apart, so that neither the first nor the last of the list is preferred
        let path = log(&self.dir, n.wrapping_mul(7919) % self.files);
        let file = File::options().append(true).open(&path);
        let mut file = file.map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
        file.write_all(lines.as_bytes()).map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
        // a file system may hold a writer up while it syncs for others: that is not the agent's time
        let began = Instant::now();
        let to_metric = child::wait(LOST, LOOK_EVERY, || {
            let page = child::page(address, "/metrics").ok()?;
            let seen = child::sum(&page, "gobeacon_events_total{kind=\"toolchain.download\"}")?;
            (seen >= n).then(|| began.elapsed())
        });
        let to_span = child::wait(LOST, LOOK_EVERY, || receiver.came(&name));
        let to_span = to_span.map(|came| came.duration_since(began));
        let lost = |what: &str| format!("probe {n} in {} did not reach {what} within {LOST:?}", path.display());
        Ok((to_metric.ok_or_else(|| lost("/metrics"))?, to_span.ok_or_else(|| lost("the receiver"))?))
    }
}

impl Spread {
    fn of(mut times: Vec<Duration>) -> Option<Self> {
        times.sort_unstable();
        let at = |share: f64| {
            let rank = (times.len() as f64 * share).ceil() as usize;
            times.get(rank.saturating_sub(1)).map(|time| time.as_secs_f64() * 1e3)
        };
        Some(Self { probes: times.len(), p50: at(0.5)?, p95: at(0.95)?, p99: at(0.99)?, most: at(1.0)? })
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { probes, p50, p95, p99, most } = self;
        write!(f, "p50 {p50:.1} ms, p95 {p95:.1} ms, p99 {p99:.1} ms, most {most:.1} ms of {probes}")
    }
}

fn log(dir: &Path, n: u64) -> PathBuf {
    dir.join(format!("job-{n:06}.log"))
}

/// Appends to a log at a steady rate until it is over.
fn load(path: &Path, bytes_a_second: u64, is_over: &AtomicBool) -> io::Result<()> {
    let mut file = File::create(path)?;
    let (mut corpus, began) = (Corpus::new(99, 25_000), Instant::now());
    while !is_over.load(Ordering::Relaxed) {
        let due = began.elapsed().as_secs_f64() * bytes_a_second as f64;
        while (corpus.bytes() as f64) < due && !is_over.load(Ordering::Relaxed) {
            file.write_all(corpus.next())?;
        }
        std::thread::sleep(Duration::from_secs(1) / APPENDS_A_SECOND as u32);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_names_the_time_within_which_so_many_of_a_hundred_came() {
        let spread = Spread::of((1..=100).rev().map(Duration::from_millis).collect()).unwrap();
        assert_eq!((spread.p50, spread.p95, spread.p99, spread.most), (50.0, 95.0, 99.0, 100.0));
        assert!(Spread::of(Vec::new()).is_none());
    }
}
