//! What waits for the backend: the seam behind which batches can be kept in memory or, durably, on disk.
//!
//! Knows nothing of what is in a batch, of sending, or of time. A batch that is taken is either given back or done.
//!
//! Full-policy: the oldest waiting batches make room for a new one, whole, and are counted by the caller. Batches on
//! their way are never dropped, and count against the quota.
//! Invariant: while those on their way and the newest fit into the quota, all together do.

use std::collections::VecDeque;

use super::batch::Batch;

/// Batches in the order they came, with a quota.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: VecDeque<Batch>,
    most_records: u64,
    most_bytes: u64,
    /// Of all batches, those on their way included.
    records: u64,
    bytes: u64,
    on_the_way: usize,
}

impl Queue {
    pub(super) fn new(most_records: u64, most_bytes: u64) -> Self {
        Self { waiting: VecDeque::new(), most_records, most_bytes, records: 0, bytes: 0, on_the_way: 0 }
    }

    /// Adds a batch. Gives back how many records were dropped to make room for it.
    #[must_use]
    pub(super) fn push(&mut self, batch: Batch) -> u64 {
        let dropped = self.make_room(batch.records, batch.bytes());
        self.records += batch.records;
        self.bytes += batch.bytes();
        self.waiting.push_back(batch);
        dropped
    }

    /// The oldest batch, which is then on its way.
    pub(super) fn take(&mut self) -> Option<Batch> {
        let batch = self.waiting.pop_front()?;
        self.on_the_way += 1;
        Some(batch)
    }

    /// A batch that was taken waits again, as the oldest. It counted all the while, so it has room.
    pub(super) fn give_back(&mut self, batch: Batch) {
        self.on_the_way = self.on_the_way.saturating_sub(1);
        self.waiting.push_front(batch);
    }

    /// A batch that was taken is delivered or given up.
    pub(super) fn done(&mut self, batch: &Batch) {
        self.on_the_way = self.on_the_way.saturating_sub(1);
        self.forget(batch);
    }

    /// Nothing waits and nothing is on its way.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.on_the_way == 0
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

    /// Whether a batch of this size would drop nothing.
    pub(super) fn has_room(&self, records: u64, bytes: u64) -> bool {
        self.records + records <= self.most_records && self.bytes + bytes <= self.most_bytes
    }

    fn make_room(&mut self, records: u64, bytes: u64) -> u64 {
        let mut dropped = 0;
        while !self.has_room(records, bytes) {
            let Some(oldest) = self.waiting.pop_front() else { break };
            self.forget(&oldest);
            dropped += oldest.records;
        }
        dropped
    }

    fn forget(&mut self, batch: &Batch) {
        self.records = self.records.saturating_sub(batch.records);
        self.bytes = self.bytes.saturating_sub(batch.bytes());
    }
}
