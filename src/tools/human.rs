//! `human` and `signal`: what only the world outside a run can give it. The waiting itself is the run's.

use std::sync::Arc;

use futures::future::BoxFuture;

use crate::run::{Request, RequestKind, Tool, ToolContext, ToolError};
use crate::tools::args::{Args, invalid};
use crate::tools::standard;
use crate::types::{Signature, Type};
use crate::value::Value;

/// `human.ask`, `human.approve` and `signal.wait`.
pub fn tools() -> Vec<Arc<dyn Tool>> {
    let all = [
        ("human.ask", RequestKind::Answer),
        ("human.approve", RequestKind::Approval),
        ("signal.wait", RequestKind::Signal),
    ];
    standard::provide(all, |signature, kind| Arc::new(Waiter { kind, signature }))
}

struct Waiter {
    kind: RequestKind,
    signature: Arc<Signature>,
}

impl Tool for Waiter {
    fn signature(&self) -> Arc<Signature> {
        Arc::clone(&self.signature)
    }

    fn call<'a>(&'a self, args: Value, context: ToolContext<'a>) -> BoxFuture<'a, Result<Value, ToolError>> {
        Box::pin(async move {
            let args = Args(&args);
            let text = args.text(if self.kind == RequestKind::Signal { "name" } else { "question" })?;
            let wanted = match (self.kind, args.get("into")) {
                (RequestKind::Approval, _) => Type::Bool,
                (_, Some(schema)) => Type::from_json_schema(&schema.into()),
                (_, None) => return Err(invalid("`into` must be a schema, found nothing")),
            };
            let optional = |name| args.get(name).cloned().unwrap_or(Value::Null);
            let (details, form) = (optional("details"), optional("form"));
            context.desk.wait(Request { kind: self.kind, text: text.into(), details, wanted, form }).await
        })
    }
}
