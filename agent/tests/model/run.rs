//! How many sequences are played, with which seeds, and what is said of them.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Instant;

use crate::sequence::{self, Failed, Report, Scope};

/// Sequences of a run that nobody asked more of.
const SHORT: u64 = 16;
/// Sequences at once: each mostly waits.
const AT_ONCE: u64 = 6;

#[derive(Debug, Default)]
struct Sum {
    sequences: u64,
    stalled: u64,
    report: Report,
    failed: Vec<u64>,
}

#[test]
fn whatever_is_done_to_logs_backend_disk_and_agent_every_span_arrives_once_and_every_counter_is_right() {
    let began = Instant::now();
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let one = number("GOBEACON_MODEL_SEED");
    let kills = number("GOBEACON_MODEL_KILLS").unwrap_or(0);
    let sequences = number("GOBEACON_MODEL_SEQUENCES").unwrap_or(if kills > 0 { u64::MAX } else { SHORT });
    let first = one.unwrap_or_else(|| u64::from(std::process::id()) << 20 | began_at() & 0xf_ffff);
    let (sum, next) = (Mutex::new(Sum::default()), Mutex::new(0));
    let threads = if one.is_some() { 1 } else { AT_ONCE };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = {
                        let mut next = next.lock().unwrap();
                        *next += 1;
                        *next
                    };
                    let enough = {
                        let sum = sum.lock().unwrap();
                        (kills > 0 && sum.report.kills >= kills) || sum.failed.len() >= 3
                    };
                    if enough || number > one.map_or(sequences, |_| 1) {
                        return;
                    }
                    play(first.wrapping_add(number - 1), &sum);
                }
            });
        }
    });
    let sum = sum.into_inner().unwrap();
    let (report, took) = (&sum.report, began.elapsed());
    eprintln!(
        "{} sequences in {took:.0?}: {} kills, {} terminations, {} spans, {} delivered twice, {} dropped as told, {} bytes of logs; {} said nothing as the machine stood still",
        sum.sequences,
        report.kills,
        report.terminations,
        report.spans,
        report.twice,
        report.dropped,
        report.bytes,
        sum.stalled
    );
    if let Some(why) = &report.without_disk {
        eprintln!("no disk was full: this process may mount none: {why}");
    }
    assert!(sum.failed.is_empty(), "failed: GOBEACON_MODEL_SEED={:?}; what each did stands above", sum.failed);
}

fn play(seed: u64, sum: &Mutex<Sum>) {
    let folder = tempfile::Builder::new().prefix(&format!("gobeacon-model-{seed}-")).tempdir().unwrap();
    let began = Instant::now();
    let scope = Scope { steps: 60, kills: if std::env::var("GOBEACON_MODEL_KILLS").is_ok() { 45 } else { 12 } };
    let played = std::panic::catch_unwind(|| sequence::play(seed, scope, folder.path()));
    let took = began.elapsed();
    let mut sum = sum.lock().unwrap();
    sum.sequences += 1;
    match played {
        Ok(Ok(report)) => {
            eprintln!(
                "seed {seed}: ok in {took:.1?}: {} kills, {} terminations, {} spans, {} delivered twice, {} dropped as told{}",
                report.kills,
                report.terminations,
                report.spans,
                report.twice,
                report.dropped,
                report.stalled.map(|time| format!("; the machine stood still for {time:.1?}")).unwrap_or_default()
            );
            sum.stalled += u64::from(report.stalled.is_some());
            let all = &mut sum.report;
            all.kills += report.kills;
            all.terminations += report.terminations;
            all.spans += report.spans;
            all.twice += report.twice;
            all.bytes += report.bytes;
            all.dropped += report.dropped;
            all.without_disk = all.without_disk.take().or(report.without_disk);
        }
        Ok(Err(failed)) => {
            sum.failed.push(seed);
            let kept: PathBuf = folder.keep();
            eprintln!("seed {seed}: FAILED after {took:.1?}; its files are in {}\n{}", kept.display(), page(&failed));
        }
        Err(_) => {
            sum.failed.push(seed);
            eprintln!("seed {seed}: the model itself panicked; its files are in {}", folder.keep().display());
        }
    }
}

/// The shortest that helps: what is wrong, and of what was done all that touched the logs that it names.
fn page(failed: &Failed) -> String {
    let logs: Vec<_> =
        failed.why.iter().filter_map(|why| Some(why.split_once("job")?.1.split('#').next()?.to_owned())).collect();
    let about = |line: &&String| {
        logs.is_empty() || !line.contains("  job") || logs.iter().any(|log| line.contains(&format!("  job{log}: ")))
    };
    let trace: Vec<_> = failed.trace.iter().filter(about).map(String::as_str).collect();
    let some = |lines: &[String]| lines.iter().take(40).map(|it| format!("  {it}\n")).collect::<String>();
    format!(
        "what is wrong ({}):\n{}what was done:\n  {}\nwhat the agent complained of ({}):\n{}",
        failed.why.len(),
        some(&failed.why),
        trace.join("\n  "),
        failed.complaints.len(),
        some(&failed.complaints)
    )
}

fn began_at() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64
}
