//! Secrets: where they are and whom they may be sent to is in `flow.toml`; what they are is in the environment, in files,
//! or said by a program such as a password manager.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use indexmap::IndexMap;
use url::Host;

use crate::project::keys::{Key, Keys, Shape};
use crate::project::reader::{Entry, Reader};
use crate::run::{SecretUse, Secrets};

const ENV: Key = Key::new("env", Shape::Text, "The environment variable it is in.");
const FILE: Key = Key::new("file", Shape::Text, "The file it is in, relative to the project's folder.");
const COMMAND: Key =
    Key::new("command", Shape::SomeTexts, "A program and its arguments; it writes the secret to its output.");
const HOSTS: Key = Key::new(
    "hosts",
    Shape::Texts,
    "The hosts it may be sent to, like \"api.example.com\" or \"*.example.com\"; without it, those of the providers that \
     name it.",
);
pub(super) const SHAPE: Shape = Shape::OneOf(&[
    Keys::new(&[ENV, HOSTS], &["env"]),
    Keys::new(&[FILE, HOSTS], &["file"]),
    Keys::new(&[COMMAND, HOSTS], &["command"]),
]);

/// How long a program may take to say a secret.
const PATIENCE: Duration = Duration::from_secs(30);

/// A secret's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// Where it is.
    pub source: SecretSource,
    /// The hosts it may be sent to: `api.example.com`, `*.example.com` for those below it.
    pub hosts: Vec<String>,
    /// Where it names no hosts: those of the providers that name it.
    pub implied: Vec<String>,
}

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// `{ env = "VARIABLE" }`
    Env(String),
    /// `{ file = "path" }`, relative to the project's folder.
    File(PathBuf),
    /// `{ command = ["pass", "show", "key"] }`: what the program writes to its output.
    Command(Vec<String>),
}

/// Reads `[secrets]`.
pub(super) fn read(reader: &mut Reader, entry: &Entry<'_>) -> IndexMap<String, Secret> {
    let mut secrets = IndexMap::new();
    let Some(table) = reader.table(entry) else { return secrets };
    for secret in reader.all(table) {
        let Some(keys) = reader.table(&secret) else { continue };
        let (mut sources, mut hosts) = (Vec::new(), Vec::new());
        for key in reader.entries(keys, &[&[ENV, FILE, COMMAND, HOSTS]]) {
            match key.name {
                "env" => sources.push(reader.text(&key).map(|name| SecretSource::Env(name.to_owned()))),
                "file" => sources.push(reader.text(&key).map(|path| SecretSource::File(path.into()))),
                "command" => sources.push(reader.texts(&key).map(SecretSource::Command)),
                _ => {
                    hosts = reader.each(&key, "a list of hosts like `[\"api.example.com\"]`", host).unwrap_or_default();
                }
            }
        }
        match <[_; 1]>::try_from(sources) {
            Ok([Some(source)]) => {
                secrets.insert(secret.name.to_owned(), Secret { source, hosts, implied: Vec::new() });
            }
            Ok([None]) => {}
            Err(_) => reader.wrong(
                &secret,
                "a secret has one place",
                "write `{ env = \"VARIABLE\" }`, `{ file = \"path\" }` or `{ command = [\"program\"] }`",
            ),
        }
    }
    secrets
}

/// A host's name or address, or `*.` and a name.
fn host(text: &str) -> Result<String, String> {
    let bare = text.strip_prefix("*.").unwrap_or(text);
    match Host::parse(bare) {
        Ok(Host::Domain(_)) => Ok(text.to_ascii_lowercase()),
        Ok(_) if bare == text => Ok(text.to_ascii_lowercase()),
        _ => Err(format!("`{text}` is no host: write it like `api.example.com` or `*.example.com`")),
    }
}

impl Secret {
    /// Whether it may be sent to this host.
    pub(super) fn allows(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.hosts.iter().chain(&self.implied).any(|allowed| match allowed.strip_prefix("*.") {
            Some(parent) => host.strip_suffix(parent).is_some_and(|sub| sub.len() > 1 && sub.ends_with('.')),
            None => *allowed == host,
        })
    }
}

/// The secrets of a project.
#[derive(Clone, Debug)]
pub struct ProjectSecrets {
    root: PathBuf,
    secrets: IndexMap<String, Secret>,
    /// What programs said: they are asked once.
    said: Arc<Mutex<Said>>,
}

#[derive(Default)]
struct Said(HashMap<String, String>);

impl std::fmt::Debug for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

impl ProjectSecrets {
    /// These secrets; files and programs are relative to `root`.
    pub fn new(root: &Path, secrets: IndexMap<String, Secret>) -> Self {
        Self { root: root.to_path_buf(), secrets, said: Arc::default() }
    }

    fn find(&self, name: &str, source: &SecretSource) -> Result<String, String> {
        match source {
            #[allow(clippy::disallowed_methods, reason = "this is the room that configuration comes from")]
            SecretSource::Env(variable) => std::env::var(variable)
                .map_err(|_| format!("the secret `{name}` is empty: the environment variable `{variable}` is not set")),
            SecretSource::File(path) => std::fs::read_to_string(self.root.join(path))
                .map_err(|error| format!("the secret `{name}` cannot be read from `{}`: {error}", path.display())),
            SecretSource::Command(command) => {
                let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(value) = said.0.get(name) {
                    return Ok(value.clone());
                }
                let value = ask(command, &self.root).map_err(|why| {
                    let program = command.first().map_or("", String::as_str);
                    format!("the secret `{name}` cannot be had from `{program}`: {why}")
                })?;
                said.0.insert(name.to_owned(), value.clone());
                Ok(value)
            }
        }
    }
}

