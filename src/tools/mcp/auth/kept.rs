//! What is kept of a login from one process to the next: in a file that only its owner reads.

use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};
use url::Url;

/// A token is renewed when it has less than this to live, in seconds.
const MARGIN: i64 = 30;

/// What is known of a server's authorization.
#[derive(Clone, Default, Deserialize, Serialize)]
pub(super) struct Kept {
    /// The server that it is for: an address that was changed wants another.
    server: String,
    /// Where the token can be renewed, and for what it is.
    pub(super) endpoint: String,
    pub(super) resource: String,
    pub(super) client: Client,
    token: Option<String>,
    refresh: Option<String>,
    /// When the token ends, in seconds since 1970.
    until: Option<i64>,
    /// What was asked for, and what was missing.
    scopes: Vec<String>,
}

/// What the authorization server knows us by.
#[derive(Clone, Default, Deserialize, Serialize)]
pub(super) struct Client {
    pub(super) id: String,
    /// A secret that it gave out when we registered; those of the operator are never kept here.
    pub(super) secret: Option<String>,
    pub(super) method: String,
}

/// RFC 6749, section 5.1.
#[derive(Deserialize)]
pub(super) struct Given {
    access_token: String,
    refresh_token: Option<String>,
    expires_in: Option<i64>,
    scope: Option<String>,
}

impl Kept {
    pub(super) fn new(server: &Url, endpoint: &Url, resource: &str, client: Client) -> Self {
        Self {
            server: server.to_string(),
            endpoint: endpoint.to_string(),
            resource: resource.to_owned(),
            client,
            ..Self::default()
        }
    }

    /// What the file says of this server.
    pub(super) fn read(file: &Path, server: &Url) -> Self {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let kept = serde_json::from_str(&text).ok().filter(|kept: &Self| kept.server == server.as_str());
        kept.unwrap_or_else(|| Self { server: server.to_string(), ..Self::default() })
    }

    /// Keeps it. Where that fails, the next process has to ask again.
    pub(super) fn write(&self, file: &Path) {
        if let Err(error) = self.try_write(file) {
            tracing::warn!(target: "flowc::mcp", file = %file.display(), %error, "a login could not be kept");
        }
    }

    fn try_write(&self, file: &Path) -> std::io::Result<()> {
        let folder = file.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        // Tokens are nothing for version control.
        std::fs::write(folder.join(".gitignore"), "*\n")?;
        let new = file.with_extension(format!("{}.new", std::process::id()));
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&new)?.write_all(&serde_json::to_vec(self)?)?;
        std::fs::rename(new, file)
    }

    /// The token, while it is good.
    pub(super) fn token(&self) -> Option<String> {
        let good = self.until.is_none_or(|until| now() + MARGIN < until);
        self.token.clone().filter(|_| good)
    }

    pub(super) fn refreshable(&self) -> bool {
        self.refresh.is_some()
    }

    pub(super) fn refresh_token(&self) -> Option<&str> {
        self.refresh.as_deref()
    }

    pub(super) fn scopes(&self) -> &[String] {
        &self.scopes
    }

    /// Takes in what was given out for these scopes.
    pub(super) fn take(&mut self, given: Given, scopes: &[String]) {
        let Given { access_token, refresh_token, expires_in, scope } = given;
        self.token = Some(access_token);
        self.refresh = refresh_token.or_else(|| self.refresh.take());
        self.until = expires_in.map(|seconds| now() + seconds);
        let given = scope.map(|scope| scope.split_ascii_whitespace().map(str::to_owned).collect());
        self.scopes = given.unwrap_or_else(|| scopes.to_vec());
    }

    /// Notes what the next login is to ask for.
    pub(super) fn want(&mut self, scopes: &[String]) {
        self.scopes = scopes.to_vec();
    }

    pub(super) fn forget(&mut self) {
        self.token = None;
        self.refresh = None;
    }

    /// The same before anybody logged in.
    pub(super) fn without_token(mut self) -> Self {
        self.forget();
        self
    }
}

#[allow(clippy::disallowed_methods, reason = "another machine says how long a token lives, by the time of day")]
fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}
