//! Bounds that a single value must keep, each with a sentence that says what to write instead.

use std::time::Duration as StdDuration;

use gobeacon_collectors::{Places, roots};

use super::Duration;

const SECOND: StdDuration = StdDuration::from_secs(1);
const HOUR: StdDuration = StdDuration::from_secs(3600);

type Checked = Result<(), garde::Error>;

/// `HOST:PORT`, `:PORT` or `off`.
pub(super) fn listen(text: &str, (): &()) -> Checked {
    if text == "off" {
        return Ok(());
    }
    let port = text.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
    match port {
        Some(Ok(_)) if !text.contains('/') => Ok(()),
        Some(_) | None => wrong("write HOST:PORT, such as 127.0.0.1:9797 or :9797, or off"),
    }
}

pub(super) fn at_least_a_second(duration: &Duration, (): &()) -> Checked {
    if duration.0 < SECOND { wrong("write at least 1s") } else { Ok(()) }
}

pub(super) fn at_most_an_hour(duration: &Duration, (): &()) -> Checked {
    if duration.0 > HOUR { wrong("write at most 1h") } else { Ok(()) }
}

pub(super) fn rescan(duration: &Duration, (): &()) -> Checked {
    if duration.0 < StdDuration::from_millis(100) || duration.0 > HOUR {
        return wrong("write a time from 100ms to 1h");
    }
    Ok(())
}

pub(super) fn request_timeout(duration: &Duration, (): &()) -> Checked {
    if duration.0.is_zero() || duration.0 > HOUR { wrong("write a time from 1ms to 1h") } else { Ok(()) }
}

/// What `tracing` takes as a filter.
pub(super) fn level(text: &str, (): &()) -> Checked {
    match text.parse::<tracing_subscriber::filter::Targets>() {
        Ok(_) if !text.trim().is_empty() => Ok(()),
        Ok(_) | Err(_) => wrong("write off, error, warn, info, debug or trace"),
    }
}

/// Patterns of folders.
pub(super) fn patterns(patterns: &[String], (): &()) -> Checked {
    let places = Places { dirs: patterns.to_vec(), ..Places::default() };
    roots::check(&places).or_else(|why| wrong(&why))
}

/// A key of a checksum database.
pub(super) fn sumdb_key(text: &str, (): &()) -> Checked {
    match gobeacon_formats::sumdb::Key::parse(text) {
        Some(_) => Ok(()),
        None => wrong("write name+hash+key, as GOSUMDB has it"),
    }
}

fn wrong(what_to_do: &str) -> Checked {
    Err(garde::Error::new(what_to_do))
}
