//! `mcp = { … }`: an MCP server, started as a program or reached over HTTP.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;
use url::Url;

use crate::project::keys::{Key, Keys, Shape};
use crate::project::provide::{Kind, Provide, World};
use crate::project::reader::{Entry, Reader};
use crate::tools::Setting;
use crate::tools::listed::Remote;
use crate::tools::mcp::{AuthSettings, Grant, McpServer, McpSettings, Reach};

pub(super) const KIND: Kind = Kind {
    name: "mcp",
    keys: Keys::new(
        &[Key::new("mcp", Shape::OneOf(&[STDIO, HTTP]), "An MCP server: a program, or an address.")],
        &["mcp"],
    ),
    read: |reader, entries| {
        let entry = entries.iter().find(|entry| entry.name == "mcp")?;
        Some(Arc::new(read(reader, entry)?))
    },
};

const STDIO: Keys = Keys::new(
    &[
        Key::new("command", Shape::SomeTexts, "The program and its arguments."),
        Key::new(
            "env",
            Shape::Each(&Shape::Setting),
            "Its environment, beside `PATH`, `HOME` and `LANG`; it sees nothing else of flowc's.",
        ),
        Key::new("cwd", Shape::Text, "The folder it is started in, relative to the project's."),
    ],
    &["command"],
);

const HTTP: Keys = Keys::new(
    &[
        Key::new("url", Shape::Url, "The server's endpoint for streamable HTTP."),
        Key::new("bearer", Shape::Secret, "The secret that is sent as `Authorization: Bearer …`."),
        Key::new("headers", Shape::Each(&Shape::Setting), "Headers of every request."),
        Key::new(
            "auth",
            Shape::Table(AUTH),
            "Who calls, by OAuth; empty for people who log in by `flowc tools login`.",
        ),
    ],
    &["url"],
);

const AUTH: Keys = Keys::new(
    &[
        Key::new(
            "grant",
            Shape::Pattern("^(authorization_code|client_credentials)$"),
            "Whether a person logs in, \"authorization_code\", or the program is known itself, \"client_credentials\"; \
             the former.",
        ),
        Key::new(
            "client_id",
            Shape::Setting,
            "What the authorization server calls us, or the https address of a document that says it; without it, we \
             register.",
        ),
        Key::new("client_secret", Shape::Secret, "The secret that goes with it."),
        Key::new(
            "private_key",
            Shape::Secret,
            "The key that signs who we are instead: PKCS #8 in PEM, of P-256, RSA or Ed25519.",
        ),
        Key::new("scopes", Shape::SomeTexts, "What is asked for, beside what the server says it wants."),
        Key::new("port", Shape::Count, "The port of this machine that a login comes back to; any without it."),
    ],
    &[],
);

/// `mcp = { … }`, read.
#[derive(Clone, Debug)]
struct Settings {
    reach: Reach,
    auth: Option<Auth>,
}

/// `auth = { … }`, read.
#[derive(Clone, Debug)]
struct Auth {
    grant: Grant,
    client_id: Option<Setting>,
    scopes: Vec<String>,
    port: Option<u16>,
}

fn read(reader: &mut Reader, entry: &Entry<'_>) -> Option<Settings> {
    if reader.table(entry)?.contains_key("url") {
        let (mut url, mut bearer, mut headers, mut auth) = (None, None, IndexMap::new(), None);
        for key in reader.whole(entry, &HTTP)? {
            match key.name {
                "url" => url = reader.url(&key),
                "bearer" => bearer = reader.secret(&key),
                "auth" => auth = Some((key.clone(), read_auth(reader, &key)?)),
                _ => headers = reader.headers(&key).unwrap_or_default(),
            }
        }
        if let (Some((key, _)), Some(_)) = (&auth, &bearer) {
            reader.wrong(key, "a server is told once who calls: by `bearer` or by `auth`", "keep one of them");
        }
        let reach = Reach::Http { url: url?, bearer, headers, auth: None };
        return Some(Settings { reach, auth: auth.map(|(_, auth)| auth) });
    }
    let (mut command, mut env, mut cwd) = (None, IndexMap::new(), PathBuf::new());
    for key in reader.whole(entry, &STDIO)? {
        match key.name {
            "command" => command = reader.texts(&key),
            "env" => env = reader.settings(&key).unwrap_or_default(),
            _ => cwd = reader.text(&key).map(PathBuf::from).unwrap_or_default(),
        }
    }
    Some(Settings { reach: Reach::Stdio { command: command?, env, cwd }, auth: None })
}

