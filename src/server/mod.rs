//! Flows over a wire. What serves them receives an [`Orchestrator`](crate::orchestrator::Orchestrator) and knows no file
//! and no setting.

mod mcp;
mod scripts;

pub use mcp::{HttpOptions, McpServer};
