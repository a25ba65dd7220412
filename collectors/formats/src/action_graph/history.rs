//! Why a package was compiled: what is known of it from the graphs before, against what this graph says.
//!
//! An action id is a hash of everything that goes into a compilation (cmd/go/internal/work/exec.go `buildActionID`):
//! the toolchain, the target platform, flags, the folder where `-trimpath` does not hide it, the sources, and the
//! content ids of what is imported. The graph has the ids, the content ids of the imports, and the command line of what
//! ran, so each of these but the sources is compared; where nothing else differs it was the sources. A package of the
//! standard library has no other sources under the same toolchain, and into a program go the settings of the build and
//! the commit, which no command line shows: there the reason is unknown, unless the flags are known from elsewhere.
//!
//! What is in the cache has no command line, so a package is remembered in several variants, by action id.
//!
//! Invariant: what is remembered is bounded, the oldest goes first; a reason that cannot be told is unknown; a graph
//! that is explained twice has no new reasons the second time but those of an id seen before.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Action, ActionGraph, Compiled, Explained, Hints, Reason, Rebuilt, hashed};

/// Most packages that are remembered.
const PACKAGES: usize = 16_384;
/// Most variants of a package: platforms, flags, with and without tests.
const VARIANTS: usize = 8;
/// Most imports that are compared.
const IMPORTS: usize = 512;

/// One way in which a package was built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Variant {
    action: u64,
    content: u64,
    /// Its imports and what came out of them.
    imports: BTreeMap<u64, u64>,
    /// How it was compiled; `None` while it only ever came out of the cache.
    compiled: Option<Compiled>,
    environment: Option<String>,
    flags: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Package {
    /// When a graph had it last, in graphs.
    seen: u64,
    /// Newest first.
    variants: Vec<Variant>,
}

/// What is remembered of the graphs before. It can be kept in a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Graphs so far.
    graphs: u64,
    packages: BTreeMap<String, Package>,
    /// Links of targets, by their path: the action id that the target was made by last.
    targets: BTreeMap<String, u64>,
}

impl Variant {
    /// The imports that came out differently, by the numbers of their actions now.
    fn changed<'a>(&'a self, imports: &'a Imports) -> impl Iterator<Item = usize> + 'a {
        let differs = |name: &u64, content: u64| self.imports.get(name).is_some_and(|it| *it != content);
        imports
            .iter()
            .filter(move |(name, (content, _))| *content != 0 && differs(name, *content))
            .map(|(_, (_, action))| *action)
    }
}

/// What a package imports: by name, what came out and the number of its action. 0 is nothing.
type Imports = BTreeMap<u64, (u64, usize)>;

/// A build as a whole.
struct Build<'a> {
    graph: &'a ActionGraph,
    hints: &'a Hints,
    environment: Option<String>,
    toolchain: Option<String>,
    forced: bool,
}

impl History {
    /// Says why each package was compiled, and remembers the graph.
    pub fn explain(&mut self, graph: &ActionGraph, hints: &Hints) -> Explained {
        let build = Build {
            graph,
            hints,
            environment: self.environment(graph),
            toolchain: graph.actions().find_map(|it| Some(it.compiled.as_ref()?.toolchain.clone())),
            forced: hints.forced.unwrap_or_else(|| self.is_forced(graph, hints)),
        };
        let own: BTreeMap<usize, (Reason, Option<usize>)> = graph
            .numbered()
            .filter(|(_, action)| action.is_compiled())
            .map(|(id, action)| (id, self.reason(action, &build)))
            .collect();
        let rebuilt = own.iter().filter_map(|(id, (reason, import))| {
            let (_, action) = graph.numbered_at(*id)?;
            let root = import.map(|import| root_of(graph, &own, import));
            Some((*id, Rebuilt { package: action.package.clone(), reason: *reason, root }))
        });
        let explained = Explained { rebuilt: rebuilt.collect() };
        self.remember(&build);
        explained
    }

