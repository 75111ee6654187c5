//! Tools that a service of the operator provides: each call is posted to it as JSON.
//!
//! A call of `brave.search` with the endpoint `https://tools.example/flow` is
//! `POST https://tools.example/flow/brave.search` with the arguments as a JSON object, and the headers
//! `Idempotency-Key`, `Flow-Run`, `Flow-Step` and `Flow-Attempt`. A 2xx answer's body is the result as JSON. Any other
//! is a failure: its body may say more as `{ "error": { "kind", "message", "retryable", "details" } }`.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::Deserialize;
use url::Url;

use crate::run::{Tool, ToolContext, ToolError};
use crate::tools::http::{HttpClient, Request, Response, status_error};
use crate::tools::setting::bearer;
use crate::types::Signature;
use crate::value::{ErrorKind, Value};

/// A tool behind an endpoint.
#[derive(Debug)]
pub struct Endpoint {
    client: Arc<HttpClient>,
    signature: Arc<Signature>,
    url: Url,
    bearer: Option<String>,
}

impl Endpoint {
    /// The tool of this signature, behind this endpoint. `bearer` names a secret.
    pub fn new(client: Arc<HttpClient>, signature: Arc<Signature>, endpoint: Url, bearer: Option<String>) -> Self {
        let mut url = endpoint;
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push(&signature.name);
        }
        Self { client, signature, url, bearer }
    }

    fn headers(&self, context: ToolContext<'_>) -> Result<HeaderMap, ToolError> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let about = [
            ("idempotency-key", context.idempotency_key().to_string()),
            ("flow-run", context.run.to_owned()),
            ("flow-step", context.path.to_owned()),
            ("flow-attempt", context.attempt.to_string()),
        ];
        for (name, value) in about {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        if let Some(name) = &self.bearer {
            headers.insert(AUTHORIZATION, bearer(name, context.secrets, &self.url)?);
        }
        Ok(headers)
    }
}

impl Tool for Endpoint {
    fn signature(&self) -> Arc<Signature> {
        Arc::clone(&self.signature)
    }

    fn call<'a>(&'a self, args: Value, context: ToolContext<'a>) -> BoxFuture<'a, Result<Value, ToolError>> {
        Box::pin(async move {
            let request = Request {
                method: Method::POST,
                url: self.url.clone(),
                headers: self.headers(context)?,
                body: Some(Bytes::from(args.to_json_text())),
                timeout: context.timeout,
            };
            let response = self.client.send(request).await?;
            if let Some(error) = status_error(&response) {
                return Err(explained(error, &response));
            }
            let answer: serde_json::Value = serde_json::from_slice(&response.body).map_err(|error| {
                ToolError::new(ErrorKind::Invalid, format!("`{}` answered with what is not JSON: {error}", self.url))
            })?;
            Ok(answer.into())
        })
    }
}

#[derive(Deserialize)]
struct Failure {
    error: Explanation,
}

#[derive(Deserialize)]
struct Explanation {
    kind: Option<String>,
    message: String,
    retryable: Option<bool>,
    details: Option<serde_json::Value>,
}

/// The failure in the service's own words, where it has any.
fn explained(mut error: ToolError, response: &Response) -> ToolError {
    let Ok(Failure { error: said }) = serde_json::from_slice(&response.body) else { return error };
    let kinds = ["timeout", "network", "rate_limit", "tool", "invalid", "denied"];
    if let Some(kind) = said.kind.as_deref().filter(|kind| kinds.contains(kind)).and_then(ErrorKind::find) {
        error.kind = kind;
        error.retryable = kind.retryable();
    }
    error.message = said.message;
    error.retryable = said.retryable.unwrap_or(error.retryable);
    if let Some(details) = said.details {
        error.details = details.into();
    }
    error
}
