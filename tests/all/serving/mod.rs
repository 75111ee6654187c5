//! Flows as the tools of an MCP server, as a client that nobody here wrote sees them.

mod asking;
mod offered;
mod official;

use std::process::Stdio;
use std::time::Duration;

use rmcp::model::{CallToolRequestParams, CallToolResult, ClientConfig, ProgressNotificationParam, RequestMetaObject};
use rmcp::service::{NotificationContext, RoleClient, RunningService};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::{StreamableHttpClientTransport, TokioChildProcess};
use rmcp::{ClientHandler, ServiceExt};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

const FLOWS: &str = r#"
/// Adds two numbers.
flow add(a: int, b: int = 1) -> { sum: int } {
    return { sum: a + b }
}

/// Naps, and says so.
flow nap(time: duration) -> string {
    step "Nap" = time.sleep(time)
    return "rested"
}

flow stumble() -> int {
    fail "on purpose" details { why: "to see" }
}
"#;

/// Keeps the progress that is told.
#[derive(Clone, Default)]
struct Listener(std::sync::Arc<std::sync::Mutex<Vec<String>>>);

impl ClientHandler for Listener {
    fn get_info(&self) -> ClientConfig {
        ClientConfig::default()
    }

    async fn on_progress(&self, told: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        self.0.lock().unwrap().push(told.message.unwrap_or_default());
    }
}

type Client = RunningService<RoleClient, Listener>;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.flow"), FLOWS).unwrap();
    folder
}

fn flowc(folder: &tempfile::TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowc"));
    command.arg("mcp").current_dir(folder.path()).kill_on_drop(true);
    command
}

async fn on_stdio(folder: &tempfile::TempDir) -> Client {
    let (server, _) = TokioChildProcess::builder(flowc(folder)).stderr(Stdio::null()).spawn().unwrap();
    Listener::default().serve(server).await.unwrap()
}

async fn call(client: &Client, tool: &'static str, args: Value) -> CallToolResult {
    let Value::Object(args) = args else { panic!("no object") };
    client.call_tool(CallToolRequestParams::new(tool).with_arguments(args)).await.unwrap()
}

fn text(result: &CallToolResult) -> &str {
    &result.content[0].as_text().unwrap().text
}

#[tokio::test]
async fn every_flow_is_a_tool() {
    let folder = folder();
    let client = on_stdio(&folder).await;
    let tools = client.list_all_tools().await.unwrap();
    let names: Vec<_> = tools.iter().map(|tool| tool.name.as_ref()).collect();
    assert_eq!(names, ["add", "nap", "stumble", "flow_check", "flow_run"]);
    assert_eq!(tools[0].description.as_deref(), Some("Adds two numbers."));
    assert_eq!(tools[0].input_schema["required"], json!(["a"]));
    assert_eq!(tools[0].output_schema.as_ref().unwrap()["properties"]["sum"], json!({ "type": "integer" }));

    let sum = call(&client, "add", json!({ "a": 2 })).await;
    assert_eq!(sum.structured_content, Some(json!({ "sum": 3 })));
    let failed = call(&client, "stumble", json!({})).await;
    assert_eq!(failed.is_error, Some(true));
    let why: Value = serde_json::from_str(text(&failed)).unwrap();
    assert_eq!((&why["error"]["kind"], &why["error"]["details"]["why"]), (&json!("failed"), &json!("to see")));
    let misfit = call(&client, "add", json!({ "a": "two" })).await;
    assert_eq!(misfit.is_error, Some(true));
    assert!(text(&misfit).contains("expected an int"), "{}", text(&misfit));
    assert!(client.call_tool(CallToolRequestParams::new("subtract")).await.is_err());
    client.cancel().await.unwrap();
}

