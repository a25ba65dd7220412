//! Small questions about bytes that every dialect asks: tokens, positions, import paths, module versions.
//!
//! All of them borrow and none allocates, but [`text`], which makes the string that an event owns.

/// The string of an event: invalid UTF-8 becomes U+FFFD.
pub(crate) fn text(bytes: &[u8]) -> String {
    // nearly all of it is UTF-8, and that is seen faster than what is lost of it
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes).into_owned(), str::to_owned)
}

/// The same, cut to a number of bytes at a character boundary.
pub(crate) fn bounded_text(bytes: &[u8], limit: usize) -> String {
    let mut string = text(bytes.get(..limit.saturating_add(3)).unwrap_or(bytes));
    if string.len() > limit {
        let end = (0..=limit).rev().find(|&end| string.is_char_boundary(end)).unwrap_or(0);
        string.truncate(end);
    }
    string
}

/// Splits at the first occurrence of `needle`, which is in neither part.
pub(crate) fn split_once<'a>(bytes: &'a [u8], needle: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = find(bytes, needle)?;
    Some((bytes.get(..at)?, bytes.get(at + needle.len()..)?))
}

/// Splits at the last occurrence of `needle`, which is in neither part.
pub(crate) fn rsplit_once<'a>(bytes: &'a [u8], needle: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let (first, _) = needle.split_first()?;
    let mut end = bytes.len();
    loop {
        // a needle is short and its first byte rare: this beats a searcher that must be set up
        let at = memchr::memrchr(*first, bytes.get(..end)?)?;
        if bytes.get(at..).is_some_and(|rest| rest.starts_with(needle)) {
            return Some((bytes.get(..at)?, bytes.get(at + needle.len()..)?));
        }
        end = at;
    }
}

/// The first word and what follows the blank behind it.
pub(crate) fn word(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(b' ', bytes)?;
    Some((bytes.get(..at)?, bytes.get(at + 1..)?))
}

/// Whether `needle` is in it.
pub(crate) fn has(bytes: &[u8], needle: &str) -> bool {
    find(bytes, needle.as_bytes()).is_some()
}

/// Where it stands first. For a few bytes, or in a line of usual length, it does not pay to build a searcher.
fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    match needle {
        [first, _, ..] if needle.len() <= 4 || bytes.len() <= 512 => {
            memchr::memchr_iter(*first, bytes).find(|at| bytes.get(*at..).is_some_and(|rest| rest.starts_with(needle)))
        }
        _ => memchr::memmem::find(bytes, needle),
    }
}

/// A number in decimal digits.
pub(crate) fn number(bytes: &[u8]) -> Option<u32> {
    if bytes.is_empty() || bytes.len() > 9 || !bytes.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

/// A decimal number such as `0.005`.
pub(crate) fn float(bytes: &[u8]) -> Option<f64> {
    if !bytes.first()?.is_ascii_digit() {
        return None;
    }
    let value = decimal(bytes).or_else(|| std::str::from_utf8(bytes).ok()?.parse().ok());
    value.filter(|value| value.is_finite())
}

/// A number of at most 15 digits with at most one point among them: both parts of its quotient are exact then, so that
/// it is the float that every reader comes to. `None` for every other text.
pub(crate) fn decimal(bytes: &[u8]) -> Option<f64> {
    const POWERS: [f64; 16] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
    let (mut digits, mut decimals, mut number) = (0, None, 0_u64);
    for byte in bytes {
        match (byte, &mut decimals) {
            (b'0'..=b'9', decimals) => {
                number = number * 10 + u64::from(byte - b'0');
                digits += 1;
                if digits > 15 {
                    return None;
                }
                *decimals = decimals.map(|count| count + 1);
            }
            (b'.', None) if digits > 0 => decimals = Some(0),
            _ => return None,
        }
    }
    let power = POWERS.get(decimals.unwrap_or(0))?;
    (digits > 0 && decimals != Some(0)).then(|| number as f64 / power)
}

/// Whether it can be an import path or a module path: the characters that module.CheckImportPath allows
/// (golang.org/x/mod/module), no empty elements, no leading slash or dot.
pub(crate) fn is_import_path(bytes: &[u8]) -> bool {
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    if matches!(first, b'/' | b'.' | b'-') || *last == b'/' {
        return false;
    }
    // most of what is asked for is none, by one of its first bytes
    bytes.iter().all(|byte| IN_IMPORT_PATH.get(usize::from(*byte)) == Some(&true))
        && memchr::memchr_iter(b'/', bytes).all(|at| bytes.get(at + 1) != Some(&b'/'))
}

/// The bytes that an import path may have, by value.
static IN_IMPORT_PATH: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        #[expect(clippy::indexing_slicing, reason = "below 256 by the loop, and evaluated by the compiler")]
        {
            table[byte] =
                b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'+' | b'/') || b >= 0x80;
        }
        byte += 1;
    }
    table
};

/// `M@V`: a module path and a version or query.
pub(crate) fn module_version(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(b'@', bytes)?;
    let (module, version) = (bytes.get(..at)?, bytes.get(at + 1..)?);
    let version_ok = !version.is_empty()
        && version
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'+' | b'/' | b'<' | b'>' | b'='));
    (is_import_path(module) && version_ok).then_some((module, version))
}

/// Whether it is a semantic version as the go command prints it: `v1.2.3...`.
pub(crate) fn is_version(bytes: &[u8]) -> bool {
    bytes.first() == Some(&b'v') && bytes.get(1).is_some_and(u8::is_ascii_digit)
}

