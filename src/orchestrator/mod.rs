//! For a backend that serves an assistant: the tools and workflows there are under one roof, called by name, found from
//! what a person asks, and told to a model.
//!
//! ```
//! use flowc::orchestrator::{Orchestrator, Routing};
//! use flowc::run::Engine;
//! use flowc::source::{NoLoader, SourceFile};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut orchestrator = Orchestrator::new(Engine::builder().build()?);
//! orchestrator.add(
//!     SourceFile::new("greet.flow", r#"
//!         /// Greets someone.
//!         @trigger("greet {name}", "say hello to {name}")
//!         flow greet(name: string) -> string { return "Hello, {{name}}!" }
//!     "#),
//!     &NoLoader,
//! )?;
//! let Routing::One(route) = orchestrator.route("Please say hello to Ada.") else { panic!("no route") };
//! assert_eq!(route.workflow.name(), "greet");
//! let answer = orchestrator.execute_workflow(route.workflow.name(), route.input.clone()).await;
//! assert_eq!(answer.to_json(), serde_json::json!({ "success": true, "result": "Hello, Ada!" }));
//! # Ok(())
//! # }
//! ```

mod answer;
mod definitions;
mod prompt;
mod route;
mod trigger;

use std::sync::Arc;

use indexmap::IndexMap;

use crate::compile::compile;
use crate::diagnostic::Diagnostics;
use crate::program::{Flow, Program};
use crate::run::{Engine, Run, StartError};
use crate::source::{Loader, SourceFile};
use crate::types::{Signature, Text};
use crate::value::Value;

pub use answer::Answer;
pub use definitions::{Dialect, external_name, input_schema, output_schema};
pub use route::{NearMiss, Route, Routing};
pub use trigger::read as read_text;

/// An engine and the workflows that run on it.
#[derive(Clone)]
pub struct Orchestrator {
    engine: Engine,
    workflows: IndexMap<Text, Workflow>,
}

/// A flow that can be asked for by name.
#[derive(Clone, Debug)]
pub struct Workflow {
    program: Arc<Program>,
    flow: usize,
}

impl Workflow {
    /// Its flow.
    #[allow(clippy::indexing_slicing, reason = "made from this very program's flows")]
    pub fn flow(&self) -> &Flow {
        &self.program.flows[self.flow]
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.flow().name
    }

    /// The program it is a flow of.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// The file it stands in.
    pub fn file(&self) -> &str {
        self.program.sources.first().map_or("", |source| &source.name)
    }
}

impl Orchestrator {
    /// The engine's tools, and no workflow yet.
    pub fn new(engine: Engine) -> Self {
        Self { engine, workflows: IndexMap::new() }
    }

    /// Adds every flow of a source, imported ones left out.
    ///
    /// # Errors
    /// What is wrong with the source, or a flow whose name another source has taken; nothing is added then.
    pub fn add(&mut self, source: SourceFile, loader: &dyn Loader) -> Result<(), AddError> {
        let program = Arc::new(compile(source, self.engine.catalog(), loader).map_err(AddError::Wrong)?);
        let own = || program.flows.iter().enumerate().filter(|(_, flow)| flow.exported);
        if let Some((_, flow)) = own().find(|(_, flow)| self.workflows.contains_key(&flow.name)) {
            let other = self.workflows.get(&flow.name).map(|other| other.file().to_owned()).unwrap_or_default();
            return Err(AddError::SameName { flow: flow.name.clone(), other });
        }
        let added = own().map(|(at, flow)| (flow.name.clone(), Workflow { program: Arc::clone(&program), flow: at }));
        self.workflows.extend(added);
        Ok(())
    }

    /// The engine that runs all of it.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The tools that can be called: those that something here provides. What [`Orchestrator::prompt`] and
    /// [`Orchestrator::definitions`] may be narrowed to.
    pub fn available(&self, tool: &Signature) -> bool {
        self.engine.registry().get(&tool.name).is_some_and(|tool| tool.available())
    }

    /// The workflows, in the order they were added.
    pub fn workflows(&self) -> impl ExactSizeIterator<Item = &Workflow> {
        self.workflows.values()
    }

    /// A workflow by its name.
    pub fn workflow(&self, name: &str) -> Option<&Workflow> {
        self.workflows.get(name)
    }

    /// Starts a workflow; its events and its end are the run's.
    ///
    /// # Errors
    /// As [`Engine::start`].
    pub fn start_workflow(&self, name: &str, input: impl Into<Value>) -> Result<Run, StartError> {
        match self.workflow(name) {
            Some(workflow) => self.engine.start(&workflow.program, name, input),
            None => {
                Err(StartError::UnknownFlow { name: name.to_owned(), known: self.workflows.keys().cloned().collect() })
            }
        }
    }

    /// Runs a workflow to its end.
    pub async fn execute_workflow(&self, name: &str, input: impl Into<Value>) -> Answer {
        Answer::of_start(self.start_workflow(name, input)).await
    }

    /// Calls a tool as a step would: with its retries, limits and hooks, and the result checked. A picture is answered as
    /// `{ success, url, width, height, message }`, see [`Answer`].
    pub async fn execute_tool(&self, name: &str, args: impl Into<Value>) -> Answer {
        Answer::of_start(self.engine.call(name, args)).await
    }

    /// Runs what a model named, by the name it was told in [`Orchestrator::definitions`]: a workflow or a tool.
    pub async fn execute(&self, name: &str, args: impl Into<Value>) -> Answer {
        if let Some(workflow) = self.workflows().find(|workflow| external_name(workflow.name()) == name) {
            return self.execute_workflow(workflow.name(), args).await;
        }
        let tool = self.engine.catalog().iter().find(|tool| external_name(&tool.name) == name || tool.name == name);
        self.execute_tool(tool.map_or(name, |tool| &tool.name), args).await
    }
}

impl std::fmt::Debug for Orchestrator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Orchestrator")
            .field("workflows", &self.workflows.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// Why a source cannot be added.
#[derive(Debug)]
pub enum AddError {
    /// What is wrong with it.
    Wrong(Diagnostics),
    /// A flow of this name is there already.
    SameName {
        /// The flow.
        flow: Text,
        /// The file that has it.
        other: String,
    },
}

impl std::fmt::Display for AddError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            AddError::Wrong(wrong) => wrong.fmt(f),
            AddError::SameName { flow, other } => write!(f, "the flow `{flow}` is in `{other}` already: rename one"),
        }
    }
}

impl std::error::Error for AddError {}
