//! Every key of the configuration but those of `otlp`, with its default, unit and effect.
//!
//! The doc comments of the keys are the reference page: they are written for who runs the agent. `x-env` and `x-flag`
//! say where a key's variable is not the one made of its path, and which flag of `gobeacon agent` sets it; `x-at-start`
//! which keys and sections a running agent does not take over.

use std::path::PathBuf;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::caches::{ActionGraph, BuildCache, Counters, Discovery, Integrity, ModCache};
use super::{Duration, Otlp, validate};

/// The configuration of gobeacon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Address and port of `/metrics`, `/healthz` and `/readyz`: `HOST:PORT`. `:PORT` listens on all addresses, port 0
    /// takes a free one and says which, `off` opens no port.
    #[garde(custom(validate::listen))]
    #[schemars(extend("x-flag" = "--listen"))]
    pub(crate) listen: String,
    /// Folder for what the agent must remember over restarts: how far logs were read, which builds are open, what no
    /// scrape has shown, and traces and log events that are not delivered yet. Without it logs are read from their
    /// starts after a restart, and the same lines give the same trace ids. It is made where it is missing; when it cannot
    /// be written the agent warns and goes on. Unset, it is `$STATE_DIRECTORY` where systemd sets it,
    /// `/var/lib/gobeacon` for root, and `gobeacon` in `$XDG_STATE_HOME` or `~/.local/state` for everybody else.
    #[garde(skip)]
    #[schemars(extend("x-flag" = "--state-dir", "x-at-start" = true))]
    pub(crate) state_dir: Option<PathBuf>,
    /// How long the agent goes on after SIGTERM or SIGINT to export what it has read. What is left then is dropped,
    /// counted and said. A second signal ends it at once.
    #[garde(custom(validate::at_most_an_hour))]
    pub(crate) shutdown_timeout: Duration,
    /// Which logs are followed.
    #[garde(dive)]
    pub(crate) logs: Logs,
    /// How builds are told from each other.
    #[garde(dive)]
    pub(crate) build: Build,
    /// Where caches and counters are looked for.
    #[garde(dive)]
    #[schemars(extend("x-at-start" = true))]
    pub(crate) discovery: Discovery,
    /// Module caches.
    #[garde(dive)]
    #[schemars(extend("x-at-start" = true))]
    pub(crate) modcache: ModCache,
    /// Whether module caches hold what they should.
    #[garde(dive)]
    #[schemars(extend("x-at-start" = true))]
    pub(crate) integrity: Integrity,
    /// Build caches.
    #[garde(dive)]
    #[schemars(extend("x-at-start" = true))]
    pub(crate) buildcache: BuildCache,
    /// Go's own counters.
    #[garde(dive)]
    #[schemars(extend("x-at-start" = true))]
    pub(crate) counters: Counters,
    /// Graphs of actions.
    #[garde(dive)]
    #[schemars(extend("x-at-start" = true))]
    pub(crate) action_graph: ActionGraph,
    /// Where traces and log events go, and how. What is unset here is taken from the standard `OTEL_EXPORTER_OTLP_*`
    /// variables, and then from the default.
    #[garde(dive)]
    pub(crate) otlp: Otlp,
    /// Whether the agent sends spans of its own work too (its requests, batches applied, pages of metrics; a few a
    /// second at most), with `service.name` gobeacon, to where traces go.
    #[garde(skip)]
    pub(crate) self_telemetry: bool,
    /// What this machine is called.
    #[garde(dive)]
    #[schemars(extend("x-at-start" = true))]
    pub(crate) host: Host,
    /// What the agent says about itself, on standard error.
    #[garde(dive)]
    pub(crate) log: Log,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:9797".to_owned(),
            state_dir: None,
            shutdown_timeout: Duration::seconds(10),
            logs: Logs::default(),
            build: Build::default(),
            discovery: Discovery::default(),
            modcache: ModCache::default(),
            integrity: Integrity::default(),
            buildcache: BuildCache::default(),
            counters: Counters::default(),
            action_graph: ActionGraph::default(),
            otlp: Otlp::default(),
            self_telemetry: false,
            host: Host::default(),
            log: Log::default(),
        }
    }
}