/// A leading `FILE:LINE:COLUMN: ` or `FILE:LINE: `.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position<'a> {
    /// As printed.
    pub(crate) file: &'a [u8],
    /// 1-based.
    pub(crate) line: u32,
    /// 1-based.
    pub(crate) column: Option<u32>,
    /// What follows the blank.
    pub(crate) body: &'a [u8],
}

/// Reads a leading position. The file must look like one of a Go build: it has an ending and no blank before it
/// (but blanks within, where the rest is unmistakable, are not supported by the go command's own consumers either).
pub(crate) fn position(line: &[u8]) -> Option<Position<'_>> {
    // a drive letter of Windows is part of the file
    let skip = if line.get(1) == Some(&b':') && line.get(2).is_some_and(|b| matches!(b, b'\\' | b'/')) { 2 } else { 0 };
    let colon = skip + memchr::memchr(b':', line.get(skip..)?)?;
    let file = line.get(..colon)?;
    if file.is_empty() || memchr::memchr(b'.', file).is_none_or(|dot| dot + 1 >= file.len()) {
        return None;
    }
    if file.iter().any(|b| matches!(b, b' ' | b'\t' | b'"' | b'(' | b'=')) {
        return None;
    }
    let rest = line.get(colon + 1..)?;
    let second = memchr::memchr(b':', rest)?;
    let number_of_line = number(rest.get(..second)?)?;
    let rest = rest.get(second + 1..)?;
    if let Some(body) = rest.strip_prefix(b" ") {
        return Some(Position { file, line: number_of_line, column: None, body });
    }
    let third = memchr::memchr(b':', rest)?;
    let column = number(rest.get(..third)?)?;
    let body = rest.get(third + 1..)?;
    Some(Position { file, line: number_of_line, column: Some(column), body: body.strip_prefix(b" ").unwrap_or(body) })
}

/// To remember what was seen without keeping it: eight bytes at a time, each part with its length. It never leaves the
/// process and says nothing of the text.
pub(crate) fn hash(parts: &[&[u8]]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |state: u64, word: u64| {
        let product = u128::from(state ^ word).wrapping_mul(u128::from(ODD));
        // both halves of the product depend on every bit of the word
        (product as u64) ^ ((product >> 64) as u64)
    };
    let mut state: u64 = 0xcbf2_9ce4_8422_2325;
    for part in parts {
        let (words, rest) = part.as_chunks::<8>();
        for word in words {
            state = mix(state, u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        state = mix(state, u64::from_le_bytes(last)).wrapping_add(part.len() as u64);
    }
    mix(state, ODD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_with_and_without_column() {
        let p = position(b"./main.go:4:2: undefined: x").unwrap();
        assert_eq!((p.file, p.line, p.column, p.body), (&b"./main.go"[..], 4, Some(2), &b"undefined: x"[..]));
        let p = position(b"go.mod:6: syntax error").unwrap();
        assert_eq!((p.file, p.line, p.column, p.body), (&b"go.mod"[..], 6, None, &b"syntax error"[..]));
        let p = position(br"C:\src\main.go:4:2: x").unwrap();
        assert_eq!((p.file, p.line), (&br"C:\src\main.go"[..], 4));
        for no in ["main.go", "12:30:11 done", "a b.go:1:2: x", "https://x.y:443/a", "go: x", "x.go:y:1: z"] {
            assert_eq!(position(no.as_bytes()), None, "{no}");
        }
    }

    #[test]
    fn a_short_decimal_is_the_float_that_the_long_way_finds() {
        for text in ["0", "0.00", "0.05", "12.345", "999999999999999", "0.1", "123456.789012345", "007.50", "1.0000001"]
        {
            assert_eq!(decimal(text.as_bytes()), text.parse().ok(), "{text}");
        }
        for other in ["", ".", "1.", ".5", "1e3", "-1", "1.2.3", "1234567890123456", "0x1", " 1"] {
            assert_eq!(decimal(other.as_bytes()), None, "{other}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_short_decimal_is_the_float_that_the_long_way_finds(whole in 0..99_999_999_u64, part in "[0-9]{1,7}") {
            let text = format!("{whole}.{part}");
            proptest::prop_assert_eq!(decimal(text.as_bytes()), text.parse().ok());
        }
    }

    #[test]
    fn a_hash_parts_texts_their_lengths_and_where_they_are_cut() {
        let texts = ["", "a", "ab", "a\0", "TestA/case_1", "TestA/case_2", "TestA/case_10", "12345678", "123456780"];
        let mut seen: Vec<_> = texts.iter().map(|text| hash(&[text.as_bytes()])).collect();
        seen.extend([hash(&[b"a", b"b"]), hash(&[b"ab", b""]), hash(&[b"", b"ab"]), hash(&[])]);
        let all = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), all);
    }

    #[test]
    fn import_paths_and_module_versions_are_told_from_other_words() {
        assert!(is_import_path(b"corp.example/lib/httpx/v2"));
        assert!(is_import_path(b"fmt"));
        for no in ["/abs", "./x", "a//b", "a/", "with blank", "", "-flag"] {
            assert!(!is_import_path(no.as_bytes()), "{no}");
        }
        assert_eq!(module_version(b"a.b/c@v1.0.0"), Some((&b"a.b/c"[..], &b"v1.0.0"[..])));
        assert_eq!(module_version(b"git@github.com:x"), None);
    }
}
