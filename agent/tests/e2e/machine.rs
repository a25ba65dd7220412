//! The machine under the tests: programs that run beside them, ports, conditions that come true.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long anything but a build may take on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A program that a variable names; the test fails with what to do when it is not there.
pub(crate) fn tool(variable: &str) -> PathBuf {
    let path = PathBuf::from(variable_or_fail(variable));
    assert!(path.exists(), "{variable} names {}, which is not there: run .ci/setup", path.display());
    path
}

/// The value of a variable that `.ci/test` sets.
pub(crate) fn variable_or_fail(variable: &str) -> String {
    match std::env::var(variable) {
        Ok(value) if !value.is_empty() => value,
        _ => panic!("{variable} is not set: run these tests with `.ci/test e2e`"),
    }
}

/// Asks again and again until there is an answer.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Result<T, String>) -> T {
    let begin = Instant::now();
    loop {
        match ask() {
            Ok(answer) => return answer,
            Err(why) => assert!(begin.elapsed() < PATIENCE, "{what}: not after {PATIENCE:?}: {why}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// An address of this machine that nobody listens on.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

/// The body of an HTTP answer with status 200.
pub(crate) fn http_get(address: SocketAddr, path: &str) -> Result<String, String> {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        // HTTP/1.0: the answer ends with the connection and is never chunked
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    let answer = ask().map_err(|error| format!("GET {address}{path}: {error}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| format!("GET {path}: no HTTP answer: {answer}"))?;
    let status = head.split(' ').nth(1).unwrap_or("");
    if status == "200" { Ok(body.to_owned()) } else { Err(format!("GET {path}: {head}\n{body}")) }
}

/// A program that runs beside the test and is killed with it.
pub(crate) struct Running {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Starts it with both streams in `<folder>/<name>.log`.
    pub(crate) fn start(name: &str, folder: &Path, command: &mut Command) -> Self {
        let log = folder.join(format!("{name}.log"));
        let out = std::fs::File::create(&log).unwrap();
        command.stdin(Stdio::null()).stderr(out.try_clone().unwrap()).stdout(out);
        let child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
        Self { name: name.to_owned(), child, log }
    }

    /// What it wrote.
    pub(crate) fn output(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// `Err` with what it wrote when it is no longer running.
    pub(crate) fn alive(&mut self) -> Result<(), String> {
        match self.child.try_wait().unwrap() {
            None => Ok(()),
            Some(status) => Err(format!("{} ended: {status}\n{}", self.name, self.output())),
        }
    }

    /// Sends SIGTERM and waits for the end.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let name = self.name.clone();
        wait_for(&format!("{name} ends after SIGTERM"), || match self.child.try_wait().unwrap() {
            Some(status) => Ok(status),
            None => Err("it still runs".to_owned()),
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.child.try_wait().ok().flatten().is_none() {
            // both may fail only when it ended by itself
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            eprintln!("---- {}\n{}", self.name, self.output());
        }
    }
}
