//! `[provide.vercel]`: deployments on Vercel.

use std::sync::Arc;

use url::Url;

use crate::project::builtin::api;
use crate::project::keys::{Key, Keys, Shape};
use crate::project::provide::{Kind, Provide, World};
use crate::run::Tool;
use crate::tools::{ApiKey, vercel};

pub(super) const KIND: Kind = Kind {
    name: "vercel",
    keys: Keys::new(
        &[
            api::API_KEY,
            Key::new("team", Shape::Text, "The team whose deployments are meant, by its id or its slug."),
            api::BASE_URL,
            api::HEADERS,
        ],
        &["api_key"],
    ),
    read: |reader, entries| {
        let mut config = vercel::config("");
        for entry in entries {
            api::take(&mut config.api, reader, entry, ApiKey::Bearer);
            if entry.name == "team" {
                config.team = reader.text(entry).map(str::to_owned);
            }
        }
        Some(Arc::new(Settings(config)))
    },
};

#[derive(Debug)]
struct Settings(vercel::Config);

impl Provide for Settings {
    fn secrets(&self) -> Vec<(&str, &Url)> {
        self.0.api.secrets().map(|secret| (secret, &self.0.api.base_url)).collect()
    }

    fn tools(&self, _namespace: &str, world: &World) -> Vec<Arc<dyn Tool>> {
        vercel::tools(self.0.clone(), &world.client(&self.0.api.base_url))
    }
}
