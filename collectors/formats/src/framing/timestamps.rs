//! Time stamps in front of each line, as `ts`, `kubectl logs --timestamps` and many CI systems write them, and the
//! one reader of date and time that the other framings share.
//!
//! `2024-05-01T12:00:00.123456789Z text`, `[2024-05-01 12:00:00] text`, `May  1 12:00:00 text`, `12:00:01 text`. Go's own log package writes
//! `2024/05/01 12:00:00`, which is a program's output, never a framing.
//!
//! Invariant: one log has stamps of one shape: brackets, the separator, the offset from UTC and the gap behind.

use super::stamps::{Shape, Stamped};
use crate::line::LineTime;

/// Reads a stamp of a given shape, or of any shape where none is given.
pub(crate) fn peel(line: &[u8], shape: Option<Shape>) -> Option<Stamped<'_>> {
    let (bracket, body) = match line.strip_prefix(b"[") {
        Some(body) => (true, body),
        None => (false, line),
    };
    let (length, form, zone) = match date_time(body) {
        Some((length, separator)) => {
            let (zone, kind) = offset(body.get(length..)?);
            (length + zone, u8::from(separator == b' '), kind)
        }
        None if body.first()?.is_ascii_digit() => (time_of_day(body)?, 2, Zone::None),
        None => (month_day_time(body)?, 3, Zone::None),
    };
    let (stamp, mut rest) = body.split_at_checked(length)?;
    if bracket {
        rest = rest.strip_prefix(b"]")?;
    }
    let code = form | (zone as u8) << 2 | u8::from(bracket) << 3;
    let wanted = shape.map_or(2, |shape| shape.gap);
    let found = rest.iter().take(wanted.into()).take_while(|byte| **byte == b' ').count();
    let (gap, text) = match rest.first() {
        // nothing behind it: the gap of the other lines stays
        None | Some(b'\r') => (wanted, rest),
        Some(b' ') => (found as u8, rest.get(found..)?),
        Some(b'\t') if shape.is_none_or(|shape| shape.gap == 0) => (0, rest.get(1..)?),
        Some(_) => return None,
    };
    let shape = match shape {
        Some(known) if known.code != code => return None,
        _ => Shape { code, gap },
    };
    let time = match zone {
        Zone::Known => LineTime::Rfc3339(stamp),
        Zone::None => LineTime::None,
    };
    Some(Stamped { time, text, shape, ..Stamped::default() })
}

/// Whether a stamp names an instant.
#[derive(Clone, Copy)]
enum Zone {
    None,
    Known,
}

/// An RFC 3339 time at the start with its offset from UTC, and what follows.
pub(crate) fn rfc3339(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, separator) = date_time(line)?;
    match offset(line.get(length..)?) {
        (zone, Zone::Known) if separator == b'T' => line.split_at_checked(length + zone),
        _ => None,
    }
}

/// `YYYY-MM-DD`, `T` or a blank, `HH:MM:SS` and decimals: their length, and what parts date and time.
fn date_time(text: &[u8]) -> Option<(usize, u8)> {
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, separator @ (b'T' | b' '), ..] = text else { return None };
    let digits = [y0, y1, y2, y3, m0, m1, d0, d1].iter().all(|byte| byte.is_ascii_digit());
    let time = digits.then(|| time_of_day(text.get(11..)?)).flatten()?;
    Some((11 + time, *separator))
}

/// `May  1 12:00:00`, which `ts` writes where it is not told otherwise: its length.
fn month_day_time(text: &[u8]) -> Option<usize> {
    const MONTHS: &[u8] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let [month @ .., b' ', d0, d1, b' '] = text.get(..7)? else { return None };
    let is_day = matches!(d0, b' ' | b'0'..=b'3') && d1.is_ascii_digit();
    let is_date = is_day && MONTHS.chunks(3).any(|name| name == month);
    is_date.then(|| time_of_day(text.get(7..)?)).flatten().map(|time| 7 + time)
}

