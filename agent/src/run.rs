//! The page: collectors -> builds -> metrics and exporters, in one loop.
//!
//! One task owns all state, so there is no lock; everything that can happen is a [`Wake`]. How each part does its work
//! is in its own room.
//!
//! Invariants: the loop waits for nothing but the next [`Wake`]; a stop ends the sources first, lets the channel end
//! the rest, and keeps one deadline for all of it; a second signal ends the agent at once.

use std::sync::Arc;
use std::time::Duration;

use gobeacon_collectors::now;
use gobeacon_collectors::{Batch, CHANNEL_BATCHES, CHANNEL_OBSERVATIONS, Observation, Replay, Running, State, logs};
use gobeacon_formats::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::admin::Ask;
use crate::buildcache::BuildCaches;
use crate::builds::{Builds, Outcome};
use crate::config::{Config, OnShutdown, Origin};
use crate::export::{Exporter, Left};
use crate::graphs::Graphs;
use crate::integrity::Incidents;
use crate::metrics::Metrics;
use crate::self_telemetry::{SelfTelemetry, Work};
use crate::wiring;

mod changed;
mod observed;
mod remembering;
mod reread;
mod signals;
mod start;
mod watchdog;

use remembering::{Heard, Remembering, go_on};
use reread::{Reread, Rereader};
pub(crate) use signals::Signal;
use signals::{Signals, Told};
pub(crate) use start::AgentError;
use start::{open_port, start_exporter, start_observers};
use watchdog::Watchdog;

/// How the agent ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// After a signal, with all done that could be done in time.
    InOrder,
    /// At once, by a second signal.
    AtOnce(Signal),
}

/// Runs the daemon until a signal ends it. `origin` is where the configuration can be read again.
///
/// # Errors
/// It cannot start: see [`AgentError`].
pub(crate) fn agent(config: &Config, origin: Origin) -> Result<Ended, AgentError> {
    let watchdog = Watchdog::start(config.shutdown_timeout.into())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    let ended = runtime.block_on(async { Agent::start(config, origin, watchdog).await?.run().await });
    // whatever still waits for a name server or a file has no say in when we end
    runtime.shutdown_background();
    ended
}

/// The loop needs one; the other sends and answers requests meanwhile.
const WORKERS: usize = 2;

/// Everything that can happen.
enum Wake {
    /// Lines of a log were read.
    Batch(Batch),
    /// No collector reads logs any more.
    NoMoreBatches,
    /// A collector saw something else.
    Observed(Observation),
    /// No collector looks at anything but logs any more.
    NoMoreObservations,
    /// A build is silent for so long that it is over.
    Tick,
    /// Somebody asked for a page.
    Ask(Ask),
    /// We were told to stop, or to read the configuration again.
    Told(Told),
    /// It was read again.
    Reread(Reread),
    /// What must outlive us is to be written, or was.
    Remembering(Heard),
    /// The time for reading what is left is over.
    Deadline,
}

struct Agent {
    collectors: Vec<Running>,
    log_changes: logs::Changes,
    batches: mpsc::Receiver<Batch>,
    observations: mpsc::Receiver<Observation>,
    /// Which of the two channels still have a sender.
    fed: Fed,
    asks: Option<mpsc::Receiver<Ask>>,
    signals: Signals,
    rereader: Rereader,
    watchdog: Watchdog,
    builds: Builds,
    build_caches: BuildCaches,
    graphs: Graphs,
    incidents: Incidents,
    outcomes: Vec<Outcome>,
    metrics: Metrics,
    remembering: Remembering,
    exporter: Option<Exporter>,
    /// Spans of the agent's own work, where they are asked for.
    own: Option<Arc<SelfTelemetry>>,
    shutdown_timeout: Duration,
    /// Builds that are open at the end are the next life's.
    leaves_open: bool,
    stopping: Option<Stopping>,
    /// The server of the port; ends when it is dropped.
    server: JoinSet<()>,
}

/// Which channels collectors still send on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fed {
    batches: bool,
    observations: bool,
}

impl Fed {
    const NOT: Self = Self { batches: false, observations: false };
}

/// When what must be done, once we were told to stop.
#[derive(Debug, Clone, Copy)]
struct Stopping {
    /// No more is read.
    read_until: Instant,
    /// No more is exported.
    export_until: Instant,
}

