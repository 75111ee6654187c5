//! The providers of the standard catalog over real HTTP: a server on this machine answers as the services do.

mod brave;
#[cfg(target_os = "linux")]
mod cancelled;
mod failures;
mod llm;
mod memory;
mod project;
#[cfg(unix)]
mod skill;
mod vercel;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Response};
use flowc::run::{NoArtifacts, NoDesk, Report, SecretUse, Secrets, Tool, ToolContext, ToolError, Usage};
use flowc::tools::http::{AllowPrivate, HttpClient, HttpConfig};
use flowc::value::Value;
use futures::StreamExt;
use serde_json::Value as Json;
use tokio::net::TcpListener;
use url::Url;

/// What the one secret of these tests, `KEY`, stands for.
const SECRET: &str = "s3cret-0123";

/// What a server answers.
#[derive(Clone)]
enum Answer {
    Full {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: String,
    },
    /// The body breaks off.
    Cut(&'static str, String),
    /// Pieces of an event stream, with a moment between them.
    Stream(Vec<String>),
    Never,
}

impl Answer {
    fn json(body: &Json) -> Self {
        Self::of(200, &body.to_string())
    }

    fn of(status: u16, body: &str) -> Self {
        Answer::Full { status, headers: vec![("content-type", "application/json".into())], body: body.into() }
    }

    fn with(self, name: &'static str, value: &str) -> Self {
        match self {
            Answer::Full { status, mut headers, body } => {
                headers.push((name, value.into()));
                Answer::Full { status, headers, body }
            }
            other => other,
        }
    }

    async fn into_response(self) -> Response<Body> {
        match self {
            Answer::Full { status, headers, body } => {
                let response = Response::builder().status(status);
                let response = headers.iter().fold(response, |response, (name, value)| response.header(*name, value));
                response.body(body.into()).unwrap()
            }
            Answer::Cut(mime, half) => {
                let half = futures::stream::once(async { Ok(half) });
                // A moment later, so that the half has gone out.
                let cut = futures::stream::once(async {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    Err(std::io::Error::other("cut"))
                });
                let body = Body::from_stream(half.chain(cut));
                Response::builder().header("content-type", mime).body(body).unwrap()
            }
            Answer::Stream(pieces) => {
                let body = Body::from_stream(futures::stream::unfold(pieces.into_iter(), |mut pieces| async {
                    let piece = pieces.next()?;
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    Some((Ok::<_, std::io::Error>(piece), pieces))
                }));
                Response::builder().header("content-type", "text/event-stream; charset=utf-8").body(body).unwrap()
            }
            Answer::Never => std::future::pending().await,
        }
    }
}

/// A request as it came.
struct Seen {
    target: String,
    headers: HeaderMap,
    body: Json,
}

impl Seen {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// A server that answers in turn; the last answer again and again.
struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    async fn answering(answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let answers = Arc::new(Mutex::new(answers.into_iter().collect::<VecDeque<_>>()));
        let record = Arc::clone(&seen);
        let router = Router::new().fallback(move |request: Request| {
            let (record, answers) = (Arc::clone(&record), Arc::clone(&answers));
            async move {
                let (head, body) = request.into_parts();
                let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
                let body = serde_json::from_slice(&body).unwrap_or(Json::Null);
                record.lock().unwrap().push(Seen { target: head.uri.to_string(), headers: head.headers, body });
                let answer = {
                    let mut answers = answers.lock().unwrap();
                    if answers.len() > 1 { answers.pop_front().unwrap() } else { answers.front().unwrap().clone() }
                };
                answer.into_response().await
            }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, seen }
    }

    fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://{}{path}", self.address)).unwrap()
    }

    /// The requests so far.
    fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

fn client() -> Arc<HttpClient> {
    Arc::new(HttpClient::new(HttpConfig { allow_private: AllowPrivate::All, ..HttpConfig::default() }))
}

struct OneSecret;

impl Secrets for OneSecret {
    fn resolve(&self, name: &str, of: SecretUse<'_>) -> Result<String, String> {
        assert_eq!(of, SecretUse::Host("127.0.0.1"));
        if name == "KEY" { Ok(SECRET.to_owned()) } else { Err(format!("the secret `{name}` is not configured")) }
    }
}

/// What a call reported.
#[derive(Default)]
struct Reported {
    outputs: Mutex<Vec<Value>>,
    usage: Mutex<Usage>,
}

impl Report for Reported {
    fn output(&self, value: Value) {
        self.outputs.lock().unwrap().push(value);
    }

    fn usage(&self, usage: Usage) {
        self.usage.lock().unwrap().add(&usage);
    }
}

/// A call of a tool with arguments as JSON, made to fit as the engine does; the result is checked against the signature.
async fn call(tools: &[Arc<dyn Tool>], name: &str, args: &Json) -> Result<Json, ToolError> {
    call_with(tools, name, args, &Reported::default(), Duration::from_secs(10)).await
}

async fn call_with(
    tools: &[Arc<dyn Tool>],
    name: &str,
    args: &Json,
    report: &Reported,
    timeout: Duration,
) -> Result<Json, ToolError> {
    let tool = tools.iter().find(|tool| tool.signature().name == name).expect("the tool");
    let signature = tool.signature();
    let args = args.as_object().unwrap().iter().map(|(name, value)| {
        let param = signature.find(name).unwrap_or_else(|| panic!("no parameter {name}"));
        (name.as_str().into(), Value::from(value.clone()).conform(&param.ty).expect("an argument that fits"))
    });
    let context = ToolContext {
        run: "run",
        path: "step",
        attempt: 1,
        began: jiff::Timestamp::UNIX_EPOCH,
        key: None,
        timeout: Some(timeout),
        report,
        secrets: &OneSecret,
        artifacts: &NoArtifacts,
        desk: &NoDesk,
    };
    let result = tool.call(Value::record(args), context).await?;
    Ok(Json::from(&result.conform(&signature.result).expect("a result that fits the signature")))
}