impl Secrets for ProjectSecrets {
    fn resolve(&self, name: &str, of: SecretUse<'_>) -> Result<String, String> {
        let Some(secret) = self.secrets.get(name) else {
            return Err(format!(
                "the secret `{name}` is not configured: add `{name} = {{ env = \"{name}\" }}` under `[secrets]` in \
                 `flow.toml`"
            ));
        };
        // Programs are named in `flow.toml` only, with the secrets they get.
        if let SecretUse::Host(host) = of
            && !secret.allows(host)
        {
            return Err(format!(
                "the secret `{name}` is not for `{host}`: to let it be sent there, add `\"{host}\"` to its `hosts` under \
                 `[secrets]` in `flow.toml`"
            ));
        }
        let value = self.find(name, &secret.source)?;
        let value = value.trim_end_matches(['\r', '\n']);
        if value.is_empty() { Err(format!("the secret `{name}` is empty")) } else { Ok(value.to_owned()) }
    }
}

/// What a program writes to its output.
fn ask(command: &[String], root: &Path) -> Result<String, String> {
    let (program, arguments) = command.split_first().ok_or("no program is named")?;
    #[allow(clippy::disallowed_methods, reason = "the operator named the program that keeps the secret")]
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(|error| error.to_string())?;
    let (done, output) = mpsc::channel();
    if let Some(mut pipe) = child.stdout.take() {
        std::thread::spawn(move || {
            let mut text = String::new();
            let read = pipe.read_to_string(&mut text);
            done.send(read.map(|_| text))
        });
    }
    let output = output.recv_timeout(PATIENCE);
    if output.is_err() {
        let _ = child.kill();
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    match output {
        Err(_) => Err(format!("it said nothing within {} s", PATIENCE.as_secs())),
        Ok(_) if !status.success() => Err(format!("it ended with {status}")),
        Ok(text) => text.map_err(|error| error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(folder: &Path, secrets: &[(&str, SecretSource)]) -> ProjectSecrets {
        let bound = |source: &SecretSource| Secret {
            source: source.clone(),
            hosts: vec!["api.example.com".into(), "*.flow.example".into(), "127.0.0.1".into()],
            implied: Vec::new(),
        };
        let secrets = secrets.iter().map(|(name, source)| ((*name).to_owned(), bound(source))).collect();
        ProjectSecrets::new(folder, secrets)
    }

    #[test]
    fn they_come_from_files_and_programs_and_say_what_is_missing() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("key"), "s3cret\n").expect("a file");
        let command = |words: &[&str]| SecretSource::Command(words.iter().map(|word| (*word).to_owned()).collect());
        let secrets = secrets(
            folder.path(),
            &[
                ("A", SecretSource::File("key".into())),
                ("B", SecretSource::File("nowhere".into())),
                ("C", SecretSource::Env("FLOW_NO_SUCH_VARIABLE".into())),
                ("E", command(&["cat", "key"])),
                ("F", command(&["false"])),
                ("G", command(&["no-such-program-anywhere"])),
            ],
        );
        let resolve = |name| secrets.resolve(name, SecretUse::Process("tool"));
        assert_eq!(resolve("A").as_deref(), Ok("s3cret"));
        assert!(resolve("B").is_err_and(|why| why.contains("`nowhere`")));
        assert!(resolve("C").is_err_and(|why| why.contains("FLOW_NO_SUCH_VARIABLE")));
        assert!(resolve("D").is_err_and(|why| why.contains("[secrets]")));
        assert_eq!(resolve("E").as_deref(), Ok("s3cret"));
        std::fs::remove_file(folder.path().join("key")).expect("a file");
        assert_eq!(resolve("E").as_deref(), Ok("s3cret"), "a program is asked once");
        assert!(resolve("F").is_err_and(|why| why.contains("it ended with exit status: 1")));
        assert!(resolve("G").is_err_and(|why| why.contains("`no-such-program-anywhere`")));
        assert!(!format!("{secrets:?}").contains("s3cret"));
    }

    #[test]
    fn they_are_given_to_their_hosts_only() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("key"), "s3cret").expect("a file");
        let secrets = secrets(folder.path(), &[("A", SecretSource::File("key".into()))]);
        for host in ["api.example.com", "API.example.com.", "a.flow.example", "a.b.flow.example", "127.0.0.1"] {
            assert_eq!(secrets.resolve("A", SecretUse::Host(host)).as_deref(), Ok("s3cret"), "{host}");
        }
        for host in ["example.com", "evil-api.example.com", "flow.example", "evilflow.example", ".flow.example", ""] {
            let why = secrets.resolve("A", SecretUse::Host(host)).expect_err(host);
            assert!(why.contains("hosts") && !why.contains("s3cret"), "{why}");
        }
    }
}
