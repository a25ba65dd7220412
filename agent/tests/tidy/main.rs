//! What prose cannot hold: the walls between the crates, and the habits that keep the house readable.
//!
//! Every test reads the files of the repository as text and names each offender with what to do about it. Nothing
//! here runs the program.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod docs;
mod repository;
mod source;
mod tree;
mod walls;

/// Fails with all offenders at once, one a line.
#[track_caller]
fn none(offenders: &[String], rule: &str) {
    assert!(offenders.is_empty(), "{rule}\n  {}", offenders.join("\n  "));
}
