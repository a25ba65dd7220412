//! What the go command prints, as events.
//!
//! This crate is pure: bytes go in, [`Event`]s come out. It opens no file, reads no clock and no environment, and
//! knows nothing of builds, spans or metrics. Parsing never fails: a line that means nothing is counted and passed
//! over. What it holds for a stream is bounded, whatever the stream says.

pub mod action_graph;
pub mod cache_entry;
mod dialects;
pub mod event;
pub mod failure;
mod framing;
mod json;
mod line;
mod lines;
pub mod module_path;
mod parser;
mod text;
pub mod time;

pub use event::{CaseStatus, Event, EventKind, HttpAnswer, ModuleChange, PackageStatus};
pub use failure::{FAILURES, Failure, FailureClass, FailureRow, Severity};
pub use parser::{LineCounts, Parser};
pub use time::Timestamp;
