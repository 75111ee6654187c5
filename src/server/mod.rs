//! Flows over a wire. What serves them receives an [`Orchestrator`](crate::orchestrator::Orchestrator) and knows no file
//! but those it is told to offer, and no setting.

mod mcp;

pub use mcp::{Embed, HttpOptions, McpServer, Offer, OfferedResource, ResourceSource};
