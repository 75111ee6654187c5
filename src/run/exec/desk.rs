//! Steps that wait for what comes from outside.

use std::pin::pin;
use std::task::Poll;

use futures::future::BoxFuture;

use crate::run::desk::{Desk, Request};
use crate::run::event::EventKind;
use crate::run::exec::call::Progress;
use crate::run::ports::ToolError;
use crate::value::{ErrorKind, Value};

impl Desk for Progress<'_> {
    fn wait(&self, request: Request) -> BoxFuture<'_, Result<Value, ToolError>> {
        let (machine, path) = (self.machine, self.path);
        Box::pin(async move {
            let mut waiting = pin!(machine.run.inbox.wait(path, request, |request| {
                let (path, reason) = (path.clone(), request.reason().into());
                machine.push(EventKind::RunWaiting { path, reason, request: request.to_value() });
            }));
            if let Poll::Ready(reply) = futures::poll!(waiting.as_mut()) {
                return reply;
            }
            // Whoever is to answer may look for the question in the journal only, and it may take days.
            if machine.commit().await.is_err() {
                return Err(ToolError::new(ErrorKind::Internal, "the journal cannot keep what the step waits for"));
            }
            waiting.await
        })
    }
}
