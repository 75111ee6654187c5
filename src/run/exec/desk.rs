//! Steps that wait for what comes from outside.

use std::pin::pin;
use std::sync::atomic::Ordering;
use std::task::Poll;

use futures::future::BoxFuture;

use crate::run::desk::{Desk, Request, RequestKind};
use crate::run::event::EventKind;
use crate::run::exec::call::Progress;
use crate::run::inbox::Received;
use crate::run::ports::ToolError;
use crate::types::Text;
use crate::value::{ErrorKind, Misfit, Value};

impl Desk for Progress<'_> {
    fn wait(&self, request: Request) -> BoxFuture<'_, Result<Value, ToolError>> {
        let machine = self.machine;
        // The questions of one call are told apart: the answer to one is none to the next.
        let path = match self.asked.fetch_add(1, Ordering::Relaxed) {
            0 => self.path.clone(),
            before => Text::from(format!("{}?{}", self.path, before + 1)),
        };
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
                    let _rest = machine.rests.rest(self.until);
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
