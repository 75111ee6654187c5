//! An MCP server in which every flow is a tool: any assistant that speaks MCP can run flows, watch them and cancel them.
//!
//! Besides the flows it has `flow_check` and `flow_run`, for scripts that the assistant writes itself (see [`scripts`]).
//! A run's finished steps are told as progress; a cancelled call, or a client that goes away, cancels the run.

use std::net::SocketAddr;
use std::sync::Arc;

use futures::StreamExt;
use rmcp::handler::server::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData, Implementation, ListToolsResult,
    PaginatedRequestParams, ProgressNotificationParam, ProgressToken, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{Peer, RequestContext, RoleServer, ServiceExt};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;

use super::scripts;
use crate::orchestrator::{Dialect, Orchestrator, external_name, output_schema};
use crate::run::{EventKind, Run, RunError, StartError};
use crate::value::Value;

/// The server. Cheap to clone: each session has one.
#[derive(Clone, Debug)]
pub struct McpServer {
    orchestrator: Arc<Orchestrator>,
    scripts: bool,
}

/// How to serve over HTTP.
#[derive(Clone, Debug, Default)]
pub struct HttpOptions {
    /// What clients must send as `Authorization: Bearer …`.
    pub token: Option<String>,
    /// The names under which the server is reached from outside, besides those of this machine.
    pub hosts: Vec<String>,
}

impl McpServer {
    /// Serves these flows. With `scripts`, clients may also check and run scripts of their own, within the engine's limits.
    pub fn new(orchestrator: Orchestrator, scripts: bool) -> Self {
        Self { orchestrator: Arc::new(orchestrator), scripts }
    }

    /// Serves one client over standard input and output, until it goes away.
    ///
    /// # Errors
    /// The client does not speak the protocol.
    pub async fn serve_stdio(self) -> Result<(), String> {
        let serving = self.serve(rmcp::transport::stdio()).await.map_err(|why| why.to_string())?;
        serving.waiting().await.map(|_| ()).map_err(|why| why.to_string())
    }

    /// What serves clients over streamable HTTP at `/mcp`, until `stop` is cancelled. Only requests for this machine's
    /// names or the ones in the options are answered, and none that a web page from elsewhere sends.
    pub fn router(self, options: HttpOptions, stop: CancellationToken) -> axum::Router {
        let own = ["localhost", "127.0.0.1", "::1"];
        // Pages of this machine may ask: a client in the browser that is being developed, an inspector.
        let pages = ["http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*"];
        let config = StreamableHttpServerConfig::default()
            .with_allowed_hosts(own.into_iter().map(str::to_owned).chain(options.hosts))
            .with_allowed_origins(pages)
            .with_cancellation_token(stop);
        let service =
            StreamableHttpService::new(move || Ok(self.clone()), Arc::new(LocalSessionManager::default()), config);
        let router = axum::Router::new().route_service("/mcp", service);
        match options.token {
            None => router,
            Some(token) => router.layer(axum::middleware::from_fn_with_state(Arc::<str>::from(token), authorize)),
        }
    }

    /// Whether an address may be listened on: one that others can reach wants a token.
    ///
    /// # Errors
    /// A sentence that says what is missing.
    pub fn may_listen(address: SocketAddr, options: &HttpOptions) -> Result<(), String> {
        if address.ip().is_loopback() || options.token.is_some() {
            return Ok(());
        }
        Err(format!("`{address}` can be reached by others: give a token, or listen on 127.0.0.1"))
    }

    fn tools(&self) -> Vec<Tool> {
        let mut tools = self.orchestrator.definitions(Dialect::Mcp, |_| false);
        if self.scripts {
            tools.extend(scripts::definitions());
        }
        tools.into_iter().filter_map(|tool| serde_json::from_value(tool).ok()).collect()
    }

    /// Starts what was called; what ends at once is answered at once.
    fn start(&self, name: &str, arguments: Json) -> Result<Called, ErrorData> {
        if self.scripts {
            match name {
                scripts::CHECK => return Ok(Called::Ended(scripts::check(self.orchestrator.engine(), &arguments))),
                scripts::RUN => {
                    return Ok(match scripts::start(self.orchestrator.engine(), &arguments) {
                        Ok(run) => Called::Running(run, false),
                        Err(why) => Called::Ended(Err(why)),
                    });
                }
                _ => {}
            }
        }
        let workflow = self.orchestrator.workflows().find(|workflow| external_name(workflow.name()) == name);
        let Some(workflow) = workflow else {
            return Err(ErrorData::invalid_params(format!("there is no tool `{name}`"), None));
        };
        let structured = output_schema(workflow.flow()).is_some();
        Ok(match self.orchestrator.start_workflow(workflow.name(), Value::from(arguments)) {
            Ok(run) => Called::Running(run, structured),
            Err(error) => Called::Ended(Err(refused(&error))),
        })
    }
}

/// What became of a call.
enum Called {
    /// A run, and whether its result's schema was told.
    Running(Run, bool),
    /// An answer, or what is wrong.
    Ended(Result<Json, Json>),
}

