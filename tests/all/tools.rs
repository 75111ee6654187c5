//! The guarded client and the tools over it, against servers on this machine.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Response, StatusCode};
use flowc::run::{NoArtifacts, NoDesk, NoSecrets, Report, SecretUse, Secrets, Tool, ToolContext, ToolError, Usage};
use flowc::tools::http::{AllowPrivate, Allowed, Http, HttpClient, HttpConfig, Lookup, MAX_REDIRECTS};
use flowc::tools::web::WebScrape;
use flowc::value::{ErrorKind, Value};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

struct Quiet;

impl Report for Quiet {
    fn output(&self, _value: Value) {}
    fn usage(&self, _usage: Usage) {}
}

fn context(secrets: &dyn Secrets) -> ToolContext<'_> {
    ToolContext {
        run: "run",
        path: "page",
        attempt: 1,
        began: jiff::Timestamp::UNIX_EPOCH,
        key: None,
        timeout: None,
        report: &Quiet,
        secrets,
        artifacts: &NoArtifacts,
        desk: &NoDesk,
    }
}

fn open() -> HttpConfig {
    HttpConfig { allow_private: AllowPrivate::All, ..HttpConfig::default() }
}

fn only(hosts: &[&str]) -> HttpConfig {
    let allowed = hosts.iter().map(|host| host.parse::<Allowed>().expect("a host")).collect();
    HttpConfig { allow_private: AllowPrivate::Only(allowed), ..HttpConfig::default() }
}

fn tool(config: HttpConfig, name: &str) -> Arc<dyn Tool> {
    let client = Arc::new(HttpClient::new(config));
    let mut tools = Http::tools(&client);
    tools.push(Arc::new(WebScrape::new(&client).expect("web.scrape")));
    tools.into_iter().find(|tool| tool.signature().name == name).expect("the tool")
}

/// Calls a tool with arguments as JSON, made to fit as the engine does.
async fn call_with(tool: &dyn Tool, args: serde_json::Value, secrets: &dyn Secrets) -> Result<Value, ToolError> {
    let signature = tool.signature();
    let entries = args.as_object().expect("arguments").iter().map(|(name, value)| {
        let param = signature.find(name).unwrap_or_else(|| panic!("no parameter {name}"));
        let value = match value.get("$secret") {
            Some(secret) => Value::Secret(secret.as_str().expect("a name").into()),
            None => Value::from(value.clone()).conform(&param.ty).expect("an argument that fits"),
        };
        (name.as_str().into(), value)
    });
    let result = tool.call(Value::record(entries), context(secrets)).await?;
    Ok(result.conform(&signature.result).expect("a result that fits the signature"))
}

async fn call(config: HttpConfig, name: &str, args: serde_json::Value) -> Result<Value, ToolError> {
    call_with(&*tool(config, name), args, &NoSecrets).await
}

async fn get(config: HttpConfig, url: impl Into<String>) -> Result<Value, ToolError> {
    call(config, "http.get", serde_json::json!({ "url": url.into() })).await
}

/// Serves what `answer` says of a path and its headers.
async fn serve<F>(answer: F) -> SocketAddr
where
    F: Fn(&str, &HeaderMap) -> Response<Body> + Clone + Send + Sync + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let router = Router::new().fallback(move |request: Request| {
        let answer = answer.clone();
        async move { answer(&request.uri().to_string(), request.headers()) }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Serves these bytes to whoever connects, then closes; counts the connections.
async fn serve_raw(bytes: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(bytes).await;
            let _ = stream.shutdown().await;
        }
    });
    address
}

fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(body.into()).expect("a response")
}

