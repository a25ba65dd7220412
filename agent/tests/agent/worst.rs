//! The worst moments and the largest memories: a kill while a page is on its way, ten thousand known logs.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::lives::Lives;
use crate::program::{Agent, wait_for};

/// A page that arrived whole.
fn whole_page(agent: &Agent) -> Option<String> {
    let answer = agent.ask("GET /metrics HTTP/1.1\r\nHost: x\r\n").ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let length: usize = length.expect("a page says how long it is");
    (head.starts_with("HTTP/1.1 200 ") && body.len() == length).then(|| body.to_owned())
}

fn lines_shown(page: &str) -> u64 {
    let of = |line: &str| line.strip_prefix("gobeacon_log_lines_total ")?.parse::<f64>().ok();
    page.lines().find_map(of).unwrap_or(0.0) as u64
}

#[test]
fn killed_while_a_page_is_on_its_way_it_counts_nothing_twice_and_misses_at_most_what_that_page_showed() {
    const LINES: u64 = 40;
    let mut lives = Lives::new();
    let (mut written, mut shown, mut may_miss) = (0_u64, 0, 0);
    for round in 0..25 {
        let downloads = (written..written + LINES).map(|n| format!("go: downloading corp.example/m{n} v1.0.{n}\n"));
        lives.append("a.log", &downloads.collect::<String>());
        written += LINES;
        lives.begin();
        let agent = lives.agent();
        let page = std::thread::scope(|scope| {
            let scrape = scope.spawn(|| whole_page(agent));
            // at once, and later and later
            let until = Instant::now() + Duration::from_micros(round * round * 40);
            while Instant::now() < until {
                std::thread::yield_now();
            }
            agent.signal(Signal::KILL);
            scrape.join().unwrap()
        });
        match page {
            Some(page) => shown += lines_shown(&page),
            // it may have been said to be shown
            None => may_miss = written - shown,
        }
        assert!(shown <= written, "round {round}: {shown} of {written}");
        lives.kill();
    }
    lives.begin();
    lives.agent().wait_for_line("gobeacon_log_lag_bytes 0");
    lives.settled();
    let page = lives.agent().get("/metrics", "").unwrap();
    shown += lines_shown(&page);
    assert!(shown <= written && shown + may_miss >= written, "{shown} of {written}, {may_miss} may be missing");
    lives.append("a.log", "+ go version\n");
    // spans do not hang on what was shown
    wait_for("all spans", || {
        let seen = lives.receiver.spans();
        let downloads = seen.iter().filter(|(_, span)| span.name == "module download");
        let ids: BTreeSet<_> = downloads.map(|(_, span)| (span.trace_id.clone(), span.span_id.clone())).collect();
        if ids.len() as u64 == written { Ok(()) } else { Err(format!("{} of {written}", ids.len())) }
    });
}

#[test]
#[cfg(target_os = "linux")]
fn ten_thousand_known_logs_take_a_few_mebibytes_of_journal_and_are_not_read_again() {
    const LOGS: u32 = 10_000;
    const MOST_JOURNAL: f64 = 8.0 * 1024.0 * 1024.0;
    const MOST_MEMORY: u64 = 100 << 10;
    let mut lives = Lives::new();
    for log in 0..LOGS {
        lives.append(&format!("{log}.log"), "Cloning into 'app'...\nremote: Enumerating objects: 10, done.\n");
    }
    lives.begin();
    lives.wait_for("gobeacon_log_lines_total", f64::from(LOGS) * 2.0);
    lives.settled();
    lives.kill();
    let began = Instant::now();
    lives.begin();
    let ready = began.elapsed();
    lives.append("77.log", "one more\n");
    lives.wait_for("gobeacon_log_lines_total", f64::from(LOGS) * 2.0 + 1.0);
    let counters = lives.settled();
    assert_eq!(counters["gobeacon_log_lines_total"], f64::from(LOGS) * 2.0 + 1.0);
    let journal = lives.agent().value("gobeacon_state_bytes").unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", lives.agent().pid())).unwrap();
    let of = |line: &str| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse::<u64>().ok();
    let memory = status.lines().find_map(of).unwrap();
    eprintln!(
        "{LOGS} known logs: a journal of {journal} bytes, at most {memory} KiB of memory, ready after {ready:.2?}"
    );
    assert!(journal > 0.0 && journal <= MOST_JOURNAL, "{journal} bytes");
    assert!(memory <= MOST_MEMORY, "{memory} KiB");
}
