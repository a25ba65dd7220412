//! What the agent asks of one system only. Everything else here builds and behaves alike on Linux and macOS.

pub(crate) use system::ignored_signals;

#[cfg(target_os = "linux")]
mod system {
    /// The signals that this process ignores, as a bit mask: bit n - 1 is signal n. 0 where /proc is not there.
    pub(crate) fn ignored_signals() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).map(str::trim);
        mask.and_then(|mask| u64::from_str_radix(mask, 16).ok()).unwrap_or(0)
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    /// Nobody tells without unsafe code: a signal that was ignored at start counts as not ignored.
    pub(crate) fn ignored_signals() -> u64 {
        0
    }
}
