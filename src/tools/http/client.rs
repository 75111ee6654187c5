//! The one client through which everything of Flow goes out: guarded, bounded in time and size, its failures told in
//! the language's kinds.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::BoxStream;
use http::{HeaderMap, Method, StatusCode};
use reqwest::redirect;
use tokio::time::Instant;
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
    /// How names are looked up.
    pub lookup: Arc<dyn Lookup>,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            allow_private: AllowPrivate::None,
            max_body: 8 << 20,
            timeout: Duration::from_secs(30),
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

/// An answer whose body is still to come.
pub struct Incoming {
    /// The status.
    pub status: StatusCode,
    /// Where it comes from in the end.
    pub url: Url,
    /// Its headers.
    pub headers: HeaderMap,
    body: BoxStream<'static, reqwest::Result<Bytes>>,
    announced: u64,
    read: usize,
    most: usize,
    limit: Duration,
    deadline: Option<Instant>,
}

/// What becomes of redirects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redirects {
    /// They are followed, each after the guard has checked it; `Authorization` stays with its host.
    Follow,
    /// They are answers like others: for requests with a secret in a header of its own, which would travel along.
    Keep,
}

/// The guarded client. Made at no cost: certificates are read and connections made with the first request.
pub struct HttpClient {
    config: HttpConfig,
    guard: Arc<Guard>,
    following: OnceLock<Result<reqwest::Client, String>>,
    keeping: OnceLock<Result<reqwest::Client, String>>,
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
        Self { config, guard, following: OnceLock::new(), keeping: OnceLock::new() }
    }

    /// Sends a request, follows its redirects and reads the answer. Every status is an answer. Dropping the future
    /// closes the connection.
    ///
    /// # Errors
    /// `denied` where the guard refuses, `timeout`, `network` where the host cannot be reached or breaks off, `tool`
    /// where the answer is too large.
    pub async fn send(&self, request: Request) -> Result<Response, ToolError> {
        self.open(request, Redirects::Follow).await?.read().await
    }

    /// Sends a request and gives the answer once its head is there. The request's timeout bounds its body too.
    ///
    /// # Errors
    /// As [`HttpClient::send`].
    pub async fn open(&self, request: Request, redirects: Redirects) -> Result<Incoming, ToolError> {
        self.guard.check_url(&request.url).map_err(|refused| denied(&refused))?;
        let limit = request.timeout.unwrap_or(self.config.timeout);
        let deadline = Instant::now().checked_add(limit);
        let url = request.url.clone();
        let mut outgoing = self.inner(redirects)?.request(request.method, request.url).headers(request.headers);
        if let Some(body) = request.body {
            outgoing = outgoing.body(body);
        }
        let sent = until(deadline, outgoing.send()).await.ok_or_else(|| timed_out(&url, limit))?;
        let answer = sent.map_err(|error| not_sent(&url, &error))?;
        Ok(Incoming {
            status: answer.status(),
            url: answer.url().clone(),
            headers: answer.headers().clone(),
            announced: answer.content_length().unwrap_or(0),
            body: answer.bytes_stream().boxed(),
            read: 0,
            most: self.config.max_body,
            limit,
            deadline,
        })
    }

    /// The client beneath, for a protocol that makes its own requests to this address: names are checked for these, too,
    /// and redirects are not followed.
    #[cfg(feature = "mcp")]
    pub(crate) fn checked(&self, url: &Url) -> Result<&reqwest::Client, ToolError> {
        self.guard.check_url(url).map_err(|refused| denied(&refused))?;
        self.inner(Redirects::Keep)
    }

    fn inner(&self, redirects: Redirects) -> Result<&reqwest::Client, ToolError> {
        let (made, policy) = match redirects {
            Redirects::Follow => (&self.following, self.checked_redirects()),
            Redirects::Keep => (&self.keeping, redirect::Policy::none()),
        };
        made.get_or_init(|| self.connect(policy).map_err(|error| error.to_string())).as_ref().map_err(|error| {
            ToolError::new(ErrorKind::Internal, format!("the http client cannot be made: {error}")).undelivered()
        })
    }

    fn checked_redirects(&self) -> redirect::Policy {
        let guard = Arc::clone(&self.guard);
        redirect::Policy::custom(move |attempt| {
            if attempt.previous().len() > MAX_REDIRECTS {
                return attempt.error(TooManyRedirects);
            }
            match guard.check_url(attempt.url()) {
                Ok(()) => attempt.follow(),
                Err(refused) => attempt.error(refused),
            }
        })
    }

    fn connect(&self, redirects: redirect::Policy) -> reqwest::Result<reqwest::Client> {
        // Fails where the process has installed one already, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let resolver = GuardedResolver { guard: Arc::clone(&self.guard), lookup: Arc::clone(&self.config.lookup) };
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

impl Incoming {
    /// The next piece of the body, unpacked; none after the last.
    ///
    /// # Errors
    /// `network` where it breaks off, `timeout` where the request's time is over, `tool` where it grows too large.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, ToolError> {
        let next = until(self.deadline, self.body.next()).await.ok_or_else(|| timed_out(&self.url, self.limit))?;
        let Some(chunk) = next else { return Ok(None) };
        let chunk = chunk.map_err(|error| broken_off(&self.url, self.read, &error))?;
        self.read += chunk.len();
        if self.read > self.most { Err(too_large(&self.url, self.most)) } else { Ok(Some(chunk)) }
    }

    /// Reads the rest of the body, and no further than the limit: a small answer that unpacks to a huge one is cut, too.
    ///
    /// # Errors
    /// As [`Incoming::chunk`].
    pub async fn read(mut self) -> Result<Response, ToolError> {
        if self.announced > self.most as u64 {
            return Err(too_large(&self.url, self.most));
        }
        let mut body = BytesMut::with_capacity(self.announced as usize);
        while let Some(chunk) = self.chunk().await? {
            body.extend_from_slice(&chunk);
        }
        Ok(Response { status: self.status, url: self.url, headers: self.headers, body: body.freeze() })
    }
}

/// Waits for a future until the deadline; none where it was not ready by then.
async fn until<F: Future>(deadline: Option<Instant>, future: F) -> Option<F::Output> {
    match deadline {
        Some(deadline) => tokio::time::timeout_at(deadline, future).await.ok(),
        None => Some(future.await),
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
