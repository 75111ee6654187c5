//! `flow.toml`, read: every key there is, checked against the text it stands in.

use std::path::PathBuf;

use indexmap::IndexMap;
use url::Url;

use crate::diagnostic::Diagnostics;
use crate::project::reader::{Entry, Reader, Table};
use crate::run::Limits;
use crate::source::SourceFile;
use crate::tools::http::{AllowPrivate, HttpConfig};
use crate::tools::standard;

/// A project's settings.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// `[http]`
    pub http: HttpSettings,
    /// `[limits]`
    pub limits: Limits,
    /// `[secrets]`: where each secret is.
    pub secrets: IndexMap<String, SecretSource>,
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

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// `{ env = "VARIABLE" }`
    Env(String),
    /// `{ file = "path" }`, relative to the project's folder.
    File(PathBuf),
}

/// A service that provides a namespace's tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// `endpoint`: where calls are posted to, each under its tool's name.
    pub endpoint: Url,
    /// `bearer`: the name of a secret to send as `Authorization: Bearer …`.
    pub bearer: Option<String>,
}

impl Config {
    /// Reads a `flow.toml`.
    ///
    /// # Errors
    /// Everything that is wrong in it, each at its place.
    pub fn parse(source: SourceFile) -> Result<Self, Diagnostics> {
        let text = source.shared_text();
        let mut reader = Reader::new(source);
        let mut config = Self::default();
        if let Some(table) = reader.parse(&text) {
            config.read(&mut reader, &table);
        }
        reader.finish(config)
    }

    fn read(&mut self, reader: &mut Reader, table: &Table<'_>) {
        for entry in reader.entries(table, &["http", "limits", "secrets", "provide"]) {
            match entry.name {
                "http" => self.http.read(reader, &entry),
                "limits" => read_limits(&mut self.limits, reader, &entry),
                "secrets" => self.read_secrets(reader, &entry),
                _ => self.read_providers(reader, &entry),
            }
        }
        self.check_bearers(reader, table);
    }

    fn read_secrets(&mut self, reader: &mut Reader, entry: &Entry<'_>) {
        let Some(table) = reader.table(entry) else { return };
        for secret in reader.all(table) {
            let Some(places) = reader.table(&secret) else { continue };
            let mut sources = Vec::new();
            for place in reader.entries(places, &["env", "file"]) {
                if let Some(text) = reader.text(&place) {
                    sources.push(match place.name {
                        "env" => SecretSource::Env(text.to_owned()),
                        _ => SecretSource::File(text.into()),
                    });
                }
            }
            match <[SecretSource; 1]>::try_from(sources) {
                Ok([source]) => {
                    self.secrets.insert(secret.name.to_owned(), source);
                }
                Err(_) => reader.wrong(
                    &secret,
                    "a secret has one place",
                    "write `{ env = \"VARIABLE\" }` or `{ file = \"path\" }`",
                ),
            }
        }
    }

    fn read_providers(&mut self, reader: &mut Reader, entry: &Entry<'_>) {
        let Some(table) = reader.table(entry) else { return };
        let namespaces: Vec<_> = standard::namespaces().iter().map(|namespace| namespace.name).collect();
        for provider in reader.entries(table, &namespaces) {
            let Some(keys) = reader.table(&provider) else { continue };
            let (mut endpoint, mut bearer) = (None, None);
            for key in reader.entries(keys, &["endpoint", "bearer"]) {
                match key.name {
                    "endpoint" => endpoint = reader.url(&key),
                    _ => bearer = reader.text(&key).map(str::to_owned),
                }
            }
            match endpoint {
                Some(endpoint) => {
                    self.provide.insert(provider.name.to_owned(), Provider { endpoint, bearer });
                }
                None if !keys.contains_key("endpoint") => reader.wrong(
                    &provider,
                    "the key `endpoint` is missing",
                    "say where calls are posted to: `endpoint = \"https://…\"`",
                ),
                None => {}
            }
        }
    }

    /// A bearer names a secret that is there.
    fn check_bearers(&self, reader: &mut Reader, table: &Table<'_>) {
        for (namespace, provider) in &self.provide {
            let Some(bearer) = provider.bearer.as_deref() else { continue };
            if self.secrets.contains_key(bearer) {
                continue;
            }
            if let Some(entry) = reader.find(table, &["provide", namespace, "bearer"]) {
                let help = format!("add `{bearer} = {{ env = \"{bearer}\" }}` under `[secrets]`");
                reader.wrong(&entry, &format!("there is no secret `{bearer}`"), &help);
            }
        }
    }
}

