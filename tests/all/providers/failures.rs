//! Every provider against every way in which a service fails.

use std::sync::Arc;
use std::time::Duration;

use flowc::run::{Engine, EventKind, Tool, VirtualClock};
use flowc::source::SourceFile;
use flowc::tools::{brave, vercel};
use flowc::value::{ErrorKind, Value};
use futures::StreamExt;
use serde_json::{Value as Json, json};

use super::{Answer, OneSecret, Reported, SECRET, Server, call, call_with, client, llm};

/// A tool, how to call it, and what its service answers when all is well.
struct Case {
    tool: &'static str,
    tools: fn(&Server) -> Vec<Arc<dyn Tool>>,
    args: Json,
    good: Json,
}

fn cases() -> Vec<Case> {
    let brave = |server: &Server| {
        let mut config = brave::config("KEY");
        config.base_url = server.url("/");
        brave::tools(config, &client())
    };
    let vercel = |server: &Server| {
        let mut config = vercel::config("KEY");
        config.api.base_url = server.url("");
        vercel::tools(config, &client())
    };
    let event = json!({ "type": "stdout", "created": 1, "payload": { "text": "hi" } });
    let deployment = json!({ "id": "d", "name": "n", "url": "n.example", "readyState": "READY", "createdAt": 1 });
    vec![
        Case {
            tool: "brave.search",
            tools: brave,
            args: json!({ "query": "tide mills" }),
            good: super::brave::found(),
        },
        Case {
            tool: "vercel.deployments",
            tools: vercel,
            args: json!({ "project": "shop" }),
            good: json!({ "deployments": [deployment] }),
        },
        Case { tool: "vercel.deployment", tools: vercel, args: json!({ "id": "d" }), good: deployment.clone() },
        Case { tool: "vercel.logs", tools: vercel, args: json!({ "id": "d" }), good: json!([event]) },
        Case {
            tool: "llm.complete",
            tools: llm::anthropic,
            args: json!({ "prompt": "hi" }),
            good: llm::message("Hello", "end_turn"),
        },
        Case {
            tool: "llm.summarize",
            tools: llm::openai,
            args: json!({ "text": "long", "max_words": 5 }),
            good: llm::completion(&json!("Short"), "stop"),
        },
        Case {
            tool: "llm.extract",
            tools: llm::anthropic,
            args: json!({ "text": "Ada", "into": { "type": "object", "properties": { "name": { "type": "string" } } } }),
            good: llm::given(&json!({ "name": "Ada" })),
        },
    ]
}

#[tokio::test]
async fn a_good_answer_is_a_value_and_carries_the_key() {
    for case in cases() {
        let server = Server::answering([Answer::json(&case.good)]).await;
        call(&(case.tools)(&server), case.tool, &case.args)
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", case.tool));
        let [request] = server.seen().try_into().unwrap_or_else(|_| panic!("{}: one request", case.tool));
        let keys = ["x-subscription-token", "authorization", "x-api-key"].map(|name| request.header(name));
        let bearer = format!("Bearer {SECRET}");
        assert!(keys.contains(&Some(SECRET)) || keys.contains(&Some(&bearer)), "{}: {keys:?}", case.tool);
        assert!(request.header("user-agent").is_some_and(|agent| agent.starts_with("flowc/")));
    }
}

