//! Module paths and versions as file systems and proxies spell them: an upper case letter is `!` and the lower case
//! one, so that `Azure` and `azure` are two folders wherever case does not count.
//!
//! Source: golang.org/x/mod/module (EscapePath, UnescapePath, EscapeVersion).
//!
//! Invariant: [`escape`] and [`unescape`] undo each other for all that is a module path or a version.

use std::fmt::Write as _;

/// As a proxy or the module cache spells it.
pub fn escape(plain: &str) -> String {
    let mut escaped = String::with_capacity(plain.len());
    for c in plain.chars() {
        if c.is_ascii_uppercase() {
            // writing to a String does not fail
            let _ = write!(escaped, "!{}", c.to_ascii_lowercase());
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// As the go command shows it. Never fails: what no escape makes comes out as it stands, without its `!`.
pub fn unescape(escaped: &str) -> String {
    let mut plain = String::with_capacity(escaped.len());
    let mut is_upper = false;
    for c in escaped.chars() {
        if c == '!' {
            is_upper = true;
            continue;
        }
        plain.push(if is_upper { c.to_ascii_uppercase() } else { c });
        is_upper = false;
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upper_case_is_marked_and_comes_back() {
        for (plain, escaped) in [
            ("github.com/Azure/azure-sdk-for-go", "github.com/!azure/azure-sdk-for-go"),
            ("github.com/BurntSushi/toml", "github.com/!burnt!sushi/toml"),
            ("v1.0.0-RC1", "v1.0.0-!r!c1"),
            ("golang.org/x/mod", "golang.org/x/mod"),
        ] {
            assert_eq!(escape(plain), escaped);
            assert_eq!(unescape(escaped), plain);
        }
    }

    #[test]
    fn what_nobody_escaped_is_no_reason_to_fail() {
        assert_eq!(unescape("a!"), "a");
        assert_eq!(unescape("!!x/!1"), "X/1");
    }
}
