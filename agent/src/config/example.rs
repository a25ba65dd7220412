//! A configuration file with every key, made from the schema.

use serde_json::Value;

use super::schema::{Key, keys, schema};

const HEAD: &str = "\
# The configuration of gobeacon, every key with its default; null is unset. Leave out what you do not change.
# A flag wins over a variable, a variable over this file. `gobeacon config check FILE` tells what is wrong.
";

/// The text of the file. It holds, and means the same as an empty one.
pub(crate) fn example() -> String {
    let mut text = HEAD.to_owned();
    let mut section = "";
    let schema = schema();
    let keys = keys();
    for key in &keys {
        let (parent, name) = key.path.rsplit_once('.').unwrap_or(("", &key.path));
        if parent != section && !parent.is_empty() {
            comment(&mut text, "", section_doc(&schema, parent));
            text.push_str(&format!("{parent}:\n"));
        }
        section = parent;
        let indent = if parent.is_empty() { "" } else { "  " };
        comment(&mut text, indent, &key.doc);
        text.push_str(&format!("{indent}# {}\n{indent}{name}: {}\n", set_by(key), plain(&key.default)));
    }
    text
}

fn comment(text: &mut String, indent: &str, doc: &str) {
    text.push('\n');
    for line in doc.lines() {
        text.push_str(&format!("{indent}# {line}\n"));
    }
}

fn section_doc<'a>(schema: &'a Value, section: &str) -> &'a str {
    schema.pointer(&format!("/properties/{section}/description")).and_then(Value::as_str).unwrap_or_default()
}

fn set_by(key: &Key) -> String {
    match &key.flag {
        Some(flag) => format!("{} {flag}", key.variable),
        None => key.variable.clone(),
    }
}

/// A value as YAML: JSON, without quotes where they are not needed.
pub(crate) fn plain(value: &Value) -> String {
    match value.as_str() {
        Some(text) if text != "off" && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) => {
            text.to_owned()
        }
        Some(_) | None => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, file, keys};
    use super::*;

    #[test]
    fn the_example_holds_and_says_what_an_empty_file_says() {
        assert_eq!(file::parse(&example(), "example").unwrap(), Config::default());
    }

    #[test]
    fn the_example_has_every_key() {
        let example = example();
        for key in keys() {
            assert!(example.contains(&format!("# {}", key.variable)), "{}", key.path);
        }
    }
}
