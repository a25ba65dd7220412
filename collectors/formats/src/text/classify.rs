//! From the words of an error to its class, by the phrases of [`FAILURES`].
//!
//! Invariant: phrases live in the table alone; this room only knows how a phrase is compared and that an HTTP status
//! is more telling than any word of the server's answer behind it.

use std::sync::OnceLock;

use super::bytes::{has, number, split_once};
use crate::failure::{FAILURES, FailureClass, Matcher};

/// Below this rank phrases are asked before the HTTP status: they say what the request was for.
const STATUS_RANK: u8 = 12;

/// Rows that are told by phrases, lowest rank first.
fn ranked() -> &'static [(u8, FailureClass, &'static [&'static str])] {
    static RANKED: OnceLock<Vec<(u8, FailureClass, &'static [&'static str])>> = OnceLock::new();
    RANKED.get_or_init(|| {
        let mut rows: Vec<_> = FAILURES
            .iter()
            .filter_map(|row| match row.told_by {
                Matcher::Cause { rank, any } => Some((rank, row.class, any)),
                Matcher::Status(_) | Matcher::Dialect => None,
            })
            .collect();
        rows.sort_by_key(|(rank, _, _)| *rank);
        rows
    })
}

/// The class of an error: `all` is its whole text without the position, `cause` the line that holds the cause.
pub(super) fn class_of(all: &[u8], cause: &[u8]) -> Option<FailureClass> {
    let told = |from: u8, to: u8| {
        ranked()
            .iter()
            .filter(|(rank, _, _)| (from..to).contains(rank))
            .find(|(_, _, any)| any.iter().any(|phrase| says(all, cause, phrase)))
            .map(|(_, class, _)| *class)
    };
    told(0, STATUS_RANK).or_else(|| by_status(all, cause)).or_else(|| told(STATUS_RANK, u8::MAX))
}

/// Compares one phrase.
fn says(all: &[u8], cause: &[u8], phrase: &str) -> bool {
    if let Some(end) = phrase.strip_suffix('$') {
        return cause.ends_with(end.as_bytes());
    }
    let mut rest = all;
    for part in phrase.split('*') {
        match split_once(rest, part.as_bytes()) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    true
}

/// `reading URL: NNN TEXT`: the URL's rest and the status.
pub(super) fn status(cause: &[u8]) -> Option<(&[u8], u16)> {
    let mut rest = cause;
    while let Some((_, behind)) = split_once(rest, b"reading ") {
        if let Some((url, answer)) = split_once(behind, b": ") {
            let digits = answer.get(..3).unwrap_or_default();
            let ends = answer.get(3).is_none_or(|b| *b == b' ');
            if ends
                && has(url, "://")
                && let Some(status) = number(digits)
            {
                return Some((url, u16::try_from(status).ok()?));
            }
        }
        rest = behind;
    }
    None
}

fn by_status(all: &[u8], cause: &[u8]) -> Option<FailureClass> {
    if has(cause, "reading file://") {
        return has(cause, "no such file").then_some(FailureClass::ProxyNotFound);
    }
    let (url, status) = status(cause)?;
    if matches!(status, 404 | 410) {
        if has(url, "?go-get=1") {
            return Some(FailureClass::VcsNotFound);
        }
        let answer = split_once(all, b"server response:").map(|(_, answer)| answer).unwrap_or_default();
        if has(answer, "unknown revision") {
            return Some(FailureClass::ModuleVersionInvalid);
        }
    }
    let row = FAILURES.iter().find(|row| match row.told_by {
        Matcher::Status(any) => any.contains(&status),
        Matcher::Cause { .. } | Matcher::Dialect => false,
    });
    match (row, status) {
        (Some(row), _) => Some(row.class),
        (None, 407) => Some(FailureClass::ProxyAuthRequired),
        (None, 300..=399) => Some(FailureClass::ProxyRedirect),
        (None, 400..=499) => Some(FailureClass::ProxyBadRequest),
        (None, _) => Some(FailureClass::ProxyServerError),
    }
}
