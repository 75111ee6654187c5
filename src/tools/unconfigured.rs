//! What stands in for a tool of the standard catalog that nothing provides.

use std::sync::Arc;

use futures::future::BoxFuture;

use crate::run::{Tool, ToolContext, ToolError};
use crate::types::Signature;
use crate::value::{ErrorKind, Value};

/// A tool that is known but not provided: programs that use it check, and a step that calls it fails with kind
/// `denied` and says what to do.
#[derive(Debug, Clone)]
pub struct Unconfigured {
    signature: Arc<Signature>,
}

impl Unconfigured {
    /// Stands in for the tool of this signature.
    pub fn new(signature: impl Into<Arc<Signature>>) -> Self {
        Self { signature: signature.into() }
    }

    fn message(&self) -> String {
        let name = &self.signature.name;
        let namespace = self.signature.namespace();
        format!(
            "`{name}` is declared, but nothing provides it here: say who does in `flow.toml` (`[provide.{namespace}]`), \
             register a tool of that name where the engine is built, or mock it in a test"
        )
    }
}

impl Tool for Unconfigured {
    fn signature(&self) -> Arc<Signature> {
        Arc::clone(&self.signature)
    }

    fn available(&self) -> bool {
        false
    }

    fn call<'a>(&'a self, _args: Value, _context: ToolContext<'a>) -> BoxFuture<'a, Result<Value, ToolError>> {
        // Nothing has happened: a destructive tool may safely be called again once it is configured.
        Box::pin(async { Err(ToolError::new(ErrorKind::Denied, self.message()).undelivered()) })
    }
}
