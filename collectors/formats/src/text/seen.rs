//! What was already said of the command that runs: a cause that is printed twice is one failure.
//!
//! Only hashes are kept, at most [`Seen::LIMIT`]; beyond that the older half is forgotten and counted.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use super::bytes::hash;
use crate::{Failure, FailureClass};

/// For maps whose keys are hashes already.
pub(crate) type Plain = BuildHasherDefault<PlainHasher>;

/// Takes a `u64` as it is.
#[derive(Debug, Default)]
pub(crate) struct PlainHasher(u64);

impl Hasher for PlainHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = hash(&[bytes]);
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

/// Hashes of what was said since the command started.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    order: VecDeque<u64>,
    set: HashSet<u64, Plain>,
    forgotten: u64,
}

impl Seen {
    /// A real command has a handful of causes; a hostile log may have any number.
    pub(crate) const LIMIT: usize = 8192;

    /// Whether it is new, and keeps it.
    pub(crate) fn first(&mut self, key: u64) -> bool {
        if !self.set.insert(key) {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > Self::LIMIT {
            for _ in 0..Self::LIMIT / 2 {
                if let Some(old) = self.order.pop_front() {
                    self.set.remove(&old);
                    self.forgotten += 1;
                }
            }
        }
        true
    }

    /// Whether this failure is a new cause.
    pub(crate) fn first_failure(&mut self, failure: &Failure) -> bool {
        match key(failure) {
            Some(key) => self.first(key),
            None => true,
        }
    }

    /// Another command starts.
    pub(crate) fn clear(&mut self) {
        self.order.clear();
        self.set.clear();
    }

    /// Hashes given up because of the bound.
    pub(crate) fn forgotten(&self) -> u64 {
        self.forgotten
    }
}

/// What makes two failures one cause. `None`: each line is its own.
fn key(failure: &Failure) -> Option<u64> {
    let bytes = |field: &Option<String>| field.clone().unwrap_or_default().into_bytes();
    let id = failure.class.id().as_bytes();
    let area = id.split(|b| *b == b'.').next().unwrap_or(id);
    let by_package = || hash(&[id, &bytes(&failure.package)]);
    let by_message = || hash(&[id, &bytes(&failure.message)]);
    Some(match area {
        b"compile" | b"vet" | b"link" | b"cgo" if failure.package.is_some() => {
            // one a package, whichever of these tools says it
            hash(&[b"build", &bytes(&failure.package)])
        }
        b"compile" | b"link" | b"cgo" => by_message(),
        // without a package go vet (1.26 and later) names positions only: one a command
        b"vet" => hash(&[id]),
        b"test" => hash(&[id, &bytes(&failure.package), &bytes(&failure.test)]),
        b"gosum" if failure.package.is_some() => by_package(),
        b"package" => match (&failure.package, &failure.module) {
            (None, None) => by_message(),
            _ => hash(&[id, &bytes(&failure.package), &bytes(&failure.module)]),
        },
        b"module" | b"proxy" | b"network" | b"vcs" | b"checksum" | b"modcache" => {
            if failure.module.is_none() && failure.package.is_none() {
                return None;
            }
            let package = if failure.module.is_none() { bytes(&failure.package) } else { Vec::new() };
            hash(&[id, &bytes(&failure.module), &bytes(&failure.version), &package])
        }
        b"env" => hash(&[id, &bytes(&failure.variable)]),
        b"unknown" => by_message(),
        b"program" => return None,
        // io, cache, toolchain, vendor, gomod, workspace, usage, interrupted: once a command
        _ if failure.class == FailureClass::GosumMissingEntry => by_message(),
        _ => hash(&[id]),
    })
}
