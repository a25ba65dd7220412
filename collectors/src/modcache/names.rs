//! What the names of files below `cache/download` mean.
//!
//! Source: cmd/go/internal/modfetch (CachePath, tempFile): `VERSION.zip`, and `VERSION.zip`, a number and `.tmp` while it
//! is written. Versions are escaped, see [`gobeacon_formats::module_path`].
//!
//! Invariant: pure; a name that the go command does not make means nothing.

use std::sync::Arc;

/// A module version as the cache spells it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    /// The folder below `cache/download`, without `/@v`.
    pub(super) module: Arc<str>,
    pub(super) version: Box<str>,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name<'a> {
    /// The zip of this version, complete.
    Zip(&'a str),
    /// The zip of this version while it is written.
    Tmp(&'a str),
    /// Something else.
    Other,
}

/// Reads the name of a file in an `@v` folder.
pub(super) fn read(name: &str) -> Name<'_> {
    if let Some(version) = name.strip_suffix(".zip").filter(|version| !version.is_empty()) {
        return Name::Zip(version);
    }
    let parts = name.strip_suffix(".tmp").and_then(|name| name.rsplit_once(".zip"));
    match parts {
        Some((version, number)) if !version.is_empty() && is_number(number) => Name::Tmp(version),
        Some(_) | None => Name::Other,
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_go_command_are_told_from_all_others() {
        assert_eq!(read("v1.0.0.zip"), Name::Zip("v1.0.0"));
        assert_eq!(read("v1.0.0.zip123456789.tmp"), Name::Tmp("v1.0.0"));
        assert_eq!(read("v0.0.1-go1.27.3.linux-amd64.zip7.tmp"), Name::Tmp("v0.0.1-go1.27.3.linux-amd64"));
        assert_eq!(read("v1.0.0-a.zip.zip1.tmp"), Name::Tmp("v1.0.0-a.zip"));
        for other in [
            "v1.0.0.mod1.tmp",
            "v1.0.0.info",
            "v1.0.0.ziphash",
            "v1.0.0.lock",
            "list",
            ".zip",
            ".zip1.tmp",
            "v1.zip.tmp",
            "v1.zipx.tmp",
            "v1.zip1a.tmp",
            "",
            ".tmp",
        ] {
            assert_eq!(read(other), Name::Other, "{other}");
        }
    }
}
