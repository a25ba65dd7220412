//! The words of why packages were compiled.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Why a package was compiled: the closed set of the `reason` label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Nothing is known of it from before.
    Cold,
    /// Its sources changed, or the language that its go.mod asks for.
    Source,
    /// Something that it imports came out differently.
    Dependency,
    /// Flags of the build.
    Flags,
    /// The target platform: GOOS, GOARCH, GOAMD64 and the like.
    Environment,
    /// Another Go version.
    Toolchain,
    /// The same sources in another folder, without `-trimpath`.
    Directory,
    /// It was built before just like this, and is not in the cache any more.
    Evicted,
    /// `-a`.
    Forced,
    /// What is known does not tell.
    Unknown,
}

impl Reason {
    /// All reasons, in the order of the enum.
    pub const ALL: [Self; 10] = [
        Self::Cold,
        Self::Source,
        Self::Dependency,
        Self::Flags,
        Self::Environment,
        Self::Toolchain,
        Self::Directory,
        Self::Evicted,
        Self::Forced,
        Self::Unknown,
    ];

    /// The value of the `reason` label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Source => "source",
            Self::Dependency => "dependency",
            Self::Flags => "flags",
            Self::Environment => "environment",
            Self::Toolchain => "toolchain",
            Self::Directory => "directory",
            Self::Evicted => "evicted",
            Self::Forced => "forced",
            Self::Unknown => "unknown",
        }
    }
}

/// What is known of a build besides its graph.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hints {
    /// Whether `-a` was given; `None` when the command line is not known.
    pub forced: Option<bool>,
    /// The flags of the command line and of GOFLAGS; `None` when they are not known.
    pub flags: Option<String>,
    /// Targets that were there before the build.
    pub targets: Vec<String>,
}

/// One package that was compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// Import path.
    pub package: String,
    /// Why.
    pub reason: Reason,
    /// For [`Reason::Dependency`]: the package at the end of the chain, which did not change because of another, and
    /// why that one did.
    pub root: Option<(String, Reason)>,
}

/// Why everything that was compiled was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Explained {
    /// By the number of the action.
    pub rebuilt: BTreeMap<usize, Rebuilt>,
}

impl Explained {
    /// How many packages were compiled for each reason.
    pub fn reasons(&self) -> BTreeMap<Reason, usize> {
        self.rebuilt.values().fold(BTreeMap::new(), |mut counts, rebuilt| {
            *counts.entry(rebuilt.reason).or_default() += 1;
            counts
        })
    }

    /// The packages that made others be compiled, why they changed themselves, and how many others: most first.
    pub fn roots(&self) -> Vec<(&str, Reason, usize)> {
        let mut roots: BTreeMap<(&str, Reason), usize> = BTreeMap::new();
        for rebuilt in self.rebuilt.values() {
            match (&rebuilt.root, rebuilt.reason) {
                (Some((package, reason)), _) => *roots.entry((package, *reason)).or_default() += 1,
                (None, Reason::Source) => _ = roots.entry((&rebuilt.package, Reason::Source)).or_default(),
                (None, _) => {}
            }
        }
        let mut roots: Vec<_> =
            roots.into_iter().map(|((package, reason), others)| (package, reason, others)).collect();
        roots.sort_by(|a, b| b.2.cmp(&a.2).then(a.0.cmp(b.0)));
        roots
    }
}
