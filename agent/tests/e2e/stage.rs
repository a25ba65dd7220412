//! One scenario's stage: a folder, a job that writes a log, the agent on it, a Collector and a Prometheus.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::backends::{Collector, Prometheus, Protocol};
use crate::go::{Job, Toolchain};
use crate::machine::{Running, free_address, http_get, wait_for};
use crate::otlp::{LogEvent, Span};

/// Everything that runs for one scenario.
pub(crate) struct Stage {
    pub(crate) job: Job,
    agent: Running,
    prometheus: Prometheus,
    collector: Collector,
    // last, so that the programs end before their folder goes
    folder: tempfile::TempDir,
}

/// What the Collector got from one scenario.
pub(crate) struct Arrived {
    pub(crate) spans: Vec<Span>,
    pub(crate) events: Vec<LogEvent>,
}

impl Stage {
    /// Starts everything; the log does not exist yet when the agent starts.
    pub(crate) fn new(toolchain: &Toolchain, protocol: Protocol) -> Self {
        let folder = tempfile::Builder::new().prefix("gobeacon-e2e-").tempdir().unwrap();
        let logs = folder.path().join("logs");
        std::fs::create_dir_all(&logs).unwrap();
        let collector = Collector::start(folder.path());
        let listen = free_address();
        let mut command = Command::new(env!("CARGO_BIN_EXE_gobeacon"));
        command
            .args(["agent", "--build-idle-timeout", "120s", "--logs"])
            .arg(logs.join("**/*.log"))
            .args(["--listen", &listen.to_string(), "--state-dir"])
            .arg(folder.path().join("state"))
            .args(["--otlp-endpoint", &collector.endpoint(protocol), "--otlp-protocol", protocol.id()]);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("OTEL_") || name.starts_with("GOBEACON_"))
        {
            command.env_remove(name);
        }
        // what this machine's homes hold is no part of a scenario
        command.env("GOBEACON_DISCOVERY_ENABLED", "false");
        let mut agent = Running::start("agent", folder.path(), &mut command);
        wait_for("the agent is ready", || {
            agent.alive()?;
            http_get(listen, "/readyz")
        });
        let prometheus = Prometheus::start(folder.path(), listen);
        let job = Job::new(toolchain, folder.path(), &logs.join("job.log"));
        Self { job, agent, prometheus, collector, folder }
    }

    /// Waits until Prometheus has these values, and then checks that nothing was dropped on the way.
    ///
    /// A last step closes the builds before it: its echo ends them.
    #[track_caller]
    pub(crate) fn expect_metrics(&mut self, wanted: &[(&str, f64)]) {
        assert_eq!(self.job.step(&["version"]), 0);
        let lines = self.job.log_lines() as f64;
        let always = [("sum(gobeacon_log_lines_total)", lines), ("sum(gobeacon_dropped_total)", 0.0)];
        for (query, value) in always.iter().chain(wanted) {
            let log = self.job.log_text();
            wait_for(&format!("{query} is {value} for this log:\n{log}"), || {
                self.agent.alive()?;
                match self.prometheus.value(query)? {
                    got if (got - value).abs() < 1e-9 => Ok(()),
                    got => Err(format!("it is {got}")),
                }
            });
        }
    }

    /// Ends the agent, which sends all that it has, then the Collector; checks what holds for every trace.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Arrived {
        let status = self.agent.terminate();
        assert_eq!(status.code(), Some(0), "the agent ends with 0 after SIGTERM:\n{}", self.agent.output());
        let (spans, events) = self.collector.finish();
        let log = self.job.log_text();
        check_every_trace(&spans, &events, &self.folder.path().join("logs/job.log"), &log);
        Arrived { spans, events }
    }
}

impl Arrived {
    /// The one root span of this name.
    #[track_caller]
    pub(crate) fn root(&self, name: &str) -> &Span {
        let found: Vec<_> = self.spans.iter().filter(|span| span.parent.is_empty() && span.name == name).collect();
        assert_eq!(found.len(), 1, "root spans `{name}` among {:#?}", self.spans);
        found[0]
    }

    /// Spans of this name in the trace of `root`.
    pub(crate) fn below<'a>(&'a self, root: &Span, name: &str) -> Vec<&'a Span> {
        self.spans.iter().filter(|span| span.trace == root.trace && span.name == name).collect()
    }

    /// Log events of this name in the trace of `root`.
    pub(crate) fn events_of<'a>(&'a self, root: &Span, name: &str) -> Vec<&'a LogEvent> {
        self.events.iter().filter(|event| event.trace == root.trace && event.name == name).collect()
    }
}

#[track_caller]
fn check_every_trace(spans: &[Span], events: &[LogEvent], log: &Path, text: &str) {
    let by_id: BTreeMap<(&str, &str), &Span> = spans.iter().map(|span| ((&*span.trace, &*span.id), span)).collect();
    assert_eq!(by_id.len(), spans.len(), "a span arrived twice");
    for span in spans {
        assert!(span.start > 0 && span.start <= span.end, "times of {span:#?}");
        assert!(!span.claimed_ok, "success is never claimed: {span:#?}");
        assert_eq!(span.resource.get("telemetry.distro.name").map(String::as_str), Some("gobeacon"), "{span:#?}");
        assert_eq!(span.resource.get("log.file.path"), Some(&log.display().to_string()), "{span:#?}");
        if span.failed {
            assert!(!span.get("error.type").is_empty(), "a failed span says its error.type: {span:#?}");
        }
        if !span.parent.is_empty() {
            let parent = by_id.get(&(&*span.trace, &*span.parent)).unwrap_or_else(|| panic!("no parent of {span:#?}"));
            assert!(parent.start <= span.start && span.end <= parent.end, "{span:#?} outlives {parent:#?}");
        }
    }
    for event in events {
        assert!(by_id.contains_key(&(&*event.trace, &*event.span)), "the span of {event:#?} did not arrive");
        assert!(!event.body.is_empty(), "a sentence for a person: {event:#?}");
    }
    let echoes = text.lines().filter(|line| line.starts_with("+ go ")).count();
    let roots = spans.iter().filter(|span| span.parent.is_empty()).count();
    assert_eq!(roots, echoes, "one root span for each echoed command of this log:\n{text}");
}
