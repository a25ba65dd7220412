//! Time stamps as log lines carry them. No clock is read here.

use serde::{Serialize, Serializer};

/// Nanoseconds since the Unix epoch, UTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
        if let Some(nanos) = utc(text) {
            return Some(Self(nanos));
        }
        let parsed: jiff::Timestamp = std::str::from_utf8(text).ok()?.parse().ok()?;
        i64::try_from(parsed.as_nanosecond()).ok().map(Self)
    }
}

/// The form that Go and container runtimes write, `2026-11-20T23:37:59.199464111Z`, without the generality that costs
/// ten times as much. `None` for every other.
fn utc(text: &[u8]) -> Option<i64> {
    let (head, tail) = text.split_at_checked(19)?;
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2] = *head else {
        return None;
    };
    let digit = |byte: u8| byte.is_ascii_digit().then(|| i64::from(byte - b'0'));
    let two = |a: u8, b: u8| Some(digit(a)? * 10 + digit(b)?);
    let (year, month, day) = (two(y1, y2)? * 100 + two(y3, y4)?, two(m1, m2)?, two(d1, d2)?);
    let (hour, minute, second) = (two(h1, h2)?, two(n1, n2)?, two(s1, s2)?);
    // the last days of a month and leap seconds are left to the careful reader
    let plain = (1970..2200).contains(&year) && (1..=12).contains(&month) && (1..=28).contains(&day);
    if !plain || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let decimals = match tail.strip_suffix(b"Z")? {
        [] => &[][..],
        [b'.', decimals @ ..] if (1..=9).contains(&decimals.len()) => decimals,
        _ => return None,
    };
    let mut nanos = 0;
    for place in 0..9 {
        nanos = nanos * 10 + decimals.get(place).map_or(Some(0), |byte| digit(*byte))?;
    }
    // days since 1970-01-01: years that begin in March, so that the leap day is the last
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - 719_468;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000_000 + nanos)
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

    #[test]
    fn the_short_way_reads_what_the_long_way_reads() {
        let days = ["1970-01-01", "1999-12-28", "2000-02-28", "2024-02-28", "2026-03-01", "2026-11-20", "2100-03-01"];
        for day in days {
            for rest in ["T00:00:00Z", "T23:59:59.5Z", "T12:34:56.123456789Z", "T01:02:03.000001Z"] {
                let text = format!("{day}{rest}");
                let long: jiff::Timestamp = text.parse().unwrap();
                assert_eq!(utc(text.as_bytes()).map(i128::from), Some(long.as_nanosecond()), "{text}");
            }
        }
        for other in ["2026-02-29T00:00:00Z", "2026-11-20T24:00:00Z", "2026-11-20T23:00:60Z", "2026-11-20 23:00:00Z"] {
            assert_eq!(utc(other.as_bytes()), None);
        }
        assert_eq!(Timestamp::parse_rfc3339(b"2026-01-31T00:00:00Z").unwrap().to_string(), "2026-01-31T00:00:00Z");
        assert_eq!(Timestamp::parse_rfc3339(b"2026-02-30T00:00:00Z"), None);
    }
}
