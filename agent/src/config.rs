//! The configuration: one YAML file, the environment and flags become one [`Config`] that holds.
//!
//! What each key is, its default, unit and effect stand in `keys` and `otlp`, once: the schema, the example, the
//! reference page and the names of the variables are made from there. This room opens the configuration file and no
//! other; it knows nothing of what the settings are for.
//!
//! Invariants: a flag wins over the environment, the environment over the file, the file over the default; a
//! [`Config`] that was loaded is within its bounds; a mistake is never passed over.

mod caches;
mod changes;
mod duration;
mod example;
mod file;
mod keys;
mod mask;
mod otlp;
mod overlay;
mod schema;
mod validate;

use std::path::{Path, PathBuf};

pub(crate) use changes::Changes;
pub(crate) use duration::Duration;
pub(crate) use example::example;
#[cfg(test)]
pub(crate) use example::plain;
pub(crate) use keys::{Config, Log, LogFormat, OnShutdown};
pub(crate) use otlp::{Compression, Otlp, Protocol};
pub(crate) use overlay::Override;
#[cfg(test)]
pub(crate) use schema::Kind;
pub(crate) use schema::{Key, keys, schema};

/// Why there is no configuration to work with. The exit code for it is 2.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}: {error}", path.display())]
    Unreadable { path: PathBuf, error: std::io::Error },
    /// The file has mistakes: the text shows each with its line, column and a frame.
    #[error("{0}")]
    File(String),
    /// Flags or variables have mistakes, one line each.
    #[error("{}", .0.join("\n"))]
    Overrides(Vec<String>),
}

/// Where a configuration comes from, so that it can be read again.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// The file, if there is one.
    pub(crate) path: Option<PathBuf>,
    /// Flags that were given.
    pub(crate) flags: Vec<Override>,
}

impl Origin {
    /// Reads the file, the environment of this process and the flags.
    ///
    /// # Errors
    /// See [`load`].
    pub(crate) fn load(&self) -> Result<Config, ConfigError> {
        load(self.path.as_deref(), self.flags.clone(), |name| std::env::var(name).ok())
    }
}

/// Loads the configuration.
///
/// `flags` win over the variables that `env` looks up, those over the file at `path`.
///
/// # Errors
/// What is wrong, and where: see [`ConfigError`].
pub(crate) fn load(
    path: Option<&Path>,
    flags: Vec<Override>,
    env: impl Fn(&str) -> Option<String>,
) -> Result<Config, ConfigError> {
    let config = match path {
        Some(path) => file::read(path)?,
        None => Config::default(),
    };
    let keys = keys();
    let mut overrides = overlay::from_env(&keys, env);
    overrides.extend(flags);
    overlay::apply(config, &keys, overrides).map_err(ConfigError::Overrides)
}