#[tokio::test]
async fn this_machine_is_not_reached_unless_it_is_allowed() {
    let hits = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&hits);
    let address = serve(move |_, _| {
        counted.fetch_add(1, Ordering::SeqCst);
        answer(200, &[], "hello")
    })
    .await;
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433"] {
        let error = get(HttpConfig::default(), format!("http://{host}:{}/", address.port())).await.expect_err(host);
        assert_eq!(error.kind, ErrorKind::Denied, "{host}: {error}");
        assert!(error.undelivered, "{host}");
        assert!(error.message.contains("allow_private"), "{error}");
    }
    assert_eq!(hits.load(Ordering::SeqCst), 0);
    let allowed = get(only(&["127.0.0.1"]), format!("http://{address}/")).await.expect("an answer");
    assert_eq!(allowed.get("text"), Some(&Value::from("hello")));
    let by_name = get(only(&["localhost"]), format!("http://localhost:{}/", address.port())).await;
    assert!(by_name.is_ok(), "{by_name:?}");
}

/// Answers with an address of this machine that is allowed, and from then on with one that is not.
struct Rebinding(AtomicUsize);

impl Lookup for Rebinding {
    fn lookup(&self, _host: String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> {
        let first = self.0.fetch_add(1, Ordering::SeqCst) == 0;
        let address = if first { [127, 0, 0, 1] } else { [127, 0, 0, 2] };
        async move { Ok(vec![IpAddr::from(address)]) }.boxed()
    }
}

#[tokio::test]
async fn a_connection_goes_to_the_address_that_was_checked() {
    let address = serve(|_, _| answer(200, &[("connection", "close")], "checked")).await;
    let lookup = Arc::new(Rebinding(AtomicUsize::new(0)));
    let config = HttpConfig { lookup: Arc::clone(&lookup) as Arc<dyn Lookup>, ..only(&["127.0.0.1"]) };
    let tool = tool(config, "http.get");
    let url = serde_json::json!({ "url": format!("http://rebind.example:{}/", address.port()) });
    let first = call_with(&*tool, url.clone(), &NoSecrets).await.expect("the first answer");
    assert_eq!(first.get("text"), Some(&Value::from("checked")));
    assert_eq!(lookup.0.load(Ordering::SeqCst), 1, "the name is looked up once, not once to check and once to connect");
    let second = call_with(&*tool, url, &NoSecrets).await.expect_err("the second address is refused");
    assert_eq!(second.kind, ErrorKind::Denied);
    assert!(second.message.contains("`rebind.example` leads to `127.0.0.2`"), "{second}");
}

#[tokio::test]
async fn every_redirect_is_checked_again() {
    let address = serve(|path, _| {
        let target = path.split_once("?to=").map_or("/", |(_, target)| target).to_owned();
        if path == "/" { answer(200, &[], "arrived") } else { answer(302, &[("location", &target)], "") }
    })
    .await;
    let follow = |target: String| get(only(&["127.0.0.1"]), format!("http://{address}/go?to={target}"));
    let arrived = follow("/".to_owned()).await.expect("an answer");
    assert_eq!(arrived.get("url"), Some(&Value::from(format!("http://{address}/"))));
    for target in
        ["http://127.0.0.2/", "http://169.254.169.254/latest/meta-data/", "http://u:p@127.0.0.1/", "http://[::1]/"]
    {
        let error = follow(target.to_owned()).await.expect_err(target);
        assert_eq!(error.kind, ErrorKind::Denied, "{target}: {error}");
    }
    let elsewhere = follow("file:///etc/passwd".to_owned()).await.expect_err("not a web address");
    assert!(matches!(elsewhere.kind, ErrorKind::Denied | ErrorKind::Tool), "{elsewhere}");
    let circles = serve(|_, _| answer(302, &[("location", "/again")], "")).await;
    let error = get(open(), format!("http://{circles}/")).await.expect_err("a circle");
    assert_eq!(error.kind, ErrorKind::Tool);
    assert!(error.message.contains(&format!("more than {MAX_REDIRECTS} redirects")), "{error}");
}

#[tokio::test]
async fn statuses_become_errors_that_say_whether_to_try_again() {
    let address = serve(|path, _| {
        let status = path.trim_matches('/').parse().unwrap_or(200);
        answer(status, &[("retry-after", "7")], "why it failed")
    })
    .await;
    for (status, kind, retryable) in [
        (400, ErrorKind::Tool, false),
        (401, ErrorKind::Tool, false),
        (404, ErrorKind::Tool, false),
        (408, ErrorKind::Timeout, true),
        (429, ErrorKind::RateLimit, true),
        (500, ErrorKind::Tool, true),
        (501, ErrorKind::Tool, false),
        (503, ErrorKind::Tool, true),
    ] {
        let error = get(open(), format!("http://{address}/{status}")).await.expect_err("an error");
        assert_eq!((error.kind, error.retryable), (kind, retryable), "{error}");
        assert_eq!(error.retry_after, Some(Duration::from_secs(7)));
        assert_eq!(error.details.get("status"), Some(&Value::Int(status)));
        assert_eq!(error.details.get("body"), Some(&Value::from("why it failed")));
        assert!(!error.undelivered);
    }
    let args = serde_json::json!({ "url": format!("http://{address}/404"), "any_status": true });
    let value = call(open(), "http.get", args).await.expect("a value");
    assert_eq!(value.get("status"), Some(&Value::Int(404)));
    let error = get(open(), format!("http://{address}/404")).await.expect_err("an error");
    assert_eq!(error.message, format!("`http://{address}/404` answered 404 not found"));
}

#[tokio::test]
async fn broken_connections_are_network_errors() {
    let cut = serve_raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf of it").await;
    let error = get(open(), format!("http://{cut}/")).await.expect_err("cut short");
    assert_eq!((error.kind, error.retryable, error.undelivered), (ErrorKind::Network, true, false), "{error}");
    assert!(error.message.contains("broke off after 10 bytes"), "{error}");
    let silent = serve_raw(b"").await;
    let error = get(open(), format!("http://{silent}/")).await.expect_err("closed");
    assert_eq!((error.kind, error.undelivered), (ErrorKind::Network, false), "{error}");
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let error = get(open(), format!("http://{free}/")).await.expect_err("nobody there");
    assert_eq!((error.kind, error.undelivered), (ErrorKind::Network, true), "{error}");
    assert!(error.message.ends_with("connection refused"), "{error}");
    let error = get(open(), "http://no-such-host.invalid/").await.expect_err("no such host");
    assert_eq!((error.kind, error.undelivered), (ErrorKind::Network, true), "{error}");
    assert!(error.message.contains("`no-such-host.invalid` was not found"), "{error}");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(bytes).expect("packed");
    packer.finish().expect("packed")
}

#[tokio::test]
async fn bodies_are_bounded_as_they_come_out() {
    let bomb = gzip(&vec![0; 64 << 20]);
    assert!(bomb.len() < 100_000);
    let address = serve(move |path, _| match path {
        "/announced" => answer(200, &[], vec![b'x'; (8 << 20) + 1]),
        "/streamed" => {
            let chunks = (0..200).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 1 << 16]));
            answer(200, &[], Body::from_stream(futures::stream::iter(chunks)))
        }
        "/bomb" => answer(200, &[("content-encoding", "gzip")], bomb.clone()),
        _ => answer(200, &[("content-encoding", "gzip"), ("content-type", "text/plain")], gzip(b"packed and unpacked")),
    })
    .await;
    for path in ["announced", "streamed", "bomb"] {
        let error = get(open(), format!("http://{address}/{path}")).await.expect_err(path);
        assert_eq!((error.kind, error.retryable), (ErrorKind::Tool, false), "{path}: {error}");
        assert!(error.message.ends_with("is larger than 8 MiB"), "{error}");
    }
    let fits = get(open(), format!("http://{address}/fits")).await.expect("an answer");
    assert_eq!(fits.get("text"), Some(&Value::from("packed and unpacked")));
}

