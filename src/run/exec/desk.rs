//! Steps that wait for what comes from outside.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};

use crate::run::desk::{Desk, Request, RequestKind};
use crate::run::event::EventKind;
use crate::run::exec::call::{Progress, Work};
use crate::run::inbox::Received;
use crate::run::ports::ToolError;
use crate::run::scope::Time;
use crate::types::Text;
use crate::value::{ErrorKind, Misfit, Value};

impl Desk for Progress<'_> {
    fn wait(&self, request: Request) -> BoxFuture<'_, Result<Value, ToolError>> {
        let machine = self.machine;
        // The questions of one call are told apart: the answer to one is none to the next.
        let number = self.ask(|questions| {
            questions.number += 1;
            questions.number
        });
        let path = if number == 1 { self.path.clone() } else { Text::from(format!("{}?{number}", self.path)) };
        Box::pin(async move {
            let path = &path;
            // It may have come in an earlier life, which did not get to use it.
            let earlier = machine.replay.as_ref().and_then(|replay| replay.received(path, &request.to_value()));
            if let Some(EventKind::RunReceived { value, declined, .. }) = earlier {
                return fitting(&request, declined.clone().map_or_else(|| Ok(value.clone()), Err));
            }
            let mut waiting = pin!(machine.run.inbox.wait(path, &request));
            let received = match futures::poll!(waiting.as_mut()) {
                Poll::Ready(received) => received?,
                Poll::Pending => {
                    let (path, reason) = (path.clone(), request.reason().into());
                    machine.push(EventKind::RunWaiting { path, reason, request: request.to_value() });
                    // Whoever is to answer may look for the question in the journal only, and it may take days.
                    machine.commit().await;
                    let (_rest, _open) = match self.work {
                        Work::Waits { until } => (Some(machine.rests.rest(until)), None),
                        // It would be cut off if the run left the memory. Time that a model takes is its own.
                        Work::Any => (None, (request.kind != RequestKind::Model).then(|| self.open())),
                    };
                    waiting.await?
                }
            };
            let Received { value, signal, message } = received;
            let (given, declined) = match &value {
                Ok(given) => (given.clone(), None),
                Err(why) => (Value::Null, Some(why.clone())),
            };
            machine.push(EventKind::RunReceived { path: path.clone(), value: given, declined, signal, message });
            fitting(&request, value)
        })
    }
}

/// What a call has asked, and for how long it was kept waiting: its time stands still meanwhile.
#[derive(Default)]
pub(super) struct Questions {
    /// How many there were.
    number: u32,
    /// How many are open.
    open: u32,
    /// Since when some are.
    since: Timestamp,
    /// How long some were open before then, as far as it was not asked yet.
    waited: SignedDuration,
}

/// A question that is open, until it is dropped.
struct Open<'p>(&'p Progress<'p>);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let now = self.0.machine.now();
        self.0.ask(|questions| {
            questions.open -= 1;
            if questions.open == 0 {
                questions.waited += now.duration_since(questions.since);
            }
        });
    }
}

impl Progress<'_> {
    fn ask<T>(&self, what: impl FnOnce(&mut Questions) -> T) -> T {
        what(self.told().questions.get_or_insert_default())
    }

    fn open(&self) -> Open<'_> {
        let now = self.machine.now();
        self.ask(|questions| {
            if questions.open == 0 {
                questions.since = now;
            }
            questions.open += 1;
        });
        Open(self)
    }
}

impl Time for Progress<'_> {
    fn sleep(&self, how_long: Duration) -> BoxFuture<'static, ()> {
        self.machine.engine.clock.sleep(how_long)
    }

    fn stands(&self) -> bool {
        self.told().questions.as_ref().is_some_and(|questions| questions.open > 0)
    }

    fn stood(&self) -> Duration {
        let now = self.machine.now();
        let mut told = self.told();
        let Some(questions) = &mut told.questions else { return Duration::ZERO };
        if questions.open > 0 {
            questions.waited += now.duration_since(questions.since);
            questions.since = now;
        }
        Duration::try_from(std::mem::take(&mut questions.waited)).unwrap_or_default()
    }
}

/// What a step makes of what it waited for.
fn fitting(request: &Request, received: Result<Value, Text>) -> Result<Value, ToolError> {
    let value = received.map_err(|why| ToolError::new(ErrorKind::Denied, why))?;
    let of = |misfit: Misfit| {
        let what = if request.kind == RequestKind::Signal { "the signal" } else { "the answer to" };
        let message = format!("{what} `{}` does not fit: {misfit}", request.text);
        ToolError::new(ErrorKind::Invalid, message).details(misfit.details())
    };
    request.fit(value).map_err(of)
}
