//! Where the kernel tells nothing: looking for what was put.
//!
//! A directory whose time is not that of the last look has new names, or fewer. Reading an entry leaves no trace, and
//! writing one again under the same name neither: hits are not available, and puts are those of new actions.
//!
//! Invariant: what was there at the first complete look is not told as put.

use std::time::Instant;

use gobeacon_formats::Timestamp;
use gobeacon_formats::cache_entry::Name;

use super::cache::Cache;
use super::look::{self, note};
use crate::harness::Health;
use crate::os;

/// Longer than between two times that a file system tells apart.
const TICK_SECONDS: f64 = 0.1;

/// When the 256 directories changed last, as far as they were looked at.
#[derive(Debug)]
pub(super) struct Poll {
    modified: Vec<Option<Timestamp>>,
    pub(super) due: Instant,
}

impl Poll {
    pub(super) fn new(now: Instant) -> Self {
        Self { modified: vec![None; 256], due: now }
    }
}

/// Looks at the directories that changed.
pub(super) fn poll(cache: &mut Cache, poll: &mut Poll, now: Timestamp, health: &Health) {
    if !cache.known.is_sure() {
        return;
    }
    for (dir, before) in (0..=255_u8).zip(&mut poll.modified) {
        // taken before the names, so that what comes meanwhile is seen next time
        let modified = os::stat(&cache.path.join(format!("{dir:02x}"))).map(|stat| stat.modified).ok();
        if modified != *before {
            // the clock of a file system is coarse: what comes within one tick leaves the same time
            *before = modified.filter(|at| now.seconds_since(*at) > TICK_SECONDS);
            look_at(cache, dir, now, health);
        }
    }
}

fn look_at(cache: &mut Cache, dir: u8, now: Timestamp, health: &Health) {
    let names = look::names(&cache.path, dir);
    let is_gone = names.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound);
    let names = names.inspect_err(|error| note(error, health));
    if names.is_err() && !is_gone {
        return;
    }
    let mut found = Vec::new();
    let mut appeared = Vec::new();
    for name in names.unwrap_or_default() {
        match cache.walk_entry(&name) {
            Ok((stat, entry)) => {
                if entry.bytes == 0 && matches!(name, Name::Action(_)) {
                    // just made, not written yet: it is new next time
                    continue;
                }
                if cache.known.get(&name).is_none() && matches!(name, Name::Action(_)) {
                    appeared.push((name, stat));
                }
                found.push((name, entry));
            }
            Err(error) => note(&error, health),
        }
    }
    cache.keep(dir, &found, is_gone, now);
    for (name, stat) in appeared {
        cache.appeared(&name, &stat, now);
    }
}
