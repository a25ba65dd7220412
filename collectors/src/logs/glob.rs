//! Globs, taken apart name by name, so that a walk enters only directories in which something can match.
//!
//! A glob is a base (its leading names without a wildcard) and parts, one a name. Where a walk stands in a glob is a
//! [`Place`]; a directory has a set of places. This module touches no file.
//!
//! Invariant: a path matches exactly when a walk from the base finds it.

use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

use globset::{Glob, GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};

use super::Error;

/// All globs of the settings.
#[derive(Debug)]
pub(crate) struct Patterns {
    include: Vec<Pattern>,
    /// Compared with whole paths.
    exclude: GlobSet,
}

#[derive(Debug)]
struct Pattern {
    base: PathBuf,
    /// At least one; the last one is the name of the file.
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Name(OsString),
    Wild(GlobMatcher),
    /// `**`: any number of directories, none included.
    AnyDepth,
}

/// Where in the globs a directory stands: the parts that its entries are compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pattern: usize,
    part: usize,
}

/// What a name in a directory is to the globs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Match {
    /// A file of this name is wanted.
    pub(crate) file: bool,
    /// A directory of this name is entered with these places.
    pub(crate) inside: Vec<Place>,
    /// The same if it is a symbolic link: `**` does not follow those.
    pub(crate) inside_link: Vec<Place>,
}

impl Patterns {
    pub(crate) fn new(include: &[String], exclude: &[String]) -> Result<Self, Error> {
        let include = include.iter().map(|glob| Pattern::new(glob)).collect::<Result<_, _>>()?;
        let mut set = GlobSetBuilder::new();
        for glob in exclude {
            let everywhere = if glob.contains('/') { absolute(glob)? } else { format!("**/{glob}") };
            set.add(compiled(glob, &everywhere)?);
        }
        let exclude = set.build().map_err(|error| bad(&exclude.join(" "), &error.kind().to_string()))?;
        Ok(Self { include, exclude })
    }

    /// The directories where walks begin, each once, with the places there.
    pub(crate) fn bases(&self) -> Vec<(&Path, Vec<Place>)> {
        let mut found: Vec<(&Path, Vec<Place>)> = Vec::new();
        for (n, pattern) in self.include.iter().enumerate() {
            let mut places = Vec::new();
            self.enter(n, 0, &mut places);
            match found.iter_mut().find(|(base, _)| *base == pattern.base) {
                Some((_, known)) => known.extend(places),
                None => found.push((&pattern.base, places)),
            }
        }
        found
    }

    /// What the entry `name` of a directory at `places` is.
    pub(crate) fn entry(&self, places: &[Place], name: &OsStr) -> Match {
        let mut found = Match::default();
        for place in places {
            let Some(pattern) = self.include.get(place.pattern) else { continue };
            let Some(part) = pattern.parts.get(place.part) else { continue };
            let is_last = place.part + 1 == pattern.parts.len();
            let hit = match part {
                Part::Name(wanted) => wanted == name,
                Part::Wild(wanted) => wanted.is_match(name),
                Part::AnyDepth => {
                    found.file |= is_last;
                    self.enter(place.pattern, place.part, &mut found.inside);
                    false
                }
            };
            if hit && is_last {
                found.file = true;
            } else if hit {
                self.enter(place.pattern, place.part + 1, &mut found.inside);
                self.enter(place.pattern, place.part + 1, &mut found.inside_link);
            }
        }
        found
    }

    /// What a path is, from its base on.
    pub(crate) fn path(&self, path: &Path) -> Match {
        let mut found = Match::default();
        for (base, places) in self.bases() {
            let Ok(below) = path.strip_prefix(base) else { continue };
            let mut here = Match { inside: places, ..Match::default() };
            for name in below.components() {
                here = match name {
                    Component::Normal(name) => self.entry(&here.inside, name),
                    Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => {
                        Match::default()
                    }
                };
            }
            found.file |= here.file;
            found.inside.extend(here.inside);
            found.inside_link.extend(here.inside_link);
        }
        found
    }

    /// Whether a base, or something above one, is this path or below it.
    pub(crate) fn leads_to_base(&self, path: &Path) -> bool {
        self.include.iter().any(|pattern| pattern.base.starts_with(path))
    }

    pub(crate) fn excludes(&self, path: &Path) -> bool {
        !self.exclude.is_empty() && self.exclude.is_match(path)
    }

    /// The names, when at all of these places only single names are wanted: the directory need not be listed.
    pub(crate) fn only_names(&self, places: &[Place]) -> Option<Vec<OsString>> {
        let mut names = Vec::new();
        for place in places {
            match self.include.get(place.pattern)?.parts.get(place.part)? {
                Part::Name(name) if names.contains(name) => {}
                Part::Name(name) => names.push(name.clone()),
                Part::Wild(_) | Part::AnyDepth => return None,
            }
        }
        Some(names)
    }

