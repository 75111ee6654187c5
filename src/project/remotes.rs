//! The servers and documents that a project's tools have to be asked for: asking them, and comparing what they say with
//! the lock file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::join_all;

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Severity, nearest};
use crate::project::drift::{Change, changes};
use crate::project::lock::{self, LOCK_NAME, Lock, Tools};
use crate::project::provide::{Provider, World};
use crate::project::{EngineOptions, Project};
use crate::run::ToolError;
use crate::tools::listed::{Listed, Opener, Remote};
use crate::types::Signature;
use crate::value::ErrorKind;

/// The remotes of a project, by namespace; each is made once.
#[derive(Default)]
pub(super) struct Remotes(Mutex<BTreeMap<String, Option<Arc<dyn Remote>>>>);

impl std::fmt::Debug for Remotes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Remotes").finish()
    }
}

impl Remotes {
    /// The remote of a namespace, if its tools have to be asked for.
    pub(super) fn get(&self, namespace: &str, provider: &Provider, world: &World) -> Option<Arc<dyn Remote>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(namespace.to_owned()).or_insert_with(|| provider.source.remote(namespace, world)).clone()
    }

    fn all(&self) -> Vec<Arc<dyn Remote>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().flatten().cloned().collect()
    }
}

/// What asking everyone came to.
#[derive(Debug)]
pub struct Synced {
    /// What the lock file is to hold.
    pub lock: Lock,
    /// Each namespace and what its side said.
    pub asked: Vec<(String, Result<Asked, ToolError>)>,
}

/// A namespace that was asked.
#[derive(Debug, Default)]
pub struct Asked {
    /// How many tools it has.
    pub tools: usize,
    /// Its tools that are new.
    pub added: Vec<String>,
    /// Those that are gone.
    pub removed: Vec<String>,
    /// Those that are not what they were, and how.
    pub changed: Vec<(String, Vec<Change>)>,
}

impl Project {
    /// The namespaces whose tools have to be asked for, and have never been.
    pub fn unsynced(&self) -> Vec<&str> {
        let world = self.world(EngineOptions::default());
        let unknown = |namespace: &str, provider| {
            self.lock.tools(namespace).is_none() && self.remotes.get(namespace, provider, &world).is_some()
        };
        let provide = self.config.provide.iter();
        provide.filter(|(namespace, provider)| unknown(namespace, provider)).map(|(name, _)| name.as_str()).collect()
    }

    /// The rules of `flow.toml` for single tools that the lock file does not know, with the name that may be meant.
    pub fn idle_rules(&self) -> Vec<(String, Option<String>)> {
        let mut idle = Vec::new();
        for (namespace, provider) in &self.config.provide {
            let Some(known) = self.lock.tools(namespace) else { continue };
            for tool in provider.tools.keys().filter(|tool| !known.contains_key(tool.as_str())) {
                let meant = nearest(tool, known.keys().map(String::as_str));
                idle.push((format!("{namespace}.{tool}"), meant.map(|meant| format!("{namespace}.{meant}"))));
            }
        }
        idle
    }

    /// Where its lock file is.
    pub fn lock_file(&self) -> PathBuf {
        self.root.join(LOCK_NAME)
    }

    /// Asks every server and document for its tools, all at once. A namespace that does not answer keeps what the lock
    /// file says of it.
    pub async fn sync(&self) -> Synced {
        let old = &*self.lock;
        let remotes = self.remotes(|_| true);
        let secrets = self.secrets();
        let answers = join_all(remotes.iter().map(|(_, remote)| remote.list(&secrets))).await;
        let mut lock = Lock::clone(old);
        lock.retain(|namespace| remotes.iter().any(|(known, _)| known == namespace));
        let mut asked = Vec::new();
        for ((namespace, _), answer) in remotes.into_iter().zip(answers) {
            let said = answer.map(|listed| {
                let tools = lock::named(listed);
                let said = compare(old.tools(&namespace).unwrap_or(&Tools::new()), &tools);
                lock.set(&namespace, tools);
                said
            });
            asked.push((namespace, said));
        }
        Synced { lock, asked }
    }

