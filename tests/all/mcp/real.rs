//! Servers that nobody here wrote, as their authors publish them. `tests/servers/install` fetches them.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::response::Html;
use flowc::project::{EngineOptions, Project};
use flowc::run::NoSecrets;
use flowc::tools::listed::Remote;
use flowc::tools::mcp::{McpServer, Reach};
use flowc::types::Type;
use flowc::value::ErrorKind;
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;

use super::{Heard, call, call_heard, lives, server, stdio};

/// Where `tests/servers/install` put them.
pub(crate) fn installed() -> PathBuf {
    let folder = std::env::var_os("FLOWC_TEST_SERVERS").map_or_else(
        || {
            let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
            std::env::var_os("XDG_CACHE_HOME").map_or_else(|| home.join(".cache"), PathBuf::from).join("flowc/servers")
        },
        PathBuf::from,
    );
    assert!(folder.join("node_modules").is_dir(), "no servers in `{}`: run tests/servers/install", folder.display());
    folder
}

fn text(path: impl AsRef<Path>) -> String {
    path.as_ref().to_string_lossy().into_owned()
}

fn node(package: &str, arguments: &[&str]) -> Vec<String> {
    let script = installed().join("node_modules").join(package);
    ["node".to_owned(), text(script)]
        .into_iter()
        .chain(arguments.iter().map(|argument| (*argument).to_owned()))
        .collect()
}

fn python(program: &str, arguments: &[&str]) -> Vec<String> {
    let program = text(installed().join("venv/bin").join(program));
    std::iter::once(program).chain(arguments.iter().map(|argument| (*argument).to_owned())).collect()
}

fn everything(argument: &str) -> Vec<String> {
    node("@modelcontextprotocol/server-everything/dist/index.js", &[argument])
}

async fn names(server: &McpServer) -> Vec<String> {
    let mut names: Vec<String> =
        server.list(&NoSecrets).await.expect("a list").into_iter().map(|tool| tool.name).collect();
    names.sort();
    names
}

/// What `everything` does, whatever way it is reached.
async fn uses_everything(server: &McpServer) {
    // One more than to clients that ask nobody.
    assert_eq!(names(server).await.len(), 14);
    let echo = call(server, "echo", json!({ "message": "hello" })).await.expect("an echo");
    assert_eq!(echo, "Echo: hello");
    let sum = call(server, "get-sum", json!({ "a": 2, "b": 3 })).await.expect("a sum");
    assert_eq!(sum, "The sum of 2 and 3 is 5.");
    let weather = call(server, "get-structured-content", json!({ "location": "Chicago" })).await.expect("a record");
    assert!(weather["temperature"].is_f64() && weather["conditions"].is_string(), "{weather}");
    let image = call(server, "get-tiny-image", json!({})).await.expect("a picture");
    assert_eq!(image["images"][0]["mime_type"], "image/png");
    assert!(!image.to_string().contains("iVBOR"), "no base64: {image}");
    let resource = call(server, "get-resource-reference", json!({ "resourceType": "Blob", "resourceId": 1 })).await;
    let resource = resource.expect("a file");
    assert_eq!(resource["files"][0]["url"], "file:///kept", "{resource}");
    let heard = Heard::default();
    let done = call_heard(server, "trigger-long-running-operation", json!({ "duration": 1, "steps": 4 }), &heard).await;
    assert!(done.expect("its end").as_str().is_some_and(|text| text.contains("Steps: 4")));
    let heard = heard.0.into_inner().expect("what was heard");
    let steps: Vec<f64> = heard.iter().filter_map(|progress| progress["progress"].as_f64()).collect();
    assert_eq!(steps, [1.0, 2.0, 3.0, 4.0], "{heard:?}");
    let error = call(server, "simulate-research-query", json!({ "topic": "x" })).await.expect_err("it wants a task");
    assert_eq!(error.kind, ErrorKind::Tool, "{error}");
}

#[tokio::test]
#[ignore = "needs tests/servers/install"]
async fn everything_over_stdio() {
    let server = server(stdio(everything("stdio"), &[("GREETING", "hi")]));
    uses_everything(&server).await;
    let environment = call(&server, "get-env", json!({})).await.expect("its environment");
    let mut variables: Vec<&str> =
        environment.as_object().expect("a record").keys().map(String::as_str).filter(|name| *name != "LANG").collect();
    variables.sort_unstable();
    assert_eq!(variables, ["FLOW_MCP_SERVER", "GREETING", "HOME", "PATH"]);
    server.close().await;
}

