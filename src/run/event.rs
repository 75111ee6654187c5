//! What a run says of itself. Its events are numbered without gaps; the number is also the event's id in a stream.

use serde::{Deserialize, Serialize};

use crate::run::ports::Usage;
use crate::source::Span;
use crate::types::Text;
use crate::value::{ErrorKind, Value};

/// Something that happened in a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Event {
    /// Its number in the run, from 1.
    pub number: u64,
    /// When.
    pub at: jiff::Timestamp,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened. In JSON the field `event` names it: `step.started`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event")]
pub enum EventKind {
    /// The run began.
    #[serde(rename = "run.started")]
    RunStarted {
        /// The run's id.
        run: Text,
        /// The flow's name.
        flow: Text,
        /// The program's hash.
        program: Text,
        /// The input, by parameter.
        input: Value,
        /// How many named or titled steps stand in the flow's text: the `5` of `Step 2/5`.
        steps: u32,
    },
    /// A step began an attempt.
    #[serde(rename = "step.started")]
    StepStarted {
        /// Its path, with the attempt from the second on.
        path: Text,
        /// Its title, where it has one.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        title: Option<Text>,
        /// The tool or flow it calls; `parallel`, `for` and so on for a block.
        action: Text,
        /// From 1.
        attempt: u32,
        /// For blocks over a list: how many items.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        items: Option<u32>,
        /// For tools: the SHA-256 of the arguments, secrets by name.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        args_hash: Option<Text>,
    },
    /// An attempt failed and another follows.
    #[serde(rename = "step.retrying")]
    StepRetrying {
        /// Its path, with the attempt that failed.
        path: Text,
        /// The attempt that failed, from 1.
        attempt: u32,
        /// Why.
        error: RunError,
        /// Milliseconds until the next.
        wait_ms: u64,
        /// What this attempt spent.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        usage: Option<Box<Usage>>,
    },
    /// Partial output.
    #[serde(rename = "step.output")]
    StepOutput {
        /// Its path.
        path: Text,
        /// The output.
        output: Value,
    },
    /// What a step does failed, after its retries, and its own `catch` and `finally` follow.
    #[serde(rename = "step.caught")]
    StepCaught {
        /// Its path.
        path: Text,
        /// Why.
        error: RunError,
        /// What it spent.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        usage: Option<Box<Usage>>,
    },
    /// What a step does came to its end, and its own `finally` follows.
    #[serde(rename = "step.returned")]
    StepReturned {
        /// Its path.
        path: Text,
        /// What it gave.
        result: Value,
        /// What it spent.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        usage: Option<Box<Usage>>,
    },
    /// The time of a block or flow was up: what it began is cancelled.
    #[serde(rename = "step.expired")]
    StepExpired {
        /// Its path with its attempt; of a flow, the path of the step that called it and a `/`.
        path: Text,
    },
    /// A loop was cancelled between two of its rounds, where no step was in flight that could tell of it.
    #[serde(rename = "step.stopped")]
    StepStopped {
        /// The path of the round that did not begin.
        path: Text,
    },
    /// A step came to its end.
    #[serde(rename = "step.completed")]
    StepCompleted {
        /// Its path, without its own attempt: so it is in every end of a step, and in partial output.
        path: Text,
        /// What it gave.
        result: Value,
        /// From its first attempt's start, in milliseconds.
        duration_ms: u64,
        /// What it spent.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        usage: Option<Box<Usage>>,
    },
    /// A step failed after its retries. Whether something caught it shows in what follows.
    #[serde(rename = "step.failed")]
    StepFailed {
        /// Its path.
        path: Text,
        /// Why.
        error: RunError,
        /// In milliseconds.
        duration_ms: u64,
        /// What it spent.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        usage: Option<Box<Usage>>,
    },
    /// Its `when` was false.
    #[serde(rename = "step.skipped")]
    StepSkipped {
        /// Its path.
        path: Text,
    },
    /// It was cancelled in flight.
    #[serde(rename = "step.cancelled")]
    StepCancelled {
        /// Its path.
        path: Text,
        /// In milliseconds.
        duration_ms: u64,
    },
    /// `emit`
    #[serde(rename = "run.emitted")]
    Emitted {
        /// Its block's path and number: `pages[3].emit@1`.
        path: Text,
        /// The value.
        value: Value,
    },
    /// The run waits for a person or a signal.
    #[serde(rename = "run.waiting")]
    RunWaiting {
        /// The waiting step's path; from its call's second question on with that one's number: `order?2`.
        path: Text,
        /// What for, in a few words.
        reason: Text,
        /// What for, as data: `kind` is `answer`, `approval`, `model` or `signal`; `question` with its `details`, or the
        /// signal's `name`; and the JSON `schema` of what is wanted.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        request: Value,
    },
    /// What a step waited for has come.
    #[serde(rename = "run.received")]
    RunReceived {
        /// The waiting step's path.
        path: Text,
        /// The answer, or what the signal carries; null where it was declined.
        value: Value,
        /// Why there will be no answer.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        declined: Option<Text>,
        /// The number of the `run.signalled` that it came with, where it came before it was waited for.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        signal: Option<u64>,
        /// The number of the message that brought it, where one did.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        message: Option<u64>,
    },
    /// A signal came that nothing waits for yet. It is kept for the next step that does.
    #[serde(rename = "run.signalled")]
    RunSignalled {
        /// Its name.
        name: Text,
        /// What it carries.
        value: Value,
        /// The number of the message that brought it, where one did.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        message: Option<u64>,
    },
    /// Somebody cancelled the run: what is in flight is cancelled, undos and `finally` blocks run, then it ends.
    #[serde(rename = "run.cancelling")]
    RunCancelling {
        /// The number of the message that asked for it, where one did.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        message: Option<u64>,
    },
    /// Another process carries the run on, or the same one after a wait.
    #[serde(rename = "run.resumed")]
    RunResumed,
    /// The run came to its end.
    #[serde(rename = "run.completed")]
    RunCompleted {
        /// What the flow returned.
        output: Value,
        /// In milliseconds.
        duration_ms: u64,
    },
    /// The run failed.
    #[serde(rename = "run.failed")]
    RunFailed {
        /// Why.
        error: RunError,
        /// In milliseconds.
        duration_ms: u64,
    },
    /// The run was cancelled.
    #[serde(rename = "run.cancelled")]
    RunCancelled {
        /// In milliseconds.
        duration_ms: u64,
    },
}

