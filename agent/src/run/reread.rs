//! Reads the configuration again while the agent runs, and the certificates, keys and headers that it names.
//!
//! A thread of its own looks at the files twice a second, by their paths: so a file that is written in place, one that
//! an editor renames into place, and a folder of Kubernetes whose symbolic link is exchanged are all the same, on every
//! file system. A change counts once two looks in a row agree, so that a file that is being written is left alone. All
//! that can go wrong goes wrong here, before anything changes; what comes out needs only to be put in place.
//!
//! Invariants: what has mistakes changes nothing and is said with its place; the loop never waits for a file.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use gobeacon_collectors::logs;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::start::export_settings;
use crate::admin::Port;
use crate::config::{Changes, Config, Origin};
use crate::export::{Change, Lanes, Settings, Signal};
use crate::self_telemetry::SelfTelemetry;
use crate::wiring;

/// How often the files are looked at: it costs a `stat` each.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Full-policy: the thread waits until the loop has put the last one in place.
const WAITING: usize = 1;

/// What came of reading again.
pub(super) struct Reread {
    /// What is to be put in place; `None`: it has mistakes, which were said.
    pub(super) ready: Option<Ready>,
    /// Whether what is on disk, all in all, is what runs.
    pub(super) is_well: bool,
}

/// What needs only to be put in place.
pub(super) enum Ready {
    /// Another configuration.
    Config(Box<Prepared>),
    /// Other certificates, keys or headers.
    Secrets(Box<Change>),
}

/// A configuration with all that it needs.
pub(super) struct Prepared {
    pub(super) changes: Changes,
    pub(super) export: Change,
    /// The recorder of own spans, where that changes; `Some(None)`: there is none any more.
    pub(super) own: Option<Option<Arc<SelfTelemetry>>>,
    /// The port, where that changes; `Some(None)`: it is closed.
    pub(super) port: Option<Option<Port>>,
}

/// The handle of the thread.
#[derive(Debug)]
pub(super) struct Rereader {
    orders: Sender<()>,
    /// What came of it.
    pub(super) results: mpsc::Receiver<Reread>,
}

impl std::fmt::Debug for Reread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reread").field("is_well", &self.is_well).finish_non_exhaustive()
    }
}

impl Rereader {
    /// Starts to look, on the runtime it is called from.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub(super) fn start(origin: Origin, config: &Config) -> io::Result<Self> {
        let settings = export_settings(config).ok().and_then(Result::ok);
        let (orders, to_do) = channel();
        let (told, results) = mpsc::channel(WAITING);
        let mut thread = Thread {
            lanes: Lanes::default().with(settings.as_ref()),
            secrets: Watched::new(secret_files(settings.as_ref())),
            file: Watched::new(origin.path.iter().cloned().collect()),
            origin,
            config: config.clone(),
            runtime: Handle::current(),
            told,
            is_config_well: true,
            are_secrets_well: true,
        };
        std::thread::Builder::new().name("reread".to_owned()).spawn(move || thread.run(&to_do))?;
        Ok(Self { orders, results })
    }

    /// Asks for it now.
    pub(super) fn order(&self) {
        // a thread that is gone was said to have crashed
        let _ = self.orders.send(());
    }
}

struct Thread {
    origin: Origin,
    /// What runs.
    config: Config,
    lanes: Lanes,
    file: Watched,
    secrets: Watched,
    runtime: Handle,
    told: mpsc::Sender<Reread>,
    is_config_well: bool,
    are_secrets_well: bool,
}

