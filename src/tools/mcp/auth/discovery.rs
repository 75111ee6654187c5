//! Where a server's tokens are given out: its own description (RFC 9728), and that of its authorization server (RFC 8414,
//! OpenID Connect Discovery). Servers of 2025-03-26 describe themselves nowhere: theirs is at their origin.

use serde::Deserialize;
use url::Url;

use super::challenge::Challenge;
use super::denied;
use crate::run::ToolError;
use crate::tools::http::{HttpClient, Redirects, Request};

/// What was found of a server.
#[derive(Debug)]
pub(super) struct Found {
    /// What a token is for (RFC 8707).
    pub(super) resource: String,
    /// What the authorization server is called.
    pub(super) issuer: String,
    /// Where people log in.
    pub(super) authorize: Option<Url>,
    /// Where tokens are given out.
    pub(super) token: Url,
    /// Where clients register.
    pub(super) register: Option<Url>,
    /// How clients may say who they are where tokens are given out; empty where nothing is said.
    pub(super) methods: Vec<String>,
    /// Whether a client may be called by the address of a document.
    pub(super) documents: bool,
    /// What the server knows of.
    pub(super) scopes: Vec<String>,
}

/// RFC 9728, section 2.
#[derive(Deserialize)]
struct ResourceMetadata {
    resource: String,
    #[serde(default)]
    authorization_servers: Vec<Url>,
    #[serde(default)]
    scopes_supported: Vec<String>,
}

/// RFC 8414, section 2.
#[derive(Deserialize)]
struct ServerMetadata {
    issuer: Option<String>,
    authorization_endpoint: Option<Url>,
    token_endpoint: Option<Url>,
    registration_endpoint: Option<Url>,
    code_challenge_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
    #[serde(default)]
    client_id_metadata_document_supported: bool,
}

pub(super) async fn find(client: &HttpClient, server: &Url, refusal: &Challenge) -> Result<Found, ToolError> {
    let described = resource(client, server, refusal).await?;
    let mut origin = server.clone();
    origin.set_path("");
    origin.set_query(None);
    origin.set_fragment(None);
    let (resource, at, scopes, known) = match described {
        Some(described) => {
            let at = described.authorization_servers.into_iter().next();
            let at = at.ok_or_else(|| denied("it names no authorization server"))?;
            (described.resource, at, described.scopes_supported, true)
        }
        None => {
            let mut resource = server.clone();
            resource.set_fragment(None);
            (resource.to_string(), origin, Vec::new(), false)
        }
    };
    secure(server, &at)?;
    let Some(issuer) = issuer(client, &at).await? else {
        if known {
            return Err(denied(format!("its authorization server `{at}` does not describe itself")));
        }
        let below = |path: &str| at.join(path).map_err(|why| denied(format!("`{at}` has no `{path}`: {why}")));
        return Ok(Found {
            resource,
            issuer: at.to_string(),
            authorize: Some(below("/authorize")?),
            token: below("/token")?,
            register: Some(below("/register")?),
            methods: Vec::new(),
            documents: false,
            scopes,
        });
    };
    let token =
        issuer.token_endpoint.ok_or_else(|| denied(format!("`{at}` does not say where it gives out tokens")))?;
    // Without PKCE, whoever gets hold of a code has the token.
    let proves = issuer.code_challenge_methods_supported.is_some_and(|methods| methods.iter().any(|it| it == "S256"));
    for endpoint in [Some(&token), issuer.authorization_endpoint.as_ref(), issuer.registration_endpoint.as_ref()] {
        endpoint.map_or(Ok(()), |endpoint| secure(server, endpoint))?;
    }
    Ok(Found {
        resource,
        issuer: issuer.issuer.unwrap_or_else(|| at.to_string()),
        authorize: issuer.authorization_endpoint.filter(|_| proves),
        token,
        register: issuer.registration_endpoint,
        methods: issuer.token_endpoint_auth_methods_supported,
        documents: issuer.client_id_metadata_document_supported,
        scopes,
    })
}

/// How the server describes itself, where it does.
async fn resource(
    client: &HttpClient,
    server: &Url,
    refusal: &Challenge,
) -> Result<Option<ResourceMetadata>, ToolError> {
    let named = refusal.metadata.as_deref().and_then(|at| server.join(at).ok());
    let path = server.path().trim_end_matches('/');
    let own = format!("/.well-known/oauth-protected-resource{path}");
    let places = [named, server.join(&own).ok(), server.join("/.well-known/oauth-protected-resource").ok()];
    let mut asked: Vec<Url> = Vec::new();
    for place in places.into_iter().flatten() {
        if asked.contains(&place) {
            continue;
        }
        let found: Option<ResourceMetadata> = read(client, &place).await?;
        asked.push(place);
        if let Some(found) = found {
            return if is_of(&found.resource, server) {
                Ok(Some(found))
            } else {
                // Its token would be good elsewhere.
                Err(denied(format!("it says that its tokens are for `{}`, which is another server", found.resource)))
            };
        }
    }
    Ok(None)
}

/// Whether a description is one of this server: of its address, or of one above it.
fn is_of(resource: &str, server: &Url) -> bool {
    let Ok(resource) = Url::parse(resource) else { return false };
    let path = resource.path().trim_end_matches('/');
    let below = server.path().strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    resource.origin() == server.origin() && below
}

/// How an authorization server describes itself.
async fn issuer(client: &HttpClient, at: &Url) -> Result<Option<ServerMetadata>, ToolError> {
    let path = at.path().trim_end_matches('/');
    let mut places = vec![
        format!("/.well-known/oauth-authorization-server{path}"),
        format!("/.well-known/openid-configuration{path}"),
    ];
    if !path.is_empty() {
        places.push(format!("{path}/.well-known/openid-configuration"));
    }
    for place in places.iter().filter_map(|place| at.join(place).ok()) {
        let Some(found) = read::<ServerMetadata>(client, &place).await? else { continue };
        // It should be the very address (RFC 8414, section 3.3). Many that serve several tenants name their root; nobody
        // else speaks for an origin.
        let named = found.issuer.as_deref().map(Url::parse);
        return match named {
            Some(Ok(named)) if named.origin() == at.origin() => Ok(Some(found)),
            _ => Err(denied(format!("`{place}` does not describe `{at}`, but another authorization server"))),
        };
    }
    Ok(None)
}

/// A document, where it is there.
async fn read<T: for<'de> Deserialize<'de>>(client: &HttpClient, at: &Url) -> Result<Option<T>, ToolError> {
    let answer = client.open(Request::get(at.clone()), Redirects::Follow).await?.read().await?;
    if !answer.status.is_success() {
        return Ok(None);
    }
    Ok(serde_json::from_slice(&answer.body).ok())
}

/// Codes and tokens travel in the open nowhere but where the server itself does.
fn secure(server: &Url, to: &Url) -> Result<(), ToolError> {
    if to.scheme() == "https" || (to.scheme() == "http" && server.scheme() == "http") {
        return Ok(());
    }
    Err(denied(format!("`{to}` is not reached over https")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_of_its_server_only() {
        let server: Url = "https://a.example/mcp/x".parse().expect("an address");
        for own in ["https://a.example/mcp/x", "https://a.example/mcp", "https://a.example", "https://a.example/mcp/x/"]
        {
            assert!(is_of(own, &server), "{own}");
        }
        for other in ["https://b.example/mcp/x", "https://a.example/mc", "http://a.example/mcp/x", "mcp"] {
            assert!(!is_of(other, &server), "{other}");
        }
    }
}
