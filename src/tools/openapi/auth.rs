//! How calls say who they are.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value as Json;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

use crate::run::{Secrets, ToolError};
use crate::tools::http::{HttpClient, Redirects, Request, status_error};
use crate::tools::openapi::document::OpenApiDocument;
use crate::tools::openapi::operation::FORM;
use crate::tools::openapi::settings::Auth;
use crate::tools::setting::{bearer, host, secret};
use crate::value::ErrorKind;

/// A token is asked for anew when it has less than this to live.
const MARGIN: Duration = Duration::from_secs(30);
/// How long a token lives that does not say so.
const LIFE: Duration = Duration::from_mins(5);

/// Tokens that were given out.
#[derive(Default)]
pub(super) struct Tokens(Mutex<Option<(String, Instant)>>);

impl Tokens {
    /// Forgets the token: the service did not take it.
    pub(super) async fn forget(&self) {
        self.0.lock().await.take();
    }

    /// Says who calls, in the request.
    ///
    /// # Errors
    /// `denied`: a secret is missing, or not for this host; or no token is given out.
    pub(super) async fn sign(
        &self,
        request: &mut Request,
        auth: &Auth,
        document: &OpenApiDocument,
        secrets: &dyn Secrets,
        client: impl Fn(&Url) -> std::sync::Arc<HttpClient>,
    ) -> Result<(), ToolError> {
        match auth {
            Auth::Bearer(name) => {
                let value = bearer(name, secrets, &request.url)?;
                request.headers.insert(AUTHORIZATION, value);
            }
            Auth::Basic { user, password } => {
                let user = user.resolve(secrets, host(&request.url))?;
                let password = secret(password, secrets, host(&request.url))?;
                request.headers.insert(AUTHORIZATION, basic(&user, &password)?);
            }
            Auth::ApiKey(name) => {
                let key = secret(name, secrets, host(&request.url))?;
                place_key(request, document, key.trim())?;
            }
            Auth::ClientCredentials { token_url, client_id, client_secret, scopes } => {
                let mut known = self.0.lock().await;
                if known.as_ref().is_none_or(|(_, until)| *until <= Instant::now()) {
                    let url = match token_url {
                        Some(url) => url.clone(),
                        None => token_url_of(document)?,
                    };
                    let id = client_id.resolve(secrets, host(&url))?;
                    let secret = secret(client_secret, secrets, host(&url))?;
                    *known = Some(ask(&client(&url), url, &id, &secret, scopes).await?);
                }
                if let Some((token, _)) = &*known {
                    request.headers.insert(AUTHORIZATION, sensitive(&format!("Bearer {token}"))?);
                }
            }
        }
        Ok(())
    }
}

/// `Basic …` (RFC 7617).
fn basic(user: &str, password: &str) -> Result<HeaderValue, ToolError> {
    sensitive(&format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
}

fn sensitive(text: &str) -> Result<HeaderValue, ToolError> {
    let mut value =
        HeaderValue::from_str(text).map_err(|_| denied("a credential holds a character that no header may".into()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Puts a key where the document's scheme of type `apiKey` says.
fn place_key(request: &mut Request, document: &OpenApiDocument, key: &str) -> Result<(), ToolError> {
    let scheme = document.scheme("apiKey");
    let text = |name| scheme.and_then(|scheme| scheme.get(name)).and_then(Json::as_str).unwrap_or_default();
    let name = text("name");
    match text("in") {
        "header" => {
            let header = HeaderName::from_bytes(name.as_bytes());
            let header =
                header.map_err(|_| denied(format!("the document sends keys in `{name}`, which is no header")))?;
            request.headers.insert(header, sensitive(key)?);
        }
        "query" => drop(request.url.query_pairs_mut().append_pair(name, key)),
        "cookie" => {
            let before = request.headers.get(COOKIE).and_then(|value| value.to_str().ok());
            let before = before.map(|before| format!("{before}; ")).unwrap_or_default();
            request.headers.insert(COOKIE, sensitive(&format!("{before}{name}={key}"))?);
        }
        _ => {
            let message = "the document does not say where keys go: it has no security scheme of type `apiKey`";
            return Err(denied(message.into()));
        }
    }
    Ok(())
}

fn token_url_of(document: &OpenApiDocument) -> Result<Url, ToolError> {
    let scheme = document.scheme("oauth2");
    let url = scheme.and_then(|scheme| scheme.get("flows")?.get("clientCredentials")?.get("tokenUrl")?.as_str());
    url.and_then(|url| Url::parse(url).ok()).ok_or_else(|| {
        denied("the document does not say where tokens are given out: name it as `token_url` in `flow.toml`".into())
    })
}

/// Asks for a token by client credentials (RFC 6749, sections 2.3.1 and 4.4); gives it with when it ends.
async fn ask(
    client: &HttpClient,
    url: Url,
    id: &str,
    secret: &str,
    scopes: &[String],
) -> Result<(String, Instant), ToolError> {
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, basic(&encoded(id), &encoded(secret))?);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(FORM));
    let body = Some(grant(scopes));
    let request = Request { method: Method::POST, url, headers, body, timeout: None };
    let response = client.open(request, Redirects::Keep).await?.read().await?;
    if let Some(error) = status_error(&response) {
        // Nothing of the call itself was delivered.
        let error = error.undelivered();
        return Err(if error.retryable { error } else { ToolError { kind: ErrorKind::Denied, ..error } });
    }
    let answer: Json = serde_json::from_slice(&response.body).unwrap_or_default();
    let Some(token) = answer.get("access_token").and_then(Json::as_str) else {
        return Err(denied(format!("`{}` gave out no `access_token`", response.url)));
    };
    let life = answer.get("expires_in").and_then(Json::as_u64).map_or(LIFE, Duration::from_secs);
    Ok((token.to_owned(), Instant::now() + life.saturating_sub(MARGIN)))
}

fn grant(scopes: &[String]) -> Bytes {
    let mut form = Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials");
    if !scopes.is_empty() {
        form.append_pair("scope", &scopes.join(" "));
    }
    Bytes::from(form.finish())
}

fn denied(why: String) -> ToolError {
    ToolError::new(ErrorKind::Denied, why).undelivered()
}
