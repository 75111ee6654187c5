//! Flow: a small typed language for chaining tools.
//!
//! A program is checked before it runs, runs its tools in parallel where it can, retries, undoes, streams what happens,
//! and returns a typed result. `flowc` is its command line; this library is the same interpreter, for programs that have
//! tools of their own:
//!
//! ```
//! use flowc::run::{Engine, ToolError, tool};
//! use flowc::source::SourceFile;
//!
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! struct Lookup {
//!     /// The word to look up.
//!     word: String,
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A Rust function is a tool; its types are its signature.
//! let lookup = tool("dictionary.lookup", "Counts a word's letters.", |args: Lookup| async move {
//!     Ok::<_, ToolError>(args.word.chars().count() as i64)
//! });
//! let engine = Engine::builder().tool(lookup.read_only()).build()?;
//!
//! // What is wrong with a program is told before it runs.
//! let program = engine.compile(SourceFile::new(
//!     "longest.flow",
//!     r#"
//!     flow longest(words: list<string>) -> int? {
//!         step lengths = parallel for word in words limit 8 {
//!             yield step dictionary.lookup(word)
//!         }
//!         return lengths.max()
//!     }
//!     "#,
//! ))?;
//!
//! let run = engine.start(&program, "longest", serde_json::json!({ "words": ["tide", "kettle", "moon"] }))?;
//! let longest: Option<i64> = run.output().await?;
//! assert_eq!(longest, Some(6));
//! # Ok(())
//! # }
//! ```
//!
//! The way through the house, each stage one verb over the data of the one before:
//!
//! ```text
//! source text ─ syntax ─▶ tree ─ check ─▶ side tables ─ compile ─▶ Program ─ run ─▶ events
//!                                 ▲ catalog (signatures)               ▲ registry (tools), clock, journal: ports
//! ```
//!
//! Features: the library alone (`default-features = false`) parses, checks and runs. `http` adds the guarded client and
//! the `http` tools, `web` adds `web.scrape`, `project` reads `flow.toml`, `cli` (the default) is the command line.

use std::sync::Arc;

pub mod builtins;
pub mod check;
#[cfg(feature = "cli")]
pub mod cli;
pub mod compile;
#[cfg(feature = "cli")]
pub mod demo;
pub mod diagnostic;
pub mod format;
pub mod orchestrator;
pub mod plan;
pub mod program;
#[cfg(feature = "project")]
pub mod project;
pub mod run;
#[cfg(feature = "server")]
pub mod server;
pub mod source;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub mod store;
pub mod syntax;
#[cfg(any(feature = "metrics", feature = "otel"))]
pub mod telemetry;
pub mod tools;
pub mod types;
pub mod value;

impl run::Engine {
    /// Compiles a source against the engine's tools. Imports are not read: a host that trusts the source's `use` paths
    /// calls [`compile::compile`] with a loader of its choice.
    ///
    /// # Errors
    /// All diagnostics, where one is an error.
    pub fn compile(&self, source: source::SourceFile) -> Result<Arc<program::Program>, compile::Diagnostics> {
        compile::compile(source, self.catalog(), &source::NoLoader).map(Arc::new)
    }
}

/// The programs of the embedding guide.
#[cfg(doctest)]
#[doc = include_str!("../docs/embedding.md")]
mod embedding_guide {}

/// The programs of the page on observing runs.
#[cfg(all(doctest, feature = "metrics", feature = "otel"))]
#[doc = include_str!("../docs/operations/observability.md")]
mod observability_guide {}
