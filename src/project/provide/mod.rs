//! `[provide.NAMESPACE]`: who provides the tools of a namespace. One file per kind of provider, each with its `KIND`:
//! its keys, how they are read, and what they make. The built-in ones are in [`crate::project::builtin`].

mod endpoint;
mod mcp;
mod openapi;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;
use url::Url;

use crate::project::builtin;
use crate::project::keys::{Key, Keys, Shape};
use crate::project::lock::Lock;
use crate::project::policy::{self, Policy};
use crate::project::reader::{Entry, Reader, list};
use crate::project::remotes::Remotes;
use crate::run::{Clock, Secrets, Tool};
use crate::tools::http::{AllowPrivate, Allowed, HttpClient, HttpConfig};
use crate::tools::listed::Remote;
use crate::tools::{Governed, standard};
use crate::types::{Text, is_name};

/// Who provides a namespace's tools, and how they are called.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Who.
    pub source: Arc<dyn Provide>,
    /// What holds for all its tools.
    pub policy: Policy,
    /// What holds for one of them, by the name after the dot.
    pub tools: IndexMap<Text, Policy>,
}

/// The settings of a provider. Its tools are known by themselves ([`Provide::tools`]), or have to be asked for
/// ([`Provide::remote`]): then they are those of the lock file.
pub trait Provide: Debug + Send + Sync {
    /// The secrets it sends, each with the address it sends it to: secrets that name no hosts themselves are bound to
    /// these.
    fn secrets(&self) -> Vec<(&str, &Url)> {
        Vec::new()
    }

    /// The secrets that it sends where the service says, each with the service's address: those that name no hosts
    /// themselves are bound to it, the others to theirs.
    fn secrets_elsewhere(&self) -> Vec<(&str, &Url)> {
        Vec::new()
    }

    /// Its tools. Opens and reaches nothing: programs are checked against these, too.
    fn tools(&self, namespace: &str, world: &World) -> Vec<Arc<dyn Tool>> {
        let _ = (namespace, world);
        Vec::new()
    }

    /// What is asked for its tools. Made once for a project; reaches nothing by itself.
    fn remote(&self, namespace: &str, world: &World) -> Option<Arc<dyn Remote>> {
        let _ = (namespace, world);
        None
    }
}

/// What providers are made with.
#[derive(Clone)]
pub struct World {
    /// The project's folder: what paths of the settings are relative to.
    pub root: PathBuf,
    /// The project's client for what flows name themselves.
    pub http: HttpConfig,
    /// The engine's clock.
    pub clock: Arc<dyn Clock>,
    /// What the project's secrets stand for.
    pub secrets: Arc<dyn Secrets>,
    /// What `flow.lock` holds.
    pub(super) lock: Arc<Lock>,
    pub(super) remotes: Arc<Remotes>,
}

