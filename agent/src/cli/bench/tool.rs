//! The programs that are compared: how each is told to do the same work, and where it shows its counts.
//!
//! A row of [`PEERS`] is one of them; its configuration is text in a file of `peers/`. All are used as their makers
//! deliver them, with the one exception that they shall not send or store what they read.
//!
//! Invariant: each counts the same five things, and is asked by the same means.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::child::{self, Running};
use super::counts::Counts;
use super::receiver::Receiver;

/// How long a program may take to be ready.
const READY: Duration = Duration::from_secs(60);
/// How long it is then left alone, so that it has its file open before the first byte.
const SETTLE: Duration = Duration::from_secs(1);

/// A program that other people wrote.
#[derive(Debug)]
pub(super) struct Peer {
    /// For people, and for `--peers`.
    pub(super) name: &'static str,
    /// The file on PATH.
    pub(super) program: &'static str,
    /// What it is told, with `{log}`, `{dir}` and `{port}` to be filled in; empty where arguments say all.
    config: &'static str,
    /// The file that it is told in.
    file: &'static str,
    /// Its arguments, with the same to be filled in.
    arguments: &'static [&'static str],
    /// Where its counts are.
    shows: Shows,
}

/// Where a peer shows its counts.
#[derive(Debug, Clone, Copy)]
enum Shows {
    /// On a page of Prometheus at its port, as this and the name of the count.
    Page(&'static str),
    /// As the last line of a file that it writes each second.
    File(&'static str),
}

/// Every peer.
pub(super) const PEERS: &[Peer] = &[
    Peer {
        name: "mtail",
        program: "mtail",
        config: include_str!("peers/mtail.mtail"),
        file: "bench.mtail",
        arguments: &[
            "--progs",
            "{dir}",
            "--logs",
            "{log}",
            "--address",
            "127.0.0.1",
            "--port",
            "{port}",
            "--logtostderr",
        ],
        shows: Shows::Page(""),
    },
    Peer {
        name: "rsyslog",
        program: "rsyslogd",
        config: include_str!("peers/rsyslog.conf"),
        file: "rsyslog.conf",
        arguments: &["-n", "-f", "{dir}/rsyslog.conf", "-i", "{dir}/rsyslog.pid"],
        shows: Shows::File("stats.json"),
    },
    Peer {
        name: "fluent-bit",
        program: "fluent-bit",
        config: include_str!("peers/fluent-bit.conf"),
        file: "fluent-bit.conf",
        arguments: &["-q", "-c", "{dir}/fluent-bit.conf"],
        shows: Shows::Page("bench_log_"),
    },
    Peer {
        name: "vector",
        program: "vector",
        config: include_str!("peers/vector.yaml"),
        file: "vector.yaml",
        arguments: &["-q", "-c", "{dir}/vector.yaml"],
        shows: Shows::Page("bench_"),
    },
];

/// Its configuration, for `gobeacon agent`.
const OWN_CONFIG: &str = include_str!("peers/gobeacon.yaml");

/// The metrics of gobeacon that are the five counts.
const OWN_METRICS: [(&str, &str); 5] = [
    ("lines", "gobeacon_log_lines_total"),
    ("downloads", "gobuild_module_downloads_total"),
    ("tests", "gobuild_tests_total"),
    ("failed", "gobuild_test_failures_total"),
    ("packages", "gobuild_test_packages_total"),
];

/// A program at work.
#[derive(Debug)]
pub(super) struct Tool {
    pub(super) running: Running,
    /// The address of its page.
    pub(super) address: SocketAddr,
    counts: Where,
}

#[derive(Debug)]
enum Where {
    Own,
    Page(&'static str),
    File(PathBuf),
}

impl Peer {
    /// Where it is installed.
    pub(super) fn path(&self) -> Option<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        // where Debian has daemons, which is on the PATH of root alone
        let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
        folders.map(|folder| folder.join(self.program)).find(|it| it.is_file())
    }

    /// Starts it on a log that is empty, with a folder of its own.
    pub(super) fn start(&self, program: &Path, log: &Path, dir: &Path) -> io::Result<Tool> {
        let port = child::free_port()?;
        let fill = |text: &str| {
            let (log, dir) = (log.to_string_lossy(), dir.to_string_lossy());
            text.replace("{log}", &log).replace("{dir}", &dir).replace("{port}", &port.to_string())
        };
        fs::write(dir.join(self.file), fill(self.config))?;
        let mut command = Command::new(program);
        command.args(self.arguments.iter().map(|it| fill(it))).env("VECTOR_DATA_DIR", dir).current_dir(dir);
        let counts = match self.shows {
            Shows::Page(prefix) => Where::Page(prefix),
            Shows::File(name) => Where::File(dir.join(name)),
        };
        let running = Running::start(&mut command, &dir.join("said"))?;
        let tool = Tool { running, address: (Ipv4Addr::LOCALHOST, port).into(), counts };
        tool.ready(|tool| match &tool.counts {
            Where::File(path) => path.exists(),
            Where::Own | Where::Page(_) => child::page(tool.address, "/metrics").is_ok(),
        })
    }
}

impl Tool {
    /// Starts this program as an agent that follows `logs`, a pattern, and sends to `receiver`.
    pub(super) fn gobeacon(program: &Path, logs: &Path, dir: &Path, receiver: &Receiver) -> io::Result<Self> {
        let config = dir.join("gobeacon.yaml");
        let quoted = |path: &Path| serde_json::to_string(&path.to_string_lossy()).map_err(io::Error::other);
        let text = OWN_CONFIG.replace("{logs}", &quoted(logs)?).replace("{state}", &quoted(&dir.join("state"))?);
        fs::write(&config, text.replace("{endpoint}", &receiver.url()))?;
        let mut command = Command::new(program);
        command.arg("agent").arg("--config").arg(config).envs(clean_environment()).env_remove("GOBEACON_CONFIG");
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_ours(name)) {
            command.env_remove(name);
        }
        let mut running = Running::start(&mut command, &dir.join("said"))?;
        let address = child::wait(READY, Duration::from_millis(10), || {
            let said = running.said();
            let address = said.split_once("\"address\":\"").and_then(|(_, rest)| rest.split('"').next()?.parse().ok());
            address.map(Some).or_else(|| running.has_ended().then_some(None))
        });
        let Some(Some(address)) = address else { return Err(io::Error::other(running.last_words())) };
        Self { running, address, counts: Where::Own }.ready(|tool| child::page(tool.address, "/readyz").is_ok())
    }

    /// What it has counted; `None` while it does not say.
    pub(super) fn counts(&self) -> Option<Counts> {
        match &self.counts {
            Where::File(path) => Counts::find(count_in(&last_line(path, "\"bench\"")?)),
            Where::Page(prefix) => {
                let page = child::page(self.address, "/metrics").ok()?;
                // a counter that has counted nothing may not be there yet
                Counts::find(|name| Some(child::sum(&page, &format!("{prefix}{name}")).unwrap_or(0)))
            }
            Where::Own => {
                let page = child::page(self.address, "/metrics").ok()?;
                let metric = |name: &str| OWN_METRICS.iter().find(|(of, _)| *of == name).map(|(_, metric)| *metric);
                Counts::find(|name| child::sum(&page, metric(name)?))
            }
        }
    }

    fn ready(mut self, is_ready: impl Fn(&Self) -> bool) -> io::Result<Self> {
        let ready = child::wait(READY, Duration::from_millis(20), || {
            let over = is_ready(&self).then_some(true);
            over.or_else(|| self.running.has_ended().then_some(false))
        });
        if ready != Some(true) {
            return Err(io::Error::other(format!("it did not become ready: {}", self.running.last_words())));
        }
        std::thread::sleep(SETTLE);
        Ok(self)
    }
}

/// Where nothing of the homes of this machine is looked at.
fn clean_environment() -> [(&'static str, &'static str); 1] {
    [("NO_PROXY", "127.0.0.1")]
}

fn is_ours(name: &OsString) -> bool {
    name.to_str().is_some_and(|name| name.starts_with("OTEL_") || name.starts_with("GOBEACON_"))
}

/// The last whole line with this word in a file that grows by a line a second.
fn last_line(path: &Path, word: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let (whole, _) = text.rsplit_once('\n')?;
    whole.lines().rfind(|line| line.contains(word)).map(str::to_owned)
}

/// Finds `"name": 5` in a line of JSON; what was not counted yet is not there.
fn count_in(line: &str) -> impl FnMut(&str) -> Option<u64> {
    move |name| {
        let Some((_, rest)) = line.split_once(&format!("\"{name}\":")) else { return Some(0) };
        let rest = rest.trim_start();
        rest.get(..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()))?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_found_in_the_lines_of_a_peer_and_are_0_before_their_first_time() {
        let line = r#"@cee: { "name": "bench", "values": { "lines": 50, "tests": 7 } }"#;
        let counts = Counts::find(count_in(line));
        assert_eq!(counts, Some(Counts { lines: 50, tests: 7, ..Counts::default() }));
    }

    #[test]
    fn a_peer_is_told_where_its_log_and_its_port_are() {
        for peer in PEERS {
            let told = [peer.config, &peer.arguments.join(" ")].concat();
            assert!(told.contains("{log}"), "{}", peer.name);
            assert!(told.contains("{port}") || matches!(peer.shows, Shows::File(_)), "{}", peer.name);
        }
    }
}
