//! The face of the pipeline: from source and catalog to an analysis, and from a clean analysis to a program.

mod follow_on;
mod imports;
mod lower;

use crate::check::{self, Checked, Unit};
use crate::diagnostic::{Diagnostic, Severity};
use crate::program::Program;
use crate::source::{Loader, SourceFile, Sources};
use crate::types::Catalog;

pub use crate::diagnostic::Diagnostics;

/// All that is known of a source: its files, trees, types, and what is wrong.
#[derive(Debug)]
pub struct Analysis {
    /// The file and those it imports.
    pub sources: Sources,
    /// Their trees, by file.
    pub units: Vec<Unit>,
    /// What the checker knows; its diagnostics are moved to [`Analysis::diagnostics`].
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

/// Parses and checks a source and what it imports. Never fails: what is wrong is in the analysis.
pub fn analyze(source: SourceFile, catalog: &Catalog, loader: &dyn Loader) -> Analysis {
    let files = imports::load(source, loader);
    let mut checked = check::check(&files.units, catalog, files.nodes);
    let mut found = std::mem::take(&mut checked.diagnostics);
    follow_on::silence(&mut found, &files.syntax, &files.units, &files.sources);
    let mut diagnostics = files.syntax;
    diagnostics.extend(files.imports);
    diagnostics.extend(found);
    diagnostics.sort_by_key(|diagnostic| (diagnostic.span.file, diagnostic.span.start, diagnostic.span.end));
    follow_on::silence_unused(&mut diagnostics, &files.units);
    Analysis { sources: files.sources, units: files.units, checked, diagnostics }
}

/// Lowers an analysis to a program. One with errors gives a program that makes no sense: ask
/// [`Analysis::has_errors`] first, as [`compile`] does.
pub fn lower(analysis: &Analysis) -> Program {
    lower::lower(analysis)
}

/// Analyzes a source and lowers it.
///
/// # Errors
/// All diagnostics, where one is an error.
pub fn compile(source: SourceFile, catalog: &Catalog, loader: &dyn Loader) -> Result<Program, Diagnostics> {
    let analysis = analyze(source, catalog, loader);
    if !analysis.has_errors() {
        return Ok(lower(&analysis));
    }
    Err(Diagnostics { sources: analysis.sources, list: analysis.diagnostics })
}
