//! Too few descriptors, too few watches, too few rights: the agent goes on with what it has, and says so.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::program::{Agent, command};

const LINE: &str = "ok  \tcorp.example/app/a\t0.1s\n";

fn append(path: &Path) {
    File::options().create(true).append(true).open(path).unwrap().write_all(LINE.as_bytes()).unwrap();
}

/// The same command, started by a shell that does something first.
fn after(first: &str, wrapped: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("{first} && exec \"$0\" \"$@\"")).arg(wrapped.get_program()).args(wrapped.get_args());
    for (name, value) in wrapped.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.stdin(Stdio::null()).stdout(Stdio::null());
    shell
}

fn following(folder: &Path) -> Command {
    let mut command = command(&["--listen", "127.0.0.1:0"], &[]);
    command.arg("--logs").arg(folder.join("**/*.log")).arg("--state-dir").arg(folder.join("state"));
    command
}

#[test]
fn with_few_descriptors_all_logs_are_read_and_none_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..300 {
        append(&folder.path().join(format!("{n}.log")));
    }
    let agent = Agent::start_command(after("ulimit -n 48", &following(folder.path())));
    agent.wait_for_line("gobeacon_log_lines_total 300");
    for n in 0..300 {
        append(&folder.path().join(format!("{n}.log")));
    }
    agent.wait_for_line("gobuild_test_packages_total 600");
    agent.wait_for_line("gobeacon_log_lag_bytes 0");
}

#[test]
fn a_log_that_may_not_be_read_is_an_error_until_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("a.log");
    append(&log);
    fs::set_permissions(&log, Permissions::from_mode(0o000)).unwrap();
    let mut command = following(folder.path());
    if rustix::process::geteuid().is_root() {
        // whoever may do everything is told nothing: another one, who gets a program of his own
        let program = folder.path().join("gobeacon");
        fs::copy(command.get_program(), &program).unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
        command = after(&format!("shift 0; exec '{}' \"$@\"", program.display()), &command);
        command.current_dir("/").gid(65534).uid(65534);
    }
    let agent = Agent::start_command(command);
    append(&folder.path().join("b.log"));
    fs::set_permissions(folder.path().join("b.log"), Permissions::from_mode(0o644)).unwrap();
    let page = agent.wait_for_line("gobeacon_log_lines_total 1");
    assert!(agent.value("gobeacon_collector_errors_total{collector=\"logs\"}").unwrap() >= 1.0, "{page}");
    let lag = format!("gobeacon_log_worst_lag_bytes {}", LINE.len());
    agent.wait_for_line(&lag);
    agent.wait_until_it_says("permission_denied");
    fs::set_permissions(&log, Permissions::from_mode(0o644)).unwrap();
    agent.wait_for_line("gobeacon_log_lines_total 2");
    agent.wait_for_line("gobeacon_log_worst_lag_seconds 0");
}

#[test]
fn without_watches_logs_are_found_by_looking_and_the_page_says_so() {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..20 {
        fs::create_dir(folder.path().join(n.to_string())).unwrap();
        append(&folder.path().join(format!("{n}/a.log")));
    }
    // a namespace has a limit of its own
    let limited = after("echo 5 > /proc/sys/user/max_inotify_watches", &following(folder.path()));
    let mut unshared = Command::new("unshare");
    unshared.args(["--user", "--map-root-user"]).arg(limited.get_program()).args(limited.get_args());
    let envs = limited.get_envs().filter_map(|(name, value)| Some((name, value?)));
    unshared.envs(envs).stdin(Stdio::null()).stdout(Stdio::null());
    let may = Command::new("unshare").args(["--user", "--map-root-user", "true"]).output();
    assert!(may.is_ok_and(|it| it.status.success()), "unshare --user fails: allow user namespaces, or be root");
    let agent = Agent::start_command(unshared);
    agent.wait_for_line("gobeacon_collector_up{collector=\"logs\",reason=\"polling\"} 1");
    agent.wait_for_line("gobeacon_log_lines_total 20");
    for n in 0..20 {
        append(&folder.path().join(format!("{n}/a.log")));
        append(&folder.path().join(format!("{n}/b.log")));
    }
    agent.wait_for_line("gobuild_test_packages_total 60");
    assert!(agent.value("gobeacon_collector_errors_total{collector=\"logs\"}").unwrap() >= 1.0);
    agent.wait_until_it_says("watch_limit");
}
