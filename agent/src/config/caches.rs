//! The keys of what is watched besides logs: caches, counters and graphs.
//!
//! The doc comments of the keys are the reference page, as in `keys`.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Duration, validate};

/// Where caches and counters are looked for, besides those that are named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Discovery {
    /// Whether the caches and counters of homes are looked for at all. Without, only what is named is watched.
    #[garde(skip)]
    pub(crate) enabled: bool,
    /// Patterns of home folders. Their `go env -w` files and Go's defaults say where their caches and counters are.
    /// The agent's own home and environment are looked at too. In a container the homes of the node are where they are
    /// mounted, such as `/host/home/*`.
    #[garde(custom(validate::patterns))]
    pub(crate) homes: Vec<String>,
}

impl Default for Discovery {
    fn default() -> Self {
        Self { enabled: true, homes: ["/root", "/home/*"].map(str::to_owned).to_vec() }
    }
}

/// Module caches, where downloads are seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ModCache {
    /// Module caches (GOMODCACHE) to watch, besides those that are discovered. Patterns may stand for several:
    /// `/srv/runners/*/go/pkg/mod`. One that is not there yet is watched when it comes.
    #[garde(custom(validate::patterns))]
    #[schemars(extend("x-env" = "GOBEACON_MODCACHE", "x-flag" = "--modcache"))]
    pub(crate) dirs: Vec<String>,
    /// How long the file of a download must not grow for the download to be stalled. The go command has no such limit:
    /// it waits for ever for a proxy that does not answer.
    #[garde(custom(validate::at_least_a_second), custom(validate::at_most_an_hour))]
    pub(crate) stall_after: Duration,
    /// How long the file of a download must not grow for the download to have failed, where nothing else tells. The
    /// first process namespace of the machine shows within seconds that a go command was killed; others do not.
    #[garde(custom(validate::at_least_a_second))]
    pub(crate) abandon_after: Duration,
    /// How often module caches are looked for. One that the kernel gives no notification of is itself looked at again
    /// as often, and at most one part in twenty of the time.
    #[garde(custom(validate::rescan))]
    pub(crate) rescan_interval: Duration,
    /// How often all that the module caches hold is counted. Counting takes at most a tenth of a core.
    #[garde(custom(validate::at_least_a_second))]
    pub(crate) inventory_interval: Duration,
}

impl Default for ModCache {
    fn default() -> Self {
        Self {
            dirs: Vec::new(),
            stall_after: Duration::seconds(30),
            abandon_after: Duration::seconds(15 * 60),
            rescan_interval: Duration::seconds(2),
            inventory_interval: Duration::seconds(15 * 60),
        }
    }
}

/// Whether module caches hold what they should: each zip and go.mod is read from time to time, and its hash compared
/// with the `.ziphash` beside it, the records of the checksum database in the cache, go.sum files, and every other cache.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Integrity {
    /// Whether the module caches are verified at all.
    #[garde(skip)]
    pub(crate) enabled: bool,
    /// Patterns of go.sum and go.work.sum files that the caches are compared with: `/srv/builds/*/go.sum`. One that is
    /// not there yet counts when it comes.
    #[garde(custom(validate::patterns))]
    pub(crate) go_sums: Vec<String>,
    /// Keys of checksum databases of your own, as GOSUMDB has them: `name+hash+key`. That of sum.golang.org is known.
    /// Records of a database without a key are compared, but not proved.
    #[garde(inner(custom(validate::sumdb_key)))]
    pub(crate) sumdb_keys: Vec<String>,
    /// Whether extracted trees are compared with their zips too: builds compile them and verify nothing. It reads
    /// several times as much.
    #[garde(skip)]
    pub(crate) extracted: bool,
    /// Most bytes that are read in a second, over all caches.
    #[garde(range(min = 1))]
    pub(crate) bytes_per_second: u64,
    /// After which time a file is read again though nothing says that it changed: a disk that loses bits does not say
    /// so. What is new or was written is read at once.
    #[garde(custom(validate::at_least_a_second))]
    pub(crate) scan_interval: Duration,
}

impl Default for Integrity {
    fn default() -> Self {
        Self {
            enabled: true,
            go_sums: Vec::new(),
            sumdb_keys: Vec::new(),
            extracted: true,
            bytes_per_second: 8_000_000,
            scan_interval: Duration::seconds(24 * 3600),
        }
    }
}

/// Build caches, where hits and puts are seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct BuildCache {
    /// Build caches (GOCACHE) to watch, besides those that are discovered. Patterns may stand for several. One that is
    /// not there yet is watched when it comes.
    #[garde(custom(validate::patterns))]
    #[schemars(extend("x-env" = "GOBEACON_GOCACHE", "x-flag" = "--gocache"))]
    pub(crate) dirs: Vec<String>,
    /// Whether the kernel is asked to tell what happens in them: one inotify instance, and 257 watches for each cache.
    /// Without, new entries are found by looking, and hits are not available.
    #[garde(skip)]
    pub(crate) watch: bool,
    /// How often caches are looked for, and how often new entries are where the kernel tells nothing.
    #[garde(custom(validate::rescan))]
    pub(crate) find_interval: Duration,
    /// How often everything in a cache is looked at, for its size by kind and by age. In between its size is kept up
    /// to date by what happens. A look takes at most a tenth of a core.
    #[garde(custom(validate::at_least_a_second))]
    pub(crate) inventory_interval: Duration,
    /// How long no go command must find anything in a restored cache for the restore to be judged
    /// (`gobuild.cache.restore_used`).
    #[garde(custom(validate::at_least_a_second))]
    pub(crate) restore_quiet: Duration,
}

impl Default for BuildCache {
    fn default() -> Self {
        Self {
            dirs: Vec::new(),
            watch: true,
            find_interval: Duration::seconds(2),
            inventory_interval: Duration::seconds(900),
            restore_quiet: Duration::seconds(600),
        }
    }
}

/// Go's own counters, where exact hits, misses and invocations of tools are read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Counters {
    /// Folders of Go telemetry (`go env GOTELEMETRYDIR`) to read, besides those that are discovered. Patterns may stand
    /// for several.
    #[garde(custom(validate::patterns))]
    #[schemars(extend("x-env" = "GOBEACON_GO_TELEMETRY", "x-flag" = "--go-telemetry"))]
    pub(crate) dirs: Vec<String>,
}

/// Graphs of actions, where the time of a build went and why packages were compiled.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ActionGraph {
    /// Folders in which go commands write their graphs, because somebody set `GOFLAGS=-debug-actiongraph=FOLDER/FILE`
    /// (in a job, by `go env -w` or in `$GOROOT/go.env`) or gave the flag. Patterns may stand for several. Each graph is
    /// read when it is complete, before the next command overwrites it.
    #[garde(custom(validate::patterns))]
    pub(crate) dirs: Vec<String>,
}
