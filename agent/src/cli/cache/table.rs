//! Tables for people: columns that line up, numbers that are read at a glance; and the numbers that people write.

use gobeacon_collectors::inventory::{Age, Problems, Space};
use gobeacon_formats::Timestamp;

use super::style::{self, FAINT, NAME, PLAIN, Page};

/// A number with its thousands parted.
pub(in crate::cli) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 version`, `1,234 versions`.
pub(super) fn counted(number: u64, what: &str) -> String {
    format!("{} {what}{}", thousands(number), if number == 1 { "" } else { "s" })
}

/// `0 B`, `4.1 kB`, `12.3 MB`, `1.5 GB`: decimal units, as disks are sold.
pub(in crate::cli) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut units = UNITS.iter();
    let mut unit = units.next();
    while value >= 999.95
        && let Some(next) = units.next()
    {
        value /= 1000.0;
        unit = Some(next);
    }
    format!("{value:.1} {}", unit.unwrap_or(&""))
}

/// `20GB`, `500 MB`, `1.5TB`, `20GiB`, `4096`: bytes as people write them.
pub(in crate::cli) fn parse_bytes(text: &str) -> Result<u64, String> {
    const UNITS: &[(&str, f64)] = &[
        ("", 1.0),
        ("b", 1.0),
        ("k", 1e3),
        ("kb", 1e3),
        ("m", 1e6),
        ("mb", 1e6),
        ("g", 1e9),
        ("gb", 1e9),
        ("t", 1e12),
        ("tb", 1e12),
        ("kib", 1024.0),
        ("mib", 1_048_576.0),
        ("gib", 1_073_741_824.0),
        ("tib", 1_099_511_627_776.0),
    ];
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len()));
    let unit = unit.trim().to_ascii_lowercase();
    let factor = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| factor);
    match (number.parse::<f64>(), factor) {
        (Ok(number), Some(factor)) => Ok((number * factor) as u64),
        _ => Err(format!("`{text}` is no size: write a number with its unit, such as 20GB or 500MB")),
    }
}

/// How long ago: `12 min`, `5 h`, `3 d`.
pub(super) fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.seconds_since(then).max(0.0) as u64;
    match seconds {
        it if it < 3600 => format!("{} min", it / 60),
        it if it < 2 * 86_400 => format!("{} h", it / 3600),
        it => format!("{} d", it / 86_400),
    }
}

/// An age as people say it.
pub(super) fn age(age: Age) -> &'static str {
    match age {
        Age::Hour => "in the last hour",
        Age::Day => "in the last day",
        Age::FiveDays => "in the last 5 days",
        Age::Month => "in the last 30 days",
        Age::Older => "longer ago",
    }
}

/// What to say of room on a disk.
pub(super) fn room(space: &Space) -> String {
    format!("{} free of {}", bytes(space.free_bytes), bytes(space.total_bytes))
}

/// Rows of the same columns.
#[derive(Debug)]
pub(super) struct Table {
    title: &'static str,
    rows: Vec<[String; 3]>,
}

impl Table {
    /// An empty one: nothing is shown of it.
    pub(super) fn new(title: &'static str) -> Self {
        Self { title, rows: Vec::new() }
    }

    /// A name, a number and a size.
    pub(super) fn row(&mut self, name: impl Into<String>, number: u64, size: u64) {
        self.rows.push([name.into(), thousands(number), bytes(size)]);
    }

    /// The same, unless there is nothing of it.
    pub(super) fn row_if_any(&mut self, name: &str, number: u64, size: u64) {
        if number > 0 || size > 0 {
            self.row(name, number, size);
        }
    }

    /// A name and texts.
    pub(super) fn texts(&mut self, name: impl Into<String>, second: String, third: String) {
        self.rows.push([name.into(), second, third]);
    }

    /// Adds the rows to a page, in columns: names to the left, numbers to the right.
    pub(super) fn write(&self, page: &mut Page) {
        if self.rows.is_empty() {
            return;
        }
        let width = |column: usize| {
            let texts = self.rows.iter().filter_map(|row| row.get(column));
            texts.map(|text| text.chars().count()).max().unwrap_or_default()
        };
        let (first, second, third) = (width(0).clamp(24, 70), width(1).max(8), width(2).max(10));
        page.line(2, &[(NAME, self.title)]);
        for [name, number, size] in &self.rows {
            let name = shortened(name, first);
            page.line(4, &[(PLAIN, &format!("{name:<first$} {number:>second$} {size:>third$}"))]);
        }
    }
}

/// A name that is too long loses its middle: the end tells versions apart.
fn shortened(name: &str, most: usize) -> String {
    let chars: Vec<_> = style::clean(name).chars().collect();
    if chars.len() <= most {
        return chars.into_iter().collect();
    }
    let tail = most / 2;
    let head = most.saturating_sub(tail + 1);
    let start = chars.iter().take(head);
    start.chain(&['…']).chain(chars.iter().skip(chars.len() - tail)).collect()
}

/// What could not be looked at, in a line.
pub(super) fn problems(found: &Problems, page: &mut Page) {
    if found.total() == 0 {
        return;
    }
    let kinds: Vec<_> =
        found.counts().filter(|(_, n)| *n > 0).map(|(problem, n)| format!("{n} {}", problem.name())).collect();
    let first = found.first.as_ref().map(|(path, error)| format!(": {}: {error}", path.display())).unwrap_or_default();
    let text = format!("not all could be looked at ({}){first}", kinds.join(", "));
    page.wrapped(2, "", style::BAD, &text);
}

/// A remark.
pub(super) fn remark(text: &str, page: &mut Page) {
    page.wrapped(2, "", FAINT, text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_at_a_glance() {
        assert_eq!([0, 999, 1000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0, 999, 1000, 999_949, 999_960].map(bytes), ["0 B", "999 B", "1.0 kB", "999.9 kB", "1.0 MB"]);
        assert_eq!(bytes(u64::MAX), "18446.7 PB");
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, size) in [("20GB", 20_000_000_000), ("1.5 kB", 1500), ("2KiB", 2048), ("7", 7), (" 3m ", 3_000_000)]
        {
            assert_eq!(parse_bytes(text), Ok(size), "{text}");
        }
        for wrong in ["", "GB", "1 parsec", "-1", "1.2.3MB"] {
            assert!(parse_bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_beginning_and_its_end() {
        assert_eq!(shortened("example.com/m@v1.0.0", 24), "example.com/m@v1.0.0");
        assert_eq!(shortened("example.com/very/long/m@v1.0.0", 11), "examp…1.0.0");
    }
}
