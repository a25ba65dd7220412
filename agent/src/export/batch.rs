//! Gathers records into requests of bounded size.
//!
//! Invariant: a request never has more records or bytes than the limits, and within a request the records of one
//! build stand under one resource.

use std::marker::PhantomData;
use std::sync::Arc;

use prost::Message;
use prost::bytes::Bytes;

use super::encode::{self, Common, Record, SCHEMA_URL};
use super::settings::Limits;
use super::wire;
use crate::builds::build::Attributes;

/// Bytes that the tag and length around a message take at most: 1 + 5.
const FRAME: usize = 6;
/// Bytes of a group besides its resource and records: its own frame and those of resource and scope, the scope, and
/// two schema URLs, rounded up.
const GROUP: usize = 4 * FRAME + 2 * (SCHEMA_URL.len() + FRAME) + 64;

/// Room for a record that stays allocated, in bytes.
const KEPT_CAPACITY: usize = 64 << 10;

/// One request, encoded.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    /// An OTLP export request of one signal as protobuf.
    pub(super) payload: Bytes,
    /// Spans or log records in it.
    pub(super) records: u64,
}

impl Batch {
    pub(super) fn bytes(&self) -> u64 {
        self.payload.len() as u64
    }
}

/// One record alone is larger than a request may be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

/// A request in the making.
pub(super) struct Builder<R: Record> {
    limits: Limits,
    common: Common,
    groups: Vec<Group>,
    records: usize,
    /// At least the encoded size.
    bytes: usize,
    /// The record that is being encoded.
    scratch: Vec<u8>,
    /// How much the records of the last request took: room for those of the next.
    last_bytes: usize,
    of: PhantomData<fn(R)>,
}

/// The records of one build, encoded.
struct Group {
    of: Arc<Attributes>,
    resource: Vec<u8>,
    records: Vec<u8>,
}

impl<R: Record> Builder<R> {
    pub(super) fn new(limits: Limits, common: Common) -> Self {
        Self {
            limits,
            common,
            groups: Vec::new(),
            records: 0,
            bytes: 0,
            scratch: Vec::new(),
            last_bytes: 0,
            of: PhantomData,
        }
    }

    /// Other limits, for records that come from now on.
    pub(super) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records == 0
    }

    pub(super) fn records(&self) -> u64 {
        self.records as u64
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes as u64
    }

    /// Adds a record; gives back the request that it no longer fitted into, or that is full with it.
    ///
    /// # Errors
    /// The record alone is larger than a request may be. It is not added.
    pub(super) fn add(&mut self, resource: &Arc<Attributes>, record: R) -> Result<Option<Batch>, TooLarge> {
        self.scratch.clear();
        record.encode(&mut self.scratch);
        let size = self.scratch.len() + FRAME;
        let mut group = self.groups.iter_mut().rposition(|group| Arc::ptr_eq(&group.of, resource));
        let mut full = None;
        if group.is_none() || self.bytes + size > self.limits.batch_bytes {
            let made = self.common.resource(resource).encode_to_vec();
            let size_with_group = size + made.len() + GROUP;
            if size_with_group > self.limits.batch_bytes {
                return Err(TooLarge);
            }
            if group.is_some() || self.bytes + size_with_group > self.limits.batch_bytes {
                full = self.seal();
            }
            self.bytes += size_with_group - size;
            group = Some(self.groups.len());
            // the first group of a request mostly stays alone
            let room = if self.groups.is_empty() { self.last_bytes } else { 0 };
            self.groups.push(Group { of: Arc::clone(resource), resource: made, records: Vec::with_capacity(room) });
        }
        if let Some(group) = group.and_then(|at| self.groups.get_mut(at)) {
            wire::bytes(2, &self.scratch, &mut group.records);
            self.bytes += size;
            self.records += 1;
        }
        if self.records >= self.limits.batch_records { Ok(full.or_else(|| self.seal())) } else { Ok(full) }
    }

    /// Ends the request, unless nothing is in it.
    pub(super) fn seal(&mut self) -> Option<Batch> {
        if self.is_empty() {
            return None;
        }
        let groups = std::mem::take(&mut self.groups);
        let mut payload = Vec::with_capacity(self.bytes);
        groups.iter().for_each(|group| encode::group(&group.resource, &group.records, &mut payload));
        let batch = Batch { payload: payload.into(), records: self.records() };
        self.last_bytes = groups.first().map_or(0, |group| group.records.len());
        (self.records, self.bytes) = (0, 0);
        self.scratch.shrink_to(KEPT_CAPACITY);
        Some(batch)
    }
}
