//! `browser`: pages in a real browser, scripts and all.

use serde_json::json;

use crate::tools::standard::{Namespace, idempotent, reads};
use crate::types::{Signature, Type};

pub(super) fn namespace() -> Namespace {
    Namespace::of(
        "browser",
        "A real browser. Pictures and documents are stored, and steps see their handles.",
        [navigate(), screenshot(), pdf()],
    )
}

fn navigate() -> Signature {
    let page = Type::record_of([("url", Type::Url), ("status", Type::Int), ("title", Type::String)]).named("OpenPage");
    Signature::new(
        "browser.navigate",
        "Opens a page and waits until it has loaded. A page that answers with an error status is a value too: look at \
         `status`.",
        page,
    )
    .param("url", Type::Url, "The page's address.")
    .optional("wait_for", Type::String, None, "A CSS selector to wait for.")
    .annotated(idempotent())
}

fn screenshot() -> Signature {
    Signature::new("browser.screenshot", "Opens a page and takes a picture of it.", Type::Image)
        .param("url", Type::Url, "The page's address.")
        .optional(
            "full_page",
            Type::Bool,
            Some(json!(false)),
            "The whole page instead of what the window shows; at most 16,384 pixels a side.",
        )
        .optional("width", Type::Int, Some(json!(1280)), "The window's width in pixels.")
        .optional("height", Type::Int, Some(json!(800)), "The window's height in pixels.")
        .optional("wait_for", Type::String, None, "A CSS selector to wait for.")
        .annotated(reads())
}

fn pdf() -> Signature {
    let paper = Type::union(["a4", "letter"].map(Type::literal));
    Signature::new("browser.pdf", "Opens a page and prints it to a PDF document.", Type::File)
        .param("url", Type::Url, "The page's address.")
        .optional("paper", paper, Some(json!("a4")), "The paper's size.")
        .optional("landscape", Type::Bool, Some(json!(false)), "On its side.")
        .optional("wait_for", Type::String, None, "A CSS selector to wait for.")
        .annotated(reads())
}
