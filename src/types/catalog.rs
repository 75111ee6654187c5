//! Tool signatures: all that the checker knows of a tool.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::types::{Text, Type};

/// What a tool takes, gives and may do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signature {
    /// `namespace.tool`.
    pub name: Text,
    /// What it does, for people and models.
    pub doc: String,
    /// Names of type parameters (`T`), used in `params` and `result` as [`Type::Var`]. Each is bound by the argument
    /// of a `schema<T>` parameter.
    pub generics: Vec<Text>,
    /// Parameters in order.
    pub params: Vec<Param>,
    /// What it gives.
    pub result: Type,
    /// What is known of its safety and price.
    pub annotations: Annotations,
}

/// A tool's parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Param {
    /// Its name.
    pub name: Text,
    /// Its type, without the `?` of an optional one.
    pub ty: Type,
    /// Whether a call must give it. One that is left out is not sent: the tool has its own default.
    pub required: bool,
    /// The default the tool documents, for people; calls do not send it.
    pub default: Option<serde_json::Value>,
    /// What it means.
    pub doc: String,
}

/// What is known of a tool's effects, and how it is best called. `None` is unknown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Annotations {
    /// It changes nothing.
    pub read_only: Option<bool>,
    /// Twice is the same as once.
    pub idempotent: Option<bool>,
    /// It may destroy.
    pub destructive: Option<bool>,
    /// The parameter that takes the idempotency key.
    pub key: Option<Text>,
    /// What one call costs at most, in USD.
    pub cost_usd: Option<f64>,
    /// How long an attempt may take where the step does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// How a failed call is tried again where the step does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
}

/// Attempts after a failed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// How many.
    pub count: u32,
    /// The first and the longest wait; the engine's own where it is none.
    pub backoff: Option<(Duration, Duration)>,
}

impl Annotations {
    /// Known to change nothing.
    pub fn read_only() -> Self {
        Self { read_only: Some(true), destructive: Some(false), ..Self::default() }
    }

    /// Whether running it a second time is known to do no harm: read-only, idempotent, or it takes a key.
    pub fn repeatable(&self) -> bool {
        self.read_only == Some(true) || self.idempotent == Some(true) || self.key.is_some()
    }

    /// Whether it is destructive and nothing makes a second call harmless.
    pub fn harmful_twice(&self) -> bool {
        self.destructive == Some(true) && !self.repeatable()
    }
}

impl Signature {
    /// A tool that takes nothing yet; see [`Signature::param`].
    pub fn new(name: impl Into<Text>, doc: impl Into<String>, result: Type) -> Self {
        Self {
            name: name.into(),
            doc: doc.into(),
            generics: Vec::new(),
            params: Vec::new(),
            result,
            annotations: Annotations::default(),
        }
    }

    /// Adds a required parameter.
    #[must_use]
    pub fn param(mut self, name: &str, ty: Type, doc: &str) -> Self {
        self.params.push(Param { name: name.into(), ty, required: true, default: None, doc: doc.into() });
        self
    }

    /// Adds a parameter that may be left out.
    #[must_use]
    pub fn optional(mut self, name: &str, ty: Type, default: Option<serde_json::Value>, doc: &str) -> Self {
        self.params.push(Param { name: name.into(), ty, required: false, default, doc: doc.into() });
        self
    }

    /// Adds a type parameter.
    #[must_use]
    pub fn generic(mut self, name: &str) -> Self {
        self.generics.push(name.into());
        self
    }

    /// Says what is known of its effects.
    #[must_use]
    pub fn annotated(mut self, annotations: Annotations) -> Self {
        self.annotations = annotations;
        self
    }

    /// The part before the first dot.
    pub fn namespace(&self) -> &str {
        self.name.split_once('.').map_or(self.name.as_str(), |(namespace, _)| namespace)
    }

    /// A parameter by name.
    pub fn find(&self, name: &str) -> Option<&Param> {
        self.params.iter().find(|param| param.name == name)
    }
}

/// The tools there are, by name: what a program is checked against.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    tools: IndexMap<Text, Arc<Signature>>,
}

impl Catalog {
    /// No tools at all.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Adds a tool, in place of one of the same name.
    pub fn add(&mut self, signature: impl Into<Arc<Signature>>) {
        let signature = signature.into();
        self.tools.insert(signature.name.clone(), signature);
    }

    /// A tool by its full name.
    pub fn get(&self, name: &str) -> Option<&Arc<Signature>> {
        self.tools.get(name)
    }

    /// All tools, in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Signature>> {
        self.tools.values()
    }

    /// Whether any tool's name begins with `namespace.`.
    pub fn has_namespace(&self, namespace: &str) -> bool {
        self.tools.values().any(|tool| tool.namespace() == namespace)
    }
}

impl Extend<Signature> for Catalog {
    fn extend<I: IntoIterator<Item = Signature>>(&mut self, tools: I) {
        for tool in tools {
            self.add(tool);
        }
    }
}
