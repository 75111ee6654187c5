//! The tools of generated programs: they give back what they get, after a while, unless they fail. Which they do
//! depends on the path alone, so that two runs of a program are alike.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;
use std::time::Duration;

use flowc::program::Program;
use flowc::run::{Clock, Tool, ToolContext, ToolError, VirtualClock};
use flowc::types::Signature;
use flowc::value::{ErrorKind, Value};
use futures::future::BoxFuture;

/// The tools that a program declares.
pub(super) fn of(program: &Program, clock: &VirtualClock) -> Vec<Arc<dyn Tool>> {
    let echo = |signature: &Arc<Signature>| {
        Arc::new(Echo { signature: Arc::clone(signature), clock: clock.clone() }) as Arc<dyn Tool>
    };
    program.tools.iter().map(echo).collect()
}

struct Echo {
    signature: Arc<Signature>,
    clock: VirtualClock,
}

impl Tool for Echo {
    fn signature(&self) -> Arc<Signature> {
        Arc::clone(&self.signature)
    }

    fn call<'a>(&'a self, args: Value, context: ToolContext<'a>) -> BoxFuture<'a, Result<Value, ToolError>> {
        let first = context.path.split('#').next();
        let chance = BuildHasherDefault::<DefaultHasher>::default().hash_one(first) % 16;
        Box::pin(async move {
            self.clock.sleep(Duration::from_millis(chance * 700)).await;
            match chance {
                0 | 1 if context.attempt == 1 => Err(ToolError::new(ErrorKind::Network, "no route")),
                2 => Err(ToolError::new(ErrorKind::Tool, "it says no")),
                _ => Ok(args.get("value").cloned().unwrap_or(Value::Null)),
            }
        })
    }
}
