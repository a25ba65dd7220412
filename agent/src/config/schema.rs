//! What keys there are: read out of the schema that the types give.
//!
//! Invariant: nothing about a key is written twice; what is not in the types is not known here.

use serde_json::{Map, Value};

use super::Config;

/// The prefix of every variable.
const PREFIX: &str = "GOBEACON_";

/// One key.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Key {
    /// Its path: `otlp.endpoint`.
    pub(crate) path: String,
    /// The environment variable that sets it.
    pub(crate) variable: String,
    /// The flag of `gobeacon agent` that sets it.
    pub(crate) flag: Option<String>,
    /// What a value looks like.
    pub(crate) kind: Kind,
    /// What it is when nobody sets it; `null` is unset.
    pub(crate) default: Value,
    /// Its effect.
    pub(crate) doc: String,
    /// Whether a change has its effect while the agent runs; otherwise at the next start.
    pub(crate) is_live: bool,
}

/// What a value looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Time,
    OneOf(Vec<String>),
    Whole,
    Truth,
    /// A list of texts.
    List,
    /// Texts by name.
    Table,
}

/// The JSON schema of the configuration file.
pub(crate) fn schema() -> Value {
    let settings =
        schemars::generate::SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<Config>().to_value()
}

/// All keys, in the order of the file.
pub(crate) fn keys() -> Vec<Key> {
    let defaults = serde_json::to_value(Config::default()).unwrap_or_default();
    let mut found = Vec::new();
    walk(&schema(), &defaults, "", true, &mut found);
    found
}

fn walk(section: &Value, defaults: &Value, prefix: &str, is_live: bool, found: &mut Vec<Key>) {
    for (name, key) in section.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        let default = defaults.get(name).cloned().unwrap_or_default();
        // said of a section it holds for all of its keys
        let is_live = is_live && key.get("x-at-start").is_none();
        if key.get("properties").is_some() {
            walk(key, &default, &path, is_live, found);
        } else {
            found.push(read(path, key, default, is_live));
        }
    }
}

fn read(path: String, key: &Value, default: Value, is_live: bool) -> Key {
    let text = |name: &str| key.get(name).and_then(Value::as_str).map(str::to_owned);
    let variable = text("x-env").unwrap_or_else(|| format!("{PREFIX}{}", path.replace('.', "_").to_uppercase()));
    let (flag, doc) = (text("x-flag"), text("description").unwrap_or_default());
    Key { path, variable, flag, kind: kind(key), default, doc, is_live }
}

fn kind(key: &Value) -> Kind {
    // an optional value of a type of its own is "this or null"
    let either = key.get("anyOf").and_then(Value::as_array).and_then(|either| either.first());
    let Some(key) = either.unwrap_or(key).as_object() else { return Kind::Text };
    if let Some(values) = key.get("enum").and_then(Value::as_array) {
        return Kind::OneOf(values.iter().filter_map(Value::as_str).map(str::to_owned).collect());
    }
    match type_name(key) {
        Some("integer") => Kind::Whole,
        Some("boolean") => Kind::Truth,
        Some("array") => Kind::List,
        Some("object") => Kind::Table,
        _ if key.get("format").and_then(Value::as_str) == Some("duration") => Kind::Time,
        _ => Kind::Text,
    }
}

fn type_name(key: &Map<String, Value>) -> Option<&str> {
    match key.get("type")? {
        Value::String(name) => Some(name),
        Value::Array(names) => names.first()?.as_str(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_key_has_an_effect_a_variable_of_its_own_and_the_flags_of_the_contract() {
        let keys = keys();
        assert!(keys.len() > 20, "{keys:?}");
        assert_eq!(keys.iter().map(|key| &key.variable).collect::<BTreeSet<_>>().len(), keys.len());
        for key in &keys {
            assert!(key.doc.ends_with('.'), "{}: {}", key.path, key.doc);
        }
        let flags: BTreeSet<_> = keys.iter().filter_map(|key| key.flag.as_deref()).collect();
        for flag in ["--logs", "--listen", "--state-dir", "--otlp-endpoint", "--otlp-protocol", "--build-idle-timeout"]
        {
            assert!(flags.contains(flag), "{flag}");
        }
    }

    #[test]
    fn kinds_are_told_from_the_types() {
        let keys = keys();
        let kind = |path: &str| keys.iter().find(|key| key.path == path).unwrap().kind.clone();
        assert_eq!(kind("logs.include"), Kind::List);
        assert_eq!(kind("build.idle_timeout"), Kind::Time);
        assert_eq!(kind("otlp.timeout"), Kind::Time);
        assert_eq!(kind("otlp.protocol"), Kind::OneOf(vec!["grpc".to_owned(), "http/protobuf".to_owned()]));
        assert_eq!(kind("otlp.headers"), Kind::Table);
        assert_eq!(kind("otlp.header_files"), Kind::Table);
        assert_eq!(kind("otlp.insecure"), Kind::Truth);
        assert_eq!(kind("otlp.queue_bytes"), Kind::Whole);
        assert_eq!(kind("state_dir"), Kind::Text);
        assert_eq!(kind("log.format"), Kind::OneOf(vec!["text".to_owned(), "json".to_owned()]));
    }
}
