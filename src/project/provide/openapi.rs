//! `openapi = "…"`: a service that an OpenAPI document describes.

use std::sync::Arc;

use indexmap::IndexMap;
use url::Url;

use crate::project::keys::{Key, Keys, Shape};
use crate::project::provide::{Kind, Provide, World, client_of};
use crate::project::reader::{Entry, Reader, web_address};
use crate::tools::Setting;
use crate::tools::http::HttpClient;
use crate::tools::listed::Remote;
use crate::tools::openapi::{Auth, Document, OpenApi, OpenApiSettings};

pub(super) const KIND: Kind = Kind {
    name: "openapi",
    keys: Keys::new(
        &[
            Key::new("openapi", Shape::Text, "The OpenAPI document (3.0 or 3.1, JSON or YAML): a file or an address."),
            Key::new("base_url", Shape::Url, "Where calls go, in place of the document's first server."),
            Key::new("bearer", Shape::Secret, "The secret that is sent as `Authorization: Bearer …`."),
            Key::new("basic", Shape::Table(BASIC), "A user and a password (HTTP Basic)."),
            Key::new("api_key", Shape::Secret, "A key, sent where the document's `apiKey` security scheme says."),
            Key::new("oauth2", Shape::Table(OAUTH2), "OAuth 2.0 client credentials."),
            Key::new("headers", Shape::Each(&Shape::Setting), "Headers of every call."),
        ],
        &["openapi"],
    ),
    read: |reader, entries| Some(Arc::new(read(reader, entries)?)),
};

const BASIC: Keys = Keys::new(
    &[
        Key::new("user", Shape::Setting, "The user."),
        Key::new("password", Shape::Secret, "The secret that is the password."),
    ],
    &["user", "password"],
);

const OAUTH2: Keys = Keys::new(
    &[
        Key::new("client_id", Shape::Setting, "The client."),
        Key::new("client_secret", Shape::Secret, "The client's secret."),
        Key::new("token_url", Shape::Url, "Where tokens are given out, in place of what the document says."),
        Key::new("scopes", Shape::Texts, "What is asked for."),
    ],
    &["client_id", "client_secret"],
);

fn read(reader: &mut Reader, entries: &[Entry<'_>]) -> Option<OpenApiSettings> {
    let (mut document, mut base_url, mut auth, mut headers) = (None, None, Vec::new(), IndexMap::new());
    for entry in entries {
        match entry.name {
            "openapi" => document = reader.text(entry).map(location),
            "base_url" => base_url = reader.url(entry),
            "headers" => headers = reader.headers(entry).unwrap_or_default(),
            "bearer" => auth.push((entry, reader.secret(entry).map(Auth::Bearer))),
            "api_key" => auth.push((entry, reader.secret(entry).map(Auth::ApiKey))),
            "basic" => auth.push((entry, read_basic(reader, entry))),
            "oauth2" => auth.push((entry, read_oauth2(reader, entry))),
            _ => {}
        }
    }
    if let Some((second, _)) = auth.get(1) {
        reader.wrong(second, "calls say who they are in one way", "keep one of `bearer`, `basic`, `api_key`, `oauth2`");
    }
    let auth = auth.into_iter().next().and_then(|(_, auth)| auth);
    Some(OpenApiSettings { document: document?, base_url, auth, headers })
}

fn location(text: &str) -> Document {
    web_address(text).map_or_else(|| Document::File(text.into()), Document::Url)
}

fn read_basic(reader: &mut Reader, entry: &Entry<'_>) -> Option<Auth> {
    let (mut user, mut password) = (None, None);
    for key in reader.whole(entry, &BASIC)? {
        match key.name {
            "user" => user = reader.setting(&key),
            _ => password = reader.secret(&key),
        }
    }
    Some(Auth::Basic { user: user?, password: password? })
}

fn read_oauth2(reader: &mut Reader, entry: &Entry<'_>) -> Option<Auth> {
    let (mut client_id, mut client_secret, mut token_url, mut scopes) = (None, None, None, Vec::new());
    for key in reader.whole(entry, &OAUTH2)? {
        match key.name {
            "client_id" => client_id = reader.setting(&key),
            "client_secret" => client_secret = reader.secret(&key),
            "token_url" => token_url = reader.url(&key),
            _ => scopes = reader.texts(&key).unwrap_or_default(),
        }
    }
    Some(Auth::ClientCredentials { token_url, client_id: client_id?, client_secret: client_secret?, scopes })
}

impl Provide for OpenApiSettings {
    fn secrets(&self) -> Vec<(&str, &Url)> {
        let mut names: Vec<&str> = self.headers.values().filter_map(Setting::secret).collect();
        let mut sent = Vec::new();
        match &self.auth {
            Some(Auth::Bearer(secret) | Auth::ApiKey(secret)) => names.push(secret),
            Some(Auth::Basic { user, password }) => names.extend(user.secret().into_iter().chain([password.as_str()])),
            Some(Auth::ClientCredentials { token_url: Some(token_url), client_id, client_secret, .. }) => {
                sent.extend(
                    client_id.secret().into_iter().chain([client_secret.as_str()]).map(|name| (name, token_url)),
                );
            }
            _ => {}
        }
        let base = match (&self.base_url, &self.document) {
            (Some(base), _) | (None, Document::Url(base)) => Some(base),
            (None, Document::File(_)) => None,
        };
        sent.extend(base.into_iter().flat_map(|base| names.iter().map(move |name| (*name, base))));
        sent
    }

    fn remote(&self, namespace: &str, world: &World) -> Option<Arc<dyn Remote>> {
        let mut settings = self.clone();
        if let Document::File(path) = &mut settings.document {
            *path = world.path(path);
        }
        let document = match &self.document {
            Document::Url(url) if self.base_url.is_none() => url.host_str().map(str::to_owned),
            _ => None,
        };
        let http = world.http.clone();
        // A document from elsewhere must not lead into this network by the servers it names.
        let client = move |url: &Url| match &document {
            Some(host) if url.host_str() != Some(host) => Arc::new(HttpClient::new(http.clone())),
            _ => client_of(&http, url),
        };
        Some(Arc::new(OpenApi::new(namespace, settings, client)))
    }
}
