//! `brave.search`: `GET /res/v1/web/search`,
//! <https://api-dashboard.search.brave.com/app/documentation/web-search>.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use http::HeaderMap;
use serde::Deserialize;
use url::Url;

use crate::run::{Tool, ToolContext, ToolError};
use crate::tools::api::{Api, ApiConfig, ApiKey};
use crate::tools::args::Args;
use crate::tools::http::HttpClient;
use crate::tools::standard;
use crate::types::Signature;
use crate::value::{Value, parse_url};

/// How Brave is reached.
pub type Config = ApiConfig;

/// The service itself, with the name of the secret that is its subscription token.
///
/// # Panics
/// Never: the address is one.
pub fn config(secret: &str) -> Config {
    #[allow(clippy::expect_used, reason = "a constant")]
    let base_url = Url::parse("https://api.search.brave.com").expect("an address");
    ApiConfig::new(base_url, Some(ApiKey::header("x-subscription-token", secret)))
}

/// `brave.search`.
pub fn tools(config: Config, client: &Arc<HttpClient>) -> Vec<Arc<dyn Tool>> {
    let api = Api::new("Brave Search", client, config).waiting(until_reset);
    let tool = |signature| Arc::new(Search { api, signature }) as Arc<dyn Tool>;
    standard::find("brave.search").map(tool).into_iter().collect()
}

struct Search {
    api: Api,
    signature: Arc<Signature>,
}

impl Tool for Search {
    fn signature(&self) -> Arc<Signature> {
        Arc::clone(&self.signature)
    }

    fn call<'a>(&'a self, args: Value, context: ToolContext<'a>) -> BoxFuture<'a, Result<Value, ToolError>> {
        Box::pin(async move {
            let args = Args(&args);
            let count = args.int("count", 10, 1..=20)?.to_string();
            let offset = args.int("offset", 0, 0..=9)?.to_string();
            let mut query = vec![
                ("q", args.text("query")?),
                ("count", count.as_str()),
                ("offset", offset.as_str()),
                ("text_decorations", "false"),
            ];
            query.extend(args.optional_text("country")?.map(|country| ("country", country)));
            query.extend(args.optional_text("language")?.map(|language| ("search_lang", language)));
            query.extend(args.optional_text("freshness")?.map(|age| ("freshness", freshness(age))));
            let answer: Answer = self.api.get(&["res", "v1", "web", "search"], &query, context).await?;
            Ok(answer.into_value())
        })
    }
}

fn freshness(age: &str) -> &str {
    match age {
        "day" => "pd",
        "week" => "pw",
        "month" => "pm",
        _ => "py",
    }
}

/// How long until the windows that are used up begin anew. Brave counts several at once, and names their seconds in
/// lists: `X-RateLimit-Remaining: 0, 14523` with `X-RateLimit-Reset: 1, 1419704`.
fn until_reset(headers: &HeaderMap) -> Option<Duration> {
    let list = |name| {
        let text = headers.get(name)?.to_str().ok()?;
        text.split(',').map(|number| number.trim().parse::<u64>().ok()).collect::<Option<Vec<_>>>()
    };
    let (left, reset) = (list("x-ratelimit-remaining")?, list("x-ratelimit-reset")?);
    let used_up = left.iter().zip(reset).filter(|(left, _)| **left == 0);
    used_up.map(|(_, seconds)| Duration::from_secs(seconds)).max()
}

#[derive(Deserialize)]
struct Answer {
    query: Query,
    /// Not there where nothing was found.
    web: Option<Web>,
}

#[derive(Deserialize)]
struct Query {
    original: String,
}

#[derive(Deserialize)]
struct Web {
    results: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    title: String,
    url: String,
    #[serde(default)]
    description: String,
    age: Option<String>,
    page_age: Option<String>,
    language: Option<String>,
}

impl Answer {
    fn into_value(self) -> Value {
        let found = self.web.map(|web| web.results).unwrap_or_default();
        // What has no web address cannot be read, and must not cost the other results.
        let found = found.into_iter().filter(|found| parse_url(&found.url).is_some()).map(|found| {
            Value::record_of([
                ("title", plain(&found.title).into()),
                ("url", found.url.into()),
                ("description", plain(&found.description).into()),
                ("age", found.age.or(found.page_age).into()),
                ("language", found.language.into()),
            ])
        });
        Value::record_of([("query", self.query.original.into()), ("results", Value::list(found))])
    }
}

/// Brave writes titles and descriptions as HTML: without its emphasis and the characters that it escapes.
fn plain(html: &str) -> String {
    let escapes = [
        ("<strong>", ""),
        ("</strong>", ""),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#x27;", "'"),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ];
    escapes.iter().fold(html.to_owned(), |text, (escaped, meant)| text.replace(escaped, meant))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_that_of_the_window_that_is_used_up() {
        let mut headers = HeaderMap::new();
        let mut wait = |left: &'static str, reset: &'static str| {
            headers.insert("x-ratelimit-remaining", http::HeaderValue::from_static(left));
            headers.insert("x-ratelimit-reset", http::HeaderValue::from_static(reset));
            until_reset(&headers)
        };
        assert_eq!(wait("0, 14523", "1, 1419704"), Some(Duration::from_secs(1)));
        assert_eq!(wait("1, 0", "1, 1419704"), Some(Duration::from_secs(1_419_704)));
        assert_eq!(wait("1, 1", "1, 2"), None);
        assert_eq!(wait("many", "1"), None);
    }

    #[test]
    fn texts_are_plain() {
        assert_eq!(plain("<strong>Tide</strong> &amp; mill&#x27;s &amp;lt;"), "Tide & mill's &lt;");
    }
}
