//! MCP servers: one that misbehaves in every way, and real ones that nobody here wrote.

#[cfg(feature = "cli")]
mod asks;
mod auth;
mod drift;
mod http;
pub(crate) mod misbehaving;
mod misbehaviour;
#[cfg(feature = "cli")]
mod official;
pub(crate) mod real;

use std::path::PathBuf;
use std::sync::Mutex;

use flowc::project::Project;
use flowc::run::{Artifact, Artifacts, NoDesk, NoSecrets, Report, Tool, ToolContext, ToolError, Usage};
use flowc::tools::listed::Remote;
use flowc::tools::mcp::{McpServer, McpSettings, Reach};
use flowc::value::Value;
use futures::future::BoxFuture;
use serde_json::Value as Json;

/// Keeps partial output.
#[derive(Default)]
struct Heard(Mutex<Vec<Json>>);

impl Report for Heard {
    fn output(&self, value: Value) {
        self.0.lock().unwrap().push((&value).into());
    }
    fn usage(&self, _usage: Usage) {}
}

/// Keeps nothing, and says what it was given.
struct Counted;

impl Artifacts for Counted {
    fn store<'a>(
        &'a self,
        bytes: Vec<u8>,
        mime_type: &'a str,
        _name: &'a str,
    ) -> BoxFuture<'a, Result<Artifact, ToolError>> {
        let artifact = Artifact {
            url: "file:///kept".to_owned(),
            mime_type: mime_type.to_owned(),
            size: bytes.len() as u64,
            dimensions: mime_type.starts_with("image/").then_some((1, 1)),
            warning: None,
        };
        Box::pin(async { Ok(artifact) })
    }

    fn load<'a>(&'a self, _url: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, ToolError>> {
        Box::pin(async { Ok(None) })
    }
}

pub(crate) fn server(reach: Reach) -> McpServer {
    let settings = McpSettings { name: "server".to_owned(), reach, max_message: 8 << 20 };
    let open = flowc::tools::http::HttpConfig {
        allow_private: flowc::tools::http::AllowPrivate::All,
        ..flowc::tools::http::HttpConfig::default()
    };
    McpServer::new(settings, std::sync::Arc::new(flowc::tools::http::HttpClient::new(open)))
}

pub(crate) fn stdio(command: Vec<String>, env: &[(&str, &str)]) -> Reach {
    let plain = |value: &str| flowc::tools::Setting::Plain(value.to_owned());
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), plain(value))).collect();
    Reach::Stdio { command, env, cwd: PathBuf::from(".") }
}

/// Calls a tool by the server's own name of it, as it lists it.
async fn call(server: &McpServer, tool: &str, args: Json) -> Result<Json, ToolError> {
    call_heard(server, tool, args, &Heard::default()).await
}

async fn call_heard(server: &McpServer, tool: &str, args: Json, heard: &Heard) -> Result<Json, ToolError> {
    let listed = server.list(&NoSecrets).await?;
    let listed = listed.iter().find(|listed| listed.name == tool).unwrap_or_else(|| panic!("no tool {tool}"));
    invoke(&*server.tool(&format!("server.{}", tool.replace('-', "_")), listed), args, heard).await
}

/// Calls a tool with arguments that are made to fit, and makes its result fit, as the engine does.
async fn invoke(tool: &dyn Tool, args: Json, heard: &Heard) -> Result<Json, ToolError> {
    let signature = tool.signature();
    let fitting = |(name, value): (&String, &Json)| {
        let param = signature.find(name).unwrap_or_else(|| panic!("no parameter {name}"));
        let value = Value::from(value.clone());
        // As the engine does, which leaves out again what conforming adds for fields that are not there.
        value.clone().conform(&param.ty).expect("an argument that fits");
        (name.as_str().into(), value)
    };
    let args = Value::record(args.as_object().expect("arguments").iter().map(fitting));
    let context = ToolContext {
        run: "run",
        path: "step",
        attempt: 1,
        began: jiff::Timestamp::UNIX_EPOCH,
        key: None,
        timeout: None,
        report: heard,
        secrets: &NoSecrets,
        artifacts: &Counted,
        desk: &NoDesk,
    };
    let result = tool.call(args, context).await?;
    Ok((&result.conform(&signature.result).unwrap_or_else(|misfit| panic!("{}: {misfit}", signature.name))).into())
}

/// A project in a folder of its own.
fn project(folder: &tempfile::TempDir, settings: &str) -> Project {
    std::fs::write(folder.path().join("flow.toml"), settings).expect("a file");
    Project::load(folder.path()).unwrap_or_else(|wrong| panic!("{wrong}"))
}

/// Whether a process is there and not a zombie.
fn lives(pid: u64) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    status.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}