impl Agent {
    async fn start(config: &Config, origin: Origin, watchdog: Watchdog) -> Result<Self, AgentError> {
        let signals = Signals::listen()?;
        let mut server = JoinSet::new();
        let asks = open_port(config, &mut server).await?;
        let (exporter, own) = start_exporter(config)?.unzip();
        // full-policy: the collectors stop reading, the files are the buffer
        let (sender, batches) = mpsc::channel(CHANNEL_BATCHES);
        // full-policy: the collectors wait, what they look at stays where it is
        let (observed, observations) = mpsc::channel(CHANNEL_OBSERVATIONS);
        if config.logs.include.is_empty() {
            tracing::warn!("no log is followed: name some with --logs, GOBEACON_LOGS or logs.include");
        }
        let state_dir = wiring::state_dir(config, |name| std::env::var(name).ok());
        let (mut remembering, remembered) = Remembering::open(&state_dir);
        let known = remembered.known();
        let leaves_open = remembering.is_kept() && config.build.on_shutdown == OnShutdown::Keep;
        let settings = logs::Settings { known, leaves_open, ..wiring::logs(config) };
        let (followed, log_changes) = logs::start_changeable(settings, sender)?;
        let mut collectors = vec![followed];
        collectors.extend(start_observers(config, &observed)?);
        let settings = wiring::builds(config);
        let (mut builds, mut metrics) = (Builds::new(settings.clone()), Metrics::new(now())?);
        go_on(remembered, &mut remembering, &mut builds, &mut metrics);
        metrics.configured(now());
        watchdog.started();
        Ok(Self {
            collectors,
            log_changes,
            batches,
            observations,
            fed: Fed { batches: true, observations: true },
            asks,
            signals,
            build_caches: BuildCaches::new(settings.host_name.clone()),
            incidents: Incidents::new(&settings),
            graphs: Graphs::new(settings),
            builds,
            outcomes: Vec::new(),
            metrics,
            rereader: Rereader::start(origin, config)?,
            watchdog,
            remembering,
            exporter,
            own: own.flatten(),
            shutdown_timeout: config.shutdown_timeout.into(),
            leaves_open,
            stopping: None,
            server,
        })
    }

    async fn run(mut self) -> Result<Ended, AgentError> {
        loop {
            match self.wake().await {
                Wake::Batch(batch) => self.read(&batch),
                Wake::Tick => self.tick(),
                Wake::Ask(ask) => self.answer_and_read_on(ask),
                Wake::Remembering(heard) => self.remember(heard),
                Wake::Told(Told::End(signal)) if self.stopping.is_some() => return Ok(Ended::AtOnce(signal)),
                Wake::Told(Told::End(signal)) => self.stop(signal),
                Wake::Told(Told::Reread) => self.rereader.order(),
                Wake::Reread(reread) => self.take_over(reread),
                Wake::Observed(observation) => self.observe(observation),
                Wake::NoMoreBatches => self.fed.batches = false,
                Wake::NoMoreObservations => self.fed.observations = false,
                Wake::Deadline => break,
            }
            if self.fed == Fed::NOT && self.stopping.is_some() {
                break;
            }
        }
        Ok(self.finish().await)
    }

    /// Waits for the next thing to do. What is rare comes first, so that a flood of batches cannot hide it.
    async fn wake(&mut self) -> Wake {
        let silence = self.builds.next_deadline().map(|at| at.seconds_since(now()));
        let tick = Duration::try_from_secs_f64(silence.unwrap_or(f64::MAX).max(0.01)).unwrap_or(FAR_AWAY).min(FAR_AWAY);
        let read_until = self.stopping.map_or_else(|| Instant::now() + FAR_AWAY, |stopping| stopping.read_until);
        tokio::select! {
            biased;
            told = self.signals.next() => Wake::Told(told),
            () = tokio::time::sleep_until(read_until), if self.stopping.is_some() => Wake::Deadline,
            Some(ask) = next(&mut self.asks) => Wake::Ask(ask),
            heard = self.remembering.hear() => Wake::Remembering(heard),
            Some(reread) = self.rereader.results.recv(), if self.stopping.is_none() => Wake::Reread(reread),
            () = tokio::time::sleep(tick) => Wake::Tick,
            seen = self.observations.recv(), if self.fed.observations => {
                seen.map_or(Wake::NoMoreObservations, Wake::Observed)
            }
            batch = self.batches.recv(), if self.fed.batches => batch.map_or(Wake::NoMoreBatches, Wake::Batch),
        }
    }

    fn read(&mut self, batch: &Batch) {
        let (began, now) = (Instant::now(), now());
        self.builds.tick(now, &mut self.outcomes);
        match batch.replay {
            Replay::No => {
                self.metrics.observe(batch, now);
                self.builds.apply(batch, &mut self.outcomes);
            }
            Replay::Part | Replay::Last => self.builds.replay(batch, &mut self.outcomes),
        }
        self.remembering.ledger.note(batch);
        self.settle(now);
        self.worked(Work::BatchApply, began, batch.events.len());
    }

