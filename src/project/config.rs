//! `flow.toml`, read: every key there is, checked against the text it stands in.

use indexmap::IndexMap;

use crate::diagnostic::Diagnostics;
use crate::project::artifacts::{self, ArtifactSettings};
use crate::project::keys::{Key, Keys, Shape};
use crate::project::provide::{self, Provider};
use crate::project::reader::{Entry, Reader, Table};
use crate::project::runs::{self, RunSettings};
use crate::project::secrets::{self, Secret};
use crate::project::serve::{self, ServeSettings};
use crate::run::Limits;
use crate::source::SourceFile;
use crate::tools::http::{AllowPrivate, HttpConfig};

/// The keys of the file.
pub(super) const KEYS: &[Key] = &[
    Key::new("http", Shape::Table(HTTP), "How requests go out."),
    Key::new("limits", Shape::Table(LIMITS), "What a run may use."),
    Key::new("artifacts", Shape::Table(artifacts::KEYS), "Where pictures and files that tools make are kept."),
    Key::new("runs", Shape::Table(runs::KEYS), "Where runs are kept, how long, and what they may spend."),
    Key::new("mcp", Shape::Table(serve::KEYS), "What `flowc mcp` offers besides the flows as tools."),
    Key::new("secrets", Shape::Each(&secrets::SHAPE), "Where each secret is, and whom it may be sent to."),
    Key::new("provide", Shape::Providers, "Who provides the tools of each namespace."),
];

const HTTP: Keys = Keys::new(
    &[
        Key::new(
            "allow_private",
            Shape::Either(&Shape::Flag, &Shape::Texts),
            "Private hosts, addresses and networks that flows may reach; `true` for all.",
        ),
        Key::new("max_body", Shape::Count, "The largest answer that is read, in bytes."),
    ],
    &[],
);

const LIMITS: Keys = Keys::new(
    &[
        Key::new("fuel", Shape::Count, "Operations of one expression, about."),
        Key::new("depth", Shape::Count, "How deeply flows may call flows."),
        Key::new("value_bytes", Shape::Count, "How large a value may be."),
        Key::new("tool_output_bytes", Shape::Count, "How large a tool's result may be."),
        Key::new("fan_out", Shape::Count, "Items of a `parallel for`."),
        Key::new("in_flight", Shape::Count, "Iterations of one `parallel for` at once."),
        Key::new("events", Shape::Count, "Events of a run."),
        Key::new("tool_timeout", Shape::Duration, "An attempt of a tool call, where its step does not say."),
        Key::new("longest_timeout", Shape::Duration, "An attempt of a tool call, whatever its step says."),
    ],
    &[],
);

/// A project's settings.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// `[http]`
    pub http: HttpSettings,
    /// `[limits]`
    pub limits: Limits,
    /// `[artifacts]`
    pub artifacts: ArtifactSettings,
    /// `[runs]`
    pub runs: RunSettings,
    /// `[mcp]`
    pub mcp: ServeSettings,
    /// `[secrets]`: where each secret is.
    pub secrets: IndexMap<String, Secret>,
    /// `[provide.NAMESPACE]`: who provides the tools of a namespace.
    pub provide: IndexMap<String, Provider>,
}

/// How requests go out.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// `allow_private = true`, or a list of hosts, addresses and networks.
    pub allow_private: AllowPrivate,
    /// `max_body = 8_388_608`, in bytes.
    pub max_body: usize,
}

impl Default for HttpSettings {
    fn default() -> Self {
        let HttpConfig { allow_private, max_body, .. } = HttpConfig::default();
        Self { allow_private, max_body }
    }
}

impl Config {
    /// Reads a `flow.toml`.
    ///
    /// # Errors
    /// Everything that is wrong in it, each at its place.
    pub fn parse(source: SourceFile) -> Result<Self, Diagnostics> {
        let text = source.shared_text();
        let mut reader = Reader::new(source);
        let mut config = Self { runs: RunSettings::of_file(), ..Self::default() };
        if let Some(table) = reader.parse(&text) {
            config.read(&mut reader, &table);
        }
        reader.finish(config)
    }

