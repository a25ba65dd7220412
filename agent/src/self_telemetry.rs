//! The agent's own spans: what it did and how long it took, a few a second at most, through the OpenTelemetry SDK.
//!
//! Off unless asked for. Knows nothing of builds, and is no part of the path of their data: it has a queue of its own,
//! which drops when it is full, and its failure is told once and changes nothing else.
//!
//! Invariant: recording never waits, and what is recorded is bounded by the clock, not by the load.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{Span as _, SpanKind, Status, Tracer as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    Sampler, SdkTracer, SdkTracerProvider, Span, SpanData, SpanExporter as _, SpanLimits, SpanProcessor,
};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::export::{Observer, RequestEnded, Settings, StartError, sdk_exporter};

/// Spans that wait to be sent. Full-policy: a new one is dropped; they are samples.
const QUEUE: usize = 256;
/// How long the first span of a batch waits for company.
const LINGER: Duration = Duration::from_secs(1);
/// Spans of one kind of work in a second; more are only counted on the next one.
const PER_SECOND: u32 = 2;

/// The kinds of work that are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// A request to the backend.
    ExportRequest,
    /// A batch of events counted and applied to builds.
    BatchApply,
    /// The page of metrics made.
    MetricsPage,
}

impl Work {
    const COUNT: usize = 3;

    const fn name(self) -> &'static str {
        match self {
            Self::ExportRequest => "export request",
            Self::BatchApply => "apply batch",
            Self::MetricsPage => "metrics page",
        }
    }

    const fn kind(self) -> SpanKind {
        match self {
            Self::ExportRequest => SpanKind::Client,
            Self::BatchApply | Self::MetricsPage => SpanKind::Internal,
        }
    }
}

/// The recorder of the agent's own spans.
#[derive(Debug)]
pub(crate) struct SelfTelemetry {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    gates: Mutex<[Gate; Work::COUNT]>,
    sender: Mutex<Option<JoinHandle<()>>>,
}

impl SelfTelemetry {
    /// Starts on the runtime it is called from. `None`: traces are not exported, so these are not either.
    ///
    /// # Errors
    /// A file that a setting names cannot be used.
    pub(crate) fn start(settings: &Settings) -> Result<Option<Self>, StartError> {
        let Some(traces) = &settings.traces else { return Ok(None) };
        let mut exporter = sdk_exporter(traces)?;
        let further = settings.resource.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
        let resource = Resource::builder_empty()
            .with_attributes(further)
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_service_name("gobeacon")
            .build();
        exporter.set_resource(&resource);
        let (queue, spans) = mpsc::channel(QUEUE);
        let provider = SdkTracerProvider::builder()
            .with_span_processor(Forward { queue: Mutex::new(Some(queue)), dropped: AtomicU64::new(0) })
            .with_sampler(Sampler::AlwaysOn)
            .with_span_limits(SpanLimits::default())
            .with_resource(resource)
            .build();
        let tracer = provider.tracer("gobeacon");
        let sender = Mutex::new(Some(tokio::spawn(send(spans, exporter, traces.timeout))));
        Ok(Some(Self { provider, tracer, gates: Mutex::default(), sender }))
    }

    /// What tells it of each request of the exporter.
    pub(crate) fn observer(self: &Arc<Self>) -> Observer {
        let teller = Arc::clone(self);
        Arc::new(move |ended| teller.request(ended))
    }

    /// Records work that ended now. Never waits; more than a few of a kind in a second are only counted.
    pub(crate) fn record(&self, work: Work, took: Duration, items: u64, failure: Option<&'static str>) {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(skipped) = gates.get_mut(work as usize).and_then(|gate| gate.open(Instant::now())) else { return };
        drop(gates);
        let end = SystemTime::now();
        let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let builder = self
            .tracer
            .span_builder(work.name())
            .with_kind(work.kind())
            .with_start_time(end.checked_sub(took).unwrap_or(end))
            .with_attributes([
                KeyValue::new("gobeacon.items", count(items)),
                KeyValue::new("gobeacon.skipped_spans", count(skipped)),
            ]);
        let mut span = self.tracer.build_with_context(builder, &Context::new());
        if let Some(reason) = failure {
            span.set_attribute(KeyValue::new("error.type", reason));
            span.set_status(Status::error(reason));
        }
        span.end_with_timestamp(end);
    }

    /// Records a request of the exporter.
    fn request(&self, ended: RequestEnded) {
        let failure = ended.failure.map(|reason| reason.as_str());
        self.record(Work::ExportRequest, ended.took, ended.records, failure);
    }

    /// Sends what is queued, for at most so long.
    pub(crate) async fn shutdown(&self, within: Duration) {
        // closes the queue: the task ends when it has sent what is in it
        if let Err(error) = self.provider.shutdown() {
            tracing::debug!(%error, "the agent's own spans do not end well");
        }
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut sender) = sender
            && tokio::time::timeout(within, &mut sender).await.is_err()
        {
            sender.abort();
        }
    }
}

/// Lets a few through each second and counts the others.
#[derive(Debug, Default)]
struct Gate {
    second_began: Option<Instant>,
    passed: u32,
    skipped: u64,
}

impl Gate {
    /// `Some` lets one through, with how many were not let through since the last.
    fn open(&mut self, now: Instant) -> Option<u64> {
        if self.second_began.is_none_or(|began| now.duration_since(began) >= Duration::from_secs(1)) {
            (self.second_began, self.passed) = (Some(now), 0);
        }
        if self.passed >= PER_SECOND {
            self.skipped += 1;
            return None;
        }
        self.passed += 1;
        Some(std::mem::take(&mut self.skipped))
    }
}

/// Hands ended spans to the task that sends them.
#[derive(Debug)]
struct Forward {
    /// `None` after the shutdown.
    queue: Mutex<Option<mpsc::Sender<SpanData>>>,
    dropped: AtomicU64,
}

impl SpanProcessor for Forward {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let full = queue.as_ref().is_some_and(|queue| matches!(queue.try_send(span), Err(TrySendError::Full(_))));
        if full && self.dropped.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!("own spans of the agent are dropped: they cannot be sent as fast as they are made");
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(())
    }
}

/// Sends spans until the queue is closed and empty.
async fn send(mut spans: mpsc::Receiver<SpanData>, exporter: opentelemetry_otlp::SpanExporter, timeout: Duration) {
    let mut failing = false;
    while let Some(first) = spans.recv().await {
        let mut batch = vec![first];
        let company = async { while batch.len() < QUEUE && spans.recv_many(&mut batch, QUEUE).await > 0 {} };
        // what came until then is in the batch
        let _lingered = tokio::time::timeout(LINGER, company).await;
        let sent = tokio::time::timeout(timeout, exporter.export(batch)).await;
        let problem = match sent {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("no answer within {timeout:?}")),
        };
        if let (Some(problem), false) = (&problem, failing) {
            tracing::warn!(problem, "own spans of the agent cannot be exported, they are dropped");
        }
        failing = problem.is_some();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_lets_a_few_through_each_second_and_counts_the_others() {
        let (mut gate, now) = (Gate::default(), Instant::now());
        let opened: Vec<_> = (0..10).map(|_| gate.open(now)).collect();
        assert_eq!(opened[..3], [Some(0), Some(0), None]);
        assert_eq!(gate.open(now + Duration::from_millis(999)), None);
        assert_eq!(gate.open(now + Duration::from_secs(1)), Some(9));
    }
}