impl Thread {
    fn run(&mut self, orders: &Receiver<()>) {
        loop {
            let result = match orders.recv_timeout(LOOK_EVERY) {
                Ok(()) => Some(self.reread()),
                Err(RecvTimeoutError::Timeout) if self.file.have_changed() => Some(self.reread()),
                Err(RecvTimeoutError::Timeout) if self.secrets.have_changed() => Some(self.renew()),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if let Some(ready) = result {
                let reread = Reread { ready, is_well: self.is_config_well && self.are_secrets_well };
                if self.told.blocking_send(reread).is_err() {
                    return;
                }
            }
        }
    }

    /// All of it.
    fn reread(&mut self) -> Option<Ready> {
        // what changes from here on is seen by the next look
        self.file.read();
        self.secrets.read();
        match self.prepare() {
            Ok((prepared, settings)) => {
                self.config = prepared.changes.config.clone();
                self.lanes = self.lanes.with(settings.as_ref());
                self.secrets = Watched::new(secret_files(settings.as_ref()));
                (self.is_config_well, self.are_secrets_well) = (true, true);
                Some(Ready::Config(Box::new(prepared)))
            }
            Err(why) => {
                self.is_config_well = false;
                tracing::error!("the configuration has mistakes, the agent goes on with the one it has: {why}");
                None
            }
        }
    }

    /// Only what the configuration that runs names.
    fn renew(&mut self) -> Option<Ready> {
        self.secrets.read();
        let _entered = self.runtime.enter();
        let settings = export_settings(&self.config).map_err(|error| error.to_string());
        let change = settings.and_then(|settings| {
            Change::prepare(settings.as_ref().ok(), self.lanes).map_err(|error| error.to_string())
        });
        self.are_secrets_well = change.is_ok();
        match change {
            Ok(change) => Some(Ready::Secrets(Box::new(change))),
            Err(why) => {
                tracing::error!(
                    "a file that changed cannot be used, the agent goes on with what it read before: {why}"
                );
                None
            }
        }
    }

    fn prepare(&self) -> Result<(Prepared, Option<Settings>), String> {
        let read = self.origin.load().map_err(|error| error.to_string())?;
        let changes = Changes::between(&self.config, &read).map_err(|error| error.to_string())?;
        let config = &changes.config;
        logs::check(&wiring::logs(config)).map_err(|error| error.to_string())?;
        let settings = export_settings(config).map_err(|error| error.to_string())?;
        if let (Err(why), true) = (&settings, changes.touches("otlp")) {
            tracing::info!(%why, "no traces and log events are exported any more");
        }
        let settings = settings.ok();
        let port = changes.touches("listen").then(|| self.open_port(config)).transpose()?;
        let _entered = self.runtime.enter();
        let export = Change::prepare(settings.as_ref(), self.lanes).map_err(|error| error.to_string())?;
        let own = if changes.touches("otlp") || changes.touches("self_telemetry") {
            let on = settings.as_ref().filter(|_| config.self_telemetry);
            let own = on.map(SelfTelemetry::start).transpose().map_err(|error| error.to_string())?;
            Some(own.flatten().map(Arc::new))
        } else {
            None
        };
        Ok((Prepared { changes, export, own, port }, settings))
    }

    fn open_port(&self, config: &Config) -> Result<Option<Port>, String> {
        let Some(listen) = wiring::listen(config) else { return Ok(None) };
        self.runtime.block_on(Port::open(&listen)).map(Some).map_err(|error| error.to_string())
    }
}

/// Files whose changes count.
#[derive(Debug)]
struct Watched {
    paths: Vec<PathBuf>,
    /// As they were when they were read.
    read: Vec<Look>,
    /// As they were at the last look.
    last: Vec<Look>,
}

impl Watched {
    /// As they are now they count as read.
    fn new(paths: Vec<PathBuf>) -> Self {
        let read: Vec<_> = paths.iter().map(|path| look(path)).collect();
        Self { paths, last: read.clone(), read }
    }

    /// Whether they are others than those that were read, and were the same at the last look.
    fn have_changed(&mut self) -> bool {
        let now: Vec<_> = self.paths.iter().map(|path| look(path)).collect();
        let before = std::mem::replace(&mut self.last, now);
        self.last == before && self.last != self.read
    }

    /// They are read now.
    fn read(&mut self) {
        self.read = self.paths.iter().map(|path| look(path)).collect();
        self.last.clone_from(&self.read);
    }
}

/// What tells one content of a file from another without reading it; `None` where there is no file.
type Look = Option<[i64; 6]>;

fn look(path: &Path) -> Look {
    let at = fs::metadata(path).ok()?;
    let number = |number: u64| i64::from_ne_bytes(number.to_ne_bytes());
    Some([number(at.dev()), number(at.ino()), number(at.size()), at.mtime(), at.mtime_nsec(), at.ctime_nsec()])
}

/// Certificates, keys and headers.
fn secret_files(settings: Option<&Settings>) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for signal in [Signal::Traces, Signal::Logs] {
        let Some(signal) = settings.and_then(|settings| settings.signal(signal)) else { continue };
        files.extend(signal.header_files.values().cloned());
        if signal.url.scheme() == "https" {
            files.extend(signal.tls.certificate.clone());
            files.extend(signal.tls.client.clone().into_iter().flat_map(|(certificate, key)| [certificate, key]));
        }
    }
    files.sort();
    files.dedup();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_counts_once_it_has_stood_for_two_looks_whether_written_renamed_or_linked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent.yaml");
        fs::write(&path, "a").unwrap();
        let mut watched = Watched::new(vec![path.clone()]);
        assert!(!watched.have_changed() && !watched.have_changed());
        fs::write(&path, "ab").unwrap();
        assert!(!watched.have_changed());
        fs::write(&path, "abc").unwrap();
        assert!(!watched.have_changed(), "it is still being written");
        assert!(watched.have_changed());
        watched.read();
        assert!(!watched.have_changed());

        fs::write(dir.path().join("new"), "abc").unwrap();
        fs::rename(dir.path().join("new"), &path).unwrap();
        assert!(!watched.have_changed() && watched.have_changed());
        watched.read();

        fs::write(dir.path().join("target"), "abc").unwrap();
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(dir.path().join("target"), &path).unwrap();
        assert!(!watched.have_changed() && watched.have_changed());
    }
}
