//! Reads logs and writes their events, one JSON object a line, or with `--count` only how many there are. With
//! `--newlines` it does nothing but find line ends: the bound that figures are compared with.
//!
//! The smallest program around the parser: what `valgrind --tool=callgrind` and other profilers look at.

use std::io::Write;

use gobeacon_formats::Parser;

fn main() -> std::io::Result<()> {
    let mut files: Vec<String> = std::env::args().skip(1).collect();
    let newlines = files.first().is_some_and(|first| first == "--newlines");
    let count = files.first().is_some_and(|first| first == "--count");
    if newlines || count {
        files.remove(0);
    }
    let mut stdout = std::io::BufWriter::new(std::io::stdout().lock());
    for file in files {
        let bytes = std::fs::read(file)?;
        if newlines {
            writeln!(stdout, "{} lines", memchr::memchr_iter(b'\n', &bytes).count())?;
            continue;
        }
        let (mut parser, mut events, mut total, mut offset) = (Parser::new(), Vec::new(), 0, 0);
        for chunk in bytes.chunks(256 << 10) {
            parser.feed(chunk, offset, &mut events);
            offset += chunk.len() as u64;
            total += events.len();
            if !count {
                write_all(&mut stdout, &events)?;
            }
            events.clear();
        }
        parser.finish(&mut events);
        total += events.len();
        if count {
            writeln!(stdout, "{} lines, {total} events", parser.counts().lines)?;
        } else {
            write_all(&mut stdout, &events)?;
        }
    }
    stdout.flush()
}

fn write_all(out: &mut impl Write, events: &[gobeacon_formats::Event]) -> std::io::Result<()> {
    for event in events {
        serde_json::to_writer(&mut *out, event)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}
