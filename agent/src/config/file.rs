//! The configuration file: YAML in, configuration or a frame around each mistake out.
//!
//! Invariant: this file is the only one that names the YAML library.

use std::borrow::Cow;
use std::path::Path;

use serde_saphyr::{Error, Localizer, MessageFormatter, UserMessageFormatter};

use super::{Config, ConfigError, mask};

/// Most bytes that a configuration file has.
const MOST_BYTES: u64 = 1 << 20;

/// Reads the file at `path`.
///
/// # Errors
/// It cannot be read, or has mistakes.
pub(super) fn read(path: &Path) -> Result<Config, ConfigError> {
    let unreadable = |error| ConfigError::Unreadable { path: path.to_owned(), error };
    if std::fs::metadata(path).map_err(unreadable)?.len() > MOST_BYTES {
        return Err(unreadable(std::io::Error::other("it is larger than 1 MiB")));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    parse(&text, &path.to_string_lossy()).map_err(ConfigError::File)
}

/// The text of a configuration file; `name` is shown in front of positions.
pub(super) fn parse(text: &str, name: &str) -> Result<Config, String> {
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options_valid(text, options).map_err(|error| {
        let formatter = Plain;
        let options = serde_saphyr::render_options! { formatter: &formatter, source_name: Some(name) };
        mask::masked(&error.render_with_options(options), text)
    })
}

/// Messages for people who know YAML and not Rust.
struct Plain;

impl Localizer for Plain {
    fn validation_base_message(&self, entry: &str, path: &str) -> String {
        format!("`{path}`: {entry}")
    }
}

impl MessageFormatter for Plain {
    fn localizer(&self) -> &dyn Localizer {
        self
    }

    fn format_message<'a>(&self, error: &'a Error) -> Cow<'a, str> {
        let error = error.without_snippet();
        if let Error::SerdeUnknownField { field, expected, .. } = error {
            return unknown_key(field, expected).into();
        }
        if let Error::SerdeUnknownVariant { variant, expected, .. } = error {
            return format!("`{variant}` is none of {}", expected.join(", ")).into();
        }
        if let Error::InvalidScalar { ty, .. } = error {
            return wanted(ty).into();
        }
        if let Error::Unexpected { expected, .. } = error {
            return wanted(expected).into();
        }
        UserMessageFormatter.format_message(error)
    }

    fn format_validation_issue_lines(&self, error: &Error) -> Option<Vec<String>> {
        UserMessageFormatter.format_validation_issue_lines(error)
    }
}

/// What should stand here, for what the library calls it.
fn wanted(name: &str) -> String {
    match name {
        "sequence start" => "write a list here: [a, b], or a line `- a` for each".to_owned(),
        "mapping start" => "write keys and values here, each on a line `key: value`".to_owned(),
        "string scalar" => "write a text here".to_owned(),
        "bool" => "write true or false".to_owned(),
        name if name.starts_with('u') => "write a whole number".to_owned(),
        name => format!("this is no {name}"),
    }
}

fn unknown_key(field: &str, expected: &[&str]) -> String {
    let alike = expected.iter().map(|key| (strsim::jaro_winkler(field, key), key));
    match alike.max_by(|(a, _), (b, _)| a.total_cmp(b)) {
        Some((likeness, key)) if likeness > 0.75 => format!("there is no key `{field}` here: did you mean `{key}`?"),
        Some(_) | None => format!("there is no key `{field}` here; there are {}", expected.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        parse(text, "agent.yaml").unwrap_err()
    }

    #[test]
    fn an_empty_file_is_the_defaults() {
        assert_eq!(parse("", "agent.yaml").unwrap(), Config::default());
        assert_eq!(parse("# nothing\n", "agent.yaml").unwrap(), Config::default());
        assert_eq!(parse("logs: {}\n", "agent.yaml").unwrap(), Config::default());
    }

    #[test]
    fn no_header_is_shown_in_the_frame_around_a_mistake() {
        let all = [
            "otlp:\n  headers:\n    authorization: Bearer hunter2\n    key: hunter2\n  timeout: 10 parsecs\n",
            "otlp:\n  headers: {authorization: hunter2}\n  timeout: 10 parsecs\n",
            "otlp:\n  headers:\n    authorization: [hunter2]\n",
            "otlp: {headers: {authorization: hunter2}, timeout: x}\n",
        ];
        for text in all {
            let shown = refused(text);
            assert!(!shown.contains("hunter2") && shown.contains("agent.yaml:"), "{shown}");
        }
    }

    #[test]
    fn mistakes_are_shown_in_their_place() {
        let all = [
            "otlp:\n  endpont: http://x\n",
            "build:\n  idle_timeout: 10\n  max_spans: 3\n",
            "build:\n  max_spans: 3\n  max_open: 0\nlisten: here\n",
            "otlp:\n  protocol: thrift\n",
            "build:\n  max_spans: many\n",
            "logs:\n  include: /var/log/x.log\n",
            "listen: a\nlisten: b\n",
            "logs: [\n",
            "sausage: 1\n",
        ];
        let shown: Vec<_> = all.iter().map(|text| format!("{text}--\n{}\n", refused(text))).collect();
        insta::assert_snapshot!(shown.join("\n"));
    }
}
