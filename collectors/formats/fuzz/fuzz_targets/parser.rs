//! The whole parser on any bytes, idle now and then: no panic, and what it says of itself holds.
#![no_main]

use gobeacon_formats::Parser;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [step, log @ ..] = data else { return };
    let (mut parser, mut out, mut offset) = (Parser::new(), Vec::new(), 0_u64);
    for (n, chunk) in log.chunks(usize::from(*step).max(1)).enumerate() {
        parser.feed(chunk, offset, &mut out);
        offset += chunk.len() as u64;
        if n % 7 == 3 {
            parser.idle(&mut out);
        }
        assert!(parser.open_from().is_none_or(|open| open < offset), "nothing is held that has not come");
    }
    parser.finish(&mut out);
    assert_eq!(parser.open_from(), None, "nothing is held at the end");
    for event in &out {
        assert!(event.offset < offset && event.lines > 0, "{event:?}");
    }
    let counts = parser.counts();
    let newlines = log.iter().filter(|byte| **byte == b'\n').count() as u64;
    assert_eq!(counts.lines, newlines + u64::from(log.last().is_some_and(|byte| *byte != b'\n')));
    assert!(counts.unrecognised <= counts.lines);
});
