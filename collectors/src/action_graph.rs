//! Graphs that go commands write for `-debug-actiongraph`, taken from a folder.
//!
//! It must not know what becomes of them.
//!
//! Invariant: a graph is told once, when it has its times.

use std::path::PathBuf;
use std::sync::Arc;

use gobeacon_formats::Timestamp;
use gobeacon_formats::action_graph::ActionGraph;

use crate::Collector;

/// The row of this collector.
pub static COLLECTOR: Collector = Collector { name: "action_graph", reads: "files of -debug-actiongraph" };

/// Where to look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Folders, with patterns.
    pub dirs: Vec<String>,
}

/// One graph.
#[derive(Debug, Clone)]
pub struct Report {
    /// The file.
    pub path: PathBuf,
    /// When it was read.
    pub observed: Timestamp,
    /// What it says.
    pub graph: Arc<ActionGraph>,
}
