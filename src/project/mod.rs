//! A project: the folder with a `flow.toml`, and what its flows may use. Builds the catalog that programs are checked
//! against, without a network, and the engine that runs them.

mod artifacts;
mod builtin;
mod config;
mod drift;
mod keys;
mod lock;
mod policy;
mod provide;
mod reader;
mod remotes;
mod runs;
mod schema;
mod secrets;
mod serve;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::diagnostic::Diagnostics;
#[cfg(unix)]
use crate::project::builtin::browser;
use crate::project::remotes::Remotes;
use crate::run::{Engine, EngineBuilder, Limits, Registry, TokioClock, Tool};
use crate::source::SourceFile;
use crate::tools::artifacts::StoreImages;
use crate::tools::http::{AllowPrivate, HttpClient, HttpConfig};
use crate::tools::standard_tools;
use crate::types::Catalog;

pub use artifacts::ArtifactSettings;
#[cfg(unix)]
pub use builtin::browser::find_chromium;
pub use config::{Config, HttpSettings};
pub use drift::Change;
pub use lock::{LOCK_NAME, Lock};
pub use policy::{Policy, Safety};
pub use provide::{Provide, Provider, World};
pub use remotes::{Asked, Synced};
pub use runs::RunSettings;
pub use schema::schema;
pub use secrets::{ProjectSecrets, Secret, SecretSource};
pub use serve::{EmbedSetting, ResourceOrigin, ResourceSettings, ServeSettings};

/// The file that makes a folder a project.
pub const FILE_NAME: &str = "flow.toml";

/// A project.
#[derive(Clone, Debug, Default)]
pub struct Project {
    root: PathBuf,
    config: Config,
    lock: Arc<Lock>,
    remotes: Arc<Remotes>,
}

/// What a caller adds to a project's settings for one engine.
#[derive(Clone, Copy, Debug, Default)]
pub struct EngineOptions {
    /// Lets requests reach private networks, whatever `flow.toml` says.
    pub allow_private: bool,
    /// How long an attempt of a tool call may take whatever its step says.
    pub longest_timeout: Option<Duration>,
}

impl Project {
    /// The project that a folder, or the folder of a file, belongs to: the nearest ancestor with a `flow.toml`; without
    /// one, a project of defaults in the folder itself.
    ///
    /// # Errors
    /// What is wrong with the `flow.toml`.
    pub fn load(at: impl AsRef<Path>) -> Result<Self, Diagnostics> {
        let mut project = Self::load_without_lock(at)?;
        project.lock = Arc::new(Lock::read(&project.root, &shown(&project.root.join(LOCK_NAME)))?);
        Ok(project)
    }

    /// As [`Project::load`], as if no lock file were there: to write it anew.
    ///
    /// # Errors
    /// What is wrong with the `flow.toml`.
    pub fn load_without_lock(at: impl AsRef<Path>) -> Result<Self, Diagnostics> {
        let at = at.as_ref();
        let full = std::path::absolute(at).unwrap_or_else(|_| at.to_path_buf());
        let folder = if full.is_dir() { full.as_path() } else { full.parent().unwrap_or(&full) };
        for root in folder.ancestors() {
            let file = root.join(FILE_NAME);
            if file.is_file() {
                return Ok(Self::with_config(root, read(&file)?));
            }
        }
        Ok(Self::with_config(folder, Config::default()))
    }

    /// A project with these settings, for hosts that have no `flow.toml`.
    pub fn with_config(root: impl Into<PathBuf>, config: Config) -> Self {
        Self { root: root.into(), config, ..Self::default() }
    }

    /// Its folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Its settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What its programs are checked against: the standard catalog, and what `flow.toml` adds and says of it. Reaches
    /// nothing.
    pub fn catalog(&self) -> Catalog {
        self.registry(&self.world(EngineOptions::default())).catalog()
    }

    /// An engine with its tools, secrets and limits, to add to and build. Every tool of the standard catalog is there;
    /// one that nothing provides fails and says how to configure it.
    pub fn engine_builder(&self, options: EngineOptions) -> EngineBuilder {
        let limits = Limits {
            longest_timeout: options.longest_timeout.or(self.config.limits.longest_timeout),
            usd_per_run: self.config.runs.usd_per_run,
            usd_per_day: self.config.runs.usd_per_day,
            ..self.config.limits.clone()
        };
        let world = self.world(options);
        let secrets = self.secrets();
        Engine::builder()
            .tools(self.registry(&world))
            .limits(limits)
            .artifacts(self.config.artifacts.store(&world, &secrets))
            .hook(StoreImages)
            .secrets(secrets)
    }

