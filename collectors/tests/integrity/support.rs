//! A checksum database with a key of the test.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gobeacon_formats::module_path::escape;
use gobeacon_formats::sumdb::{Hash, Key, record_hash};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use sha2::{Digest as _, Sha256};

use crate::modules::Module;

pub(crate) const DATABASE: &str = "sum.test";

/// A log of two records, the second that of the module, with its tile and signed head.
pub(crate) struct Database {
    pair: Ed25519KeyPair,
}

impl Database {
    pub(crate) fn new() -> Self {
        Self { pair: Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap() }
    }

    fn public(&self) -> Vec<u8> {
        [&[1], self.pair.public_key().as_ref()].concat()
    }

    fn id(&self) -> Vec<u8> {
        let hash = Sha256::new().chain_update(DATABASE).chain_update("\n").chain_update(self.public()).finalize();
        hash[..4].to_vec()
    }

    pub(crate) fn key(&self) -> Key {
        let id: String = self.id().iter().map(|byte| format!("{byte:02x}")).collect();
        Key::parse(&format!("{DATABASE}+{id}+{}", STANDARD.encode(self.public()))).unwrap()
    }

    /// Puts the record of a module into a cache, and what proves it.
    pub(crate) fn put(&self, cache: &Path, module: &Module) {
        let leaves: [Hash; 2] = [record_hash("another record\n"), record_hash(&module.lines())];
        let head: Hash = Sha256::new().chain_update([1]).chain_update(leaves.concat()).finalize().into();
        let text = format!("go.sum database tree\n2\n{}\n", STANDARD.encode(head));
        let signature = [self.id(), self.pair.sign(text.as_bytes()).as_ref().to_vec()].concat();
        let note = format!("{text}\n\u{2014} {DATABASE} {}\n", STANDARD.encode(signature));
        let record = record(cache, module);
        fs::create_dir_all(record.parent().unwrap()).unwrap();
        fs::write(record, format!("1\n{}\n{note}", module.lines())).unwrap();
        let tile = tile(cache);
        fs::create_dir_all(tile.parent().unwrap()).unwrap();
        fs::write(tile, leaves.concat()).unwrap();
    }
}

pub(crate) fn record(cache: &Path, module: &Module) -> PathBuf {
    let name = format!("{}@{}", escape(module.path), module.version);
    cache.join("cache/download/sumdb").join(DATABASE).join("lookup").join(name)
}

pub(crate) fn tile(cache: &Path) -> PathBuf {
    cache.join("cache/download/sumdb").join(DATABASE).join("tile/8/0/000.p/2")
}
