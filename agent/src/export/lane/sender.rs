//! The one task of a lane that sends: what is on its way, and the patience with the backend.
//!
//! Invariant: a batch that was taken from the queue is settled once: delivered, given back, or dropped and counted.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use super::Lane;
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

impl<R: Record> Lane<R> {
    /// Sends until it is cancelled.
    pub(in crate::export) async fn run(self: Arc<Self>, transport: Transport, timeout: Duration) {
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
