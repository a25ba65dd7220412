//! Puts a configuration that was read again in place.
//!
//! Invariant: only what changed is touched, and nothing here can fail: what could did before.

use std::collections::BTreeSet;
use std::sync::Arc;

use gobeacon_collectors::now;
use tokio::task::JoinSet;

use super::Agent;
use super::reread::{Prepared, Ready, Reread};
use crate::self_telemetry::SelfTelemetry;
use crate::{logging, wiring};

impl Agent {
    /// Takes over what was read again.
    pub(super) fn take_over(&mut self, reread: Reread) {
        let Reread { ready, is_well } = reread;
        self.metrics.reread(ready.is_some(), is_well, now());
        match ready {
            None => {}
            Some(Ready::Secrets(change)) => {
                self.exporter.get_or_insert_default().change(*change);
                tracing::info!("certificates, keys or headers changed: new connections use them");
            }
            Some(Ready::Config(prepared)) => self.put_in_place(*prepared),
        }
    }

    fn put_in_place(&mut self, prepared: Prepared) {
        let Prepared { changes, export, own, port } = prepared;
        let config = &changes.config;
        self.exporter.get_or_insert_default().change(export);
        if let Some(port) = port {
            // who is connected to the old port loses its connection
            (self.server, self.asks) = (JoinSet::new(), None);
            if let Some(port) = port {
                tracing::info!(address = %port.address, "listening for /metrics, /healthz and /readyz");
                let (serving, asks) = port.serve();
                self.server.spawn(serving);
                self.asks = Some(asks);
            }
        }
        if let Some(own) = own {
            self.replace_own(own);
        }
        if changes.touches("build") {
            let settings = wiring::builds(config);
            self.builds.change(&settings);
            self.graphs.change(&settings);
        }
        // a build's silence is also a log's
        if (changes.touches("logs") || changes.touches("build.idle_timeout"))
            && let Err(error) = self.log_changes.change(wiring::logs(config))
        {
            tracing::error!(%error, "the same logs are followed as before");
        }
        if changes.touches("log.level") {
            logging::set_level(&config.log.level);
        }
        self.shutdown_timeout = config.shutdown_timeout.into();
        self.watchdog.set_timeout(self.shutdown_timeout);
        let list = |keys: &BTreeSet<String>| keys.iter().cloned().collect::<Vec<_>>().join(", ");
        tracing::info!(changed = list(&changes.live), "the configuration was read again");
        if !changes.at_start.is_empty() {
            tracing::warn!(
                keys = list(&changes.at_start),
                "these keys changed too: they take effect at the next start"
            );
        }
    }

    fn replace_own(&mut self, own: Option<Arc<SelfTelemetry>>) {
        if let Some(exporter) = &self.exporter {
            exporter.observe(own.as_ref().map(SelfTelemetry::observer).as_ref());
        }
        if let Some(old) = std::mem::replace(&mut self.own, own) {
            let within = self.shutdown_timeout;
            self.server.spawn(async move { old.shutdown(within).await });
        }
    }
}
