//! The agent, life after life, and its counters as who scrapes each life adds them up.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long anything may take on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A page waits about a second for the disk, and is then shown all the same.
const LATE: Duration = Duration::from_millis(800);

/// How the agent is started, each time.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) folder: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) variables: Vec<(&'static str, String)>,
}

/// All lives of the agent in one sequence.
pub(crate) struct Lives {
    pub(crate) setup: Setup,
    child: Option<Child>,
    said: PathBuf,
    address: Option<SocketAddr>,
    pub(crate) count: u64,
    /// The counters of the last page of this life.
    last: BTreeMap<String, f64>,
    /// The sum of their increases over all pages of all lives.
    sums: BTreeMap<String, f64>,
    /// A page took so long that it may show what is not remembered yet.
    pub(crate) showed_late: bool,
}

impl Lives {
    pub(crate) fn new(setup: Setup) -> Self {
        let (last, sums) = (BTreeMap::new(), BTreeMap::new());
        Self { setup, child: None, said: PathBuf::new(), address: None, count: 0, last, sums, showed_late: false }
    }

    /// Starts a life. It may take a moment until it listens.
    pub(crate) fn start(&mut self) {
        self.count += 1;
        self.said = self.setup.folder.join(format!("agent-{}.log", self.count));
        self.address = None;
        // a new process counts from 0 again, also where its first page shows more than the last one of the one before
        self.last.clear();
        let mut command = Command::new(program());
        let ours = |name: &str| name.starts_with("OTEL_") || name.starts_with("GOBEACON_");
        std::env::vars().filter(|(name, _)| ours(name)).for_each(|(name, _)| _ = command.env_remove(name));
        command.arg("agent").args(&self.setup.arguments).envs(self.setup.variables.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(std::fs::File::create(&self.said).unwrap());
        self.child = Some(command.spawn().unwrap());
    }

    /// The agent ended by itself: what it said. It must not.
    pub(crate) fn died(&mut self) -> Option<String> {
        let status = self.child.as_mut()?.try_wait().unwrap()?;
        Some(format!("the agent ended by itself: {status}\n{}", std::fs::read_to_string(&self.said).unwrap()))
    }

    /// Kills it as an out-of-memory killer or a power button does.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Asks it to end and waits for that.
    pub(crate) fn terminate(&mut self) -> Option<ExitStatus> {
        let mut child = self.child.take()?;
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        let begin = Instant::now();
        loop {
            match child.try_wait().unwrap() {
                Some(status) => return Some(status),
                None if begin.elapsed() > PATIENCE => {
                    child.kill().unwrap();
                    child.wait().unwrap();
                    return None;
                }
                None => std::thread::park_timeout(Duration::from_millis(10)),
            }
        }
    }

    /// Looks at its counters as Prometheus does, if it answers.
    pub(crate) fn scrape(&mut self) -> bool {
        let begin = Instant::now();
        let Some(page) = self.get("/metrics") else { return false };
        self.showed_late |= begin.elapsed() > LATE;
        let counters = page.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let name = series.split('{').next()?;
            let is_counter = name.ends_with("_total") || name.ends_with("_count");
            is_counter.then(|| Some((series.to_owned(), value.parse::<f64>().ok()?)))?
        });
        for (series, value) in counters {
            let before = self.last.insert(series.clone(), value).unwrap_or(0.0);
            let increase = value - before;
            assert!(increase >= 0.0, "{series} goes back from {before} to {value} in one life");
            *self.sums.entry(series).or_default() += increase;
        }
        true
    }

    /// The increase over all lives of all series of this name with these labels: `name{a="b"}`.
    pub(crate) fn sum(&self, wanted: &str) -> u64 {
        let (name, labels) = parted(wanted);
        let of = |series: &&String| {
            let (other, others) = parted(series);
            other == name && labels.iter().all(|label| others.contains(label))
        };
        self.sums.iter().filter(|(series, _)| of(series)).map(|(_, sum)| *sum as u64).sum()
    }

    /// All counters of this name that are not 0.
    pub(crate) fn not_zero(&self, name: &str) -> Vec<String> {
        let of = |series: &str| parted(series).0 == name;
        let found = self.sums.iter().filter(|(series, sum)| of(series) && **sum > 0.0);
        found.map(|(series, sum)| format!("{series} {sum}")).collect()
    }

    /// What the agent has said, of all lives, where it was not content.
    pub(crate) fn complaints(folder: &Path, lives: u64) -> Vec<String> {
        let said = |life| std::fs::read_to_string(folder.join(format!("agent-{life}.log"))).unwrap_or_default();
        let lines = |life| said(life).lines().map(|line| format!("life {life}: {line}")).collect::<Vec<_>>();
        let loud = |line: &String| line.contains("ERROR") || line.contains("panicked");
        (1..=lives).flat_map(lines).filter(loud).collect()
    }

    /// Waits until it answers.
    pub(crate) fn wait_until_ready(&mut self) -> Result<(), String> {
        let begin = Instant::now();
        while self.get("/readyz").is_none() {
            if let Some(why) = self.died() {
                return Err(why);
            }
            if begin.elapsed() > PATIENCE {
                return Err(format!("it is not ready after {PATIENCE:?}"));
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        Ok(())
    }

    fn get(&mut self, path: &str) -> Option<String> {
        self.child.as_ref()?;
        if self.address.is_none() {
            let said = std::fs::read_to_string(&self.said).ok()?;
            self.address = said.split_once("\"address\":\"").and_then(|(_, rest)| rest.split('"').next()?.parse().ok());
        }
        let mut stream = TcpStream::connect_timeout(&self.address?, Duration::from_secs(5)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        head.starts_with("HTTP/1.1 200 ").then(|| body.to_owned())
    }
}

impl Drop for Lives {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The agent that is played with.
pub(crate) fn program() -> String {
    std::env::var("GOBEACON_MODEL_PROGRAM").unwrap_or_else(|_| env!("CARGO_BIN_EXE_gobeacon").to_owned())
}

fn parted(series: &str) -> (&str, Vec<&str>) {
    match series.split_once('{') {
        Some((name, labels)) => (name, labels.trim_end_matches('}').split(',').filter(|it| !it.is_empty()).collect()),
        None => (series, Vec::new()),
    }
}
