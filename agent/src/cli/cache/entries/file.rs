//! Manifests: one JSON object a line, the first of which says what the others are.
//!
//! Invariant: what is written is read as the same; the same cache gives the same bytes.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use gobeacon_collectors::inventory::Problems;
use gobeacon_formats::Timestamp;
use gobeacon_formats::cache_entry::Id;
use serde::{Deserialize, Serialize};

use super::{CacheKind, Entries, Entry, Facts, Key, ModuleFacts, NoEntries};

/// What a manifest of another version of this format is not read as.
const FORMAT: u32 = 1;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
pub(in super::super) struct Header {
    gobeacon_manifest: u32,
    pub(in super::super) cache: CacheKind,
    /// Whether actions say what they gave.
    #[serde(default)]
    pub(in super::super) outputs: bool,
}

/// Every other line. What nobody knows is passed over, so that later versions may say more.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Line {
    Module {
        path: String,
        version: String,
        h1: Option<String>,
        go_mod_h1: Option<String>,
        zip_bytes: Option<u64>,
        extracted: bool,
    },
    Action {
        id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        output: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        bytes: Option<u64>,
        used: Option<String>,
    },
    Output {
        id: String,
        bytes: u64,
        used: Option<String>,
    },
}

/// The first line of a manifest.
pub(in super::super) fn header_line(entries: &Entries) -> serde_json::Result<String> {
    serde_json::to_string(&Header { gobeacon_manifest: FORMAT, cache: entries.kind, outputs: entries.has_outputs })
}

/// The line of an entry.
pub(in super::super) fn line(entry: &Entry) -> serde_json::Result<String> {
    let time = |used: &Option<Timestamp>| used.and_then(super::super::time);
    let line = match (&entry.key, &entry.facts) {
        (Key::Module { path, version }, Facts::Module(facts)) => Line::Module {
            path: path.clone(),
            version: version.clone(),
            h1: facts.h1.clone(),
            go_mod_h1: facts.go_mod_h1.clone(),
            zip_bytes: facts.zip_bytes,
            extracted: facts.is_extracted,
        },
        (Key::Action(id), Facts::Action { used, output }) => Line::Action {
            id: id.to_string(),
            output: output.map(|(id, _)| id.to_string()),
            bytes: output.map(|(_, bytes)| bytes),
            used: time(used),
        },
        (Key::Output(id), Facts::Output { used, bytes }) => {
            Line::Output { id: id.to_string(), bytes: *bytes, used: time(used) }
        }
        // a key and its facts are made together
        (Key::Module { .. } | Key::Action(_) | Key::Output(_), _) => return Ok(String::new()),
    };
    serde_json::to_string(&line)
}

/// Reads a manifest.
pub(super) fn read(path: &Path) -> Result<Entries, NoEntries> {
    let unreadable = |error| NoEntries::Unreadable { path: path.to_owned(), error };
    let malformed = |line: usize, why: String| NoEntries::Malformed { path: path.to_owned(), line: line + 1, why };
    let mut lines = BufReader::new(File::open(path).map_err(unreadable)?).lines().enumerate();
    let first = lines.next().map(|(_, line)| line).transpose().map_err(unreadable)?.unwrap_or_default();
    let header: Header = serde_json::from_str(&first)
        .map_err(|error| malformed(0, format!("this is no manifest of a cache: {error}")))?;
    if header.gobeacon_manifest != FORMAT {
        let why = format!("the format is {}, and only {FORMAT} is known", header.gobeacon_manifest);
        return Err(malformed(0, why));
    }
    let mut entries = Vec::new();
    for (number, text) in lines {
        let text = text.map_err(unreadable)?;
        let line: Line = serde_json::from_str(&text).map_err(|error| malformed(number, error.to_string()))?;
        let entry = entry(line).ok_or_else(|| malformed(number, "an id is 64 hexadecimal digits".to_owned()))?;
        let kind = if matches!(entry.key, Key::Module { .. }) { CacheKind::Module } else { CacheKind::Build };
        if kind != header.cache {
            return Err(malformed(number, "an entry of another kind of cache".to_owned()));
        }
        entries.push(entry);
    }
    entries.sort_by(|a, b| a.key.cmp(&b.key));
    if let Some(twice) = entries.windows(2).find_map(|pair| match pair {
        [a, b] if a.key == b.key => Some(&a.key),
        _ => None,
    }) {
        return Err(malformed(0, format!("it has an entry twice: {twice:?}")));
    }
    Ok(Entries { kind: header.cache, has_outputs: header.outputs, entries, problems: Problems::default() })
}

fn entry(line: Line) -> Option<Entry> {
    let time = |text: Option<String>| text.and_then(|text| Timestamp::parse_rfc3339(text.as_bytes()));
    Some(match line {
        Line::Module { path, version, h1, go_mod_h1, zip_bytes, extracted } => Entry {
            key: Key::Module { path, version },
            facts: Facts::Module(Box::new(ModuleFacts { h1, go_mod_h1, zip_bytes, is_extracted: extracted })),
        },
        Line::Action { id, output, bytes, used } => {
            let output = match output {
                Some(output) => Some((Id::from_hex(&output)?, bytes?)),
                None => None,
            };
            Entry { key: Key::Action(Id::from_hex(&id)?), facts: Facts::Action { used: time(used), output } }
        }
        Line::Output { id, bytes, used } => {
            Entry { key: Key::Output(Id::from_hex(&id)?), facts: Facts::Output { used: time(used), bytes } }
        }
    })
}
