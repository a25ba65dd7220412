//! What the go command keeps of the checksum database: records of modules, signed heads of the log, tiles of its tree.
//!
//! A record says which hashes a module version has, and comes with a signed head of the log. The signature covers the
//! head alone: it is the way from the record through the tree to the head that makes the record authentic, and the
//! tiles beside the records have that way as far as the go command had to walk it.
//!
//! Source: golang.org/x/mod/sumdb (client.go), sumdb/note, sumdb/tlog; cmd/go/internal/modfetch (sumdb.go, key.go).
//!
//! Invariant: [`Proof::Proved`] is said only when every hash from the record to the head was computed.

mod note;
mod tree;

pub use note::{Key, Note, Signed};
pub use tree::{Hash, Proof, TILE_HASHES, Tile, Tree, prove, record_hash};

/// The keys that the go command knows by itself (cmd/go/internal/modfetch/key.go).
pub const KNOWN_KEYS: [&str; 1] = ["sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"];

/// A file `lookup/MODULE@VERSION`: a record and the head that came with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its number in the log.
    pub number: u64,
    /// Lines of go.sum, for the zip and for go.mod; what the log has.
    pub text: &'a str,
    /// The head, as a note.
    pub head: &'a [u8],
}

impl<'a> Record<'a> {
    /// Reads a record (tlog.ParseRecord); `None` for one that is cut or damaged.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let first = memchr::memchr(b'\n', bytes)?;
        let number = std::str::from_utf8(bytes.get(..first)?).ok()?.parse().ok()?;
        let rest = bytes.get(first + 1..)?;
        let end = memchr::memmem::find(rest, b"\n\n")?;
        let text = std::str::from_utf8(rest.get(..=end)?).ok()?;
        let is_text = text.chars().all(|c| c == '\n' || c >= ' ') && !text.starts_with('\n');
        is_text.then_some(Self { number, text, head: rest.get(end + 2..)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_cut_into_number_text_and_head_and_nothing_else_is_one() {
        let record = Record::parse(b"7\na v1 h1:x\na v1/go.mod h1:y\n\nhead\n").unwrap();
        assert_eq!(record, Record { number: 7, text: "a v1 h1:x\na v1/go.mod h1:y\n", head: b"head\n" });
        for bytes in [&b""[..], b"7", b"7\na v1 h1:x\n", b"-1\na\n\nh", b"x\na\n\nh", b"7\na\x01\n\nh", b"7\n\n\nh"] {
            assert_eq!(Record::parse(bytes), None, "{bytes:?}");
        }
    }
}