fn read_auth(reader: &mut Reader, entry: &Entry<'_>) -> Option<Auth> {
    let (mut program, mut client_id, mut secret, mut key) = (false, None, None, None);
    let (mut scopes, mut port) = (Vec::new(), None);
    for it in reader.whole(entry, &AUTH)? {
        match it.name {
            "grant" => {
                let what = "`\"authorization_code\"` or `\"client_credentials\"`";
                program = reader.read(&it, what, |name| match name {
                    "authorization_code" => Some(false),
                    "client_credentials" => Some(true),
                    _ => None,
                })?;
            }
            "client_id" => client_id = reader.setting(&it),
            "client_secret" => secret = reader.secret(&it),
            "private_key" => key = reader.secret(&it),
            "scopes" => scopes = reader.texts(&it)?,
            _ => port = reader.count(&it).and_then(|port| u16::try_from(port).ok()),
        }
    }
    let grant = match (program, secret, key) {
        (false, secret, None) => Grant::Person(secret),
        (true, Some(secret), None) if client_id.is_some() => Grant::Secret(secret),
        (true, None, Some(key)) if client_id.is_some() => Grant::Key(key),
        (false, ..) => {
            reader.wrong(entry, "a person who logs in is known by no `private_key`", "leave it out");
            return None;
        }
        (true, ..) => {
            let help = "name a `client_id`, and its `client_secret` or its `private_key`";
            reader.wrong(entry, "nothing says who the program is", help);
            return None;
        }
    };
    Some(Auth { grant, client_id, scopes, port })
}

impl Provide for Settings {
    fn secrets(&self) -> Vec<(&str, &Url)> {
        match &self.reach {
            // Given to a process, which no host is known of.
            Reach::Stdio { .. } => Vec::new(),
            Reach::Http { url, bearer, headers, .. } => {
                let headers = headers.values().filter_map(Setting::secret);
                bearer.as_deref().into_iter().chain(headers).map(|secret| (secret, url)).collect()
            }
        }
    }

    /// Where tokens are given out, the server says.
    fn secrets_elsewhere(&self) -> Vec<(&str, &Url)> {
        let (Reach::Http { url, .. }, Some(auth)) = (&self.reach, &self.auth) else { return Vec::new() };
        let grant = match &auth.grant {
            Grant::Person(secret) => secret.as_deref(),
            Grant::Secret(secret) | Grant::Key(secret) => Some(secret.as_str()),
        };
        let id = auth.client_id.as_ref().and_then(Setting::secret);
        grant.into_iter().chain(id).map(|secret| (secret, url)).collect()
    }

    fn remote(&self, namespace: &str, world: &World) -> Option<Arc<dyn Remote>> {
        let (mut reach, client) = match &self.reach {
            Reach::Stdio { .. } => (self.reach.clone(), Arc::default()),
            Reach::Http { url, .. } => (self.reach.clone(), world.client(url)),
        };
        match &mut reach {
            Reach::Stdio { cwd, .. } => *cwd = world.path(cwd),
            Reach::Http { auth, .. } => {
                *auth = self.auth.clone().map(|Auth { grant, client_id, scopes, port }| AuthSettings {
                    grant,
                    client_id,
                    scopes,
                    port,
                    kept: world.path(Path::new(".flow/logins")).join(format!("{namespace}.json")),
                    secrets: Arc::clone(&world.secrets),
                });
            }
        }
        let settings = McpSettings { name: namespace.to_owned(), reach, max_message: world.http.max_body };
        Some(Arc::new(McpServer::new(settings, client)))
    }
}
