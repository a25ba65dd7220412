//! What the program says about itself: sentences on standard error, as text or JSON.
//!
//! Invariant: nothing here ever writes to standard output, which belongs to the commands.

use std::io;
use std::sync::OnceLock;

use tracing_subscriber::Registry;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Log, LogFormat};

/// The filter of the log that was started.
static FILTER: OnceLock<Handle<Targets, Registry>> = OnceLock::new();

/// Says so much from now on.
pub(crate) fn set_level(level: &str) {
    let (Some(filter), Ok(targets)) = (FILTER.get(), level.parse::<Targets>()) else { return };
    if let Err(error) = filter.reload(targets) {
        tracing::warn!(%error, "the level of the log stays as it was");
    }
}

/// Starts it. Only the first call counts.
pub(crate) fn start(log: &Log) {
    // the configuration was checked; should it not have been, the default speaks
    let filter: Targets = log.level.parse().unwrap_or_else(|_| Targets::new().with_default(tracing::Level::INFO));
    let (filter, handle) = reload::Layer::new(filter);
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let started = match log.format {
        LogFormat::Text => registry.with(lines.with_ansi(false)).try_init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true).with_current_span(false)).try_init(),
    };
    match started {
        Ok(()) => _ = FILTER.set(handle),
        Err(_) => tracing::debug!("the log was started before"),
    }
}
