//! Asking for tokens.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value as Json, json};
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

use super::discovery::Found;
use super::kept::{Client, Given, Kept};
use super::{Auth, Grant, denied, jwt};
use crate::run::ToolError;
use crate::tools::http::{Redirects, Request, status_error};
use crate::tools::setting::{host, secret};

const FORM: &str = "application/x-www-form-urlencoded";
const BASIC: &str = "client_secret_basic";
const POST: &str = "client_secret_post";
const NONE: &str = "none";
const JWT: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

impl Auth {
    /// The program's own token.
    pub(super) async fn program(&self, found: &Found, scopes: &[String]) -> Result<Kept, ToolError> {
        let id = self.settings.client_id.as_ref().ok_or_else(|| denied("a program needs a `client_id`"))?;
        let id = id.resolve(&*self.settings.secrets, host(&found.token))?;
        let mut form = vec![("grant_type", "client_credentials".to_owned())];
        if !scopes.is_empty() {
            form.push(("scope", scopes.join(" ")));
        }
        let mut client = Client { id, secret: None, method: NONE.to_owned() };
        let own = match &self.settings.grant {
            Grant::Key(name) => {
                let pem = secret(name, &*self.settings.secrets, host(&found.token))?;
                form.push(("client_assertion_type", JWT.to_owned()));
                form.push(("client_assertion", jwt::assertion(&pem, &client.id, &found.issuer)?));
                None
            }
            Grant::Secret(name) | Grant::Person(Some(name)) => {
                client.method = method(found, true);
                Some(secret(name, &*self.settings.secrets, host(&found.token))?)
            }
            Grant::Person(None) => None,
        };
        let given = self.ask(&found.token, &found.resource, form, &client, own.as_deref()).await?;
        let mut kept = Kept::new(&self.server, &found.token, &found.resource, client);
        kept.take(given, scopes);
        Ok(kept)
    }

    /// Another token for the one whose time is up.
    pub(super) async fn refresh(&self, kept: &mut Kept) -> Result<(), ToolError> {
        let endpoint: Url = kept.endpoint.parse().map_err(|_| denied("it is not known where tokens are given out"))?;
        let refresh = kept.refresh_token().unwrap_or_default().to_owned();
        let form = vec![("grant_type", "refresh_token".to_owned()), ("refresh_token", refresh)];
        let own = self.own_secret(&endpoint, kept.client.secret.clone())?;
        let client = kept.client.clone();
        let given = self.ask(&endpoint, &kept.resource.clone(), form, &client, own.as_deref()).await?;
        let scopes = kept.scopes().to_vec();
        kept.take(given, &scopes);
        kept.write(&self.settings.kept);
        Ok(())
    }

