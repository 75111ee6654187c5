//! Flow: a small typed language for chaining tools.

use std::sync::Arc;

pub mod builtins;
pub mod check;
#[cfg(feature = "cli")]
pub mod cli;
pub mod compile;
pub mod diagnostic;
pub mod format;
pub mod plan;
pub mod program;
#[cfg(feature = "project")]
pub mod project;
pub mod run;
pub mod source;
pub mod syntax;
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
