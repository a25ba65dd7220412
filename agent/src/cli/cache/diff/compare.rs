//! The difference of two sorted lists of entries.
//!
//! Invariant: what is compared with itself is the same; compared the other way round, missing and extra change places
//! and the conflicts stay.

use std::cmp::Ordering;

use super::super::entries::{Entry, Facts, Key, ModuleFacts};

/// What differs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Difference<'a> {
    /// How many are the same.
    pub(super) same: u64,
    /// In A only.
    pub(super) missing: Vec<&'a Key>,
    /// In B only.
    pub(super) extra: Vec<&'a Key>,
    /// In both, and not the same.
    pub(super) conflicting: Vec<Conflict<'a>>,
}

/// An entry that is not the same in both.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Conflict<'a> {
    pub(super) key: &'a Key,
    pub(super) what: What,
    pub(super) a: String,
    pub(super) b: String,
}

/// What of it is not the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Zip,
    GoMod,
    Output,
    Bytes,
}

impl What {
    /// The word for it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Zip => "zip",
            Self::GoMod => "go.mod",
            Self::Output => "output",
            Self::Bytes => "bytes",
        }
    }
}

impl Difference<'_> {
    pub(super) fn is_same(&self) -> bool {
        self.missing.is_empty() && self.extra.is_empty() && self.conflicting.is_empty()
    }
}

/// Compares two sorted lists.
pub(super) fn compare<'a>(a: &'a [Entry], b: &'a [Entry]) -> Difference<'a> {
    let mut found = Difference::default();
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    loop {
        let order = match (a.peek(), b.peek()) {
            (None, None) => return found,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => a.key.cmp(&b.key),
        };
        match order {
            Ordering::Less => found.missing.extend(a.next().map(|it| &it.key)),
            Ordering::Greater => found.extra.extend(b.next().map(|it| &it.key)),
            Ordering::Equal => {
                if let (Some(a), Some(b)) = (a.next(), b.next()) {
                    found.both(a, b);
                }
            }
        }
    }
}

impl<'a> Difference<'a> {
    fn both(&mut self, a: &'a Entry, b: &Entry) {
        let key = &a.key;
        let before = self.conflicting.len();
        let mut conflict = |what, a: String, b: String| self.conflicting.push(Conflict { key, what, a, b });
        match (&a.facts, &b.facts) {
            (Facts::Module(a), Facts::Module(b)) => match (a.is_built_from(), b.is_built_from()) {
                (true, false) => return self.missing.push(key),
                (false, true) => return self.extra.push(key),
                (true, true) | (false, false) => modules(a, b, &mut conflict),
            },
            (Facts::Action { output: Some(a), .. }, Facts::Action { output: Some(b), .. }) if a != b => {
                conflict(What::Output, a.0.to_string(), b.0.to_string());
            }
            (Facts::Output { bytes: a, .. }, Facts::Output { bytes: b, .. }) if a != b => {
                conflict(What::Bytes, a.to_string(), b.to_string());
            }
            (Facts::Action { .. } | Facts::Output { .. } | Facts::Module(_), _) => {}
        }
        self.same += u64::from(self.conflicting.len() == before);
    }
}

/// Hashes that both know; the bytes of zips where a hash is not known.
fn modules(a: &ModuleFacts, b: &ModuleFacts, conflict: &mut dyn FnMut(What, String, String)) {
    let mut hashes = |what, a: &Option<String>, b: &Option<String>| match (a, b) {
        (Some(a), Some(b)) if a != b => conflict(what, a.clone(), b.clone()),
        (Some(_) | None, _) => {}
    };
    hashes(What::GoMod, &a.go_mod_h1, &b.go_mod_h1);
    hashes(What::Zip, &a.h1, &b.h1);
    if a.h1.is_none() || b.h1.is_none() {
        let bytes = |facts: &ModuleFacts| facts.zip_bytes.map(|bytes| format!("{bytes} bytes"));
        hashes(What::Zip, &bytes(a), &bytes(b));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gobeacon_formats::cache_entry::Id;
    use proptest::prelude::*;

    fn hash() -> impl Strategy<Value = Option<String>> {
        proptest::option::of("h1:[ab]")
    }

    fn entry() -> impl Strategy<Value = Entry> {
        let module = ("[ab]{1,2}", "v[01]", hash(), hash(), proptest::option::of(0_u64..2), any::<bool>());
        let module = module.prop_map(|(path, version, h1, go_mod_h1, zip_bytes, is_extracted)| Entry {
            key: Key::Module { path, version },
            facts: Facts::Module(Box::new(ModuleFacts { h1, go_mod_h1, zip_bytes, is_extracted })),
        });
        let id = || (0_u8..8).prop_map(|byte| Id([byte; 32]));
        let action = (id(), proptest::option::of((id(), 0_u64..2)))
            .prop_map(|(id, output)| Entry { key: Key::Action(id), facts: Facts::Action { used: None, output } });
        let output = (id(), 0_u64..2)
            .prop_map(|(id, bytes)| Entry { key: Key::Output(id), facts: Facts::Output { used: None, bytes } });
        prop_oneof![module, action, output]
    }

    fn entries() -> impl Strategy<Value = Vec<Entry>> {
        proptest::collection::vec(entry(), 0..20).prop_map(|mut entries| {
            entries.sort_by(|a, b| a.key.cmp(&b.key));
            entries.dedup_by(|a, b| a.key == b.key);
            entries
        })
    }

    proptest! {
        #[test]
        fn a_cache_is_the_same_as_itself(a in entries()) {
            let found = compare(&a, &a);
            prop_assert!(found.is_same());
            prop_assert_eq!(found.same, a.len() as u64);
        }

        #[test]
        fn the_other_way_round_missing_is_extra_and_conflicts_stay(a in entries(), b in entries()) {
            let (there, back) = (compare(&a, &b), compare(&b, &a));
            prop_assert_eq!(&there.missing, &back.extra);
            prop_assert_eq!(&there.extra, &back.missing);
            prop_assert_eq!(there.same, back.same);
            let turned: Vec<_> =
                back.conflicting.iter().map(|it| (it.key, it.what, it.b.clone(), it.a.clone())).collect();
            let straight: Vec<_> =
                there.conflicting.iter().map(|it| (it.key, it.what, it.a.clone(), it.b.clone())).collect();
            prop_assert_eq!(straight, turned);
        }

        #[test]
        fn every_entry_is_in_one_place(a in entries(), b in entries()) {
            let found = compare(&a, &b);
            let mut conflicting: Vec<_> = found.conflicting.iter().map(|it| it.key).collect();
            conflicting.dedup();
            let both = found.same + conflicting.len() as u64;
            let all: std::collections::BTreeSet<_> = a.iter().chain(&b).map(|it| &it.key).collect();
            prop_assert_eq!(all.len() as u64, both + (found.missing.len() + found.extra.len()) as u64);
        }
    }
}
