//! A module proxy with modules of its own, that knows when each zip was asked for and when it had gone out.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

/// How it gives out zips.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    Fast,
    /// Half of each zip, and then nothing: the connection stays open.
    Hangs,
}

/// When a zip was asked for, and when it had gone out, in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Served {
    pub(crate) asked: u64,
    pub(crate) sent: u64,
    pub(crate) bytes: u64,
}

/// Modules `corp.example/mN` in version v1.0.0, each with one package.
pub(crate) struct ModProxy {
    pub(crate) url: String,
    served: Arc<Mutex<BTreeMap<String, Served>>>,
}

impl ModProxy {
    /// Serves on threads that live as long as the tests.
    pub(crate) fn start(pace: Pace) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let served: Arc<Mutex<BTreeMap<_, _>>> = Arc::default();
        let theirs = Arc::clone(&served);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let served = Arc::clone(&theirs);
                // who is gone needs no answer
                std::thread::spawn(move || _ = answer(stream, pace, &served));
            }
        });
        Self { url, served }
    }

    /// By module path: the zips that were asked for.
    pub(crate) fn served(&self) -> BTreeMap<String, Served> {
        self.served.lock().unwrap().clone()
    }
}

pub(crate) fn nanos(time: SystemTime) -> u64 {
    u64::try_from(time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos()).unwrap()
}

fn answer(stream: TcpStream, pace: Pace, served: &Mutex<BTreeMap<String, Served>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        let mut head = String::new();
        while reader.read_line(&mut head)? > 2 {}
        let Some(path) = head.split(' ').nth(1).map(str::to_owned) else { return Ok(()) };
        let asked = nanos(SystemTime::now());
        let (module, file) = path.trim_start_matches('/').split_once("/@v/").unwrap_or((&path, ""));
        let body = match file {
            "v1.0.0.info" => br#"{"Version":"v1.0.0","Time":"2024-01-01T00:00:00Z"}"#.to_vec(),
            "v1.0.0.mod" => go_mod(module).into_bytes(),
            "v1.0.0.zip" => zip_of(module),
            "list" => b"v1.0.0\n".to_vec(),
            _ => {
                write!(stream, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?;
                continue;
            }
        };
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len())?;
        let is_zip = file == "v1.0.0.zip";
        if is_zip && pace == Pace::Hangs {
            stream.write_all(&body[..body.len() / 2])?;
            stream.flush()?;
            std::thread::park_timeout(Duration::from_secs(600));
            return Ok(());
        }
        stream.write_all(&body)?;
        if is_zip {
            let sent = nanos(SystemTime::now());
            served.lock().unwrap().insert(module.to_owned(), Served { asked, sent, bytes: body.len() as u64 });
        }
    }
}

fn go_mod(module: &str) -> String {
    format!("module {module}\n\ngo 1.21\n")
}

/// The zip of a module: `corp.example/mN` has a file of some kilobytes for each N, so that no two are of one size.
fn zip_of(module: &str) -> Vec<u8> {
    let number: usize = module.rsplit_once('m').and_then(|(_, number)| number.parse().ok()).unwrap_or_default();
    let padding = "x".repeat(1_000 + number * 1_234);
    let files = [
        ("go.mod", go_mod(module)),
        ("m.go", format!("package m{number}\n\n// N is a number.\nconst N = {number}\n")),
        ("padding.txt", padding),
    ];
    let (mut zip, mut directory) = (Vec::new(), Vec::new());
    for (name, text) in &files {
        let name = format!("{module}@v1.0.0/{name}");
        let mut crc = flate2::Crc::new();
        crc.update(text.as_bytes());
        // version, flags, stored, time, date, checksum, both sizes, lengths of name and extra field
        let mut fields = Vec::new();
        for short in [20_u16, 0, 0, 0, 33] {
            fields.extend(short.to_le_bytes());
        }
        for long in [crc.sum(), text.len() as u32, text.len() as u32] {
            fields.extend(long.to_le_bytes());
        }
        fields.extend((name.len() as u16).to_le_bytes());
        fields.extend(0_u16.to_le_bytes());
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&fields);
        // comment, disk, attributes inside and outside, and where the file is
        directory.extend([0; 10]);
        directory.extend((zip.len() as u32).to_le_bytes());
        directory.extend(name.as_bytes());
        zip.extend(b"PK\x03\x04");
        zip.extend(&fields);
        zip.extend(name.as_bytes());
        zip.extend(text.as_bytes());
    }
    let (at, count) = (zip.len() as u32, files.len() as u16);
    zip.extend(&directory);
    zip.extend(b"PK\x05\x06\0\0\0\0");
    zip.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
    zip.extend((directory.len() as u32).to_le_bytes());
    zip.extend(at.to_le_bytes());
    zip.extend(0_u16.to_le_bytes());
    zip
}
