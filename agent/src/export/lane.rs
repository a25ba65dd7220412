//! The way of one signal: records are gathered, queued and sent, each in the state of this lane.
//!
//! A lane has its own queue and its own backoff, so that a backend that refuses logs still gets spans.
//!
//! Invariants: adding a record never waits for the backend; a record leaves the lane delivered, or dropped and counted
//! under one reason; the lock is never held across an await.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use super::backoff::Backoff;
use super::batch::{Batch, Builder};
use super::counts::{Counts, DropReason, FailureReason, SignalReport};
use super::encode::{Common, Record};
use super::health::Health;
use super::queue::Queue;
use super::settings::{Limits, SignalSettings};
use super::transport::{Answer, Transport};
use super::{Observer, RequestEnded};
use crate::builds::build::Attributes;

/// One signal's state, shared by those who add, those who wait and the one task that sends.
pub(super) struct Lane<R: Record> {
    state: Mutex<State<R>>,
    counts: Counts,
    limits: Limits,
    /// There may be something to send.
    work: Notify,
    /// A batch left the queue.
    progress: Notify,
    observer: OnceLock<Observer>,
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
    pub(super) fn new(limits: Limits, common: Common, settings: &SignalSettings) -> Self {
        let state = State {
            builder: Builder::new(limits, common),
            linger_until: None,
            queue: Queue::new(limits.queue_records, limits.queue_bytes),
            health: Health::new(R::SIGNAL, settings.shown_url()),
            resume_at: None,
        };
        let (work, progress, observer) = (Notify::new(), Notify::new(), OnceLock::new());
        Self { state: Mutex::new(state), counts: Counts::default(), limits, work, progress, observer }
    }

    /// Tells `observer` of each request from now on. The first observer stays.
    pub(super) fn observe(&self, observer: Observer) {
        self.observer.get_or_init(|| observer);
    }

    /// Adds records. Never waits: when the queue is full its oldest batches make room, and are counted.
    pub(super) fn add(&self, resource: &Arc<Attributes>, records: Vec<R>) {
        if records.is_empty() {
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

    /// Counts all that is left as dropped: the lane ends.
    pub(super) fn abandon(&self) -> u64 {
        let mut state = self.lock();
        self.seal(&mut state);
        let left = state.queue.records();
        state.queue = Queue::new(0, 0);
        if left > 0 {
            self.counts.dropped(DropReason::Shutdown, left);
            state.health.abandoned(left);
        }
        left
    }

    /// The counts now.
    pub(super) fn report(&self) -> SignalReport {
        let state = self.lock();
        let records = state.queue.records() + state.builder.records();
        self.counts.report(records, state.queue.bytes() + state.builder.bytes())
    }

    /// Sends until it is cancelled.
    pub(super) async fn run(self: Arc<Self>, transport: Transport, timeout: Duration) {
        let mut sender = Sender {
            backoff: Backoff::new(&self.limits),
            lane: self,
            transport,
            timeout,
            requests: JoinSet::new(),
            batches: HashMap::new(),
        };
        loop {
            let next = sender.send_what_may_be_sent();
            tokio::select! {
                Some(ended) = sender.requests.join_next_with_id() => sender.ended(ended),
                () = sender.lane.work.notified() => {}
                () = sleep_until(next) => {}
            }
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
        let dropped = state.queue.push(batch);
        if dropped > 0 {
            self.counts.dropped(DropReason::QueueFull, dropped);
            state.health.queue_full();
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
    fn next(&self, now: Instant) -> Result<Batch, Option<Instant>> {
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

/// The one task that sends: what is on its way, and the patience with the backend.
struct Sender<R: Record> {
    lane: Arc<Lane<R>>,
    backoff: Backoff,
    transport: Transport,
    timeout: Duration,
    /// At most `Limits::concurrency` of them.
    requests: JoinSet<Option<Answer>>,
    /// What each request carries: a request that panics must not take its batch with it.
    batches: HashMap<Id, (Batch, Instant)>,
}

impl<R: Record> Sender<R> {
    /// Starts the requests that may be started. Gives back when to look again, unless something happens before.
    fn send_what_may_be_sent(&mut self) -> Option<Instant> {
        let now = Instant::now();
        loop {
            let may_send = self.backoff.may_send(now);
            if self.requests.len() >= may_send {
                return self.backoff.resume_at().filter(|at| *at > now);
            }
            match self.lane.next(now) {
                Ok(batch) => self.send(batch),
                Err(look_again) => return look_again,
            }
        }
    }

    fn send(&mut self, batch: Batch) {
        let answer = tokio::time::timeout(self.timeout, self.transport.clone().send(batch.payload.clone()));
        let request = self.requests.spawn(async { answer.await.ok() });
        self.batches.insert(request.id(), (batch, Instant::now()));
    }

    fn ended(&mut self, ended: Result<(Id, Option<Answer>), JoinError>) {
        let (id, answer) = match ended {
            Ok((id, Some(answer))) => (id, answer),
            Ok((id, None)) => {
                self.transport.reconnect();
                (id, no_answer(self.timeout))
            }
            Err(error) => (error.id(), unreadable()),
        };
        if let Some((batch, begun)) = self.batches.remove(&id) {
            self.lane.counts.request();
            self.observed(&batch, begun, &answer);
            self.settle(batch, answer);
            self.lane.progress.notify_waiters();
        }
    }

    fn observed(&self, batch: &Batch, begun: Instant, answer: &Answer) {
        let Some(observer) = self.lane.observer.get() else { return };
        let failure = match answer {
            Answer::Taken { rejected: 0, .. } => None,
            Answer::Taken { .. } => Some(FailureReason::Partial),
            Answer::Again { reason, .. } | Answer::Refused { reason, .. } => Some(*reason),
        };
        observer(RequestEnded { signal: R::SIGNAL, records: batch.records, took: begun.elapsed(), failure });
    }

    fn settle(&mut self, batch: Batch, answer: Answer) {
        let (lane, mut state) = (&self.lane, self.lane.lock());
        match answer {
            Answer::Taken { rejected, message } => {
                let rejected = rejected.min(batch.records);
                lane.counts.delivered(batch.records - rejected);
                if rejected > 0 {
                    lane.counts.failure(FailureReason::Partial);
                    lane.counts.dropped(DropReason::PartialSuccess, rejected);
                }
                state.queue.done(&batch);
                let drained = state.queue.is_drained();
                state.health.taken(rejected, &message, drained);
                self.backoff.succeeded();
            }
            Answer::Again { reason, after, message } => {
                lane.counts.failure(reason);
                state.queue.give_back(batch);
                state.health.again(reason, &message);
                self.backoff.failed(Instant::now(), after);
            }
            Answer::Refused { reason, message } => {
                lane.counts.failure(reason);
                lane.counts.dropped(DropReason::Rejected, batch.records);
                state.queue.done(&batch);
                state.health.refused(reason, &message, batch.records);
                // the backend is there and answers: the next batch may fare better
                self.backoff.succeeded();
            }
        }
        state.resume_at = self.backoff.resume_at();
    }
}

fn no_answer(timeout: Duration) -> Answer {
    let message = format!("no answer within {timeout:?}");
    Answer::Again { reason: FailureReason::Timeout, after: None, message }
}

/// The library gave up on the answer: a panic in it, such as on a status detail that is not base64.
fn unreadable() -> Answer {
    Answer::Refused { reason: FailureReason::BadAnswer, message: "the answer cannot be read".to_owned() }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