/// Which logs are followed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Logs {
    /// Patterns of the log files to follow, such as `/var/log/pods/*/*/*.log`. `*` stands for anything within one
    /// name, `**` for any number of folders, `{a,b}` for either. A file that comes later is found. Relative patterns
    /// start where the agent was started.
    #[garde(skip)]
    #[schemars(extend("x-env" = "GOBEACON_LOGS", "x-flag" = "--logs"))]
    pub(crate) include: Vec<String>,
    /// Patterns of files and folders that are passed over though a pattern of `include` has them. One without a slash
    /// is compared with every name on the way. What rotation compresses was read before it was compressed.
    #[garde(skip)]
    pub(crate) exclude: Vec<String>,
    /// How often everything is looked at again, at the least: how late a change is noticed where the file system gives
    /// no notification. Where a look takes long it happens less often.
    #[garde(custom(validate::rescan))]
    pub(crate) rescan_interval: Duration,
    /// How long a log must be silent before a line that might have gone on is taken as complete.
    #[garde(custom(validate::at_most_an_hour))]
    pub(crate) flush_after: Duration,
    /// How long a file that was removed, or renamed to where no pattern finds it, is read on after its last line.
    #[garde(custom(validate::at_most_an_hour))]
    pub(crate) linger: Duration,
    /// Most files held open. Beyond it the one that was not used for the longest is closed, and opened again when it
    /// changes.
    #[garde(range(min = 8, max = 1_000_000))]
    pub(crate) max_open_files: u32,
}

impl Default for Logs {
    fn default() -> Self {
        Self {
            include: Vec::new(),
            exclude: ["*.gz", "*.zst", "*.xz", "*.bz2"].map(str::to_owned).to_vec(),
            rescan_interval: Duration::milliseconds(500),
            flush_after: Duration::milliseconds(150),
            linger: Duration::seconds(10),
            max_open_files: 512,
        }
    }
}

/// How builds are told from each other. A build is one go command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Build {
    /// A build whose log says nothing for this long is over. A compile or a test that is silent for longer cuts its
    /// build in two.
    #[garde(custom(validate::at_least_a_second))]
    #[schemars(extend("x-flag" = "--build-idle-timeout"))]
    pub(crate) idle_timeout: Duration,
    /// Most spans of one build, its root included. Failed and slow work is kept, the rest becomes counts on the root.
    #[garde(range(min = 8, max = 100_000))]
    pub(crate) max_spans: u32,
    /// Most builds that are open at once. Beyond it the one that was silent the longest is taken to be over.
    #[garde(range(min = 1, max = 100_000))]
    pub(crate) max_open: u32,
    /// What becomes of builds that are open when the agent is told to end. `end` sends them as they are: what their logs
    /// say later is another build. `keep` leaves them to the next start, which goes on with them, for machines where the
    /// agent comes back; where `state_dir` cannot be written they end all the same.
    #[garde(skip)]
    #[schemars(extend("x-at-start" = true))]
    pub(crate) on_shutdown: OnShutdown,
}

/// What becomes of open builds at an end in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnShutdown {
    End,
    Keep,
}

impl Default for Build {
    fn default() -> Self {
        Self { idle_timeout: Duration::seconds(300), max_spans: 2_000, max_open: 1_024, on_shutdown: OnShutdown::End }
    }
}

/// What this machine is called.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Host {
    /// What this machine is, the same over restarts; trace ids are made from it. Unset, it is `/etc/machine-id`, else
    /// the host name.
    #[garde(length(min = 1, max = 256))]
    pub(crate) id: Option<String>,
    /// Resource attribute `host.name`. Unset, it is the host name.
    #[garde(length(min = 1, max = 256))]
    pub(crate) name: Option<String>,
}

/// What the agent says about itself, on standard error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Log {
    /// How much is said: `off`, `error`, `warn`, `info`, `debug` or `trace`, also for one part of the program:
    /// `info,gobeacon_collectors=debug`.
    #[garde(custom(validate::level))]
    #[schemars(extend("x-flag" = "--log-level"))]
    pub(crate) level: String,
    /// One line of text or one JSON object for each message.
    #[garde(skip)]
    #[schemars(extend("x-flag" = "--log-format", "x-at-start" = true))]
    pub(crate) format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Text }
    }
}

/// The shape of the agent's own log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    Text,
    Json,
}