    fn tick(&mut self) {
        let now = now();
        self.builds.tick(now, &mut self.outcomes);
        self.settle(now);
    }

    /// Hands on what became known.
    fn settle(&mut self, now: Timestamp) {
        if !self.outcomes.is_empty() {
            self.remembering.ledger.touch();
        }
        for outcome in self.outcomes.drain(..) {
            self.metrics.outcome(&outcome, now);
            if let (Outcome::Telemetry(telemetry), Some(exporter)) = (outcome, &self.exporter) {
                exporter.offer(telemetry);
            }
        }
    }

    /// Answers, then takes in what has come meanwhile, so that a flood of questions cannot hide it either.
    fn answer_and_read_on(&mut self, ask: Ask) {
        self.answer(ask);
        if let Ok(observation) = self.observations.try_recv() {
            self.observe(observation);
        }
        if let Ok(batch) = self.batches.try_recv() {
            self.read(&batch);
        }
    }

    fn answer(&mut self, ask: Ask) {
        // who asked may be gone: nothing to be done then
        match ask {
            Ask::Ready { answer } => _ = answer.send(self.is_ready()),
            page @ Ask::Page { .. } => self.page(page),
        }
    }

    fn worked(&self, work: Work, began: Instant, items: usize) {
        if let Some(own) = &self.own {
            own.record(work, began.elapsed(), items as u64, None);
        }
    }

    fn is_ready(&self) -> bool {
        self.collectors.iter().all(|collector| collector.health().read().state != State::Starting)
    }

    /// Tells the sources to end; when they have, the channel does.
    fn stop(&mut self, signal: Signal) {
        let timeout = watchdog::in_order(self.shutdown_timeout);
        tracing::info!(signal = signal.name(), timeout_seconds = timeout.as_secs_f64(), "the agent stops");
        let now = Instant::now();
        self.stopping = Some(Stopping { read_until: now + timeout / 2, export_until: now + timeout });
        for collector in &self.collectors {
            collector.stop(timeout / 4);
        }
    }

    /// Leaves what is open to the next life, or closes it where nothing is remembered, and exports until the deadline.
    async fn finish(mut self) -> Ended {
        self.batches.close();
        self.observations.close();
        // what was read before the deadline counts: a channel full at most
        while let Ok(observation) = self.observations.try_recv() {
            self.observe(observation);
        }
        while let Ok(batch) = self.batches.try_recv() {
            self.read(&batch);
        }
        let now = now();
        if self.leaves_open && self.remembering.is_kept() {
            self.builds.leave(now, &mut self.outcomes);
        } else {
            self.builds.finish(now, &mut self.outcomes);
        }
        self.settle(now);
        let until = self.stopping.map_or_else(Instant::now, |it| it.export_until);
        let mut lost = Left::default();
        if let Some(exporter) = &mut self.exporter {
            let own = self.own.take();
            let exported = async {
                let lost = exporter.shutdown(until.duration_since(Instant::now())).await;
                if let Some(own) = own {
                    own.shutdown(until.duration_since(Instant::now())).await;
                }
                lost
            };
            tokio::select! {
                signal = end_signal(&mut self.signals) => return Ended::AtOnce(signal),
                left = exported => lost = left,
            }
        }
        // what was begun, then the last record: a disk that hangs has a moment beyond the deadline
        let until = until.max(Instant::now() + LAST_RECORD_WITHIN);
        for is_last in [false, true] {
            if is_last {
                self.begin_the_last_record();
            }
            tokio::select! {
                signal = end_signal(&mut self.signals) => return Ended::AtOnce(signal),
                heard = self.remembering.settled(until) => self.remember(heard),
            }
        }
        tracing::info!(spans_lost = lost.spans, log_events_lost = lost.logs, "the agent has stopped");
        Ended::InOrder
    }
}

/// How long the last record may take when the time is over: it is as short as what changed within a second.
const LAST_RECORD_WITHIN: Duration = Duration::from_millis(200);

/// The next signal to end.
async fn end_signal(signals: &mut Signals) -> Signal {
    loop {
        if let Told::End(signal) = signals.next().await {
            return signal;
        }
    }
}

/// Longer than anybody waits.
const FAR_AWAY: Duration = Duration::from_secs(3600);

/// The next question; never, when no port is open.
async fn next(asks: &mut Option<mpsc::Receiver<Ask>>) -> Option<Ask> {
    match asks {
        Some(asks) => asks.recv().await,
        None => std::future::pending().await,
    }
}
