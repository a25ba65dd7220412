//! What the agent asks of one system only. Everything else here builds and behaves alike on Linux and macOS.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use gobeacon_formats::Timestamp;

pub(crate) use system::{ignored_signals, open_files, usage};

/// What a process has used since its start, and holds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Usage {
    /// CPU time of all its threads, those that ended included, to a hundredth of a second.
    pub(crate) cpu_seconds: f64,
    /// CPU time of the threads that it has now, to the nanosecond.
    pub(crate) exact_cpu_seconds: f64,
    /// Memory that it has now.
    pub(crate) resident_bytes: u64,
    /// The most that it ever had.
    pub(crate) peak_bytes: u64,
}

/// A file, whatever its name: device and inode.
pub(crate) type FileId = (u64, u64);

/// Whether the file, or one in the folder, is one of these. Symbolic links are not followed.
pub(crate) fn is_open_below(path: &Path, open: &BTreeSet<FileId>) -> bool {
    if open.is_empty() {
        return false;
    }
    let mut todo = vec![path.to_owned()];
    while let Some(path) = todo.pop() {
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        if open.contains(&(metadata.dev(), metadata.ino())) {
            return true;
        }
        if metadata.is_dir() {
            todo.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        }
    }
    false
}

/// The same moment as the standard library has it.
pub(crate) fn system_time(timestamp: Timestamp) -> SystemTime {
    let nanos = u64::try_from(timestamp.as_nanos()).unwrap_or_default();
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_nanos(nanos)).unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(target_os = "linux")]
mod system {
    use std::os::unix::fs::MetadataExt as _;

    use super::{BTreeSet, FileId, Path, Usage, fs};

    /// The signals that this process ignores, as a bit mask: bit n - 1 is signal n. 0 where /proc is not there.
    pub(crate) fn ignored_signals() -> u64 {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).map(str::trim);
        mask.and_then(|mask| u64::from_str_radix(mask, 16).ok()).unwrap_or(0)
    }

    /// What a process has used. `None`: there is none of this number, or no /proc.
    pub(crate) fn usage(pid: u32) -> Option<Usage> {
        let of = Path::new("/proc").join(pid.to_string());
        let stat = fs::read_to_string(of.join("stat")).ok()?;
        // the name of the program stands in brackets and may hold blanks; user and system time are the 14th and 15th
        let (_, behind) = stat.rsplit_once(')')?;
        let ticks: u64 = behind.split_whitespace().skip(11).take(2).filter_map(|it| it.parse::<u64>().ok()).sum();
        let status = fs::read_to_string(of.join("status")).ok()?;
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kib = line.and_then(|rest| rest.trim_start_matches(':').split_whitespace().next()?.parse::<u64>().ok());
            kib.unwrap_or(0).saturating_mul(1024)
        };
        let on_cpu = |thread: fs::DirEntry| {
            let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        };
        let nanos: u64 = fs::read_dir(of.join("task")).ok()?.flatten().filter_map(on_cpu).sum();
        Some(Usage {
            cpu_seconds: ticks as f64 / rustix::param::clock_ticks_per_second() as f64,
            exact_cpu_seconds: nanos as f64 / 1e9,
            resident_bytes: bytes("VmRSS"),
            peak_bytes: bytes("VmHWM"),
        })
    }

    /// What other processes have open, run, or have as their working directory, as far as this one may see.
    pub(crate) fn open_files() -> BTreeSet<FileId> {
        let own = std::process::id().to_string();
        let mut open = BTreeSet::new();
        let mut add = |path: &Path| open.extend(fs::metadata(path).ok().map(|it| (it.dev(), it.ino())));
        for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let name = process.file_name();
            let is_process =
                name.to_str().is_some_and(|name| name != own && name.bytes().all(|it| it.is_ascii_digit()));
            if is_process {
                let path = process.path();
                ["exe", "cwd"].iter().for_each(|link| add(&path.join(link)));
                fs::read_dir(path.join("fd")).into_iter().flatten().flatten().for_each(|fd| add(&fd.path()));
            }
        }
        open
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::{BTreeSet, FileId, Usage};

    /// Nobody tells without unsafe code: a signal that was ignored at start counts as not ignored.
    pub(crate) fn ignored_signals() -> u64 {
        0
    }

    /// Nobody tells without unsafe code.
    pub(crate) fn open_files() -> BTreeSet<FileId> {
        BTreeSet::new()
    }
    /// Nobody tells without unsafe code.
    pub(crate) fn usage(_pid: u32) -> Option<Usage> {
        None
    }
}
