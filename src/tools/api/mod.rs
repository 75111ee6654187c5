//! JSON APIs over the guarded client: what a request carries, and how answers and failures are read. Providers are
//! thin over this: a path, a body, and the shape of the answer.

mod sse;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use indexmap::IndexMap;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use serde_json::error::Category;
use url::Url;

use crate::run::{Secrets, ToolContext, ToolError};
use crate::tools::Setting;
use crate::tools::http::{EXCERPT, HttpClient, Incoming, Redirects, Request, Response, mime_type, status_error};
use crate::tools::setting::bearer;
use crate::value::{ErrorKind, Value};

pub(crate) use sse::Events;

/// Where an API is, and what every request to it carries.
#[derive(Clone, Debug)]
pub struct ApiConfig {
    /// What its paths are appended to.
    pub base_url: Url,
    /// How it knows who asks.
    pub key: Option<ApiKey>,
    /// More headers: the API's version, an organisation.
    pub headers: IndexMap<String, Setting>,
}

impl ApiConfig {
    /// The secrets that it is sent.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let key = self.key.as_ref().map(ApiKey::secret);
        key.into_iter().chain(self.headers.values().filter_map(Setting::secret))
    }

    /// An API at an address.
    pub fn new(base_url: Url, key: Option<ApiKey>) -> Self {
        Self { base_url, key, headers: IndexMap::new() }
    }
}

/// How an API knows who asks, by the name of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApiKey {
    /// `Authorization: Bearer …`
    Bearer(String),
    /// A header that is the secret.
    Header(HeaderName, String),
}

impl ApiKey {
    /// `Authorization: Bearer …`
    pub fn bearer(secret: impl Into<String>) -> Self {
        Self::Bearer(secret.into())
    }

    /// A header that is the secret; its name in lower case.
    pub fn header(name: &'static str, secret: impl Into<String>) -> Self {
        Self::Header(HeaderName::from_static(name), secret.into())
    }

    /// The secret's name.
    pub fn secret(&self) -> &str {
        let (Self::Bearer(secret) | Self::Header(_, secret)) = self;
        secret
    }
}

/// An API.
#[derive(Debug)]
pub(crate) struct Api {
    /// What people call it, for messages: `Brave Search`.
    name: String,
    client: Arc<HttpClient>,
    config: ApiConfig,
    /// Reads how long to wait from headers of the API's own, where it sends no `Retry-After`.
    wait: fn(&HeaderMap) -> Option<Duration>,
}

/// What a streaming request is answered with.
pub(crate) enum Streamed {
    /// Events as they come.
    Events(Events),
    /// One JSON document, by a service that does not stream.
    Whole(Json),
}

impl Api {
    pub(crate) fn new(name: impl Into<String>, client: &Arc<HttpClient>, config: ApiConfig) -> Self {
        Self { name: name.into(), client: Arc::clone(client), config, wait: |_| None }
    }

    /// Where the API says in headers of its own how long to wait.
    pub(crate) fn waiting(mut self, wait: fn(&HeaderMap) -> Option<Duration>) -> Self {
        self.wait = wait;
        self
    }

