//! The streamable HTTP transport: rmcp's, over the guarded client.

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue};
use indexmap::IndexMap;
use rmcp::service::ServiceError;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::{StreamableHttpClientTransportConfig, StreamableHttpError};
use url::Url;

use crate::run::{Secrets, ToolError};
use crate::tools::Setting;
use crate::tools::http::{HttpClient, kind_of, not_sent, retry_after};
use crate::tools::mcp::auth::{Auth, Authorized, said};
use crate::tools::setting::{host, secret};
use crate::value::ErrorKind;

/// A transport to this endpoint; sessions, resumed streams and their repetition are rmcp's.
///
/// # Errors
/// `denied`: the address is refused.
pub(super) fn transport(
    client: &HttpClient,
    url: &Url,
    auth: Option<Arc<Auth>>,
    config: StreamableHttpClientTransportConfig,
) -> Result<StreamableHttpClientTransport<Authorized>, ToolError> {
    let client = Authorized { inner: client.checked(url)?.clone(), auth };
    Ok(StreamableHttpClientTransport::with_client(client, config))
}

/// What is sent with every request, and how much is read.
///
/// # Errors
/// `denied`: a secret is missing, or not for this host.
pub(super) fn config(
    url: &Url,
    bearer: Option<&str>,
    headers: &IndexMap<String, Setting>,
    max_message: usize,
    secrets: &dyn Secrets,
) -> Result<StreamableHttpClientTransportConfig, ToolError> {
    let mut config = StreamableHttpClientTransportConfig::with_uri(url.as_str())
        .max_concurrent_requests(256)
        .max_sse_event_size(max_message)
        .max_json_response_size(max_message);
    if let Some(name) = bearer {
        config = config.auth_header(secret(name, secrets, host(url))?.trim());
    }
    let mut custom = HashMap::new();
    for (name, setting) in headers {
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
            ToolError::new(ErrorKind::Invalid, format!("`{name}` is not a header's name")).undelivered()
        })?;
        custom.insert(header, setting.header(secrets, url)?);
    }
    Ok(config.custom_headers(custom))
}

/// Why a request got no answer over HTTP, or over a pipe.
pub(super) fn failure(name: &str, error: &ServiceError) -> ToolError {
    match error {
        ServiceError::TransportSend(error) => unreachable(name, &*error.error),
        other => ToolError::new(ErrorKind::Tool, format!("`{name}` failed: {other}")),
    }
}

/// Why a server cannot be reached.
pub(super) fn unreachable(name: &str, error: &(dyn Error + 'static)) -> ToolError {
    let mut cause = Some(error);
    let found = std::iter::from_fn(|| {
        let this = cause?;
        cause = this.source();
        Some(this)
    })
    .find_map(|error| error.downcast_ref::<StreamableHttpError<reqwest::Error>>());
    match found {
        None => ToolError::new(ErrorKind::Network, format!("`{name}` does not take what is sent to it: {error}")),
        Some(failure) if said(failure).is_some() => {
            said(failure).cloned().unwrap_or_else(|| ToolError::new(ErrorKind::Denied, "not authorized"))
        }
        Some(StreamableHttpError::AuthRequired(_) | StreamableHttpError::InsufficientScope(_)) => {
            let message = format!(
                "`{name}` wants another authorization: name a secret as its `bearer` in `flow.toml`, or write `auth = {{}}` \
                 and run `flowc tools login {name}`"
            );
            ToolError::new(ErrorKind::Denied, message).undelivered()
        }
        Some(StreamableHttpError::Client(error)) => match error.url() {
            Some(url) => not_sent(url, error),
            None => ToolError::new(ErrorKind::Network, format!("`{name}` broke off: {error}")),
        },
        Some(StreamableHttpError::HttpStatus(answer)) => {
            let (kind, retryable) = kind_of(answer.status);
            let said = answer.retry_after.as_deref().and_then(|said| HeaderValue::from_str(said).ok());
            let wait = said.and_then(|said| retry_after(&HeaderMap::from_iter([(RETRY_AFTER, said)])));
            let error = ToolError::new(kind, format!("`{name}` answered {}", answer.status)).retry_after(wait);
            ToolError { retryable, ..error }
        }
        Some(other) => ToolError::new(ErrorKind::Network, format!("`{name}` broke off: {other}")),
    }
}