    /// Its tools. Those of a namespace that `flow.toml` names a provider for are that provider's, and no others.
    fn registry(&self, world: &World) -> Registry {
        let client = Arc::new(HttpClient::new(world.http.clone()));
        let mut registry = Registry::default();
        let provided = |tool: &Arc<dyn Tool>| self.config.provide.contains_key(tool.signature().namespace());
        let mut own = standard_tools(&client);
        #[cfg(unix)]
        own.extend(browser::Settings::default().tools("browser", world));
        registry.extend(own.into_iter().filter(|tool| !provided(tool)));
        for (namespace, provider) in &self.config.provide {
            registry.extend(provider.governed(namespace, world));
        }
        registry
    }

    fn secrets(&self) -> ProjectSecrets {
        ProjectSecrets::new(&self.root, self.config.secrets.clone())
    }

    /// What its tools are made with.
    fn world(&self, options: EngineOptions) -> World {
        let settings = &self.config.http;
        let allow_private = if options.allow_private { AllowPrivate::All } else { settings.allow_private.clone() };
        let http = HttpConfig { allow_private, max_body: settings.max_body, ..HttpConfig::default() };
        World {
            root: self.root.clone(),
            http,
            clock: Arc::new(TokioClock::default()),
            secrets: Arc::new(self.secrets()),
            lock: Arc::clone(&self.lock),
            remotes: Arc::clone(&self.remotes),
        }
    }
}

fn read(file: &Path) -> Result<Config, Diagnostics> {
    let text = std::fs::read_to_string(file);
    let source = SourceFile::new(shown(file), text.as_deref().unwrap_or_default());
    match text {
        Ok(_) => Config::parse(source),
        Err(error) => Err(reader::unreadable(source, &error)),
    }
}

/// A path as a person in this folder would write it.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::standard;

    #[test]
    fn the_nearest_ancestor_counts() {
        let folder = tempfile::tempdir().expect("a folder");
        let inner = folder.path().join("flows/deep");
        std::fs::create_dir_all(&inner).expect("folders");
        std::fs::write(folder.path().join(FILE_NAME), "[limits]\nfan_out = 7\n").expect("a file");
        let project = Project::load(&inner).expect("a project");
        assert_eq!(project.config().limits.fan_out, 7);
        assert_eq!(project.root(), folder.path());
        let by_file = Project::load(inner.join("a.flow")).expect("a project");
        assert_eq!(by_file.root(), folder.path());
    }

    #[test]
    fn every_standard_tool_is_registered_once() {
        let engine = Project::default().engine_builder(EngineOptions::default()).build().expect("an engine");
        for signature in standard::signatures() {
            assert!(engine.registry().get(&signature.name).is_some(), "{}", signature.name);
        }
        assert_eq!(engine.registry().iter().count(), standard::signatures().count());
    }

    #[test]
    fn the_operators_rules_are_in_the_catalog() {
        let text = r#"
            [provide.brave]
            endpoint = "https://tools.example"
            timeout = "7s"
            retry = { count = 5, backoff = "1s..2s" }
            rate = "10/s"
            cost = { usd = 0.5 }
            tools.search = { safety = "destructive", timeout = "9s" }
            [provide.memory]
            endpoint = "https://tools.example"
            hide = true
            tools.search = { hide = false, safety = "keyed:query" }
        "#;
        let config = Config::parse(SourceFile::new("flow.toml", text)).expect("a config");
        let catalog = Project::with_config(".", config).catalog();
        let search = &catalog.get("brave.search").expect("a tool").annotations;
        assert_eq!((search.read_only, search.destructive, search.cost_usd), (Some(false), Some(true), Some(0.5)));
        assert_eq!(search.timeout, Some(Duration::from_secs(9)));
        assert_eq!(search.retry.map(|retry| retry.count), Some(5));
        let memory: Vec<_> = catalog.iter().filter(|tool| tool.namespace() == "memory").collect();
        assert_eq!(memory.len(), 1);
        assert_eq!(memory[0].annotations.key.as_deref(), Some("query"));
    }
}
