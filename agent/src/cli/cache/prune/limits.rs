//! How long something must not have been used to go.
//!
//! Invariant: no limit reaches into the last day.

use std::time::Duration;

use gobeacon_formats::Timestamp;

use crate::config;

/// No go command that runs now may have looked at what goes: none is taken to run for longer than this.
pub(super) const SHORTEST: Duration = Duration::from_secs(24 * 3600);

/// A build cache notes a use only when the last one noted is this old (cmd/go/internal/cache: mtimeInterval), so the
/// go command itself adds as much before it removes.
const BUILD_NOTE: Duration = Duration::from_secs(3600);
/// The same for file systems that note reads (mount option relatime).
const READ_NOTE: Duration = Duration::from_secs(24 * 3600);

/// What was used before these times may go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Of build caches, of module caches: what is older goes; `None` where only the size counts.
    pub(super) older_than: Option<Cutoffs>,
    /// What is younger stays whatever the size is.
    pub(super) newest: Cutoffs,
    /// Bytes that a cache may keep.
    pub(super) keep: Option<u64>,
    /// Whether the age that was asked for was too short.
    pub(super) is_raised: bool,
    pub(super) now: Timestamp,
}

/// The latest use of what may go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cutoffs {
    pub(super) build: Timestamp,
    pub(super) module: Timestamp,
}

impl Limits {
    pub(super) fn new(older_than: Option<Duration>, keep: Option<u64>, now: Timestamp) -> Self {
        let cutoffs = |age: Duration| {
            let before = |note: Duration| {
                let nanos = i64::try_from(age.saturating_add(note).as_nanos()).unwrap_or(i64::MAX);
                Timestamp::from_nanos(now.as_nanos().saturating_sub(nanos))
            };
            Cutoffs { build: before(BUILD_NOTE), module: before(READ_NOTE) }
        };
        Self {
            older_than: older_than.map(|age| cutoffs(age.max(SHORTEST))),
            newest: cutoffs(SHORTEST),
            keep,
            is_raised: older_than.is_some_and(|age| age < SHORTEST),
            now,
        }
    }
}

/// `30d`, `2w`, or any time of the configuration: `36h`.
pub(super) fn parse_age(text: &str) -> Result<Duration, String> {
    const DAY: u64 = 24 * 3600;
    let days = |number: &str, days: u64| number.trim().parse::<u64>().ok()?.checked_mul(days)?.checked_mul(DAY);
    let whole = match (text.trim().strip_suffix('d'), text.trim().strip_suffix('w')) {
        (Some(number), _) => days(number, 1),
        (None, Some(number)) => days(number, 7),
        (None, None) => None,
    };
    match whole {
        Some(seconds) => Ok(Duration::from_secs(seconds)),
        None => text
            .parse::<config::Duration>()
            .map(Into::into)
            .map_err(|_| format!("`{text}` is no age: write a number with its unit, such as 30d, 2w or 36h")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_read_as_people_write_them() {
        for (text, hours) in [("30d", 720), ("2w", 336), ("36h", 36), ("1h30m", 1), ("0d", 0)] {
            assert_eq!(parse_age(text).unwrap().as_secs() / 3600, hours, "{text}");
        }
        for wrong in ["", "30", "d", "-1d", "1 fortnight"] {
            assert!(parse_age(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_limit_reaches_into_the_last_day() {
        let now = Timestamp::from_nanos(1_790_000_000_000_000_000);
        let limits = Limits::new(Some(Duration::ZERO), Some(0), now);
        let older = limits.older_than.unwrap();
        assert!(limits.is_raised);
        for cutoffs in [older, limits.newest] {
            assert!((25.0 * 3600.0..).contains(&now.seconds_since(cutoffs.build)));
            assert!((48.0 * 3600.0..).contains(&now.seconds_since(cutoffs.module)));
        }
    }
}
