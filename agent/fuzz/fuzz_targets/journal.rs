//! The journal of what is remembered, in any state: no panic, no more records than fit, and what was written whole in
//! front of the damage is there.
#![no_main]
#![allow(dead_code, reason = "it is a part of a program, and the target uses a part of it")]

use libfuzzer_sys::fuzz_target;

mod state;

fuzz_target!(|data: &[u8]| {
    state::any(data);
    state::damaged(data);
});
