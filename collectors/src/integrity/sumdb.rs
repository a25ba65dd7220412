//! The records of checksum databases that a cache keeps, and whether they are authentic.
//!
//! Invariant: of a database whose key is known no hash is taken from a record that its log contradicts.

use std::collections::HashMap;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use gobeacon_formats::h1::H1;
use gobeacon_formats::sumdb::{
    Hash, KNOWN_KEYS, Key, Note, Proof, Record, Signed, TILE_HASHES, Tile, Tree, prove, record_hash,
};
use gobeacon_formats::{Artifact, Timestamp, gosum};

use super::entries::{Cache, Entry};
use crate::os;

/// A record is some hundred bytes.
const LARGEST_RECORD: u64 = 64 << 10;
/// Tiles and heads that are remembered: 2 MiB, and all that the records of a cache need at once.
const MOST_TILES: usize = 256;
const MOST_HEADS: usize = 4096;

/// The keys that the go command knows by itself.
pub fn known_keys() -> Vec<Key> {
    KNOWN_KEYS.iter().filter_map(|text| Key::parse(text)).collect()
}

/// What a record came to.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) place: PathBuf,
    pub(super) written: Timestamp,
    pub(super) said: Result<Said, &'static str>,
}

/// What an authentic record says, or one that nobody can judge.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) sums: Vec<(Artifact, H1)>,
    /// It was proved to be in the log.
    pub(super) is_proved: bool,
}

/// Reads records; remembers what many of them share.
#[derive(Debug)]
pub(super) struct Reader {
    keys: Vec<Key>,
    tiles: HashMap<PathBuf, Vec<Hash>>,
    heads: HashMap<u64, Option<Tree>>,
}

impl Reader {
    pub(super) fn new(keys: Vec<Key>) -> Self {
        Self { keys, tiles: HashMap::new(), heads: HashMap::new() }
    }

    /// Every record of a version that the cache has.
    pub(super) fn records(&mut self, cache: &Cache, entry: &Entry) -> Vec<Found> {
        let mut found = Vec::new();
        for (name, database) in &cache.databases {
            let place = entry.record(database);
            let Ok(stat) = os::stat(&place) else { continue };
            // one that is empty is about to be written (modfetch: dbClient.ReadCache)
            let Ok(bytes) = small_file(&place, LARGEST_RECORD) else { continue };
            if !bytes.is_empty() {
                let latest = cache.root.path.parent().map(|pkg| pkg.join("sumdb").join(name).join("latest"));
                let said = self.judge(&bytes, entry, name, database, latest.as_deref());
                found.push(Found { place, written: stat.modified, said });
            }
        }
        found
    }

    fn judge(
        &mut self,
        bytes: &[u8],
        entry: &Entry,
        name: &str,
        database: &Path,
        latest: Option<&Path>,
    ) -> Result<Said, &'static str> {
        let record = Record::parse(bytes).ok_or("it is no record of a checksum database")?;
        let head = self.head(record.head, name)?;
        let hash = record_hash(record.text);
        let mut is_proved = false;
        if let Some(tree) = head {
            let mut proof = self.prove(&tree, &record, &hash, database);
            if proof != Proof::Proved
                && let Some(later) = latest.and_then(|path| small_file(path, LARGEST_RECORD).ok())
                && let Ok(Some(later)) = self.head(&later, name)
                && self.prove(&later, &record, &hash, database) == Proof::Proved
            {
                proof = Proof::Proved;
            }
            match proof {
                Proof::Proved => is_proved = true,
                Proof::Missing => {}
                Proof::WrongTiles => return Err("the tiles beside it do not lead to the signed head of the log"),
                Proof::WrongRecord => return Err("it is not the record that the log has"),
            }
        }
        let mut sums = Vec::new();
        gosum::read(record.text.as_bytes(), |line| {
            if line.module == entry.module && line.version == entry.version {
                sums.push((line.artifact, line.sum));
            }
        });
        if sums.is_empty() { Err("it is the record of another module version") } else { Ok(Said { sums, is_proved }) }
    }

    /// The head of the log in a note; `None` where its key is not known.
    fn head(&mut self, note: &[u8], name: &str) -> Result<Option<Tree>, &'static str> {
        let mut hasher = DefaultHasher::new();
        (note, name).hash(&mut hasher);
        let id = hasher.finish();
        if let Some(known) = self.heads.get(&id) {
            return Ok(*known);
        }
        let note = Note::parse(note).ok_or("the head of the log in it is no signed note")?;
        let own: Vec<_> = self.keys.iter().filter(|key| key.name() == name).cloned().collect();
        let tree = match note.signed(&own) {
            Signed::Yes => Some(Tree::parse(note.text).ok_or("what is signed in it is no head of a log")?),
            // the database is known, and this is not by it
            Signed::Unknown if !own.is_empty() => {
                return Err("the head of the log in it is not signed by the database");
            }
            Signed::Unknown => None,
            Signed::Forged => return Err("the signature of the head of the log in it is wrong"),
        };
        if self.heads.len() >= MOST_HEADS {
            self.heads.clear();
        }
        self.heads.insert(id, tree);
        Ok(tree)
    }

    fn prove(&mut self, tree: &Tree, record: &Record<'_>, hash: &Hash, database: &Path) -> Proof {
        prove(tree, record.number, hash, |tile| {
            let path = database.join(tile.path());
            let is_enough = |hashes: &&Vec<Hash>| hashes.len() as u64 >= tile.width;
            if let Some(hashes) = self.tiles.get(&path).filter(is_enough) {
                return Some(hashes.clone());
            }
            let hashes = read_tile(&path, &tile)?;
            if self.tiles.len() >= MOST_TILES {
                self.tiles.clear();
            }
            self.tiles.insert(path, hashes.clone());
            Some(hashes)
        })
    }
}

/// The complete tile, else the widest of the others.
fn read_tile(path: &Path, tile: &Tile) -> Option<Vec<Hash>> {
    let whole = hashes(path).filter(|it| it.len() as u64 >= tile.width);
    whole.or_else(|| {
        let partial = path.with_extension("p");
        let widths = fs::read_dir(&partial).ok()?.flatten();
        let widths = widths.filter_map(|entry| entry.file_name().to_str()?.parse::<u64>().ok());
        let widest = widths.filter(|width| (tile.width..TILE_HASHES).contains(width)).max()?;
        hashes(&partial.join(widest.to_string())).filter(|it| it.len() as u64 == widest)
    })
}

fn hashes(path: &Path) -> Option<Vec<Hash>> {
    let (hashes, rest) = small_file(path, TILE_HASHES * 32).ok().map(|bytes| {
        let (hashes, rest) = bytes.as_chunks::<32>();
        (hashes.to_vec(), rest.len())
    })?;
    (rest == 0).then_some(hashes)
}

/// A file that cannot be large.
pub(super) fn small_file(path: &Path, largest: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    os::open(path)?.take(largest + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > largest {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}
