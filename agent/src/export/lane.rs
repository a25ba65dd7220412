//! The way of one signal: records are gathered, queued and sent, each in the state of this lane.
//!
//! A lane has its own queue and its own backoff, so that a backend that refuses logs still gets spans.
//!
//! Invariants: adding a record never waits for the backend; a record leaves the lane delivered, or dropped and counted
//! under one reason; the lock is never held across an await.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use gobeacon_formats::Timestamp;
use tokio::sync::Notify;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use super::backoff::Backoff;
use super::batch::{Batch, Builder};
use super::counts::{Counts, DropReason, FailureReason, SignalReport};
use super::encode::{Common, Record};
use super::health::Health;
use super::queue::{Entry, Queue, Quota};
use super::settings::{Limits, SignalSettings};
use super::spool::{Kept, Spool, Written};
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
    spool: OnceLock<Spool>,
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
        let Limits { queue_records, queue_bytes, .. } = limits;
        let in_memory =
            Quota { records: queue_records, bytes: queue_bytes, memory_bytes: queue_bytes, batches: usize::MAX };
        let on_disk = |it: Spooled<'_>| Quota {
            records: u64::MAX,
            bytes: it.most_bytes.max(queue_bytes),
            memory_bytes: queue_bytes,
            batches: SPOOLED_BATCHES,
        };
        let mut queue = Queue::new(spooled.map_or(in_memory, on_disk));
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
            observer: OnceLock::new(),
            spool: OnceLock::new(),
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
    pub(super) fn written(&self, written: &[Written]) {
        let mut state = self.lock();
        written.iter().for_each(|it| state.queue.written(it.id, it.place));
        drop(state);
        self.progress.notify_waiters();
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

/// The one task that sends: what is on its way, and the patience with the backend.
struct Sender<R: Record> {
    lane: Arc<Lane<R>>,
    backoff: Backoff,
    transport: Transport,
    timeout: Duration,
    /// At most `Limits::concurrency` of them.
    requests: JoinSet<Sent>,
    /// What each request carries: a request that panics must not take its batch with it.
    batches: HashMap<Id, (Entry, Instant)>,
}

/// What became of one attempt.
enum Sent {
    /// The backend said something, or nothing came of the connection.
    Answered(Answer),
    /// No answer in time.
    TimedOut,
    /// What was kept on disk cannot be read any more.
    Unreadable(io::Error),
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

    fn send(&mut self, entry: Entry) {
        let (transport, timeout, payload) = (self.transport.clone(), self.timeout, entry.payload.clone());
        let reader = entry.place.and_then(|place| Some(self.lane.spool.get()?.reader(place)));
        let request = self.requests.spawn(async move {
            let payload = match (payload, reader) {
                (Some(payload), _) => payload,
                (None, Some(read)) => match tokio::task::spawn_blocking(read).await.map_err(io::Error::other) {
                    Ok(Ok(payload)) => payload,
                    Ok(Err(error)) | Err(error) => return Sent::Unreadable(error),
                },
                (None, None) => return Sent::Unreadable(io::ErrorKind::NotFound.into()),
            };
            tokio::time::timeout(timeout, transport.send(payload)).await.map_or(Sent::TimedOut, Sent::Answered)
        });
        self.batches.insert(request.id(), (entry, Instant::now()));
    }

    fn ended(&mut self, ended: Result<(Id, Sent), JoinError>) {
        let (id, answer) = match ended {
            Ok((id, Sent::Answered(answer))) => (id, answer),
            Ok((id, Sent::TimedOut)) => {
                self.transport.reconnect();
                (id, no_answer(self.timeout))
            }
            Ok((id, Sent::Unreadable(error))) => return self.unreadable(id, &error),
            Err(error) => (error.id(), unreadable()),
        };
        if let Some((entry, begun)) = self.batches.remove(&id) {
            self.lane.counts.request();
            self.observed(&entry, begun, &answer);
            self.settle(&entry, answer);
            self.lane.progress.notify_waiters();
        }
    }

    /// There was no request: what it should have carried is gone.
    fn unreadable(&mut self, id: Id, error: &io::Error) {
        if let Some((entry, _)) = self.batches.remove(&id) {
            let mut state = self.lane.lock();
            self.lane.counts.dropped(DropReason::Unreadable, entry.records);
            state.health.unreadable(error, entry.records);
            self.lane.done(&mut state, entry.id);
            drop(state);
            self.lane.progress.notify_waiters();
        }
    }

    fn observed(&self, entry: &Entry, begun: Instant, answer: &Answer) {
        let Some(observer) = self.lane.observer.get() else { return };
        let failure = match answer {
            Answer::Taken { rejected: 0, .. } => None,
            Answer::Taken { .. } => Some(FailureReason::Partial),
            Answer::Again { reason, .. } | Answer::Refused { reason, .. } => Some(*reason),
        };
        observer(RequestEnded { signal: R::SIGNAL, records: entry.records, took: begun.elapsed(), failure });
    }

    fn settle(&mut self, batch: &Entry, answer: Answer) {
        let (lane, mut state) = (&self.lane, self.lane.lock());
        match answer {
            Answer::Taken { rejected, message } => {
                let rejected = rejected.min(batch.records);
                lane.counts.delivered(batch.records - rejected);
                if rejected > 0 {
                    lane.counts.failure(FailureReason::Partial);
                    lane.counts.dropped(DropReason::PartialSuccess, rejected);
                }
                lane.done(&mut state, batch.id);
                let drained = state.queue.is_drained();
                state.health.taken(rejected, &message, drained);
                self.backoff.succeeded();
            }
            Answer::Again { reason, after, message } => {
                lane.counts.failure(reason);
                state.queue.give_back(batch.id);
                state.health.again(reason, &message);
                self.backoff.failed(Instant::now(), after);
            }
            Answer::Refused { reason, message } => {
                lane.counts.failure(reason);
                lane.counts.dropped(DropReason::Rejected, batch.records);
                lane.done(&mut state, batch.id);
                state.health.refused(reason, &message, batch.records);
                // the backend is there and answers: the next batch may fare better
                self.backoff.succeeded();
            }
        }
        state.resume_at = self.backoff.resume_at();
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
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
