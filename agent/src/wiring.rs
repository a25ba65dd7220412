//! From the configuration to the settings of each room.
//!
//! The rooms do not know the configuration and the configuration does not know them; this page knows both. It reads
//! the environment and the host's name, nothing else.
//!
//! Invariant: every key of the configuration is used here or in `run`; a key without effect is a lie.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gobeacon_collectors::{Places, action_graph, buildcache, counters, integrity, logs, modcache};
use gobeacon_formats::sumdb::Key;

use crate::builds;
use crate::config::{Compression, Config, Otlp, Protocol};
use crate::export::{self, Explicit, Resolved, SettingsError};

/// Where traces and log events go: the configuration, then the standard variables that `env` looks up.
///
/// # Errors
/// Names the key or variable that is wrong.
pub(crate) fn exporter(otlp: &Otlp, env: impl Fn(&str) -> Option<String>) -> Result<Resolved, SettingsError> {
    export::Settings::resolve(&explicit(otlp), env)
}

/// A day of a busy node: ten spans a second of some hundred bytes each.
const SPOOL_BYTES: u64 = 1 << 30;

fn explicit(otlp: &Otlp) -> Explicit {
    Explicit {
        endpoint: otlp.endpoint.clone(),
        protocol: otlp.protocol.map(|protocol| match protocol {
            Protocol::Grpc => export::settings::Protocol::Grpc,
            Protocol::HttpProtobuf => export::settings::Protocol::HttpProtobuf,
        }),
        headers: otlp.headers.iter().map(|(name, value)| (name.clone(), value.reveal().to_owned())).collect(),
        header_files: otlp.header_files.clone(),
        compression: otlp.compression.map(|compression| match compression {
            Compression::Gzip => export::settings::Compression::Gzip,
            Compression::None => export::settings::Compression::None,
        }),
        timeout: otlp.timeout.map(Into::into),
        certificate: otlp.certificate.clone(),
        client_certificate: otlp.client_certificate.clone(),
        client_key: otlp.client_key.clone(),
        insecure: otlp.insecure,
        traces: otlp.traces,
        logs: otlp.logs,
        queue_bytes: otlp.queue_bytes,
        queue_records: otlp.queue_records,
    }
}

/// How builds are told from each other.
pub(crate) fn builds(config: &Config) -> builds::Settings {
    let host_name = config.host.name.clone().or_else(host_name);
    let host_id = config.host.id.clone().or_else(machine_id).or_else(|| host_name.clone()).unwrap_or_default();
    builds::Settings {
        idle_timeout: config.build.idle_timeout.into(),
        host_id,
        host_name,
        max_spans_per_build: usize::try_from(config.build.max_spans).unwrap_or(usize::MAX),
        max_open_builds: usize::try_from(config.build.max_open).unwrap_or(usize::MAX),
        files_are_watched: true,
    }
}

/// Which logs are followed, and how.
pub(crate) fn logs(config: &Config) -> logs::Settings {
    logs::Settings {
        include: config.logs.include.clone(),
        exclude: config.logs.exclude.clone(),
        rescan_interval: config.logs.rescan_interval.into(),
        flush_after: config.logs.flush_after.into(),
        // a little sooner than the build ends, so that what was still open belongs to it
        rest_after: Duration::from(config.build.idle_timeout).mul_f64(0.95),
        linger: config.logs.linger.into(),
        max_open_files: usize::try_from(config.logs.max_open_files).unwrap_or(usize::MAX),
        ..logs::Settings::default()
    }
}

/// Which module caches are watched, and how.
pub(crate) fn modcache(config: &Config, env: impl Fn(&str) -> Option<String>) -> modcache::Settings {
    modcache::Settings {
        places: modcache_places(config, env),
        stall_after: config.modcache.stall_after.into(),
        abandon_after: config.modcache.abandon_after.into(),
        rescan_interval: config.modcache.rescan_interval.into(),
        inventory_interval: config.modcache.inventory_interval.into(),
        ..modcache::Settings::default()
    }
}

