//! Where an OpenAPI document is, and how its service is called.

use std::path::PathBuf;

use indexmap::IndexMap;
use url::Url;

use crate::tools::Setting;

/// A service that an OpenAPI document describes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenApiSettings {
    /// Where the document is.
    pub document: Document,
    /// Where calls go, in place of the document's first server.
    pub base_url: Option<Url>,
    /// How calls say who they are.
    pub auth: Option<Auth>,
    /// Headers of every call.
    pub headers: IndexMap<String, Setting>,
}

/// Where an OpenAPI document is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// In a file.
    File(PathBuf),
    /// At an address.
    Url(Url),
}

/// How calls say who they are. Secrets are named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// `Authorization: Bearer …`
    Bearer(String),
    /// `Authorization: Basic …` (RFC 7617)
    Basic {
        /// The user.
        user: Setting,
        /// The secret that is the password.
        password: String,
    },
    /// A key, where the document's security scheme of type `apiKey` says: a header, a parameter of the query or a cookie.
    ApiKey(String),
    /// A token by client credentials (RFC 6749, section 4.4).
    ClientCredentials {
        /// Where tokens are given out, in place of what the document says.
        token_url: Option<Url>,
        /// The client.
        client_id: Setting,
        /// The secret of the client.
        client_secret: String,
        /// What is asked for; all that the document names where it is empty.
        scopes: Vec<String>,
    },
}