#[tokio::test]
#[ignore = "needs tests/servers/install"]
async fn everything_over_streamable_http() {
    let port = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address").port();
    let [program, arguments @ ..] = &everything("streamableHttp")[..] else { panic!("no command") };
    let mut running = tokio::process::Command::new(program)
        .args(arguments)
        .env("PORT", port.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("node");
    for _ in 0..200 {
        if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let url = format!("http://127.0.0.1:{port}/mcp").parse().expect("an address");
    let server = server(Reach::Http { url, bearer: None, headers: indexmap::IndexMap::default(), auth: None });
    uses_everything(&server).await;
    running.kill().await.expect("its end");
    let error = call(&server, "echo", json!({ "message": "hello" })).await.expect_err("it is gone");
    assert_eq!((error.kind, error.retryable), (ErrorKind::Network, true), "{error}");
    server.close().await;
}

#[tokio::test]
#[ignore = "needs tests/servers/install"]
async fn files_are_read_and_written_with_typed_results() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().canonicalize().expect("a path");
    let server = server(stdio(node("@modelcontextprotocol/server-filesystem/dist/index.js", &[&text(&root)]), &[]));
    let listed = server.list(&NoSecrets).await.expect("a list");
    assert_eq!(listed.len(), 14);
    let read = listed.iter().find(|tool| tool.name == "read_text_file").expect("a tool");
    let (signature, _) = read.signature("files.read_text_file");
    assert_eq!(signature.result, Type::record_of([("content", Type::String)]));
    assert_eq!(signature.annotations.read_only, Some(true));
    let file = text(root.join("a.txt"));
    call(&server, "write_file", json!({ "path": file, "content": "one\ntwo\n" })).await.expect("it is written");
    let read = call(&server, "read_text_file", json!({ "path": file, "head": 1 })).await.expect("it is read");
    assert_eq!(read["content"], "one");
    let error = call(&server, "read_text_file", json!({ "path": "/etc/passwd" })).await.expect_err("not allowed");
    assert!(error.kind == ErrorKind::Tool && error.message.contains("Access denied"), "{error}");
    server.close().await;
}

#[tokio::test]
#[ignore = "needs tests/servers/install"]
async fn a_memory_keeps_what_it_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = text(folder.path().join("memory.json"));
    let command = node("@modelcontextprotocol/server-memory/dist/index.js", &[]);
    let server = server(stdio(command, &[("MEMORY_FILE_PATH", &file)]));
    assert_eq!(names(&server).await.len(), 9);
    let ada = json!({ "name": "Ada", "entityType": "person", "observations": ["likes engines"] });
    call(&server, "create_entities", json!({ "entities": [ada] })).await.expect("it is kept");
    let found = call(&server, "search_nodes", json!({ "query": "engines" })).await.expect("it is found");
    assert_eq!(found["entities"][0]["name"], "Ada", "{found}");
    server.close().await;
}

#[tokio::test]
#[ignore = "needs tests/servers/install"]
async fn the_time_is_told() {
    let server = server(stdio(python("mcp-server-time", &["--local-timezone", "UTC"]), &[]));
    let time = call(&server, "get_current_time", json!({ "timezone": "Europe/Berlin" })).await.expect("a time");
    assert_eq!(time["timezone"], "Europe/Berlin");
    let error = call(&server, "get_current_time", json!({ "timezone": "Mars/Olympus" })).await.expect_err("no zone");
    assert_eq!(error.kind, ErrorKind::Tool, "{error}");
    server.close().await;
}

#[tokio::test]
#[ignore = "needs tests/servers/install"]
async fn a_repository_is_looked_at() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = text(folder.path().canonicalize().expect("a path"));
    let made = std::process::Command::new("git").args(["init", "-q", "-b", "trunk", &path]).status().expect("git");
    assert!(made.success());
    std::fs::write(folder.path().join("new.txt"), "new").expect("a file");
    let server = server(stdio(python("mcp-server-git", &["--repository", &path]), &[]));
    assert_eq!(names(&server).await.len(), 12);
    let status = call(&server, "git_status", json!({ "repo_path": path })).await.expect("a status");
    assert!(status.as_str().is_some_and(|text| text.contains("trunk") && text.contains("new.txt")), "{status}");
    server.close().await;
}

