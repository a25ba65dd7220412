//! The tree of the log: heads, tiles, and the way from a record to a head.
//!
//! A tile has the hashes of 256 neighbours on every eighth level; those between are computed. The rightmost tile of a
//! level may be narrower. Source: golang.org/x/mod/sumdb/tlog (`ParseTree`, `Tile.Path`, `tileHashReader.ReadHashes`).
//!
//! Invariant: no tile is believed before the tiles above it lead to the hash of the head.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// A SHA-256.
pub type Hash = [u8; 32];

/// Levels in a tile. The go command uses tiles of this height only (sumdb.Client.init).
const HEIGHT: u32 = 8;
/// Hashes in a tile that is complete.
pub const TILE_HASHES: u64 = 1 << HEIGHT;
/// No log has more levels of tiles.
const MOST_LEVELS: u32 = 8;

/// The head of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tree {
    /// How many records it has.
    pub records: u64,
    /// The hash over all of them.
    pub hash: Hash,
}

impl Tree {
    /// Reads the text of a note (tlog.ParseTree); `None` for what is no head.
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_prefix("go.sum database tree\n")?.split('\n');
        let (records, hash) = (lines.next()?, lines.next()?);
        lines.next()?;
        let records = records.parse().ok().filter(|it: &u64| it.to_string() == records && *it < 1 << 62)?;
        Some(Self { records, hash: STANDARD.decode(hash).ok()?.try_into().ok()? })
    }
}

/// Which tile, and how many hashes of it are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tile {
    /// Level of tiles, 0 for that of the records.
    pub level: u32,
    /// Place on its level.
    pub number: u64,
    /// How many hashes are wanted; one that has more begins with them.
    pub width: u64,
}

impl Tile {
    /// Its path below the folder of the database when it is complete; one of fewer hashes is `.p/WIDTH` behind it.
    pub fn path(&self) -> String {
        let mut number = self.number;
        let mut path = format!("{:03}", number % 1000);
        while number >= 1000 {
            number /= 1000;
            path = format!("x{:03}/{path}", number % 1000);
        }
        format!("tile/{HEIGHT}/{}/{path}", self.level)
    }
}

/// What became of a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The record is in the log.
    Proved,
    /// A tile on the way is not there.
    Missing,
    /// The tiles do not lead to the head.
    WrongTiles,
    /// The log has another record in this place.
    WrongRecord,
}

/// The hash of a record (RFC 6962, section 2.1).
pub fn record_hash(text: &str) -> Hash {
    Sha256::new().chain_update([0]).chain_update(text).finalize().into()
}

fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// Proves that the log has this record in this place. `fetch` gives the hashes of a tile, at least as many as are
/// wanted; what it gives need not be trusted.
pub fn prove(tree: &Tree, number: u64, record: &Hash, mut fetch: impl FnMut(Tile) -> Option<Vec<Hash>>) -> Proof {
    if number >= tree.records {
        return Proof::Missing;
    }
    let mut tiles: BTreeMap<(u32, u64), Vec<Hash>> = BTreeMap::new();
    let mut get = |level: u32, place: u64| {
        let there = (tree.records >> (level * HEIGHT)).saturating_sub(place << HEIGHT);
        let width = there.min(TILE_HASHES);
        let hashes = fetch(Tile { level, number: place, width })?;
        let hashes = hashes.get(..usize::try_from(width).ok()?)?;
        (!hashes.is_empty()).then(|| hashes.to_vec())
    };
    let peaks = peaks(tree.records);
    let mut head: Option<Hash> = None;
    for (level, place) in peaks.into_iter().rev() {
        let (tile_level, within) = (level / HEIGHT, level % HEIGHT);
        let tile = (tile_level, (place << within) >> HEIGHT);
        let hashes = match tiles.entry(tile) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(place) => match get(tile.0, tile.1) {
                Some(hashes) => place.insert(hashes),
                None => return Proof::Missing,
            },
        };
        let from = usize::try_from((place << within) % TILE_HASHES).unwrap_or_default();
        let under = hashes.get(from..from + (1 << within));
        let Some(hash) = under.and_then(over) else { return Proof::WrongTiles };
        head = Some(head.map_or(hash, |right| node_hash(&hash, &right)));
    }
    if head != Some(tree.hash) {
        return Proof::WrongTiles;
    }
    // up to a tile that is authentic by now, and down again
    let mut path = Vec::new();
    let mut tile = (0, number >> HEIGHT);
    while !tiles.contains_key(&tile) {
        path.push(tile);
        tile = (tile.0 + 1, tile.1 >> HEIGHT);
        if tile.0 > MOST_LEVELS {
            return Proof::WrongTiles;
        }
    }
    let mut above = tiles.remove(&tile).unwrap_or_default();
    while let Some((level, place)) = path.pop() {
        let Some(hashes) = get(level, place) else { return Proof::Missing };
        let is_full = hashes.len() as u64 == TILE_HASHES;
        if !is_full || over(&hashes).as_ref() != nth(&above, place) {
            return Proof::WrongTiles;
        }
        above = hashes;
    }
    if nth(&above, number) == Some(record) { Proof::Proved } else { Proof::WrongRecord }
}

