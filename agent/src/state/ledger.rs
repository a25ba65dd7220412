//! What the loop has taken in of each log, and what of it no record has yet.
//!
//! Invariant: between two wakes of the loop, what stands here is what builds and metrics have taken in.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use gobeacon_collectors::logs::Step;
use gobeacon_collectors::{Batch, Cause, Replay};

use super::entry::{Entry, Log, LogId, Record, Remembered};
use crate::builds::{Builds, Resumption};
use crate::metrics::Series;

/// Most times remembered of one log at which bytes were read: beyond it every other one is forgotten.
const MOST_READS: usize = 64;
/// Most silences remembered of one log: the oldest are forgotten first.
const MOST_SILENCES: usize = 32;
/// Most ended logs remembered, in case they come back: the oldest are forgotten first.
const MOST_ENDED: usize = 4096;

/// All logs, and which of them have changed.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    logs: BTreeMap<LogId, Entry>,
    changed: BTreeSet<LogId>,
    gone: BTreeSet<LogId>,
    /// Logs of which the last record says that a build is open: time alone can close it.
    with_build: BTreeSet<LogId>,
    ended: VecDeque<LogId>,
    /// Something else was counted.
    touched: bool,
}

impl Ledger {
    /// What an earlier life knew.
    pub(crate) fn new(remembered: Remembered) -> Self {
        let mut logs = remembered.logs;
        let ended = logs.iter().filter(|(_, entry)| entry.is_ended).map(|(id, _)| *id).collect();
        logs.values_mut().for_each(|entry| entry.will = None);
        let with_build = logs.iter().filter(|(_, it)| it.build.first_offset.is_some()).map(|(id, _)| *id).collect();
        Self { logs, ended, with_build, ..Self::default() }
    }

    /// A batch was taken in.
    pub(crate) fn note(&mut self, batch: &Batch) {
        match batch.replay {
            // an earlier life has noted it
            Replay::Part => return,
            Replay::Last => {
                if let Some(entry) = self.logs.get_mut(&batch.source.id) {
                    entry.is_open = batch.open_from < batch.read_to;
                }
                return;
            }
            Replay::No => {}
        }
        let id = batch.source.id;
        let Some(bookmark) = batch.bookmark.clone() else {
            if self.logs.remove(&id).is_some() {
                self.changed.remove(&id);
                self.gone.insert(id);
            }
            return;
        };
        let entry = self.logs.entry(id).or_insert_with(|| Entry {
            source: Arc::clone(&batch.source),
            bookmark: bookmark.clone(),
            steps: Vec::new(),
            is_open: false,
            is_ended: false,
            build: Resumption::default(),
            will: None,
        });
        entry.bookmark = bookmark;
        entry.is_open = batch.open_from < batch.read_to;
        push(&mut entry.steps, Step { offset: batch.read_to, observed: batch.observed, cause: batch.cause });
        if batch.ended {
            // what comes in that file from now on is another log
            entry.bookmark.incarnation = entry.bookmark.incarnation.saturating_add(1);
            (entry.bookmark.began_at, entry.bookmark.inherited) = (entry.bookmark.read_to, None);
            (entry.is_open, entry.is_ended) = (false, true);
            entry.steps.clear();
            self.ended.push_back(id);
        }
        self.changed.insert(id);
        if self.ended.len() > MOST_ENDED
            && let Some(oldest) = self.ended.pop_front()
        {
            self.logs.remove(&oldest);
            self.changed.remove(&oldest);
            self.gone.insert(oldest);
        }
    }

    /// Something was counted that is of no log.
    pub(crate) fn touch(&mut self) {
        self.touched = true;
    }

    /// Whether there is anything that no record has.
    pub(crate) fn has_changed(&self) -> bool {
        self.touched || !self.changed.is_empty() || !self.gone.is_empty()
    }

    /// All that no record has yet, for one.
    pub(super) fn record(&mut self, builds: &Builds, counted: Vec<Series>) -> Record {
        let mut ids = std::mem::take(&mut self.changed);
        let is_as_written = |id: &LogId| self.logs.get(id).is_some_and(|it| it.build == builds.resumption(*id));
        ids.extend(self.with_build.iter().filter(|id| !is_as_written(id)));
        let mut logs = Vec::with_capacity(ids.len());
        for id in ids {
            let Some(entry) = self.logs.get_mut(&id) else {
                self.with_build.remove(&id);
                continue;
            };
            entry.build = builds.resumption(id);
            let has_build = entry.build.first_offset.is_some();
            if has_build {
                self.with_build.insert(id);
            } else {
                self.with_build.remove(&id);
            }
            let mut written = entry.clone();
            written.is_open |= has_build;
            written.will = builds.will(id);
            if !written.is_open {
                let reads = |step: &Step| step.cause == Cause::Read;
                entry.steps.retain(|step| !reads(step));
                written.steps.retain(|step| !reads(step));
            }
            logs.push(Log::from(&written));
        }
        self.touched = false;
        Record { boot: None, logs, gone: std::mem::take(&mut self.gone).into_iter().collect(), counted }
    }
}

/// Adds a step, within the bounds.
fn push(steps: &mut Vec<Step>, step: Step) {
    match (step.cause, steps.last_mut()) {
        (Cause::Read, Some(last)) if last.cause == Cause::Read && last.observed == step.observed => {
            last.offset = step.offset;
            return;
        }
        (Cause::Read | Cause::Idle | Cause::Rest, _) => steps.push(step),
    }
    let is_read = |step: &Step| step.cause == Cause::Read;
    let reads = steps.iter().filter(|step| is_read(step)).count();
    if reads > MOST_READS {
        // the newest stays: it says when the last bytes were read
        let mut nth = reads;
        steps.retain(|step| {
            nth -= usize::from(is_read(step));
            !is_read(step) || nth % 2 == 0
        });
    }
    if steps.len() - steps.iter().filter(|step| is_read(step)).count() > MOST_SILENCES
        && let Some(oldest) = steps.iter().position(|step| !is_read(step))
    {
        steps.remove(oldest);
    }
}
