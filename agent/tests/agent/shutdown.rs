//! SIGTERM ends the agent in time, whatever hangs.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::fs::Mode;
use rustix::process::Signal;

use crate::otlp_receiver::{Answer, Receiver};
use crate::program::{Agent, command, wait_for};

const BUILD: &str = "+ go build ./...\ngo: downloading corp.example/lib v1.0.0\n+ go version\n";
/// The time that each agent here has.
const TIMEOUT: &str = "2s";
/// That time, and what a loaded machine needs to notice it; what hangs here hangs for ever.
const IN_TIME: Duration = Duration::from_secs(15);
const PROTOCOLS: [&str; 2] = ["grpc", "http/protobuf"];

/// An agent that has read a build, and has it to export to `url`.
fn start(folder: &Path, url: &str, protocol: &str, variables: &[(&str, &str)]) -> Agent {
    fs::write(folder.join("a.log"), BUILD).unwrap();
    let variables = [variables, &[("GOBEACON_SHUTDOWN_TIMEOUT", TIMEOUT)]].concat();
    let agent = Agent::start(folder, &["--otlp-endpoint", url, "--otlp-protocol", protocol], &variables);
    agent.wait_for_line("gobeacon_log_lines_total 3");
    agent
}

/// Tells it to end; gives back its exit code.
#[track_caller]
fn end(mut agent: Agent) -> Option<i32> {
    let begun = Instant::now();
    agent.signal(Signal::TERM);
    let code = agent.ended().code();
    assert!(begun.elapsed() < IN_TIME, "it took {:?}: {}", begun.elapsed(), agent.said());
    code
}

fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// A listener whose queue is full: who connects hears nothing, as from an address behind a firewall that drops.
fn black_hole() -> (Vec<TcpStream>, TcpListener, SocketAddr) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _entered = runtime.enter();
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap().into_std().unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        waiting.push(stream);
        assert!(waiting.len() < 100, "the queue of a listener is never full here");
    }
    (waiting, listener, address)
}

#[test]
fn a_backend_that_never_answers_or_is_a_black_hole_or_stalls_in_tls() {
    for protocol in PROTOCOLS {
        let receiver = Receiver::start();
        receiver.answer(Answer::Hang);
        let folder = tempfile::tempdir().unwrap();
        let agent = start(folder.path(), &receiver.url(), protocol, &[]);
        receiver.wait_for_begun(1);
        assert_eq!(end(agent), Some(0));

        let (_waiting, _listener, address) = black_hole();
        let folder = tempfile::tempdir().unwrap();
        let agent = start(folder.path(), &format!("http://{address}"), protocol, &[]);
        assert_eq!(end(agent), Some(0));

        let (folder, listener) = (tempfile::tempdir().unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
        let ca = crate::authority::file(folder.path(), "ca.pem", &crate::authority::Authority::new().pem());
        let url = format!("https://{}", listener.local_addr().unwrap());
        let agent = start(folder.path(), &url, protocol, &[("GOBEACON_OTLP_CERTIFICATE", ca.to_str().unwrap())]);
        let (_silent, _) = listener.accept().unwrap();
        assert_eq!(end(agent), Some(0));
    }
}

#[test]
fn a_backend_whose_process_is_stopped() {
    for protocol in PROTOCOLS {
        let folder = tempfile::tempdir().unwrap();
        let backend = Agent::start(&folder.path().join("nothing"), &[], &[]);
        backend.signal(Signal::STOP);
        let agent = start(folder.path(), &format!("http://{}", backend.address), protocol, &[]);
        assert_eq!(end(agent), Some(0));
        backend.signal(Signal::CONT);
    }
}

#[test]
fn a_pipe_where_a_log_should_be_and_a_client_that_reads_no_page() {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::start());
    fifo(&folder.path().join("pipe.log"));
    let agent = start(folder.path(), &receiver.url(), "grpc", &[]);
    let clients: Vec<_> = (0..20)
        .map(|_| {
            let mut client = TcpStream::connect(agent.address).unwrap();
            for _ in 0..50 {
                std::io::Write::write_all(&mut client, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            }
            client
        })
        .collect();
    assert_eq!(end(agent), Some(0));
    drop(clients);
    receiver.wait_for_spans(2);
}

#[test]
fn a_configuration_that_hangs_while_it_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("agent.yaml");
    let state = folder.path().join("state");
    let text = format!("listen: 127.0.0.1:0\nshutdown_timeout: {TIMEOUT}\nstate_dir: {}\n", state.display());
    fs::write(&config, text).unwrap();
    let agent = Agent::start_configured(&config, &[]);
    fs::remove_file(&config).unwrap();
    fifo(&config);
    agent.signal(Signal::HUP);
    // the pipe can be opened for writing once somebody reads it
    wait_for("it reads the pipe", || {
        let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::NONBLOCK;
        let opened = rustix::fs::open(&config, flags, Mode::empty());
        opened.map(std::mem::forget).map_err(|error| format!("{error}; it said {}", agent.said()))
    });
    assert!(agent.get("/healthz", "").is_ok());
    assert_eq!(end(agent), Some(0));
}