#[tokio::test]
async fn slow_answers_time_out_and_cancelled_ones_close_their_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (closed, mut closings) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let closed = closed.clone();
            tokio::spawn(async move {
                let mut request = [0; 4096];
                while stream.read(&mut request).await.is_ok_and(|read| read > 0) {}
                let _ = closed.send(());
            });
        }
    });
    let url = format!("http://{address}/");
    let began = Instant::now();
    let args = serde_json::json!({ "url": url, "timeout": "100ms" });
    let error = call(open(), "http.get", args.clone()).await.expect_err("too slow");
    assert_eq!((error.kind, error.retryable), (ErrorKind::Timeout, true));
    assert_eq!(error.message, "`127.0.0.1` did not answer within 100ms");
    assert!(began.elapsed() < Duration::from_secs(5));
    let client = tool(open(), "http.get");
    let dropped = tokio::time::timeout(
        Duration::from_millis(50),
        call_with(&*client, serde_json::json!({ "url": url, "timeout": "1m" }), &NoSecrets),
    );
    assert!(dropped.await.is_err());
    for _ in 0..2 {
        let closing = tokio::time::timeout(Duration::from_secs(5), closings.recv()).await;
        assert!(closing.is_ok(), "the connection stayed open");
    }
}

struct OneSecret;

