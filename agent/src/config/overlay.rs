//! Flags and variables, laid over what the file says.
//!
//! The configuration is taken apart into a tree, the value is put in its place, and the tree becomes a configuration
//! again: so a flag or variable is held to exactly what the file is held to.
//!
//! Invariant: a message names the flag or variable that is wrong, never its value where that may be a secret.

use garde::Validate;
use serde_json::{Map, Value};

use super::schema::Kind;
use super::{Config, Key};

/// A value that a flag or a variable gives to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Override {
    /// The path of the key.
    pub(crate) key: String,
    /// The flag or variable.
    pub(crate) origin: String,
    /// What was written: a flag that was given several times has several.
    pub(crate) texts: Vec<String>,
    /// Whether one text may hold a whole list.
    pub(crate) splits: bool,
}

impl Override {
    /// What a flag says; `None` when it was not given.
    pub(crate) fn flag(key: &str, flag: &str, texts: Vec<String>) -> Option<Self> {
        let it = Self { key: key.to_owned(), origin: flag.to_owned(), texts, splits: false };
        (!it.texts.is_empty()).then_some(it)
    }
}

/// What the variables say. One that is empty counts as not set.
pub(super) fn from_env(keys: &[Key], env: impl Fn(&str) -> Option<String>) -> Vec<Override> {
    let set = |key: &Key| {
        let text = env(&key.variable).filter(|text| !text.trim().is_empty())?;
        Some(Override { key: key.path.clone(), origin: key.variable.clone(), texts: vec![text], splits: true })
    };
    keys.iter().filter_map(set).collect()
}

/// Lays each override over the configuration, later ones over earlier ones, and checks the whole.
///
/// # Errors
/// All that is wrong, a line each.
pub(super) fn apply(config: Config, keys: &[Key], overrides: Vec<Override>) -> Result<Config, Vec<String>> {
    let mut config = config;
    let mut wrong = Vec::new();
    for it in &overrides {
        let Some(key) = keys.iter().find(|key| key.path == it.key) else { continue };
        match value(&key.kind, it).and_then(|value| with(&config, &key.path, value)) {
            Ok(changed) => config = changed,
            Err(problem) => wrong.push(format!("{}: {problem}", it.origin)),
        }
    }
    if let Err(report) = config.validate() {
        for (path, error) in report.iter() {
            let path = path.to_string();
            let origin = overrides.iter().rev().find(|it| it.key == path).map_or(path.as_str(), |it| &it.origin);
            wrong.push(format!("{origin}: {}", error.message()));
        }
    }
    if wrong.is_empty() { Ok(config) } else { Err(wrong) }
}

/// The configuration with one value in its place.
fn with(config: &Config, path: &str, value: Value) -> Result<Config, String> {
    let mut tree = serde_json::to_value(config).map_err(|error| error.to_string())?;
    let place = tree.pointer_mut(&format!("/{}", path.replace('.', "/"))).ok_or("there is no such key")?;
    *place = value;
    serde_json::from_value(tree).map_err(|error| error.to_string())
}

fn value(kind: &Kind, it: &Override) -> Result<Value, String> {
    let text = it.texts.last().map(String::as_str).unwrap_or_default();
    match kind {
        Kind::Text | Kind::Time => Ok(Value::from(text)),
        Kind::OneOf(values) if values.iter().any(|value| value == text) => Ok(Value::from(text)),
        Kind::OneOf(values) => Err(format!("write {}", values.join(" or "))),
        Kind::Whole => text.trim().parse::<u64>().map(Value::from).map_err(|_| "write a whole number".to_owned()),
        Kind::Truth => match text.trim() {
            "true" | "1" => Ok(Value::Bool(true)),
            "false" | "0" => Ok(Value::Bool(false)),
            _ => Err("write true or false".to_owned()),
        },
        Kind::List if it.splits => Ok(Value::from(split(text))),
        Kind::List => Ok(Value::from(it.texts.clone())),
        Kind::Table => table(text),
    }
}

