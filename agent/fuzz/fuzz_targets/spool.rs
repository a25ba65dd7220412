//! Segments of the spool, in any state: no panic, no more memory than a batch, and what was written whole in front of
//! the damage is there and reads back.
#![no_main]
#![allow(dead_code, reason = "it is a part of a program, and the target uses a part of it")]

use libfuzzer_sys::fuzz_target;

/// The rooms that the module sees itself in.
mod export {
    pub(crate) mod spool;
}

fuzz_target!(|data: &[u8]| {
    thread_local! {
        static DIR: std::path::PathBuf = export::spool::folder();
    }
    DIR.with(|dir| {
        export::spool::any(data, dir);
        export::spool::damaged(data, dir);
    });
});
