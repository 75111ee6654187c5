//! What a file is checked against and run with: the project it stands in.

use std::path::{Path, PathBuf};

use super::files::{self, STDIN};
use super::output::{Status, err, misused};
use super::report::{self, Format};
use crate::compile::compile;
use crate::orchestrator::{AddError, Orchestrator};
use crate::program::Program;
use crate::project::{EngineOptions, Project};
use crate::run::Engine;
use crate::source::{DiskLoader, SourceFile};
use crate::types::Catalog;

/// The project of a file; standard input belongs to the current folder's.
///
/// # Errors
/// [`Status::Misused`], once what is wrong with the project's configuration was said.
pub(super) fn project(file: &SourceFile) -> Result<Project, Status> {
    let at = if file.name() == STDIN { Path::new(".") } else { Path::new(file.name()) };
    Project::load(at).map_err(|found| {
        report::diagnostics(&found.list, &found.sources, Format::Human);
        Status::Misused
    })
}

/// The tools that the file's project knows.
///
/// # Errors
/// As [`project`].
pub(super) fn catalog(file: &SourceFile) -> Result<Catalog, Status> {
    Ok(project(file)?.catalog())
}

/// An engine for the file's project.
///
/// # Errors
/// As [`project`].
pub(super) fn engine(file: &SourceFile, options: EngineOptions) -> Result<Engine, Status> {
    project(file)?.engine_builder(options).build().map_err(misused)
}

/// Reads and compiles a file, for commands that need a program but run nothing of it.
///
/// # Errors
/// What the file cannot be read or compiled for was said; the status is the command's.
pub(super) fn program(path: &Path) -> Result<(SourceFile, Program), Status> {
    let file = files::read(path).map_err(misused)?;
    match compile(file.clone(), &catalog(&file)?, &DiskLoader) {
        Ok(program) => Ok((file, program)),
        Err(found) => {
            report::diagnostics(&found.list, &found.sources, Format::Human);
            err(report::tally(&found.list, found.sources.iter().count()));
            Err(Status::Failed)
        }
    }
}

/// The flows of these files and folders, on an engine for the project of the first.
///
/// # Errors
/// As [`project`]; what a file is wrong for was said, too.
pub(super) fn orchestrator(paths: &[PathBuf], options: EngineOptions) -> Result<Orchestrator, Status> {
    let files = files::read_all(paths).map_err(misused)?;
    let Some(first) = files.first() else { return Err(misused("there is no `.flow` file")) };
    let mut orchestrator = Orchestrator::new(engine(first, options)?);
    let mut failed = false;
    for file in files {
        match orchestrator.add(file, &DiskLoader) {
            Ok(()) => {}
            Err(AddError::Wrong(found)) => {
                report::diagnostics(&found.list, &found.sources, Format::Human);
                failed = true;
            }
            Err(same) => return Err(misused(same)),
        }
    }
    if failed { Err(Status::Failed) } else { Ok(orchestrator) }
}
