//! The ports: what the engine asks of the world. Edges implement them; the engine knows no edge by name.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use indexmap::IndexMap;

use crate::run::artifacts::Artifacts;
use crate::run::desk::Desk;
use crate::types::{Catalog, Signature, Text};
use crate::value::{ErrorKind, Value};

/// A tool: something a step can call.
pub trait Tool: Send + Sync {
    /// What it takes, gives and may do.
    fn signature(&self) -> Arc<Signature>;

    /// Whether it can be called at all: false of one that only stands in for what nothing here provides.
    fn available(&self) -> bool {
        true
    }

    /// Calls it once. `args` is a record of the arguments that were given; those left out are not there. The result
    /// is any JSON-like value; the engine makes it fit the signature. Dropping the future cancels the call: it must
    /// leave nothing running.
    fn call<'a>(&'a self, args: Value, context: ToolContext<'a>) -> BoxFuture<'a, Result<Value, ToolError>>;
}

/// What a call knows besides its arguments, and how it reports back.
#[derive(Clone, Copy)]
pub struct ToolContext<'a> {
    /// The run's id.
    pub run: &'a str,
    /// The step's path with its attempt.
    pub path: &'a str,
    /// From 1.
    pub attempt: u32,
    /// What the step's `key` says; see [`ToolContext::idempotency_key`].
    pub key: Option<&'a str>,
    /// How long the attempt may take; the engine ends it then.
    pub timeout: Option<Duration>,
    /// Where partial output and usage go.
    pub report: &'a dyn Report,
    /// What a secret stands for.
    pub secrets: &'a dyn Secrets,
    /// Where what the tool makes is kept; see [`ToolContext::store`].
    pub artifacts: &'a dyn Artifacts,
    /// Where the tool waits for what only the world outside the run can give.
    pub desk: &'a dyn Desk,
}

impl ToolContext<'_> {
    /// Keeps what the tool made and gives its handle: a value of the type `image` where the bytes are a picture, else
    /// of the type `file`. What the store has to say about it goes out as partial output.
    ///
    /// # Errors
    /// As [`Artifacts::store`].
    pub async fn store(&self, bytes: Vec<u8>, mime_type: &str, name: &str) -> Result<Value, ToolError> {
        let artifact = self.artifacts.store(bytes, mime_type, name).await?;
        if let Some(warning) = &artifact.warning {
            let about = [("warning", warning.as_str().into()), ("artifact", artifact.url.as_str().into())];
            self.report.output(Value::record_of(about));
        }
        Ok(artifact.into())
    }

    /// The same for every attempt of this step in this run: what makes a second delivery harmless where the other
    /// side takes such a key. It is what `key` says, or else the SHA-256 of the run's id and the step's path without
    /// its own attempt, in hex. A tool whose signature names a key parameter has it among its arguments already.
    pub fn idempotency_key(&self) -> Text {
        self.key.map_or_else(|| derived_key(self.run, self.path, self.attempt), Text::from)
    }
}

/// The idempotency key of a step: SHA-256 of the run's id, a zero byte, and the path without its own attempt.
pub(crate) fn derived_key(run: &str, path: &str, attempt: u32) -> Text {
    let step = if attempt > 1 { path.rsplit_once('#').map_or(path, |(step, _)| step) } else { path };
    hex_sha256(&[run.as_bytes(), &[0], step.as_bytes()])
}

/// The SHA-256 of some bytes, in hex.
pub(crate) fn hex_sha256(parts: &[&[u8]]) -> Text {
    use sha2::{Digest, Sha256};
    use std::fmt::Write;
    let mut sha = Sha256::new();
    for part in parts {
        sha.update(part);
    }
    let mut hex = String::with_capacity(64);
    for byte in sha.finalize() {
        let _ = write!(hex, "{byte:02x}");
    }
    Text::from(hex)
}

/// Where a tool's progress goes while it works.
pub trait Report: Send + Sync {
    /// Partial output: becomes a `step.output` event.
    fn output(&self, value: Value);
    /// Tokens and money spent by this call, added to what was reported before.
    fn usage(&self, usage: Usage);
}

/// What was spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Usage {
    /// Tokens read.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// US dollars.
    pub usd: f64,
}

impl Usage {
    /// Adds what was spent besides.
    pub fn add(&mut self, more: &Usage) {
        self.input_tokens += more.input_tokens;
        self.output_tokens += more.output_tokens;
        self.usd += more.usd;
    }
}