/// Serves a page on this machine.
async fn page() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let router = Router::new().fallback(|| async {
        Html(
            "<title>Tide mills</title><body style='background: #246'><h1>Tide mills</h1><p>They turn with the sea.</p>",
        )
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/mills")
}

#[tokio::test]
#[ignore = "needs tests/servers/install"]
async fn a_page_is_fetched() {
    let server = server(stdio(python("mcp-server-fetch", &["--allow-private-ips", "--ignore-robots-txt"]), &[]));
    let fetched = call(&server, "fetch", json!({ "url": page().await })).await.expect("a page");
    assert!(fetched.as_str().is_some_and(|text| text.contains("They turn with the sea")), "{fetched}");
    server.close().await;
}

/// Answers everything with this, and keeps what was asked for.
async fn api(answer: Json) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let kept = Arc::clone(&asked);
    let router = Router::new().fallback(move |request: axum::extract::Request| {
        let who = request.headers().get("authorization").and_then(|who| who.to_str().ok()).unwrap_or_default();
        kept.lock().expect("what was asked").push(format!("{} {} {who}", request.method(), request.uri()));
        let text = answer.to_string();
        async move { ([("content-type", "application/json")], text) }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}"), asked)
}

#[tokio::test]
#[ignore = "needs tests/servers/install"]
async fn vercels_own_server_lists_deployments() {
    let (url, asked) =
        api(json!({ "deployments": [], "pagination": { "count": 0, "next": null, "prev": null } })).await;
    let script = "@vercel/sdk/bin/mcp-server.js";
    let server = server(stdio(node(script, &["start", "--bearer-token", "T", "--server-url", &url]), &[]));
    assert_eq!(names(&server).await.len(), 218);
    let request = json!({ "request": { "limit": 1 } });
    let found = call(&server, "deployments-get-deployments", request).await.expect("deployments");
    assert_eq!(found["deployments"], json!([]));
    assert_eq!(*asked.lock().expect("what was asked"), ["GET /v6/deployments?limit=1 Bearer T"]);
    server.close().await;
}

#[tokio::test]
#[ignore = "needs tests/servers/install"]
async fn cloudinarys_own_server_lists_pictures() {
    let (url, asked) = api(json!({ "resources": [], "rate_limit_allowed": 500 })).await;
    let script = "@cloudinary/asset-management-mcp/bin/mcp-server.js";
    let account = ["start", "--server-url", &url, "--cloud-name", "demo", "--api-key", "k", "--api-secret", "s"];
    let server = server(stdio(node(script, &account), &[]));
    assert_eq!(names(&server).await.len(), 29);
    let found = call(&server, "list-images", json!({ "max_results": 2 })).await.expect("pictures");
    assert_eq!(found["resources"], json!([]), "{found}");
    let asked = asked.lock().expect("what was asked").concat();
    assert!(asked.starts_with("GET /v1_1/demo/resources/image?") && asked.contains("max_results=2"), "{asked}");
    server.close().await;
}

#[tokio::test]
#[ignore = "needs tests/servers/install"]
async fn puppeteer_takes_a_picture() {
    let script = "@modelcontextprotocol/server-puppeteer/dist/index.js";
    let chromium =
        json!({ "headless": true, "executablePath": "/usr/bin/chromium", "args": ["--no-sandbox"] }).to_string();
    let env = [("ALLOW_DANGEROUS", "true"), ("PUPPETEER_LAUNCH_OPTIONS", chromium.as_str())];
    let server = server(stdio(node(script, &[]), &env));
    assert_eq!(names(&server).await.len(), 7);
    call(&server, "puppeteer_navigate", json!({ "url": page().await })).await.expect("a page");
    let heading = json!({ "script": "document.querySelector('h1').textContent" });
    let found = call(&server, "puppeteer_evaluate", heading).await.expect("its heading");
    assert!(found.to_string().contains("Tide mills"), "{found}");
    let shot = json!({ "name": "mills", "width": 400, "height": 300 });
    let shot = call(&server, "puppeteer_screenshot", shot).await.expect("a picture");
    assert_eq!(shot["images"][0]["mime_type"], "image/png", "{shot}");
    server.close().await;
}

/// It speaks to the service and nothing else, so only its tools are looked at.
#[tokio::test]
#[ignore = "needs tests/servers/install"]
async fn braves_own_server_has_types() {
    let script = "@brave/brave-search-mcp-server/dist/index.js";
    let server = server(stdio(node(script, &[]), &[("BRAVE_API_KEY", "k")]));
    let listed = server.list(&NoSecrets).await.expect("a list");
    assert_eq!(listed.len(), 8);
    let search = listed.iter().find(|tool| tool.name == "brave_web_search").expect("a tool");
    let (signature, _) = search.signature("search.brave_web_search");
    assert_eq!(signature.find("query").map(|param| (&param.ty, param.required)), Some((&Type::String, true)));
    assert!(signature.find("count").is_some_and(|param| !param.required && param.default.is_some()), "{signature:?}");
    server.close().await;
}

/// A project whose `page` namespace is Playwright's, synced.
async fn playwright(folder: &tempfile::TempDir) -> Project {
    let options = ["--headless", "--no-sandbox", "--executable-path", "/usr/bin/chromium", "--isolated"];
    let command = json!(node("@playwright/mcp/cli.js", &options));
    let settings = format!("[provide.page]\nmcp = {{ command = {command} }}\n");
    let project = super::project(folder, &settings);
    let synced = project.sync().await;
    project.close().await;
    assert!(synced.asked[0].1.as_ref().is_ok_and(|asked| asked.tools == 25), "{:?}", synced.asked);
    std::fs::write(project.lock_file(), synced.lock.text()).expect("the lock file");
    super::project(folder, &settings)
}

#[tokio::test]
#[ignore = "needs tests/servers/install"]
async fn a_flow_drives_a_browser_and_gets_a_picture() {
    let folder = tempfile::tempdir().expect("a folder");
    let project = playwright(&folder).await;
    let engine = project.engine_builder(EngineOptions::default()).build().expect("an engine");
    let flow = "flow shoot(url: url) {\n    step open = page.browser_navigate(url)\n    step shot = \
                page.browser_take_screenshot(type: \"png\")\n    return shot\n}\n";
    let program = Arc::new(engine.compile(flowc::source::SourceFile::new("shoot.flow", flow)).expect("a program"));
    project.verify(&program.tools).await.expect("nothing has changed");
    let run = engine.start(&program, "shoot", json!({ "url": page().await })).expect("a run");
    let shot: Json = run.output().await.expect("a picture");
    assert_eq!(shot["images"][0]["mime_type"], "image/png", "{shot}");
    assert!(shot["images"][0]["width"].as_i64().is_some_and(|width| width > 300), "{shot}");
    assert!(!shot.to_string().contains("iVBOR"), "no base64");
    project.close().await;
    let left = std::process::Command::new("sh")
        .args(["-c", "grep -slE 'playwright|chromium' /proc/[0-9]*/cmdline | cut -d/ -f3"])
        .output()
        .expect("a list");
    let left = String::from_utf8_lossy(&left.stdout).into_owned();
    let ours = |pid: &u64| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        String::from_utf8_lossy(&environment).contains(&format!("FLOW_MCP_SERVER={}-", std::process::id()))
    };
    let mut left: Vec<u64> = left.lines().filter_map(|line| line.parse().ok()).filter(ours).collect();
    // What was killed may take a moment to die.
    let began = std::time::Instant::now();
    while began.elapsed() < std::time::Duration::from_secs(5) && !left.is_empty() {
        left.retain(|pid| lives(*pid));
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(left.is_empty(), "{left:?}");
}

#[cfg(feature = "cli")]
#[tokio::test]
#[ignore = "needs tests/servers/install"]
async fn a_misspelt_argument_of_a_servers_tool_is_found_offline() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(playwright(&folder).await);
    let flow = "flow main() {\n    step page.browser_navigate(ulr: \"https://example.com\")\n}\n";
    std::fs::write(folder.path().join("a.flow"), flow).expect("a file");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_flowc"))
        .args(["check", "a.flow"])
        .current_dir(folder.path())
        .env("PATH", "")
        .output()
        .expect("the binary");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("E0207") && said.contains("`ulr`") && said.contains("`url`"), "{said}");
}
