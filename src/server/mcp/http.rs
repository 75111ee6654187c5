//! The server over streamable HTTP: who may ask.

use std::net::SocketAddr;
use std::sync::Arc;

use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio_util::sync::CancellationToken;

use super::McpServer;

/// How to serve over HTTP.
#[derive(Clone, Debug, Default)]
pub struct HttpOptions {
    /// What clients must send as `Authorization: Bearer …`.
    pub token: Option<String>,
    /// The names under which the server is reached from outside, besides those of this machine.
    pub hosts: Vec<String>,
}

impl McpServer {
    /// What serves clients over streamable HTTP at `/mcp`, until `stop` is cancelled. Only requests for this machine's
    /// names or the ones in the options are answered, and none that a web page from elsewhere sends.
    pub fn router(self, options: HttpOptions, stop: CancellationToken) -> axum::Router {
        let own = ["localhost", "127.0.0.1", "::1"];
        // Pages of this machine may ask: a client in the browser that is being developed, an inspector.
        let pages = ["http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*"];
        let config = StreamableHttpServerConfig::default()
            .with_allowed_hosts(own.into_iter().map(str::to_owned).chain(options.hosts))
            .with_allowed_origins(pages)
            .with_cancellation_token(stop);
        let service =
            StreamableHttpService::new(move || Ok(self.session()), Arc::new(LocalSessionManager::default()), config);
        let router = axum::Router::new().route_service("/mcp", service);
        match options.token {
            None => router,
            Some(token) => router.layer(axum::middleware::from_fn_with_state(Arc::<str>::from(token), authorize)),
        }
    }

    /// Whether an address may be listened on: one that others can reach wants a token.
    ///
    /// # Errors
    /// A sentence that says what is missing.
    pub fn may_listen(address: SocketAddr, options: &HttpOptions) -> Result<(), String> {
        if address.ip().is_loopback() || options.token.is_some() {
            return Ok(());
        }
        Err(format!("`{address}` can be reached by others: give a token, or listen on 127.0.0.1"))
    }
}

/// Lets requests with the right token through.
async fn authorize(
    axum::extract::State(token): axum::extract::State<Arc<str>>,
    request: axum::extract::Request,
    next: axum::middleware::Next,
) -> axum::response::Response {
    let given = request.headers().get(axum::http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    // Compared by hash, so that the time taken tells nothing of the token.
    let hash = |text: &str| crate::run::ports::hex_sha256(&[text.as_bytes()]);
    if hash(given) == hash(&token) {
        return next.run(request).await;
    }
    let mut response = axum::response::Response::new(axum::body::Body::from("a bearer token is needed"));
    *response.status_mut() = axum::http::StatusCode::UNAUTHORIZED;
    response.headers_mut().insert(axum::http::header::WWW_AUTHENTICATE, axum::http::HeaderValue::from_static("Bearer"));
    response
}
