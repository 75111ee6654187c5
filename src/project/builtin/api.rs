//! What the settings of providers behind JSON APIs have in common.

use crate::project::keys::{Key, Shape};
use crate::project::reader::{Entry, Reader};
use crate::tools::{ApiConfig, ApiKey};

pub(super) const API_KEY: Key = Key::new("api_key", Shape::Secret, "The secret that is sent as its key.");
pub(super) const BASE_URL: Key =
    Key::new("base_url", Shape::Url, "Its address, in place of the service's own: a proxy, or a service like it.");
pub(super) const HEADERS: Key =
    Key::new("headers", Shape::Each(&Shape::Setting), "Headers of every request, in place of the usual ones.");

/// Takes an entry in, if it is one of the keys here; `key` says how the secret is sent.
pub(super) fn take(config: &mut ApiConfig, reader: &mut Reader, entry: &Entry<'_>, key: fn(String) -> ApiKey) {
    match entry.name {
        "api_key" => config.key = reader.secret(entry).map(key),
        "base_url" => {
            if let Some(base_url) = reader.url(entry) {
                config.base_url = base_url;
            }
        }
        "headers" => {
            for (name, value) in reader.headers(entry).unwrap_or_default() {
                config.headers.insert(name.to_ascii_lowercase(), value);
            }
        }
        _ => {}
    }
}