/// A kind of provider.
pub(super) struct Kind {
    /// What it is called: `builtin = "NAME"`, or the name of the key that it is known by.
    pub(super) name: &'static str,
    pub(super) keys: Keys,
    /// Reads its settings. The entries are of its keys, and those required are there.
    pub(super) read: fn(&mut Reader, &[Entry<'_>]) -> Option<Arc<dyn Provide>>,
}

/// The kinds that any namespace may have.
pub(super) const KINDS: &[Kind] = &[endpoint::KIND, mcp::KIND, openapi::KIND];

/// The keys that stand beside those of every kind.
pub(super) const COMMON: &[Key] = &[
    Key::new("builtin", Shape::Text, "The built-in provider; not needed where it is named like the namespace."),
    Key::new("tools", Shape::Each(&Shape::Table(Keys::new(policy::KEYS, &[]))), "The rules of single tools, by name."),
];

/// Reads `[provide.NAMESPACE]`.
pub(super) fn read(reader: &mut Reader, namespace: &Entry<'_>) -> Option<Provider> {
    let table = reader.table(namespace)?;
    if !is_name(namespace.name) {
        let help = "it is what stands before the dot of a tool's name: letters, digits and `_`";
        reader.wrong(namespace, &format!("`{}` is no name for a namespace", namespace.name), help);
        return None;
    }
    let kind = kind(reader, namespace)?;
    let entries = reader.entries(table, &[kind.keys.all, policy::KEYS, COMMON]);
    let (mut policy, mut tools) = (Policy::default(), IndexMap::new());
    for entry in &entries {
        if entry.name == "tools" {
            tools = read_tools(reader, entry, namespace.name, kind);
        } else if !kind.keys.has(entry.name) {
            policy.take(reader, entry);
        }
    }
    if kind.name == endpoint::KIND.name && !standard::catalog().has_namespace(namespace.name) {
        let known: Vec<_> = standard::namespaces().iter().map(|namespace| namespace.name).collect();
        let help = format!("only tools of the standard catalog are posted to an endpoint: {}", list(&known));
        reader.wrong(namespace, &format!("the tools of `{}` are not known", namespace.name), &help);
    }
    reader.has(namespace, &entries, &kind.keys)?;
    let source = (kind.read)(reader, &entries)?;
    Some(Provider { source, policy, tools })
}

/// The kind of provider: the one whose name is among the keys, else the built-in that `builtin` or the namespace names.
fn kind(reader: &mut Reader, namespace: &Entry<'_>) -> Option<&'static Kind> {
    let table = reader.table(namespace)?;
    let all = || KINDS.iter().chain(builtin::KINDS);
    let marked: Vec<&Kind> = all().filter(|kind| kind.keys.has(kind.name) && table.contains_key(kind.name)).collect();
    let named = reader.find(table, &["builtin"]);
    match (marked.as_slice(), named) {
        ([kind], None) => Some(*kind),
        ([], Some(named)) => {
            let name = reader.text(&named)?;
            let found = builtin::KINDS.iter().find(|kind| kind.name == name);
            if found.is_none() {
                let known: Vec<_> = builtin::KINDS.iter().map(|kind| kind.name).collect();
                reader.wrong_value(&named, &format!("there is no built-in `{name}`"), &choice(name, &known));
            }
            found
        }
        ([], None) => {
            let found = builtin::KINDS.iter().find(|kind| kind.name == namespace.name);
            if found.is_none() {
                let message = format!("nothing says who provides `{}`", namespace.name);
                let mut help = String::from("write one of ");
                help.push_str(&list(
                    &all().filter(|kind| kind.keys.has(kind.name)).map(|kind| kind.name).collect::<Vec<_>>(),
                ));
                if let Some(meant) =
                    crate::diagnostic::nearest(namespace.name, standard::namespaces().iter().map(|n| n.name))
                {
                    help = format!("did you mean `{meant}`? Else {help}");
                }
                reader.wrong(namespace, &message, &help);
            }
            found
        }
        (marked, named) => {
            let keys: BTreeSet<&str> = marked.iter().map(|kind| kind.name).chain(named.map(|_| "builtin")).collect();
            let keys = list(&keys.into_iter().collect::<Vec<_>>());
            reader.wrong(namespace, &format!("a namespace has one provider, found {keys}"), "keep one of them");
            None
        }
    }
}

/// The known name that was meant, or all there are.
pub(super) fn choice(name: &str, known: &[&str]) -> String {
    match crate::diagnostic::nearest(name, known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if known.is_empty() => "there are none".to_owned(),
        None => format!("there is {}", list(known)),
    }
}

fn read_tools(reader: &mut Reader, entry: &Entry<'_>, namespace: &str, kind: &Kind) -> IndexMap<Text, Policy> {
    let mut tools = IndexMap::new();
    let Some(table) = reader.table(entry) else { return tools };
    // What has to be asked for its tools is compared with the lock file: see `Project::idle_rules`.
    let asked = [mcp::KIND.name, openapi::KIND.name].contains(&kind.name);
    let known: Vec<&str> = standard::signatures()
        .filter(|tool| !asked && tool.namespace() == namespace)
        .filter_map(|tool| Some(tool.name.split_once('.')?.1))
        .collect();
    for tool in reader.all(table) {
        let Some(keys) = reader.table(&tool) else { continue };
        if !known.is_empty() && !known.contains(&tool.name) {
            let message = format!("there is no tool `{namespace}.{}`", tool.name);
            reader.wrong(&tool, &message, &choice(tool.name, &known));
        }
        let mut policy = Policy::default();
        for key in reader.entries(keys, &[policy::KEYS]) {
            policy.take(reader, &key);
        }
        tools.insert(Text::new(tool.name), policy);
    }
    tools
}

impl Provider {
    /// Its tools, under the operator's rules.
    pub(super) fn governed(&self, namespace: &str, world: &World) -> Vec<Arc<dyn Tool>> {
        let shared = self.policy.gate(&world.clock);
        let mut tools = match world.remotes.get(namespace, self, world) {
            Some(remote) => {
                let known = world.lock.tools(namespace).into_iter().flatten();
                known.map(|(name, listed)| remote.tool(&format!("{namespace}.{name}"), listed)).collect()
            }
            None => self.source.tools(namespace, world),
        };
        tools.retain_mut(|tool| {
            let mut signature = (*tool.signature()).clone();
            let own = signature.name.split_once('.').and_then(|(_, name)| self.tools.get(name));
            if own.and_then(|own| own.hide).or(self.policy.hide) == Some(true) {
                return false;
            }
            self.policy.apply(&mut signature);
            if let Some(own) = own {
                own.apply(&mut signature);
            }
            let gates: Vec<_> = shared.iter().cloned().chain(own.and_then(|own| own.gate(&world.clock))).collect();
            if !gates.is_empty() || signature != *tool.signature() {
                *tool = Arc::new(Governed::new(Arc::clone(tool), signature, gates));
            }
            true
        });
        tools
    }
}

impl World {
    /// A client for a service that the operator named, which may therefore be private; what it redirects to may not.
    pub fn client(&self, service: &Url) -> Arc<HttpClient> {
        client_of(&self.http, service)
    }

    /// A path of the settings.
    pub fn path(&self, path: &Path) -> PathBuf {
        self.root.join(path)
    }
}

/// See [`World::client`].
pub(super) fn client_of(http: &HttpConfig, service: &Url) -> Arc<HttpClient> {
    let host = service.host_str().and_then(|host| host.parse::<Allowed>().ok());
    let allow_private = host.map_or(AllowPrivate::None, |host| AllowPrivate::Only(vec![host]));
    Arc::new(HttpClient::new(HttpConfig { allow_private, ..http.clone() }))
}
