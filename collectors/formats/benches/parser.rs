//! How fast logs become events, on one core: bytes a second (`--bytes-format` decides the unit) and lines a second.
//!
//! `GOBEACON_BENCH_MIB` sets the size of each log, 64 by default, up to 1024. Compare with `newlines_only` of the same
//! run, never with figures of another machine: it does nothing but find the line ends of the same bytes.

#[path = "support/mixed_log.rs"]
mod mixed_log;

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use gobeacon_formats::Parser;

use crate::mixed_log::{Mix, log};

fn main() {
    divan::main();
}

/// A log, and how many lines it has.
fn input(mix: Mix) -> (Vec<u8>, usize) {
    let mib = std::env::var("GOBEACON_BENCH_MIB").ok().and_then(|mib| mib.parse().ok()).unwrap_or(64);
    let bytes = log(mix, usize::min(mib, 1024) << 20);
    let lines = memchr::memchr_iter(b'\n', &bytes).count();
    (bytes, lines)
}

/// Reads a log as the collector does: in chunks, with one vector of events.
fn parse(bytes: &[u8]) -> usize {
    let (mut parser, mut events, mut offset, mut total) = (Parser::new(), Vec::new(), 0, 0);
    for chunk in bytes.chunks(256 << 10) {
        parser.feed(chunk, offset, &mut events);
        offset += chunk.len() as u64;
        total += events.len();
        events.clear();
    }
    parser.finish(&mut events);
    total + events.len()
}

fn run(bencher: Bencher<'_, '_>, mix: Mix, work: fn(&[u8]) -> usize) {
    let (bytes, lines) = input(mix);
    bencher
        .counter(BytesCount::new(bytes.len()))
        .counter(ItemsCount::new(lines))
        .bench_local(|| divan::black_box(work(divan::black_box(&bytes))));
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn newlines_only(bencher: Bencher<'_, '_>) {
    run(bencher, Mix::Everything, |bytes| memchr::memchr_iter(b'\n', bytes).count());
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn mixed(bencher: Bencher<'_, '_>) {
    run(bencher, Mix::Everything, parse);
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn test_json(bencher: Bencher<'_, '_>) {
    run(bencher, Mix::TestJson, parse);
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn text(bencher: Bencher<'_, '_>) {
    run(bencher, Mix::Text, parse);
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn noise(bencher: Bencher<'_, '_>) {
    run(bencher, Mix::Noise, parse);
}
