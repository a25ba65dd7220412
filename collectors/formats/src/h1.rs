//! The hash that Go knows a module by: `h1:` and the SHA-256 of the list of its files with their SHA-256.
//!
//! Source: golang.org/x/mod/sumdb/dirhash (`Hash1`), cmd/go/internal/modfetch (`goModSum`).
//!
//! Invariant: two hashes are equal when the go command takes them for equal.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// What every hash of this kind begins with.
pub const PREFIX: &str = "h1:";

/// The h1 hash of a module, or of its go.mod alone. Shown and serialised as the go command shows it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct H1(pub [u8; 32]);

impl H1 {
    /// Reads `h1:` and 44 characters of base64; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        STANDARD.decode(text.strip_prefix(PREFIX)?).ok()?.try_into().ok().map(Self)
    }
}

impl fmt::Display for H1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", STANDARD.encode(self.0))
    }
}

impl fmt::Debug for H1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for H1 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Of files, given in the order of their names, each with the SHA-256 of its content.
pub fn of_files<'a>(files: impl IntoIterator<Item = (&'a [u8], &'a [u8; 32])>) -> H1 {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
    let mut hash = Sha256::new();
    let mut line = Vec::with_capacity(256);
    for (name, digest) in files {
        line.clear();
        line.extend(digest.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
        line.extend_from_slice(b"  ");
        line.extend_from_slice(name);
        line.push(b'\n');
        hash.update(&line);
    }
    H1(hash.finalize().into())
}

/// Of a go.mod file alone: that of a module that has nothing else.
pub fn of_go_mod(content: &[u8]) -> H1 {
    of_files([(&b"go.mod"[..], &Sha256::digest(content).into())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_an_empty_go_mod_is_the_one_that_the_go_command_knows() {
        // cmd/go/internal/modfetch.emptyGoModHash
        assert_eq!(of_go_mod(b"").to_string(), "h1:G7mAYYxgmS0lVkHyy2hEOLQCFB0DlQFTMLWggykrydY=");
    }

    #[test]
    fn what_is_no_hash_is_none() {
        let hash = of_go_mod(b"module x\n");
        assert_eq!(H1::parse(&hash.to_string()), Some(hash));
        for text in [
            "",
            "h1:",
            "h2:G7mAYYxgmS0lVkHyy2hEOLQCFB0DlQFTMLWggykrydY=",
            "h1:G7mAYYxg",
            "h1:!7mAYYxgmS0lVkHyy2hEOLQCFB0DlQFTMLWggykrydY=",
        ] {
            assert_eq!(H1::parse(text), None, "{text}");
        }
    }
}
