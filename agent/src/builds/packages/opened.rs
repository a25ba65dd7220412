//! The packages whose results have not come, found by name.
//!
//! Every test asks for its package, and the tests of a package mostly follow each other: it is found without hashing
//! then. It must not know what a package is beyond its name.
//!
//! Invariant: a name stands once.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::{MAX_TEXT_BYTES, Package};

/// Comparing so many names is quicker than hashing one.
const FEW: usize = 8;

/// Open packages.
#[derive(Debug, Default)]
pub(super) struct Opened {
    slots: Vec<Option<Box<Package>>>,
    free: Vec<usize>,
    at: HashMap<String, usize, RandomState>,
    /// The one that was found last.
    last: usize,
}

impl Opened {
    pub(super) fn len(&self) -> usize {
        self.at.len()
    }

    pub(super) fn find(&mut self, name: &str) -> Option<&mut Package> {
        self.last = self.slot(name)?;
        self.slots.get_mut(self.last)?.as_deref_mut()
    }

    /// Adds one that is not there.
    pub(super) fn add(&mut self, name: &str, package: Box<Package>) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.at.insert(name.to_owned(), slot);
        self.last = slot;
        if let Some(place) = self.slots.get_mut(slot) {
            *place = Some(package);
        }
    }

    pub(super) fn remove(&mut self, name: &str) -> Option<Box<Package>> {
        let slot = self.slot(name)?;
        self.at.remove(name);
        self.free.push(slot);
        self.slots.get_mut(slot)?.take()
    }

    /// Takes out the one that was opened first.
    pub(super) fn remove_oldest(&mut self) -> Option<Box<Package>> {
        let opened_at = |slot: &usize| self.slots.get(*slot).and_then(Option::as_ref).map(|it| it.opened_at);
        let name = self.at.iter().min_by_key(|(_, slot)| opened_at(slot)).map(|(name, _)| name.clone())?;
        self.remove(&name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Package> {
        self.slots.iter().filter_map(Option::as_deref)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Package> {
        self.slots.iter_mut().filter_map(Option::as_deref_mut)
    }

    /// Takes out all.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Package> {
        std::mem::take(self).slots.into_iter().flatten().map(|package| *package)
    }

    fn slot(&self, name: &str) -> Option<usize> {
        // a package keeps the beginning of a long name only
        if name.len() + 4 > MAX_TEXT_BYTES {
            return self.at.get(name).copied();
        }
        let is_it = |slot: &Option<Box<Package>>| slot.as_ref().is_some_and(|package| package.name == name);
        if self.slots.get(self.last).is_some_and(is_it) {
            return Some(self.last);
        }
        if self.slots.len() <= FEW { self.slots.iter().position(is_it) } else { self.at.get(name).copied() }
    }
}