/// `a,b` as a list; a comma within braces belongs to its pattern.
fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0_u32;
    for c in text.chars() {
        match c {
            '{' => depth = depth.saturating_add(1),
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        match parts.last_mut() {
            Some(part) if c != ',' || depth > 0 => part.push(c),
            Some(_) | None => parts.push(String::new()),
        }
    }
    parts.into_iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

/// `name=value,name=value`.
fn table(text: &str) -> Result<Value, String> {
    let pair = |part: &str| {
        let (name, value) = part.split_once('=')?;
        (!name.trim().is_empty()).then(|| (name.trim().to_owned(), Value::from(value.trim())))
    };
    let pairs: Option<Map<_, _>> = text.split(',').filter(|part| !part.trim().is_empty()).map(pair).collect();
    pairs.map(Value::Object).ok_or_else(|| "write name=value,name=value".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::{ConfigError, load};
    use super::*;

    fn flag(key: &str, flag: &str, text: &str) -> Override {
        Override::flag(key, flag, vec![text.to_owned()]).unwrap()
    }

    #[test]
    fn a_flag_wins_over_a_variable_and_a_variable_over_the_default() {
        let env = |name: &str| match name {
            "GOBEACON_LISTEN" => Some("127.0.0.1:1".to_owned()),
            "GOBEACON_BUILD_IDLE_TIMEOUT" => Some("1m30s".to_owned()),
            "GOBEACON_LOGS" => Some("/a/*.log, /b/{x,y}/**".to_owned()),
            "GOBEACON_OTLP_HEADERS" => Some("authorization=Bearer a=b,x=y".to_owned()),
            "GOBEACON_OTLP_INSECURE" => Some("true".to_owned()),
            "GOBEACON_STATE_DIR" => Some(String::new()),
            _ => None,
        };
        let config = load(None, vec![flag("listen", "--listen", ":2")], env).unwrap();
        assert_eq!(config.listen, ":2");
        assert_eq!(config.build.idle_timeout.0.as_secs(), 90);
        assert_eq!(config.logs.include, ["/a/*.log", "/b/{x,y}/**"]);
        assert_eq!(config.otlp.headers["authorization"].reveal(), "Bearer a=b");
        assert_eq!(config.otlp.insecure, Some(true));
        assert_eq!(config.state_dir, None);
        assert_eq!(config.log, Config::default().log);
    }

    #[test]
    fn a_flag_given_twice_is_a_list_and_keeps_its_commas() {
        let logs = Override::flag("logs.include", "--logs", vec!["a,b".to_owned(), "c".to_owned()]).unwrap();
        assert_eq!(load(None, vec![logs], |_| None).unwrap().logs.include, ["a,b", "c"]);
    }

    #[test]
    fn all_mistakes_are_said_with_the_flag_or_variable_that_has_them() {
        let env = |name: &str| match name {
            "GOBEACON_BUILD_MAX_SPANS" => Some("3".to_owned()),
            "GOBEACON_OTLP_COMPRESSION" => Some("zstd".to_owned()),
            _ => None,
        };
        let flags = vec![flag("build.idle_timeout", "--build-idle-timeout", "10"), flag("listen", "--listen", "here")];
        let Err(ConfigError::Overrides(wrong)) = load(None, flags, env) else { panic!("it was taken") };
        let all = wrong.join("\n");
        assert_eq!(wrong.len(), 4, "{all}");
        for origin in
            ["GOBEACON_BUILD_MAX_SPANS: ", "GOBEACON_OTLP_COMPRESSION: write gzip or none", "--listen: write HOST"]
        {
            assert!(all.contains(origin), "{all}");
        }
        assert!(all.contains("--build-idle-timeout: `10` is no time"), "{all}");
    }

    #[test]
    fn a_secret_is_in_no_debug() {
        let env = |name: &str| (name == "GOBEACON_OTLP_HEADERS").then(|| "k=hunter2".to_owned());
        assert!(!format!("{:?}", load(None, Vec::new(), env).unwrap()).contains("hunter2"));
    }
}