/// Which module caches are watched. A folder that is named wins over the environment, as the go command has it.
pub(crate) fn modcache_places(config: &Config, env: impl Fn(&str) -> Option<String>) -> Places {
    let first_of = |list: String| std::env::split_paths(&list).next().map(|first| first.join("pkg/mod"));
    let ours = env("GOMODCACHE").map(PathBuf::from).or_else(|| first_of(env("GOPATH")?));
    places(&config.modcache.dirs, config, ours, env)
}

/// Which build caches are watched.
pub(crate) fn buildcache_places(config: &Config, env: impl Fn(&str) -> Option<String>) -> Places {
    let ours = env("GOCACHE").or_else(|| Some(env("XDG_CACHE_HOME")? + "/go-build")).map(PathBuf::from);
    places(&config.buildcache.dirs, config, ours, env)
}

/// How build caches are watched, and which.
pub(crate) fn buildcache(config: &Config, env: impl Fn(&str) -> Option<String>) -> buildcache::Settings {
    buildcache::Settings {
        places: buildcache_places(config, env),
        watch: config.buildcache.watch,
        find_interval: config.buildcache.find_interval.into(),
        inventory_interval: config.buildcache.inventory_interval.into(),
        restore_quiet: config.buildcache.restore_quiet.into(),
    }
}

/// Which folders of counters are read.
pub(crate) fn counters(config: &Config, env: impl Fn(&str) -> Option<String>) -> counters::Settings {
    let ours = env("XDG_CONFIG_HOME").map(|base| Path::new(&base).join("go/telemetry"));
    counters::Settings { places: places(&config.counters.dirs, config, ours, env), ..counters::Settings::default() }
}

/// Which folders of graphs are watched.
pub(crate) fn action_graph(config: &Config) -> action_graph::Settings {
    action_graph::Settings { dirs: config.action_graph.dirs.clone(), ..action_graph::Settings::default() }
}

/// What of the module caches is verified, and how gently.
pub(crate) fn integrity(config: &Config, env: impl Fn(&str) -> Option<String>) -> integrity::Settings {
    integrity::Settings {
        places: modcache_places(config, env),
        go_sums: config.integrity.go_sums.clone(),
        keys: config.integrity.sumdb_keys.iter().filter_map(|text| Key::parse(text)).collect(),
        extracted: config.integrity.extracted,
        bytes_per_second: config.integrity.bytes_per_second,
        scan_interval: config.integrity.scan_interval.into(),
        ..integrity::Settings::default()
    }
}

