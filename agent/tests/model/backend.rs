//! The receiver of traces, with moods. It keeps what it took over its own restarts.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use tonic::Code;

use crate::otlp_receiver::{Answer, Payload, Receiver, Seen};

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    Slow,
    Unavailable,
    Throttling,
    /// It takes everything and has something to say all the same.
    Warning,
    /// It says that it did not take one record of each request.
    Rejecting,
    /// It never answers.
    Hanging,
    /// It takes what comes and its answer is lost.
    AnswersLost,
    /// Nothing listens on its port.
    Down,
}

impl Mood {
    pub(crate) const ALL: [Self; 9] = [
        Self::Well,
        Self::Slow,
        Self::Unavailable,
        Self::Throttling,
        Self::Warning,
        Self::Rejecting,
        Self::Hanging,
        Self::AnswersLost,
        Self::Down,
    ];
}

/// One delivery of one span.
#[derive(Debug, Clone)]
pub(crate) struct Arrived {
    pub(crate) trace: Vec<u8>,
    pub(crate) id: Vec<u8>,
    pub(crate) parent: Vec<u8>,
    pub(crate) name: String,
    pub(crate) attributes: BTreeMap<String, String>,
}

/// One delivery of one log record.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) trace: Vec<u8>,
    pub(crate) name: String,
    pub(crate) attributes: BTreeMap<String, String>,
}

pub(crate) struct Backend {
    receiver: Option<Receiver>,
    address: SocketAddr,
    is_grpc: bool,
    before: Vec<Seen>,
    /// Moods that it was in.
    pub(crate) moods: BTreeSet<String>,
}

impl Backend {
    pub(crate) fn new(is_grpc: bool) -> Self {
        let receiver = Receiver::start_at(own_address());
        let address = receiver.address();
        Self { receiver: Some(receiver), address, is_grpc, before: Vec::new(), moods: BTreeSet::new() }
    }

    /// The flags that send there.
    pub(crate) fn arguments(&self) -> [String; 2] {
        let protocol = if self.is_grpc { "grpc" } else { "http/protobuf" };
        [format!("--otlp-endpoint=http://{}", self.address), format!("--otlp-protocol={protocol}")]
    }

    pub(crate) fn be(&mut self, mood: Mood) {
        self.moods.insert(format!("{mood:?}"));
        if mood == Mood::Down {
            if let Some(receiver) = self.receiver.take() {
                self.before.extend(receiver.seen());
            }
            return;
        }
        let address = self.address;
        let receiver = self.receiver.get_or_insert_with(|| Receiver::start_at(address));
        let soon = vec![("retry-after", "1".to_owned())];
        receiver.answer(match (mood, self.is_grpc) {
            (Mood::Well | Mood::Down, _) => Answer::Ok,
            (Mood::Slow, _) => Answer::Slow(Duration::from_millis(300)),
            (Mood::Warning, _) => Answer::Partial { rejected: 0, message: "be kind" },
            (Mood::Rejecting, _) => Answer::Partial { rejected: 1, message: "not that one" },
            (Mood::Hanging, _) => Answer::Hang,
            (Mood::AnswersLost, _) => Answer::TakenInSilence,
            (Mood::Unavailable, true) => Answer::Grpc(Code::Unavailable, None),
            (Mood::Unavailable, false) => Answer::Http(503, soon),
            (Mood::Throttling, true) => Answer::Grpc(Code::ResourceExhausted, Some(Duration::from_millis(500))),
            (Mood::Throttling, false) => Answer::Http(429, soon),
        });
    }

    /// All that was taken.
    pub(crate) fn taken(&self) -> Vec<Seen> {
        let now = self.receiver.iter().flat_map(Receiver::seen);
        self.before.iter().cloned().chain(now).filter(|seen| seen.taken).collect()
    }
}

/// An address of the loopback network that nobody else uses: while the receiver is down its port stays free.
fn own_address() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = (std::process::id() << 6).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
    let [_, a, b, c] = number.to_be_bytes();
    // other systems have one loopback address
    let address = if cfg!(target_os = "linux") { [127, a | 1, b, c.max(1)] } else { [127, 0, 0, 1] };
    (address, 0).into()
}

/// Each delivery of each span.
pub(crate) fn spans(taken: &[Seen]) -> Vec<Arrived> {
    let spans = taken.iter().flat_map(Seen::spans);
    spans
        .map(|(_, span)| Arrived {
            trace: span.trace_id,
            id: span.span_id,
            parent: span.parent_span_id,
            name: span.name,
            attributes: texts(&span.attributes),
        })
        .collect()
}

/// Each delivery of each log record.
pub(crate) fn records(taken: &[Seen]) -> Vec<Record> {
    let records = taken.iter().flat_map(Seen::logs);
    let record = |record: opentelemetry_proto::tonic::logs::v1::LogRecord| Record {
        trace: record.trace_id,
        name: record.event_name,
        attributes: texts(&record.attributes),
    };
    records.map(|(_, it)| record(it)).collect()
}

/// Records that answers said were not taken: of logs, or of traces.
pub(crate) fn rejected(taken: &[Seen], logs: bool) -> u64 {
    let of = |seen: &&Seen| matches!(seen.payload, Payload::Logs(_)) == logs;
    taken.iter().filter(of).map(|seen| seen.rejected as u64).sum()
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |it: &KeyValue| (it.key.clone(), it.value.as_ref().map(text).unwrap_or_default());
    attributes.iter().map(text).collect()
}

fn text(value: &AnyValue) -> String {
    match &value.value {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::BoolValue(truth)) => truth.to_string(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        Some(Value::ArrayValue(list)) => list.values.iter().map(text).collect::<Vec<_>>().join(" "),
        other => format!("{other:?}"),
    }
}
