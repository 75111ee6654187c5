//! Tools of MCP servers (Model Context Protocol, revisions 2024-11-05 to 2025-11-25).
//!
//! ```text
//! McpTool ─▶ McpServer ─▶ Connection ─▶ Tap ─▶ stdio (a Process) or streamable HTTP ─▶ Auth
//!  args, result   restarts      rmcp         progress                                        who calls
//! ```
//!
//! rmcp speaks the protocol. What real servers get wrong is met here: lines without end, noise on their output,
//! processes that do not go away, failures in four forms.

mod answer;
mod asked;
mod auth;
mod connection;
mod http;
mod server;
mod settings;
mod stdio;
mod tap;
mod tool;

pub use auth::{AuthSettings, Grant};
pub use server::McpServer;
pub use settings::{McpSettings, Reach};
pub use tool::McpTool;
