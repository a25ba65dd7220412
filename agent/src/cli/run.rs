//! `gobeacon run -- CMD`: runs one command as if nobody stood between, and says at its end where the time went and
//! why it failed.
//!
//! The command's streams, environment, exit code and signals are its own (`wrap`). What is added: a summary on
//! standard error after its end, and for a bare `go build`, `install`, `run`, `test` or `vet` the flag
//! `-debug-actiongraph`, which changes no action id and so no cache key.
//!
//! Invariant: whatever goes wrong on our side, the command runs and its exit code is ours.

mod graph;
mod why;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gobeacon_collectors::{Batch, Cause, Replay, Source};
use gobeacon_formats::action_graph::{ActionGraph, Explained};
use gobeacon_formats::{Event, EventKind, LineCounts, Parser};

use super::explain::{Log, page};
use super::output::{self, Error};
use super::style::{self, Page};
use super::{Exit, Subcommand, reading};
use crate::builds::{Builds, Outcome};
use crate::config::{self, Config, Override};
use crate::export::{Exporter, Resolved};
use crate::wrap::{self, Piece, Signals, Stream};
use crate::{logging, wiring};

/// Run a command, and say at its end where the time went and why it failed
///
/// Input, output, signals and the exit code pass through untouched. The summary comes on standard error: failures
/// with what to do, slowest packages and tests, downloads, and for go build, install, run, test and vet the packages
/// that took longest to compile and the critical path.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gobeacon run -- go test ./...
  gobeacon run -- make build
  gobeacon run --otlp -- go build ./...        send the trace to OTEL_EXPORTER_OTLP_ENDPOINT

Exit status: that of the command; 128+n when signal n ended it, 126 when it cannot be run, 127 when there is no such
command.")]
pub(super) struct Run {
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
    /// Send spans and log events to a receiver: to URL, or to what the configuration and OTEL_EXPORTER_OTLP_* say
    #[arg(long, value_name = "URL", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    otlp: Option<String>,
    /// grpc or http/protobuf [env: GOBEACON_OTLP_PROTOCOL]
    #[arg(long, value_name = "PROTOCOL", requires = "otlp")]
    otlp_protocol: Option<String>,
    /// Configuration file (YAML)
    #[arg(long, short, value_name = "FILE", env = "GOBEACON_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
    /// Say nothing at the end
    #[arg(long, short)]
    quiet: bool,
    /// Add no -debug-actiongraph to the go command
    #[arg(long)]
    no_action_graph: bool,
}

impl Subcommand for Run {
    const NAME: &'static str = "run";

    fn run(self) -> Result<Exit, Error> {
        let config = self.load().unwrap_or_else(|error| {
            output::complain(&format_args!("the configuration is not used: {error}"));
            Config::default()
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::NoRuntime)?;
        runtime.block_on(self.wrapped(&config))
    }
}

impl Run {
    fn load(&self) -> Result<Config, Error> {
        let endpoint = self.otlp.clone().filter(|url| !url.is_empty());
        let overrides =
            [("otlp.endpoint", "--otlp", &endpoint), ("otlp.protocol", "--otlp-protocol", &self.otlp_protocol)];
        let overrides = overrides
            .into_iter()
            .filter_map(|(key, flag, text)| Override::flag(key, flag, text.iter().cloned().collect()));
        Ok(config::load(self.config.as_deref(), overrides.collect(), |name| std::env::var(name).ok())?)
    }

    async fn wrapped(&self, config: &Config) -> Result<Exit, Error> {
        let mut signals = Signals::listen().map_err(Error::NoRuntime)?;
        let exporter = self.exporter(config);
        let graph = if self.no_action_graph { None } else { graph::Requested::of(&self.command) };
        let command = graph.as_ref().map_or(&self.command, graph::Requested::command);
        let mut reader = Reader::new(&self.command, Builds::new(wiring::builds(config)), exporter);
        let ended = match wrap::run(command, &mut signals, |piece| reader.piece(&piece)).await {
            Ok(ended) => ended,
            Err(error) => {
                output::complain(&error);
                return Ok(Exit::Code(error.code()));
            }
        };
        reader.finish(ended.code);
        let graph = graph.and_then(|graph| graph.read());
        let env = |name: &str| std::env::var(name).ok();
        let explained = graph.as_ref().and_then(|graph| why::explain(graph, &self.command, env));
        if !self.quiet {
            say(&reader, ended.code, graph.as_ref(), explained.as_ref());
        }
        if let Some(exporter) = &mut reader.exporter {
            tokio::select! {
                _ = exporter.shutdown(config.shutdown_timeout.into()) => {}
                // the command is done: what is left is only ours
                _ = signals.ending() => output::complain(&"stopped before everything was delivered"),
            }
            let _ = super::replay::send::not_delivered(&exporter.report());
        }
        let mut code = ended.code;
        if let Some(lost) = ended.lost {
            output::complain(&format_args!("the output of the command could not be written: {lost}"));
            // the command itself would have met the error
            code = code.max(1);
        }
        Ok(Exit::Code(code))
    }

