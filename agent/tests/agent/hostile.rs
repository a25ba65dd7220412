//! Logs that want the agent to grow.

use std::fmt::Write as _;

use crate::program::Agent;

/// Distinct modules, hosts and commands.
const MANY: usize = 200_000;
/// Resident memory of a build with debug assertions, its code included.
const MOST_MEBIBYTES: u64 = 128;

#[test]
#[cfg(target_os = "linux")]
fn many_distinct_modules_and_hosts_grow_neither_the_page_nor_the_memory() {
    let folder = tempfile::tempdir().unwrap();
    let agent = Agent::start(folder.path(), &[], &[]);
    let before = agent.get("/metrics", "").unwrap().lines().count();
    let mut log = String::new();
    for n in 0..MANY {
        let url = format!("https://h{n}.example/m{n}/@v/v1.0.{n}.zip");
        let _ = write!(
            log,
            "go: downloading h{n}.example/m{n} v1.0.{n}\n# get {url}\n# get {url}: 502 Bad Gateway (0.1s)\n"
        );
    }
    std::fs::write(folder.path().join("a.log"), &log).unwrap();
    let page = agent.wait_for_line(&format!("gobeacon_log_lines_total {}", 3 * MANY));
    let lines = page.lines().count();
    assert!(lines <= before + 100, "from {before} to {lines} lines:\n{page}");
    let peak = peak_mebibytes(agent.pid());
    assert!(peak <= MOST_MEBIBYTES, "{peak} MiB");
}

#[cfg(target_os = "linux")]
fn peak_mebibytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}
