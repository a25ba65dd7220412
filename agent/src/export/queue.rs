//! What waits for the backend: which batches, in what order, and where each of them is held.
//!
//! A batch comes with its payload in memory. Where there is a spool it is written to disk meanwhile, and the payload
//! is let go of when much waits; it is read back when its turn comes. Knows nothing of what is in a batch, of sending,
//! of files, or of time. A batch that is taken is either given back or done.
//!
//! Full-policy: the oldest waiting batches make room for a new one, whole, and are counted by the caller. Batches on
//! their way are never dropped, and count against the quota.
//! Invariants: while those on their way and the newest fit into the quota, all together do; what is held in memory
//! alone is within a quota of its own.

use std::collections::{BTreeMap, BTreeSet};

use gobeacon_formats::Timestamp;
use prost::bytes::Bytes;

use super::batch::Batch;
use super::spool::{Kept, Place};

/// Payloads that are on disk too are kept in memory up to this many bytes: what waits for a moment is not read back.
const CACHED_BYTES: u64 = 4 << 20;

/// How much may wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quota {
    /// Spans or log records.
    pub(super) records: u64,
    /// Encoded bytes.
    pub(super) bytes: u64,
    /// Encoded bytes that are nowhere but in memory.
    pub(super) memory_bytes: u64,
    /// Batches: each costs a little, however small it is.
    pub(super) batches: usize,
}

/// A batch that waits or is on its way.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Names the batch to everybody; later ones have higher ones.
    pub(super) id: u64,
    /// Spans or log records in it.
    pub(super) records: u64,
    /// Of the payload.
    pub(super) bytes: u64,
    /// When it was added.
    pub(super) added: Timestamp,
    /// The payload, where it is in memory.
    pub(super) payload: Option<Bytes>,
    /// Where it is on disk, once it is.
    pub(super) place: Option<Place>,
    /// The payload is less than what is on disk.
    pub(super) is_rest: bool,
}

impl Entry {
    fn memory(&self) -> u64 {
        self.payload.as_ref().map_or(0, |_| self.bytes)
    }

    /// Bytes that an end of the process would lose.
    fn at_risk(&self) -> u64 {
        if self.place.is_some() { 0 } else { self.bytes }
    }
}

/// What a push did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pushed {
    /// The id of the new batch.
    pub(super) id: u64,
    /// Records that were dropped to make room for it.
    pub(super) dropped: u64,
    /// The batches that they were in.
    pub(super) dropped_ids: Vec<u64>,
}

/// Batches in the order they came, with a quota.
#[derive(Debug)]
pub(super) struct Queue {
    quota: Quota,
    next_id: u64,
    waiting: BTreeMap<u64, Entry>,
    on_the_way: BTreeMap<u64, Entry>,
    /// Batches that are nowhere but in memory.
    in_memory: BTreeSet<u64>,
    /// Those before this one are in a file, if not yet synced.
    flushed_before: u64,
    /// Of all batches, those on their way included.
    records: u64,
    bytes: u64,
    memory: u64,
    at_risk: u64,
}

impl Queue {
    pub(super) fn new(quota: Quota) -> Self {
        Self {
            quota,
            next_id: 1,
            waiting: BTreeMap::new(),
            on_the_way: BTreeMap::new(),
            in_memory: BTreeSet::new(),
            flushed_before: 0,
            records: 0,
            bytes: 0,
            memory: 0,
            at_risk: 0,
        }
    }

    /// Holds so much from now on; what is more than that goes when the next batch comes.
    pub(super) fn set_quota(&mut self, quota: Quota) {
        self.quota = quota;
    }

    /// Adds what an earlier life left on disk, before anything else is added. Gives back the ids.
    pub(super) fn found(&mut self, kept: &[Kept]) -> Vec<u64> {
        let entry = |id, kept: &Kept| Entry {
            id,
            records: kept.records,
            bytes: kept.bytes,
            added: kept.added,
            payload: None,
            place: Some(kept.place),
            is_rest: false,
        };
        kept.iter().map(|kept| self.insert(|id| entry(id, kept))).collect()
    }

    /// Adds a batch, and drops the oldest where there is no room for it.
    pub(super) fn push(&mut self, batch: Batch, added: Timestamp) -> Pushed {
        let mut pushed = Pushed::default();
        self.make_room(batch.records, batch.bytes(), &mut pushed);
        let Batch { payload, records } = batch;
        let bytes = payload.len() as u64;
        pushed.id =
            self.insert(|id| Entry { id, records, bytes, added, payload: Some(payload), place: None, is_rest: false });
        pushed
    }

    /// The oldest batch, which is then on its way.
    pub(super) fn take(&mut self) -> Option<Entry> {
        let (id, entry) = self.waiting.pop_first()?;
        self.on_the_way.insert(id, entry.clone());
        Some(entry)
    }

