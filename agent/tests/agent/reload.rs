//! The configuration changes while the agent runs.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

use crate::otlp_receiver::Receiver;
use crate::program::{Agent, wait_for};

const RELOADS: &str = "gobeacon_config_reloads_total";

/// A file with these lines, renamed into place as editors do it.
fn put(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, path).unwrap();
}

/// The lines that every configuration here has.
fn base(folder: &Path) -> String {
    format!("listen: 127.0.0.1:0\nstate_dir: {}\n", folder.join("state").display())
}

fn following(folder: &Path, globs: &[&str]) -> String {
    let globs: Vec<_> = globs.iter().map(|glob| format!("'{}'", folder.join(glob).display())).collect();
    format!("{}logs: {{include: [{}]}}\n", base(folder), globs.join(", "))
}

/// Waits until something was read again since `before`.
fn reread(agent: &Agent, before: f64) {
    wait_for("the configuration is read again", || {
        let now = agent.value(RELOADS)?;
        if now > before { Ok(()) } else { Err(format!("{now} times; it said: {}", agent.said())) }
    });
}

/// Builds that download one module after the other, numbered from `from`.
fn builds(from: u64, count: u64) -> String {
    let build = |n: u64| {
        let first = from + n * 10;
        let lines: String =
            (first..first + 10).map(|n| format!("go: downloading corp.example/m{n} v1.0.0\n")).collect();
        format!("+ go build ./...\n{lines}")
    };
    (0..count).map(build).collect()
}

#[test]
fn twenty_reloads_while_logs_are_written_lose_and_double_nothing() {
    let (folder, receivers) = (tempfile::tempdir().unwrap(), [Receiver::start(), Receiver::start()]);
    let config = folder.path().join("agent.yaml");
    let globs: [&[&str]; 3] = [&["*.log"], &["a.log", "b*.log"], &["[a-z].log"]];
    let text = |n: usize| {
        let otlp = format!(
            "otlp: {{endpoint: '{}', protocol: {}}}\n",
            receivers[n / 2 % 2].url(),
            ["grpc", "http/protobuf"][n % 2]
        );
        let build = format!("build: {{idle_timeout: {}m}}\n", 5 + n);
        following(folder.path(), globs[n % 3]) + &otlp + &build
    };
    fs::write(&config, text(0)).unwrap();
    let mut logs = ["a.log", "b.log"].map(|name| fs::File::create(folder.path().join(name)).unwrap());
    let mut agent = Agent::start_configured(&config, &[]);
    let mut next = 0;
    for round in 1..=20 {
        for log in &mut logs {
            log.write_all(builds(next, 5).as_bytes()).unwrap();
            next += 50;
        }
        let before = agent.value(RELOADS).unwrap();
        put(&config, &text(round));
        if round % 2 == 0 {
            agent.signal(Signal::HUP);
        }
        for log in &mut logs {
            log.write_all(builds(next, 5).as_bytes()).unwrap();
            next += 50;
        }
        reread(&agent, before);
    }
    let lines = next + next / 10;
    let page = agent.wait_for_line(&format!("gobeacon_log_lines_total {lines}"));
    assert!(page.lines().any(|line| line == "gobeacon_config_reload_failures_total 0"), "{page}");
    agent.signal(Signal::TERM);
    assert_eq!(agent.ended().code(), Some(0), "{}", agent.said());
    let spans: Vec<_> = receivers.iter().flat_map(Receiver::spans).map(|(_, span)| span).collect();
    let ids: BTreeSet<_> = spans.iter().map(|span| (span.trace_id.clone(), span.span_id.clone())).collect();
    assert_eq!(ids.len(), spans.len(), "a span came twice");
    let named = |name: &str| spans.iter().filter(|span| span.name == name).count() as u64;
    assert_eq!((named("module download"), named("go build")), (next, next / 10));
    assert!(receivers.iter().all(|receiver| !receiver.seen().is_empty()));
}

#[test]
fn the_exchanged_link_of_a_config_map_is_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let mount = folder.path().join("etc");
    let version = |name: &str, text: &str| {
        fs::create_dir_all(mount.join(name)).unwrap();
        fs::write(mount.join(name).join("agent.yaml"), text).unwrap();
        std::os::unix::fs::symlink(name, mount.join("..new")).unwrap();
        fs::rename(mount.join("..new"), mount.join("..data")).unwrap();
    };
    version("..2026_1", &following(folder.path(), &["a.log"]));
    std::os::unix::fs::symlink("..data/agent.yaml", mount.join("agent.yaml")).unwrap();
    for name in ["a.log", "b.log"] {
        fs::write(folder.path().join(name), builds(0, 1)).unwrap();
    }
    let agent = Agent::start_configured(&mount.join("agent.yaml"), &[]);
    agent.wait_for_line("gobeacon_log_lines_total 11");
    version("..2026_2", &following(folder.path(), &["*.log"]));
    agent.wait_for_line("gobeacon_log_lines_total 22");
    agent.wait_for_line("gobeacon_config_last_reload_successful 1");
    agent.wait_until_it_says(r#""changed":"logs.include""#);
}

