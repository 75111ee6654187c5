//! Tools of MCP servers.

mod settings;

pub use settings::McpSettings;
