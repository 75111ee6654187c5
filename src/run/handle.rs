//! A run, as the one who started it sees it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::Stream;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::run::event::{Event, EventKind, RunError};
use crate::run::inbox::{AnswerError, Inbox, Waiting};
use crate::run::journal::{Lease, Log};
use crate::types::Text;
use crate::value::{ErrorKind, Value};

/// A handle of a run. Cheap to clone; the run goes on when all handles are dropped, until it ends or is cancelled.
#[derive(Clone)]
pub struct Run {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) id: Text,
    /// The right to write to the journal; nothing checks it where there is none.
    pub(crate) lease: Lease,
    pub(crate) log: Log,
    pub(crate) cancel: CancellationToken,
    pub(crate) inbox: Inbox,
}

impl Run {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
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
        Events { shared: Arc::clone(&self.shared), next: usize::try_from(number).unwrap_or(usize::MAX) }
    }

    /// The events so far.
    pub fn recorded(&self) -> Vec<Arc<Event>> {
        self.shared.log.snapshot()
    }

    /// Cancels it: what is in flight is cancelled, undos and `finally` blocks run, and then it ends. Returns at once;
    /// wait with [`Run::value`] for the end. After the run's end it does nothing.
    pub fn cancel(&self) {
        self.shared.cancel.cancel();
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
        self.shared.open()?.inbox.signal(name, value.into())
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
        let last = std::future::poll_fn(|cx| self.shared.log.poll_end(cx)).await;
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
    shared: Arc<Shared>,
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
