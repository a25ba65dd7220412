//! What is known of an open build, in few words: should its log be gone when a later life of the agent looks for it,
//! its root span is made of this.
//!
//! It must not know who keeps it.
//!
//! Invariants: the root has the ids that the build would have had, so that what was told of it has its parent; a
//! field that a later version adds is passed over, one that it leaves out has a default.

use std::sync::Arc;

use gobeacon_collectors::Source;
use gobeacon_formats::{FAILURES, Timestamp};
use serde::{Deserialize, Serialize};

use super::build::Telemetry;
use super::command::{self, Subcommand};
use super::packages::Why;
use super::root::{Identity, Root, count_named};
use super::summary::{BuildOutcome, EndedBy};
use super::{Outcome, Settings, ids, resource};

/// The root span of a build that is open, as data that outlives the process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Will {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<Vec<String>>,
    /// Nanoseconds since the epoch.
    start: i64,
    /// Of the last that was heard.
    end: i64,
    has_failed: bool,
    /// A failure says why.
    is_explained: bool,
    /// The class of what failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    counts: Vec<(String, u64)>,
}

impl Default for Will {
    fn default() -> Self {
        Self {
            name: command::UNKNOWN_NAME.to_owned(),
            words: None,
            start: 0,
            end: 0,
            has_failed: false,
            is_explained: false,
            class: None,
            message: None,
            counts: Vec::new(),
        }
    }
}

impl Will {
    pub(super) fn new(root: Root, (start, end): (Timestamp, Timestamp)) -> Self {
        let Root { name, words, outcome, is_explained, why, counts, exit_code: _, is_end_known: _ } = root;
        Self {
            name: name.to_owned(),
            words,
            start: start.as_nanos(),
            end: end.as_nanos(),
            has_failed: outcome == BuildOutcome::Failed,
            is_explained,
            class: why.as_ref().map(|why| why.class.id().to_owned()),
            message: why.and_then(|why| why.message),
            counts: counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect(),
        }
    }

    /// The log is gone: tells what there is to tell of the build that began in it at this offset.
    pub(super) fn execute(self, log: &Source, first_offset: u64, settings: &Settings, out: &mut Vec<Outcome>) {
        let trace = ids::trace_of_log(&settings.host_id, &log.id, first_offset);
        let identity = Identity { trace, root: ids::root_of(trace), first_offset };
        let start = Timestamp::from_nanos(self.start);
        let times = (start, Timestamp::from_nanos(self.end).max(start));
        let root = self.root();
        let (subcommand, has_failed) = (Subcommand::of_name(root.name), root.outcome == BuildOutcome::Failed);
        let class = root.why.as_ref().filter(|_| root.is_explained).map(|why| why.class);
        out.push(Outcome::Telemetry(Telemetry {
            resource: Arc::new(resource::of_log(&log.path, settings)),
            spans: vec![root.span(identity, times, EndedBy::LogGone)],
            logs: Vec::new(),
        }));
        out.push(Outcome::CommandLost { subcommand, has_failed, class });
    }

    fn root(self) -> Root {
        let class = self.class.and_then(|id| FAILURES.iter().find(|row| row.id == id)).map(|row| row.class);
        Root {
            name: command::known_name(&self.name),
            words: self.words,
            exit_code: None,
            outcome: if self.has_failed { BuildOutcome::Failed } else { BuildOutcome::Ok },
            is_end_known: false,
            is_explained: self.is_explained,
            why: class.map(|class| Why { class, message: self.message }),
            counts: self.counts.iter().filter_map(|(name, count)| Some((count_named(name)?, *count))).collect(),
        }
    }
}