    /// The token for the code that a login gave.
    pub(super) async fn exchange(
        &self,
        found: &Found,
        client: Client,
        form: Vec<(&'static str, String)>,
        scopes: &[String],
    ) -> Result<Kept, ToolError> {
        let own = self.own_secret(&found.token, client.secret.clone())?;
        let given = self.ask(&found.token, &found.resource, form, &client, own.as_deref()).await?;
        let mut kept = Kept::new(&self.server, &found.token, &found.resource, client);
        kept.take(given, scopes);
        Ok(kept)
    }

    /// The client's secret: the operator's, else the one it was given.
    fn own_secret(&self, endpoint: &Url, given: Option<String>) -> Result<Option<String>, ToolError> {
        match &self.settings.grant {
            Grant::Person(Some(name)) => secret(name, &*self.settings.secrets, host(endpoint)).map(Some),
            _ => Ok(given),
        }
    }

    /// Who we are to an authorization server where people log in.
    pub(super) async fn client(&self, found: &Found, redirect: &str, secret: bool) -> Result<Client, ToolError> {
        let configured = match &self.settings.client_id {
            Some(id) => Some(id.resolve(&*self.settings.secrets, host(&found.token))?),
            None => None,
        };
        let document = configured.as_deref().is_some_and(|id| id.starts_with("https://"));
        if let Some(id) = configured.filter(|_| !document || found.documents) {
            let secret = secret && !document;
            return Ok(Client { id, secret: None, method: method(found, secret) });
        }
        let Some(register) = &found.register else {
            return Err(denied(format!(
                "its authorization server `{}` registers nobody: name the `client_id` that it gave you",
                found.issuer
            )));
        };
        let wanted = if found.methods.is_empty() || found.methods.iter().any(|it| it == NONE) {
            NONE.to_owned()
        } else {
            method(found, true)
        };
        let body = json!({
            "client_name": "flowc",
            "client_uri": env!("CARGO_PKG_REPOSITORY"),
            "application_type": "native",
            "redirect_uris": [redirect],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": wanted,
        });
        let answer = self.post(register, "application/json", body.to_string(), HeaderMap::new()).await?;
        let text = |name: &str| answer.get(name).and_then(Json::as_str).map(str::to_owned);
        let id = text("client_id").ok_or_else(|| denied(format!("`{register}` registered nobody")))?;
        let secret = text("client_secret");
        let method = text("token_endpoint_auth_method").unwrap_or(match &secret {
            Some(_) if found.methods.is_empty() => BASIC.to_owned(),
            _ => wanted,
        });
        Ok(Client { id, secret, method })
    }

    /// Asks for a token (RFC 6749, section 3.2), for this server and no other (RFC 8707).
    async fn ask(
        &self,
        endpoint: &Url,
        resource: &str,
        mut form: Vec<(&'static str, String)>,
        client: &Client,
        secret: Option<&str>,
    ) -> Result<Given, ToolError> {
        form.push(("resource", resource.to_owned()));
        let mut headers = HeaderMap::new();
        match (client.method.as_str(), secret) {
            (BASIC, Some(secret)) => {
                let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
                let basic = STANDARD.encode(format!("{}:{}", encoded(&client.id), encoded(secret)));
                let mut value =
                    HeaderValue::from_str(&format!("Basic {basic}")).map_err(|why| denied(why.to_string()))?;
                value.set_sensitive(true);
                headers.insert(AUTHORIZATION, value);
            }
            (POST, Some(secret)) => {
                form.push(("client_id", client.id.clone()));
                form.push(("client_secret", secret.to_owned()));
            }
            _ => form.push(("client_id", client.id.clone())),
        }
        let body = Serializer::new(String::new()).extend_pairs(form).finish();
        let answer = self.post(endpoint, FORM, body, headers).await?;
        serde_json::from_value(answer).map_err(|_| denied(format!("`{endpoint}` gave out no token")))
    }

    async fn post(
        &self,
        to: &Url,
        kind: &'static str,
        body: String,
        mut headers: HeaderMap,
    ) -> Result<Json, ToolError> {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let body = Some(Bytes::from(body));
        let request = Request { method: Method::POST, url: to.clone(), headers, body, timeout: None };
        let answer = self.client.open(request, Redirects::Keep).await?.read().await?;
        if let Some(error) = status_error(&answer) {
            let said: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
            let said = ["error_description", "error"].iter().find_map(|name| said.get(name)?.as_str());
            let why = said.map_or_else(|| error.message.clone(), |said| format!("`{to}` refuses: {said}"));
            return Err(if error.retryable { error.undelivered() } else { denied(why) });
        }
        serde_json::from_slice(&answer.body)
            .map_err(|why| denied(format!("`{to}` answered with what is no JSON: {why}")))
    }
}

/// How we say who we are where tokens are given out (RFC 8414: with `client_secret_basic`, where nothing is said).
fn method(found: &Found, secret: bool) -> String {
    let takes = |method: &str| found.methods.iter().any(|known| known == method);
    let method = if secret && takes(POST) && !takes(BASIC) {
        POST
    } else if secret {
        BASIC
    } else {
        NONE
    };
    method.to_owned()
}
