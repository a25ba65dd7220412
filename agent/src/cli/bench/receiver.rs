//! The smallest receiver of OTLP/HTTP: takes everything, counts spans, and finds names.
//!
//! It knows just enough of protobuf to walk to the spans. Its own work is not measured: it runs in this process, the
//! agent in another.
//!
//! Invariant: a span counts once it was read whole, before the sender has its answer.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use flate2::read::GzDecoder;

/// A receiver that runs for as long as this process.
#[derive(Debug, Clone)]
pub(super) struct Receiver {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    spans: u64,
    bytes: u64,
    /// Names that are waited for, and when each came.
    awaited: HashMap<Vec<u8>, Option<Instant>>,
}

impl Receiver {
    /// Listens on a port of its own.
    pub(super) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let receiver = Self { address: listener.local_addr()?, state: Arc::default() };
        let theirs = receiver.clone();
        std::thread::Builder::new().name("receiver".to_owned()).spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = theirs.clone();
                // without a thread the sender tries again
                let _ = std::thread::Builder::new().spawn(move || state.serve(stream));
            }
        })?;
        Ok(receiver)
    }

    /// What an agent is told to send to.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Spans that came so far, and bytes on the wire.
    pub(super) fn totals(&self) -> (u64, u64) {
        let state = self.lock();
        (state.spans, state.bytes)
    }

    /// Waits for a test package of this name from now on.
    pub(super) fn await_name(&self, name: &str) {
        self.lock().awaited.insert(name.as_bytes().to_vec(), None);
    }

    /// When a name that is waited for came.
    pub(super) fn came(&self, name: &str) -> Option<Instant> {
        self.lock().awaited.get(name.as_bytes()).copied().flatten()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One connection until the sender closes it.
    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut answers = stream.try_clone()?;
        let mut requests = BufReader::with_capacity(256 << 10, stream);
        while let Some(request) = Request::read(&mut requests)? {
            let length = request.body.len() as u64;
            let body = if request.is_gzip {
                let mut plain = Vec::new();
                GzDecoder::new(request.body.as_slice()).read_to_end(&mut plain)?;
                plain
            } else {
                request.body
            };
            self.take(&body, length, request.is_traces);
            // an empty message is a full success
            answers
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n")?;
        }
        Ok(())
    }

    fn take(&self, body: &[u8], wire_bytes: u64, is_traces: bool) {
        let spans = if is_traces { spans(body) } else { 0 };
        let mut state = self.lock();
        state.spans += spans;
        state.bytes += wire_bytes;
        for (name, came) in &mut state.awaited {
            if came.is_none() && memchr::memmem::find(body, name).is_some() {
                *came = Some(Instant::now());
            }
        }
    }
}

struct Request {
    body: Vec<u8>,
    is_gzip: bool,
    is_traces: bool,
}

impl Request {
    /// The next one; `None` when there is no more.
    fn read(from: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut line = String::new();
        if from.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let (mut length, mut is_gzip, is_traces) = (0_u64, false, line.contains("/v1/traces"));
        loop {
            line.clear();
            if from.read_line(&mut line)? == 0 {
                return Ok(None);
            }
            let header = line.trim_end().to_ascii_lowercase();
            match header.split_once(':') {
                Some(("content-length", value)) => length = value.trim().parse().map_err(io::Error::other)?,
                Some(("content-encoding", value)) => is_gzip = value.trim() == "gzip",
                Some(_) => {}
                None => break,
            }
        }
        let mut body = Vec::new();
        from.take(length).read_to_end(&mut body)?;
        Ok(Some(Self { body, is_gzip, is_traces }))
    }
}

/// How many spans there are in an `ExportTraceServiceRequest`: resource_spans (1), scope_spans (2), spans (2).
fn spans(body: &[u8]) -> u64 {
    let of = |message, number| Fields(message).filter(move |(it, _)| *it == number).map(|(_, inner)| inner);
    of(body, 1).flat_map(|resource| of(resource, 2)).map(|scope| of(scope, 2).count() as u64).sum()
}

/// The fields of a message that hold bytes: number and content. Ends where the message is none.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = (u64, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let key = self.varint()?;
            let skip = match key & 7 {
                0 => self.varint().map(|_| 0)?,
                1 => 8,
                2 => usize::try_from(self.varint()?).ok()?,
                5 => 4,
                _ => return None,
            };
            let (inner, rest) = self.0.split_at_checked(skip)?;
            self.0 = rest;
            if key & 7 == 2 {
                return Some((key >> 3, inner));
            }
        }
    }
}

impl Fields<'_> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_counted_over_resources_and_scopes_and_nothing_else_is() {
        // two resources: a resource (1) and a scope (2) with a name (1) and spans (2) of one id each
        let span = [0x12, 3, 0x12, 1, 7];
        let scope = [&[0x0a, 1, b'n'][..], &span, &span].concat();
        let resource = [&[0x0a, 0, 0x12, scope.len() as u8][..], &scope].concat();
        let body = [&[0x0a, resource.len() as u8][..], &resource, &[0x0a, resource.len() as u8], &resource].concat();
        assert_eq!(spans(&body), 4);
        assert_eq!(spans(&body[..body.len() - 1]), 2);
        assert_eq!(spans(b"\xff\xff\xff"), 0);
    }
}
