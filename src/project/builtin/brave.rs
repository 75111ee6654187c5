//! `[provide.brave]`: the web by Brave Search.

use std::sync::Arc;

use url::Url;

use crate::project::builtin::api;
use crate::project::keys::Keys;
use crate::project::provide::{Kind, Provide, World};
use crate::run::Tool;
use crate::tools::{ApiKey, brave};

pub(super) const KIND: Kind = Kind {
    name: "brave",
    keys: Keys::new(&[api::API_KEY, api::BASE_URL, api::HEADERS], &["api_key"]),
    read: |reader, entries| {
        let mut config = brave::config("");
        for entry in entries {
            api::take(&mut config, reader, entry, |secret| ApiKey::header("x-subscription-token", secret));
        }
        Some(Arc::new(Settings(config)))
    },
};

#[derive(Debug)]
struct Settings(brave::Config);

impl Provide for Settings {
    fn secrets(&self) -> Vec<(&str, &Url)> {
        self.0.secrets().map(|secret| (secret, &self.0.base_url)).collect()
    }

    fn tools(&self, _namespace: &str, world: &World) -> Vec<Arc<dyn Tool>> {
        brave::tools(self.0.clone(), &world.client(&self.0.base_url))
    }
}
