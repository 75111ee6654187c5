//! A database to test, and what runs are made of.

use std::sync::Arc;

use flowc::program::Program;
use flowc::run::journal::{Labels, Opening};
use flowc::run::{Engine, Event, EventKind, Lease, RunError, RunStore, Usage};
use flowc::source::SourceFile;
use flowc::value::{ErrorKind, Value};
use jiff::{SignedDuration, Timestamp};

/// A database; each opening is an owner of its own, which is gone when it is dropped.
pub(crate) struct World {
    open: Box<dyn Fn() -> Arc<dyn RunStore>>,
    ask: Box<dyn Fn(&str) -> Vec<String>>,
}

impl World {
    /// `ask` gives the rows of an SQL question, each as one line; `AT(column)` in it stands for an instant's seconds.
    pub(crate) fn new(open: Box<dyn Fn() -> Arc<dyn RunStore>>, ask: Box<dyn Fn(&str) -> Vec<String>>) -> Self {
        Self { open, ask }
    }

    pub(crate) fn ask(&self, sql: &str) -> Vec<String> {
        (self.ask)(sql)
    }

    pub(crate) fn open(&self) -> Arc<dyn RunStore> {
        (self.open)()
    }
}

/// The moment so many milliseconds after the tests' beginning of time.
pub(crate) fn at(millis: i64) -> Timestamp {
    "2026-11-23T10:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_millis(millis)
}

pub(crate) fn program(text: &str) -> Arc<Program> {
    let source = SourceFile::new("it.flow", format!("flow it() -> string {{ return \"{text}\" }}"));
    Engine::builder().build().unwrap().compile(source).unwrap_or_else(|wrong| panic!("{wrong}"))
}

/// How a run begins, at a moment that its id says too.
pub(crate) fn opening(id: &str, flow: &str, millis: i64, labels: Labels) -> Opening {
    let input = Value::map([("url".into(), "https://example.org".into())]);
    Opening { run: id.into(), flow: flow.into(), program: program("as it was"), input, at: at(millis), labels }
}

pub(crate) fn started(opening: &Opening) -> EventKind {
    EventKind::RunStarted {
        run: opening.run.clone(),
        flow: opening.flow.clone(),
        program: opening.program.hash().clone(),
        input: opening.input.clone(),
        steps: 3,
    }
}

pub(crate) fn begins(path: &str, attempt: u32) -> EventKind {
    EventKind::StepStarted {
        path: path.into(),
        title: None,
        action: "web.scrape".into(),
        attempt,
        items: None,
        args_hash: Some("beef".into()),
    }
}

pub(crate) fn completes(path: &str, usage: Option<Usage>) -> EventKind {
    let result = Value::record_of([("of", path.into())]);
    EventKind::StepCompleted { path: path.into(), result, duration_ms: 7, usage: usage.map(Box::new) }
}

pub(crate) fn fails(path: &str, kind: ErrorKind, usage: Option<Usage>) -> EventKind {
    let error = RunError { step: path.into(), attempts: 1, ..RunError::new(kind, "it is not to be") };
    EventKind::StepFailed { path: path.into(), error, duration_ms: 9, usage: usage.map(Box::new) }
}

pub(crate) fn ends() -> EventKind {
    EventKind::RunCompleted { output: "done".into(), duration_ms: 1_000 }
}

pub(crate) fn usage(usd: f64) -> Usage {
    Usage { input_tokens: 100, output_tokens: 20, usd }
}

/// One run being written.
pub(crate) struct Writing {
    pub(crate) store: Arc<dyn RunStore>,
    pub(crate) lease: Lease,
    pub(crate) next: u64,
    pub(crate) now: i64,
}

impl Writing {
    /// Opens a run and appends its start.
    pub(crate) fn begin(store: &Arc<dyn RunStore>, opening: Opening, millis: i64) -> Self {
        let start = started(&opening);
        let lease = store.open(Arc::new(opening));
        let mut writing = Self { store: Arc::clone(store), lease, next: 1, now: millis };
        writing.append(start);
        writing
    }

    /// Goes on with a run.
    pub(crate) fn resume(store: &Arc<dyn RunStore>, lease: Lease, last: u64, millis: i64) -> Self {
        Self { store: Arc::clone(store), lease, next: last + 1, now: millis }
    }

    pub(crate) fn append(&mut self, kind: EventKind) -> Arc<Event> {
        let event = Arc::new(Event { number: self.next, at: at(self.now), kind });
        self.store.append(&self.lease, std::slice::from_ref(&event));
        self.next += 1;
        self.now += 10;
        event
    }

    pub(crate) async fn commit(&self) -> Result<(), flowc::run::JournalError> {
        self.store.commit(&self.lease).await
    }
}
