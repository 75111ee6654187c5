//! Streamable HTTP: who calls, what is refused, and what statuses become.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::Response;
use flowc::run::{NoSecrets, SecretUse, Secrets};
use flowc::tools::Setting;
use flowc::tools::http::HttpClient;
use flowc::tools::listed::Remote;
use flowc::tools::mcp::{McpServer, McpSettings, Reach};
use flowc::value::ErrorKind;
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;
use url::Url;

struct ForThisMachine;

impl Secrets for ForThisMachine {
    fn resolve(&self, name: &str, of: SecretUse<'_>) -> Result<String, String> {
        match (name, of) {
            ("TOKEN", SecretUse::Host("127.0.0.1")) => Ok("t0ken".to_owned()),
            _ => Err(format!("the secret `{name}` is not for `{of:?}`")),
        }
    }
}

/// A server of one tool, which answers its call with this status.
async fn serve(status: u16) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let router = Router::new().fallback(move |request: Request| answer(request, status));
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/mcp").parse().expect("an address")
}

async fn answer(request: Request, status: u16) -> Response<Body> {
    let reply = |status: u16, headers: &[(&str, &str)], body: String| {
        let mut response = Response::builder().status(status).header("content-type", "application/json");
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        response.body(Body::from(body)).expect("a response")
    };
    let (head, body) = request.into_parts();
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if header("authorization") != "Bearer t0ken" || header("x-team") != "flow" {
        return reply(401, &[("www-authenticate", "Bearer realm=\"mcp\"")], String::new());
    }
    if head.method != "POST" {
        return reply(405, &[], String::new());
    }
    let body = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
    let message: Json = serde_json::from_slice(&body).expect("JSON");
    let Some(id) = message.get("id") else { return reply(202, &[], String::new()) };
    let result = match message["method"].as_str().unwrap_or_default() {
        "initialize" => json!({
            "protocolVersion": "2025-06-18", "capabilities": { "tools": {} },
            "serverInfo": { "name": "s", "version": "1" },
        }),
        "tools/list" => json!({ "tools": [{ "name": "do", "inputSchema": { "type": "object" } }] }),
        _ if status != 200 => return reply(status, &[("retry-after", "7")], String::new()),
        _ => json!({ "content": [{ "type": "text", "text": "done" }] }),
    };
    reply(200, &[], json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string())
}

fn reach(url: Url, bearer: Option<&str>) -> Reach {
    let headers = [("X-Team".to_owned(), Setting::Plain("flow".to_owned()))].into_iter().collect();
    Reach::Http { url, bearer: bearer.map(str::to_owned), headers, auth: None }
}

#[tokio::test]
async fn requests_say_who_calls() {
    let server = super::server(reach(serve(200).await, Some("TOKEN")));
    let listed = server.list(&ForThisMachine).await.expect("a list");
    assert_eq!(listed.len(), 1);
    assert_eq!(super::call(&server, "do", json!({})).await.expect("an answer"), "done");
    let error = server_without_token(serve(200).await).await;
    assert_eq!((error.kind, error.undelivered), (ErrorKind::Denied, true), "{error}");
    assert!(error.message.contains("bearer"), "{error}");
    let server = super::server(reach(serve(200).await, Some("OTHER")));
    let error = server.list(&ForThisMachine).await.expect_err("another secret");
    assert_eq!((error.kind, error.undelivered), (ErrorKind::Denied, true), "{error}");
}

async fn server_without_token(url: Url) -> flowc::run::ToolError {
    super::server(reach(url, None)).list(&NoSecrets).await.expect_err("no token")
}

#[tokio::test]
async fn statuses_are_errors_of_a_kind() {
    for (status, kind, retryable) in [(429, ErrorKind::RateLimit, true), (503, ErrorKind::Tool, true)] {
        let server = super::server(reach(serve(status).await, Some("TOKEN")));
        server.list(&ForThisMachine).await.expect("a list");
        let error = super::call(&server, "do", json!({})).await.expect_err("a status");
        assert_eq!((error.kind, error.retryable), (kind, retryable), "{error}");
        assert_eq!(error.retry_after, Some(Duration::from_secs(7)), "{error}");
    }
}

#[tokio::test]
async fn the_guard_holds_for_servers_too() {
    let settings = McpSettings { name: "server".into(), reach: reach(serve(200).await, None), max_message: 1 << 20 };
    let error = McpServer::new(settings, Arc::new(HttpClient::default())).list(&NoSecrets).await.expect_err("refused");
    assert_eq!((error.kind, error.undelivered), (ErrorKind::Denied, true), "{error}");
    assert!(error.message.contains("allow_private"), "{error}");
}
