//! `http.get` and `http.request`.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use url::Url;

use crate::run::{Tool, ToolContext, ToolError};
use crate::tools::args::{Args, invalid};
use crate::tools::http::client::{HttpClient, Request, Response};
use crate::tools::http::failure::status_error;
use crate::tools::http::text::{decode, mime_type};
use crate::tools::setting::bearer;
use crate::tools::standard;
use crate::types::{Signature, Text};
use crate::value::Value;

/// Headers that belong to the client: setting them would break, or slip past, what it does.
const RESERVED: [&str; 8] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "upgrade",
    "te",
    "accept-encoding",
    "proxy-authorization",
];

/// `http.get`, and `http.request` for every other method.
#[derive(Debug)]
pub struct Http {
    client: Arc<HttpClient>,
    signature: Arc<Signature>,
}

impl Http {
    /// Both tools, over this client.
    pub fn tools(client: &Arc<HttpClient>) -> Vec<Arc<dyn Tool>> {
        let both = [("http.get", ()), ("http.request", ())];
        standard::provide(both, |signature, ()| Arc::new(Self { client: Arc::clone(client), signature }))
    }
}

impl Tool for Http {
    fn signature(&self) -> Arc<Signature> {
        Arc::clone(&self.signature)
    }

    fn call<'a>(&'a self, args: Value, context: ToolContext<'a>) -> BoxFuture<'a, Result<Value, ToolError>> {
        Box::pin(async move {
            let args = Args(&args);
            let request = build(args, context)?;
            let response = self.client.send(request).await?;
            match status_error(&response) {
                Some(error) if !args.flag("any_status")? => Err(error),
                _ => Ok(to_value(&response)),
            }
        })
    }
}

fn build(args: Args<'_>, context: ToolContext<'_>) -> Result<Request, ToolError> {
    let mut url = args.url("url")?;
    let query = args.texts("query")?;
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    let method = args.optional_text("method")?.unwrap_or("GET");
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| invalid(format!("`{method}` is not a method")))?;
    let mut headers = read_headers(args)?;
    headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    let body = args.get("body").map(|body| match body {
        Value::String(text) => {
            headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("text/plain; charset=utf-8"));
            Bytes::copy_from_slice(text.as_bytes())
        }
        other => {
            headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
            Bytes::from(other.to_json_text())
        }
    });
    if let Some(bearer) = args.get("bearer") {
        headers.insert(AUTHORIZATION, authorization(bearer, &url, context)?);
    }
    Ok(Request { method, url, headers, body, timeout: args.duration("timeout")?.or(context.timeout) })
}

/// The headers that the caller gave, checked.
pub(crate) fn read_headers(args: Args<'_>) -> Result<HeaderMap, ToolError> {
    let mut headers = HeaderMap::new();
    for (name, value) in args.texts("headers")? {
        if RESERVED.iter().any(|reserved| name.eq_ignore_ascii_case(reserved)) {
            return Err(invalid(format!("the header `{name}` is set by the client itself")));
        }
        let header =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid(format!("`{name}` is not a header's name")))?;
        let value = HeaderValue::from_str(value)
            .map_err(|_| invalid(format!("the value of the header `{name}` holds a character that no header may")))?;
        headers.insert(header, value);
    }
    Ok(headers)
}

/// `Authorization: Bearer …`; what the secret stands for is known here and nowhere else.
fn authorization(secret: &Value, to: &Url, context: ToolContext<'_>) -> Result<HeaderValue, ToolError> {
    match secret {
        Value::Secret(name) => bearer(name, context.secrets, to),
        other => Err(invalid(format!("`bearer` must be a secret, found {}", other.kind()))),
    }
}

fn to_value(response: &Response) -> Value {
    let text = decode(response);
    let json = text.as_deref().and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
    let headers = response.headers.keys().map(|name| {
        let all: Vec<_> =
            response.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        (Text::from(name.as_str()), Value::from(all.join(", ")))
    });
    Value::record_of([
        ("status", Value::Int(i64::from(response.status.as_u16()))),
        ("url", response.url.as_str().into()),
        ("headers", Value::map(headers)),
        ("mime_type", mime_type(response).into()),
        ("size", Value::Int(i64::try_from(response.body.len()).unwrap_or(i64::MAX))),
        ("text", text.unwrap_or_default().into()),
        ("json", json.map_or(Value::Null, Value::from)),
    ])
}
