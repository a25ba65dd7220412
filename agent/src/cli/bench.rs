//! `gobeacon bench`: what this program costs and how late it is, measured on this machine, beside its peers.
//!
//! It makes a log from a seed, gives it to each program that is installed, holds what each has counted against the
//! truth, and reads from the system what each has used. It must not know how the agent works: the agent is a process
//! like the others.
//!
//! Invariants: figures of one run are of the same bytes; a count that is wrong is no figure but a failure; whatever
//! was started is ended and whatever was written is removed.

mod child;
mod corpus;
mod counts;
mod latency;
mod receiver;
mod report;
mod throughput;
mod tool;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::cache::progress::Progress;
use super::cache::table::{bytes, parse_bytes, thousands};
use super::output::{self, Error, Format};
use super::{Exit, Subcommand, style};
use crate::config::Duration;
use corpus::Corpus;
use latency::Quiet;
use receiver::Receiver;
use report::{Outcome, Report, Row};
use throughput::Log;
use tool::{PEERS, Peer, Tool};

/// Measure this program beside its peers, on this machine
///
/// Makes a log of Go jobs from a seed; has the agent and each peer that is installed follow it, with the same five
/// counters; holds their counts against the truth; and says what each has used. The agent has all its metrics and
/// spans on and sends to a receiver. Then it says how late a line is seen, and what an idle agent costs.
///
/// Figures of two machines cannot be compared; the ratios to a peer, or to the bound, of one run can. The bound does
/// nothing but count the same five things.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gobeacon bench                                  1 GiB, beside every peer that is installed
  gobeacon bench --size 100MiB --peers mtail
  gobeacon bench --size 0 --files 10000 --idle 60s --silence 60s
  gobeacon bench --size 100MiB --write-log mixed.log

Exit status: 0 measured, 1 something could not be measured or counted wrong, 2 the command line has mistakes.")]
pub(super) struct Bench {
    /// Size of the log; 0 measures no throughput
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = parse_bytes)]
    size: u64,
    /// The same seed makes the same log
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Lines of each job of the log, which is three go commands: fewer lines make more spans
    #[arg(long, value_name = "N", default_value_t = LINES_PER_JOB)]
    lines_per_job: u64,
    /// Peers to run, parted by commas; all, none, or names of: mtail, rsyslog, fluent-bit, vector
    #[arg(long, value_name = "LIST", default_value = "all", value_delimiter = ',', value_parser = peer)]
    peers: Vec<String>,
    /// Lines whose lateness is measured, at rest and under load each; 0 measures none
    #[arg(long, value_name = "N", default_value_t = 100)]
    probes: u64,
    /// Load under which it is measured, a second
    #[arg(long, value_name = "SIZE", default_value = "10MB", value_parser = parse_bytes)]
    load: u64,
    /// Measure it also after silences of this length
    #[arg(long, value_name = "DURATION")]
    silence: Option<Duration>,
    /// Log files that are followed meanwhile
    #[arg(long, value_name = "N", default_value_t = 1)]
    files: u64,
    /// How long the idle agent is looked at; 0s does not
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    idle: Duration,
    /// Folder to work in; unset, that for temporary files. It needs twice the size of the log
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The gobeacon to measure; unset, this one
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Write the log to this file, say the truth about it, and end
    #[arg(long, value_name = "FILE")]
    write_log: Option<PathBuf>,
    /// Shape of the output: text for people, json for programs
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// A job of some megabytes, as large builds have them.
const LINES_PER_JOB: u64 = 25_000;
/// Silences are long: so few of them are waited for.
const SILENCES: u64 = 5;

impl Subcommand for Bench {
    const NAME: &'static str = "bench";

    fn run(self) -> Result<Exit, Error> {
        if let Some(path) = &self.write_log {
            let corpus = self.write(path, &mut Progress::new()).map_err(|error| cannot_write(path, error))?;
            let truth = serde_json::to_string(&corpus.counts()).map_err(io::Error::from)?;
            let mut out = output::stdout();
            writeln!(out, "{truth}")?;
            out.flush()?;
            return Ok(Exit::Ok);
        }
        let dir = self.dir.clone().unwrap_or_else(std::env::temp_dir);
        let folder = Folder::make(&dir).map_err(|error| cannot_write(&dir, error))?;
        let receiver = Receiver::start()?;
        let mut report = Report::new(self.seed, self.lines_per_job);
        if self.size > 0 {
            self.throughput(&folder.0, &receiver, &mut report)?;
        }
        self.lateness(&folder.0, &receiver, &mut report)?;
        let mut out = output::stdout();
        match self.format {
            Format::Json => {
                serde_json::to_writer_pretty(&mut out, &report).map_err(io::Error::from)?;
                writeln!(out)?;
            }
            Format::Text => {
                let mut page = style::Page::new(style::columns());
                report.show(&mut page);
                out.write_all(page.text(style::colours()).as_bytes())?;
            }
        }
        out.flush()?;
        Ok(if report.is_whole() { Exit::Ok } else { Exit::Failed })
    }
}