/// Why a run did not start, for a model to mend its arguments.
pub(super) fn refused(error: &StartError) -> Json {
    let fields = match error {
        StartError::Input(input) => {
            input.fields.iter().map(|it| json!({ "field": it.field, "message": it.message })).collect()
        }
        _ => Vec::new(),
    };
    json!({ "error": { "kind": "invalid", "message": error.to_string(), "fields": fields } })
}

impl ServerHandler for McpServer {
    fn get_info(&self) -> ServerConfig {
        let mut info = ServerConfig::new(ServerCapabilities::builder().enable_tools().build());
        info.server_info = Implementation::new("flowc", env!("CARGO_PKG_VERSION"));
        info.with_instructions(
            "Every tool is a workflow: one call does what would take many, and returns only what matters. Where none fits, \
             write a flow: `flow_check` says what is wrong with it, `flow_run` runs it.",
        )
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.tools()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.tools().into_iter().find(|tool| tool.name == name)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = Json::Object(request.arguments.unwrap_or_default());
        let result = match self.start(&request.name, arguments)? {
            Called::Ended(Ok(answer)) => CallToolResult::structured(answer),
            Called::Ended(Err(why)) => failed(&why),
            Called::Running(run, structured) => {
                let progress =
                    context.meta.get_progress_token().map(|token| Progress::new(token, context.peer.clone()));
                match follow(&run, progress, &context.ct).await {
                    Ok(value) => answered(&value, structured),
                    Err(error) => failed(&json!({ "error": Json::from(&error.to_value()) })),
                }
            }
        };
        Ok(result.into())
    }
}

/// A result as text for models, and as data where a schema for it was told.
fn answered(value: &Value, structured: bool) -> CallToolResult {
    let json = Json::from(value);
    if structured {
        return CallToolResult::structured(json);
    }
    let text = json.as_str().map_or_else(|| json.to_string(), str::to_owned);
    CallToolResult::success(vec![ContentBlock::text(text)])
}

/// Text only: data beside a failure would have to fit the result's schema.
fn failed(why: &Json) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(why.to_string())])
}

/// Waits for the run's end and tells its progress on the way. A call that is cancelled or dropped cancels the run.
async fn follow(run: &Run, mut progress: Option<Progress>, cancelled: &CancellationToken) -> Result<Value, RunError> {
    let guard = CancelOnDrop(run);
    run.unattended("an assistant that calls a flow is asked nothing");
    let mut events = run.events();
    let mut asked = false;
    loop {
        tokio::select! {
            () = cancelled.cancelled(), if !asked => {
                asked = true;
                run.cancel();
            }
            event = events.next() => match (event, &mut progress) {
                (Some(event), Some(progress)) => progress.tell(&event.kind).await,
                (Some(_), None) => {}
                (None, _) => break,
            }
        }
    }
    let end = run.value().await;
    drop(guard);
    end
}

struct CancelOnDrop<'a>(&'a Run);

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        // After the run's end this does nothing.
        self.0.cancel();
    }
}

/// Steps as progress notifications: each that begins with a title is named, each that ends counts.
struct Progress {
    token: ProgressToken,
    peer: Peer<RoleServer>,
    done: f64,
    gone: bool,
}

impl Progress {
    fn new(token: ProgressToken, peer: Peer<RoleServer>) -> Self {
        Self { token, peer, done: 0.0, gone: false }
    }

    async fn tell(&mut self, event: &EventKind) {
        let message = match event {
            EventKind::StepStarted { title: Some(title), attempt: 1, .. } => title.to_string(),
            EventKind::StepRetrying { path, error, .. } => format!("{path} failed ({error}), trying again"),
            EventKind::RunWaiting { reason, .. } => format!("waiting: {reason}"),
            event if event.ends_step() => format!("{} {}", event.path().unwrap_or_default(), ending(event)),
            _ => return,
        };
        // Progress must grow with every notification, whatever it tells.
        self.done += 1.0;
        if self.gone {
            return;
        }
        let told = ProgressNotificationParam::new(self.token.clone(), self.done).with_message(message);
        self.gone = self.peer.notify_progress(told).await.is_err();
    }
}

fn ending(event: &EventKind) -> &'static str {
    match event {
        EventKind::StepCompleted { .. } => "done",
        EventKind::StepFailed { .. } => "failed",
        EventKind::StepSkipped { .. } => "skipped",
        _ => "cancelled",
    }
}

/// Lets requests with the right token through.
async fn authorize(
    axum::extract::State(token): axum::extract::State<Arc<str>>,
    request: axum::extract::Request,
    next: axum::middleware::Next,
) -> axum::response::Response {
    let given = request.headers().get(axum::http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    // Compared by hash, so that the time taken tells nothing of the token.
    let hash = |text: &str| crate::run::ports::hex_sha256(&[text.as_bytes()]);
    if hash(given) == hash(&token) {
        return next.run(request).await;
    }
    let mut response = axum::response::Response::new(axum::body::Body::from("a bearer token is needed"));
    *response.status_mut() = axum::http::StatusCode::UNAUTHORIZED;
    response.headers_mut().insert(axum::http::header::WWW_AUTHENTICATE, axum::http::HeaderValue::from_static("Bearer"));
    response
}
