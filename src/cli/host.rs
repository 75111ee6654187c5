//! What a file is checked against and run with: the project it stands in.

use std::sync::Arc;

use crate::run::{Engine, Tool};
use crate::source::SourceFile;
use crate::tools::{Unconfigured, standard};
use crate::types::Catalog;

/// What the command line asks of an engine, beyond what the project says.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wishes {
    /// Addresses of private networks may be reached.
    pub(super) allow_private: bool,
}

/// The tools that the file's project knows.
///
/// # Errors
/// What is wrong with the project's configuration.
pub(super) fn catalog(_file: &SourceFile) -> Result<Catalog, String> {
    Ok(standard::catalog())
}

/// An engine for the file's project.
///
/// # Errors
/// What is wrong with the project's configuration.
pub(super) fn engine(_file: &SourceFile, _wishes: &Wishes) -> Result<Engine, String> {
    let tools = standard::signatures().map(|signature| Arc::new(Unconfigured::new(Arc::clone(signature))) as Arc<dyn Tool>);
    Engine::builder().tools(tools).build().map_err(|why| why.to_string())
}
