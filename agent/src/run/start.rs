//! What the agent opens and starts before its loop, and why it may not.

use std::sync::Arc;

use gobeacon_collectors::{Observation, Running, action_graph, buildcache, counters, integrity, logs, modcache};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::admin::{Ask, ListenError, Port};
use crate::config::Config;
use crate::export::{Exporter, Off, Resolved, Settings, SettingsError, StartError};
use crate::metrics::MetricsError;
use crate::self_telemetry::SelfTelemetry;
use crate::wiring;

/// Why the agent cannot start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AgentError {
    /// The port.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The settings of the export.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Files that the export needs.
    #[error(transparent)]
    Export(#[from] StartError),
    /// Globs.
    #[error(transparent)]
    Logs(#[from] logs::Error),
    /// The catalogue of metrics.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The operating system gives no threads or no signals.
    #[error("the agent cannot start: {0}")]
    System(#[from] std::io::Error),
}

impl AgentError {
    /// Whether other settings would help.
    pub(crate) fn is_misconfigured(&self) -> bool {
        match self {
            Self::Settings(_) | Self::Export(_) | Self::Logs(logs::Error::Glob { .. }) => true,
            Self::Listen(_) | Self::Logs(logs::Error::Thread(_)) | Self::Metrics(_) | Self::System(_) => false,
        }
    }
}

/// Opens the port, unless it is off, and serves it. The questions of its clients come out of the receiver.
pub(super) async fn open_port(
    config: &Config,
    server: &mut JoinSet<()>,
) -> Result<Option<mpsc::Receiver<Ask>>, AgentError> {
    let Some(listen) = wiring::listen(config) else { return Ok(None) };
    let port = Port::open(&listen).await?;
    tracing::info!(address = %port.address, "listening for /metrics, /healthz and /readyz");
    let (serving, asks) = port.serve();
    server.spawn(serving);
    Ok(Some(asks))
}

/// Starts all that is not about logs. One that cannot be started is no reason not to start the others.
pub(super) fn start_observers(
    config: &Config,
    observed: &mpsc::Sender<Observation>,
) -> Result<Vec<Running>, AgentError> {
    let env = |name: &str| std::env::var(name).ok();
    let mut running = vec![
        modcache::start(wiring::modcache(config, env), observed.clone())?,
        buildcache::start(wiring::buildcache(config, env), observed.clone())?,
        counters::start(wiring::counters(config, env), observed.clone())?,
    ];
    if config.integrity.enabled {
        running.push(integrity::start(wiring::integrity(config, env), observed.clone())?);
    }
    if !config.action_graph.dirs.is_empty() {
        running.push(action_graph::start(wiring::action_graph(config), observed.clone())?);
    }
    Ok(running)
}

/// The exporter, and what tells of the agent's own work where that is asked for.
pub(super) type Export = (Exporter, Option<Arc<SelfTelemetry>>);

/// `None`: there is nothing to export to.
pub(super) fn start_exporter(config: &Config) -> Result<Option<Export>, AgentError> {
    let settings = match export_settings(config)? {
        Ok(settings) => settings,
        Err(why) => {
            tracing::info!(%why, "no traces and log events are exported");
            return Ok(None);
        }
    };
    let exporter = Exporter::start(&settings)?;
    let own = if config.self_telemetry { SelfTelemetry::start(&settings)?.map(Arc::new) } else { None };
    exporter.observe(own.as_ref().map(SelfTelemetry::observer).as_ref());
    Ok(Some((exporter, own)))
}

/// Where and how is exported, or why nothing is.
pub(super) fn export_settings(config: &Config) -> Result<Result<Settings, Off>, SettingsError> {
    Ok(match wiring::exporter(&config.otlp, |name| std::env::var(name).ok())? {
        Resolved::On(mut settings) => {
            settings.spool = wiring::spool(config, |name| std::env::var(name).ok());
            Ok(*settings)
        }
        Resolved::Off(why) => Err(why),
    })
}
