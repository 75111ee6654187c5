//! `brave.search`.

use std::sync::Arc;
use std::time::Duration;

use flowc::run::Tool;
use flowc::tools::brave;
use flowc::value::ErrorKind;
use serde_json::{Value as Json, json};

use super::{Answer, Server, call, client};

fn tools(server: &Server) -> Vec<Arc<dyn Tool>> {
    let mut config = brave::config("KEY");
    config.base_url = server.url("");
    brave::tools(config, &client())
}

/// An answer of Brave's, shortened.
pub(super) fn found() -> Json {
    json!({
        "type": "search",
        "query": { "original": "tide mills", "more_results_available": true },
        "mixed": { "type": "mixed", "main": [{ "type": "web", "index": 0, "all": false }] },
        "web": {
            "type": "search",
            "family_friendly": true,
            "results": [
                {
                    "title": "Tide mill - Wikipedia",
                    "url": "https://en.wikipedia.org/wiki/Tide_mill",
                    "is_source_local": false,
                    "description": "A <strong>tide mill</strong> is a water mill driven by the sea&#x27;s rise &amp; fall.",
                    "page_age": "2025-03-01T10:00:00",
                    "profile": { "name": "Wikipedia", "img": "https://imgs.search.brave.com/x" },
                    "language": "en",
                    "meta_url": { "scheme": "https", "netloc": "en.wikipedia.org" },
                },
                { "title": "App", "url": "intent://mill", "description": "No address that can be read" },
                { "title": "Eling", "url": "https://eling.example/", "description": "Open", "age": "3 days ago" },
            ],
        },
    })
}

#[tokio::test]
async fn results_are_plain_and_their_addresses_can_be_read() {
    let server = Server::answering([Answer::json(&found())]).await;
    let args = json!({
        "query": "tide mills & more", "count": 3, "offset": 1, "country": "GB", "language": "en", "freshness": "month",
    });
    let answer = call(&tools(&server), "brave.search", &args).await.unwrap();
    assert_eq!(
        answer,
        json!({
            "query": "tide mills",
            "results": [
                {
                    "title": "Tide mill - Wikipedia",
                    "url": "https://en.wikipedia.org/wiki/Tide_mill",
                    "description": "A tide mill is a water mill driven by the sea's rise & fall.",
                    "age": "2025-03-01T10:00:00",
                    "language": "en",
                },
                {
                    "title": "Eling", "url": "https://eling.example/", "description": "Open", "age": "3 days ago",
                    "language": null,
                },
            ],
        })
    );
    let [request] = server.seen().try_into().ok().expect("one request");
    assert_eq!(
        request.target,
        "/res/v1/web/search?q=tide+mills+%26+more&count=3&offset=1&text_decorations=false&country=GB&search_lang=en&freshness=pm"
    );
    assert_eq!(request.header("accept"), Some("application/json"));
}

#[tokio::test]
async fn nothing_found_is_no_failure_and_too_much_is_not_asked_for() {
    let server = Server::answering([Answer::json(&json!({ "type": "search", "query": { "original": "x" } }))]).await;
    let answer = call(&tools(&server), "brave.search", &json!({ "query": "x" })).await.unwrap();
    assert_eq!(answer, json!({ "query": "x", "results": [] }));
    server.seen();
    let error =
        call(&tools(&server), "brave.search", &json!({ "query": "x", "count": 21 })).await.expect_err("too many");
    assert_eq!((error.kind, error.undelivered), (ErrorKind::Invalid, true));
    assert_eq!(error.message, "`count` must be between 1 and 20, found 21");
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn without_retry_after_the_windows_say_how_long() {
    let limited = Answer::of(429, r#"{"type":"ErrorResponse","error":{"detail":"Request rate limit exceeded"}}"#)
        .with("x-ratelimit-limit", "1, 15000")
        .with("x-ratelimit-remaining", "0, 14523")
        .with("x-ratelimit-reset", "1, 1419704");
    let server = Server::answering([limited]).await;
    let error = call(&tools(&server), "brave.search", &json!({ "query": "x" })).await.expect_err("too fast");
    assert_eq!(error.kind, ErrorKind::RateLimit);
    assert_eq!(error.retry_after, Some(Duration::from_secs(1)));
    assert_eq!(error.message, "Brave Search answered 429 too many requests: Request rate limit exceeded");
}
