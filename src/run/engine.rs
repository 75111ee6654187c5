//! The engine: tools, hooks, journal, clock and limits, put together once; it starts runs.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use jiff::Timestamp;
use tracing::Instrument;

use crate::program::Program;
use crate::run::artifacts::{Artifacts, NoArtifacts};
use crate::run::bind::Bound;
use crate::run::budget::Account;
use crate::run::clock::{Sleep, TokioClock, random_u64};
use crate::run::event::Event;
use crate::run::handle::{self, Run};
use crate::run::input::{Arguments, arguments};
use crate::run::journal::{Journal, Labels, Lease, Log, Opening, RunStore};
use crate::run::keeper::Keeping;
use crate::run::life::Life;
use crate::run::limits::Limits;
use crate::run::ports::{Clock, Hook, NoSecrets, Observer, Registry, Secrets, Tool};
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
    /// The journal, where it keeps many runs.
    pub(crate) store: Option<Arc<dyn RunStore>>,
    pub(crate) keeping: Keeping,
    /// What all runs may spend in a day, and when that was last read from the store.
    pub(crate) day: Option<Arc<Account>>,
    pub(crate) day_read: Mutex<Option<Timestamp>>,
    pub(crate) observers: Vec<Arc<dyn Observer>>,
    pub(crate) secrets: Arc<dyn Secrets>,
    pub(crate) artifacts: Arc<dyn Artifacts>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: Limits,
    /// The programs that live, with their tools.
    pub(crate) bound: Mutex<Vec<(Weak<Program>, Arc<Bound>)>>,
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

    /// Where what its tools make is kept.
    pub fn artifacts(&self) -> &dyn Artifacts {
        &*self.shared.artifacts
    }

    /// Starts a flow of a program with an input: an object with a field for each parameter. The run is a task of its
    /// own on the tokio runtime this is called in.
    ///
    /// # Errors
    /// See [`StartError`]; nothing has run then.
    pub fn start(&self, program: &Arc<Program>, flow: &str, input: impl Into<Value>) -> Result<Run, StartError> {
        self.start_with(program, flow, input, Labels::default())
    }

    /// As [`Engine::start`], with what the host knows of the run. Where it has a start key that another run has, the
    /// run stops before its first step: see [`Engine::start_once`].
    ///
    /// # Errors
    /// As [`Engine::start`].
    pub fn start_with(
        &self,
        program: &Arc<Program>,
        flow: &str,
        input: impl Into<Value>,
        labels: Labels,
    ) -> Result<Run, StartError> {
        let began = self.shared.clock.now();
        let input = input.into();
        let prepared = self.prepare(program, flow, &input)?;
        let opening =
            Opening { run: run_id(began), flow: flow.into(), program: Arc::clone(program), input, at: began, labels };
        let run = opening.run.clone();
        let lease = self.shared.journal.as_ref().map(|journal| (Arc::clone(journal), journal.open(Arc::new(opening))));
        Ok(self.spawn(prepared, (run, began), lease, Vec::new(), false))
    }

    /// What a run of a flow takes.
    pub(crate) fn prepare(&self, program: &Arc<Program>, flow: &str, input: &Value) -> Result<Prepared, StartError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        let Some((index, found)) = program.find_flow(flow) else {
            let known = program.flows.iter().filter(|flow| flow.exported).map(|flow| flow.name.clone()).collect();
            return Err(StartError::UnknownFlow { name: flow.to_owned(), known });
        };
        let arguments = arguments(found, input).map_err(StartError::Input)?;
        let bound = self.bind(program);
        let facts = bound.facts(program, index);
        if let Some(facts) = facts
            && !facts.missing.is_empty()
        {
            return Err(StartError::MissingTools(facts.missing.clone()));
        }
        let steps = facts.map_or(0, |facts| facts.steps);
        Ok(Prepared { runtime, program: Arc::clone(program), bound, flow: index, steps, arguments })
    }

    /// A life of a run.
    pub(crate) fn life(
        &self,
        prepared: Prepared,
        (id, began): (Text, Timestamp),
        lease: Option<(Arc<dyn Journal>, Lease)>,
        events: Vec<Arc<Event>>,
        resumed: bool,
    ) -> Life {
        let Prepared { program, bound, flow, steps, arguments, .. } = prepared;
        let name = program.flows.get(flow).map(|flow| flow.name.clone()).unwrap_or_default();
        let earlier = resumed.then(|| events.clone());
        let log = Log::new(id.clone(), name, lease, self.shared.observers.clone(), events);
        let run = Arc::new(handle::Shared::new(id, log, Arc::clone(&self.shared.clock)));
        let engine = Arc::clone(&self.shared);
        Life { engine, program, bound, run, flow, steps, arguments, began, events: earlier }
    }

    /// Has a run live as a task.
    pub(crate) fn spawn(
        &self,
        prepared: Prepared,
        which: (Text, Timestamp),
        lease: Option<(Arc<dyn Journal>, Lease)>,
        events: Vec<Arc<Event>>,
        resumed: bool,
    ) -> Run {
        let runtime = prepared.runtime.clone();
        let life = self.life(prepared, which, lease, events, resumed);
        let run = Arc::clone(&life.run);
        if self.shared.store.is_some() {
            self.shared.keeping.add(&run);
            self.look_after(&runtime);
        }
        if let Some(events) = &life.events {
            run.inbox.restore(events);
            for message in events.iter().filter_map(|event| event.kind.message()) {
                run.first(message);
            }
        }
        // Tokio's budget is per task, and a run is one: a wide fan-out would be polled over and over while it waits for
        // its share. Strands let others run by themselves.
        let span = tracing::info_span!("run", flow.run.id = run.id.as_str(), flow.name = run.log.flow.as_str());
        if span.is_disabled() {
            runtime.spawn(tokio::task::unconstrained(life.live()));
        } else {
            runtime.spawn(tokio::task::unconstrained(life.live().instrument(span)));
        }
        Run::new(run)
    }

    /// A program's tools, found once for as long as the program lives.
    fn bind(&self, program: &Arc<Program>) -> Arc<Bound> {
        let mut known = self.shared.bound.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, bound)) = known.iter().find(|(of, _)| std::ptr::eq(of.as_ptr(), Arc::as_ptr(program))) {
            return Arc::clone(bound);
        }
        // A program that is gone cannot be confused with one at its old address: its weak reference keeps the address.
        known.retain(|(of, _)| of.strong_count() > 0);
        let bound = Arc::new(Bound::new(program, &self.shared.registry));
        known.push((Arc::downgrade(program), Arc::clone(&bound)));
        bound
    }
}

