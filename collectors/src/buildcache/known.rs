//! What is in a cache, as far as it was looked at: sizes and kinds of outputs, and which actions there are.
//!
//! Walks fill it and what happens keeps it up to date, so that totals are right between walks and the bytes of what
//! was removed are known.
//!
//! Invariants: the totals are those of what is held; what is held is bounded, and beyond the bound there are only the
//! totals of the last walk.

use std::collections::HashMap;

use gobeacon_formats::cache_entry::{ACTION_BYTES, Name, OutputKind};

use super::Stock;
use super::queue::first_byte;
use crate::inventory::Count;

/// Most entries known one by one, about 30 bytes each. A cache of a million is rare.
const MOST: u64 = 2 << 20;

/// One entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) bytes: u64,
    /// `None` for an action.
    pub(super) kind: Option<OutputKind>,
}

impl Entry {
    pub(super) const ACTION: Self = Self { bytes: ACTION_BYTES as u64, kind: None };
}

/// The first eight bytes of an id, the last bit for action or output.
type Key = u64;

#[derive(Debug)]
pub(super) struct Known {
    dirs: Vec<HashMap<Key, Packed>>,
    pub(super) stock: Stock,
    /// Too many: entries are not held one by one.
    too_many: bool,
    /// All directories were looked at once.
    pub(super) complete: bool,
}

/// Bytes and kind in one number.
#[derive(Debug, Clone, Copy)]
struct Packed(u64);

impl Default for Known {
    fn default() -> Self {
        let dirs = (0..256).map(|_| HashMap::new()).collect();
        Self { dirs, stock: Stock::default(), too_many: false, complete: false }
    }
}

impl Known {
    /// An entry is there, as of now.
    pub(super) fn put(&mut self, name: &Name, entry: Entry) {
        if self.too_many {
            return;
        }
        if self.stock.entries() >= MOST {
            self.give_up();
            return;
        }
        let Some(dir) = self.dirs.get_mut(usize::from(first_byte(name))) else { return };
        let before = dir.insert(key(name), Packed::of(entry)).map(Packed::entry);
        if let Some(before) = before {
            take(&mut self.stock, before);
        }
        add(&mut self.stock, entry);
    }

    /// An entry is gone. Says what it was, where that is known.
    pub(super) fn remove(&mut self, name: &Name) -> Option<Entry> {
        let entry = self.dirs.get_mut(usize::from(first_byte(name)))?.remove(&key(name))?.entry();
        take(&mut self.stock, entry);
        Some(entry)
    }

    /// What is held of an entry.
    pub(super) fn get(&self, name: &Name) -> Option<Entry> {
        self.dirs.get(usize::from(first_byte(name)))?.get(&key(name)).map(|it| it.entry())
    }

    /// Whether an entry that is not held is sure not to have been there.
    pub(super) fn is_sure(&self) -> bool {
        self.complete && !self.too_many
    }

    /// Whether entries are held one by one.
    pub(super) fn has_each(&self) -> bool {
        !self.too_many
    }

    /// What one directory has now, found by looking. Gives out those that were held and are there no more.
    pub(super) fn replace(&mut self, dir: u8, found: &[(Name, Entry)]) -> Vec<Entry> {
        if self.too_many {
            found.iter().for_each(|(_, entry)| add(&mut self.stock, *entry));
            return Vec::new();
        }
        let Some(held) = self.dirs.get_mut(usize::from(dir)) else { return Vec::new() };
        let mut before = std::mem::take(held);
        before.values().for_each(|it| take(&mut self.stock, it.entry()));
        for (name, entry) in found {
            before.remove(&key(name));
            held.insert(key(name), Packed::of(*entry));
            add(&mut self.stock, *entry);
        }
        if self.stock.entries() > MOST {
            self.give_up();
        }
        before.into_values().map(Packed::entry).collect()
    }

    /// A walk through all directories begins.
    pub(super) fn walk_begins(&mut self) {
        if self.too_many {
            self.stock = Stock::default();
        }
    }

    fn give_up(&mut self) {
        self.too_many = true;
        self.dirs.iter_mut().for_each(|dir| *dir = HashMap::new());
        tracing::warn!(
            most = MOST,
            "a build cache has too many entries to know each: its size is that of the last walk"
        );
    }
}

impl Packed {
    fn of(entry: Entry) -> Self {
        let kind = entry.kind.map_or(0, |kind| kind as u64 + 1);
        Self(entry.bytes << 4 | kind)
    }

    fn entry(self) -> Entry {
        let kind = (self.0 & 0xf).checked_sub(1).and_then(|n| OutputKind::ALL.get(usize::try_from(n).ok()?).copied());
        Entry { bytes: self.0 >> 4, kind }
    }
}

fn key(name: &Name) -> Key {
    let (id, last) = match name {
        Name::Action(id) => (id, 0),
        Name::Output(id) => (id, 1),
    };
    let [a, b, c, d, e, f, g, h, ..] = id.0;
    u64::from_be_bytes([a, b, c, d, e, f, g, h]) & !1 | last
}

fn tally(stock: &mut Stock, kind: Option<OutputKind>) -> Option<&mut Count> {
    match kind {
        None => Some(&mut stock.actions),
        Some(kind) => stock.outputs.get_mut(kind as usize),
    }
}

fn add(stock: &mut Stock, entry: Entry) {
    if let Some(tally) = tally(stock, entry.kind) {
        tally.add(entry.bytes);
    }
}

fn take(stock: &mut Stock, entry: Entry) {
    if let Some(tally) = tally(stock, entry.kind) {
        tally.entries = tally.entries.saturating_sub(1);
        tally.bytes = tally.bytes.saturating_sub(entry.bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use gobeacon_formats::cache_entry::Id;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_totals_are_those_of_what_is_held(steps in prop::collection::vec((any::<bool>(), 0..4_u8, 0..6_u8, 0..9_u64), 0..200)) {
            let mut known = Known::default();
            let mut model: BTreeMap<u8, (u64, OutputKind)> = BTreeMap::new();
            for (puts, n, kind, bytes) in steps {
                let name = Name::Output(Id([n; 32]));
                let kind = OutputKind::ALL[usize::from(kind)];
                if puts {
                    known.put(&name, Entry { bytes, kind: Some(kind) });
                    model.insert(n, (bytes, kind));
                } else {
                    let was = known.remove(&name).map(|it| (it.bytes, it.kind.unwrap()));
                    prop_assert_eq!(was, model.remove(&n));
                }
            }
            prop_assert_eq!(known.stock.entries(), model.len() as u64);
            prop_assert_eq!(known.stock.bytes(), model.values().map(|(bytes, _)| bytes).sum::<u64>());
        }
    }
}