    /// A batch that was taken waits again, in its old place. It counted all the while, so it has room.
    pub(super) fn give_back(&mut self, id: u64) {
        if let Some(entry) = self.on_the_way.remove(&id) {
            self.waiting.insert(id, entry);
        }
    }

    /// A batch that was taken was delivered in part: what is left waits again, in its old place. On disk the batch is
    /// still whole, so what is left stays in memory.
    pub(super) fn give_back_rest(&mut self, id: u64, payload: Bytes, records: u64) {
        if let Some(mut entry) = self.on_the_way.remove(&id) {
            self.forget(&entry);
            entry.bytes = payload.len() as u64;
            (entry.records, entry.payload, entry.is_rest) = (records, Some(payload), true);
            self.remember(&entry);
            self.waiting.insert(id, entry);
        }
    }

    /// A batch that was taken is delivered or given up.
    pub(super) fn done(&mut self, id: u64) {
        if let Some(entry) = self.on_the_way.remove(&id) {
            self.forget(&entry);
        }
    }

    /// A batch is on disk now.
    pub(super) fn written(&mut self, id: u64, place: Place) {
        let keep = self.memory <= CACHED_BYTES;
        let entry = match self.waiting.get_mut(&id) {
            Some(entry) => Some(entry),
            None => self.on_the_way.get_mut(&id),
        };
        if let Some(entry) = entry {
            self.at_risk -= entry.at_risk().min(self.at_risk);
            entry.place = Some(place);
            self.in_memory.remove(&id);
            if !keep && !entry.is_rest {
                self.memory -= entry.memory().min(self.memory);
                entry.payload = None;
            }
        }
    }

    /// Batches before this one are in a file, if not yet synced; 0 takes that back.
    pub(super) fn flushed(&mut self, before: u64) {
        self.flushed_before = before;
    }

    /// The id of the next batch.
    pub(super) fn next_id(&self) -> u64 {
        self.next_id
    }

    /// Whether all batches before this one would be there after the end of the process, or, with `synced`, of the
    /// machine: each is on disk, or done.
    pub(super) fn is_safe(&self, before: u64, synced: bool) -> bool {
        let from = if synced { 0 } else { self.flushed_before };
        from >= before || self.in_memory.range(from..before).next().is_none()
    }

    /// Nothing waits and nothing is on its way.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.on_the_way.is_empty()
    }

    /// Nothing waits.
    pub(super) fn is_drained(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Records in it, those on their way included.
    pub(super) fn records(&self) -> u64 {
        self.records
    }

    /// Encoded bytes in it, those on their way included.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// When the oldest was added.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        let first = |entries: &BTreeMap<u64, Entry>| entries.first_key_value().map(|(_, entry)| entry.added);
        [first(&self.waiting), first(&self.on_the_way)].into_iter().flatten().min()
    }

    /// Records that an end of the process would lose.
    pub(super) fn records_at_risk(&self) -> u64 {
        let all = self.waiting.values().chain(self.on_the_way.values());
        all.filter(|entry| entry.place.is_none()).map(|entry| entry.records).sum()
    }

    /// Whether a batch of this size would drop nothing.
    pub(super) fn has_room(&self, records: u64, bytes: u64) -> bool {
        let Quota { records: most_records, bytes: most_bytes, memory_bytes, batches } = self.quota;
        self.records + records <= most_records
            && self.bytes + bytes <= most_bytes
            && self.at_risk + bytes <= memory_bytes
            && self.waiting.len() < batches
    }

    fn insert(&mut self, make: impl FnOnce(u64) -> Entry) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let entry = make(id);
        self.remember(&entry);
        self.waiting.insert(id, entry);
        id
    }

    fn remember(&mut self, entry: &Entry) {
        self.records += entry.records;
        self.bytes += entry.bytes;
        self.memory += entry.memory();
        self.at_risk += entry.at_risk();
        if entry.place.is_none() {
            self.in_memory.insert(entry.id);
        }
    }

    fn make_room(&mut self, records: u64, bytes: u64, pushed: &mut Pushed) {
        while !self.has_room(records, bytes) {
            // what is on disk makes no room in memory
            let in_memory = self.at_risk + bytes > self.quota.memory_bytes;
            let oldest = self.waiting.values().find(|entry| !in_memory || entry.place.is_none()).map(|entry| entry.id);
            let Some(entry) = oldest.and_then(|id| self.waiting.remove(&id)) else { break };
            self.forget(&entry);
            pushed.dropped += entry.records;
            pushed.dropped_ids.push(entry.id);
        }
    }

    fn forget(&mut self, entry: &Entry) {
        self.in_memory.remove(&entry.id);
        self.records = self.records.saturating_sub(entry.records);
        self.bytes = self.bytes.saturating_sub(entry.bytes);
        self.memory = self.memory.saturating_sub(entry.memory());
        self.at_risk = self.at_risk.saturating_sub(entry.at_risk());
    }
}
