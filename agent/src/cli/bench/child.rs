//! A program under measurement: started, asked what it has counted, asked what it has used, ended.
//!
//! Invariant: whatever happens, the process is gone when its handle is.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::os::{self, Usage};

/// How long one answer of a page may take.
const ANSWER: Duration = Duration::from_secs(10);

/// A program that runs.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    /// Where what it says on both streams goes.
    said: std::path::PathBuf,
}

impl Running {
    /// Starts it; what it says goes to the file `said`.
    pub(super) fn start(command: &mut Command, said: &Path) -> io::Result<Self> {
        let out = std::fs::File::create(said)?;
        let errors = out.try_clone()?;
        let child = command.stdin(Stdio::null()).stdout(out).stderr(errors).spawn()?;
        Ok(Self { child, said: said.to_owned() })
    }

    /// What it has used so far; zero where the system does not tell.
    pub(super) fn usage(&self) -> Usage {
        os::usage(self.child.id()).unwrap_or_default()
    }

    /// All that it has said.
    pub(super) fn said(&self) -> String {
        std::fs::read(&self.said).map(|it| String::from_utf8_lossy(&it).into_owned()).unwrap_or_default()
    }

    /// The last line that it has said, for who asks why it does not work.
    pub(super) fn last_words(&self) -> String {
        self.said().lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing").to_owned()
    }

    /// Whether it has ended by itself.
    pub(super) fn has_ended(&mut self) -> bool {
        self.child.try_wait().map_or(true, |status| status.is_some())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // both fail only when it has ended by itself
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks again and again, every `pause`, until there is an answer or the time is over.
pub(super) fn wait<T>(within: Duration, pause: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if began.elapsed() >= within {
            return None;
        }
        std::thread::sleep(pause);
    }
}

/// A port of this machine that nobody has now.
pub(super) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// The body of a page, if it is there. In HTTP/1.0, whose answers come in one piece.
pub(super) fn page(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, ANSWER)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_nodelay(true)?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.split(' ').nth(1) == Some("200") => Ok(body.to_owned()),
        Some(_) | None => Err(io::Error::other("it answered with an error")),
    }
}

/// The sum of all series of a metric, whatever their labels.
pub(super) fn sum(page: &str, metric: &str) -> Option<u64> {
    let values = page.lines().filter_map(|line| {
        let rest = line.strip_prefix(metric).filter(|rest| rest.starts_with([' ', '{']))?;
        // a value may have a time behind it, and a label may hold a blank
        let behind = rest.rsplit_once('}').map_or(rest, |(_, behind)| behind);
        behind.split_whitespace().next()?.parse::<f64>().ok()
    });
    values.fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value)).map(|sum| sum as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_the_sum_of_its_series_and_missing_where_it_has_none() {
        let page = "# TYPE a counter\na{x=\"y z\"} 2\na{x=\"}\"} 3 1700000000\nab 9\n";
        assert_eq!((sum(page, "a"), sum(page, "ab"), sum(page, "b")), (Some(5), Some(9), None));
    }
}
