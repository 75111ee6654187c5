//! `mcp = { … }`: an MCP server, started as a program or reached over HTTP.

use std::path::PathBuf;
use std::sync::Arc;

use indexmap::IndexMap;
use url::Url;

use crate::project::keys::{Key, Keys, Shape};
use crate::project::provide::{Kind, Provide, World};
use crate::project::reader::{Entry, Reader};
use crate::tools::Setting;
use crate::tools::listed::Remote;
use crate::tools::mcp::{McpServer, McpSettings, Reach};

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
    ],
    &["url"],
);

fn read(reader: &mut Reader, entry: &Entry<'_>) -> Option<Reach> {
    if reader.table(entry)?.contains_key("url") {
        let (mut url, mut bearer, mut headers) = (None, None, IndexMap::new());
        for key in reader.whole(entry, &HTTP)? {
            match key.name {
                "url" => url = reader.url(&key),
                "bearer" => bearer = reader.secret(&key),
                _ => headers = reader.headers(&key).unwrap_or_default(),
            }
        }
        return Some(Reach::Http { url: url?, bearer, headers });
    }
    let (mut command, mut env, mut cwd) = (None, IndexMap::new(), PathBuf::new());
    for key in reader.whole(entry, &STDIO)? {
        match key.name {
            "command" => command = reader.texts(&key),
            "env" => env = reader.settings(&key).unwrap_or_default(),
            _ => cwd = reader.text(&key).map(PathBuf::from).unwrap_or_default(),
        }
    }
    Some(Reach::Stdio { command: command?, env, cwd })
}

impl Provide for Reach {
    fn secrets(&self) -> Vec<(&str, &Url)> {
        match self {
            // Given to a process, which no host is known of.
            Self::Stdio { .. } => Vec::new(),
            Self::Http { url, bearer, headers } => {
                let headers = headers.values().filter_map(Setting::secret);
                bearer.as_deref().into_iter().chain(headers).map(|secret| (secret, url)).collect()
            }
        }
    }

    fn remote(&self, namespace: &str, world: &World) -> Option<Arc<dyn Remote>> {
        let (mut reach, client) = match self {
            Self::Stdio { .. } => (self.clone(), Arc::default()),
            Self::Http { url, .. } => (self.clone(), world.client(url)),
        };
        if let Self::Stdio { cwd, .. } = &mut reach {
            *cwd = world.path(cwd);
        }
        let settings = McpSettings { name: namespace.to_owned(), reach, max_message: world.http.max_body };
        Some(Arc::new(McpServer::new(settings, client)))
    }
}
