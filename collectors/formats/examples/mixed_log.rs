//! Writes the log of the benches to standard output: `mixed_log everything|test-json|text|noise BYTES`.

use std::io::Write;

#[path = "../benches/support/mixed_log.rs"]
mod mixed_log;

use crate::mixed_log::{Mix, log};

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let mix = match arguments.get(1).map(String::as_str) {
        Some("test-json") => Mix::TestJson,
        Some("text") => Mix::Text,
        Some("noise") => Mix::Noise,
        Some(_) | None => Mix::Everything,
    };
    let size = arguments.get(2).and_then(|size| size.parse().ok()).unwrap_or(1 << 20);
    std::io::stdout().lock().write_all(&log(mix, size))
}
