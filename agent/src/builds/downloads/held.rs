//! The downloads that wait to go out, found by module and version.
//!
//! A log can tell of thousands: they are kept as they come and found by a hash, so that none is searched for, sorted or
//! copied for its name. It must not know what a download is beyond its name.
//!
//! Invariant: a module version stands once; the order is that in which they were told.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::Download;
use crate::builds::build::SpanId;
use crate::builds::ids;

impl Download {
    /// Its span under the root: made when it is wanted.
    pub(in crate::builds) fn span_id(&self, root: SpanId) -> SpanId {
        ids::child_of(root, "module download", &format!("{}@{}", self.module, self.version), self.ordinal)
    }
}

/// Downloads in the order in which they were told.
#[derive(Debug, Default)]
pub(super) struct Held {
    all: Vec<Download>,
    /// Where each stands, by module and version.
    at: HashMap<u64, usize, RandomState>,
}

impl Held {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Keeps it under an id of its module and version, in place of one that has the same.
    pub(super) fn insert(&mut self, id: u64, download: Download) {
        let at = *self.at.entry(id).or_insert(self.all.len());
        match self.all.get_mut(at) {
            Some(before) => *before = download,
            None => self.all.push(download),
        }
    }

    pub(super) fn get(&self, module: &str, version: &str) -> Option<&Download> {
        // most builds hold none at most times
        (!self.all.is_empty()).then_some(())?;
        self.all.get(*self.at.get(&ids::remembered(&[module, version]))?)
    }

    pub(super) fn get_mut(&mut self, module: &str, version: &str) -> Option<&mut Download> {
        (!self.all.is_empty()).then_some(())?;
        self.all.get_mut(*self.at.get(&ids::remembered(&[module, version]))?)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Download> {
        self.all.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Download> {
        self.all.iter_mut()
    }

    /// Takes out all.
    pub(super) fn take(&mut self) -> Vec<Download> {
        self.at.clear();
        std::mem::take(&mut self.all)
    }
}
