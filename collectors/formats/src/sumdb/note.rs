//! Signed notes: text, an empty line, and lines with signatures.
//!
//! Source: golang.org/x/mod/sumdb/note (`Open`, `NewVerifier`).
//!
//! Invariant: a note is good only when a key that we know signed its text, and no key that we know says otherwise.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, UnparsedPublicKey};
use sha2::{Digest as _, Sha256};

/// What a line with a signature begins with.
const MARK: &str = "\u{2014} ";
/// Most signatures that are looked at.
const MOST_SIGNATURES: usize = 100;
/// The one algorithm there is.
const ALGORITHM: u8 = 1;

/// A key that notes are verified with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    name: String,
    id: [u8; 4],
    public: [u8; 32],
}

impl Key {
    /// Reads `name+id+key`, the id in 8 hexadecimal digits, the key in base64; `None` for anything else, also when the
    /// id is not that of the key.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, rest) = text.split_once('+')?;
        let (id, key) = rest.split_once('+')?;
        let key = STANDARD.decode(key).ok()?;
        let hash = Sha256::new().chain_update(name).chain_update("\n").chain_update(&key).finalize();
        let own_id: [u8; 4] = *hash.first_chunk()?;
        let said_id = u32::from_str_radix(id, 16).ok().filter(|_| id.len() == 8)?;
        let (algorithm, public) = key.split_first()?;
        let is_one = *algorithm == ALGORITHM && said_id == u32::from_be_bytes(own_id) && is_name(name);
        is_one.then_some(Self { name: name.to_owned(), id: own_id, public: public.try_into().ok()? })
    }

    /// Whose key it is: the name of the database.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn signed(&self, text: &str, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.public).verify(text.as_bytes(), signature).is_ok()
    }
}

/// Whether a note is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signed {
    /// By a key that we know.
    Yes,
    /// By no key that we know.
    Unknown,
    /// It claims to be by a key that we know, and is not.
    Forged,
}

/// A note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note<'a> {
    /// What is signed, with its last line end.
    pub text: &'a str,
    signatures: Vec<(&'a str, Vec<u8>)>,
}

impl<'a> Note<'a> {
    /// Reads a note; `None` for what is none.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let whole = std::str::from_utf8(bytes).ok().filter(|it| it.chars().all(|c| c == '\n' || c >= ' '))?;
        let split = whole.rfind("\n\n")?;
        let (text, lines) = (whole.get(..=split)?, whole.get(split + 2..)?.strip_suffix('\n')?);
        let mut signatures = Vec::new();
        for line in lines.split('\n') {
            let (name, signature) = line.strip_prefix(MARK)?.split_once(' ')?;
            let signature = STANDARD.decode(signature).ok().filter(|it| it.len() >= 5 && is_name(name))?;
            signatures.push((name, signature));
        }
        (signatures.len() <= MOST_SIGNATURES).then_some(Self { text, signatures })
    }

    /// Verifies it with all keys that are named in it.
    pub fn signed(&self, keys: &[Key]) -> Signed {
        let mut signed = Signed::Unknown;
        for (name, signature) in &self.signatures {
            let Some((id, signature)) = signature.split_first_chunk::<4>() else { continue };
            for key in keys.iter().filter(|key| key.name == *name && key.id == *id) {
                if !key.signed(self.text, signature) {
                    return Signed::Forged;
                }
                signed = Signed::Yes;
            }
        }
        signed
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '+')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sumdb::KNOWN_KEYS;
    use ring::signature::{Ed25519KeyPair, KeyPair as _};

    /// A key of the test and a note that it signed.
    fn key_and_note(name: &str, text: &str) -> (String, String) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let public = [&[ALGORITHM], pair.public_key().as_ref()].concat();
        let hash = Sha256::new().chain_update(name).chain_update("\n").chain_update(&public).finalize();
        let signature = [&hash[..4], pair.sign(text.as_bytes()).as_ref()].concat();
        let id: String = hash[..4].iter().map(|byte| format!("{byte:02x}")).collect();
        let key = format!("{name}+{id}+{}", STANDARD.encode(public));
        (key, format!("{text}\n{MARK}{name} {}\n", STANDARD.encode(signature)))
    }

    #[test]
    fn the_keys_of_the_go_command_are_keys_and_those_that_are_changed_are_none() {
        for text in KNOWN_KEYS {
            assert_eq!(Key::parse(text).unwrap().name(), "sum.golang.org");
            assert_eq!(Key::parse(&text.replace("+033d", "+133d")), None);
            assert_eq!(Key::parse(&text.replace("8OuAn8", "8OuAn9")), None);
        }
        assert_eq!(Key::parse("a+b"), None);
    }

    #[test]
    fn a_note_is_good_when_a_known_key_signed_it_and_forged_when_its_text_changed() {
        let (key, note) = key_and_note("test.db", "one\ntwo\n");
        let keys = [Key::parse(&key).unwrap()];
        let parsed = Note::parse(note.as_bytes()).unwrap();
        assert_eq!((parsed.text, parsed.signed(&keys)), ("one\ntwo\n", Signed::Yes));
        assert_eq!(parsed.signed(&[]), Signed::Unknown);
        let forged = note.replace("two", "six");
        assert_eq!(Note::parse(forged.as_bytes()).unwrap().signed(&keys), Signed::Forged);
    }

    #[test]
    fn what_is_no_note_is_none() {
        let (_, note) = key_and_note("test.db", "one\n");
        for text in [
            "",
            "one\n",
            "one\n\n",
            "one\n\nx\n",
            "one\n\n\u{2014} a b\n",
            note.trim_end(),
            "\x01\n\n\u{2014} a AAAAAAA=\n",
        ] {
            assert_eq!(Note::parse(text.as_bytes()), None, "{text:?}");
        }
    }
}