/// `HH:MM:SS` with or without decimals: its length.
fn time_of_day(text: &[u8]) -> Option<usize> {
    let [h0, h1, b':', m0, m1, b':', s0, s1, rest @ ..] = text else { return None };
    let digits = [h0, h1, m0, m1, s0, s1].iter().all(|byte| byte.is_ascii_digit());
    if !digits || *m0 > b'5' || *s0 > b'6' {
        return None;
    }
    let decimals = match rest.split_first() {
        Some((b'.' | b',', decimals)) => decimals.iter().take_while(|byte| byte.is_ascii_digit()).count() + 1,
        _ => 0,
    };
    (decimals != 1).then_some(8 + decimals)
}

/// `Z`, `+HH:MM`, `+HHMM` or nothing: its length.
fn offset(text: &[u8]) -> (usize, Zone) {
    match text {
        [b'Z', ..] => (1, Zone::Known),
        [b'+' | b'-', h0, h1, b':', m0, m1, ..] if [h0, h1, m0, m1].iter().all(|byte| byte.is_ascii_digit()) => {
            (6, Zone::Known)
        }
        [b'+' | b'-', h0, h1, m0, m1, ..] if [h0, h1, m0, m1].iter().all(|byte| byte.is_ascii_digit()) => {
            (5, Zone::Known)
        }
        _ => (0, Zone::None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lines: &[&str]) -> Option<Vec<String>> {
        let mut shape = None;
        for line in lines {
            shape = Some(peel(line.as_bytes(), shape)?.shape);
        }
        let text = |line: &&str| String::from_utf8(peel(line.as_bytes(), shape)?.text.to_vec()).ok();
        lines.iter().map(text).collect()
    }

    #[test]
    fn a_stamp_of_each_shape_is_taken_off() {
        for stamp in [
            "2024-05-01T12:00:00Z",
            "2024-05-01T12:00:00.1234567Z",
            "2024-05-01T12:00:00+02:00",
            "2024-05-01T12:00:00.5+0200",
            "2024-05-01 12:00:00",
            "[2024-05-01 12:00:00.123]",
            "[2024-05-01T12:00:00Z]",
            "12:00:01",
            "[00:00:01.250]",
            "2024-05-01 12:00:00,123",
            "May  1 12:00:00",
            "Nov 21 12:00:00",
        ] {
            let lines =
                [format!("{stamp} --- FAIL: TestA (0.00s)"), format!("{stamp}     a_test.go:1: x"), stamp.into()];
            let lines: Vec<_> = lines.iter().map(String::as_str).collect();
            let want = ["--- FAIL: TestA (0.00s)", "    a_test.go:1: x", ""].map(str::to_owned);
            assert_eq!(texts(&lines), Some(want.to_vec()), "{stamp}");
        }
    }

    #[test]
    fn the_gap_is_the_smallest_of_all_lines_so_that_indents_stay() {
        assert_eq!(texts(&["12:00:01  + go test", "12:00:02   x"]), Some(vec!["+ go test".into(), " x".into()]));
        assert_eq!(texts(&["12:00:01     x", "12:00:02 FAIL"]), Some(vec!["    x".into(), "FAIL".into()]));
    }

    #[test]
    fn a_log_of_mixed_shapes_has_no_stamps() {
        assert_eq!(texts(&["12:00:01 a", "2024-05-01T12:00:00Z b"]), None);
        assert_eq!(texts(&["2024-05-01T12:00:00Z b", "2024-05-01T12:00:00 b"]), None);
        assert_eq!(texts(&["[12:00:01] a", "12:00:01 b"]), None);
    }

    #[test]
    fn what_only_resembles_a_stamp_stays() {
        for line in [
            "2024/05/01 12:00:00 x",
            "2024-05-01 x",
            "12:00 x",
            "12:00:00x",
            "12:60:00 x",
            "1:2:3 x",
            "[12:00:00 x",
            "x",
            "[x",
        ] {
            assert!(peel(line.as_bytes(), None).is_none(), "{line}");
        }
    }

    #[test]
    fn only_a_stamp_with_an_offset_names_an_instant() {
        let time = |line: &'static str| peel(line.as_bytes(), None).and_then(|stamped| stamped.time.timestamp());
        assert!(time("2024-05-01T12:00:00.1234567Z x").is_some());
        assert!(time("2024-05-01T12:00:00.5+0200 x").is_some());
        assert_eq!(time("2024-05-01T12:00:00 x"), None);
        assert_eq!(time("12:00:00 x"), None);
    }
}
