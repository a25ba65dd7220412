//! Times as people write them: `10s`, `1m30s`, `250ms`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration as StdDuration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time, at least 0, to the nanosecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Duration(pub(crate) StdDuration);

impl Duration {
    /// So many seconds.
    pub(crate) const fn seconds(seconds: u64) -> Self {
        Self(StdDuration::from_secs(seconds))
    }

    /// So many milliseconds.
    pub(crate) const fn milliseconds(milliseconds: u64) -> Self {
        Self(StdDuration::from_millis(milliseconds))
    }
}

impl From<Duration> for StdDuration {
    fn from(duration: Duration) -> Self {
        duration.0
    }
}

impl FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no time: write a number with its unit, such as 10s, 1m30s or 250ms");
        let parsed: jiff::SignedDuration = text.trim().parse().map_err(|_| wrong())?;
        StdDuration::try_from(parsed).map(Self).map_err(|_| wrong())
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.0.as_secs();
        let parts = [(total / 3600, "h"), (total / 60 % 60, "m"), (total % 60, "s")];
        let nanos = self.0.subsec_nanos();
        let small = [(nanos / 1_000_000, "ms"), (nanos / 1_000 % 1_000, "us"), (nanos % 1_000, "ns")];
        let small = small.map(|(count, unit)| (u64::from(count), unit));
        if self.0.is_zero() {
            return f.write_str("0s");
        }
        parts
            .iter()
            .chain(&small)
            .filter(|(count, _)| *count > 0)
            .try_for_each(|(count, unit)| write!(f, "{count}{unit}"))
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "duration", "examples": ["10s", "1m30s", "250ms"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_read_and_written_back() {
        for (text, millis, back) in [
            ("10s", 10_000, "10s"),
            ("1m30s", 90_000, "1m30s"),
            ("250ms", 250, "250ms"),
            ("1.5h", 5_400_000, "1h30m"),
            ("0s", 0, "0s"),
        ] {
            let duration: Duration = text.parse().unwrap();
            assert_eq!(duration.0, StdDuration::from_millis(millis), "{text}");
            assert_eq!(duration.to_string(), back, "{text}");
        }
    }

    #[test]
    fn a_number_without_unit_or_below_zero_is_refused() {
        for text in ["10", "-10s", "", "soon", "10 apples"] {
            let error = text.parse::<Duration>().unwrap_err();
            assert!(error.contains("write a number with its unit"), "{text}: {error}");
        }
    }
}
