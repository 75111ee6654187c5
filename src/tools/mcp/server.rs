//! A server as its tools see it: reached when the first of them is called, and started again when it is gone.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use rmcp::model::CallToolResult;
use serde_json::{Map, Value as Json};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::run::{Secrets, Tool, ToolContext, ToolError};
use crate::tools::http::HttpClient;
use crate::tools::listed::{Listed, Opener, Remote};
use crate::tools::mcp::auth::Auth;
use crate::tools::mcp::connection::Connection;
use crate::tools::mcp::settings::{McpSettings, Reach};
use crate::tools::mcp::tool::McpTool;
use crate::types::{Annotations, Text};
use crate::value::ErrorKind;

/// How long to wait before a server that is gone is started again: doubled each time it is gone without having answered
/// a call.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// An MCP server. Cheap to clone; its process or session is shared.
#[derive(Clone)]
pub struct McpServer {
    shared: Arc<Shared>,
}

struct Shared {
    settings: McpSettings,
    client: Arc<HttpClient>,
    auth: Option<Arc<Auth>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connection: Option<Arc<Connection>>,
    /// How often in a row it was gone without having answered, and when last.
    gone: u32,
    last: Option<Instant>,
}

impl McpServer {
    /// The server of these settings; nothing is started or reached yet. What is reached over HTTP is by this client.
    pub fn new(settings: McpSettings, client: Arc<HttpClient>) -> Self {
        let auth = match &settings.reach {
            Reach::Http { url, auth: Some(auth), .. } => {
                Some(Arc::new(Auth::new(&settings.name, url, auth, Arc::clone(&client))))
            }
            _ => None,
        };
        Self { shared: Arc::new(Shared { settings, client, auth, state: Mutex::default() }) }
    }

    /// What it is called in messages.
    pub fn name(&self) -> &str {
        &self.shared.settings.name
    }

    /// Calls a tool by the server's own name of it.
    ///
    /// # Errors
    /// `network` where the server cannot be reached or goes away, `tool` where it says that the call failed, and what
    /// reaching it comes to.
    pub(super) async fn call(
        &self,
        tool: &str,
        arguments: Map<String, Json>,
        context: ToolContext<'_>,
    ) -> Result<CallToolResult, ToolError> {
        let connection = self.connect(context.secrets).await?;
        let answer = connection.call(tool, arguments, context).await;
        if connection.is_open() {
            self.shared.state.lock().await.gone = 0;
        }
        answer
    }

    /// The connection there is, or a new one.
    async fn connect(&self, secrets: &dyn Secrets) -> Result<Arc<Connection>, ToolError> {
        let Shared { settings, client, auth, state } = &*self.shared;
        let mut state = state.lock().await;
        if let Some(connection) = &state.connection {
            if connection.is_open() {
                return Ok(Arc::clone(connection));
            }
            tracing::warn!(target: "flowc::mcp", server = settings.name, "the server is gone and is started again");
            connection.close().await;
            state.connection = None;
            state.fail();
        }
        if let Some(last) = state.last {
            let wait = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(state.gone.saturating_sub(1))).min(LONGEST_WAIT);
            if state.gone > 0 {
                tokio::time::sleep_until(last + wait).await;
            }
        }
        let opened = Connection::open(settings, client, auth.as_ref(), secrets).await.inspect_err(|_| state.fail())?;
        let connection = Arc::new(opened);
        state.connection = Some(Arc::clone(&connection));
        Ok(connection)
    }
}

impl State {
    fn fail(&mut self) {
        self.gone = self.gone.saturating_add(1);
        self.last = Some(Instant::now());
    }
}

impl Remote for McpServer {
    fn list<'a>(&'a self, secrets: &'a dyn Secrets) -> BoxFuture<'a, Result<Vec<Listed>, ToolError>> {
        Box::pin(async move {
            let tools = self.connect(secrets).await?.list().await?;
            Ok(tools.into_iter().map(listed).collect())
        })
    }

    fn login<'a>(&'a self, secrets: &'a dyn Secrets, opener: Opener) -> BoxFuture<'a, Result<usize, ToolError>> {
        Box::pin(async move {
            let Some(auth) = &self.shared.auth else {
                let why = format!("nobody logs in to `{}`: `flow.toml` gives it no `auth`", self.name());
                return Err(ToolError::new(ErrorKind::Denied, why).undelivered());
            };
            auth.log_in(Some(opener)).await;
            let listed = self.list(secrets).await;
            auth.log_in(None).await;
            listed.map(|tools| tools.len())
        })
    }

    fn tool(&self, name: &str, listed: &Listed) -> Arc<dyn Tool> {
        Arc::new(McpTool::new(self.clone(), name, listed))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            let connection = self.shared.state.lock().await.connection.take();
            if let Some(connection) = connection {
                connection.close().await;
            }
        })
    }
}

fn listed(tool: rmcp::model::Tool) -> Listed {
    let said = tool.annotations.unwrap_or_default();
    Listed {
        name: tool.name.into_owned(),
        description: tool.description.map(Text::from).unwrap_or_default().to_string(),
        input: Json::Object((*tool.input_schema).clone()),
        output: tool.output_schema.map(|schema| Json::Object((*schema).clone())),
        annotations: Annotations {
            read_only: said.read_only_hint,
            idempotent: said.idempotent_hint,
            destructive: said.destructive_hint,
            ..Annotations::default()
        },
    }
}