impl EventKind {
    /// Its name in JSON: `step.started`.
    pub fn name(&self) -> &'static str {
        match self {
            EventKind::RunStarted { .. } => "run.started",
            EventKind::StepStarted { .. } => "step.started",
            EventKind::StepRetrying { .. } => "step.retrying",
            EventKind::StepOutput { .. } => "step.output",
            EventKind::StepCaught { .. } => "step.caught",
            EventKind::StepReturned { .. } => "step.returned",
            EventKind::StepExpired { .. } => "step.expired",
            EventKind::StepStopped { .. } => "step.stopped",
            EventKind::StepCompleted { .. } => "step.completed",
            EventKind::StepFailed { .. } => "step.failed",
            EventKind::StepSkipped { .. } => "step.skipped",
            EventKind::StepCancelled { .. } => "step.cancelled",
            EventKind::Emitted { .. } => "run.emitted",
            EventKind::RunWaiting { .. } => "run.waiting",
            EventKind::RunReceived { .. } => "run.received",
            EventKind::RunSignalled { .. } => "run.signalled",
            EventKind::RunCancelling { .. } => "run.cancelling",
            EventKind::RunResumed => "run.resumed",
            EventKind::RunCompleted { .. } => "run.completed",
            EventKind::RunFailed { .. } => "run.failed",
            EventKind::RunCancelled { .. } => "run.cancelled",
        }
    }

    /// The path it speaks of; none for the run's own.
    pub fn path(&self) -> Option<&str> {
        match self {
            EventKind::StepStarted { path, .. }
            | EventKind::StepRetrying { path, .. }
            | EventKind::StepOutput { path, .. }
            | EventKind::StepCaught { path, .. }
            | EventKind::StepReturned { path, .. }
            | EventKind::StepExpired { path }
            | EventKind::StepStopped { path }
            | EventKind::StepCompleted { path, .. }
            | EventKind::StepFailed { path, .. }
            | EventKind::StepSkipped { path }
            | EventKind::StepCancelled { path, .. }
            | EventKind::Emitted { path, .. }
            | EventKind::RunWaiting { path, .. }
            | EventKind::RunReceived { path, .. } => Some(path),
            EventKind::RunStarted { .. }
            | EventKind::RunSignalled { .. }
            | EventKind::RunCancelling { .. }
            | EventKind::RunResumed
            | EventKind::RunCompleted { .. }
            | EventKind::RunFailed { .. }
            | EventKind::RunCancelled { .. } => None,
        }
    }

    /// The number of the message that brought it about, where one did.
    pub fn message(&self) -> Option<u64> {
        match self {
            EventKind::RunReceived { message, .. }
            | EventKind::RunSignalled { message, .. }
            | EventKind::RunCancelling { message } => *message,
            _ => None,
        }
    }

    /// Whether it is the last of a run.
    pub fn ends_run(&self) -> bool {
        matches!(self, EventKind::RunCompleted { .. } | EventKind::RunFailed { .. } | EventKind::RunCancelled { .. })
    }

    /// Whether it is the one end of a step.
    pub fn ends_step(&self) -> bool {
        matches!(
            self,
            EventKind::StepCompleted { .. }
                | EventKind::StepFailed { .. }
                | EventKind::StepSkipped { .. }
                | EventKind::StepCancelled { .. }
        )
    }
}

