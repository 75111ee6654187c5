//! `http`: plain requests.

use serde_json::json;

use crate::tools::standard::{Namespace, reads};
use crate::types::{Annotations, Field, Signature, Type};

pub(super) fn namespace() -> Namespace {
    Namespace::of(
        "http",
        "Plain HTTP. An answer with an error status fails the step, so that retries, `try` and `else` work on it; \
         `any_status` gives it as a value instead. Requests to private networks are refused unless `flow.toml` allows \
         the host.",
        [get(), request()],
    )
}

fn get() -> Signature {
    let get = Signature::new("http.get", "Fetches an address.", response()).param("url", Type::Url, "The address.");
    common(get).annotated(reads())
}

fn request() -> Signature {
    let method = Type::union(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"].map(Type::literal));
    let request = Signature::new(
        "http.request",
        "Sends a request. It may change what it reaches, so it counts as destructive: without `retry` it is sent again \
         only when it is known that nothing was delivered.",
        response(),
    )
    .param("method", method, "The method.")
    .param("url", Type::Url, "The address.")
    .optional("body", Type::Json, None, "The body: a string is sent as it is, anything else as JSON.");
    common(request).annotated(Annotations { read_only: Some(false), destructive: Some(true), ..Annotations::default() })
}

/// The parameters that both have.
fn common(signature: Signature) -> Signature {
    signature
        .optional("headers", Type::map(Type::String), None, "Headers to send.")
        .optional("query", Type::map(Type::String), None, "Parameters to add to the address, encoded.")
        .optional("bearer", Type::Secret, None, "A secret to send as `Authorization: Bearer …`.")
        .optional(
            "timeout",
            Type::Duration,
            None,
            "How long it may take, redirects included; as long as the step when left out.",
        )
        .optional("any_status", Type::Bool, Some(json!(false)), "Give answers with an error status as values too.")
}

fn response() -> Type {
    let documented = |name: &str, ty: Type, doc: &str| (name.into(), Field { doc: doc.into(), ..Field::required(ty) });
    Type::record([
        documented("status", Type::Int, "The HTTP status."),
        documented("url", Type::Url, "Where the answer came from in the end, after redirects."),
        documented("headers", Type::map(Type::String), "The answer's headers, names in lower case."),
        documented("mime_type", Type::String.or_null(), "What the answer says it is, without parameters."),
        documented("size", Type::Int, "The body's bytes, unpacked."),
        documented("text", Type::String, "The body as text; empty where it is not text."),
        documented("json", Type::Json, "The body as JSON; null where it is not JSON."),
    ])
    .named("Response")
}