    /// Compares the tools among `used` that are asked for with what the lock file says of them, by asking their servers.
    /// Gives warnings for what has changed and does no harm. A server that cannot be reached is left to the steps that
    /// call it.
    ///
    /// # Errors
    /// A tool is gone, or has changed so that a program checked against the lock file may fail.
    pub async fn verify(&self, used: &[Arc<Signature>]) -> Result<Diagnostics, Diagnostics> {
        let namespaces: BTreeSet<&str> = used.iter().map(|tool| tool.namespace()).collect();
        let remotes = self.remotes(|namespace| namespaces.contains(namespace));
        let secrets = self.secrets();
        let answers = join_all(remotes.iter().map(|(_, remote)| remote.list(&secrets))).await;
        let mut list = Vec::new();
        for ((namespace, _), answer) in remotes.iter().zip(answers) {
            let live = match answer {
                Ok(listed) => lock::named(listed),
                Err(error) => {
                    tracing::warn!(namespace, %error, "the tools could not be compared with the lock file");
                    continue;
                }
            };
            let known = self.lock.tools(namespace);
            for tool in used.iter().filter(|tool| tool.namespace() == namespace) {
                let name = tool.name.split_once('.').map_or("", |(_, name)| name);
                let Some(old) = known.and_then(|known| known.get(name)) else { continue };
                list.extend(self.drift(namespace, name, old, live.get(name)));
            }
        }
        let broken = list.iter().any(|found| found.severity() == Severity::Error);
        let found = Diagnostics { sources: self.lock.sources(), list };
        if broken { Err(found) } else { Ok(found) }
    }

    fn drift(&self, namespace: &str, name: &str, old: &Listed, live: Option<&Listed>) -> Option<Diagnostic> {
        let place = self.lock.place(namespace, name);
        let help = "look at the difference, take it over with `flowc tools sync`, and check again";
        let Some(live) = live else {
            let message = format!("the tool `{namespace}.{name}` is gone");
            return Some(Diagnostic::new(Code::TOOL_CHANGED, place, message).help(help));
        };
        let found = difference(old, live);
        if found.is_empty() {
            return None;
        }
        let code = if found.iter().any(|change| change.breaking) { Code::TOOL_CHANGED } else { Code::SCHEMA_DRIFT };
        let told: Vec<&str> = found.iter().map(|change| change.text.as_str()).collect();
        let message = format!("the tool `{namespace}.{name}` has changed: {}", told.join("; "));
        Some(Diagnostic::new(code, place, message).help(help))
    }

    /// Lets a person log in to a namespace's server, whom `opener` shows where. Gives how many tools there are for them.
    ///
    /// # Errors
    /// There is no such namespace, nobody logs in to it, or the login failed.
    pub async fn login(&self, namespace: &str, opener: Opener) -> Result<usize, ToolError> {
        let Some((_, remote)) = self.remotes(|known| known == namespace).into_iter().next() else {
            let why = format!("`flow.toml` names no server for `{namespace}`");
            return Err(ToolError::new(ErrorKind::Invalid, why));
        };
        remote.login(&self.secrets(), opener).await
    }

    /// Ends the servers that were started for its tools.
    pub async fn close(&self) {
        join_all(self.remotes.all().iter().map(|remote| remote.close())).await;
    }

    fn remotes(&self, wanted: impl Fn(&str) -> bool) -> Vec<(String, Arc<dyn Remote>)> {
        let world = self.world(EngineOptions::default());
        let provide = self.config.provide.iter().filter(|(namespace, _)| wanted(namespace));
        provide
            .filter_map(|(namespace, provider)| {
                Some((namespace.clone(), self.remotes.get(namespace, provider, &world)?))
            })
            .collect()
    }
}

fn compare(old: &Tools, new: &Tools) -> Asked {
    let mut asked = Asked { tools: new.len(), ..Asked::default() };
    asked.removed = old.keys().filter(|name| !new.contains_key(*name)).cloned().collect();
    for (name, tool) in new {
        match old.get(name) {
            None => asked.added.push(name.clone()),
            Some(was) => {
                let changes = difference(was, tool);
                if !changes.is_empty() {
                    asked.changed.push((name.clone(), changes));
                }
            }
        }
    }
    asked
}

/// What has changed about a tool.
fn difference(old: &Listed, new: &Listed) -> Vec<Change> {
    if lock::hash(old) == lock::hash(new) && old.annotations == new.annotations {
        return Vec::new();
    }
    let mut found = changes(&old.signature("").0, &new.signature("").0);
    if found.is_empty() {
        found.push(Change { text: "~ words of its schemas that types do not show".to_owned(), breaking: false });
    }
    found
}
