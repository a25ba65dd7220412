//! Imports point one way: agent -> collectors -> formats; and a few crates are named in one room only.

use std::collections::BTreeSet;

use crate::{none, tree};

/// All that `formats` may depend on: it turns bytes into events and knows nothing else. Hashes of modules need base64,
/// flate2 and sha2; the signatures of the checksum database ring; maps foldhash; JSON simdutf8.
const FORMATS_MAY_USE: &[&str] =
    &["base64", "flate2", "foldhash", "jiff", "memchr", "ring", "serde", "serde_json", "sha2", "simdutf8"];

/// What a pure crate does not touch.
const WORLD: &[&str] = &[
    "std::env",
    "std::fs",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant::now",
    "tokio",
    "notify",
    "tracing::",
    "Timestamp::now",
];

/// What `collectors` does not know.
const NOT_FOR_COLLECTORS: &[&str] = &["prometheus", "opentelemetry", "tonic", "reqwest", "axum", "clap"];

/// Crates that one room of the agent keeps to itself, and the room: a file or a folder.
const ROOMS: &[(&[&str], &[&str])] = &[
    (&["prometheus::"], &["agent/src/metrics.rs", "agent/src/metrics/"]),
    (
        &["opentelemetry", "tonic::", "reqwest::", "prost::", "rustls::"],
        &["agent/src/export.rs", "agent/src/export/", "agent/src/self_telemetry.rs"],
    ),
    (&["axum::"], &["agent/src/admin.rs", "agent/src/admin/"]),
    (&["hyper::", "hyper_util::"], &["agent/src/admin.rs", "agent/src/export/transport/"]),
    (&["serde_saphyr", "garde::", "schemars::"], &["agent/src/config.rs", "agent/src/config/"]),
];

#[test]
fn formats_depends_on_nothing_that_knows_files_clocks_or_networks() {
    let extra: Vec<_> = dependencies("collectors/formats/Cargo.toml")
        .into_iter()
        .filter(|name| !FORMATS_MAY_USE.contains(&name.as_str()))
        .map(|name| format!("collectors/formats/Cargo.toml: {name}"))
        .collect();
    none(&extra, "formats is pure; if it truly needs another crate, say why in FORMATS_MAY_USE");
}

#[test]
fn formats_reads_no_file_no_clock_and_no_environment() {
    none(&names(tree::rust_under("collectors/formats/src/"), WORLD), "formats is pure: bytes in, events out");
}

#[test]
fn collectors_know_nothing_of_builds_metrics_or_exports() {
    let declared: Vec<_> = dependencies("collectors/Cargo.toml")
        .into_iter()
        .filter(|name| NOT_FOR_COLLECTORS.iter().any(|it| name.starts_with(it)))
        .map(|name| format!("collectors/Cargo.toml: {name}"))
        .collect();
    none(&declared, "collectors send events and know nothing of what becomes of them");
    none(&names(tree::rust_under("collectors/src/"), NOT_FOR_COLLECTORS), "collectors send events and nothing else");
}

#[test]
fn nothing_imports_the_agent() {
    let both = ["collectors/Cargo.toml", "collectors/formats/Cargo.toml"];
    let offenders: Vec<_> =
        both.into_iter().filter(|it| dependencies(it).contains("gobeacon")).map(str::to_owned).collect();
    none(&offenders, "the agent is the program: no library depends on it");
    assert!(!dependencies("collectors/formats/Cargo.toml").contains("gobeacon-collectors"));
}

#[test]
fn each_heavy_crate_is_named_in_one_room() {
    for (crates, rooms) in ROOMS {
        let elsewhere = tree::rust_under("agent/src/").filter(|file| !rooms.iter().any(|it| file.path.starts_with(it)));
        none(&names(elsewhere, crates), &format!("only {rooms:?} may name {crates:?}"));
    }
}

#[test]
fn every_dependency_is_declared_once_for_the_workspace() {
    let mut offenders = Vec::new();
    for manifest in ["agent/Cargo.toml", "collectors/Cargo.toml", "collectors/formats/Cargo.toml"] {
        for (name, line) in dependency_lines(manifest) {
            if !line.contains("workspace = true") && !line.contains(".workspace") {
                offenders.push(format!("{manifest}: {name}: {line}"));
            }
        }
    }
    none(&offenders, "versions stand in the workspace's Cargo.toml");
}

/// `file:line: word` for each word in the product code of these files.
fn names<'a>(files: impl Iterator<Item = &'a tree::File>, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        for (n, line) in file.product_lines() {
            if let Some(word) = words.iter().find(|word| names_crate(line, word)) {
                found.push(format!("{}:{n}: {word}", file.path));
            }
        }
    }
    found
}

/// Whether a line of code names the word, outside of string literals and not as the end of a longer name.
fn names_crate(line: &str, word: &str) -> bool {
    line.split('"').step_by(2).any(|code| {
        code.match_indices(word).any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
    })
}

/// Names under `[dependencies]` and `[target....dependencies]`; what only tests use does not matter.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    dependency_lines(manifest).into_iter().map(|(name, _)| name).collect()
}

fn dependency_lines(manifest: &str) -> Vec<(String, String)> {
    let text = tree::read(manifest);
    let mut found = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if line.starts_with('[') {
            inside = line.ends_with("dependencies]") && !line.contains("dev-dependencies");
        } else if inside && !line.trim_start().starts_with('#') {
            let name: String = line.chars().take_while(|c| c.is_alphanumeric() || "-_".contains(*c)).collect();
            if !name.is_empty() {
                found.push((name, line.to_owned()));
            }
        }
    }
    assert!(!found.is_empty(), "{manifest} declares no dependency: the reader of manifests is broken");
    found
}

#[test]
fn the_search_sees_code_and_passes_over_strings_and_longer_names() {
    assert!(names_crate("use tokio::sync::mpsc;", "tokio"));
    assert!(!names_crate(r#"let x = "tokio";"#, "tokio"));
    assert!(!names_crate("let my_tokio = 1;", "tokio"));
}
