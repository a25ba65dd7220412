//! The way of one signal: records are gathered, queued and sent, each in the state of this lane.
//!
//! A lane has its own queue and its own backoff, so that a backend that refuses logs still gets spans.
//!
//! Invariants: adding a record never waits for the backend; a record leaves the lane delivered, or dropped and counted
//! under one reason; the lock is never held across an await.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use gobeacon_collectors::now;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Observer;
use super::batch::{Batch, Builder};
use super::counts::{Counts, DropReason, SignalReport};
use super::encode::{Common, Record};
use super::health::Health;
use super::queue::{Entry, Queue, Quota};
use super::settings::{Limits, SignalSettings};
use super::spool::{Kept, Spool, Wrote};
use super::transport::Transport;
use crate::builds::build::Attributes;

mod attempt;
mod sender;

/// One signal's state, shared by those who add, those who wait and the one task that sends.
pub(super) struct Lane<R: Record> {
    state: Mutex<State<R>>,
    counts: Counts,
    limits: Limits,
    /// There may be something to send.
    work: Notify,
    /// A batch left the queue.
    progress: Notify,
    observer: Mutex<Option<Observer>>,
    spool: OnceLock<Spool>,
    /// Where to send from the next request on, where that has changed.
    new_way: Mutex<Option<Way>>,
    /// Whether records are taken in.
    is_on: AtomicBool,
}

/// Where a lane sends, and how.
pub(super) struct Way {
    pub(super) transport: Transport,
    /// For one request.
    pub(super) timeout: Duration,
    /// For messages.
    pub(super) endpoint: String,
}

/// What the spool changes for the queue of one lane.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spooled<'a> {
    /// Most bytes that wait on disk.
    pub(super) most_bytes: u64,
    /// What an earlier life left.
    pub(super) kept: &'a [Kept],
}

/// Most batches that wait on disk: what is remembered of each takes some hundred bytes of memory.
const SPOOLED_BATCHES: usize = 200_000;

fn quota(limits: Limits, spool_bytes: Option<u64>) -> Quota {
    let Limits { queue_records, queue_bytes, .. } = limits;
    match spool_bytes {
        None => Quota { records: queue_records, bytes: queue_bytes, memory_bytes: queue_bytes, batches: usize::MAX },
        Some(bytes) => Quota {
            records: u64::MAX,
            bytes: bytes.max(queue_bytes),
            memory_bytes: queue_bytes,
            batches: SPOOLED_BATCHES,
        },
    }
}

struct State<R: Record> {
    builder: Builder<R>,
    /// When the request in the making is sent as it is.
    linger_until: Option<Instant>,
    queue: Queue,
    health: Health,
    /// When the backend is asked again; `None`: at once.
    resume_at: Option<Instant>,
}

impl<R: Record> Lane<R> {
    /// A lane that holds what waits in memory, or for which [`keep_in`](Self::keep_in) is called before it runs. Gives
    /// back the ids of what an earlier life left.
    pub(super) fn new(
        limits: Limits,
        common: Common,
        settings: &SignalSettings,
        spooled: Option<Spooled<'_>>,
    ) -> (Self, Vec<u64>) {
        let mut queue = Queue::new(quota(limits, spooled.map(|it| it.most_bytes)));
        let ids = queue.found(spooled.map_or(&[], |it| it.kept));
        let state = State {
            builder: Builder::new(limits, common),
            linger_until: None,
            queue,
            health: Health::new(R::SIGNAL, settings.shown_url()),
            resume_at: None,
        };
        let lane = Self {
            state: Mutex::new(state),
            counts: Counts::default(),
            limits,
            work: Notify::new(),
            progress: Notify::new(),
            observer: Mutex::new(None),
            spool: OnceLock::new(),
            new_way: Mutex::new(None),
            is_on: AtomicBool::new(true),
        };
        (lane, ids)
    }

    /// Keeps what waits in this spool from now on.
    pub(super) fn keep_in(&self, spool: Spool) {
        self.spool.get_or_init(|| spool);
    }

    /// Whether what waits is kept on disk.
    pub(super) fn is_spooled(&self) -> bool {
        self.spool.get().is_some()
    }

    /// The spool tells what it has written.
    pub(super) fn wrote(&self, wrote: Wrote<'_>) {
        let mut state = self.lock();
        match wrote {
            Wrote::Flushed { before } => state.queue.flushed(before),
            Wrote::Failed => state.queue.flushed(0),
            Wrote::Synced(written) => written.iter().for_each(|it| state.queue.written(it.id, it.place)),
        }
        drop(state);
        self.progress.notify_waiters();
    }

    /// Tells `observer` of each request from now on.
    pub(super) fn observe(&self, observer: Option<Observer>) {
        *self.observer.lock().unwrap_or_else(PoisonError::into_inner) = observer;
    }

    /// Whether records are taken in from now on. What is in the lane is delivered all the same.
    pub(super) fn switch(&self, on: bool) {
        self.is_on.store(on, Ordering::Relaxed);
    }

    /// Sends there from the next request on, and holds so much.
    pub(super) fn redirect(&self, way: Way, limits: Limits, spool_bytes: Option<u64>) {
        let spool_bytes = spool_bytes.filter(|_| self.is_spooled());
        let mut state = self.lock();
        state.queue.set_quota(quota(limits, spool_bytes));
        state.builder.set_limits(limits);
        drop(state);
        *self.new_way.lock().unwrap_or_else(PoisonError::into_inner) = Some(way);
        self.work.notify_one();
    }