    /// The target platform: as the assembler was told, or as it was told when what is in the cache was made.
    fn environment(&self, graph: &ActionGraph) -> Option<String> {
        let told = graph.actions().find_map(|action| action.environment.clone());
        let known = || graph.actions().find_map(|action| self.variant(action)?.environment.clone());
        told.or_else(known)
    }

    /// A target that was there, made by this very link, and its program that was compiled and linked all the same: only
    /// `-a` does that.
    fn is_forced(&self, graph: &ActionGraph, hints: &Hints) -> bool {
        graph.actions().filter(|install| hints.targets.contains(&install.target)).any(|install| {
            let made_by = self.targets.get(&install.target);
            graph.deps(install).any(|(_, link)| {
                let compiled = graph.deps(link).any(|(_, it)| it.package == link.package && it.is_compiled());
                link.mode == "link" && link.executed && compiled && made_by == Some(&hashed(&link.action_id))
            })
        })
    }

    /// The variant that the action is, if it was there before.
    fn variant(&self, action: &Action) -> Option<&Variant> {
        let action_id = hashed(&action.action_id);
        self.packages.get(&action.package)?.variants.iter().find(|it| it.action == action_id)
    }

    /// Why one package was compiled, and by which import where that is the reason.
    fn reason(&self, action: &Action, build: &Build<'_>) -> (Reason, Option<usize>) {
        if build.forced {
            return (Reason::Forced, None);
        }
        if self.variant(action).is_some() {
            return (Reason::Evicted, None);
        }
        let Some(now) = &action.compiled else { return (Reason::Unknown, None) };
        let variants = self.packages.get(&action.package).map_or(&[][..], |package| &package.variants);
        let same_kind = |it: &&Variant| it.compiled.as_ref().is_none_or(|before| before.test == now.test);
        // against what is nearest to it, the newest of those
        let difference = |it: &&Variant| differing(it, now, build.environment.as_deref());
        let imports = imports(build.graph, action);
        let distance = |it: &&Variant| {
            let lang = it.compiled.as_ref().is_some_and(|before| before.lang != now.lang);
            // how it was compiled is better known than not
            (it.compiled.is_none(), width(difference(it)), lang, it.changed(&imports).count())
        };
        let Some(before) = variants.iter().filter(same_kind).min_by_key(distance) else {
            // packages come and go with the toolchain
            let is_new = now.std && !self.packages.is_empty() && !self.knows_toolchain(build.toolchain.as_deref());
            return (if is_new { Reason::Toolchain } else { Reason::Cold }, None);
        };
        if let Some(reason) = difference(&before) {
            return (reason, None);
        }
        let is_same_set = imports.keys().eq(before.imports.keys());
        let changed = before.changed(&imports).next();
        match changed {
            Some(import) => (Reason::Dependency, Some(import)),
            None if differs(before.flags.as_ref(), build.hints.flags.as_ref())
                && self.is_stamped(now, action, before) =>
            {
                (Reason::Flags, None)
            }
            None if before.compiled.as_ref().is_some_and(|before| before.lang != now.lang) => (Reason::Source, None),
            None if before.compiled.is_none() && !now.flags.is_empty() => (Reason::Unknown, None),
            // no other sources under the same toolchain: tags, or variables of C
            None if now.std => (Reason::Unknown, None),
            None if self.is_stamped(now, action, before) && is_same_set => (Reason::Unknown, None),
            None => (Reason::Source, None),
        }
    }

    /// What goes into a program besides its sources is changed without a trace in what came out.
    fn is_stamped(&self, now: &Compiled, action: &Action, before: &Variant) -> bool {
        now.main && hashed(&action.content_id) == before.content
    }

    fn knows_toolchain(&self, toolchain: Option<&str>) -> bool {
        let mut variants = self.packages.values().flat_map(|package| &package.variants);
        variants.any(|it| it.compiled.as_ref().is_some_and(|before| Some(before.toolchain.as_str()) == toolchain))
    }

