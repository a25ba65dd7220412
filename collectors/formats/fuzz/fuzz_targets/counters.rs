//! Files of counters, in any state: no panic, no more names than the file has room for.
#![no_main]

use gobeacon_formats::counters::{CountFile, spelled_out};
use libfuzzer_sys::fuzz_target;

/// As real files begin; the fuzzer need not find out.
const PREFIX: &[u8] = b"# telemetry/counter file v1\n";
const META: &[u8] = b"\xc0\0\0\0Program: cmd/go\n";
const PAGE: usize = 16 << 10;

fuzz_target!(|data: &[u8]| {
    let mut file = [PREFIX, META].concat();
    file.resize(0xc0, 0);
    // the limit is the whole file; the input is heads and records
    file.extend_from_slice(&(PAGE as u32).to_le_bytes());
    file.extend_from_slice(data);
    file.resize(file.len().next_multiple_of(PAGE), 0);
    for bytes in [data, &file] {
        if let Ok(read) = CountFile::parse(bytes) {
            assert!(read.counts.len() <= bytes.len() / 32);
            read.counts.keys().for_each(|name| _ = spelled_out(name));
        }
    }
});
