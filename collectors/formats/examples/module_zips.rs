//! How fast zips of modules are verified: reads each file given into memory, hashes it, and compares its `.ziphash`.
//!
//! `find DIR -name '*.zip' | cargo run --release -p gobeacon-formats --example module_zips`
#![expect(clippy::print_stdout, reason = "it is what the example is for")]

use std::error::Error;
use std::io::BufRead as _;
use std::time::{Duration, Instant};

use gobeacon_formats::module_path::unescape;
use gobeacon_formats::zip::{Buffers, Digests, Failed};

fn main() -> Result<(), Box<dyn Error>> {
    let mut buffers = Buffers::default();
    let (mut took, mut archives, mut content, mut wrong) = (Duration::ZERO, 0_usize, 0, Vec::new());
    for path in std::io::stdin().lock().lines() {
        let path = path?;
        let named = path.split_once("cache/download/").and_then(|(_, rest)| rest.split_once("/@v/"));
        let Some((module, file)) = named else { continue };
        let prefix = format!("{}@{}/", unescape(module), unescape(file.trim_end_matches(".zip")));
        let bytes = std::fs::read(&path)?;
        let began = Instant::now();
        let digests = Digests::read(bytes.as_slice(), bytes.len() as u64, &prefix, &mut buffers);
        took += began.elapsed();
        archives += bytes.len();
        match digests {
            Ok(digests) => {
                content += digests.content_bytes;
                let expected = std::fs::read_to_string(format!("{path}hash"))?;
                if digests.h1().to_string() != expected.trim() || digests.damaged.is_some() {
                    wrong.push(path);
                }
            }
            Err(Failed::Broken(broken)) => wrong.push(format!("{path}: {broken}")),
            Err(Failed::Read(error)) => return Err(error.into()),
        }
    }
    let rate = |bytes: f64| bytes / 1e6 / took.as_secs_f64();
    println!(
        "{:.2} s, {:.0} MB of zips ({:.0} MB/s), {:.0} MB of content ({:.0} MB/s)",
        took.as_secs_f64(),
        archives as f64 / 1e6,
        rate(archives as f64),
        content as f64 / 1e6,
        rate(content as f64)
    );
    println!("wrong: {wrong:?}");
    Ok(())
}