    fn remember(&mut self, build: &Build<'_>) {
        self.graphs += 1;
        // what was looked up alone, or failed, was never in the cache
        let made = |it: &&Action| it.mode == "build" && !it.action_id.is_empty() && !it.content_id.is_empty();
        for action in build.graph.actions().filter(made) {
            let imports =
                imports(build.graph, action).into_iter().map(|(name, (content, _))| (name, content)).collect();
            let mut variant = Variant {
                action: hashed(&action.action_id),
                content: hashed(&action.content_id),
                imports,
                compiled: action.compiled.clone(),
                environment: build.environment.clone(),
                flags: build.hints.flags.clone(),
            };
            let package = self.packages.entry(action.package.clone()).or_default();
            package.seen = self.graphs;
            if let Some(at) = package.variants.iter().position(|it| it.action == variant.action) {
                let before = package.variants.remove(at);
                variant.compiled = variant.compiled.or(before.compiled);
                variant.environment = variant.environment.or(before.environment);
            }
            package.variants.insert(0, variant);
            package.variants.truncate(VARIANTS);
        }
        for install in build.graph.actions().filter(|it| !it.target.is_empty()) {
            let link = build.graph.deps(install).find(|(_, it)| it.mode == "link");
            if let Some((_, link)) = link {
                self.targets.insert(install.target.clone(), hashed(&link.action_id));
            }
        }
        self.bound();
    }

    fn bound(&mut self) {
        while self.targets.len() > PACKAGES {
            self.targets.pop_first();
        }
        if self.packages.len() > PACKAGES {
            let mut seen: Vec<u64> = self.packages.values().map(|package| package.seen).collect();
            seen.sort_unstable();
            // a tenth more than needed, so that not every graph does it
            let oldest = seen.get(self.packages.len() - PACKAGES * 9 / 10).copied().unwrap_or_default();
            self.packages.retain(|_, package| package.seen > oldest);
        }
    }
}

/// What differs in how it was compiled, the widest first. What is not known does not differ.
fn differing(before: &Variant, now: &Compiled, environment: Option<&str>) -> Option<Reason> {
    let then = before.compiled.as_ref()?;
    if then.toolchain != now.toolchain {
        Some(Reason::Toolchain)
    } else if differs(before.environment.as_deref(), environment) {
        Some(Reason::Environment)
    } else if then.flags != now.flags {
        Some(Reason::Flags)
    } else if then.dir != now.dir {
        Some(Reason::Directory)
    } else {
        None
    }
}

/// How much of a build a difference usually changes.
fn width(difference: Option<Reason>) -> u8 {
    match difference {
        None => 0,
        Some(Reason::Directory) => 1,
        Some(Reason::Flags) => 2,
        Some(Reason::Environment) => 3,
        Some(
            Reason::Toolchain
            | Reason::Cold
            | Reason::Source
            | Reason::Dependency
            | Reason::Evicted
            | Reason::Forced
            | Reason::Unknown,
        ) => 4,
    }
}

/// Both are known, and not the same.
fn differs<T: PartialEq>(before: Option<T>, now: Option<T>) -> bool {
    before.zip(now).is_some_and(|(before, now)| before != now)
}

fn imports(graph: &ActionGraph, action: &Action) -> Imports {
    let packages = graph.deps(action).filter(|(_, it)| it.mode == "build");
    let content = |it: &Action| if it.content_id.is_empty() { 0 } else { hashed(&it.content_id) };
    packages.take(IMPORTS).map(|(id, it)| (hashed(&it.package), (content(it), id))).collect()
}

/// The end of the chain of dependencies that begins with this import.
fn root_of(graph: &ActionGraph, own: &BTreeMap<usize, (Reason, Option<usize>)>, import: usize) -> (String, Reason) {
    let (mut at, mut been) = (import, BTreeSet::new());
    loop {
        let package = || graph.numbered_at(at).map(|(_, it)| it.package.clone()).unwrap_or_default();
        match own.get(&at) {
            Some((Reason::Dependency, Some(next))) if been.insert(at) => at = *next,
            Some((reason, _)) => return (package(), *reason),
            // somebody else compiled it since
            None => return (package(), Reason::Source),
        }
    }
}