/// What a run takes.
pub(crate) struct Prepared {
    runtime: tokio::runtime::Handle,
    program: Arc<Program>,
    bound: Arc<Bound>,
    flow: usize,
    steps: u32,
    arguments: Arguments,
}

/// A new run's id: 23 characters of base 32 (Crockford's), the first ten its time in milliseconds, so that ids sort by
/// age, the others random.
pub(crate) fn run_id(now: Timestamp) -> Text {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut id = String::with_capacity(23);
    let mut write = |bits: u64, digits: u32| {
        for at in (0..digits).rev() {
            let digit = (bits >> (5 * at)) & 31;
            id.push(DIGITS.get(digit as usize).copied().map_or('0', char::from));
        }
    };
    write(u64::try_from(now.as_millisecond()).unwrap_or(0), 10);
    write(random_u64(), 12);
    write(random_u64(), 1);
    Text::from(id)
}

/// Puts an [`Engine`] together.
#[derive(Default)]
pub struct EngineBuilder {
    tools: Vec<Arc<dyn Tool>>,
    hooks: Vec<Arc<dyn Hook>>,
    journal: Option<Arc<dyn Journal>>,
    store: Option<Arc<dyn RunStore>>,
    observers: Vec<Arc<dyn Observer>>,
    secrets: Option<Arc<dyn Secrets>>,
    artifacts: Option<Arc<dyn Artifacts>>,
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

    /// Keeps runs in a store, from which they can be resumed, looked up and told what to do: see [`Engine::keep`].
    #[must_use]
    pub fn store(mut self, store: Arc<dyn RunStore>) -> Self {
        self.journal = Some(Arc::clone(&store) as Arc<dyn Journal>);
        self.store = Some(store);
        self
    }

    /// Adds one who sees every event of every run.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.observers.push(Arc::new(observer));
        self
    }

    /// Resolves secrets; without it there are none.
    #[must_use]
    pub fn secrets(mut self, secrets: impl Secrets + 'static) -> Self {
        self.secrets = Some(Arc::new(secrets));
        self
    }

    /// Keeps what tools make: pictures and documents. Without it tools that make such refuse.
    #[must_use]
    pub fn artifacts(mut self, artifacts: impl Artifacts + 'static) -> Self {
        self.artifacts = Some(Arc::new(artifacts));
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
        registry.add_missing(Arc::new(Sleep::new(Arc::clone(&clock))));
        let catalog = registry.catalog();
        Ok(Engine {
            shared: Arc::new(Shared {
                registry,
                catalog,
                hooks: self.hooks,
                journal: self.journal,
                store: self.store,
                keeping: Keeping::default(),
                day: Account::of_day(&self.limits),
                day_read: Mutex::default(),
                observers: self.observers,
                secrets: self.secrets.unwrap_or_else(|| Arc::new(NoSecrets)),
                artifacts: self.artifacts.unwrap_or_else(|| Arc::new(NoArtifacts)),
                clock,
                limits: self.limits,
                bound: Mutex::default(),
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
    /// It was not called within a tokio runtime.
    NoRuntime,
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
    /// What is wrong, in one line: expected a url, found "x" at `[2]`.
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
            StartError::NoRuntime => f.write_str("a run needs a tokio runtime to start in"),
        }
    }
}

impl std::error::Error for StartError {}