    /// The exporter; without one the command runs all the same.
    fn exporter(&self, config: &Config) -> Option<Exporter> {
        self.otlp.as_ref()?;
        logging::start(&config.log);
        let start = || -> Result<Exporter, Error> {
            match wiring::exporter(&config.otlp, |name| std::env::var(name).ok())? {
                Resolved::On(settings) => Ok(Exporter::start(&settings)?),
                Resolved::Off(off) => Err(Error::NothingToExportTo(off)),
            }
        };
        start().inspect_err(|error| output::complain(&format_args!("{error}; the command runs all the same"))).ok()
    }
}

/// Reads along: two streams, one log.
struct Reader {
    source: Arc<Source>,
    out: Parser,
    err: Parser,
    /// Bytes of both streams so far: the offset in the log that they make together.
    offset: u64,
    builds: Builds,
    log: Log,
    outcomes: Vec<Outcome>,
    exporter: Option<Exporter>,
    /// It is the go command itself: its exit code is that of the build.
    go: bool,
}

impl Reader {
    fn new(command: &[OsString], builds: Builds, exporter: Option<Exporter>) -> Self {
        let words: Vec<_> = command.iter().map(|word| word.to_string_lossy()).collect();
        let words = words.join(" ");
        let started = gobeacon_collectors::now();
        let pid = std::process::id().to_le_bytes();
        let id = reading::hash(&[words.as_bytes(), &started.as_nanos().to_le_bytes(), &pid]);
        let source = Arc::new(Source { id, path: PathBuf::from("run") });
        let mut reader = Self {
            source,
            out: Parser::new(),
            err: Parser::new(),
            offset: 0,
            builds,
            log: Log::new("gobeacon".to_owned()),
            outcomes: Vec::new(),
            exporter,
            go: is_go(command),
        };
        if reader.go {
            let kind = EventKind::CommandStarted { command: words };
            reader.apply(vec![Event { kind, time: Some(started), offset: 0, lines: 1 }], 0, false);
        }
        reader
    }

    fn piece(&mut self, piece: &Piece) {
        let mut events = Vec::new();
        let parser = match piece.stream {
            Stream::Out => &mut self.out,
            Stream::Err => &mut self.err,
        };
        parser.feed(&piece.bytes, self.offset, &mut events);
        self.offset = self.offset.saturating_add(piece.bytes.len() as u64);
        self.apply(events, piece.bytes.len() as u64, false);
    }

    fn finish(&mut self, code: u8) {
        let mut events = Vec::new();
        // what went wrong is on standard error before the packages that it kept from being tested
        self.err.finish(&mut events);
        self.out.finish(&mut events);
        if self.go {
            self.builds.exited(self.source.id, code, gobeacon_collectors::now());
        }
        self.apply(events, 0, true);
    }

    fn apply(&mut self, mut events: Vec<Event>, bytes: u64, ended: bool) {
        let now = gobeacon_collectors::now();
        for event in &mut events {
            // read as it was written: the present is as good as a time stamp
            event.time.get_or_insert(now);
        }
        let batch = Batch {
            source: Arc::clone(&self.source),
            observed: now,
            events,
            lines: LineCounts::default(),
            bytes,
            read_to: self.offset,
            open_from: self.offset,
            ended,
            cause: Cause::Read,
            replay: Replay::No,
            bookmark: None,
        };
        self.builds.apply(&batch, &mut self.outcomes);
        for outcome in self.outcomes.drain(..) {
            if let Outcome::Telemetry(telemetry) = outcome {
                if let Some(exporter) = &self.exporter {
                    exporter.offer(telemetry);
                }
            } else {
                self.log.add(outcome);
            }
        }
    }
}

/// Whether it is the go command itself, with a subcommand.
fn is_go(command: &[OsString]) -> bool {
    let program = command.first().and_then(|program| Path::new(program).file_name());
    program.is_some_and(|name| name == "go") && command.len() > 1
}

/// The summary, on standard error.
fn say(reader: &Reader, code: u8, graph: Option<&ActionGraph>, explained: Option<&Explained>) {
    let stderr = io::stderr();
    let columns = style::columns_of(&stderr);
    let mut text = page::page(&reader.log, columns, Some(page::SCREEN)).text(style::colours_of(&stderr));
    if reader.log.commands() == 0 {
        text.clear();
    }
    let mut more = Page::new(columns);
    if let Some(graph) = graph {
        graph::page(graph, &mut more);
    }
    if let Some(explained) = explained {
        why::page(explained, &mut more);
    }
    if code != 0 {
        more.line(0, &[(style::FAINT, &format!("the command ended with exit code {code}"))]);
    }
    text.push_str(&more.text(style::colours_of(&stderr)));
    let gap = if stderr.is_terminal() && !text.is_empty() { "\n" } else { "" };
    // nobody to tell: the command is done all the same
    let _ = write!(stderr.lock(), "{gap}{text}");
}
