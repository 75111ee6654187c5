//! Traces of runs, sent by OTLP: a trace per run, a span for the run and one for each of its steps.
//!
//! The ids of a run's trace and spans follow from the run's id and the steps' paths, and a span is made when its step
//! ends, from the times that the events tell. So all spans of a run make one trace, whichever processes carried it on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use opentelemetry::trace::{
    Event as SpanEvent, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchSpanProcessor, SpanData, SpanEvents, SpanExporter as Export, SpanLinks, SpanProcessor,
};
use tokio::runtime::Runtime;

use crate::run::journal::pattern;
use crate::run::ports::hex_sha256;
use crate::run::{Event, EventKind, Observer, RunError, Usage};
use crate::telemetry::{is_tool, without_attempt};
use crate::types::Text;

/// Sends traces of the runs of engines that are given it as an observer; [`Traces::shutdown`] sends the last.
pub struct Traces {
    spans: BatchSpanProcessor,
    scope: InstrumentationScope,
    /// The steps that have begun and not ended, by run and by path without their own attempt.
    open: Mutex<HashMap<Text, HashMap<Text, Open>>>,
}

/// A step that has begun.
struct Open {
    title: Option<Text>,
    action: Text,
    attempt: u32,
    /// The attempts that failed, partial output left out.
    events: Vec<SpanEvent>,
}

/// Why no traces can be sent: a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracesError(String);

impl std::fmt::Display for TracesError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "traces cannot be sent: {}", self.0)
    }
}

impl std::error::Error for TracesError {}

/// What a span tells besides where it belongs.
struct Told {
    name: String,
    attributes: Vec<KeyValue>,
    events: Vec<SpanEvent>,
    status: Status,
}

impl Traces {
    /// Sends them to where the environment says, by the variables that OpenTelemetry knows:
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_SERVICE_NAME` and so on; without any to
    /// `http://localhost:4318`.
    ///
    /// # Errors
    /// An address that is none, for one.
    pub fn from_env() -> Result<Self, TracesError> {
        Self::with(|| SpanExporter::builder().with_http().build())
    }

    /// Sends them to this address: `http://collector.example:4318/v1/traces`.
    ///
    /// # Errors
    /// As [`Traces::from_env`].
    pub fn to(endpoint: &str) -> Result<Self, TracesError> {
        use opentelemetry_otlp::WithExportConfig;
        Self::with(|| SpanExporter::builder().with_http().with_endpoint(endpoint).build())
    }