/// Those that are named, the one that this process's own environment says, and those of homes.
fn places(dirs: &[String], config: &Config, ours: Option<PathBuf>, env: impl Fn(&str) -> Option<String>) -> Places {
    let mut places = Places { dirs: dirs.to_vec(), ..Places::default() };
    if config.discovery.enabled {
        let own_home = env("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
        places.maybe = ours.filter(|dir| dir.is_absolute()).iter().map(|dir| literal(dir)).collect();
        places.homes =
            own_home.iter().map(|home| literal(home)).chain(config.discovery.homes.iter().cloned()).collect();
    }
    places
}

/// A path as the pattern that stands for it alone.
fn literal(path: &Path) -> String {
    let mut pattern = String::new();
    for c in path.to_string_lossy().chars() {
        match c {
            '*' | '?' | '[' | ']' | '{' | '}' => pattern.extend(['[', c, ']']),
            _ => pattern.push(c),
        }
    }
    pattern
}

/// What to bind for `/metrics`; `None` opens no port. `:PORT` is every address, of IPv6 and IPv4 where the system
/// does both on one socket.
pub(crate) fn listen(config: &Config) -> Option<String> {
    match config.listen.as_str() {
        "off" => None,
        port if port.starts_with(':') => Some(format!("[::]{port}")),
        address => Some(address.to_owned()),
    }
}

/// The folder of what must be remembered.
pub(crate) fn state_dir(config: &Config, env: impl Fn(&str) -> Option<String>) -> PathBuf {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    // systemd may name several, parted by colons: the first is ours
    let by_systemd = || set("STATE_DIRECTORY").and_then(|dirs| dirs.split(':').next().map(PathBuf::from));
    let for_root = || rustix::process::geteuid().is_root().then(|| PathBuf::from("/var/lib/gobeacon"));
    let by_xdg = || set("XDG_STATE_HOME").map(|dir| Path::new(&dir).join("gobeacon"));
    let at_home = || set("HOME").map(|dir| Path::new(&dir).join(".local/state/gobeacon"));
    config
        .state_dir
        .clone()
        .or_else(by_systemd)
        .or_else(for_root)
        .or_else(by_xdg)
        .or_else(at_home)
        .unwrap_or_else(|| PathBuf::from("gobeacon-state"))
}

/// Where what waits for the backend is kept; `None`: nowhere.
pub(crate) fn spool(config: &Config, env: impl Fn(&str) -> Option<String>) -> Option<export::settings::Spool> {
    let most_bytes = config.otlp.spool_bytes.unwrap_or(SPOOL_BYTES);
    let dir = || state_dir(config, env).join("spool");
    (most_bytes > 0).then(|| export::settings::Spool { dir: dir(), most_bytes })
}

fn machine_id() -> Option<String> {
    let text = std::fs::read_to_string("/etc/machine-id").ok()?;
    let id = text.trim();
    (!id.is_empty()).then(|| id.to_owned())
}

fn host_name() -> Option<String> {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_of_the_rooms_are_the_defaults_of_the_configuration() {
        let settings = builds(&Config::default());
        let default = builds::Settings::default();
        assert_eq!(settings.idle_timeout, default.idle_timeout);
        assert_eq!(settings.max_spans_per_build, default.max_spans_per_build);
        assert_eq!(settings.max_open_builds, default.max_open_builds);
        assert_eq!(explicit(&Otlp::default()), Explicit::default());
        assert_eq!(logs(&Config::default()), logs::Settings::default());
        let mut without_places = Config::default();
        without_places.discovery.enabled = false;
        assert_eq!(buildcache(&without_places, |_| None), buildcache::Settings::default());
        let watched = modcache(&Config::default(), |_| None);
        assert_eq!(watched, modcache::Settings { places: watched.places.clone(), ..modcache::Settings::default() });
        assert_eq!(integrity(&without_places, |_| None), integrity::Settings::default());
    }

    #[test]
    fn the_state_folder_is_the_configured_one_else_one_that_the_user_may_write() {
        let mut config = Config::default();
        let systemd = |name: &str| (name == "STATE_DIRECTORY").then(|| "/var/lib/a:/var/lib/b".to_owned());
        assert_eq!(state_dir(&config, systemd), Path::new("/var/lib/a"));
        config.state_dir = Some("/srv/state".into());
        assert_eq!(state_dir(&config, systemd), Path::new("/srv/state"));
    }

    #[test]
    fn caches_are_looked_for_in_the_environment_and_the_homes_unless_only_named_ones_are_wanted() {
        let env = |name: &str| match name {
            "HOME" => Some("/home/[me]".to_owned()),
            "GOPATH" => Some("/go:/other".to_owned()),
            "XDG_CACHE_HOME" => Some("/cache".to_owned()),
            _ => None,
        };
        let mut config = Config::default();
        config.modcache.dirs = vec!["/srv/*/mod".to_owned()];
        let found = modcache_places(&config, env);
        assert_eq!((found.dirs, found.maybe), (vec!["/srv/*/mod".to_owned()], vec!["/go/pkg/mod".to_owned()]));
        assert_eq!(found.homes, ["/home/[[]me[]]", "/root", "/home/*"]);
        assert_eq!(buildcache_places(&config, env).maybe, ["/cache/go-build"]);
        assert!(counters(&config, env).places.maybe.is_empty());
        config.discovery.enabled = false;
        let named = Places { dirs: config.modcache.dirs.clone(), ..Places::default() };
        assert_eq!(modcache_places(&config, env), named);
    }

    #[test]
    fn a_port_alone_is_every_address_and_off_is_none() {
        let listening = |text: &str| listen(&Config { listen: text.to_owned(), ..Config::default() });
        assert_eq!(listening(":9797").as_deref(), Some("[::]:9797"));
        assert_eq!(listening("localhost:0").as_deref(), Some("localhost:0"));
        assert_eq!(listening("off"), None);
    }
}
