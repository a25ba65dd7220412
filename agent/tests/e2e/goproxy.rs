//! A module proxy that is broken in one way.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

/// How it is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// Every answer has this status.
    Status(u16, &'static str),
    /// It knows every version, and every zip is no zip.
    Garbage,
    /// It takes the request and closes the connection.
    Nothing,
}

/// Starts it on a thread that lives as long as the tests, and returns its URL.
pub(crate) fn start(broken: Broken) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        // one after the other: a go command asks for few things here
        for stream in listener.incoming().flatten() {
            // the go command may have gone away; that is its own affair
            let _ = answer(stream, broken);
        }
    });
    format!("http://{address}")
}

fn answer(mut stream: TcpStream, broken: Broken) -> std::io::Result<()> {
    let path = request_path(&stream)?;
    let (status, body) = match broken {
        Broken::Nothing => return Ok(()),
        Broken::Status(status, text) => (format!("{status} {text}"), format!("{text}\n")),
        Broken::Garbage => ("200 OK".to_owned(), garbage(&path)),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// `/M/@v/V.info` and `.mod` are as they should be; `.zip` is a sentence.
fn garbage(path: &str) -> String {
    let Some((module, file)) = path.trim_start_matches('/').split_once("/@v/") else {
        return "no proxy speaks like this".to_owned();
    };
    match file.rsplit_once('.') {
        Some((version, "info")) => format!("{{\"Version\":\"{version}\",\"Time\":\"2024-01-01T00:00:00Z\"}}"),
        Some((_, "mod")) => format!("module {module}\n"),
        _ => "this is not a zip file, whatever the name says".to_owned(),
    }
}

fn request_path(stream: &TcpStream) -> std::io::Result<String> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    // the rest of the header, or the answer may overtake the request
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    Ok(first.split(' ').nth(1).unwrap_or("").to_owned())
}