    /// `GET`: the answer as a `T`.
    ///
    /// # Errors
    /// Those of the client; a bad status by its kind, retryable as the API says; what is no JSON or of another form
    /// `invalid`.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        context: ToolContext<'_>,
    ) -> Result<T, ToolError> {
        let mut url = self.url(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let (incoming, hidden) = self.send(Method::GET, url, None, context).await?;
        self.read(&incoming.read().await?, &hidden)
    }

    /// `POST` of a JSON body: the answer as a `T`.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &Json,
        context: ToolContext<'_>,
    ) -> Result<T, ToolError> {
        let (incoming, hidden) = self.send(Method::POST, self.url(path), Some(body), context).await?;
        self.read(&incoming.read().await?, &hidden)
    }

    /// `POST` of a JSON body that asks for an event stream.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub(crate) async fn stream(
        &self,
        path: &[&str],
        body: &Json,
        context: ToolContext<'_>,
    ) -> Result<Streamed, ToolError> {
        let (incoming, hidden) = self.send(Method::POST, self.url(path), Some(body), context).await?;
        let mime = incoming.headers.get(CONTENT_TYPE);
        if mime.is_some_and(|mime| mime.as_bytes().starts_with(b"text/event-stream")) {
            return Ok(Streamed::Events(Events::new(incoming)));
        }
        self.read(&incoming.read().await?, &hidden).map(Streamed::Whole)
    }

    /// The error of an answer that was read but does not make sense.
    pub(crate) fn error(&self, kind: ErrorKind, message: impl std::fmt::Display) -> ToolError {
        ToolError::new(kind, format!("{} {message}", self.name))
    }

    /// Each part of a path is one segment of the address, whatever characters it holds.
    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.config.base_url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    /// Sends a request; the answer's status is a good one. With it comes what must not be seen of the request.
    async fn send(
        &self,
        method: Method,
        url: Url,
        body: Option<&Json>,
        context: ToolContext<'_>,
    ) -> Result<(Incoming, Hidden), ToolError> {
        let headers = self.headers(&url, body.is_some(), context.secrets)?;
        let hidden = Hidden::in_headers(&headers);
        let body = body.map(|body| Bytes::from(body.to_string()));
        let request = Request { method, url, headers, body, timeout: context.timeout };
        let incoming = self.client.open(request, Redirects::Keep).await?;
        if incoming.status.is_success() {
            return Ok((incoming, hidden));
        }
        let response = incoming.read().await?;
        Err(self.refused(&response, &hidden))
    }

    /// What every request carries.
    fn headers(&self, to: &Url, has_body: bool, secrets: &dyn Secrets) -> Result<HeaderMap, ToolError> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if has_body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        match &self.config.key {
            Some(ApiKey::Bearer(secret)) => drop(headers.insert(AUTHORIZATION, bearer(secret, secrets, to)?)),
            Some(ApiKey::Header(name, secret)) => {
                headers.insert(name.clone(), Setting::Secret(secret.clone()).header(secrets, to)?);
            }
            None => {}
        }
        for (name, value) in &self.config.headers {
            let name = HeaderName::from_bytes(name.as_bytes());
            let name =
                name.map_err(|_| self.error(ErrorKind::Denied, "has a header whose name is none").undelivered())?;
            headers.insert(name, value.header(secrets, to)?);
        }
        Ok(headers)
    }

    /// The error of a bad status, in the API's own words, without the secrets where the API repeats them.
    fn refused(&self, response: &Response, hidden: &Hidden) -> ToolError {
        let status = response.status.as_u16();
        let reason = response.status.canonical_reason().unwrap_or_default().to_lowercase();
        let mut error = status_error(response).unwrap_or_else(|| ToolError::new(ErrorKind::Tool, ""));
        if matches!(status, 401 | 403) {
            error.kind = ErrorKind::Denied;
        }
        let decided = response.headers.contains_key("x-should-retry");
        error.retryable |= !decided && (status == 409 || status >= 500);
        error.retry_after = error.retry_after.or_else(|| (self.wait)(&response.headers));
        let said = explanation(&response.body).map(|said| format!(": {said}")).unwrap_or_default();
        let hint = match (status, &self.config.key) {
            (401 | 403, Some(key)) => format!(" (the secret `{}` was sent)", key.secret()),
            (401 | 403, None) => " (no key is configured)".to_owned(),
            (300..=399, _) => {
                let to = response.headers.get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or("nowhere");
                format!(
                    ", which leads to `{to}`: a request with a key is not sent on, so name the address as `base_url`"
                )
            }
            _ => String::new(),
        };
        let message = format!("{} answered {}{said}{hint}", self.name, format!("{status} {reason}").trim_end());
        error.message = hidden.hide(&message);
        error.details(details(response, hidden))
    }

    fn read<T: DeserializeOwned>(&self, response: &Response, hidden: &Hidden) -> Result<T, ToolError> {
        serde_json::from_slice(&response.body).map_err(|why| {
            let bytes = response.body.len();
            let mut error = match why.classify() {
                Category::Eof if bytes > 0 => {
                    self.error(ErrorKind::Network, format!("broke off: its JSON of {bytes} bytes has no end"))
                }
                Category::Eof => self.error(ErrorKind::Invalid, "answered with nothing, not JSON"),
                Category::Data => self.error(ErrorKind::Invalid, format!("answered with JSON of another form: {why}")),
                Category::Syntax | Category::Io => {
                    let mime = mime_type(response).map(|mime| format!(" but `{mime}`")).unwrap_or_default();
                    self.error(ErrorKind::Invalid, format!("answered with what is not JSON{mime}: {why}"))
                }
            };
            error.message = hidden.hide(&error.message);
            error.details(details(response, hidden))
        })
    }
}

