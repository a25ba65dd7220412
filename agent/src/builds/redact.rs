//! Takes secrets out of command lines and URLs before anything of them leaves the process.
//!
//! User info and query of URLs go, the values that `-ldflags -X` sets go, and so does what stands behind a name
//! such as `token=` or looks like a token itself. It is better to take out too much than too little.

/// What stands where something was taken out.
pub(crate) const REDACTED: &str = "REDACTED";

/// Names whose values are secrets, in lower case.
const SECRET_NAMES: &[&str] = &[
    "token",
    "secret",
    "passw",
    "passphrase",
    "apikey",
    "api_key",
    "api-key",
    "access_key",
    "access-key",
    "private_key",
    "private-key",
    "credential",
    "authorization",
    "bearer",
];

/// Beginnings of the tokens of well-known services.
const TOKEN_BEGINNINGS: &[&str] = &[
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "glrt-",
    "gldt-",
    "xoxb-",
    "xoxp-",
    "xapp-",
    "AKIA",
    "ASIA",
    "eyJ",
    "npm_",
    "hf_",
    "dckr_pat_",
    "pypi-",
    "sk-",
    "AIza",
    "SG.",
];

/// Longest word kept, in bytes: OpenTelemetry's usual bound for attribute values.
const MAX_WORD_BYTES: usize = 1024;

/// The words of a command line, redacted and of bounded length.
pub(crate) fn words(words: Vec<String>) -> Vec<String> {
    let mut redacted = Vec::with_capacity(words.len());
    let mut ldflags_next = false;
    let mut secret_next = false;
    for word in words {
        let clean = if secret_next && !word.starts_with('-') {
            REDACTED.to_owned()
        } else if ldflags_next {
            ldflags(&word)
        } else {
            self::word(&word)
        };
        let flag = word.trim_start_matches('-');
        ldflags_next = word.starts_with('-') && flag == "ldflags";
        secret_next = word.starts_with('-') && !flag.contains('=') && is_secret_name(flag);
        redacted.push(bounded(clean, MAX_WORD_BYTES));
    }
    redacted
}

/// One word of a command line.
fn word(text: &str) -> String {
    if let Some((name, value)) = text.split_once('=') {
        let flag = name.trim_start_matches('-');
        if flag == "ldflags" {
            return format!("{name}={}", ldflags(value));
        }
        if is_secret_name(flag) {
            return format!("{name}={REDACTED}");
        }
        return format!("{name}={}", value_of(value));
    }
    value_of(text)
}

/// A value: a URL, a token, or plain text.
fn value_of(text: &str) -> String {
    if text.contains("://") {
        return text.split(',').map(url).collect::<Vec<_>>().join(",");
    }
    if looks_like_token(text) { REDACTED.to_owned() } else { text.to_owned() }
}

/// The value of `-ldflags`: what `-X` sets goes, its name stays.
fn ldflags(text: &str) -> String {
    let mut clean = Vec::new();
    let mut names_next = false;
    let mut inside_quote = None;
    for part in text.split(' ') {
        if let Some(quote) = inside_quote {
            // the rest of a quoted value that was taken out
            if part.ends_with(quote) {
                inside_quote = None;
            }
            continue;
        }
        let (prefix, setting) = match part.trim_start_matches(['\'', '"']) {
            _ if names_next => ("", part),
            bare if bare.starts_with("-X=") => ("-X=", bare.get(3..).unwrap_or("")),
            _ => {
                clean.push(word(part));
                names_next = part == "-X" || part == "--X";
                continue;
            }
        };
        names_next = false;
        let opened = part.chars().find(|c| matches!(c, '\'' | '"'));
        inside_quote = opened.filter(|quote| part.matches(*quote).count() % 2 == 1);
        let name = setting.split('=').next().unwrap_or("").trim_start_matches(['\'', '"']);
        clean.push(format!("{prefix}{name}={REDACTED}"));
    }
    clean.join(" ")
}

/// A URL without user info, query and fragment; other text stays as it is.
pub(crate) fn url(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let rest = rest.split(['?', '#']).next().unwrap_or("");
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let host = authority.rsplit('@').next().unwrap_or("");
    bounded(format!("{scheme}://{host}{path}"), MAX_WORD_BYTES)
}

/// Longest message that is read, in bytes; what is behind is cut off.
const MAX_MESSAGE_BYTES: usize = 4 * 1024;