impl Bench {
    fn throughput(&self, dir: &Path, receiver: &Receiver, report: &mut Report) -> Result<(), Error> {
        let path = dir.join("whole.log");
        let mut progress = Progress::new();
        let corpus = self.write(&path, &mut progress).map_err(|error| cannot_write(&path, error))?;
        let log = Log { path: &path, bytes: corpus.bytes(), truth: corpus.counts() };
        report.log(log.bytes, log.truth);
        let bound = throughput::bound(&log, |at| progress.show(|| shown("the bound", at, log.bytes)))?;
        report.row(Row::new("bound", Outcome::Measured(bound), log.bytes));
        let peers = PEERS.iter().filter(|peer| self.peers.iter().any(|it| it == "all" || it == peer.name));
        for peer in std::iter::once(None).chain(peers.map(Some)) {
            let name = peer.map_or("gobeacon", |peer| peer.name);
            let room = dir.join(name);
            fs::create_dir_all(&room).map_err(|error| cannot_write(&room, error))?;
            let to = room.join("job.log");
            File::create(&to).map_err(|error| cannot_write(&to, error))?;
            let before = receiver.totals();
            let started = match peer {
                None => Some(Tool::gobeacon(&self.program()?, &to, &room, receiver)),
                Some(peer) => peer.path().map(|program| peer.start(&program, &to, &room)),
            };
            let outcome = match started {
                None => Outcome::NotInstalled,
                Some(Err(error)) => Outcome::Failed(error.to_string()),
                Some(Ok(mut tool)) => {
                    let spans = peer.is_none().then_some(receiver);
                    let show = |at| progress.show(|| shown(name, at, log.bytes));
                    throughput::follow(&mut tool, &log, &to, spans, show)
                        .map_or_else(Outcome::Failed, Outcome::Measured)
                }
            };
            report.row(Row::new(name, outcome, log.bytes));
            if peer.is_none() {
                report.spans(before, receiver.totals());
            }
            // what it wrote is not needed any more, and a log may be large
            fs::remove_dir_all(&room).map_err(|error| cannot_write(&room, error))?;
        }
        fs::remove_file(&path).map_err(|error| cannot_write(&path, error))
    }

    fn lateness(&self, dir: &Path, receiver: &Receiver, report: &mut Report) -> Result<(), Error> {
        let idle: std::time::Duration = self.idle.into();
        if self.probes == 0 && idle.is_zero() && self.silence.is_none() {
            return Ok(());
        }
        let mut progress = Progress::new();
        let mut quiet = match Quiet::start(&self.program()?, receiver, &dir.join("quiet"), self.files) {
            Ok(quiet) => quiet,
            Err(error) => {
                report.failed(&format!("gobeacon: {error}"));
                return Ok(());
            }
        };
        if !idle.is_zero() {
            progress.show(|| format!("the idle agent, {} files", thousands(self.files)));
            report.idle = Some(quiet.idle(idle));
        }
        let (at_rest, under_load) = ("lines at rest", "lines under load");
        let found =
            quiet.probe(self.probes, std::time::Duration::ZERO, |n| progress.show(|| format!("{at_rest}: {n}")));
        report.at_rest = report.latency(found);
        let found = quiet.probe_under_load(self.probes, self.load, |n| progress.show(|| format!("{under_load}: {n}")));
        report.under_load = report.latency(found);
        if let Some(silence) = self.silence {
            let found = quiet.probe(SILENCES, silence.into(), |n| progress.show(|| format!("silences: {n}")));
            report.after_silence = report.latency(found);
        }
        Ok(())
    }

    fn write(&self, path: &Path, progress: &mut Progress) -> io::Result<Corpus> {
        let mut corpus = Corpus::new(self.seed, self.lines_per_job);
        let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
        while corpus.bytes() < self.size {
            out.write_all(corpus.next())?;
            progress.show(|| shown("making the log", corpus.bytes(), self.size));
        }
        out.flush()?;
        Ok(corpus)
    }

    fn program(&self) -> io::Result<PathBuf> {
        self.program.clone().map_or_else(std::env::current_exe, Ok)
    }
}

/// A folder that goes when it is dropped.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn make(within: &Path) -> io::Result<Self> {
        let folder = within.join(format!("gobeacon-bench-{}", std::process::id()));
        fs::create_dir(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            output::complain(&format_args!("cannot remove {}: {error}", self.0.display()));
        }
    }
}

fn shown(what: &str, at: u64, of: u64) -> String {
    format!("{what}: {} of {}", bytes(at), bytes(of))
}

fn cannot_write(path: &Path, error: io::Error) -> Error {
    Error::CannotWrite { path: path.to_owned(), error }
}

fn peer(text: &str) -> Result<String, String> {
    let is_known = ["all", "none"].contains(&text) || PEERS.iter().any(|peer: &Peer| peer.name == text);
    let names: Vec<_> = PEERS.iter().map(|peer| peer.name).collect();
    is_known.then(|| text.to_owned()).ok_or_else(|| format!("there are all, none, {}", names.join(", ")))
}
