//! `web.scrape`: a page as its reader sees it.

mod dates;
mod nesting;
mod page;

use std::sync::Arc;

use futures::future::BoxFuture;
use http::HeaderValue;
use http::header::{ACCEPT, CONTENT_LANGUAGE};

use crate::run::{Tool, ToolContext, ToolError};
use crate::tools::args::Args;
use crate::tools::http::{HttpClient, Request, Response, decode, mime_type, read_headers, status_error};
use crate::tools::standard;
use crate::types::Signature;
use crate::value::{ErrorKind, Value};

pub use page::{Link, Page, Picture, read};

/// `web.scrape`, over a client.
#[derive(Debug)]
pub struct WebScrape {
    client: Arc<HttpClient>,
    signature: Arc<Signature>,
}

impl WebScrape {
    /// The tool, over this client; none where the standard catalog does not have it.
    pub fn new(client: &Arc<HttpClient>) -> Option<Self> {
        Some(Self { client: Arc::clone(client), signature: standard::find("web.scrape")? })
    }
}

impl Tool for WebScrape {
    fn signature(&self) -> Arc<Signature> {
        Arc::clone(&self.signature)
    }

    fn call<'a>(&'a self, args: Value, context: ToolContext<'a>) -> BoxFuture<'a, Result<Value, ToolError>> {
        Box::pin(async move {
            let args = Args(&args);
            let mut headers = read_headers(args)?;
            headers.entry(ACCEPT).or_insert(HeaderValue::from_static(
                "text/html,application/xhtml+xml;q=0.9,text/plain;q=0.8,*/*;q=0.1",
            ));
            let timeout = args.duration("timeout")?.or(context.timeout);
            let request = Request { headers, timeout, ..Request::get(args.url("url")?) };
            let response = self.client.send(request).await?;
            if let Some(error) = status_error(&response) {
                return Err(error);
            }
            // Large pages take a processor for a while: not the one that keeps the run's other branches going.
            let work = tokio::task::spawn_blocking(move || scrape(&response));
            work.await.unwrap_or_else(|_| {
                Err(ToolError::new(ErrorKind::Internal, "the page could not be read: its extraction broke down"))
            })
        })
    }
}

/// The result of `web.scrape` for an answer.
fn scrape(response: &Response) -> Result<Value, ToolError> {
    let mime = mime_type(response);
    let Some(text) = decode(response) else {
        let found = mime.as_deref().unwrap_or("binary data");
        return Err(ToolError::new(ErrorKind::Tool, format!("`{}` is `{found}`, not a page", response.url)));
    };
    let markup =
        mime.as_deref().map_or_else(|| text.contains('<'), |mime| mime.contains("html") || mime.contains("xml"));
    let mut page = if markup {
        read(&text, &response.url)
            .map_err(|error| ToolError::new(ErrorKind::Tool, format!("`{}` cannot be read: {error}", response.url)))?
    } else {
        Page::plain(text)
    };
    if page.language.is_none() {
        let said = response.headers.get(CONTENT_LANGUAGE).and_then(|value| value.to_str().ok());
        page.language = said.and_then(page::language_tag);
    }
    Ok(to_value(page, response))
}

fn to_value(page: Page, response: &Response) -> Value {
    let entry = |name, (text, url): (String, String)| Value::record_of([(name, text.into()), ("url", url.into())]);
    Value::record_of([
        ("url", response.url.as_str().into()),
        ("status", Value::Int(i64::from(response.status.as_u16()))),
        ("title", page.title.into()),
        ("byline", page.byline.into()),
        ("language", page.language.into()),
        ("published", page.published.map_or(Value::Null, Value::Datetime)),
        ("description", page.description.into()),
        ("markdown", page.markdown.into()),
        ("text", page.text.into()),
        ("headings", Value::list(page.headings.into_iter().map(Value::from))),
        ("links", Value::list(page.links.into_iter().map(|link| entry("text", (link.text, link.url))))),
        ("images", Value::list(page.images.into_iter().map(|image| entry("alt", (image.alt, image.url))))),
        ("word_count", Value::Int(i64::try_from(page.word_count).unwrap_or(i64::MAX))),
    ])
}
