//! Where Go keeps its caches and counters: what is configured, and what the homes on this machine say.
//!
//! The go command finds them through its environment; whoever watches from outside sees homes. For each home the file
//! that `go env -w` writes is read (GOMODCACHE, GOPATH, GOCACHE), and Go's own defaults are taken for what it does not
//! say. What a job sets in its own environment is not visible here: such folders are configured. Looked up again from
//! time to time, since a home, a cache or the first build may come later.
//!
//! Source: cmd/go/internal/cfg (GOMODCACHE, GOPATH), cmd/go/internal/cache/default.go (GOCACHE),
//! golang.org/x/telemetry/internal/telemetry/dir.go.
//!
//! Invariant: a folder is told once, under however many names it is found.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use globset::Glob;

use crate::os::{self, Key, Kind};

/// Most folders that one pattern stands for, and most roots of a kind: a pattern is not a search.
const MOST: usize = 4096;
/// A `go env -w` file has a few lines.
const LARGEST_ENV_FILE: u64 = 64 << 10;

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// GOMODCACHE.
    ModuleCache,
    /// GOCACHE.
    BuildCache,
    /// `go/telemetry` of the user's configuration folder.
    Telemetry,
}

/// One cache, or one folder of counters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Root {
    /// What the folder *is*, the same over restarts and renames: a hash of device, inode and birth time.
    pub id: [u8; 16],
    /// Under which name it was found first.
    pub path: PathBuf,
}

/// Where to look. All may have `*`, `?`, `[a-z]` and `{a,b}` within a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// The folders themselves.
    pub dirs: Vec<String>,
    /// Folders that may be there, as the environment says: nothing is said of one that is not.
    pub maybe: Vec<String>,
    /// Home folders.
    pub homes: Vec<String>,
}

/// A folder that is there, or a configured one that cannot be used.
pub type Found = Result<Arc<Root>, (PathBuf, io::Error)>;

/// The root of a folder.
pub(crate) fn root(path: &Path) -> io::Result<Root> {
    Ok(Root { id: id(os::stat(path)?.key), path: path.to_owned() })
}

/// Checks patterns without looking for anything.
///
/// # Errors
/// The first pattern that cannot be understood, and why.
pub fn check(places: &Places) -> Result<(), String> {
    let patterns = places.dirs.iter().chain(&places.maybe).chain(&places.homes);
    patterns.map(|it| Glob::new(it).map_err(|error| error.to_string())).try_for_each(|it| it.map(drop))
}

/// The module caches that are there now, by path; and what is named and cannot be used, with its reason.
pub fn module_caches(places: &Places) -> Vec<Found> {
    find(Wanted::ModuleCache, places)
}

/// The build caches that are there now, by path; and what is named and cannot be used, with its reason.
pub fn build_caches(places: &Places) -> Vec<Found> {
    find(Wanted::BuildCache, places)
}

/// Where something is looked for and is not there now, by name or because a home or the environment says so; patterns
/// that stand for nothing are left out.
pub(crate) fn absent(wanted: Wanted, places: &Places) -> Vec<PathBuf> {
    candidates(wanted, places).map(|(path, _)| path).filter(|path| os::stat(path).is_err()).collect()
}

/// Where something may be, and whether it is named in the configuration.
fn candidates(wanted: Wanted, places: &Places) -> impl Iterator<Item = (PathBuf, bool)> {
    let configured = places.dirs.iter().flat_map(|dir| expand(dir)).map(|path| (path, true));
    let maybe = places.maybe.iter().flat_map(|dir| expand(dir)).map(|path| (path, false));
    let of_homes = places.homes.iter().flat_map(|home| expand(home));
    let of_homes = of_homes.map(move |home| (of_home(wanted, &home), false));
    configured.chain(maybe).chain(of_homes).take(MOST)
}

/// What is there now, by path; and what is configured by name and cannot be used. What a home merely might have is
/// left out while it is not there.
pub(crate) fn find(wanted: Wanted, places: &Places) -> Vec<Found> {
    let mut roots: BTreeMap<Key, Arc<Root>> = BTreeMap::new();
    let mut failed = Vec::new();
    for (path, is_named) in candidates(wanted, places) {
        match os::stat(&path) {
            Ok(stat) if stat.kind == Kind::Directory => {
                roots.entry(stat.key).or_insert_with(|| Arc::new(Root { id: id(stat.key), path }));
            }
            Ok(_) if is_named => failed.push((path, io::ErrorKind::NotADirectory.into())),
            Err(error) if is_named => failed.push((path, error)),
            Ok(_) | Err(_) => {}
        }
    }
    let mut roots: Vec<_> = roots.into_values().collect();
    roots.sort_by(|a, b| a.path.cmp(&b.path));
    roots.into_iter().map(Ok).chain(failed.into_iter().map(Err)).collect()
}