#[tokio::test]
async fn scripts_are_checked_and_run() {
    let folder = folder();
    let client = on_stdio(&folder).await;
    let wrong = call(&client, "flow_check", json!({ "source": "flow a() -> int { return \"a\" }" })).await;
    let told = wrong.structured_content.unwrap();
    assert_eq!((&told["ok"], &told["diagnostics"][0]["code"]), (&json!(false), &json!("E0301")));
    let source = "flow main(n: int) -> int { return double(n) }\nfn double(n: int) -> int = n * 2";
    let ran = call(&client, "flow_run", json!({ "source": source, "input": { "n": 21 } })).await;
    assert_eq!((text(&ran), ran.is_error), ("42", Some(false)));
    let refused =
        call(&client, "flow_run", json!({ "source": "use { a } from \"./a.flow\"\nflow b() { emit 1 }" })).await;
    assert_eq!(refused.is_error, Some(true), "a script reads no file: {}", text(&refused));
    client.cancel().await.unwrap();
}

#[tokio::test]
async fn progress_is_told_and_a_call_can_be_cancelled() {
    let folder = folder();
    let client = on_stdio(&folder).await;
    // rmcp's client sends a progress token with every call.
    call(&client, "nap", json!({ "time": "20ms" })).await;
    let told = client.service().0.lock().unwrap().clone();
    assert_eq!(told, ["Nap", "time.sleep@1 done"]);

    let mut params =
        CallToolRequestParams::new("nap").with_arguments(json!({ "time": "1h" }).as_object().unwrap().clone());
    params.meta = Some(RequestMetaObject::new());
    let request = rmcp::model::ClientRequest::CallToolRequest(rmcp::model::CallToolRequest::new(params));
    let sent = client.send_cancellable_request(request, rmcp::service::PeerRequestOptions::no_options()).await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), async {
        while client.service().0.lock().unwrap().len() < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the second nap has begun");
    sent.cancel(None).await.unwrap();
    // The server still answers, and ends at once when its input does: nothing of the nap is left.
    assert_eq!(call(&client, "add", json!({ "a": 1 })).await.structured_content, Some(json!({ "sum": 2 })));
    tokio::time::timeout(Duration::from_secs(10), client.cancel()).await.expect("the server ends").unwrap();
}

#[tokio::test]
async fn over_http_a_token_is_asked_for_and_foreign_hosts_are_refused() {
    let folder = folder();
    let mut server = flowc(&folder)
        .args(["--http", "127.0.0.1:0", "--token-env", "TOKEN"])
        .env("TOKEN", "open sesame")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stderr.take().unwrap()).lines();
    let line = lines.next_line().await.unwrap().unwrap();
    let url = line.split_whitespace().last().unwrap().to_owned();

    let config = StreamableHttpClientTransportConfig::with_uri(url.clone()).auth_header("open sesame");
    let transport = StreamableHttpClientTransport::with_client(plain(), config);
    let client = Listener::default().serve(transport).await.unwrap();
    assert_eq!(call(&client, "add", json!({ "a": 4 })).await.structured_content, Some(json!({ "sum": 5 })));
    call(&client, "nap", json!({ "time": "1ms" })).await;
    assert_eq!(client.service().0.lock().unwrap().len(), 2);
    client.cancel().await.unwrap();

    let hello = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    let post = || plain().post(&url).header("accept", "application/json, text/event-stream").json(&hello);
    assert_eq!(post().send().await.unwrap().status(), 401);
    let foreign = post().bearer_auth("open sesame").header("host", "evil.example").send().await.unwrap();
    assert_eq!(foreign.status(), 403);
    let page = post().bearer_auth("open sesame").header("origin", "https://evil.example").send().await.unwrap();
    assert_eq!(page.status(), 403);
    let own = post().bearer_auth("open sesame").header("origin", "http://localhost:3000").send().await.unwrap();
    assert_ne!(own.status(), 403);
    server.kill().await.unwrap();
}

fn plain() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

#[tokio::test]
async fn a_public_address_wants_a_token() {
    let folder = folder();
    let ended = flowc(&folder).args(["--http", "0.0.0.0:0"]).output().await.unwrap();
    assert_eq!(ended.status.code(), Some(2));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(said.contains("can be reached by others: give a token"), "{said}");
}
