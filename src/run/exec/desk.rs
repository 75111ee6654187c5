//! Steps that wait for what comes from outside.

use futures::future::BoxFuture;

use crate::run::desk::{Desk, Request};
use crate::run::event::EventKind;
use crate::run::exec::call::Progress;
use crate::run::ports::ToolError;
use crate::value::Value;

impl Desk for Progress<'_> {
    fn wait(&self, request: Request) -> BoxFuture<'_, Result<Value, ToolError>> {
        let (machine, path) = (self.machine, self.path);
        Box::pin(machine.run.inbox.wait(path, request, |request| {
            let (path, reason) = (path.clone(), request.reason().into());
            machine.push(EventKind::RunWaiting { path, reason, request: request.to_value() });
        }))
    }
}
