//! The walks over caches: what they tell of caches as go commands leave them, and of odd ones.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod builds;
mod modules;

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use gobeacon_formats::Timestamp;

/// Writes a file with everything above it.
fn write(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Makes a file or a folder so many hours old.
fn age(path: &Path, hours: u64) {
    let then = SystemTime::now() - Duration::from_secs(hours * 3600 + 60);
    let times = fs::FileTimes::new().set_modified(then).set_accessed(then);
    File::open(path).unwrap().set_times(times).unwrap();
}

fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp::from_nanos(i64::try_from(since_epoch.as_nanos()).unwrap())
}
