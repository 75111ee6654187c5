//! Brave's web search, over the pages of the site.

use std::net::SocketAddr;
use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{Response, StatusCode};
use regex::Regex;
use serde_json::{Value as Json, json};

use super::{KEY, on_own_host, site};

/// Answers with the pages that have words of the query, the one with most of them first.
pub(super) fn answer(address: SocketAddr, request: &Request) -> Response<Body> {
    let known = request.headers().get("x-subscription-token").is_some_and(|token| token == KEY);
    let query: Vec<(String, String)> =
        url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()).into_owned().collect();
    let field = |name: &str| query.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
    match (known, field("q")) {
        (false, _) => json_response(
            StatusCode::UNAUTHORIZED,
            &json!({ "type": "ErrorResponse", "error": { "code": "SUBSCRIPTION_TOKEN_INVALID", "detail": "The provided subscription token is invalid." } }),
        ),
        (true, None) => json_response(
            StatusCode::UNPROCESSABLE_ENTITY,
            &json!({ "type": "ErrorResponse", "error": { "code": "VALIDATION", "detail": "Unable to validate request parameter(s)" } }),
        ),
        (true, Some(q)) => {
            let count = field("count").and_then(|count| count.parse().ok()).unwrap_or(20);
            let results: Vec<Json> = found(address, q).into_iter().take(count).collect();
            json_response(
                StatusCode::OK,
                &json!({
                    "type": "search",
                    "query": { "original": q, "more_results_available": false, "country": "us" },
                    "web": { "type": "search", "results": results, "family_friendly": true },
                }),
            )
        }
    }
}

fn found(address: SocketAddr, query: &str) -> Vec<Json> {
    let wanted = words(query);
    let mut hits: Vec<(usize, Json)> = Vec::new();
    for (path, html) in site::pages() {
        let html = String::from_utf8_lossy(html);
        let text = plain(&html);
        let held = words(&text);
        let shared = wanted.iter().filter(|word| held.contains(word)).count();
        if shared > 0 {
            let url = on_own_host(address, path);
            let host = url.split('/').nth(2).unwrap_or_default();
            let title = between(&html, "<title>", "</title>").unwrap_or(path);
            let description = between(&html, "name=\"description\" content=\"", "\"")
                .map_or_else(|| text.chars().take(160).collect(), str::to_owned);
            hits.push((
                shared,
                json!({
                    "title": title.replace("&amp;", "&"),
                    "url": url,
                    "is_source_local": false,
                    "is_source_both": false,
                    "description": description,
                    "language": "en",
                    "family_friendly": true,
                    "type": "search_result",
                    "subtype": "generic",
                    "meta_url": { "scheme": "http", "netloc": host, "hostname": host, "path": path },
                }),
            ));
        }
    }
    hits.sort_by_key(|(shared, _)| std::cmp::Reverse(*shared));
    hits.into_iter().map(|(_, hit)| hit).collect()
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let rest = text.split_once(start)?.1;
    Some(rest.split_once(end)?.0)
}

/// A page's text, near enough for finding words in it.
fn plain(html: &str) -> String {
    static TAGS: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"(?s)<(script|style)\b.*?</(script|style)>|<[^>]*>|\s+").ok());
    TAGS.as_ref().map_or_else(String::new, |tags| tags.replace_all(html, " ").into_owned())
}

/// The words that say something, in lower case.
pub(super) fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 3).map(str::to_lowercase).collect()
}

pub(super) fn json_response(status: StatusCode, json: &Json) -> Response<Body> {
    let mut response = Response::new(Body::from(json.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", axum::http::HeaderValue::from_static("application/json"));
    response
}