/// Resolves secrets at a tool's edge.
pub trait Secrets: Send + Sync {
    /// The secret's value, for this use and no other.
    ///
    /// # Errors
    /// A sentence that says what is missing, or that the secret is not for this use, and where that is configured;
    /// never the value.
    fn resolve(&self, name: &str, of: SecretUse<'_>) -> Result<String, String>;
}

/// Whom a secret is given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretUse<'a> {
    /// A host that it is sent to, by name or address, without a port.
    Host(&'a str),
    /// A program that the operator named, which finds it in its environment.
    Process(&'a str),
}

/// No secrets at all.
#[derive(Debug, Clone, Copy)]
pub struct NoSecrets;

impl Secrets for NoSecrets {
    fn resolve(&self, name: &str, _of: SecretUse<'_>) -> Result<String, String> {
        Err(format!("the secret `{name}` is not configured"))
    }
}

/// Why a tool call failed.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolError {
    /// Its kind: `timeout network rate_limit tool invalid denied internal`.
    pub kind: ErrorKind,
    /// What the tool said, in one line, without secrets.
    pub message: String,
    /// Whether trying again may help.
    pub retryable: bool,
    /// How long the other side asked to wait.
    pub retry_after: Option<Duration>,
    /// Whether it is known that nothing was delivered, so that a second call cannot do harm.
    pub undelivered: bool,
    /// More, for programs.
    pub details: Value,
}

impl ToolError {
    /// An error of a kind, retryable as the kind says.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            retryable: kind.retryable(),
            retry_after: None,
            undelivered: false,
            details: Value::Null,
        }
    }

    /// Says that nothing was delivered.
    #[must_use]
    pub fn undelivered(mut self) -> Self {
        self.undelivered = true;
        self
    }

    /// Says how long the other side asked to wait.
    #[must_use]
    pub fn retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// Adds details.
    #[must_use]
    pub fn details(mut self, details: Value) -> Self {
        self.details = details;
        self
    }
}

impl std::fmt::Display for ToolError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

impl std::error::Error for ToolError {}

/// The tools there are, by name.
#[derive(Clone, Default)]
pub struct Registry {
    tools: IndexMap<Text, Arc<dyn Tool>>,
}

impl Registry {
    /// Adds a tool, in place of one of the same name.
    pub fn add(&mut self, tool: Arc<dyn Tool>) {
        self.tools.insert(tool.signature().name.clone(), tool);
    }

    /// Adds a tool unless there is one of its name.
    pub fn add_missing(&mut self, tool: Arc<dyn Tool>) {
        self.tools.entry(tool.signature().name.clone()).or_insert(tool);
    }

    /// A tool by its full name.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Tool>> {
        self.tools.get(name)
    }

    /// All tools.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Tool>> {
        self.tools.values()
    }

    /// Their signatures: what programs are checked against.
    pub fn catalog(&self) -> Catalog {
        let mut catalog = Catalog::empty();
        for tool in self.tools.values() {
            catalog.add(tool.signature());
        }
        catalog
    }
}

impl IntoIterator for Registry {
    type Item = Arc<dyn Tool>;
    type IntoIter = indexmap::map::IntoValues<Text, Arc<dyn Tool>>;

    fn into_iter(self) -> Self::IntoIter {
        self.tools.into_values()
    }
}

impl Extend<Arc<dyn Tool>> for Registry {
    fn extend<I: IntoIterator<Item = Arc<dyn Tool>>>(&mut self, tools: I) {
        for tool in tools {
            self.add(tool);
        }
    }
}

/// Something done around every tool call: turning images into handles, metering, policy. A mock's answer passes none.
pub trait Hook: Send + Sync {
    /// Before a call: an error refuses it.
    fn before<'a>(&'a self, tool: &'a Signature, args: &'a Value) -> BoxFuture<'a, Result<(), ToolError>> {
        let _ = (tool, args);
        Box::pin(async { Ok(()) })
    }

    /// After a call: what the step sees instead of what the tool gave, or of why it failed.
    fn after<'a>(
        &'a self,
        tool: &'a Signature,
        result: Result<Value, ToolError>,
        context: ToolContext<'a>,
    ) -> BoxFuture<'a, Result<Value, ToolError>> {
        let _ = (tool, context);
        Box::pin(std::future::ready(result))
    }

    /// On the way of partial output: what the run's events show instead of it. The call goes on meanwhile; outputs keep
    /// their order.
    fn output<'a>(&'a self, tool: &'a Signature, output: Value, context: ToolContext<'a>) -> BoxFuture<'a, Value> {
        let _ = (tool, context);
        Box::pin(std::future::ready(output))
    }
}

/// Time, as the engine sees it.
pub trait Clock: Send + Sync {
    /// The time of day.
    fn now(&self) -> jiff::Timestamp;
    /// Waits. Dropping the future ends the wait.
    fn sleep(&self, how_long: Duration) -> BoxFuture<'static, ()>;
    /// A number in `0.0..1.0`, for jitter.
    fn jitter(&self) -> f64;
}
