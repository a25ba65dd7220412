//! An explanation for programs: the summary of each build, with meaning and remedy of each class of failure.

use std::io::{self, Write};

use gobeacon_formats::{FailureClass, Severity};
use serde::Serialize;

use super::Log;
use crate::builds::summary::BuildSummary;

#[derive(Serialize)]
struct Explanation<'a> {
    log: &'a str,
    lines: u64,
    /// Go commands in the log, and how many of them failed.
    commands: u64,
    failed: u64,
    builds: Vec<Build<'a>>,
}

#[derive(Serialize)]
struct Build<'a> {
    #[serde(flatten)]
    summary: &'a BuildSummary,
    /// One a class, in the order of `failure_counts`.
    remedies: Vec<Remedy>,
}

#[derive(Serialize)]
struct Remedy {
    class: FailureClass,
    severity: Severity,
    meaning: &'static str,
    remedy: &'static str,
}

/// One object and a line end.
pub(super) fn write(log: &Log, out: &mut impl Write) -> io::Result<()> {
    let remedy = |class: FailureClass| {
        let row = class.row();
        Remedy { class, severity: row.severity, meaning: row.meaning, remedy: row.remedy }
    };
    let builds = log.builds.iter().map(|summary| Build {
        summary,
        remedies: summary.failure_counts.iter().map(|count| remedy(count.class)).collect(),
    });
    let explanation = Explanation {
        log: &log.name,
        lines: log.lines.lines,
        commands: log.commands(),
        failed: log.failed(),
        builds: builds.collect(),
    };
    serde_json::to_writer(&mut *out, &explanation)?;
    writeln!(out)
}
