//! Values that may be secret, taken out of what is shown of a configuration file.
//!
//! A value is shown where its key is known and not one of `headers`. A name that nobody knows may be a header in the
//! wrong place or one below a `headers` that is misspelt, so its value is not shown.
//!
//! Invariant: what is not understood is not shown.

use std::collections::BTreeSet;

use super::schema;

/// Stands for a value.
const MASK: &str = "********";
/// Shorter values stay in messages: they would take words apart.
const LEAST_IN_MESSAGE: usize = 4;

/// What the library rendered of `source`, without values that may be secret.
pub(super) fn masked(rendered: &str, source: &str) -> String {
    let lines = lines(source);
    let mut text = String::with_capacity(rendered.len());
    for line in rendered.lines() {
        match framed(line) {
            Some((number, frame)) => {
                text.push_str(frame);
                text.push_str(number.checked_sub(1).and_then(|at| lines.get(at)).map_or(MASK, |it| it.shown.as_str()));
            }
            None => {
                let hidden = lines.iter().flat_map(|line| &line.hidden);
                text.push_str(&hidden.fold(line.to_owned(), |line, value| line.replace(value.as_str(), MASK)));
            }
        }
        text.push('\n');
    }
    if !rendered.ends_with('\n') {
        text.pop();
    }
    text
}

/// `12 | key: value`: the number, and all in front of the key.
fn framed(line: &str) -> Option<(usize, &str)> {
    let (number, rest) = line.split_once(" |")?;
    let number = number.trim().parse().ok()?;
    let bar = line.len() - rest.len();
    line.get(..bar + usize::from(rest.starts_with(' '))).map(|frame| (number, frame))
}

/// A line of the source.
#[derive(Debug)]
struct Line {
    shown: String,
    /// What of it is not, where it is long enough to be told from words.
    hidden: Vec<String>,
}

fn lines(source: &str) -> Vec<Line> {
    let known = known();
    // the indentation of the innermost key whose value goes on below and is secret
    let mut secret_below: Option<usize> = None;
    let mut lines = Vec::new();
    for line in source.lines() {
        let text = line.trim_start();
        let indent = line.len() - text.len();
        if text.is_empty() || text.starts_with('#') && secret_below.is_none() {
            lines.push(Line { shown: line.to_owned(), hidden: Vec::new() });
            continue;
        }
        secret_below = secret_below.filter(|of| indent > *of);
        let key = key(text);
        let is_known = key.is_some_and(|(name, _)| known.contains(name));
        let keep = match key {
            // a name below `headers` is no secret, whatever it is
            Some((_, value)) if secret_below.is_some() => value,
            Some((name, _)) if is_known && !has_secret(name, text) => text.len(),
            Some((_, value)) => value,
            None if secret_below.is_some() || text.contains(':') => 0,
            None => text.len(),
        };
        if secret_below.is_none() && key.is_some_and(|(name, _)| !known.contains(name) || name == "headers") {
            secret_below = Some(indent);
        }
        lines.push(cut(line, indent + keep));
    }
    lines
}

/// Shows the first `keep` bytes.
fn cut(line: &str, keep: usize) -> Line {
    let (shown, value) = line.split_at_checked(keep).unwrap_or(("", line));
    let value = value.trim();
    if value.is_empty() {
        return Line { shown: line.to_owned(), hidden: Vec::new() };
    }
    let bare = value.trim_matches(['"', '\'']);
    let hidden = [value, bare].into_iter().filter(|it| it.len() >= LEAST_IN_MESSAGE).map(str::to_owned).collect();
    let space = if shown.ends_with(':') { " " } else { "" };
    Line { shown: format!("{shown}{space}{MASK}"), hidden }
}

/// The key that a line begins with, and where its value begins.
fn key(text: &str) -> Option<(&str, usize)> {
    let colon = text.find(':')?;
    let (name, behind) = text.split_at_checked(colon)?;
    let name = name.trim_end().trim_matches(['"', '\'']);
    let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    let ends = behind.len() == 1 || behind.starts_with(": ");
    (plain && ends).then_some((name, colon + 1))
}

/// A known key whose value in the same line may still be secret: several keys in braces, or a URL with user info.
fn has_secret(name: &str, text: &str) -> bool {
    name == "headers" || text.contains('{') || text.contains("://") && text.contains('@')
}

/// Names of keys and of their sections.
fn known() -> BTreeSet<String> {
    schema::keys().iter().flat_map(|key| key.path.split('.').map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::file::parse;

    #[track_caller]
    fn shown(text: &str) -> String {
        let said = parse(text, "agent.yaml").unwrap_err();
        assert!(!said.contains("SECRET"), "{said}");
        said
    }

    #[test]
    fn values_near_a_mistake_are_not_shown_where_they_may_be_headers() {
        for text in [
            "otlp:\n  headers:\n    Authorization: Bearer SECRET\n  endpont: x\n",
            "otlp:\n  headers:\n    Authorization: >-\n      Bearer\n      SECRET\n  endpont: x\n",
            "otlp:\n  headers: {Authorization: Bearer SECRET}\n  endpont: x\n",
            "otlp:\n  headers: {\n    Authorization: Bearer SECRET,\n    x: \"SECRET\"}\n  endpont: x\n",
            "otlp: {headers: {Authorization: SECRET}, endpont: x}\n",
            "{\"otlp\": {\"headers\": {\"Authorization\": \"SECRET\"}, \"endpont\": 1}}\n",
            "otlp:\n  headers: Bearer SECRET\n",
            "otlp:\n  headers: [SECRET]\n",
            "otlp:\n  headers:\n    - Authorization=SECRET\n",
            "otlp:\n  headers:\n    Authorization: [SECRET]\n",
            "otlp:\n  headers:\n    Authorization: \"SECRET\n",
            "otlp:\n  headers:\n    Authorization: SECRET: SECRET\n",
        ] {
            shown(text);
        }
    }

    #[test]
    fn a_header_in_the_wrong_place_or_below_a_misspelt_key_is_not_shown() {
        for text in [
            "otlp:\n  headers:\n  Authorization: Bearer SECRET\n",
            "otlp:\n  heders:\n    Authorization: Bearer SECRET\n",
            "Authorization: SECRET\n",
            "headers:\n  Authorization: SECRET\n",
            "otlp:\n  endpoint: https://user:SECRET@host\n  protocol: thrift\n",
        ] {
            shown(text);
        }
    }

    #[test]
    fn the_place_of_the_mistake_and_plain_values_are_still_shown() {
        let said = shown("otlp:\n  headers:\n    Authorization: SECRET\n  protocol: thrift\n");
        assert!(said.contains("    Authorization: ********\n"), "{said}");
        assert!(said.contains("  protocol: thrift\n"), "{said}");
        assert!(said.starts_with("error: line 4"), "{said}");
    }
}
