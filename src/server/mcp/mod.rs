//! An MCP server in which every flow is a tool: any assistant that speaks MCP can run flows, watch them and cancel them.
//!
//! Besides the flows it has `flow_check` and `flow_run`, for scripts that the assistant writes itself (see [`scripts`]),
//! and what its operator offers: flows as prompts, files and flows as resources ([`Offer`]). A run tells its progress and
//! its log, asks the client's person and the client's model where it has to ([`client`]), and is cancelled with its call.

#![allow(deprecated, reason = "clients of the protocol as it is spoken today set levels and subscribe so")]

mod ask;
mod call;
mod client;
mod content;
mod form;
mod http;
mod offer;
mod prompts;
mod resources;
mod scripts;
mod watch;

use std::sync::Arc;

use rmcp::handler::server::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult, ErrorData, GetPromptRequestParams,
    GetPromptResponse, Implementation, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult,
    ListToolsResult, PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities,
    ServerConfig, SetLevelRequestParams, SubscribeRequestParams, Tool, UnsubscribeRequestParams,
};
use rmcp::service::{RequestContext, RoleServer, ServiceExt};

use crate::orchestrator::Orchestrator;
use client::{Client, Session};
use resources::Resources;

pub use http::HttpOptions;
pub use offer::{Embed, Offer, OfferedResource, ResourceSource};

/// The server. Cheap to clone: each session has one.
#[derive(Clone, Debug)]
pub struct McpServer {
    orchestrator: Arc<Orchestrator>,
    offer: Arc<Offer>,
    resources: Arc<Resources>,
    scripts: bool,
    session: Arc<Session>,
}

impl McpServer {
    /// Serves these flows. With `scripts`, clients may also check and run scripts of their own, within the engine's limits.
    pub fn new(orchestrator: Orchestrator, scripts: bool) -> Self {
        Self {
            orchestrator: Arc::new(orchestrator),
            offer: Arc::default(),
            resources: Arc::default(),
            scripts,
            session: Arc::default(),
        }
    }

    /// Offers this besides. Flows that are prompts, or what is behind a resource, are no tools.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it: a flow that there is not, an address that is none.
    pub fn offering(mut self, offer: Offer) -> Result<Self, String> {
        for flow in offer.flows() {
            let known = self.orchestrator.workflow(flow).is_some();
            known.then_some(()).ok_or_else(|| format!("`{flow}` is offered, but there is no such flow"))?;
        }
        self.resources = Arc::new(Resources::new(&offer.resources, &self.orchestrator)?);
        self.offer = Arc::new(offer);
        Ok(self)
    }

    /// Serves one client over standard input and output, until it goes away.
    ///
    /// # Errors
    /// The client does not speak the protocol.
    pub async fn serve_stdio(self) -> Result<(), String> {
        let serving = self.serve(rmcp::transport::stdio()).await.map_err(|why| why.to_string())?;
        serving.waiting().await.map(|_| ()).map_err(|why| why.to_string())
    }

    /// The same for another client.
    fn session(&self) -> Self {
        Self { session: Arc::default(), ..self.clone() }
    }

    fn client(&self, context: &RequestContext<RoleServer>) -> Client {
        Client::of(context, Arc::clone(&self.session))
    }
}

impl ServerHandler for McpServer {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_logging()
            .enable_completions()
            .enable_prompts()
            .enable_resources()
            .enable_resources_subscribe()
            .enable_tools()
            .build();
        let mut info = ServerConfig::new(capabilities);
        info.server_info = Implementation::new("flowc", env!("CARGO_PKG_VERSION"));
        let mut told = String::from(
            "Every tool is a workflow: one call does what would take many, and returns only what matters.",
        );
        if self.scripts {
            told.push_str(
                " Where none fits, write a flow: `flow_check` says what is wrong with it, `flow_run` runs it, and the \
                 resource `flow://guide` tells how.",
            );
        }
        info.with_instructions(told)
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
        self.call(request, &self.client(&context)).await
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Ok(ListPromptsResult::with_all_items(self.prompts()))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        self.prompt(request, &self.client(&context)).await.map(Into::into)
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        self.completion(&request)
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Ok(ListResourcesResult::with_all_items(self.listed_resources()))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(self.resources.templates()))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        self.read(&request.uri, &self.client(&context)).await.map(Into::into)
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let file = self.resources.watchable(&request.uri)?;
        self.session.watch(request.uri, file, context.peer).map_err(|why| ErrorData::invalid_params(why, None))
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.session.unwatch(&request.uri);
        Ok(())
    }

    async fn set_level(&self, request: SetLevelRequestParams, _: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        self.session.set_level(request.level);
        Ok(())
    }
}
