//! What is remembered, as plain data, and how it stands in the journal.
//!
//! Invariant: a field that a later version adds is passed over, one that it leaves out has a default.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gobeacon_collectors::logs::{Fingerprint, Known, Step};
use gobeacon_collectors::{Bookmark, Cause, Source};
use gobeacon_formats::{KeptParts, Timestamp};
use serde::{Deserialize, Serialize};

use crate::builds::{Resumption, Will};
use crate::metrics::Series;

/// The id of a log.
pub(super) type LogId = [u8; 16];

/// How far one log was read, and what of it was open.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) source: Arc<Source>,
    pub(super) bookmark: Bookmark,
    pub(super) steps: Vec<Step>,
    /// The parser, or a build, holds something.
    pub(super) is_open: bool,
    pub(super) is_ended: bool,
    pub(super) build: Resumption,
    /// What is known of that build, in a record; the loop asks for it when it makes one.
    pub(super) will: Option<Will>,
}

/// What an earlier life left.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    pub(super) logs: BTreeMap<LogId, Entry>,
    /// What was counted and is on no page.
    pub(crate) counted: Vec<Series>,
}

impl Remembered {
    /// What the collector of logs must be told.
    pub(crate) fn known(&self) -> Vec<Known> {
        let known = |entry: &Entry| Known {
            path: entry.source.path.clone(),
            bookmark: entry.bookmark.clone(),
            steps: entry.steps.clone(),
            is_open: entry.is_open,
            is_ended: entry.is_ended,
        };
        self.logs.values().map(known).collect()
    }

    /// Builds that must be rebuilt.
    pub(crate) fn open(&self) -> impl Iterator<Item = (Arc<Source>, Resumption, Option<Will>)> {
        let open = self.logs.values().filter(|entry| entry.is_open);
        open.map(|entry| (Arc::clone(&entry.source), entry.build, entry.will.clone()))
    }

    pub(super) fn take_in(&mut self, record: Record) {
        for id in record.gone {
            self.logs.remove(&id);
        }
        for log in record.logs {
            self.logs.insert(log.id, log.into());
        }
        self.counted = record.counted;
    }
}

/// One record of the journal: what changed since the one before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The boot of the machine in which alone this record counts: it was not synced, and a machine that lost its
    /// power may have lost what belongs to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) boot: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) logs: Vec<Log>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) gone: Vec<LogId>,
    /// All of it, not a change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) counted: Vec<Series>,
}

/// [`Entry`] on disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Log {
    id: LogId,
    path: Name,
    device: u64,
    inode: u64,
    #[serde(default)]
    born: Option<i64>,
    #[serde(default)]
    incarnation: u32,
    #[serde(default)]
    began_at: u64,
    read_to: u64,
    #[serde(default)]
    size: u64,
    head: (u32, u64),
    tail: (u32, u64),
    /// Offset, nanoseconds since the epoch, what happened.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    steps: Vec<(u64, i64, Why)>,
    #[serde(default)]
    is_open: bool,
    #[serde(default)]
    is_ended: bool,
    #[serde(default)]
    first_offset: Option<u64>,
    #[serde(default)]
    downloads_wait: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    will: Option<Will>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inherited: Option<KeptParts>,
}

/// A path; most are text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Name {
    Text(String),
    Bytes(Vec<u8>),
}

impl Name {
    fn of(path: &Path) -> Self {
        path.to_str()
            .map_or_else(|| Self::Bytes(path.as_os_str().as_bytes().to_vec()), |text| Self::Text(text.to_owned()))
    }

    fn path(self) -> PathBuf {
        match self {
            Self::Text(text) => text.into(),
            Self::Bytes(bytes) => OsString::from_vec(bytes).into(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Why {
    Read,
    Idle,
    Rest,
}

impl From<&Entry> for Log {
    fn from(entry: &Entry) -> Self {
        let Bookmark { device, inode, born, incarnation, began_at, read_to, size, head, tail, ref inherited } =
            entry.bookmark;
        let why = |cause| match cause {
            Cause::Read => Why::Read,
            Cause::Idle => Why::Idle,
            Cause::Rest => Why::Rest,
        };
        Self {
            id: entry.source.id,
            path: Name::of(&entry.source.path),
            device,
            inode,
            born,
            incarnation,
            began_at,
            read_to,
            size,
            head: (head.length, head.hash),
            tail: (tail.length, tail.hash),
            steps: entry.steps.iter().map(|it| (it.offset, it.observed.as_nanos(), why(it.cause))).collect(),
            is_open: entry.is_open,
            is_ended: entry.is_ended,
            first_offset: entry.build.first_offset,
            downloads_wait: entry.build.downloads_wait,
            will: entry.will.clone(),
            inherited: inherited.as_deref().cloned(),
        }
    }
}

impl From<Log> for Entry {
    fn from(log: Log) -> Self {
        let print = |(length, hash)| Fingerprint { length, hash };
        let Log { device, inode, born, incarnation, began_at, read_to, size, is_open, is_ended, .. } = log;
        let (head, tail, inherited) = (print(log.head), print(log.tail), log.inherited.map(Arc::new));
        let step = |(offset, nanos, why)| Step {
            offset,
            observed: Timestamp::from_nanos(nanos),
            cause: match why {
                Why::Read => Cause::Read,
                Why::Idle => Cause::Idle,
                Why::Rest => Cause::Rest,
            },
        };
        Self {
            source: Arc::new(Source { id: log.id, path: log.path.path() }),
            bookmark: Bookmark { device, inode, born, incarnation, began_at, read_to, size, head, tail, inherited },
            steps: log.steps.into_iter().map(step).collect(),
            is_open,
            is_ended,
            build: Resumption { first_offset: log.first_offset, downloads_wait: log.downloads_wait },
            will: log.will,
        }
    }
}
