//! When the go command turned from one proxy to the next.
//!
//! The go command does not say so. But `-x` shows its requests: when one proxy refused and the same is then asked of
//! another, or of the module's own site or repository, that is a fallback. Without `-x` none can be seen.
//! After which answers it falls back depends on GOPROXY: `go help goproxy`.

use std::collections::{HashMap, HashSet};

use gobeacon_formats::FailureClass;

use super::ids;
use super::request::{Asked, Request};

/// Refusals remembered. Each is one path asked of one proxy; a build that is refused more often than this is told of
/// anyway.
const MAX_REFUSALS: usize = 1_024;
/// Fallbacks told for one build.
const MAX_TOLD: usize = 1_024;

/// What a proxy refused.
#[derive(Debug, Clone)]
struct Refusal {
    module: String,
    host: String,
    base: String,
    class: FailureClass,
    /// How many were remembered before.
    number: usize,
}

/// The go command turned from one proxy to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fallback {
    pub(super) module: String,
    pub(super) from_host: String,
    /// The next proxy's host, or its URL where the host is the same; `direct` is the module's own repository.
    pub(super) to: String,
    pub(super) reason: FailureClass,
}

/// The refusals of one build.
#[derive(Debug, Default)]
pub(super) struct Fallbacks {
    refusals: HashMap<u64, Refusal>,
    told: HashSet<u64>,
    /// How many refusals there were.
    number: usize,
}

impl Fallbacks {
    /// A request ended: whether it was a fallback from an earlier one.
    pub(super) fn request(&mut self, request: &Request, failure: Option<FailureClass>) -> Option<Fallback> {
        let (module, what) = match &request.asked {
            Asked::Version { module, version, zip } => (module, format!("{version}.{zip}")),
            Asked::Versions { module } => (module, String::new()),
            Asked::Discovery { path } => {
                let refusal = self.of(|module| module == path || starts_with_path(module, path))?;
                return self.tell(refusal, "direct");
            }
            Asked::Lookup { .. } | Asked::Sumdb { .. } | Asked::Other => return None,
        };
        let key = ids::remembered(&[module, &what]);
        let earlier = self.refusals.get(&key).filter(|refusal| refusal.base != request.base).cloned();
        if let Some(class) = failure
            && (self.refusals.len() < MAX_REFUSALS || self.refusals.contains_key(&key))
        {
            let refusal = Refusal {
                module: module.clone(),
                host: request.host.clone(),
                base: request.base.clone(),
                class,
                number: self.number,
            };
            // the last proxy that refused a path is the one that led on
            self.refusals.insert(key, refusal);
            self.number += 1;
        }
        // two proxies of one host are told apart by their paths
        let to =
            earlier.as_ref().map(|refusal| if refusal.host == request.host { &request.base } else { &request.host });
        let to = to.cloned().unwrap_or_default();
        earlier.and_then(|refusal| self.tell(refusal, &to))
    }

    /// A version control command ended: whether it fetched what a proxy had refused.
    pub(super) fn command(&mut self, command: &str) -> Option<Fallback> {
        let refusal = self.of(|module| command.contains(&repository_of(module)))?;
        self.tell(refusal, "direct")
    }

    fn of(&self, fits: impl Fn(&str) -> bool) -> Option<Refusal> {
        // the map has no order: the latest is what led on, and the same in every run
        self.refusals.values().filter(|refusal| fits(&refusal.module)).max_by_key(|refusal| refusal.number).cloned()
    }

    fn tell(&mut self, refusal: Refusal, to: &str) -> Option<Fallback> {
        let new = self.told.len() < MAX_TOLD && self.told.insert(ids::remembered(&[&refusal.module, &refusal.base]));
        new.then(|| Fallback {
            module: refusal.module,
            from_host: refusal.host,
            to: to.to_owned(),
            reason: refusal.class,
        })
    }
}

fn starts_with_path(module: &str, path: &str) -> bool {
    module.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))
}

/// The part of a module path that names its repository at the usual hosts: the first three elements.
fn repository_of(module: &str) -> String {
    module.split('/').take(3).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOT_FOUND: Option<FailureClass> = Some(FailureClass::ProxyNotFound);

    #[test]
    fn the_same_asked_of_the_next_proxy_is_a_fallback_told_once() {
        let mut fallbacks = Fallbacks::default();
        let ask = |base: &str, file: &str| Request::read(&format!("{base}/example.com/lib/@v/{file}"));
        assert_eq!(fallbacks.request(&ask("https://a.example", "v1.0.0.info"), NOT_FOUND), None);
        // since Go 1.24 a refusal over https is asked twice
        assert_eq!(fallbacks.request(&ask("https://a.example", "v1.0.0.info"), NOT_FOUND), None);
        let told = fallbacks.request(&ask("https://b.example", "v1.0.0.info"), None);
        assert_eq!(told.map(|f| (f.from_host, f.to)), Some(("a.example".to_owned(), "b.example".to_owned())));
        assert_eq!(fallbacks.request(&ask("https://a.example", "v1.0.0.mod"), NOT_FOUND), None);
        assert_eq!(fallbacks.request(&ask("https://b.example", "v1.0.0.mod"), None), None);
    }

    #[test]
    fn discovery_and_git_behind_a_refusal_are_a_fallback_to_direct() {
        let mut fallbacks = Fallbacks::default();
        fallbacks.request(&Request::read("https://a.example/corp.example/lib/v2/@v/list"), NOT_FOUND);
        let told = fallbacks.request(&Request::read("https://corp.example/lib?go-get=1"), None);
        assert_eq!(told.map(|f| f.to), Some("direct".to_owned()));
        fallbacks.request(&Request::read("https://a.example/github.com/a/b/@v/list"), NOT_FOUND);
        assert_eq!(fallbacks.command("git ls-remote -q https://github.com/x/y"), None);
        assert!(fallbacks.command("git ls-remote -q https://github.com/a/b").is_some());
    }

    #[test]
    fn a_million_refusals_are_held_within_bounds() {
        let mut fallbacks = Fallbacks::default();
        for n in 0..10_000 {
            fallbacks.request(&Request::read(&format!("https://a.example/m.example/x{n}/@v/list")), NOT_FOUND);
        }
        assert_eq!(fallbacks.refusals.len(), MAX_REFUSALS);
    }
}
