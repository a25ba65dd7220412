//! `gobeacon explain`: what failed in a log, where, why, and what to do; at most a screen.
//!
//! The verdicts are those of `builds`, the remedies those of the table of failures; this file only asks and shows.
//!
//! Invariant: it explains, it does not judge the log by its own exit code unless it is asked to.

mod json;
pub(super) mod page;

use std::io::Write;
use std::path::PathBuf;

use gobeacon_formats::LineCounts;

use super::output::{self, Error, Format};
use super::reading::{self, Input};
use super::{Exit, Subcommand, style};
use crate::builds::summary::{BuildOutcome, BuildSummary};
use crate::builds::{Builds, Outcome, Settings};

/// Most builds of which the details are kept: more than a screen has, few enough to fit into memory whatever the log
/// says.
const MAX_KEPT: usize = 200;

/// Say what failed in a log, where, why, and what to do
///
/// At most a screen for each log: the cause before its consequences, then slow packages and downloads in brief.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gobeacon explain build.log
  go build ./... 2>&1 | gobeacon explain -")]
pub(super) struct Explain {
    /// Logs to explain; `-`, or none, is standard input
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Shape of the output: text for people, json for programs (one object a log)
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Show everything, however long it is
    #[arg(long)]
    all: bool,
    /// End with exit code 1 when a log has a failure
    #[arg(long)]
    exit_code: bool,
}

impl Subcommand for Explain {
    const NAME: &'static str = "explain";

    fn run(self) -> Result<Exit, Error> {
        let mut out = output::stdout();
        let mut exit = Exit::Ok;
        for (nth, input) in Input::all(self.files).iter().enumerate() {
            let mut log = Log::new(input.to_string());
            let mut builds = Builds::new(Settings::default());
            let mut outcomes = Vec::new();
            let read = reading::read_all(std::slice::from_ref(input), |_, batch| {
                builds.apply(&batch, &mut outcomes);
                log.add_lines(batch.lines);
                outcomes.drain(..).for_each(|outcome| log.add(outcome));
                Ok(())
            })?;
            exit = exit.or(read);
            if read == Exit::Failed {
                continue;
            }
            match self.format {
                Format::Json => json::write(&log, &mut out)?,
                Format::Text => {
                    let most_lines = (!self.all).then_some(page::SCREEN);
                    let page = page::page(&log, style::columns(), most_lines);
                    write!(out, "{}{}", if nth > 0 { "\n" } else { "" }, page.text(style::colours()))?;
                }
            }
            if self.exit_code && log.failed() > 0 {
                exit = Exit::Failed;
            }
        }
        out.flush()?;
        Ok(exit)
    }
}

/// What a log came to.
#[derive(Debug)]
pub(super) struct Log {
    name: String,
    lines: LineCounts,
    /// The first ones.
    builds: Vec<BuildSummary>,
    /// Builds beyond those, and how many of them failed.
    left_out: u64,
    left_out_failed: u64,
}

impl Log {
    pub(super) fn new(name: String) -> Self {
        Self { name, lines: LineCounts::default(), builds: Vec::new(), left_out: 0, left_out_failed: 0 }
    }

    fn add_lines(&mut self, lines: LineCounts) {
        self.lines.lines += lines.lines;
        self.lines.unrecognised += lines.unrecognised;
    }

    pub(super) fn add(&mut self, outcome: Outcome) {
        let Outcome::CommandEnded(summary) = outcome else { return };
        if self.builds.len() < MAX_KEPT {
            self.builds.push(*summary);
            return;
        }
        self.left_out += 1;
        self.left_out_failed += u64::from(summary.outcome == BuildOutcome::Failed);
    }

    /// How many go commands it has.
    pub(super) fn commands(&self) -> u64 {
        self.builds.len() as u64 + self.left_out
    }

    /// How many of them failed.
    fn failed(&self) -> u64 {
        let kept = self.builds.iter().filter(|build| build.outcome == BuildOutcome::Failed).count();
        kept as u64 + self.left_out_failed
    }
}