/// A failure, with where it happened: the `Error` of the language.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunError {
    /// Its kind.
    pub kind: ErrorKind,
    /// What is wrong.
    pub message: String,
    /// The path of the step that failed; empty outside of one.
    pub step: Text,
    /// How often it was tried.
    pub attempts: u32,
    /// Whether trying again may help.
    pub retryable: bool,
    /// More, for programs.
    pub details: Value,
    /// Where in the source.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub span: Option<Span>,
}

impl std::fmt::Display for RunError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.step.is_empty() {
            write!(f, "step `{}`: ", self.step)?;
        }
        write!(f, "{}: {}", self.kind, self.message)
    }
}

impl std::error::Error for RunError {}

impl RunError {
    /// An error outside of any step.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            step: Text::default(),
            attempts: 0,
            retryable: kind.retryable(),
            details: Value::Null,
            span: None,
        }
    }

    /// From the language's `Error` record; what is not there is null, none or unknown.
    pub fn from_value(value: &Value) -> Self {
        let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
        let kind = ErrorKind::find(text("kind")).unwrap_or(ErrorKind::Failed);
        Self {
            kind,
            message: text("message").to_owned(),
            step: Text::new(text("step")),
            attempts: value.get("attempts").and_then(Value::as_int).and_then(|n| u32::try_from(n).ok()).unwrap_or(1),
            retryable: value.get("retryable").and_then(Value::as_bool).unwrap_or(false),
            details: value.get("details").cloned().unwrap_or(Value::Null),
            span: None,
        }
    }

    /// As the language's `Error` record.
    pub fn to_value(&self) -> Value {
        Value::record_of([
            ("kind", self.kind.name().into()),
            ("message", self.message.as_str().into()),
            ("step", Value::String(self.step.clone())),
            ("attempts", Value::Int(i64::from(self.attempts))),
            ("retryable", Value::Bool(self.retryable)),
            ("details", self.details.clone()),
        ])
    }
}

/// The step that a path is of: without its attempt, and without the number of the question that its call asks.
pub fn step_of(path: &str) -> &str {
    let cut = |path: &str, mark| {
        let (step, number): (&str, &str) = path.rsplit_once(mark)?;
        number.bytes().all(|digit| digit.is_ascii_digit()).then_some(step.len())
    };
    let path = cut(path, '?').and_then(|end| path.get(..end)).unwrap_or(path);
    cut(path, '#').and_then(|end| path.get(..end)).unwrap_or(path)
}
