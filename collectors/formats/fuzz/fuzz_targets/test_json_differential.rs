//! The fixed-layout scanner against serde: what the scanner accepts, both read alike.
//!
//! Bytes that are no object are taken as the `Output` of one, so that most inputs reach the strings.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../src/json/quote.rs"]
mod quote;
#[path = "../../src/json/scan.rs"]
mod scan;
// the scanner takes one function of it
#[allow(dead_code)]
#[path = "../../src/text/bytes.rs"]
mod text;
#[path = "../../src/json/wire.rs"]
mod wire;

fuzz_target!(|data: &[u8]| {
    compare(data);
    if data.first() != Some(&b'{') {
        let mut line = br#"{"Time":"2026-11-20T23:35:22.33Z","Action":"output","Package":"a/b","Output":""#.to_vec();
        line.extend_from_slice(data);
        line.extend_from_slice(b"\"}");
        compare(&line);
    }
});

fn compare(line: &[u8]) {
    let mut scanned = scan::Record::default();
    if scan::scan_into(line, &mut scanned).is_some() {
        assert_eq!(Some(&scanned), wire::read(line).as_ref());
    }
}
