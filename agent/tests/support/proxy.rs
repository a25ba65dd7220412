//! A proxy for tests: CONNECT, and plain HTTP with the whole URL in the request line.
//!
//! Invariant: what it was asked for is recorded before anything is passed on.
#![allow(clippy::unwrap_used, reason = "it is part of tests, which may panic")]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A running proxy; it ends with the process.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (address, theirs) = (listener.local_addr().unwrap(), Arc::clone(&heads));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let heads = Arc::clone(&theirs);
                // a connection that breaks is the client's to notice
                std::thread::spawn(move || _ = serve(client, &heads));
            }
        });
        Self { address, heads }
    }

    /// The heads of all requests so far, one a connection.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

fn serve(mut client: TcpStream, heads: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    heads.lock().unwrap().push(text.clone());
    let mut words = text.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let host = target.strip_prefix("http://").unwrap_or(target).split('/').next().unwrap();
    let mut server = TcpStream::connect(host)?;
    if method == "CONNECT" {
        client.write_all(b"HTTP/1.1 200 here you are\r\n\r\n")?;
    } else {
        server.write_all(&head)?;
    }
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || {
        let _ended = std::io::copy(&mut from, &mut to);
        let _closed = to.shutdown(Shutdown::Write);
    });
    std::io::copy(&mut server, &mut client)?;
    client.shutdown(Shutdown::Write)
}
