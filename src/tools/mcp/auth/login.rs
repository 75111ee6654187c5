//! A person logs in: in a browser, which is sent back to a port of this machine (RFC 8252, section 7.3) with a code that
//! only we can use (PKCE, RFC 7636).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use url::Url;

use super::discovery::Found;
use super::kept::Kept;
use super::{Auth, denied, jwt};
use crate::run::ToolError;
use crate::tools::listed::Opener;
use crate::value::ErrorKind;

/// How long a person may take.
const PATIENCE: Duration = Duration::from_mins(10);
/// How long a request's first line may be.
const LONGEST: u64 = 16 << 10;

impl Auth {
    /// The token of a person who logs in.
    pub(super) async fn person(
        &self,
        found: &Found,
        scopes: &[String],
        secret: Option<&str>,
        opener: &Opener,
    ) -> Result<Kept, ToolError> {
        let authorize = found.authorize.as_ref().ok_or_else(|| {
            denied(format!("at `{}` nobody can log in by a code that is proved (PKCE with S256)", found.issuer))
        })?;
        let listener = TcpListener::bind(("127.0.0.1", self.settings.port.unwrap_or(0)));
        let listener = listener.await.map_err(|why| denied(format!("no port of this machine can be used: {why}")))?;
        let port = listener.local_addr().map_err(|why| denied(why.to_string()))?.port();
        let redirect = format!("http://127.0.0.1:{port}/callback");
        let client = self.client(found, &redirect, secret.is_some()).await?;
        let (verifier, state) = (jwt::random()?, jwt::random()?);
        let mut address = authorize.clone();
        {
            let mut query = address.query_pairs_mut();
            query.append_pair("response_type", "code").append_pair("client_id", &client.id);
            query.append_pair("redirect_uri", &redirect).append_pair("state", &state);
            query.append_pair("code_challenge", &URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier)));
            query.append_pair("code_challenge_method", "S256").append_pair("resource", &found.resource);
            if !scopes.is_empty() {
                query.append_pair("scope", &scopes.join(" "));
            }
        }
        opener(&address);
        let back = tokio::time::timeout(PATIENCE, returned(&listener, &state, &found.issuer)).await;
        let late = |_| ToolError::new(ErrorKind::Timeout, "nobody came back from logging in");
        let code = back.map_err(late)??;
        let form = vec![
            ("grant_type", "authorization_code".to_owned()),
            ("code", code),
            ("redirect_uri", redirect),
            ("code_verifier", verifier),
        ];
        self.exchange(found, client, form, scopes).await
    }
}

/// Waits until the browser is sent back, and gives the code. What others send to the port is answered and passed over.
async fn returned(listener: &TcpListener, state: &str, issuer: &str) -> Result<String, ToolError> {
    loop {
        let (mut stream, _) = listener.accept().await.map_err(|why| denied(why.to_string()))?;
        let mut line = String::new();
        let (reader, mut writer) = stream.split();
        let reading = tokio::io::AsyncReadExt::take(reader, LONGEST);
        let read = tokio::time::timeout(Duration::from_secs(5), BufReader::new(reading).read_line(&mut line)).await;
        let target = line.split_ascii_whitespace().nth(1).filter(|_| matches!(read, Ok(Ok(_)))).unwrap_or("/");
        let found = Url::parse("http://127.0.0.1").ok().and_then(|base| base.join(target).ok());
        let outcome = found.and_then(|url| code(&url, state, issuer));
        let (status, said) = match &outcome {
            Some(Ok(_)) => ("200 OK", "You are logged in. This page can be closed."),
            Some(Err(_)) => {
                ("400 Bad Request", "You are not logged in. The terminal says why; this page can be closed.")
            }
            None => ("404 Not Found", "There is nothing here."),
        };
        let page = format!("<!doctype html><meta charset=utf-8><title>flowc</title><p>{said}</p>\n");
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}",
            page.len()
        );
        let _ = writer.write_all(answer.as_bytes()).await;
        let _ = writer.shutdown().await;
        if let Some(outcome) = outcome {
            return outcome;
        }
    }
}

/// What the address says that the browser was sent back to; nothing where it is not ours.
fn code(url: &Url, state: &str, issuer: &str) -> Option<Result<String, ToolError>> {
    let value = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    if url.path() != "/callback" || value("state").as_deref() != Some(state) {
        return None;
    }
    // RFC 9207: another server's answer is none.
    if value("iss").is_some_and(|iss| iss.trim_end_matches('/') != issuer.trim_end_matches('/')) {
        return Some(Err(denied("the answer to the login came from another authorization server")));
    }
    Some(match (value("code"), value("error_description").or_else(|| value("error"))) {
        (Some(code), _) => Ok(code),
        (None, Some(why)) => Err(denied(format!("the login failed: {why}"))),
        (None, None) => Err(denied("the login gave no code")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_answer_counts() {
        let read = |query: &str| {
            let url = Url::parse(&format!("http://127.0.0.1:1/callback?{query}")).expect("an address");
            code(&url, "s", "https://as.example")
        };
        assert_eq!(read("code=c&state=s").expect("ours").expect("a code"), "c");
        assert_eq!(read("code=c&state=s&iss=https%3A%2F%2Fas.example%2F").expect("ours").expect("a code"), "c");
        assert!(read("code=c&state=other").is_none());
        assert!(read("code=c").is_none());
        assert!(read("code=c&state=s&iss=https%3A%2F%2Fevil.example").expect("ours").is_err());
        let refused = read("error=access_denied&error_description=not+you&state=s").expect("ours").expect_err("none");
        assert!(refused.message.contains("not you"), "{refused}");
    }
}
