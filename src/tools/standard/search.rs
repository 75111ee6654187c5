//! `brave`: searching the web.

use serde_json::json;

use crate::tools::standard::Namespace;
use crate::types::{Annotations, Signature, Type};

pub(super) fn namespace() -> Namespace {
    Namespace::of("brave", "Web search by Brave.", [search()])
}

/// After `GET /res/v1/web/search`, <https://api-dashboard.search.brave.com/app/documentation/web-search>.
fn search() -> Signature {
    let result = Type::record_of([
        ("title", Type::String),
        ("url", Type::Url),
        ("description", Type::String),
        ("age", Type::String.or_null()),
        ("language", Type::String.or_null()),
    ])
    .named("SearchResult");
    let results = Type::record_of([("query", Type::String), ("results", Type::list(result))]).named("SearchResults");
    let freshness = Type::union(["day", "week", "month", "year"].map(Type::literal));
    Signature::new("brave.search", "Searches the web.", results)
        .param("query", Type::String, "What to search for.")
        .optional("count", Type::Int, Some(json!(10)), "How many results, at most 20.")
        .optional("offset", Type::Int, Some(json!(0)), "How many pages of results to skip, at most 9.")
        .optional("country", Type::String, None, "Where from, as a two-letter code: `DE`.")
        .optional("language", Type::String, None, "The results' language: `de`.")
        .optional("freshness", freshness, None, "How old a result may be.")
        .annotated(Annotations { cost_usd: Some(0.005), ..Annotations::read_only() })
}
