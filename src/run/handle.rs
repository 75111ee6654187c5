//! A run, as the one who started it sees it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};

use futures::Stream;
use futures::task::AtomicWaker;
use rustc_hash::FxHashSet;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::run::event::{Event, EventKind, RunError};
use crate::run::inbox::{AnswerError, Inbox, Waiting};
use crate::run::journal::Log;
use crate::run::ports::Clock;
use crate::types::Text;
use crate::value::{ErrorKind, Value};

/// A handle of a run. Cheap to clone; the run goes on when all handles are dropped, until it ends or is cancelled.
#[derive(Clone)]
pub struct Run {
    shared: Held,
}

/// A run that somebody looks at. When nobody does any more, it is woken: it may leave the memory where it only waits.
#[derive(Clone)]
struct Held(Option<Arc<Shared>>);

pub(crate) struct Shared {
    pub(crate) id: Text,
    pub(crate) log: Log,
    /// Cancels everything in the run; only the run itself does, once it has recorded that.
    pub(crate) cancel: CancellationToken,
    pub(crate) inbox: Inbox,
    pub(crate) clock: Arc<dyn Clock>,
    /// Wakes the run.
    pub(crate) waker: AtomicWaker,
    /// That it shall be cancelled.
    asked: OnceLock<Cancel>,
    /// The numbers of the messages that it was given.
    messages: Mutex<FxHashSet<u64>>,
}

/// That a run shall be cancelled.
#[derive(Clone, Copy)]
pub(crate) struct Cancel {
    /// The number of the message that says so.
    pub(crate) message: Option<u64>,
}

impl std::ops::Deref for Held {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        // It is only ever taken when it is dropped.
        self.0.as_ref().unwrap_or_else(|| unreachable!("a handle is held until it is dropped"))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // The run counts its holders when it wakes: this one must be gone by then.
        let waker = self.0.take().and_then(|shared| shared.waker.take());
        waker.into_iter().for_each(std::task::Waker::wake);
    }
}

impl Run {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared: Held(Some(shared)) }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.shared.id
    }

    /// Its events from the first, whenever one begins to listen; ends after the run's last.
    pub fn events(&self) -> Events {
        self.events_after(0)
    }

    /// Its events after the one of this number: how a client that lost its connection goes on.
    pub fn events_after(&self, number: u64) -> Events {
        Events { shared: self.shared.clone(), next: usize::try_from(number).unwrap_or(usize::MAX) }
    }

    /// The events so far.
    pub fn recorded(&self) -> Vec<Arc<Event>> {
        self.shared.log.snapshot()
    }

    /// Cancels it: what is in flight is cancelled, undos and `finally` blocks run, and then it ends. Returns at once;
    /// wait with [`Run::value`] for the end. After the run's end it does nothing.
    pub fn cancel(&self) {
        self.shared.ask_to_cancel(None);
    }

    /// The steps that wait for an answer or a signal, in the order they began to.
    pub fn waiting(&self) -> Vec<Waiting> {
        self.shared.inbox.waiting()
    }

    /// Answers the step of this path, which waits; the run goes on. What a person is asked and what it has to fit is in
    /// the `run.waiting` event, and in [`Run::waiting`].
    ///
    /// # Errors
    /// The step does not wait, or the answer does not fit what is wanted: then it waits on.
    pub fn answer(&self, path: &str, value: impl Into<Value>) -> Result<(), AnswerError> {
        self.shared.open()?.inbox.answer(path, value.into())
    }

    /// Makes the step of this path, which waits, fail with kind `denied`.
    ///
    /// # Errors
    /// The step does not wait.
    pub fn decline(&self, path: &str, why: &str) -> Result<(), AnswerError> {
        self.shared.open()?.inbox.decline(path, why)
    }

    /// Says that nobody will answer: a step that waits for a person or a signal fails with kind `denied`, now and later.
    /// For hosts that run flows to their end and have nobody to ask.
    pub fn unattended(&self, why: &str) {
        self.shared.inbox.unattended(why);
    }

    /// Sends a signal. The step that has waited longest for one of this name gets it; where none waits it is kept, in
    /// this process, for the next that does.
    ///
    /// # Errors
    /// The run has ended, or the value does not fit what the waiting step wants: then it waits on.
    pub fn signal(&self, name: &str, value: impl Into<Value>) -> Result<(), AnswerError> {
        self.shared.open()?.signal(name, value.into(), None)
    }

    /// Whether it has ended.
    pub fn ended(&self) -> bool {
        self.shared.log.ended()
    }

    /// Waits for the end and gives what the flow returned.
    ///
    /// # Errors
    /// Why it failed; kind `cancelled` where it was cancelled.
    pub async fn value(&self) -> Result<Value, RunError> {
        let last = std::future::poll_fn(|cx| self.shared.log.poll_end(cx)).await?;
        match &last.kind {
            EventKind::RunCompleted { output, .. } => Ok(output.clone()),
            EventKind::RunFailed { error, .. } => Err(error.clone()),
            _ => Err(RunError::new(ErrorKind::Cancelled, "the run was cancelled")),
        }
    }

    /// Waits for the end and gives what the flow returned, as a Rust type.
    ///
    /// # Errors
    /// Why it failed; kind `invalid` where the output does not fit the Rust type.
    pub async fn output<T: DeserializeOwned>(&self) -> Result<T, RunError> {
        let value = self.value().await?;
        serde_json::from_value(serde_json::Value::from(&value))
            .map_err(|why| RunError::new(ErrorKind::Invalid, format!("the output does not fit the type wanted: {why}")))
    }
}

impl Shared {
    pub(crate) fn new(id: Text, log: Log, clock: Arc<dyn Clock>) -> Self {
        Self {
            id,
            log,
            cancel: CancellationToken::new(),
            inbox: Inbox::default(),
            clock,
            waker: AtomicWaker::new(),
            asked: OnceLock::new(),
            messages: Mutex::default(),
        }
    }

    /// Has the run cancel itself.
    pub(crate) fn ask_to_cancel(&self, message: Option<u64>) {
        let _ = self.asked.set(Cancel { message });
        self.waker.wake();
    }

    /// Whether the run shall be cancelled.
    pub(crate) fn asked_to_cancel(&self) -> Option<Cancel> {
        self.asked.get().copied()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, name: &str, value: Value, message: Option<u64>) -> Result<(), AnswerError> {
        self.inbox.signal(name, value, message, |value| {
            let (name, value) = (Text::from(name), value.clone());
            self.log.push(self.clock.now(), EventKind::RunSignalled { name, value, message })
        })
    }

    /// Whether a message of this number was not given before.
    pub(crate) fn first(&self, message: u64) -> bool {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).insert(message)
    }

    /// Itself, as long as something may still come in.
    fn open(&self) -> Result<&Self, AnswerError> {
        if self.log.ended() { Err(AnswerError::Ended) } else { Ok(self) }
    }
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run").field("id", &self.id()).field("ended", &self.ended()).finish()
    }
}

/// The events of a run, as a stream: each once, in order, from the first on.
pub struct Events {
    shared: Held,
    next: usize,
}

impl Stream for Events {
    type Item = Arc<Event>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.shared.log.poll_event(self.next, cx);
        if let Poll::Ready(Some(_)) = polled {
            self.next += 1;
        }
        polled
    }
}