    /// Adds records. Never waits: when the queue is full its oldest batches make room, and are counted.
    pub(super) fn add(&self, resource: &Arc<Attributes>, records: Vec<R>) {
        if records.is_empty() || !self.is_on.load(Ordering::Relaxed) {
            return;
        }
        let mut state = self.lock();
        for record in records {
            match state.builder.add(resource, record) {
                Ok(Some(full)) => self.enqueue(&mut state, full),
                Ok(None) => {}
                Err(_too_large) => {
                    self.counts.dropped(DropReason::TooLarge, 1);
                    state.health.too_large();
                }
            }
        }
        if state.builder.is_empty() {
            state.linger_until = None;
        } else if state.linger_until.is_none() {
            state.linger_until = Instant::now().checked_add(self.limits.linger);
        }
        drop(state);
        self.work.notify_one();
    }

    /// Adds records, and waits before each batch of them until the queue has room for it. Drops nothing, and so waits
    /// as long as the backend is away.
    pub(super) async fn add_waiting(&self, resource: &Arc<Attributes>, mut records: Vec<R>) {
        while !records.is_empty() {
            self.until(|state, limits| {
                let (records, bytes) = (limits.batch_records as u64 * 2, limits.batch_bytes as u64 * 2);
                state.queue.has_room(records, bytes)
            })
            .await;
            let rest = records.split_off(records.len().min(self.limits.batch_records));
            self.add(resource, std::mem::replace(&mut records, rest));
        }
    }

    /// Ends the request in the making. All that was added so far has a lower id than the one given back.
    pub(super) fn barrier(&self) -> u64 {
        let mut state = self.lock();
        self.seal(&mut state);
        let before = state.queue.next_id();
        drop(state);
        self.work.notify_one();
        before
    }

    /// Waits until all that was added before a barrier would outlive the process, or, with `synced`, the machine; or
    /// is done.
    pub(super) async fn safe(self: Arc<Self>, before: u64, synced: bool) {
        self.until(|state, _| state.queue.is_safe(before, synced)).await;
    }

    /// Sends what was added so far without lingering. Waits until nothing is left, the deadline passes, or it is
    /// certain that the backend will not be asked again before the deadline.
    pub(super) async fn flush(&self, deadline: Instant) {
        self.seal(&mut self.lock());
        self.work.notify_one();
        let settled = self.until(|state, _| {
            let hopeless = state.resume_at.is_some_and(|at| at >= deadline);
            state.builder.is_empty() && (state.queue.is_empty() || hopeless)
        });
        // past the deadline what is left stays queued, for the caller to see in the report
        let _past_the_deadline = tokio::time::timeout_at(deadline, settled).await;
    }

    /// The lane ends. What is left on disk stays there for the next life; all else is counted as dropped. Waits for
    /// the disk, but no longer than `within`.
    pub(super) fn abandon(&self, within: Duration) -> u64 {
        self.seal(&mut self.lock());
        if let Some(spool) = self.spool.get() {
            spool.end(within);
        }
        let mut state = self.lock();
        let lost = state.queue.records_at_risk();
        let kept = state.queue.records() - lost;
        state.queue = Queue::new(Quota { records: 0, bytes: 0, memory_bytes: 0, batches: 0 });
        if kept > 0 {
            state.health.kept(kept);
        }
        if lost > 0 {
            self.counts.dropped(DropReason::Shutdown, lost);
            state.health.abandoned(lost);
        }
        lost
    }

    /// The counts now.
    pub(super) fn report(&self) -> SignalReport {
        let state = self.lock();
        let records = state.queue.records() + state.builder.records();
        SignalReport {
            spool_bytes: self.spool.get().map_or(0, Spool::bytes),
            spool_errors: self.spool.get().map_or(0, Spool::errors),
            oldest: state.queue.oldest(),
            ..self.counts.report(records, state.queue.bytes() + state.builder.bytes())
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seal(&self, state: &mut State<R>) {
        state.linger_until = None;
        if let Some(batch) = state.builder.seal() {
            self.enqueue(state, batch);
        }
    }

    fn enqueue(&self, state: &mut State<R>, batch: Batch) {
        let added = now();
        let pushed = state.queue.push(batch.clone(), added);
        if let Some(spool) = self.spool.get() {
            pushed.dropped_ids.iter().for_each(|id| spool.done(*id));
            spool.write(pushed.id, batch, added);
        }
        if pushed.dropped > 0 {
            self.counts.dropped(DropReason::QueueFull, pushed.dropped);
            state.health.queue_full();
        }
    }

    /// A batch need not be held any more.
    fn done(&self, state: &mut State<R>, id: u64) {
        state.queue.done(id);
        if let Some(spool) = self.spool.get() {
            spool.done(id);
        }
    }

    /// Waits until `holds` of the state.
    async fn until(&self, holds: impl Fn(&State<R>, &Limits) -> bool) {
        loop {
            let progress = self.progress.notified();
            tokio::pin!(progress);
            // from here on no progress is missed
            progress.as_mut().enable();
            if holds(&self.lock(), &self.limits) {
                return;
            }
            progress.await;
        }
    }

    /// The next batch to send, and else when to look again.
    fn next(&self, now: Instant) -> Result<Entry, Option<Instant>> {
        let mut state = self.lock();
        if state.queue.is_drained() {
            match state.linger_until {
                Some(at) if at > now => return Err(Some(at)),
                Some(_) => self.seal(&mut state),
                None => return Err(None),
            }
        }
        state.queue.take().ok_or(None)
    }
}
