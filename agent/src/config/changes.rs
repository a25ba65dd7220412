//! What differs between two configurations, key by key, and what of it a running agent can take over.
//!
//! Invariant: a key that says that it is taken over at the next start keeps its value until then.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Config, keys};

/// The configuration to run with from now on.
#[derive(Debug, Clone)]
pub(crate) struct Changes {
    /// The new one, but for the keys that need a start.
    pub(crate) config: Config,
    /// Keys that have another value now.
    pub(crate) live: BTreeSet<String>,
    /// Keys that will have another value after the next start.
    pub(crate) at_start: BTreeSet<String>,
}

impl Changes {
    /// From the configuration that runs to the one that was read.
    ///
    /// # Errors
    /// A configuration cannot be taken apart and put together, which the tests exclude.
    pub(crate) fn between(running: &Config, read: &Config) -> Result<Self, serde_json::Error> {
        let (old, mut new) = (serde_json::to_value(running)?, serde_json::to_value(read)?);
        let (mut live, mut at_start) = (BTreeSet::new(), BTreeSet::new());
        for key in keys() {
            let place = format!("/{}", key.path.replace('.', "/"));
            let (Some(old), Some(new)) = (old.pointer(&place), new.pointer_mut(&place)) else { continue };
            if old == new {
                continue;
            }
            if key.is_live {
                live.insert(key.path);
            } else {
                *new = Value::clone(old);
                at_start.insert(key.path);
            }
        }
        Ok(Self { config: serde_json::from_value(new)?, live, at_start })
    }

    /// Whether a key of this section, or this key, has another value.
    pub(crate) fn touches(&self, section: &str) -> bool {
        let is_below = |key: &String| key.strip_prefix(section).is_some_and(|it| it.is_empty() || it.starts_with('.'));
        self.live.iter().any(is_below)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ConfigError, file};
    use super::*;

    fn read(text: &str) -> Config {
        file::parse(text, "agent.yaml").map_err(ConfigError::File).unwrap()
    }

    #[test]
    fn each_key_is_found_to_differ_and_only_live_ones_take_effect() {
        let defaults = serde_json::to_value(Config::default()).unwrap();
        for key in keys() {
            let place = format!("/{}", key.path.replace('.', "/"));
            let mut tree = defaults.clone();
            let other = other_value(&key);
            *tree.pointer_mut(&place).unwrap() = other.clone();
            let read: Config = serde_json::from_value(tree).unwrap();
            let changes = Changes::between(&Config::default(), &read).unwrap();
            let (changed, waiting) = if key.is_live { (1, 0) } else { (0, 1) };
            assert_eq!((changes.live.len(), changes.at_start.len()), (changed, waiting), "{}", key.path);
            let runs = serde_json::to_value(&changes.config).unwrap();
            let expected = if key.is_live { &other } else { defaults.pointer(&place).unwrap() };
            assert_eq!(runs.pointer(&place), Some(expected), "{}", key.path);
        }
    }

    fn other_value(key: &super::super::Key) -> Value {
        use super::super::Kind;
        match &key.kind {
            Kind::Text => Value::from("other:1"),
            Kind::Time => Value::from("1m7s"),
            Kind::OneOf(values) => {
                values.iter().map(|it| Value::from(it.as_str())).find(|it| *it != key.default).unwrap()
            }
            Kind::Whole => Value::from(4_321),
            Kind::Truth => Value::from(key.default != Value::Bool(true)),
            Kind::List => Value::from(vec!["other"]),
            Kind::Table => serde_json::json!({"other": "value"}),
        }
    }

    #[test]
    fn equal_configurations_have_no_changes() {
        let config = read("logs: {include: [/a]}\notlp: {headers: {x: y}}\n");
        let changes = Changes::between(&config, &config.clone()).unwrap();
        assert!(changes.live.is_empty() && changes.at_start.is_empty());
        assert_eq!(changes.config, config);
    }

    #[test]
    fn a_section_is_touched_by_its_keys_and_by_no_other() {
        let changes = Changes::between(&Config::default(), &read("logs: {include: [/a]}\nstate_dir: /b\n")).unwrap();
        assert!(changes.touches("logs") && changes.touches("logs.include"));
        assert!(!changes.touches("log") && !changes.touches("otlp") && !changes.touches("state_dir"));
    }
}
