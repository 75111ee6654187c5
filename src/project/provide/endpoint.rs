//! `endpoint = "https://…"`: a service of the operator's that calls are posted to, each under its tool's name.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::project::keys::{Key, Keys, Shape};
use crate::project::provide::{Kind, Provide, World};
use crate::run::Tool;
use crate::tools::http::HttpConfig;
use crate::tools::{Endpoint, standard};

pub(super) const KIND: Kind = Kind {
    name: "endpoint",
    keys: Keys::new(
        &[
            Key::new("endpoint", Shape::Url, "Where calls are posted to, each under its tool's name."),
            Key::new("bearer", Shape::Secret, "The secret that is sent as `Authorization: Bearer …`."),
        ],
        &["endpoint"],
    ),
    read: |reader, entries| {
        let (mut endpoint, mut bearer) = (None, None);
        for entry in entries {
            match entry.name {
                "endpoint" => endpoint = reader.url(entry),
                "bearer" => bearer = reader.secret(entry),
                _ => {}
            }
        }
        Some(Arc::new(Settings { endpoint: endpoint?, bearer }))
    },
};

#[derive(Debug)]
struct Settings {
    endpoint: Url,
    bearer: Option<String>,
}

impl Provide for Settings {
    fn secrets(&self) -> Vec<(&str, &Url)> {
        self.bearer.iter().map(|bearer| (bearer.as_str(), &self.endpoint)).collect()
    }

    fn tools(&self, namespace: &str, world: &World) -> Vec<Arc<dyn Tool>> {
        // The engine bounds the time of a call; the client would only cut it shorter.
        let http = HttpConfig { timeout: Duration::from_hours(24), ..world.http.clone() };
        let client = World { http, ..world.clone() }.client(&self.endpoint);
        let signatures = standard::signatures().filter(|signature| signature.namespace() == namespace);
        let endpoint = |signature| {
            Endpoint::new(Arc::clone(&client), Arc::clone(signature), self.endpoint.clone(), self.bearer.clone())
        };
        signatures.map(|signature| Arc::new(endpoint(signature)) as Arc<dyn Tool>).collect()
    }
}