impl Secrets for OneSecret {
    fn resolve(&self, name: &str, _of: SecretUse<'_>) -> Result<String, String> {
        if name == "TOKEN" { Ok("t0p".to_owned()) } else { Err(format!("the secret `{name}` is not configured")) }
    }
}

#[tokio::test]
async fn requests_carry_what_was_asked_and_secrets_stay_with_their_host() {
    let echo = |path: &str, headers: &HeaderMap| {
        let all: serde_json::Map<_, _> = headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned().into()))
            .collect();
        let body = serde_json::json!({ "path": path, "headers": all }).to_string();
        answer(200, &[("content-type", "application/json"), ("x-two", "a"), ("x-two", "b")], body)
    };
    let other = serve(echo).await;
    let address = serve(move |path, headers| match path.split('?').next() {
        Some("/away") => answer(307, &[("location", &format!("http://{other}/elsewhere"))], ""),
        _ => echo(path, headers),
    })
    .await;
    let request = tool(open(), "http.request");
    let args = |path: &str| {
        serde_json::json!({
            "method": "POST", "url": format!("http://{address}{path}"), "body": { "a": 1 },
            "headers": { "X-Mine": "yes" }, "query": { "q": "a b&c" }, "bearer": { "$secret": "TOKEN" },
        })
    };
    let value = call_with(&*request, args("/here"), &OneSecret).await.expect("an answer");
    let json: serde_json::Value = value.get("json").expect("json").into();
    assert_eq!(json["path"], "/here?q=a+b%26c");
    assert_eq!(json["headers"]["x-mine"], "yes");
    assert_eq!(json["headers"]["authorization"], "Bearer t0p");
    assert_eq!(json["headers"]["content-type"], "application/json");
    assert!(json["headers"]["user-agent"].as_str().is_some_and(|agent| agent.starts_with("flowc/")), "{json}");
    assert_eq!(value.get("headers").and_then(|headers| headers.get("x-two")), Some(&Value::from("a, b")));
    let moved = call_with(&*request, args("/away"), &OneSecret).await.expect("an answer");
    let json: serde_json::Value = moved.get("json").expect("json").into();
    assert!(json["headers"].get("authorization").is_none(), "the secret followed the redirect: {json}");
    let mut wrong = args("/here");
    wrong["bearer"] = serde_json::json!({ "$secret": "OTHER" });
    let error = call_with(&*request, wrong, &OneSecret).await.expect_err("no such secret");
    assert_eq!((error.kind, error.undelivered), (ErrorKind::Denied, true));
    let mut wrong = args("/here");
    wrong["headers"] = serde_json::json!({ "Host": "internal" });
    let error = call_with(&*request, wrong, &OneSecret).await.expect_err("a reserved header");
    assert_eq!((error.kind, error.undelivered), (ErrorKind::Invalid, true));
}