    /// Adds a place, and the one behind it where the part there may also match nothing.
    fn enter(&self, pattern: usize, part: usize, places: &mut Vec<Place>) {
        let place = Place { pattern, part };
        if !places.contains(&place) {
            places.push(place);
        }
        let parts = self.include.get(pattern).map_or(&[][..], |it| &it.parts);
        if matches!(parts.get(part), Some(Part::AnyDepth)) && part + 1 < parts.len() {
            self.enter(pattern, part + 1, places);
        }
    }
}

impl Pattern {
    fn new(glob: &str) -> Result<Self, Error> {
        let whole = absolute(glob)?;
        let names: Vec<&str> = whole.split('/').filter(|name| !name.is_empty()).collect();
        let Some((_, above)) = names.split_last() else { return Err(bad(glob, "it names no file")) };
        let literal = above.iter().take_while(|name| is_literal(name)).count();
        let (base, rest) = names.split_at(literal);
        let mut parts: Vec<Part> = Vec::new();
        for name in rest {
            match *name {
                "**" if matches!(parts.last(), Some(Part::AnyDepth)) => {}
                "**" => parts.push(Part::AnyDepth),
                name if is_literal(name) => parts.push(Part::Name(name.into())),
                name => parts.push(Part::Wild(compiled(glob, name)?.compile_matcher())),
            }
        }
        Ok(Self { base: Path::new("/").join(base.iter().collect::<PathBuf>()), parts })
    }
}

fn is_literal(name: &str) -> bool {
    !name.contains(['*', '?', '[', ']', '{', '}', '\\'])
}

/// The glob from the root on.
fn absolute(glob: &str) -> Result<String, Error> {
    if glob.trim().is_empty() {
        return Err(bad(glob, "it is empty"));
    }
    if glob.ends_with('/') {
        return Err(bad(glob, "it ends with a slash, and so names no file"));
    }
    if glob.split('/').any(|name| name == "..") {
        return Err(bad(glob, "it has a name `..` in it: write the path without"));
    }
    let path = std::path::absolute(glob).map_err(|error| bad(glob, &error.to_string()))?;
    path.into_os_string()
        .into_string()
        .map_err(|_| bad(glob, "the working directory is not UTF-8: write the whole path"))
}

fn compiled(glob: &str, text: &str) -> Result<Glob, Error> {
    let built = GlobBuilder::new(text).literal_separator(true).backslash_escape(true).empty_alternates(true).build();
    built.map_err(|error| bad(glob, &error.kind().to_string()))
}

fn bad(glob: &str, why: &str) -> Error {
    Error::Glob { glob: glob.to_owned(), why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(include: &[&str], exclude: &[&str]) -> Patterns {
        let owned = |globs: &[&str]| globs.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        Patterns::new(&owned(include), &owned(exclude)).unwrap()
    }

    #[test]
    fn a_path_matches_name_by_name_and_double_stars_span_directories() {
        let all = patterns(&["/var/log/pods/*/*/[0-9]*.log", "/ci/**/build{,-?}.log", "/tmp/one.log"], &[]);
        for path in ["/var/log/pods/a/b/0.log", "/ci/build.log", "/ci/x/y/z/build-7.log", "/tmp/one.log"] {
            assert!(all.path(Path::new(path)).file, "{path}");
        }
        for path in ["/var/log/pods/a/0.log", "/var/log/pods/a/b/c/0.log", "/ci/x/built.log", "/tmp/one.log.1", "/"] {
            assert!(!all.path(Path::new(path)).file, "{path}");
        }
        assert!(!all.path(Path::new("/var/log/pods/a")).inside.is_empty());
        assert!(all.path(Path::new("/var/log/other")).inside.is_empty());
        assert!(all.leads_to_base(Path::new("/var")));
    }

    #[test]
    fn a_link_is_entered_by_name_or_star_and_not_by_double_stars() {
        let all = patterns(&["/a/*/x.log", "/b/**/x.log"], &[]);
        assert!(!all.path(Path::new("/a/link")).inside_link.is_empty());
        assert!(all.path(Path::new("/b/link")).inside_link.is_empty());
        assert!(!all.path(Path::new("/b/dir")).inside.is_empty());
    }

    #[test]
    fn an_exclude_without_a_slash_is_about_names_anywhere() {
        let all = patterns(&["/a/**/*"], &["*.gz", "/a/old/**"]);
        assert!(all.excludes(Path::new("/a/b/c.gz")));
        assert!(all.excludes(Path::new("/a/old/c")));
        assert!(!all.excludes(Path::new("/a/b/c.log")));
    }

    #[test]
    fn a_directory_in_which_one_name_is_wanted_need_not_be_listed() {
        let all = patterns(&["/a/*/logs/build.log"], &[]);
        let inside = all.path(Path::new("/a/x")).inside;
        assert_eq!(all.only_names(&inside), Some(vec!["logs".into()]));
        assert_eq!(all.only_names(&all.path(Path::new("/a")).inside), None);
    }

    #[test]
    fn a_bad_glob_is_named_by_the_error() {
        for glob in ["/a/[x.log", "/a/{b,c", "/a/{b/c,d}.log", "", "/a/b/", "/a/../b"] {
            let error = Patterns::new(&[glob.to_owned()], &[]).unwrap_err().to_string();
            assert!(error.contains(&format!("{glob:?}")), "{error}");
        }
    }
}