/// The secrets of a request, which an answer may repeat.
struct Hidden(Vec<String>);

impl Hidden {
    fn in_headers(headers: &HeaderMap) -> Self {
        let secret = |value: &HeaderValue| {
            let text = value.to_str().ok()?;
            Some(text.strip_prefix("Bearer ").unwrap_or(text).to_owned())
        };
        let sensitive = headers.values().filter(|value| value.is_sensitive());
        Self(sensitive.filter_map(secret).filter(|secret| !secret.is_empty()).collect())
    }

    fn hide(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "…"))
    }
}

/// What programs may want to know of an answer that is no good.
fn details(response: &Response, hidden: &Hidden) -> Value {
    let text = hidden.hide(&String::from_utf8_lossy(&response.body));
    Value::record_of([
        ("status", Value::Int(i64::from(response.status.as_u16()))),
        ("url", response.url.as_str().into()),
        ("body", text.chars().take(EXCERPT).collect::<String>().into()),
    ])
}

/// What an API says of a failure, in the forms that are common: `{error: {message}}`, `{error}`, `{message}`,
/// `{detail}`.
pub(crate) fn explanation(body: &[u8]) -> Option<String> {
    let json: Json = serde_json::from_slice(body).ok()?;
    let places = ["/error/message", "/error/detail", "/error", "/message", "/detail"];
    let said = places.iter().find_map(|place| json.pointer(place)?.as_str())?;
    let line = said.split_whitespace().collect::<Vec<_>>().join(" ");
    (!line.is_empty()).then(|| line.chars().take(300).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_in_the_services_own_words() {
        let said = |body: &str| explanation(body.as_bytes());
        assert_eq!(
            said(r#"{"type":"error","error":{"type":"x","message":"Too\n fast"}}"#).as_deref(),
            Some("Too fast")
        );
        assert_eq!(said(r#"{"error":{"code":"RATE_LIMITED","detail":"Slow down"}}"#).as_deref(), Some("Slow down"));
        assert_eq!(said(r#"{"error":"model not found"}"#).as_deref(), Some("model not found"));
        assert_eq!(said(r#"{"detail":"Not Found"}"#).as_deref(), Some("Not Found"));
        assert_eq!(said("<html>"), None);
        assert_eq!(said(r#"{"error":{"message":""}}"#), None);
    }

    #[test]
    fn what_a_path_is_made_of_stays_in_its_segment() {
        let config = ApiConfig::new(Url::parse("https://api.example/base/").expect("a URL"), None);
        let api = Api::new("Example", &Arc::default(), config);
        let url = api.url(&["v13", "deployments", "a/../b?c#d"]);
        assert_eq!(url.as_str(), "https://api.example/base/v13/deployments/a%2F..%2Fb%3Fc%23d");
    }
}
