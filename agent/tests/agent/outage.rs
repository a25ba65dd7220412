//! The backend is away under load, and comes back: all of it arrives, once, in bounded memory, and quickly.
//!
//! By default the outage takes seconds. `GOBEACON_OUTAGE_SECONDS=600` makes it as long as that, with
//! `GOBEACON_OUTAGE_SPANS` spans a second (2,000) over `GOBEACON_OUTAGE_PROTOCOL` (both), prints what was measured, and
//! holds the rate at which it drains; run it with `--release` and `--nocapture`. What it gave stands in docs/benchmarks.md.

use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::otlp_receiver::Receiver;
use crate::program::Agent;

/// Downloads of a build in the logs here: with its root it has one span more.
const DOWNLOADS: u64 = 19;
/// Resident memory, the code included; a build with debug assertions takes more.
const MOST_MEBIBYTES: u64 = if cfg!(debug_assertions) { 128 } else { 64 };
/// Spans that go out in a second of the agent's CPU time: of the clock it is more, where the machine has time for it.
const DRAIN_RATE: f64 = 50_000.0;

fn number(variable: &str) -> Option<u64> {
    Some(std::env::var(variable).ok()?.parse().unwrap())
}

/// A build with so many modules that no other one has.
fn build(n: u64) -> String {
    let line = |module: u64| format!("go: downloading corp.example/team/module{n}x{module} v1.{module}.0\n");
    (0..DOWNLOADS).map(line).fold("+ go build ./...\n".to_owned(), |log, line| log + &line)
}

fn memory_mebibytes(agent: &Agent) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", agent.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

/// Time that the processors spent for it, in the kernel too.
fn cpu_seconds(agent: &Agent) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", agent.pid())).unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    // utime and stime of proc(5), in hundredths of a second
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

/// Writes builds at a steady rate for so long, and measures the agent meanwhile. Gives back the number of builds.
fn load(agent: &Agent, log: &mut File, outage: Duration, spans_a_second: u64, is_long: bool) -> u64 {
    let (begin, mut builds, mut told) = (Instant::now(), 0, 0);
    while begin.elapsed() < outage {
        let wanted = (begin.elapsed().as_secs_f64() * spans_a_second as f64) as u64 / (DOWNLOADS + 1);
        let text: String = (builds..wanted).map(build).collect();
        log.write_all(text.as_bytes()).unwrap();
        builds = wanted;
        let memory = memory_mebibytes(agent);
        assert!(memory <= MOST_MEBIBYTES, "{memory} MiB");
        if is_long && begin.elapsed().as_secs() >= told {
            let spool = agent.value("gobeacon_spool_bytes{exporter=\"otlp_traces\"}").unwrap_or_default();
            let spans = builds * (DOWNLOADS + 1);
            eprintln!("{told:>5} s: {memory:>3} MiB, spool {:>6.1} MB, {spans:>8} spans", spool / 1e6);
            told += 30;
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
    builds
}

#[test]
#[cfg(target_os = "linux")]
fn what_was_written_while_the_backend_was_away_arrives_once_in_bounded_memory() {
    let outage = number("GOBEACON_OUTAGE_SECONDS");
    let spans_a_second = number("GOBEACON_OUTAGE_SPANS").unwrap_or(2_000);
    let only = std::env::var("GOBEACON_OUTAGE_PROTOCOL").ok();
    for protocol in ["grpc", "http/protobuf"].into_iter().filter(|it| only.as_deref().is_none_or(|only| only == *it)) {
        let (folder, address) = (tempfile::tempdir().unwrap(), Receiver::start().address());
        let mut log = File::create(folder.path().join("ci.log")).unwrap();
        let url = format!("http://{address}");
        let mut agent = Agent::start(folder.path(), &["--otlp-endpoint", &url, "--otlp-protocol", protocol], &[]);
        let time = Duration::from_secs(outage.unwrap_or(3));
        let builds = load(&agent, &mut log, time, spans_a_second, outage.is_some());
        let spans = builds * (DOWNLOADS + 1);
        log.write_all(b"+ go version\n").unwrap();
        agent.wait_for_line(&format!("gobeacon_log_lines_total {}", spans + 1));

        let (receiver, before) = (Receiver::start_counting_at(address), cpu_seconds(&agent));
        let took = receiver.wait_for_distinct_spans(spans, Duration::from_secs(300)).as_secs_f64();
        let (memory, cpu) = (memory_mebibytes(&agent), cpu_seconds(&agent) - before);
        let (rate, per_cpu) = (spans as f64 / took, spans as f64 / cpu.max(0.01));
        eprintln!(
            "{protocol}: {spans} spans arrived in {took:.2} s, {rate:.0} a second; the agent took {cpu:.2} CPU seconds, \
             {per_cpu:.0} spans in each, and {memory} MiB"
        );
        agent.signal(Signal::TERM);
        assert_eq!(agent.ended().code(), Some(0), "{}", agent.said());
        // the last `go version` is a build too
        let (distinct, all) = receiver.counted();
        assert_eq!((distinct, all), (spans + 1, spans + 1), "each span once");
        assert!(memory <= MOST_MEBIBYTES, "{memory} MiB");
        if outage.is_some() && !cfg!(debug_assertions) {
            assert!(per_cpu >= DRAIN_RATE, "{per_cpu} spans in a CPU second");
        }
    }
}