    fn with<E: std::fmt::Display>(exporter: impl FnOnce() -> Result<SpanExporter, E>) -> Result<Self, TracesError> {
        // Requests are encrypted by the same library as the tools' own.
        #[cfg(feature = "http")]
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|why| TracesError(why.to_string()))?;
        let exporter = {
            let _inside = runtime.enter();
            exporter().map_err(|why| TracesError(why.to_string()))?
        };
        let mut spans = BatchSpanProcessor::builder(Sender { runtime, exporter }).build();
        let named = Resource::builder().build();
        let resource = match named.get(&"service.name".into()) {
            Some(name) if !name.as_str().starts_with("unknown_service") => named,
            _ => Resource::builder().with_service_name("flow").build(),
        };
        spans.set_resource(&resource);
        let scope = InstrumentationScope::builder("flow").with_version(env!("CARGO_PKG_VERSION")).build();
        Ok(Self { spans, scope, open: Mutex::default() })
    }

    fn observe(&self, run: &str, flow: &str, event: &Event) {
        let mut all = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let open = all.entry(run.into()).or_default();
        match &event.kind {
            EventKind::StepStarted { path, title, action, attempt, .. } => {
                let begun =
                    || Open { title: title.clone(), action: action.clone(), attempt: *attempt, events: Vec::new() };
                open.entry(without_attempt(path, *attempt).into()).or_insert_with(begun).attempt = *attempt;
            }
            EventKind::StepRetrying { path, attempt, error, .. } => {
                if let Some(step) = open.get_mut(without_attempt(path, *attempt)) {
                    step.events.push(exception(error, event.at, Some(*attempt)));
                }
            }
            EventKind::StepCompleted { path, duration_ms, usage, .. } => {
                self.step(run, path, (event.at, *duration_ms), (None, usage.as_deref()), open);
            }
            EventKind::StepFailed { path, duration_ms, error, usage } => {
                self.step(run, path, (event.at, *duration_ms), (Some(error), usage.as_deref()), open);
            }
            EventKind::StepCancelled { path, duration_ms } => {
                let why = RunError::new(crate::value::ErrorKind::Cancelled, "it was cancelled");
                self.step(run, path, (event.at, *duration_ms), (Some(&why), None), open);
            }
            EventKind::RunCompleted { duration_ms, .. } => self.run(run, flow, (event.at, *duration_ms), None),
            EventKind::RunFailed { error, duration_ms } => self.run(run, flow, (event.at, *duration_ms), Some(error)),
            EventKind::RunCancelled { duration_ms } => {
                let why = RunError::new(crate::value::ErrorKind::Cancelled, "it was cancelled");
                self.run(run, flow, (event.at, *duration_ms), Some(&why));
            }
            _ => {}
        }
        if event.kind.ends_run() {
            all.remove(run);
        }
    }

    /// Sends what there is and ends. It blocks for at most five seconds: in async code, call it on a thread that may.
    pub fn shutdown(&self) {
        if let Err(why) = self.spans.shutdown_with_timeout(Duration::from_secs(5)) {
            tracing::warn!(%why, "the last traces could not be sent");
        }
    }

    fn step(
        &self,
        run: &str,
        path: &str,
        time: (Timestamp, u64),
        (error, usage): (Option<&RunError>, Option<&Usage>),
        open: &mut HashMap<Text, Open>,
    ) {
        let Some(step) = open.remove(path) else { return };
        let mut attributes = vec![
            KeyValue::new("flow.run.id", run.to_owned()),
            KeyValue::new("flow.step.path", path.to_owned()),
            KeyValue::new("flow.step.attempts", i64::from(step.attempt)),
        ];
        attributes.extend(step.title.map(|title| KeyValue::new("flow.step.title", title.to_string())));
        attributes.push(if is_tool(&step.action) {
            KeyValue::new("gen_ai.tool.name", step.action.to_string())
        } else {
            KeyValue::new("flow.step.action", step.action.to_string())
        });
        if let Some(usage) = usage {
            attributes.extend([
                KeyValue::new("gen_ai.usage.input_tokens", usage.input_tokens as i64),
                KeyValue::new("gen_ai.usage.output_tokens", usage.output_tokens as i64),
                KeyValue::new("flow.usage.usd", usage.usd),
            ]);
        }
        let told = Told { name: pattern(path).to_string(), attributes, events: step.events, status: Status::Unset };
        // The nearest step around it; what else stands in a path (items, rounds) has no span.
        let ends = path.char_indices().rev().filter(|(_, c)| "./[~#".contains(*c)).map(|(at, _)| at);
        let around = ends.filter_map(|end| path.get(..end)).find(|around| open.contains_key(*around)).unwrap_or("");
        self.send(run, path, Some(around), time, told.ended(error, time.0));
    }

    fn run(&self, run: &str, flow: &str, time: (Timestamp, u64), error: Option<&RunError>) {
        let attributes =
            vec![KeyValue::new("flow.run.id", run.to_owned()), KeyValue::new("flow.name", flow.to_owned())];
        let told = Told { name: format!("run {flow}"), attributes, events: Vec::new(), status: Status::Unset };
        self.send(run, "", None, time, told.ended(error, time.0));
    }

    /// Sends the span of a path; the run's own is the empty one.
    fn send(&self, run: &str, path: &str, around: Option<&str>, (end, millis): (Timestamp, u64), told: Told) {
        let end = SystemTime::from(end);
        let trace = TraceId::from_bytes(digest(run, None));
        let id = |path: &str| SpanId::from_bytes(digest(run, Some(path)));
        let mut events = SpanEvents::default();
        events.events = told.events;
        self.spans.on_end(SpanData {
            span_context: SpanContext::new(trace, id(path), TraceFlags::SAMPLED, false, TraceState::NONE),
            parent_span_id: around.map_or(SpanId::INVALID, id),
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: told.name.into(),
            start_time: end.checked_sub(Duration::from_millis(millis)).unwrap_or(end),
            end_time: end,
            attributes: told.attributes,
            dropped_attributes_count: 0,
            events,
            links: SpanLinks::default(),
            status: told.status,
            instrumentation_scope: self.scope.clone(),
        });
    }
}

impl Observer for Arc<Traces> {
    fn event(&self, run: &str, flow: &str, event: &Event) {
        self.observe(run, flow, event);
    }
}

impl Told {
    fn ended(mut self, error: Option<&RunError>, at: Timestamp) -> Self {
        if let Some(error) = error {
            self.attributes.push(KeyValue::new("error.type", error.kind.name()));
            self.events.push(exception(error, at, None));
            self.status = Status::error(error.message.clone());
        }
        self
    }
}

/// A failure as a span tells it.
fn exception(error: &RunError, at: Timestamp, attempt: Option<u32>) -> SpanEvent {
    let mut attributes = vec![
        KeyValue::new("exception.type", error.kind.name()),
        KeyValue::new("exception.message", error.message.clone()),
    ];
    attributes.extend(attempt.map(|attempt| KeyValue::new("flow.step.attempt", i64::from(attempt))));
    SpanEvent::new("exception", SystemTime::from(at), attributes, 0)
}

/// The first bytes of the SHA-256 of a run's id, and of a path in it.
fn digest<const N: usize>(run: &str, path: Option<&str>) -> [u8; N] {
    let hex = match path {
        None => hex_sha256(&[run.as_bytes()]),
        Some(path) => hex_sha256(&[run.as_bytes(), &[0], path.as_bytes()]),
    };
    std::array::from_fn(|at| {
        let byte = hex.get(2 * at..2 * at + 2).and_then(|byte| u8::from_str_radix(byte, 16).ok());
        byte.unwrap_or_default()
    })
}

/// The exporter on a runtime of its own: batches are sent from a thread that has none.
#[derive(Debug)]
struct Sender {
    runtime: Runtime,
    exporter: SpanExporter,
}

impl Export for Sender {
    fn export(&self, batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        std::future::ready(self.runtime.block_on(self.exporter.export(batch)))
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
