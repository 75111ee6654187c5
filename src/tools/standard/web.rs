//! `web`: pages as people read them.

use crate::tools::standard::{Namespace, reads};
use crate::types::{Field, Signature, Type};

pub(super) fn namespace() -> Namespace {
    Namespace::of(
        "web",
        "Pages of the web as a reader sees them: the article without its navigation, as Markdown and as text.",
        [scrape()],
    )
}

fn scrape() -> Signature {
    Signature::new(
        "web.scrape",
        "Reads a web page and extracts its main content. Redirects are followed; a page that answers with an error \
         status (404, 503, …) fails the step, with the status in the error's details. Server errors and rate limits \
         are retryable.",
        page(),
    )
    .param("url", Type::Url, "The page's address.")
    .optional("headers", Type::map(Type::String), None, "Headers to send beside the usual ones.")
    .optional(
        "timeout",
        Type::Duration,
        None,
        "How long the page may take, redirects included; as long as the step when left out.",
    )
    .annotated(reads())
}

fn page() -> Type {
    let documented = |name: &str, ty: Type, doc: &str| (name.into(), Field { doc: doc.into(), ..Field::required(ty) });
    Type::record([
        documented("url", Type::Url, "Where the page was found in the end, after redirects."),
        documented("status", Type::Int, "The answer's HTTP status."),
        documented("title", Type::String, "Its title; empty where it has none."),
        documented("byline", Type::String.or_null(), "Who wrote it."),
        documented("language", Type::String.or_null(), "Its language as a tag: `en`, `de-AT`."),
        documented("published", Type::Datetime.or_null(), "When it was published; a bare date counts as midnight UTC."),
        documented("description", Type::String.or_null(), "Its own summary, or the first sentences."),
        documented("markdown", Type::String, "The main content as Markdown, with absolute links."),
        documented("text", Type::String, "The main content as plain text."),
        documented("headings", Type::list(Type::String), "The headings of the page, in order."),
        documented(
            "links",
            Type::list(Type::record_of([("text", Type::String), ("url", Type::Url)])),
            "Links of the page: absolute, each address once.",
        ),
        documented(
            "images",
            Type::list(Type::record_of([("alt", Type::String), ("url", Type::Url)])),
            "Pictures of the page: absolute, each address once.",
        ),
        documented("word_count", Type::Int, "How many words the main content has."),
    ])
    .named("Page")
}
