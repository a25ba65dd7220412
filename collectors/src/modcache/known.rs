//! What the caches of this machine hold or held: a download of it is redundant, and a zip that was told is not told again.
//!
//! Invariant: memory is bounded; what was learned first is forgotten first. Then a download may be told as needed
//! though it was not.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use gobeacon_formats::Timestamp;

use super::names::Key;

/// Most module versions remembered, in all caches together. Tens of bytes each; a large cache has a few ten thousand.
const MOST: usize = 131_072;

/// A map that forgets.
#[derive(Debug, Default)]
struct Forgetful {
    map: HashMap<u64, i64>,
    order: VecDeque<u64>,
}

impl Forgetful {
    fn insert(&mut self, hash: u64, value: i64) {
        if self.map.insert(hash, value).is_some() {
            return;
        }
        self.order.push_back(hash);
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.map.remove(&oldest);
        }
    }
}

/// The zips that are known.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// By cache, module and version: what the zip is.
    zips: Forgetful,
    /// By module and version alone.
    versions: Forgetful,
}

impl Known {
    /// A zip is there. `made` tells one zip of a version from another: its birth, or its last change.
    pub(super) fn insert(&mut self, root: &[u8; 16], key: &Key, made: Timestamp) {
        self.zips.insert(hash(&(root, key)), made.as_nanos());
        self.versions.insert(hash(key), 0);
    }

    /// Whether this very zip was told or was there.
    pub(super) fn has(&self, root: &[u8; 16], key: &Key, made: Timestamp) -> bool {
        self.zips.map.get(&hash(&(root, key))) == Some(&made.as_nanos())
    }

    /// Whether any cache holds or held this version.
    pub(super) fn had_version(&self, key: &Key) -> bool {
        self.versions.map.contains_key(&hash(key))
    }
}

fn hash(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: usize) -> Key {
        Key { module: format!("example.com/m{n}").into(), version: "v1.0.0".into() }
    }

    #[test]
    fn a_version_is_known_in_every_cache_and_a_zip_in_its_own_as_long_as_it_is_the_same() {
        let mut known = Known::default();
        let (one, two) = (Timestamp::from_nanos(1), Timestamp::from_nanos(2));
        known.insert(&[1; 16], &key(1), one);
        assert!(known.had_version(&key(1)) && !known.had_version(&key(2)));
        assert!(known.has(&[1; 16], &key(1), one));
        assert!(!known.has(&[1; 16], &key(1), two) && !known.has(&[2; 16], &key(1), one));
    }

    #[test]
    fn the_oldest_is_forgotten_at_the_bound() {
        let mut known = Known::default();
        for n in 0..=MOST {
            known.insert(&[1; 16], &key(n), Timestamp::from_nanos(1));
        }
        assert_eq!(known.versions.map.len(), MOST);
        assert!(!known.had_version(&key(0)) && known.had_version(&key(1)) && known.had_version(&key(MOST)));
    }
}
