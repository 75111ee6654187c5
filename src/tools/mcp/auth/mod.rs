//! Who calls an MCP server over HTTP, by OAuth 2.1 as MCP has it (2025-11-25, basic/authorization): a person who logs in,
//! or the program itself.
//!
//! A server that wants to know says so with its first refusal. Where tokens are given out is found from there
//! ([`discovery`]), the token is asked for ([`grant`]), kept for the next time ([`kept`]), and sent with every request
//! ([`client`]). All of it goes through the guarded client, and a secret to no host but those it is bound to.

mod challenge;
mod client;
mod discovery;
mod grant;
mod jwt;
mod kept;
mod login;

use std::path::PathBuf;
use std::sync::{Arc, Mutex as Lock, PoisonError};

use tokio::sync::Mutex;
use url::Url;

use crate::run::{Secrets, ToolError};
use crate::tools::Setting;
use crate::tools::http::HttpClient;
use crate::tools::listed::Opener;
use crate::value::ErrorKind;

use challenge::Challenge;
use discovery::Found;
use kept::Kept;

pub(super) use client::{Authorized, said};

/// Who calls a server.
#[derive(Clone)]
pub struct AuthSettings {
    /// How a token is come by.
    pub grant: Grant,
    /// What the authorization server calls us: an id that it gave out, or the https address of a document that describes
    /// us; without it, we register.
    pub client_id: Option<Setting>,
    /// What is asked for, beside what the server says it wants.
    pub scopes: Vec<String>,
    /// The port of this machine to which a person is sent back; any, where the authorization server does not compare it.
    pub port: Option<u16>,
    /// The file where tokens are kept.
    pub kept: PathBuf,
    /// What secrets stand for.
    pub secrets: Arc<dyn Secrets>,
}

/// How a token is come by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    /// A person logs in (`authorization_code`, with PKCE). The client's secret, where it has one.
    Person(Option<String>),
    /// The program is known itself (`client_credentials`), by a secret.
    Secret(String),
    /// By a key that signs (`private_key_jwt`): PKCS #8 in PEM, of P-256, RSA or Ed25519.
    Key(String),
}

impl std::fmt::Debug for AuthSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthSettings").field("grant", &self.grant).field("scopes", &self.scopes).finish_non_exhaustive()
    }
}

impl PartialEq for AuthSettings {
    fn eq(&self, other: &Self) -> bool {
        let of = |it: &Self| (it.grant.clone(), it.client_id.clone(), it.scopes.clone(), it.port, it.kept.clone());
        of(self) == of(other)
    }
}

impl Eq for AuthSettings {}

/// How often a refusal is answered with another token before it is taken at its word.
const RENEWALS: usize = 2;

/// The authorization for a server.
pub(super) struct Auth {
    name: String,
    server: Url,
    settings: AuthSettings,
    client: Arc<HttpClient>,
    /// Who shows a person where to log in; nobody but while that is asked for.
    opener: Lock<Option<Opener>>,
    kept: Mutex<Option<Kept>>,
}

impl Auth {
    pub(super) fn new(name: &str, server: &Url, settings: &AuthSettings, client: Arc<HttpClient>) -> Self {
        Self {
            name: name.to_owned(),
            server: server.clone(),
            settings: settings.clone(),
            client,
            opener: Lock::default(),
            kept: Mutex::default(),
        }
    }

    /// Lets a person log in from now on, and forgets who has.
    pub(super) async fn log_in(&self, opener: Option<Opener>) {
        if opener.is_some() {
            let mut kept = self.kept.lock().await;
            *kept = Some(Kept::read(&self.settings.kept, &self.server).without_token());
        }
        *self.opener.lock().unwrap_or_else(PoisonError::into_inner) = opener;
    }

    fn opener(&self) -> Option<Opener> {
        self.opener.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The token there is, renewed where its time is up; none where the server has to say first what it wants.
    async fn token(&self) -> Result<Option<String>, ToolError> {
        let mut kept = self.kept.lock().await;
        let known = kept.get_or_insert_with(|| Kept::read(&self.settings.kept, &self.server));
        if known.token().is_none() && known.refreshable() {
            // One that cannot be renewed is as good as none.
            if let Err(error) = self.refresh(known).await {
                tracing::info!(target: "flowc::mcp", server = self.name, %error, "the token could not be renewed");
                known.forget();
            }
        }
        Ok(known.token())
    }

    /// Another token, since the server refused the one that was sent, or that there was none.
    async fn challenged(&self, refusal: &Challenge, sent: Option<&str>) -> Result<String, ToolError> {
        let mut kept = self.kept.lock().await;
        let known = kept.get_or_insert_with(|| Kept::read(&self.settings.kept, &self.server));
        // Somebody else may have renewed it meanwhile.
        if let Some(token) = known.token().filter(|token| Some(token.as_str()) != sent && !refusal.wants_more) {
            return Ok(token);
        }
        if !refusal.wants_more && sent.is_some() && known.refreshable() && self.refresh(known).await.is_ok() {
            return known.token().ok_or_else(|| self.denied("no token was given out"));
        }
        let found = discovery::find(&self.client, &self.server, refusal).await.map_err(|why| self.told(why))?;
        let scopes = self.scopes(refusal, &found, known);
        match &self.settings.grant {
            Grant::Person(secret) => {
                let Some(opener) = self.opener() else {
                    known.want(&scopes);
                    known.write(&self.settings.kept);
                    let more = if refusal.wants_more { " again, which asks for more" } else { "" };
                    return Err(
                        self.denied(&format!("nobody is logged in: run `flowc tools login {}`{more}", self.name))
                    );
                };
                *known =
                    self.person(&found, &scopes, secret.as_deref(), &opener).await.map_err(|why| self.told(why))?;
            }
            _ => *known = self.program(&found, &scopes).await.map_err(|why| self.told(why))?,
        }
        known.write(&self.settings.kept);
        known.token().ok_or_else(|| self.denied("no token was given out"))
    }

    /// What to ask for: what the server says it wants, else what the operator says, else what the server knows of; and what
    /// was given or missing before.
    fn scopes(&self, refusal: &Challenge, found: &Found, known: &Kept) -> Vec<String> {
        let mut scopes = refusal.scopes.clone();
        scopes.extend(self.settings.scopes.iter().cloned());
        scopes.extend(known.scopes().iter().cloned());
        if scopes.is_empty() {
            scopes.clone_from(&found.scopes);
        }
        let mut once = Vec::with_capacity(scopes.len());
        for scope in scopes {
            if !once.contains(&scope) {
                once.push(scope);
            }
        }
        once
    }

    fn told(&self, error: ToolError) -> ToolError {
        ToolError { message: format!("`{}` wants to know who calls: {}", self.name, error.message), ..error }
            .undelivered()
    }

    fn denied(&self, why: &str) -> ToolError {
        self.told(denied(why))
    }
}

fn denied(why: impl Into<String>) -> ToolError {
    ToolError::new(ErrorKind::Denied, why).undelivered()
}
