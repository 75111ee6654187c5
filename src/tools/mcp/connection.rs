//! A connection to a server: one process or session, from `initialize` to its end.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, CallToolResult, CancelledNotificationParam, ClientRequest,
    PaginatedRequestParams, ProtocolVersion, RequestId, ServerResult, Tool,
};
use rmcp::service::{ClientInitializeError, Peer, PeerRequestOptions, RunningService, ServiceError};
use rmcp::transport::Transport;
use rmcp::{RoleClient, ServiceExt};
use serde_json::{Map, Value as Json};
use tokio::sync::Mutex;

use crate::run::{SecretUse, Secrets, ToolContext, ToolError};
use crate::tools::http::HttpClient;
use crate::tools::mcp::asked::{Question, Us};
use crate::tools::mcp::auth::Auth;
use crate::tools::mcp::settings::{McpSettings, Reach};
use crate::tools::mcp::stdio::Stdio;
use crate::tools::mcp::tap::{Listeners, Tap};
use crate::tools::mcp::{answer, http};
use crate::tools::process::{Callers, Process};
use crate::value::ErrorKind;

/// How long a server may take to answer `initialize`: programs may be fetched when they are first started.
const START: Duration = Duration::from_mins(1);
/// How many pages of tools are read.
const PAGES: usize = 100;

/// A server that has been initialized.
pub(super) struct Connection {
    name: String,
    peer: Peer<RoleClient>,
    listeners: Listeners,
    callers: Callers,
    us: Us,
    /// What ends with the connection.
    running: Mutex<Option<Running>>,
}

struct Running {
    service: RunningService<RoleClient, Us>,
    process: Option<Process>,
}

impl Connection {
    /// Starts or reaches the server and initializes it.
    ///
    /// # Errors
    /// `network`, undelivered: it cannot be started or reached, or does not speak the protocol. `denied`: the address is
    /// refused, or a secret is missing. `timeout`.
    pub(super) async fn open(
        settings: &McpSettings,
        client: &HttpClient,
        auth: Option<&Arc<Auth>>,
        secrets: &dyn Secrets,
    ) -> Result<Self, ToolError> {
        let name = &settings.name;
        match &settings.reach {
            Reach::Stdio { command, env, cwd } => {
                let program = command.first().map_or("", String::as_str);
                let mut environment = Vec::with_capacity(env.len());
                for (variable, setting) in env {
                    environment.push((variable.clone(), setting.resolve(secrets, SecretUse::Process(program))?));
                }
                let callers = Callers::default();
                let started = Process::start(name, command, &environment, cwd, &callers);
                let (mut process, input, output) =
                    started.map_err(|error| down(name, &format!("`{program}` cannot be started: {error}")))?;
                let transport = Stdio::new(name, input, output, settings.max_message);
                let us = Us::default();
                match Self::initialize(name, transport, us.clone()).await {
                    Ok((service, listeners)) => {
                        Ok(Self::running(name, service, listeners, us, Some((process, callers))))
                    }
                    Err(error) => {
                        // What it said may still be on its way.
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        let words = process.last_words();
                        process.end().await;
                        Err(error.unwrap_or_else(|why| down(name, &format!("{why}; {words}"))))
                    }
                }
            }
            Reach::Http { url, bearer, headers, .. } => {
                let config = http::config(url, bearer.as_deref(), headers, settings.max_message, secrets)?;
                let transport = http::transport(client, url, auth.cloned(), config)?;
                let us = Us::default();
                let (service, listeners) = Self::initialize(name, transport, us.clone())
                    .await
                    .map_err(|error| error.unwrap_or_else(|why| down(name, &why)))?;
                Ok(Self::running(name, service, listeners, us, None))
            }
        }
    }

