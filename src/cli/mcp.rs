//! `flowc mcp`: flows as the tools of an MCP server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::host;
use super::output::{Status, err, misused};
use crate::orchestrator::Orchestrator;
use crate::plan::{Safety, plan};
use crate::project::{EmbedSetting, EngineOptions, Project, ResourceOrigin};
use crate::server::{Embed, HttpOptions, McpServer, Offer, OfferedResource, ResourceSource};
use crate::types::Signature;

/// Serve flows as the tools of an MCP server, over standard input and output or HTTP.
///
/// Every flow is a tool with the schemas of its parameters and result. `flow_check` and `flow_run` take scripts that the
/// client writes.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Files and folders with the flows
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,
    /// Serve HTTP at this address (`127.0.0.1:8080`; port 0 is any), at the path `/mcp`
    #[arg(long, value_name = "ADDRESS")]
    http: Option<SocketAddr>,
    /// The environment variable with the token that HTTP clients must send
    #[arg(long, value_name = "VARIABLE", requires = "http")]
    token_env: Option<String>,
    /// A name under which HTTP clients reach this machine
    #[arg(long, value_name = "NAME", requires = "http")]
    host: Vec<String>,
    /// Serve the flows only: no scripts of the client's own
    #[arg(long)]
    no_scripts: bool,
    /// Let flows reach addresses of private networks and of this machine
    #[arg(long)]
    allow_private: bool,
}

pub(super) fn mcp(args: Args) -> Status {
    let options = EngineOptions { allow_private: args.allow_private, ..EngineOptions::default() };
    let (project, orchestrator) = match host::orchestrator(&args.paths, options) {
        Ok(loaded) => loaded,
        Err(status) => return status,
    };
    let used: Vec<Arc<Signature>> =
        orchestrator.workflows().flat_map(|it| it.program().tools.iter().cloned()).collect();
    let offer = match offer(&project, &orchestrator) {
        Ok(offer) => offer,
        Err(why) => return misused(why),
    };
    let server = match McpServer::new(orchestrator, !args.no_scripts).offering(offer) {
        Ok(server) => server,
        Err(why) => return misused(format_args!("`[mcp]` in `flow.toml`: {why}")),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(why) => return misused(why),
    };
    let status = runtime.block_on(async {
        let status = match host::verify(&project, &used).await {
            Ok(()) => {
                let served = match args.http {
                    None => server.serve_stdio().await,
                    Some(address) => serve_http(server, address, args.token_env.as_deref(), args.host).await,
                };
                served.map_or_else(misused, |()| Status::Fine)
            }
            Err(status) => status,
        };
        project.close().await;
        status
    });
    // A thread that reads standard input cannot be stopped; it is not waited for.
    runtime.shutdown_background();
    status
}

/// What `[mcp]` offers.
///
/// # Errors
/// A flow is offered to be read that may change something.
fn offer(project: &Project, orchestrator: &Orchestrator) -> Result<Offer, String> {
    let settings = &project.config().mcp;
    let resources = settings.resources.iter().map(|(uri, resource)| {
        let source = match &resource.source {
            ResourceOrigin::File(path) => ResourceSource::File(project.root().join(path)),
            ResourceOrigin::Flow(name) => {
                only_reads(name, orchestrator)?;
                ResourceSource::Flow(name.clone())
            }
        };
        let (description, mime_type) = (resource.description.clone(), resource.mime_type.clone());
        Ok(OfferedResource { uri: uri.clone(), description, mime_type, source })
    });
    Ok(Offer {
        prompts: settings.prompts.clone(),
        resources: resources.collect::<Result<_, String>>()?,
        embed: match settings.embed {
            EmbedSetting::Never => Embed::Never,
            EmbedSetting::Result => Embed::Result,
            EmbedSetting::All => Embed::All,
        },
        embed_bytes: settings.embed_bytes,
    })
}

/// What is read changes nothing: clients read without asking anybody.
fn only_reads(name: &str, orchestrator: &Orchestrator) -> Result<(), String> {
    let Some(workflow) = orchestrator.workflow(name) else { return Ok(()) };
    let plan = plan(workflow.program(), workflow.flow());
    match plan.tools.iter().find(|tool| tool.safety != Safety::ReadOnly) {
        None => Ok(()),
        Some(tool) => Err(format!(
            "`[mcp]` in `flow.toml` offers the flow `{name}` to be read, but it calls `{}`, which may change something: \
             if it does not, say `safety = \"read_only\"` of it",
            tool.name
        )),
    }
}

async fn serve_http(
    server: McpServer,
    address: SocketAddr,
    token_env: Option<&str>,
    hosts: Vec<String>,
) -> Result<(), String> {
    #[allow(clippy::disallowed_methods, reason = "the flag names the variable")]
    let token = match token_env {
        None => None,
        Some(name) => match std::env::var(name) {
            Ok(token) if !token.trim().is_empty() => Some(token.trim().to_owned()),
            _ => return Err(format!("the environment variable `{name}` holds no token")),
        },
    };
    let options = HttpOptions { token, hosts };
    McpServer::may_listen(address, &options)?;
    let unable = |why: std::io::Error| format!("`{address}` cannot be listened on: {why}");
    let listener = tokio::net::TcpListener::bind(address).await.map_err(unable)?;
    let bound = listener.local_addr().map_err(unable)?;
    err(format_args!("MCP server at http://{bound}/mcp"));
    let stop = CancellationToken::new();
    let router = server.router(options, stop.clone());
    let ended = async move {
        let _ = tokio::signal::ctrl_c().await;
        stop.cancel();
    };
    axum::serve(listener, router).with_graceful_shutdown(ended).await.map_err(unable)
}
