//! Which caches a command is about: those that are named, else those that are found.

use std::io;
use std::path::{Path, PathBuf};

use gobeacon_collectors::roots::{self, Found};

use super::output::{self, Error};
use crate::config::{self, Config};
use crate::wiring;

/// The flags.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// A module cache (GOMODCACHE); may be given several times
    #[arg(long, value_name = "DIR")]
    modcache: Vec<PathBuf>,
    /// A build cache (GOCACHE); may be given several times
    #[arg(long, value_name = "DIR")]
    gocache: Vec<PathBuf>,
    /// Configuration file (YAML), which says where caches are looked for when none is named
    #[arg(long, short, value_name = "FILE", env = "GOBEACON_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
}

/// The flags of a command that is about module caches only.
#[derive(Debug, clap::Args)]
pub(super) struct ModuleCaches {
    /// A module cache (GOMODCACHE); may be given several times
    #[arg(long, value_name = "DIR")]
    modcache: Vec<PathBuf>,
    /// Configuration file (YAML), which says where caches are looked for when none is named
    #[arg(long, short, value_name = "FILE", env = "GOBEACON_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
}

impl ModuleCaches {
    /// Those that are named, else those that are found.
    pub(super) fn find(&self) -> Result<Caches, Error> {
        let mut caches = Caches::default();
        caches.modules = if self.modcache.is_empty() {
            let env = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
            let config = config::load(self.config.as_deref(), Vec::new(), env)?;
            let found = roots::module_caches(&wiring::modcache_places(&config, env));
            caches.usable(found.into_iter().map(|found| found.map(|root| root.path.clone())))
        } else {
            caches.usable(self.modcache.iter().map(|path| named(path)))
        };
        Ok(caches)
    }
}

/// The caches that are there, by path.
#[derive(Debug, Default)]
pub(super) struct Caches {
    pub(super) modules: Vec<PathBuf>,
    pub(super) builds: Vec<PathBuf>,
    /// Whether one that was named cannot be used; it has been said.
    pub(super) is_some_missing: bool,
}

impl Which {
    /// Those that are named. Where none is, the ones that the agent would find: of the environment, of the homes it may
    /// read, of the configuration.
    pub(super) fn find(&self) -> Result<Caches, Error> {
        self.among(|_| {})
    }

    /// The same, but where none is named only those of who runs the command, not those of other homes.
    pub(super) fn find_own(&self) -> Result<Caches, Error> {
        self.among(|config| {
            config.discovery.homes.clear();
            config.modcache.dirs.clear();
            config.buildcache.dirs.clear();
        })
    }

    fn among(&self, narrow: impl FnOnce(&mut Config)) -> Result<Caches, Error> {
        let mut caches = Caches::default();
        if !self.modcache.is_empty() || !self.gocache.is_empty() {
            caches.modules = caches.usable(self.modcache.iter().map(|path| named(path)));
            caches.builds = caches.usable(self.gocache.iter().map(|path| named(path)));
            return Ok(caches);
        }
        let env = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let mut config = config::load(self.config.as_deref(), Vec::new(), env)?;
        narrow(&mut config);
        let path = |found: Found| found.map(|root| root.path.clone());
        let modules = roots::module_caches(&wiring::modcache_places(&config, env));
        caches.modules = caches.usable(modules.into_iter().map(path));
        let builds = roots::build_caches(&wiring::buildcache_places(&config, env));
        caches.builds = caches.usable(builds.into_iter().map(path));
        Ok(caches)
    }
}

impl Caches {
    /// Whether there is nothing to look at.
    pub(super) fn is_empty(&self) -> bool {
        self.modules.is_empty() && self.builds.is_empty()
    }

    fn usable(&mut self, found: impl Iterator<Item = Result<PathBuf, (PathBuf, io::Error)>>) -> Vec<PathBuf> {
        let mut usable = Vec::new();
        for one in found {
            match one {
                Ok(path) => usable.push(path),
                Err((path, error)) => {
                    output::complain(&format_args!("cannot read {}: {error}", path.display()));
                    self.is_some_missing = true;
                }
            }
        }
        usable
    }
}

fn named(path: &Path) -> Result<PathBuf, (PathBuf, io::Error)> {
    match std::fs::read_dir(path) {
        Ok(_) => Ok(path.to_owned()),
        Err(error) => Err((path.to_owned(), error)),
    }
}