/// The folder of a home, as the go command would find it there.
fn of_home(wanted: Wanted, home: &Path) -> PathBuf {
    let config = home.join(os::CONFIG_FOLDER);
    let set = |name: &str| env_file(&config.join("go/env")).remove(name);
    match wanted {
        Wanted::ModuleCache => set("GOMODCACHE").map(PathBuf::from).unwrap_or_else(|| {
            // the first of the list (cmd/go/internal/cfg.gopathDir)
            let gopath = set("GOPATH").and_then(|list| std::env::split_paths(&list).next());
            gopath.unwrap_or_else(|| home.join("go")).join("pkg/mod")
        }),
        Wanted::BuildCache => {
            set("GOCACHE").map_or_else(|| home.join(os::CACHE_FOLDER).join("go-build"), PathBuf::from)
        }
        Wanted::Telemetry => config.join("go/telemetry"),
    }
}

/// What a file of `go env -w` sets; nothing where there is none. Values are not quoted; other lines are passed over,
/// as the go command does (cmd/go/internal/cfg.readEnvFile).
fn env_file(path: &Path) -> BTreeMap<String, String> {
    let is_small = os::stat(path).is_ok_and(|stat| stat.kind == Kind::File && stat.size <= LARGEST_ENV_FILE);
    let text = if is_small { fs::read_to_string(path).unwrap_or_default() } else { String::new() };
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs.filter(|(_, value)| !value.is_empty()).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// The paths that a pattern stands for. One without a pattern in it stands for itself, whether it is there or not.
pub(crate) fn expand(pattern: &str) -> Vec<PathBuf> {
    let Ok(absolute) = std::path::absolute(pattern) else { return Vec::new() };
    let mut paths = vec![PathBuf::new()];
    for part in absolute.components() {
        let name = part.as_os_str();
        match (part, name.to_str()) {
            (Component::Normal(_), Some(text)) if text.contains(['*', '?', '[', '{']) => {
                let Ok(glob) = Glob::new(text) else { return Vec::new() };
                let glob = glob.compile_matcher();
                let entries = paths.iter().filter_map(|path| fs::read_dir(path).ok()).flatten().flatten();
                let matching = entries.filter(|entry| glob.is_match(entry.file_name()));
                paths = matching.map(|entry| entry.path()).take(MOST).collect();
                paths.sort();
            }
            _ => paths.iter_mut().for_each(|path| path.push(name)),
        }
    }
    paths
}

fn id(key: Key) -> [u8; 16] {
    key.id(b"gobeacon folder\0", b"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(found: Vec<Found>) -> Vec<PathBuf> {
        found.into_iter().map(|it| it.unwrap().path.clone()).collect()
    }

    fn text(path: &Path) -> String {
        path.to_str().unwrap().to_owned()
    }

    #[test]
    fn homes_give_the_defaults_of_go_and_what_go_env_w_wrote() {
        let dir = tempfile::tempdir().unwrap();
        let (plain, set) = (dir.path().join("plain"), dir.path().join("set"));
        let elsewhere = dir.path().join("elsewhere");
        for folder in [plain.join("go/pkg/mod"), set.join(os::CONFIG_FOLDER).join("go"), elsewhere.join("pkg/mod")] {
            fs::create_dir_all(folder).unwrap();
        }
        let env = format!("# by hand\nGOPATH={}:/other\nGOCACHE={}\n", text(&elsewhere), text(&elsewhere));
        fs::write(set.join(os::CONFIG_FOLDER).join("go/env"), env).unwrap();
        let places = Places { homes: vec![text(&dir.path().join("*"))], ..Places::default() };
        let modules = paths(find(Wanted::ModuleCache, &places));
        assert_eq!(modules, [elsewhere.join("pkg/mod"), plain.join("go/pkg/mod")]);
        assert_eq!(paths(find(Wanted::BuildCache, &places)), [elsewhere]);
        assert_eq!(find(Wanted::Telemetry, &places).len(), 0);
    }

    #[test]
    fn a_folder_of_two_names_is_one_and_one_that_is_missing_is_said_only_when_it_was_named() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().join("real");
        fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, dir.path().join("link")).unwrap();
        fs::write(dir.path().join("file"), b"").unwrap();
        let dirs = ["real", "link", "file", "none", "none-*"].map(|name| text(&dir.path().join(name)));
        let found = find(
            Wanted::BuildCache,
            &Places { dirs: dirs.to_vec(), homes: vec![text(dir.path())], ..Places::default() },
        );
        let kinds: Vec<_> =
            found.iter().map(|it| it.as_ref().map_err(|(path, why)| (path.clone(), why.kind()))).collect();
        let (file, none) = (dir.path().join("file"), dir.path().join("none"));
        assert_eq!(kinds.len(), 3);
        assert_eq!(kinds[0].as_ref().unwrap().path, real);
        assert_eq!(kinds[1], Err((file, io::ErrorKind::NotADirectory)));
        assert_eq!(kinds[2], Err((none, io::ErrorKind::NotFound)));
    }

    #[test]
    fn a_pattern_that_cannot_be_understood_is_said() {
        let places = Places { dirs: vec!["/a/[".to_owned()], ..Places::default() };
        assert!(check(&places).is_err());
        assert_eq!(find(Wanted::BuildCache, &places).len(), 0);
    }
}