#[test]
fn a_file_with_mistakes_changes_nothing_and_is_said_with_line_and_column_until_it_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("agent.yaml");
    fs::write(&config, following(folder.path(), &["a.log"])).unwrap();
    let agent = Agent::start_configured(&config, &[]);
    put(&config, &format!("{}logs:\n  inclde: [x]\n", base(folder.path())));
    agent.wait_for_line("gobeacon_config_last_reload_successful 0");
    let page = agent.wait_for_line("gobeacon_config_reload_failures_total 1");
    assert!(page.contains("gobeacon_config_reloads_total 1\n"), "{page}");
    agent.wait_until_it_says("agent.yaml:4:3");
    agent.wait_until_it_says("did you mean `include`?");
    fs::write(folder.path().join("a.log"), builds(0, 1)).unwrap();
    agent.wait_for_line("gobeacon_log_lines_total 11");
    // what only the rooms know to be wrong
    put(&config, &(following(folder.path(), &["a.log"]) + "otlp: {endpoint: 'ftp://x'}\n"));
    agent.wait_for_line("gobeacon_config_reload_failures_total 2");
    put(&config, &following(folder.path(), &["*.log"]));
    agent.wait_for_line("gobeacon_config_last_reload_successful 1");
}

#[test]
fn keys_that_need_a_start_are_named_and_keep_their_values() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("agent.yaml");
    fs::write(&config, following(folder.path(), &["a.log"])).unwrap();
    let agent = Agent::start_configured(&config, &[]);
    let elsewhere = folder.path().join("elsewhere");
    let text = following(folder.path(), &["b.log"]).replace("state_dir: ", "host: {id: x}\n# ")
        + &format!("state_dir: {}\n", elsewhere.display());
    put(&config, &text);
    agent.wait_until_it_says(r#""keys":"host.id, state_dir""#);
    agent.wait_until_it_says("they take effect at the next start");
    assert!(!elsewhere.exists());
    fs::write(folder.path().join("b.log"), builds(0, 1)).unwrap();
    agent.wait_for_line("gobeacon_log_lines_total 11");
}

#[test]
fn the_port_moves_and_one_that_is_taken_leaves_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("agent.yaml");
    let text = following(folder.path(), &["a.log"]);
    fs::write(&config, &text).unwrap();
    let mut agent = Agent::start_configured(&config, &[]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    put(&config, &text.replace("127.0.0.1:0", &taken.local_addr().unwrap().to_string()));
    agent.wait_until_it_says("another program has this port");
    assert!(agent.get("/healthz", "").is_ok());
    put(&config, &text.replace("127.0.0.1:0", "localhost:0"));
    let old = agent.address;
    agent.address = wait_for("it listens elsewhere", || {
        let said = agent.said();
        let address = said.rsplit("\"address\":\"").next().and_then(|it| it.split('"').next()?.parse().ok());
        address.filter(|it| *it != old).ok_or(said)
    });
    agent.wait_for_line("gobeacon_config_last_reload_successful 1");
    assert!(TcpStream::connect(old).is_err());
}

#[test]
fn what_the_agent_says_follows_the_level_and_the_time_to_end_is_the_new_one() {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::start());
    receiver.answer(crate::otlp_receiver::Answer::Hang);
    let config: PathBuf = folder.path().join("agent.yaml");
    let otlp = format!("otlp: {{endpoint: '{}', protocol: grpc}}\n", receiver.url());
    let text = following(folder.path(), &["a.log"]) + &otlp;
    fs::write(&config, text.clone() + "shutdown_timeout: 1h\n").unwrap();
    fs::write(folder.path().join("a.log"), builds(0, 1) + "+ go version\n").unwrap();
    let mut agent = Agent::start_configured(&config, &[]);
    receiver.wait_for_begun(1);
    put(&config, &(text + "shutdown_timeout: 1s\nlog: {level: debug}\n"));
    agent.wait_until_it_says(r#""changed":"log.level, shutdown_timeout""#);
    agent.wait_until_it_says(r#""level":"DEBUG""#);
    agent.signal(Signal::TERM);
    assert_eq!(agent.ended().code(), Some(0), "{}", agent.said());
}