impl HttpSettings {
    fn read(&mut self, reader: &mut Reader, entry: &Entry<'_>) {
        let Some(table) = reader.table(entry) else { return };
        for entry in reader.entries(table, &["allow_private", "max_body"]) {
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
    let Some(table) = reader.table(entry) else { return };
    let known = [
        "fuel",
        "depth",
        "value_bytes",
        "tool_output_bytes",
        "fan_out",
        "in_flight",
        "events",
        "tool_timeout",
        "longest_timeout",
    ];
    for entry in reader.entries(table, &known) {
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

fn set<T>(setting: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *setting = value;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn parse(text: &str) -> Result<Config, Vec<String>> {
        Config::parse(SourceFile::new("flow.toml", text)).map_err(|wrong| {
            let line = |diagnostic: &crate::diagnostic::Diagnostic| {
                let at = wrong.sources.locate(diagnostic.span);
                let help = diagnostic.help.as_deref().map(|help| format!(" ({help})")).unwrap_or_default();
                format!("{at}: {}{help}", diagnostic.message)
            };
            wrong.list.iter().map(line).collect()
        })
    }

    #[test]
    fn reads_everything_there_is() {
        let config = parse(
            r#"
            [http]
            allow_private = ["127.0.0.1", "localhost", "10.0.0.0/8"]
            max_body = 1_000
            [limits]
            fan_out = 100
            tool_timeout = "2m"
            longest_timeout = "3s"
            [secrets]
            TOKEN = { env = "TOKEN" }
            KEY = { file = "keys/key" }
            [provide.brave]
            endpoint = "http://127.0.0.1:9000/tools"
            bearer = "TOKEN"
            "#,
        )
        .expect("a config");
        assert!(matches!(&config.http.allow_private, AllowPrivate::Only(list) if list.len() == 3));
        assert_eq!(config.http.max_body, 1000);
        assert_eq!(config.limits.fan_out, 100);
        assert_eq!(config.limits.tool_timeout, Duration::from_mins(2));
        assert_eq!(config.limits.longest_timeout, Some(Duration::from_secs(3)));
        assert_eq!(config.secrets["KEY"], SecretSource::File("keys/key".into()));
        assert_eq!(config.provide["brave"].bearer.as_deref(), Some("TOKEN"));
        assert!(matches!(parse("http.allow_private = true").expect("a config").http.allow_private, AllowPrivate::All));
        assert!(parse("").is_ok());
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        let wrong = parse(
            "[htpp]\n[http]\nallow_privat = true\nmax_body = -1\nallow_private = [\"a b\"]\n[secrets]\nA = \
             \"x\"\nB = {}\n[provide.barve]\n[provide.brave]\nbearer = \"C\"\n[provide.llm]\nendpoint = \"nowhere\"\n\
             [provide.web]\nendpoint = \"http://x.example\"\nbearer = \"C\"\n",
        )
        .expect_err("wrong");
        insta::assert_snapshot!(wrong.join("\n"), @r#"
        flow.toml:1:2: unknown key `htpp` (did you mean `http`?)
        flow.toml:3:1: unknown key `allow_privat` (did you mean `allow_private`?)
        flow.toml:4:12: `max_body` must be a number above zero
        flow.toml:5:18: `a b` is neither a host, an address nor a network
        flow.toml:7:5: `A` must be a table
        flow.toml:8:1: a secret has one place (write `{ env = "VARIABLE" }` or `{ file = "path" }`)
        flow.toml:9:10: unknown key `barve` (did you mean `brave`?)
        flow.toml:10:10: the key `endpoint` is missing (say where calls are posted to: `endpoint = "https://…"`)
        flow.toml:13:12: `endpoint` must be an address like `"https://tools.example/flow"`
        flow.toml:16:1: there is no secret `C` (add `C = { env = "C" }` under `[secrets]`)
        "#);
    }

    #[test]
    fn syntax_errors_have_a_place() {
        let wrong = parse("[http]\nmax_body = \n").expect_err("wrong");
        assert!(wrong[0].starts_with("flow.toml:2:"), "{wrong:?}");
    }
}
