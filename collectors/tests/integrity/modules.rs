//! Module versions made by hand, as they lie in a cache. The tests of the agent use it too.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(dead_code, reason = "each test uses its part of it")]

use std::fs;
use std::path::{Path, PathBuf};

use gobeacon_formats::h1::{self, H1};
use gobeacon_formats::module_path::escape;
use sha2::{Digest as _, Sha256};

/// A module version as it comes from a proxy.
pub(crate) struct Module {
    pub(crate) path: &'static str,
    pub(crate) version: &'static str,
    pub(crate) files: Vec<(&'static str, String)>,
}

/// One that has a go.mod and a source file.
pub(crate) fn module(path: &'static str, source: &str) -> Module {
    let go_mod = format!("module {path}\n");
    Module { path, version: "v1.0.0", files: vec![("go.mod", go_mod), ("c.go", source.to_owned())] }
}

impl Module {
    fn prefix(&self) -> String {
        format!("{}@{}/", self.path, self.version)
    }

    pub(crate) fn h1(&self) -> H1 {
        let mut files: Vec<(String, [u8; 32])> =
            self.files.iter().map(|(name, text)| (self.prefix() + name, Sha256::digest(text).into())).collect();
        files.sort();
        h1::of_files(files.iter().map(|(name, digest)| (name.as_bytes(), digest)))
    }

    pub(crate) fn go_mod_h1(&self) -> H1 {
        h1::of_go_mod(self.files[0].1.as_bytes())
    }

    /// Lines of a go.sum.
    pub(crate) fn lines(&self) -> String {
        let (path, version) = (self.path, self.version);
        format!("{path} {version} {}\n{path} {version}/go.mod {}\n", self.h1(), self.go_mod_h1())
    }

    pub(crate) fn file(&self, cache: &Path, end: &str) -> PathBuf {
        cache.join("cache/download").join(escape(self.path)).join("@v").join(format!("{}.{end}", self.version))
    }

    pub(crate) fn tree(&self, cache: &Path) -> PathBuf {
        cache.join(format!("{}@{}", escape(self.path), self.version))
    }

    /// Puts it into a cache, as a download and an extraction do, in their order.
    pub(crate) fn put(&self, cache: &Path) {
        fs::create_dir_all(self.file(cache, "zip").parent().unwrap()).unwrap();
        fs::write(self.file(cache, "mod"), &self.files[0].1).unwrap();
        fs::write(self.file(cache, "ziphash"), self.h1().to_string()).unwrap();
        let temporary = self.file(cache, "zip123.tmp");
        fs::write(&temporary, self.zip()).unwrap();
        fs::rename(temporary, self.file(cache, "zip")).unwrap();
        fs::create_dir_all(self.tree(cache)).unwrap();
        for (name, text) in &self.files {
            fs::write(self.tree(cache).join(name), text).unwrap();
        }
    }

    pub(crate) fn zip(&self) -> Vec<u8> {
        let (mut out, mut directory) = (Vec::new(), Vec::new());
        for (name, text) in &self.files {
            let name = self.prefix() + name;
            let header = out.len() as u32;
            let mut fields = vec![20, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            for number in [crc(text.as_bytes()), text.len() as u32, text.len() as u32, name.len() as u32] {
                fields.extend_from_slice(&number.to_le_bytes());
            }
            out.extend_from_slice(b"PK\x03\x04");
            out.extend_from_slice(&fields);
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(text.as_bytes());
            directory.extend_from_slice(b"PK\x01\x02\x14\x03");
            directory.extend_from_slice(&fields);
            directory.extend_from_slice(&[0; 10]);
            directory.extend_from_slice(&header.to_le_bytes());
            directory.extend_from_slice(name.as_bytes());
        }
        let at = out.len() as u32;
        out.extend_from_slice(&directory);
        out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
        let count = (self.files.len() as u16).to_le_bytes();
        out.extend_from_slice(&[count, count].concat());
        out.extend_from_slice(&(directory.len() as u32).to_le_bytes());
        out.extend_from_slice(&at.to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        out
    }
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

/// Changes one byte of a file.
pub(crate) fn flip(path: &Path, needle: &str) {
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.windows(needle.len()).position(|it| it == needle.as_bytes()).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}
