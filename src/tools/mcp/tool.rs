//! A server's tool.

use std::sync::Arc;

use futures::future::BoxFuture;

use crate::run::{Tool, ToolContext, ToolError};
use crate::tools::listed::{Listed, arguments};
use crate::tools::mcp::answer;
use crate::tools::mcp::server::McpServer;
use crate::types::{Signature, Text};
use crate::value::Value;

/// A tool of an MCP server.
pub struct McpTool {
    server: McpServer,
    /// What the server calls it.
    name: String,
    signature: Arc<Signature>,
    /// Parameters whose names are other ones on the server.
    renamed: Vec<(Text, Text)>,
}

impl McpTool {
    /// The tool that the server listed so, under a Flow name (`namespace.tool`).
    pub fn new(server: McpServer, name: &str, listed: &Listed) -> Self {
        let (signature, renamed) = listed.signature(name);
        Self { server, name: listed.name.clone(), signature: Arc::new(signature), renamed }
    }
}

impl Tool for McpTool {
    fn signature(&self) -> Arc<Signature> {
        Arc::clone(&self.signature)
    }

    fn call<'a>(&'a self, args: Value, context: ToolContext<'a>) -> BoxFuture<'a, Result<Value, ToolError>> {
        Box::pin(async move {
            let arguments = arguments(&args, &self.renamed);
            let answer = self.server.call(&self.name, arguments, context).await?;
            answer::value(&self.signature.name, answer, &self.signature.result, context).await
        })
    }
}
