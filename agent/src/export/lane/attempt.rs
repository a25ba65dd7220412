//! One attempt to deliver a batch: one request, or several where the backend says that it is too large.
//!
//! A batch that is too large is halved until the backend takes the parts, down to single records. Knows nothing of the
//! queue, of counts, or of patience.
//!
//! Invariant: each record of the batch is in one answer, or in what is left.

use std::time::Duration;

use prost::bytes::Bytes;

use crate::export::counts::FailureReason;
use crate::export::halves::halved;
use crate::export::transport::{Answer, Transport};

/// What became of one attempt.
#[derive(Debug, Default)]
pub(super) struct Attempt {
    /// What was answered to each request, and how many records it carried.
    pub(super) answers: Vec<(Answer, u64)>,
    /// What is to be sent again, where that is less than the whole batch.
    pub(super) rest: Option<(Bytes, u64)>,
    /// A request had no answer in time: its connection may hang.
    pub(super) timed_out: bool,
}

/// Sends a batch. Each request has `timeout`; ends at the first one that is to be sent again.
pub(super) async fn attempt(transport: Transport, timeout: Duration, batch: Bytes, records: u64) -> Attempt {
    let mut attempt = Attempt::default();
    let mut parts = vec![(batch, records)];
    while let Some((part, records)) = parts.pop() {
        let sent = tokio::time::timeout(timeout, transport.clone().send(part.clone())).await;
        let answer = sent.unwrap_or_else(|_| no_answer(timeout, &mut attempt));
        match &answer {
            Answer::TooLarge { .. } => {
                if let Some([(first, in_first), (second, in_second)]) = halved(part.clone()) {
                    parts.extend([(second, in_second), (first, in_first)]);
                    attempt.answers.push((answer, 0));
                    continue;
                }
            }
            Answer::Again { .. } => {
                let is_whole = attempt.answers.is_empty();
                attempt.answers.push((answer, 0));
                parts.push((part, records));
                attempt.rest = (!is_whole).then(|| together(&parts));
                return attempt;
            }
            Answer::Taken { .. } | Answer::Refused { .. } => {}
        }
        attempt.answers.push((answer, records));
    }
    attempt
}

/// Requests one behind the other are one request: so are messages of protobuf merged.
fn together(parts: &[(Bytes, u64)]) -> (Bytes, u64) {
    let bytes: Vec<u8> = parts.iter().rev().flat_map(|(part, _)| part.iter().copied()).collect();
    (bytes.into(), parts.iter().map(|(_, records)| records).sum())
}

fn no_answer(timeout: Duration, attempt: &mut Attempt) -> Answer {
    attempt.timed_out = true;
    let message = format!("no answer within {timeout:?}");
    Answer::Again { reason: FailureReason::Timeout, after: None, message }
}
