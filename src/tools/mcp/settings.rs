//! How an MCP server is reached.

use std::path::PathBuf;

use indexmap::IndexMap;
use url::Url;

use crate::tools::Setting;
use crate::tools::mcp::auth::AuthSettings;

/// An MCP server: how it is reached, and what is taken from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct McpSettings {
    /// What it is called in messages: the namespace of its tools.
    pub name: String,
    /// How it is reached.
    pub reach: Reach,
    /// The largest message that is read, in bytes.
    pub max_message: usize,
}

/// How an MCP server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// A program that is started and spoken to over its standard input and output.
    Stdio {
        /// The program and its arguments.
        command: Vec<String>,
        /// Its environment, beside `PATH`, `HOME` and `LANG`.
        env: IndexMap<String, Setting>,
        /// The folder it is started in.
        cwd: PathBuf,
    },
    /// A server over streamable HTTP.
    Http {
        /// Its endpoint.
        url: Url,
        /// The secret that is sent as `Authorization: Bearer …`.
        bearer: Option<String>,
        /// Headers of every request.
        headers: IndexMap<String, Setting>,
        /// Who calls, where that is more than a token that is known.
        auth: Option<AuthSettings>,
    },
}