/// A text of several words in which URLs are redacted: messages that the go command printed.
pub(crate) fn message(text: &str) -> String {
    let text = cut_at_word(text, MAX_MESSAGE_BYTES);
    if !text.contains("://") {
        return text.to_owned();
    }
    let mut clean = String::with_capacity(text.len());
    for piece in text.split_inclusive([' ', '\n', '\t', '"', '\'', ',', '(', ')']) {
        let ended = piece.ends_with([' ', '\n', '\t', '"', '\'', ',', '(', ')']);
        let (body, end) = piece.split_at(piece.len() - usize::from(ended));
        let colons = body.len() - body.trim_end_matches([':', '.', ';']).len();
        let (address, tail) = body.split_at(body.len() - colons);
        if address.contains("://") {
            clean.push_str(&url(address))
        } else {
            clean.push_str(address)
        }
        clean.push_str(tail);
        clean.push_str(end);
    }
    clean
}

/// Cuts a text between two words: half a URL would not show what of it is to be taken out.
fn cut_at_word(text: &str, bytes: usize) -> &str {
    if text.len() <= bytes {
        return text;
    }
    let mut end = bytes;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let head = text.get(..end).unwrap_or("");
    match head.contains("://") {
        true => head.rfind(char::is_whitespace).and_then(|end| head.get(..end)).unwrap_or(""),
        false => head,
    }
}

/// Cuts a text to at most `bytes`, at a character.
pub(crate) fn bounded(mut text: String, bytes: usize) -> String {
    let length = bounded_str(&text, bytes).len();
    text.truncate(length);
    text
}

/// The same of a text that is borrowed.
pub(crate) fn bounded_str(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_NAMES.iter().any(|secret| name.contains(secret))
}

/// A known beginning with enough behind it, or a long run of mixed letters and digits.
fn looks_like_token(text: &str) -> bool {
    if TOKEN_BEGINNINGS.iter().any(|beginning| text.starts_with(beginning)) && text.len() >= 16 {
        return true;
    }
    text.len() >= 32
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'+' | b'='))
        && text.bytes().filter(u8::is_ascii_digit).count() >= 4
        && text.bytes().any(|b| b.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> String {
        super::super::command::invocations(text).remove(0).words.join(" ")
    }

    #[test]
    fn ldflags_keep_the_name_and_lose_the_value() {
        assert_eq!(line("go build -ldflags '-s -X main.key=abc -w'"), "go build -ldflags -s -X main.key=REDACTED -w");
        assert_eq!(line("go build -ldflags='-X=main.key=abc'"), "go build -ldflags=-X=main.key=REDACTED");
        assert_eq!(
            line(r#"go build -ldflags "-X 'main.key=two words' -s" ."#),
            "go build -ldflags -X main.key=REDACTED -s ."
        );
    }

    #[test]
    fn tokens_and_values_of_telling_names_go() {
        assert_eq!(line("go run ./cmd --token abc x"), "go run ./cmd --token REDACTED x");
        assert_eq!(line("go run ./cmd -password=abc"), "go run ./cmd -password=REDACTED");
        assert_eq!(line("go run ./cmd ghp_0123456789abcdefghij"), "go run ./cmd REDACTED");
        assert_eq!(line("go run ./cmd -k=0123456789abcdef0123456789abcdef"), "go run ./cmd -k=REDACTED");
        assert_eq!(line("go test -run=TestA/b_1 ./..."), "go test -run=TestA/b_1 ./...");
    }

    #[test]
    fn urls_lose_user_info_query_and_fragment() {
        assert_eq!(url("https://user:pw@host:8080/p/x?token=1#f"), "https://host:8080/p/x");
        assert_eq!(url("https://host"), "https://host");
        assert_eq!(
            line("go env -w GOPROXY=https://u:p@a.example,direct"),
            "go env -w GOPROXY=https://a.example,direct"
        );
        assert_eq!(
            message("reading https://u:p@a.example/x?y=1: 403 Forbidden"),
            "reading https://a.example/x: 403 Forbidden"
        );
        let cut = message(&format!("{} https://user:secret@a.example/", "x".repeat(MAX_MESSAGE_BYTES - 16)));
        assert!(!cut.contains("user"), "{cut}");
        assert_eq!(message(r#"Get "https://a.example/x?go-get=1": EOF"#), r#"Get "https://a.example/x": EOF"#);
    }
}