#[tokio::test]
async fn bodies_are_text_and_json_where_they_can_be() {
    let address = serve(|path, _| match path {
        "/png" => answer(200, &[("content-type", "image/png")], &b"\x89PNG\0"[..]),
        "/latin" => answer(200, &[("content-type", "text/plain; charset=iso-8859-1")], &b"caf\xe9"[..]),
        _ => answer(200, &[("content-type", "application/json; charset=utf-8")], "[1, 2.5, null]"),
    })
    .await;
    let png = get(open(), format!("http://{address}/png")).await.expect("an answer");
    assert_eq!(png.get("text"), Some(&Value::from("")));
    assert_eq!(png.get("size"), Some(&Value::Int(5)));
    assert_eq!(png.get("mime_type"), Some(&Value::from("image/png")));
    let latin = get(open(), format!("http://{address}/latin")).await.expect("an answer");
    assert_eq!(latin.get("text"), Some(&Value::from("café")));
    assert_eq!(latin.get("json"), Some(&Value::Null));
    let json = get(open(), format!("http://{address}/json")).await.expect("an answer");
    assert_eq!(json.get("json"), Some(&Value::from(serde_json::json!([1, 2.5, null]))));
}

#[tokio::test]
async fn scraping_says_what_is_not_a_page() {
    let address = serve(|path, _| match path {
        "/pdf" => answer(200, &[("content-type", "application/pdf")], "%PDF"),
        "/text" => answer(200, &[("content-type", "text/plain"), ("content-language", "en")], "just words"),
        "/deep" => answer(200, &[("content-type", "text/html")], "<div>".repeat(100_000)),
        _ => answer(StatusCode::NOT_FOUND.as_u16(), &[("content-type", "text/html")], "<h1>Gone</h1>"),
    })
    .await;
    let scrape =
        |path: &str| call(open(), "web.scrape", serde_json::json!({ "url": format!("http://{address}{path}") }));
    let error = scrape("/pdf").await.expect_err("a document");
    assert_eq!(error.kind, ErrorKind::Tool);
    assert!(error.message.ends_with("is `application/pdf`, not a page"), "{error}");
    let error = scrape("/gone").await.expect_err("no page");
    assert_eq!(error.details.get("status"), Some(&Value::Int(404)));
    let error = scrape("/deep").await.expect_err("too deep");
    assert!(error.message.contains("nested 100000 deep"), "{error}");
    let text = scrape("/text").await.expect("a text");
    assert_eq!(text.get("word_count"), Some(&Value::Int(2)));
    assert_eq!(text.get("language"), Some(&Value::from("en")));
}

#[cfg(feature = "cli")]
#[tokio::test]
async fn the_pages_of_the_demo_are_read_as_their_readers_see_them() {
    let site = flowc::demo::Demo::start().await.expect("the site");
    let scrape = tool(open(), "web.scrape");
    let host = site.address.to_string();
    let path = |url: &String| url::Url::parse(url).expect("an address").path().to_owned();
    let urls: Vec<String> = site.compared().iter().map(|url| format!("http://{host}{}", path(url))).collect();
    let pages = urls.iter().filter(|url| !url.ends_with("/slow") && !url.ends_with("/broken"));
    for url in pages {
        let page = call_with(&*scrape, serde_json::json!({ "url": url }), &NoSecrets).await.expect("a page");
        let json: serde_json::Value = (&page).into();
        let text = serde_json::to_string_pretty(&json).expect("JSON").replace(&host, "demo.example");
        let name = url.rsplit('/').next().unwrap_or_default().trim_end_matches(".html").to_owned();
        insta::assert_snapshot!(format!("scrape_{name}"), text);
    }
    let broken = format!("http://{host}/broken");
    let error = call_with(&*scrape, serde_json::json!({ "url": broken }), &NoSecrets).await.expect_err("it fails");
    assert_eq!((error.kind, error.retryable), (ErrorKind::Tool, true));
    let slow = format!("http://{host}/slow");
    let args = serde_json::json!({ "url": slow, "timeout": "100ms" });
    let error = call_with(&*scrape, args, &NoSecrets).await.expect_err("it never answers");
    assert_eq!(error.kind, ErrorKind::Timeout);
}