/// Which of the hashes of a tile belongs to this place on its level.
fn nth(hashes: &[Hash], place: u64) -> Option<&Hash> {
    hashes.get(usize::try_from(place % TILE_HASHES).ok()?)
}

/// The complete trees that a log of so many records is made of, the largest first: level and place of each.
fn peaks(records: u64) -> Vec<(u32, u64)> {
    let mut from = 0;
    let mut peaks = Vec::new();
    while from < records {
        let level = (records - from).ilog2();
        peaks.push((level, from >> level));
        from += 1 << level;
    }
    peaks
}

/// The hash over hashes whose count is a power of two.
fn over(hashes: &[Hash]) -> Option<Hash> {
    let mut level = hashes.to_vec();
    while level.len() > 1 {
        let pairs = level.chunks_exact(2).filter_map(|pair| match pair {
            [left, right] => Some(node_hash(left, right)),
            _ => None,
        });
        level = pairs.collect();
    }
    level.pop()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log of so many records, with all its tiles.
    struct Log {
        /// The hashes that stand in tiles, by level of tiles.
        levels: Vec<Vec<Hash>>,
        tree: Tree,
    }

    impl Log {
        fn new(records: u64) -> Self {
            let leaves: Vec<_> = (0..records).map(|it| record_hash(&it.to_string())).collect();
            let tree = Tree { records, hash: Self::head(&leaves) };
            let mut levels = vec![leaves];
            while levels.last().unwrap().len() >= 256 {
                let next = levels.last().unwrap().chunks_exact(256).map(|it| over(it).unwrap()).collect();
                levels.push(next);
            }
            Self { levels, tree }
        }

        /// RFC 6962, section 2.1, word by word.
        fn head(leaves: &[Hash]) -> Hash {
            match leaves {
                [leaf] => *leaf,
                _ => {
                    let mut left = 1;
                    while left * 2 < leaves.len() {
                        left *= 2;
                    }
                    node_hash(&Self::head(&leaves[..left]), &Self::head(&leaves[left..]))
                }
            }
        }

        fn tile(&self, tile: Tile) -> Option<Vec<Hash>> {
            let level = self.levels.get(tile.level as usize)?;
            let hashes = level.get(usize::try_from(tile.number * TILE_HASHES).unwrap()..)?;
            Some(hashes.iter().take(256).copied().collect())
        }
    }

    #[test]
    fn every_record_of_logs_of_many_sizes_is_proved_and_no_other_is() {
        for records in [1, 2, 3, 7, 255, 256, 257, 511, 513, 66_000] {
            let log = Log::new(records);
            let step = usize::try_from(records / 7 + 1).unwrap();
            for number in (0..records).step_by(step).chain([records - 1]) {
                let hash = record_hash(&number.to_string());
                assert_eq!(prove(&log.tree, number, &hash, |tile| log.tile(tile)), Proof::Proved, "{number}/{records}");
                let other = record_hash("other");
                assert_eq!(prove(&log.tree, number, &other, |tile| log.tile(tile)), Proof::WrongRecord);
            }
        }
    }

    #[test]
    fn a_tile_that_is_missing_narrow_or_changed_proves_nothing() {
        let log = Log::new(70_000);
        let (tree, hash) = (log.tree, record_hash("1000"));
        for level in [0, 1] {
            let only = |keep: fn(Vec<Hash>) -> Option<Vec<Hash>>| {
                prove(
                    &tree,
                    1000,
                    &hash,
                    |tile| if tile.level == level { keep(log.tile(tile)?) } else { log.tile(tile) },
                )
            };
            assert_eq!(only(|_| None), Proof::Missing);
            assert_eq!(only(|hashes| Some(hashes[..1].to_vec())), Proof::Missing);
            let changed = only(|mut hashes| {
                hashes[0][0] ^= 1;
                Some(hashes)
            });
            assert_eq!(changed, Proof::WrongTiles);
        }
        assert_eq!(prove(&tree, 70_000, &hash, |tile| log.tile(tile)), Proof::Missing);
    }

    #[test]
    fn paths_of_tiles_are_those_of_the_go_command() {
        let path = |level, number| Tile { level, number, width: 256 }.path();
        assert_eq!(path(0, 5), "tile/8/0/005");
        assert_eq!(path(4, 1_234_067), "tile/8/4/x001/x234/067");
    }

    #[test]
    fn a_head_is_three_lines_and_more_are_allowed() {
        let hash = STANDARD.encode([3; 32]);
        let tree = Tree { records: 7, hash: [3; 32] };
        assert_eq!(Tree::parse(&format!("go.sum database tree\n7\n{hash}\n")), Some(tree));
        assert_eq!(Tree::parse(&format!("go.sum database tree\n7\n{hash}\nmore\n")), Some(tree));
        for text in ["", "go.sum database tree\n7\n", "go.sum database tree\n07\nx\n", "another\n7\nx\n"] {
            assert_eq!(Tree::parse(text), None, "{text}");
        }
    }
}