/// What an error must be: its kind, whether it may be tried again, and what its message says.
type Expected = (ErrorKind, bool, &'static str);

#[tokio::test]
async fn failures_have_their_kinds() {
    let failure = format!(r#"{{"error": {{"code": "c", "message": "why {SECRET} failed"}}}}"#);
    let of = |status| Answer::of(status, &failure);
    let answers: [(Answer, Expected); 16] = [
        (of(401), (ErrorKind::Denied, false, " 401 unauthorized: why … failed (the secret `KEY` was sent)")),
        (of(403), (ErrorKind::Denied, false, " 403 forbidden")),
        (of(404), (ErrorKind::Tool, false, " 404 not found: why … failed")),
        (of(408), (ErrorKind::Timeout, true, " 408 ")),
        (of(409), (ErrorKind::Tool, true, " 409 ")),
        (of(429), (ErrorKind::RateLimit, true, " 429 too many requests: why … failed")),
        (of(500), (ErrorKind::Tool, true, " 500 ")),
        (of(503), (ErrorKind::Tool, true, " 503 ")),
        (of(529), (ErrorKind::Tool, true, " 529")),
        (of(500).with("x-should-retry", "false"), (ErrorKind::Tool, false, " 500 ")),
        (of(400).with("x-should-retry", "true"), (ErrorKind::Tool, true, " 400 ")),
        (of(302).with("location", "http://127.0.0.1:1/"), (ErrorKind::Tool, false, "name the address as `base_url`")),
        (
            Answer::Full { status: 502, headers: vec![], body: "<h1>Bad gateway</h1>".into() },
            (ErrorKind::Tool, true, " 502 bad gateway"),
        ),
        (Answer::of(200, &format!("<html>{SECRET}")), (ErrorKind::Invalid, false, " answered with what is not JSON")),
        (
            Answer::of(200, &format!(r#"{{"surprise": "{SECRET}"}}"#)),
            (ErrorKind::Invalid, false, " answered with JSON of another form: "),
        ),
        (Answer::of(200, ""), (ErrorKind::Invalid, false, " answered with nothing")),
    ];
    for case in cases() {
        for (answer, (kind, retryable, message)) in &answers {
            let server = Server::answering([answer.clone()]).await;
            let error = call(&(case.tools)(&server), case.tool, &case.args).await.expect_err(message);
            assert_eq!((error.kind, error.retryable), (*kind, *retryable), "{}: {error}", case.tool);
            assert!(error.message.contains(message), "{}: {error} has no {message:?}", case.tool);
            assert!(!format!("{error:?}").contains(SECRET), "{}: {error:?}", case.tool);
            assert_eq!(server.seen().len(), 1, "{}: the tool itself tries once: {error}", case.tool);
        }
    }
}

#[tokio::test]
async fn answers_that_do_not_come_to_their_end_may_be_asked_for_again() {
    for case in cases() {
        let whole = case.good.to_string();
        let half = whole[..whole.len() / 2].to_owned();
        let broken = [Answer::Cut("application/json", half.clone()), Answer::of(200, &half)];
        for answer in broken {
            let server = Server::answering([answer]).await;
            let error = call(&(case.tools)(&server), case.tool, &case.args).await.expect_err("broken off");
            assert_eq!((error.kind, error.retryable), (ErrorKind::Network, true), "{}: {error}", case.tool);
            assert!(error.message.contains("broke"), "{error}");
        }
        let server = Server::answering([Answer::Never]).await;
        let (tools, report) = ((case.tools)(&server), Reported::default());
        let slow = call_with(&tools, case.tool, &case.args, &report, Duration::from_millis(50)).await;
        let error = slow.expect_err("no answer");
        assert_eq!((error.kind, error.retryable), (ErrorKind::Timeout, true), "{}: {error}", case.tool);
        assert_eq!(error.message, "`127.0.0.1` did not answer within 50ms");
    }
}

#[tokio::test]
async fn servers_say_how_long_to_wait_in_several_ways() {
    let waits = [
        (Answer::of(429, "{}").with("retry-after", "7"), 7_000),
        (Answer::of(503, "{}").with("retry-after-ms", "1500").with("retry-after", "9"), 1_500),
        (Answer::of(429, "{}").with("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"), 0),
    ];
    for case in cases() {
        for (answer, millis) in &waits {
            let server = Server::answering([answer.clone()]).await;
            let error = call(&(case.tools)(&server), case.tool, &case.args).await.expect_err("wait");
            assert_eq!(error.retry_after, Some(Duration::from_millis(*millis)), "{}", case.tool);
        }
    }
}

/// The step waits as long as it is asked to, in a time that is not real, and then succeeds.
#[tokio::test]
async fn a_step_waits_and_asks_again() {
    for case in cases() {
        let server =
            Server::answering([Answer::of(429, "{}").with("retry-after", "33"), Answer::json(&case.good)]).await;
        let clock = VirtualClock::default();
        let tools = (case.tools)(&server);
        let engine = Engine::builder().tools(tools).secrets(OneSecret).clock(clock.clone()).build().unwrap();
        let args = case.args.as_object().unwrap().iter().map(|(name, value)| match name.as_str() {
            "into" => "into: Facts".to_owned(),
            name => format!("{name}: {value}"),
        });
        let args = args.collect::<Vec<_>>().join(", ");
        let text = format!(
            "type Facts = {{ name: string }}\nflow ask() -> json {{ step answer = {}({args}) return answer }}",
            case.tool
        );
        let program = engine.compile(SourceFile::new("ask.flow", text)).unwrap_or_else(|wrong| panic!("{wrong}"));
        let run = engine.start(&program, "ask", Value::map([])).unwrap();
        let mut events = run.events();
        let mut waits = Vec::new();
        while let Some(event) = events.next().await {
            if let EventKind::StepRetrying { wait_ms, error, .. } = &event.kind {
                assert_eq!(error.kind, ErrorKind::RateLimit);
                waits.push(*wait_ms);
                assert!(clock.advance(), "{}: nobody waits", case.tool);
            }
        }
        run.value().await.unwrap_or_else(|error| panic!("{}: {error}", case.tool));
        assert_eq!(waits, [33_000], "{}", case.tool);
        assert_eq!(clock.elapsed(), Duration::from_secs(33), "{}", case.tool);
        assert_eq!(server.seen().len(), 2, "{}", case.tool);
    }
}

#[tokio::test]
async fn a_secret_that_is_not_there_is_told_before_anything_is_sent() {
    let server = Server::answering([Answer::Never]).await;
    let mut config = brave::config("OTHER");
    config.base_url = server.url("");
    let error =
        call(&brave::tools(config, &client()), "brave.search", &json!({ "query": "q" })).await.expect_err("none");
    assert_eq!((error.kind, error.undelivered), (ErrorKind::Denied, true));
    assert_eq!(error.message, "the secret `OTHER` is not configured");
    assert!(server.seen().is_empty());
}