    /// The error is one that says all, or what is to be said of a server that is not there.
    async fn initialize<T: Transport<RoleClient> + 'static>(
        name: &str,
        transport: T,
        us: Us,
    ) -> Result<(RunningService<RoleClient, Us>, Listeners), Result<ToolError, String>> {
        let listeners = Listeners::default();
        let transport = Tap { transport, listeners: listeners.clone() };
        let starting = us.serve(transport);
        let service = match tokio::time::timeout(START, starting).await {
            Ok(Ok(service)) => service,
            Ok(Err(error)) => return Err(uninitialized(name, &error)),
            Err(_) => {
                let message = format!("`{name}` did not answer `initialize` within {} s", START.as_secs());
                return Err(Ok(ToolError::new(ErrorKind::Timeout, message).undelivered()));
            }
        };
        let version = service.peer_info().map(|info| info.protocol_version.clone());
        match version {
            Some(version) if version.has_initialize() && ProtocolVersion::KNOWN_VERSIONS.contains(&version) => {
                Ok((service, listeners))
            }
            other => {
                let version = other.map(|version| version.to_string()).unwrap_or_default();
                Err(Err(format!("it speaks the protocol of `{version}`, which is not known here")))
            }
        }
    }

    fn running(
        name: &str,
        service: RunningService<RoleClient, Us>,
        listeners: Listeners,
        us: Us,
        process: Option<(Process, Callers)>,
    ) -> Self {
        let peer = service.peer().clone();
        let (process, callers) = process.unzip();
        let running = Mutex::new(Some(Running { service, process }));
        Self { name: name.to_owned(), peer, listeners, callers: callers.unwrap_or_default(), us, running }
    }

    /// Whether it can take another call.
    pub(super) fn is_open(&self) -> bool {
        !self.peer.is_transport_closed()
    }

    /// The tools there are now.
    pub(super) async fn list(&self) -> Result<Vec<Tool>, ToolError> {
        let mut tools = Vec::new();
        let mut cursor = None;
        for _ in 0..PAGES {
            let params = PaginatedRequestParams::default().with_cursor(cursor.take());
            let page = match self.peer.list_tools(Some(params)).await {
                Ok(page) => page,
                Err(error) => return Err(self.failure(error).await),
            };
            tools.extend(page.tools);
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(tools);
            }
        }
        Err(ToolError::new(ErrorKind::Tool, format!("`{}` lists its tools on more than {PAGES} pages", self.name)))
    }

    /// Calls a tool. Its progress is reported while it works, and what the server asks meanwhile is put before the run's
    /// person. Dropping the future cancels the call on the server.
    pub(super) async fn call(
        &self,
        tool: &str,
        arguments: Map<String, Json>,
        context: ToolContext<'_>,
    ) -> Result<CallToolResult, ToolError> {
        let _caller = self.callers.enter();
        let report = context.report;
        let mut hearing = self.us.hear(context.run);
        let mut questions = FuturesUnordered::new();
        let params = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        let request = ClientRequest::CallToolRequest(CallToolRequest::new(params));
        let sent = self.peer.send_cancellable_request(request, PeerRequestOptions::no_options()).await;
        let mut handle = match sent {
            Ok(handle) => handle,
            Err(error) => return Err(self.failure(error).await.undelivered()),
        };
        let mut listener = self.listeners.listen(handle.progress_token.clone());
        let mut unanswered = Unanswered { peer: Some(&self.peer), id: handle.id.clone() };
        let answer = loop {
            tokio::select! {
                biased;
                Some(progress) = listener.next() => report.output(answer::progress(&progress)),
                Some(Question { request, reply }) = hearing.next() => questions.push(async move {
                    // The server may not wait for it any more.
                    let _ = reply.send(context.desk.wait(request).await);
                }),
                Some(()) = questions.next() => {}
                answer = &mut handle.rx => break answer,
            }
        };
        unanswered.peer = None;
        while let Some(progress) = listener.pending() {
            report.output(answer::progress(&progress));
        }
        match answer {
            Ok(Ok(ServerResult::CallToolResult(result))) => Ok(result),
            Ok(Ok(_)) => {
                let message =
                    format!("`{}` answered the call of `{tool}` with something else than its result", self.name);
                Err(ToolError::new(ErrorKind::Tool, message))
            }
            Ok(Err(error)) => Err(self.failure(error).await),
            Err(_) => Err(self.failure(ServiceError::TransportClosed).await),
        }
    }

    /// What went wrong with a request, in the language's kinds.
    async fn failure(&self, error: ServiceError) -> ToolError {
        let name = &self.name;
        match error {
            ServiceError::McpError(error) => answer::refused(name, &error),
            ServiceError::TransportClosed => {
                let mut running = self.running.lock().await;
                let process = running.as_mut().and_then(|running| running.process.as_mut());
                let why = match process {
                    Some(process) => {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        process.last_words()
                    }
                    None => "the connection was closed".to_owned(),
                };
                ToolError::new(ErrorKind::Network, format!("`{name}` is gone: {why}"))
            }
            other => http::failure(name, &other),
        }
    }

    /// Ends the session, and the process with all that it started.
    pub(super) async fn close(&self) {
        if let Some(running) = self.running.lock().await.take() {
            running.end().await;
        }
    }
}

impl Running {
    async fn end(mut self) {
        let closing = self.service.close_with_timeout(Duration::from_secs(3));
        if let Err(error) = closing.await {
            tracing::warn!(target: "flowc::mcp", %error, "a connection did not close");
        }
        if let Some(process) = self.process {
            process.end().await;
        }
    }
}

impl Drop for Connection {
    /// Nobody closed it: it is closed in the background where there is a runtime, else its process is killed.
    fn drop(&mut self) {
        if let Some(running) = self.running.get_mut().take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(running.end());
        }
    }
}

/// Tells the server that nobody waits for the answer any more, unless it came.
struct Unanswered<'a> {
    peer: Option<&'a Peer<RoleClient>>,
    id: RequestId,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        let Some(peer) = self.peer.cloned() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let reason = Some("the step was cancelled".to_owned());
        let cancelled = CancelledNotificationParam::new(Some(self.id.clone()), reason);
        runtime.spawn(async move { peer.notify_cancelled(cancelled).await });
    }
}

fn uninitialized(name: &str, error: &ClientInitializeError) -> Result<ToolError, String> {
    match error {
        ClientInitializeError::JsonRpcError(error) => Err(format!("it refused `initialize`: {}", error.message)),
        ClientInitializeError::ConnectionClosed(_) => Err("it did not answer `initialize`".to_owned()),
        ClientInitializeError::TransportError { error, .. } => Ok(http::unreachable(name, &*error.error).undelivered()),
        other => Err(other.to_string()),
    }
}

/// A server that is not there.
fn down(name: &str, why: &str) -> ToolError {
    ToolError::new(ErrorKind::Network, format!("`{name}` cannot be used: {why}")).undelivered()
}
