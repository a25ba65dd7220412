//! The agent as a process: started, asked, told to stop.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long anything may take on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Asks again and again until there is an answer.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Result<T, String>) -> T {
    let begin = Instant::now();
    loop {
        match ask() {
            Ok(answer) => return answer,
            Err(why) => assert!(begin.elapsed() < PATIENCE, "{what}: not after {PATIENCE:?}: {why}"),
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// `gobeacon agent` with these arguments, with nothing of the environment that speaks to it and of the homes.
pub(crate) fn command(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gobeacon"));
    command.arg("agent").args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
    let proxy = |name: &str| name.to_ascii_lowercase().ends_with("_proxy");
    let ours = |name: &str| name.starts_with("OTEL_") || name.starts_with("GOBEACON_") || proxy(name);
    std::env::vars().filter(|(name, _)| ours(name)).for_each(|(name, _)| _ = command.env_remove(name));
    // what this machine's homes hold is no part of a test
    command.env("GOBEACON_DISCOVERY_ENABLED", "false");
    command.envs(variables.iter().copied());
    command
}

/// An agent that runs, on a port that the system chose.
pub(crate) struct Agent {
    child: Child,
    /// What it has said on standard error, and who listens until it is closed.
    said: Arc<Mutex<String>>,
    listening: Option<JoinHandle<()>>,
    pub(crate) address: SocketAddr,
}

impl Agent {
    /// Starts it on the logs of one folder and waits until it is ready.
    pub(crate) fn start(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::start_with_state(folder, &folder.join("state"), arguments, variables)
    }

    /// The same, with this state folder.
    pub(crate) fn start_with_state(
        folder: &Path,
        state: &Path,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let logs = folder.join("*.log");
        let mut command = command(arguments, variables);
        command.args(["--listen", "127.0.0.1:0", "--logs"]).arg(logs).arg("--state-dir").arg(state);
        Self::start_command(command)
    }

    /// Starts it with a configuration file, which says what it listens on, and waits until it is ready.
    pub(crate) fn start_configured(config: &Path, variables: &[(&str, &str)]) -> Self {
        let mut command = command(&["--config"], variables);
        command.arg(config);
        Self::start_command(command)
    }

    /// Starts it and waits until it is ready.
    pub(crate) fn start_command(command: Command) -> Self {
        let agent = Self::spawn(command);
        wait_for("the agent is ready", || agent.get("/readyz", ""));
        agent
    }

    /// Starts it and waits until it listens.
    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command.args(["--log-format", "json"]).stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let (errors, theirs) = (BufReader::new(child.stderr.take().unwrap()), Arc::clone(&said));
        let listening = std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                *theirs.lock().unwrap() += &(line + "\n");
            }
        });
        let address = wait_for("the agent listens", || {
            let said = said.lock().unwrap().clone();
            let (_, rest) = said.split_once("\"address\":\"").ok_or(format!("it said: {said}"))?;
            rest.split('"').next().unwrap().parse().map_err(|error| format!("{error}: {said}"))
        });
        Self { child, said, listening: Some(listening), address }
    }

    /// Waits until it has said this; gives back all that it has said.
    #[track_caller]
    pub(crate) fn wait_until_it_says(&self, words: &str) -> String {
        wait_for(&format!("it says `{words}`"), || {
            let said = self.said();
            if said.contains(words) { Ok(said) } else { Err(said) }
        })
    }

    /// The value of a series without labels.
    pub(crate) fn value(&self, series: &str) -> Result<f64, String> {
        let page = self.get("/metrics", "")?;
        let value = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok());
        value.ok_or(page)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What was heard of it so far: all of it once it has ended, until then the last lines may be under way.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// The body of an answer with status 200; else all of the answer.
    pub(crate) fn get(&self, path: &str, accept: &str) -> Result<String, String> {
        let answer = self.ask(&format!("GET {path} HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n"));
        let answer = answer.map_err(|error| format!("GET {path}: {error}; it said: {}", self.said()))?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or(format!("no HTTP answer: {answer}"))?;
        if head.starts_with("HTTP/1.1 200 ") { Ok(body.to_owned()) } else { Err(answer) }
    }

    /// The answer to the head of a request.
    pub(crate) fn ask(&self, head: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "{head}Connection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// Waits until the page has this line.
    #[track_caller]
    pub(crate) fn wait_for_line(&self, line: &str) -> String {
        wait_for(&format!("the page has `{line}`"), || {
            let page = self.get("/metrics", "")?;
            if page.lines().any(|it| it == line) { Ok(page) } else { Err(page) }
        })
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end, and until all that it said is heard.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let status = wait_for("the agent ends", || self.child.try_wait().unwrap().ok_or("it runs".to_owned()));
        if let Some(listening) = self.listening.take() {
            listening.join().unwrap();
        }
        status
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // both fail only when it has ended by itself
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("---- the agent said:\n{}", self.said());
        }
    }
}
