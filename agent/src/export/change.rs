//! A change of what is exported and where to: made ready first, which may fail, then made, which does not.
//!
//! A lane is never taken away: one whose signal is switched off gets nothing new and goes on to deliver what it has.
//!
//! Invariant: a change loses nothing that is queued or on disk, and doubles nothing.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::StartError;
use super::counts::Signal;
use super::encode::{Common, Record};
use super::lane::{Lane, Spooled, Way};
use super::settings::{self, Limits, Settings, SignalSettings};
use super::spool::{Opened, Wrote};
use super::transport::Transport;
use crate::builds::build::{LogRecord, Span};

/// Which lanes there are, on or off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Lanes {
    pub(crate) traces: bool,
    pub(crate) logs: bool,
}

impl Lanes {
    /// With those that these settings need.
    pub(crate) fn with(self, settings: Option<&Settings>) -> Self {
        let needs = |signal| settings.is_some_and(|settings| settings.signal(signal).is_some());
        Self { traces: self.traces || needs(Signal::Traces), logs: self.logs || needs(Signal::Logs) }
    }
}

/// All that a change needs.
pub(crate) struct Change {
    pub(super) traces: Ready<Span>,
    pub(super) logs: Ready<LogRecord>,
}

/// What becomes of a lane.
pub(super) enum Ready<R: Record> {
    /// It gets nothing new, or there is none.
    Off,
    /// It is new.
    New(Arc<Lane<R>>, Way),
    /// It sends elsewhere, or otherwise.
    Changed { way: Way, limits: Limits, spool_bytes: Option<u64> },
}

impl Change {
    /// Reads certificates and secrets and opens the spools of lanes that are not there yet. Needs the runtime that the
    /// exporter runs on. `None`: nothing is exported.
    ///
    /// # Errors
    /// A file that a setting names cannot be used. Nothing has changed then.
    pub(crate) fn prepare(settings: Option<&Settings>, there: Lanes) -> Result<Self, StartError> {
        Ok(Self { traces: ready(settings, there.traces)?, logs: ready(settings, there.logs)? })
    }
}

fn ready<R: Record>(settings: Option<&Settings>, is_there: bool) -> Result<Ready<R>, StartError> {
    let Some((settings, signal)) = settings.and_then(|it| Some((it, it.signal(R::SIGNAL)?))) else {
        return Ok(Ready::Off);
    };
    let transport = Transport::new(signal, R::SIGNAL)?;
    let way = Way { transport, timeout: signal.timeout, endpoint: signal.shown_url() };
    if is_there {
        let spool_bytes = settings.spool.as_ref().map(|spool| spool.most_bytes);
        return Ok(Ready::Changed { way, limits: settings.limits, spool_bytes });
    }
    Ok(Ready::New(new_lane(settings, signal)?, way))
}

/// Makes the change of one lane.
pub(super) fn lane<R: Record>(lane: &mut Option<Arc<Lane<R>>>, ready: Ready<R>, tasks: &mut JoinSet<()>) {
    match ready {
        Ready::Off => {
            if let Some(lane) = lane {
                lane.switch(false);
            }
        }
        Ready::New(new, way) => {
            tasks.spawn(Arc::clone(&new).run(way));
            *lane = Some(new);
        }
        Ready::Changed { way, limits, spool_bytes } => {
            if let Some(lane) = lane {
                lane.redirect(way, limits, spool_bytes);
                lane.switch(true);
            }
        }
    }
}

fn new_lane<R: Record>(settings: &Settings, signal: &SignalSettings) -> Result<Arc<Lane<R>>, StartError> {
    let opened = settings.spool.as_ref().and_then(|spool| open(spool, R::SIGNAL));
    let spooled = opened.as_ref().map(|(opened, most_bytes)| Spooled { most_bytes: *most_bytes, kept: &opened.kept });
    let (lane, ids) = Lane::new(settings.limits, Common::new(settings), signal, spooled);
    let lane = Arc::new(lane);
    if let Some((opened, _)) = opened {
        let theirs = Arc::downgrade(&lane);
        let on_wrote = move |wrote: Wrote<'_>| {
            if let Some(lane) = theirs.upgrade() {
                lane.wrote(wrote);
            }
        };
        lane.keep_in(opened.start(&ids, Box::new(on_wrote)).map_err(StartError::Thread)?);
    }
    Ok(lane)
}

/// Opens the spool of a signal. Without one what waits is held in memory: that is said, and no reason not to start.
fn open(spool: &settings::Spool, signal: Signal) -> Option<(Opened, u64)> {
    match Opened::open(&spool.dir.join(signal.as_str())) {
        Ok(opened) => {
            let records: u64 = opened.kept.iter().map(|kept| kept.records).sum();
            if records > 0 {
                tracing::info!(signal = signal.as_str(), records, "data of an earlier run is sent from disk");
            }
            Some((opened, spool.most_bytes))
        }
        Err(error) => {
            tracing::error!(
                signal = signal.as_str(),
                %error,
                "what waits for the backend is held in memory only, and a crash would lose it"
            );
            None
        }
    }
}
