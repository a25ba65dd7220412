//! What the go command prints, as events.
//!
//! This crate is pure: bytes go in, [`Event`]s come out. It opens no file, reads no clock and no environment, and
//! knows nothing of builds, spans or metrics. Parsing never fails: a line that means nothing is counted and passed
//! over. What it holds for a stream is bounded, whatever the stream says.

pub mod action_graph;
pub mod cache_entry;
pub mod counters;
mod dialects;
pub mod event;
pub mod failure;
mod framing;
pub mod gosum;
pub mod h1;
mod json;
mod line;
mod lines;
pub mod module_path;
mod parser;
mod stack;
pub mod sumdb;
mod text;
pub mod time;
pub mod zip;

pub use event::{CaseStatus, Event, EventKind, HttpAnswer, ModuleChange, PackageStatus};
pub use failure::{FAILURES, Failure, FailureClass, FailureRow, Severity};
pub use framing::{KeptParts, Parts};
pub use parser::{LineCounts, Parser};
pub use time::Timestamp;

/// What of a module version a hash is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Artifact {
    /// All its files.
    Zip,
    /// Its go.mod alone.
    GoMod,
}

impl Artifact {
    /// The value of the `artifact` label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zip => "zip",
            Self::GoMod => "go_mod",
        }
    }
}
