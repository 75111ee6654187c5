//! The one client through which everything of Flow goes out: guarded, bounded in time and size, its failures told in
//! the language's kinds.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use http::{HeaderMap, Method, StatusCode};
use reqwest::redirect;
use url::Url;

use crate::run::ToolError;
use crate::tools::http::failure::{broken_off, not_sent, timed_out, too_large};
use crate::tools::http::guard::{AllowPrivate, Guard, Refused};
use crate::tools::http::resolve::{GuardedResolver, Lookup, SystemLookup};
use crate::value::ErrorKind;

/// How Flow names itself. Honest, and without the words that sites' rules for crawlers look for: a flow reads single
/// pages that someone named.
pub const USER_AGENT: &str = concat!("flowc/", env!("CARGO_PKG_VERSION"), " (+", env!("CARGO_PKG_REPOSITORY"), ")");

/// How many redirects are followed.
pub const MAX_REDIRECTS: usize = 10;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How the client behaves.
#[derive(Clone)]
pub struct HttpConfig {
    /// What may be reached beyond the public internet.
    pub allow_private: AllowPrivate,
    /// The largest body that is read, unpacked; 8 MiB by default.
    pub max_body: usize,
    /// How long a request may take that neither says so itself nor stands in a step that does; 30 s by default.
    pub timeout: Duration,
    /// Whether redirects may lead to another origin. Credentials in headers of a service's own would follow them.
    pub leave_origin: bool,
    /// How names are looked up.
    pub lookup: Arc<dyn Lookup>,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            allow_private: AllowPrivate::None,
            max_body: 8 << 20,
            timeout: Duration::from_secs(30),
            leave_origin: true,
            lookup: Arc::new(SystemLookup),
        }
    }
}

/// What is sent.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// Headers beside the client's own.
    pub headers: HeaderMap,
    /// The body.
    pub body: Option<Bytes>,
    /// How long all of it may take; the client's own bound where it is none.
    pub timeout: Option<Duration>,
}

impl Request {
    /// A plain `GET`.
    pub fn get(url: Url) -> Self {
        Self { method: Method::GET, url, headers: HeaderMap::new(), body: None, timeout: None }
    }
}

/// What came back, whatever its status.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// Where it came from in the end.
    pub url: Url,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, unpacked.
    pub body: Bytes,
}

/// The guarded client. Made at no cost: certificates are read and connections made with the first request.
pub struct HttpClient {
    config: HttpConfig,
    guard: Arc<Guard>,
    inner: OnceLock<Result<reqwest::Client, String>>,
}

impl std::fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpClient").field("guard", &self.guard).finish_non_exhaustive()
    }
}

impl Default for HttpClient {
    fn default() -> Self {
        Self::new(HttpConfig::default())
    }
}

impl HttpClient {
    /// A client that behaves so.
    pub fn new(config: HttpConfig) -> Self {
        let guard = Arc::new(Guard::new(config.allow_private.clone()));
        Self { config, guard, inner: OnceLock::new() }
    }

    /// Sends a request, follows its redirects and reads the answer. Every status is an answer. Dropping the future
    /// closes the connection.
    ///
    /// # Errors
    /// `denied` where the guard refuses, `timeout`, `network` where the host cannot be reached or breaks off, `tool`
    /// where the answer is too large.
    pub async fn send(&self, request: Request) -> Result<Response, ToolError> {
        let url = request.url.clone();
        let limit = request.timeout.unwrap_or(self.config.timeout);
        match tokio::time::timeout(limit, self.exchange(request)).await {
            Ok(result) => result,
            Err(_) => Err(timed_out(&url, limit)),
        }
    }

    async fn exchange(&self, request: Request) -> Result<Response, ToolError> {
        self.guard.check_url(&request.url).map_err(|refused| denied(&refused))?;
        let url = request.url.clone();
        let mut outgoing = self.inner()?.request(request.method, request.url).headers(request.headers);
        if let Some(body) = request.body {
            outgoing = outgoing.body(body);
        }
        let answer = outgoing.send().await.map_err(|error| not_sent(&url, &error))?;
        let (status, url, headers) = (answer.status(), answer.url().clone(), answer.headers().clone());
        let body = read_body(answer, &url, self.config.max_body).await?;
        Ok(Response { status, url, headers, body })
    }

    /// The client beneath, for a protocol that makes its own requests to this address: names and redirects are checked
    /// for these, too.
    #[cfg(feature = "mcp")]
    pub(crate) fn checked(&self, url: &Url) -> Result<&reqwest::Client, ToolError> {
        self.guard.check_url(url).map_err(|refused| denied(&refused))?;
        self.inner()
    }

    fn inner(&self) -> Result<&reqwest::Client, ToolError> {
        self.inner.get_or_init(|| self.connect().map_err(|error| error.to_string())).as_ref().map_err(|error| {
            ToolError::new(ErrorKind::Internal, format!("the http client cannot be made: {error}")).undelivered()
        })
    }

    fn connect(&self) -> reqwest::Result<reqwest::Client> {
        // Fails where the process has installed one already, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let resolver = GuardedResolver { guard: Arc::clone(&self.guard), lookup: Arc::clone(&self.config.lookup) };
        let (guard, leave_origin) = (Arc::clone(&self.guard), self.config.leave_origin);
        let redirects = redirect::Policy::custom(move |attempt| {
            if attempt.previous().len() > MAX_REDIRECTS {
                return attempt.error(TooManyRedirects);
            }
            let first = attempt.previous().first().map(Url::origin);
            if !leave_origin && first.is_some_and(|first| first != attempt.url().origin()) {
                return attempt.error(Refused::elsewhere());
            }
            match guard.check_url(attempt.url()) {
                Ok(()) => attempt.follow(),
                Err(refused) => attempt.error(refused),
            }
        });
        reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .dns_resolver(resolver)
            .redirect(redirects)
            .connect_timeout(CONNECT_TIMEOUT)
            // A proxy would resolve names itself, behind the guard's back.
            .no_proxy()
            .referer(false)
            .build()
    }
}

pub(super) fn denied(refused: &Refused) -> ToolError {
    ToolError::new(ErrorKind::Denied, refused.to_string()).undelivered()
}

/// More redirects than are followed.
#[derive(Debug)]
pub(super) struct TooManyRedirects;

impl std::fmt::Display for TooManyRedirects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "more than {MAX_REDIRECTS} redirects")
    }
}

impl std::error::Error for TooManyRedirects {}

/// Reads a body as it comes, and no further than the limit: a small answer that unpacks to a huge one is cut, too.
async fn read_body(answer: reqwest::Response, url: &Url, limit: usize) -> Result<Bytes, ToolError> {
    let announced = answer.content_length().unwrap_or(0);
    if announced > limit as u64 {
        return Err(too_large(url, limit));
    }
    let mut body = BytesMut::with_capacity(announced as usize);
    let mut chunks = answer.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| broken_off(url, body.len(), &error))?;
        if body.len() + chunk.len() > limit {
            return Err(too_large(url, limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}