#[test]
fn a_certificate_that_hangs_while_the_agent_starts() {
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    fifo(&ca);
    let variables = [("GOBEACON_OTLP_CERTIFICATE", ca.to_str().unwrap()), ("GOBEACON_SHUTDOWN_TIMEOUT", TIMEOUT)];
    let mut starting = command(&["--listen", "127.0.0.1:0", "--otlp-endpoint", "https://localhost:1"], &variables);
    starting.arg("--state-dir").arg(folder.path());
    let agent = Agent::spawn(starting);
    assert_eq!(end(agent), Some(0));
}

/// The agent in a world of its own, where `prepare` may mount things. Needs a kernel that gives user namespaces.
fn in_a_namespace(prepare: &str, arguments: &[&str]) -> Command {
    let tried = Command::new("unshare").args(["-Urm", "true"]).status();
    assert!(tried.is_ok_and(|status| status.success()), "unshare -Urm fails: allow user namespaces, or be root");
    let mut unshared = Command::new("unshare");
    unshared.args(["-Urm", "sh", "-c", &format!("{prepare} && exec \"$@\""), "sh"]);
    let plain = command(arguments, &[("GOBEACON_SHUTDOWN_TIMEOUT", TIMEOUT)]);
    unshared.arg(plain.get_program()).args(plain.get_args());
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => unshared.env(name, value),
            None => unshared.env_remove(name),
        };
    }
    unshared
}

#[test]
fn a_name_server_that_never_answers() {
    let folder = tempfile::tempdir().unwrap();
    // other tests of this machine have addresses of their own
    let process = std::process::id().to_be_bytes();
    let silent = std::net::UdpSocket::bind((Ipv4Addr::new(127, 53, process[2], process[3].max(1)), 53))
        .expect("the port of name servers: be root, or allow it by net.ipv4.ip_unprivileged_port_start");
    let conf = crate::authority::file(
        folder.path(),
        "resolv.conf",
        &format!("nameserver {}\noptions timeout:30 attempts:5\n", silent.local_addr().unwrap().ip()),
    );
    fs::write(folder.path().join("a.log"), BUILD).unwrap();
    let logs = folder.path().join("*.log").display().to_string();
    let state = folder.path().join("state").display().to_string();
    for protocol in PROTOCOLS {
        let arguments = [
            "--listen",
            "127.0.0.1:0",
            "--logs",
            &logs,
            "--state-dir",
            &state,
            "--otlp-protocol",
            protocol,
            "--otlp-endpoint",
            "http://collector.corp.example:4317",
        ];
        let prepare = format!("mount --bind {} /etc/resolv.conf", conf.display());
        let unshared = in_a_namespace(&prepare, &arguments);
        let agent = Agent::start_command(unshared);
        // it has asked
        silent.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        silent.recv(&mut [0; 512]).unwrap();
        assert_eq!(end(agent), Some(0));
    }
}

#[test]
fn a_full_disk_and_a_dead_backend() {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::start());
    receiver.answer(Answer::Hang);
    let lines: String =
        (0..5_000).map(|n| format!("+ go build ./{n}\ngo: downloading corp.example/{n} v1.0.0\n")).collect();
    fs::write(folder.path().join("a.log"), lines).unwrap();
    let logs = folder.path().join("*.log").display().to_string();
    let state = folder.path().join("state");
    fs::create_dir(&state).unwrap();
    let url = receiver.url();
    let arguments = [
        "--listen",
        "127.0.0.1:0",
        "--logs",
        &logs,
        "--state-dir",
        state.to_str().unwrap(),
        "--otlp-protocol",
        "grpc",
        "--otlp-endpoint",
        &url,
    ];
    let prepare = format!("mount -t tmpfs -o size=64k none {}", state.display());
    let unshared = in_a_namespace(&prepare, &arguments);
    let agent = Agent::start_command(unshared);
    agent.wait_until_it_says("the spool cannot be written");
    assert_eq!(end(agent), Some(0));
}
