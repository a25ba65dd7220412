//! The one task of a lane that sends: what is on its way, and the patience with the backend.
//!
//! Invariant: a batch that was taken from the queue is settled once: delivered, given back, or dropped and counted.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use super::attempt::{Attempt, attempt};
use super::{Lane, Way};
use crate::export::RequestEnded;
use crate::export::backoff::Backoff;
use crate::export::counts::{DropReason, FailureReason};
use crate::export::encode::Record;
use crate::export::queue::Entry;
use crate::export::transport::{Answer, Transport};

/// The one task that sends: what is on its way, and the patience with the backend.
struct Sender<R: Record> {
    lane: Arc<Lane<R>>,
    backoff: Backoff,
    transport: Transport,
    timeout: Duration,
    /// At most `Limits::concurrency` of them.
    requests: JoinSet<Sent>,
    /// What each request carries: a request that panics must not take its batch with it.
    batches: HashMap<Id, OnTheWay>,
    /// Which backend it is, counted: what one says has no meaning for the next.
    backend: u64,
}

/// A batch on its way.
struct OnTheWay {
    entry: Entry,
    begun: Instant,
    backend: u64,
}

/// What became of a batch on its way.
enum Sent {
    /// The backend said something, or nothing came of the connection.
    Attempted(Attempt),
    /// What was kept on disk cannot be read any more.
    Unreadable(io::Error),
}

impl<R: Record> Lane<R> {
    /// Sends until it is cancelled.
    pub(in crate::export) async fn run(self: Arc<Self>, way: Way) {
        let Way { transport, timeout, endpoint: _ } = way;
        let mut sender = Sender {
            backoff: Backoff::new(&self.limits),
            lane: self,
            transport,
            timeout,
            requests: JoinSet::new(),
            batches: HashMap::new(),
            backend: 0,
        };
        loop {
            sender.take_new_way();
            let next = sender.send_what_may_be_sent();
            tokio::select! {
                Some(ended) = sender.requests.join_next_with_id() => sender.ended(ended),
                () = sender.lane.work.notified() => {}
                () = sleep_until(next) => {}
            }
        }
    }
}

impl<R: Record> Sender<R> {
    /// Leaves the old backend with what is on its way there, and is patient with the new one from the start.
    fn take_new_way(&mut self) {
        let way = self.lane.new_way.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Way { transport, timeout, endpoint }) = way {
            (self.transport, self.timeout) = (transport, timeout);
            self.backoff = Backoff::new(&self.lane.limits);
            self.backend += 1;
            let mut state = self.lane.lock();
            state.resume_at = None;
            state.health.moved(endpoint);
        }
    }

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
        let records = entry.records;
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
            Sent::Attempted(attempt(transport, timeout, payload, records).await)
        });
        let on_the_way = OnTheWay { entry, begun: Instant::now(), backend: self.backend };
        self.batches.insert(request.id(), on_the_way);
    }

    fn ended(&mut self, ended: Result<(Id, Sent), JoinError>) {
        let (id, attempt) = match ended {
            Ok((id, Sent::Attempted(attempt))) => (id, Some(attempt)),
            Ok((id, Sent::Unreadable(error))) => return self.unreadable(id, &error),
            Err(error) => (error.id(), None),
        };
        let Some(OnTheWay { entry, begun, backend }) = self.batches.remove(&id) else { return };
        let Attempt { answers, rest, timed_out } = attempt.unwrap_or_else(|| unreadable(entry.records));
        let is_present = backend == self.backend;
        if timed_out && is_present {
            self.transport.reconnect();
        }
        let goes_on = answers.last().is_some_and(|(answer, _)| matches!(answer, Answer::Again { .. }));
        let mut records = entry.records;
        for (answer, of) in answers {
            self.lane.counts.request();
            self.observed(if of == 0 { records } else { of }, begun, &answer);
            records -= of.min(records);
            self.settle(of, answer, is_present);
        }
        let mut state = self.lane.lock();
        match (goes_on, rest) {
            (true, Some((payload, records))) => state.queue.give_back_rest(entry.id, payload, records),
            (true, None) => state.queue.give_back(entry.id),
            (false, _) => self.lane.done(&mut state, entry.id),
        }
        let drained = state.queue.is_drained();
        state.health.drained(drained);
        drop(state);
        self.lane.progress.notify_waiters();
    }

    /// There was no request: what it should have carried is gone.
    fn unreadable(&mut self, id: Id, error: &io::Error) {
        if let Some(OnTheWay { entry, .. }) = self.batches.remove(&id) {
            let mut state = self.lane.lock();
            self.lane.counts.dropped(DropReason::Unreadable, entry.records);
            state.health.unreadable(error, entry.records);
            self.lane.done(&mut state, entry.id);
            drop(state);
            self.lane.progress.notify_waiters();
        }
    }

    fn observed(&self, records: u64, begun: Instant, answer: &Answer) {
        let observer = self.lane.observer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(observer) = observer else { return };
        let failure = match answer {
            Answer::Taken { rejected: 0, .. } => None,
            Answer::Taken { .. } => Some(FailureReason::Partial),
            Answer::TooLarge { .. } => Some(FailureReason::TooLarge),
            Answer::Again { reason, .. } | Answer::Refused { reason, .. } => Some(*reason),
        };
        observer(RequestEnded { signal: R::SIGNAL, records, took: begun.elapsed(), failure });
    }

    /// Counts what one request came to; `records` are those of it that are settled with it. Where the backend is not the
    /// present one any more, it says nothing of when to send again.
    fn settle(&mut self, records: u64, answer: Answer, is_present: bool) {
        let (lane, mut state) = (&self.lane, self.lane.lock());
        match answer {
            Answer::Taken { rejected, message } => {
                let rejected = rejected.min(records);
                lane.counts.delivered(records - rejected);
                if rejected > 0 {
                    lane.counts.failure(FailureReason::Partial);
                    lane.counts.dropped(DropReason::PartialSuccess, rejected);
                }
                state.health.taken(rejected, &message);
                self.backoff.succeeded();
            }
            Answer::TooLarge { message } => {
                lane.counts.failure(FailureReason::TooLarge);
                if records > 0 {
                    lane.counts.dropped(DropReason::TooLarge, records);
                }
                state.health.halved(&message, records);
                // the backend is there and answers
                self.backoff.succeeded();
            }
            Answer::Again { reason, after, message } => {
                lane.counts.failure(reason);
                if is_present {
                    state.health.again(reason, &message);
                    self.backoff.failed(Instant::now(), after);
                }
            }
            Answer::Refused { reason, message } => {
                lane.counts.failure(reason);
                lane.counts.dropped(DropReason::Rejected, records);
                state.health.refused(reason, &message, records);
                // the backend is there and answers: the next batch may fare better
                self.backoff.succeeded();
            }
        }
        state.resume_at = self.backoff.resume_at();
    }
}

/// The library gave up on the answer: a panic in it, such as on a status detail that is not base64.
fn unreadable(records: u64) -> Attempt {
    let answer = Answer::Refused { reason: FailureReason::BadAnswer, message: "the answer cannot be read".to_owned() };
    Attempt { answers: vec![(answer, records)], ..Attempt::default() }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
