//! Time stamps as log lines carry them. No clock is read here.

use serde::{Serialize, Serializer};

/// Nanoseconds since the Unix epoch, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From nanoseconds since the Unix epoch.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the Unix epoch.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Moves it by a number of seconds, which may be negative or not finite; the result stays in range.
    #[must_use]
    pub fn plus_seconds(self, seconds: f64) -> Self {
        // `as` saturates, and turns NaN into 0
        Self(self.0.saturating_add((seconds * 1e9) as i64))
    }

    /// Seconds from `earlier` to this one, negative when it is the other way round.
    pub fn seconds_since(self, earlier: Self) -> f64 {
        self.0.saturating_sub(earlier.0) as f64 / 1e9
    }

    /// Parses RFC 3339, with any number of decimals and any offset from UTC.
    pub fn parse_rfc3339(text: &[u8]) -> Option<Self> {
        let parsed: jiff::Timestamp = std::str::from_utf8(text).ok()?.parse().ok()?;
        i64::try_from(parsed.as_nanosecond()).ok().map(Self)
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(time) => write!(f, "{time}"),
            Err(_) => write!(f, "{}ns", self.0),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3339_with_nanoseconds_and_offset_is_utc() {
        let t = Timestamp::parse_rfc3339(b"2026-11-20T23:37:59.199464111Z").unwrap();
        assert_eq!(t.to_string(), "2026-11-20T23:37:59.199464111Z");
        assert_eq!(Timestamp::parse_rfc3339(b"2026-11-21T00:37:59.199464111+01:00"), Some(t));
        assert_eq!(Timestamp::parse_rfc3339(b"yesterday"), None);
    }
}