    fn read(&mut self, reader: &mut Reader, table: &Table<'_>) {
        for entry in reader.entries(table, &[KEYS]) {
            match entry.name {
                "http" => self.http.read(reader, &entry),
                "limits" => read_limits(&mut self.limits, reader, &entry),
                "artifacts" => self.artifacts.read(reader, &entry),
                "runs" => self.runs.read(reader, &entry),
                "mcp" => self.mcp.read(reader, &entry),
                "secrets" => self.secrets = secrets::read(reader, &entry),
                _ => self.read_providers(reader, &entry),
            }
        }
        self.bind_secrets(reader);
    }

    fn read_providers(&mut self, reader: &mut Reader, entry: &Entry<'_>) {
        let Some(table) = reader.table(entry) else { return };
        for namespace in reader.all(table) {
            if let Some(provider) = provide::read(reader, &namespace) {
                self.provide.insert(namespace.name.to_owned(), provider);
            }
        }
    }

    /// Every secret that a setting names is there, and may be sent where its provider sends it.
    fn bind_secrets(&mut self, reader: &mut Reader) {
        for (name, place) in reader.take_secrets() {
            if !self.secrets.contains_key(&name) {
                let help = format!("add `{name} = {{ env = \"{name}\" }}` under `[secrets]`");
                reader.wrong_at(place, format!("there is no secret `{name}`"), help);
                continue;
            }
            let elsewhere = self.provide.values().flat_map(|provider| provider.source.secrets_elsewhere());
            let elsewhere = elsewhere.filter(|(secret, _)| *secret == name).filter_map(|(_, url)| url.host_str());
            let elsewhere: Vec<String> = elsewhere.map(str::to_owned).collect();
            if let Some(secret) = self.secrets.get_mut(&name).filter(|secret| secret.hosts.is_empty()) {
                secret.implied.extend(elsewhere);
            }
            for host in self.hosts(&name) {
                let Some(secret) = self.secrets.get_mut(&name).filter(|secret| !secret.allows(&host)) else { continue };
                if secret.hosts.is_empty() {
                    secret.implied.push(host);
                } else {
                    let help = format!("add `\"{host}\"` to its `hosts`, or use another secret");
                    reader.wrong_at(place.clone(), format!("the secret `{name}` is not for `{host}`"), help);
                }
            }
        }
    }

    /// Where the settings send a secret.
    fn hosts(&self, secret: &str) -> Vec<String> {
        let providers = self.provide.values().flat_map(|provider| provider.source.secrets());
        let used = providers.chain(self.artifacts.secrets()).filter(|(name, _)| *name == secret);
        used.filter_map(|(_, url)| url.host_str().map(str::to_owned)).collect()
    }
}

impl HttpSettings {
    fn read(&mut self, reader: &mut Reader, entry: &Entry<'_>) {
        for entry in reader.whole(entry, &HTTP).unwrap_or_default() {
            match entry.name {
                "allow_private" => {
                    if let Some(allow) = reader.allow_private(&entry) {
                        self.allow_private = allow;
                    }
                }
                _ => set(&mut self.max_body, reader.count(&entry)),
            }
        }
    }
}

fn read_limits(limits: &mut Limits, reader: &mut Reader, entry: &Entry<'_>) {
    for entry in reader.whole(entry, &LIMITS).unwrap_or_default() {
        match entry.name {
            "tool_timeout" => set(&mut limits.tool_timeout, reader.duration(&entry)),
            "longest_timeout" => limits.longest_timeout = reader.duration(&entry).or(limits.longest_timeout),
            name => {
                let Some(count) = reader.count(&entry) else { continue };
                match name {
                    "fuel" => limits.fuel = count as u64,
                    "depth" => limits.depth = u32::try_from(count).unwrap_or(u32::MAX),
                    "value_bytes" => limits.value_bytes = count,
                    "tool_output_bytes" => limits.tool_output_bytes = count,
                    "fan_out" => limits.fan_out = count,
                    "in_flight" => limits.in_flight = count,
                    _ => limits.events = count as u64,
                }
            }
        }
    }
}

/// Sets what was read, if it was.
pub(super) fn set<T>(setting: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *setting = value;
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
