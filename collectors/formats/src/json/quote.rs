//! Where a JSON string ends: the search for a quote or a backslash, eight bytes at a time.
//!
//! The strings of test2json are short, so that a search of vectors mostly costs its beginning; this one costs what the
//! string is long. It must not know what is in the string.
//!
//! Invariant: the answer is that of `memchr2(b'"', b'\\', bytes)`.

/// Lowest bit of each byte.
const LOW: u64 = 0x0101_0101_0101_0101;
/// Highest bit of each byte.
const HIGH: u64 = 0x8080_8080_8080_8080;
const QUOTES: u64 = LOW * b'"' as u64;
const BACKSLASHES: u64 = LOW * b'\\' as u64;

/// The first quote or backslash.
#[inline]
pub(super) fn quote_or_backslash(bytes: &[u8]) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = zeros(word ^ QUOTES) | zeros(word ^ BACKSLASHES);
        if found != 0 {
            // a byte behind the first may be marked by mistake, none before it
            return Some(at * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let at = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
    Some(words.len() * 8 + at)
}

/// Marks the highest bit of the first byte that is zero.
#[inline]
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(LOW) & !word & HIGH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_or_backslash_is_found_wherever_it_stands_and_whatever_is_around_it() {
        for length in 0..40 {
            for around in [b'a', 0, 0x21, 0x23, 0x5b, 0x5d, 0xff, 0xa2, 0xdc] {
                let bytes = vec![around; length];
                assert_eq!(quote_or_backslash(&bytes), None);
                for at in 0..length {
                    for (what, behind) in [(b'"', b'\\'), (b'\\', b'"'), (b'"', b'#'), (b'\\', b']')] {
                        let mut bytes = bytes.clone();
                        bytes[at] = what;
                        bytes[at + 1..].iter_mut().for_each(|byte| *byte = behind);
                        assert_eq!(quote_or_backslash(&bytes), Some(at), "{bytes:?}");
                    }
                }
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn the_answer_is_that_of_memchr(bytes in proptest::collection::vec(0x20..0x60_u8, 0..100)) {
            proptest::prop_assert_eq!(quote_or_backslash(&bytes), memchr::memchr2(b'"', b'\\', &bytes));
        }
    }
}
