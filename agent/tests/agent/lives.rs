//! One agent in many lives, with a Prometheus that adds up what each life has shown last, and a backend that knows
//! spans by their ids.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use rustix::process::Signal;

use crate::otlp_receiver::{Receiver, Seen};
use crate::program::{Agent, wait_for};

/// Series of counters, with what they have counted.
pub(crate) type Counters = BTreeMap<String, f64>;

pub(crate) struct Lives {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) receiver: Receiver,
    variables: Vec<(&'static str, &'static str)>,
    agent: Option<Agent>,
    /// Of lives that are over.
    over: Counters,
    /// The last page of this life.
    last: Counters,
}

impl Lives {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    pub(crate) fn with(variables: &[(&'static str, &'static str)]) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            receiver: Receiver::start(),
            variables: [&[("GOBEACON_BUILD_ON_SHUTDOWN", "keep")], variables].concat(),
            agent: None,
            over: Counters::new(),
            last: Counters::new(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.path("state")
    }

    pub(crate) fn append(&self, name: &str, text: &str) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    pub(crate) fn begin(&mut self) {
        let url = self.receiver.url();
        let arguments = ["--otlp-endpoint", &url, "--otlp-protocol", "http/protobuf"];
        self.agent = Some(Agent::start(self.folder.path(), &arguments, &self.variables));
    }

    pub(crate) fn agent(&self) -> &Agent {
        self.agent.as_ref().unwrap()
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        let mut agent = self.agent.take().unwrap();
        agent.signal(Signal::KILL);
        agent.ended();
        self.add_up();
    }

    /// SIGTERM, and whatever it says.
    pub(crate) fn end(&mut self) -> String {
        let mut agent = self.agent.take().unwrap();
        agent.signal(Signal::TERM);
        assert_eq!(agent.ended().code(), Some(0), "{}", agent.said());
        self.add_up();
        agent.said()
    }

    fn add_up(&mut self) {
        for (series, count) in std::mem::take(&mut self.last) {
            *self.over.entry(series).or_default() += count;
        }
    }

    /// A scrape: what was counted over all lives.
    pub(crate) fn scrape(&mut self) -> Counters {
        self.last = counters(&self.agent().get("/metrics", "").unwrap());
        let mut sum = self.over.clone();
        for (series, count) in &self.last {
            *sum.entry(series.clone()).or_default() += count;
        }
        sum
    }

    /// Scrapes until a counter has counted so much over all lives, and no more.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, series: &str, count: f64) -> Counters {
        wait_for(&format!("{series} {count}"), || {
            let sum = self.scrape();
            let now = sum.get(series).copied().unwrap_or_default();
            assert!(now <= count, "{series} counted {now} of {count}");
            if now == count { Ok(sum) } else { Err(format!("{now}")) }
        })
    }

    /// Scrapes until a counter has counted at least so much.
    #[track_caller]
    pub(crate) fn wait_for_at_least(&mut self, series: &str, count: f64) {
        wait_for(&format!("{series} {count}"), || {
            let now = self.scrape().get(series).copied().unwrap_or_default();
            if now >= count { Ok(()) } else { Err(format!("{now}")) }
        });
    }

    /// The names of all spans that arrived, one for each id, sorted.
    pub(crate) fn spans(&self) -> Vec<String> {
        spans(&self.receiver.seen())
    }

    /// How many spans arrived more than once.
    pub(crate) fn doubled(&self) -> usize {
        self.receiver.spans().len() - self.spans().len()
    }

    /// The event names of all log events that arrived, one for each, sorted.
    pub(crate) fn events(&self) -> Vec<String> {
        let logs = self.receiver.logs().into_iter().map(|(_, log)| {
            let body = format!("{:?} {:?}", log.body, log.attributes);
            (log.trace_id, log.span_id, log.event_name, body)
        });
        let mut names: Vec<_> = logs.collect::<BTreeSet<_>>().into_iter().map(|(_, _, name, _)| name).collect();
        names.sort();
        names
    }
}

/// The names of all spans, one for each id, sorted.
pub(crate) fn spans(seen: &[Seen]) -> Vec<String> {
    let all = seen.iter().filter(|seen| seen.taken).flat_map(Seen::spans);
    let by_id: BTreeMap<_, _> = all.map(|(_, span)| ((span.trace_id, span.span_id), span.name)).collect();
    let mut names: Vec<_> = by_id.into_values().collect();
    names.sort();
    names
}

/// All series of counters and histograms, but for those that tell of the agent's own work and of time.
pub(crate) fn counters(page: &str) -> Counters {
    let mut counting = false;
    let mut all = Counters::new();
    for line in page.lines() {
        if let Some(of) = line.strip_prefix("# TYPE ") {
            let (name, kind) = of.split_once(' ').unwrap();
            let own =
                ["gobeacon_event_latency", "gobeacon_export", "gobeacon_spool", "gobeacon_state", "gobeacon_coll"];
            counting = kind != "gauge" && !own.iter().any(|it| name.starts_with(it));
        } else if counting && !line.starts_with('#') {
            let (series, count) = line.rsplit_once(' ').unwrap();
            // how long a command took depends on when its lines were read
            let of_time = series.contains("_seconds_bucket") || series.contains("_seconds_sum");
            if !of_time {
                all.insert(series.to_owned(), count.parse().unwrap());
            }
        }
    }
    all.retain(|_, count| *count != 0.0);
    all
}

/// What an agent that is never killed makes of these logs: counters, spans, log events.
pub(crate) fn undisturbed(logs: &[(&str, String)], lines: f64) -> (Counters, Vec<String>, Vec<String>) {
    let mut life = Lives::new();
    for (name, text) in logs {
        life.append(name, text);
    }
    life.begin();
    life.wait_for("gobeacon_log_lines_total", lines);
    let counters = life.settled();
    life.end();
    (counters, life.spans(), life.events())
}

impl Lives {
    /// Scrapes until nothing changes any more for some time.
    pub(crate) fn settled(&mut self) -> Counters {
        let mut before = self.scrape();
        let mut same = 0;
        wait_for("nothing changes any more", || {
            let now = self.scrape();
            same = if now == before { same + 1 } else { 0 };
            before = now;
            if same > 60 { Ok(()) } else { Err("it goes on".to_owned()) }
        });
        before
    }
}
