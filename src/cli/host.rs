//! What a file is checked against and run with: the project it stands in.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::{self, STDIN};
use super::output::{Status, err, misused, paint};
use super::report::{self, Format};
use crate::compile::compile;
use crate::orchestrator::{AddError, Orchestrator};
use crate::program::Program;
use crate::project::{EngineOptions, Project};
use crate::run::{Engine, RunStore};
use crate::source::{DiskLoader, SourceFile};
use crate::types::{Catalog, Signature};

/// The project of a file; standard input belongs to the current folder's.
///
/// # Errors
/// [`Status::Misused`], once what is wrong with the project's configuration was said.
pub(super) fn project(file: &SourceFile) -> Result<Project, Status> {
    project_at(if file.name() == STDIN { Path::new(".") } else { Path::new(file.name()) })
}

/// The project of a folder, or of the folder that a file is in.
///
/// # Errors
/// As [`project`].
pub(super) fn project_at(at: &Path) -> Result<Project, Status> {
    Project::load(at).map_err(|found| {
        report::diagnostics(&found.list, &found.sources, Format::Human);
        Status::Misused
    })
}

/// The store of a project's runs, or the one of this URL; none where the project keeps none.
///
/// # Errors
/// [`Status::Failed`], once it was said why it cannot be opened.
pub(super) async fn store(project: &Project, url: Option<&str>) -> Result<Option<Arc<dyn RunStore>>, Status> {
    project.store(url).await.map_err(|why| {
        misused(why);
        Status::Failed
    })
}

/// An engine that runs what a project's files hold, and what has to go on beside it.
pub(super) struct Host {
    pub(super) engine: Engine,
    #[cfg(feature = "otel")]
    traces: Option<Arc<crate::telemetry::Traces>>,
}

impl Host {
    /// An engine that keeps its runs in the store, where there is one. Within a runtime.
    ///
    /// # Errors
    /// [`Status::Misused`], once it was said why there can be none.
    pub(super) fn new(
        project: &Project,
        options: EngineOptions,
        store: Option<Arc<dyn RunStore>>,
    ) -> Result<Self, Status> {
        let mut builder = project.engine_builder(options);
        if let Some(store) = store {
            builder = builder.store(store);
        }
        #[cfg(feature = "otel")]
        let traces = traces()?;
        #[cfg(feature = "otel")]
        if let Some(traces) = &traces {
            builder = builder.observer(Arc::clone(traces));
        }
        let engine = builder.build().map_err(misused)?;
        Ok(Self {
            engine,
            #[cfg(feature = "otel")]
            traces,
        })
    }

    /// Sends what is left to send.
    pub(super) async fn close(self) {
        #[cfg(feature = "otel")]
        if let Some(traces) = self.traces {
            let _ = tokio::task::spawn_blocking(move || traces.shutdown()).await;
        }
    }
}

/// Traces, where the environment says where to send them.
#[cfg(feature = "otel")]
fn traces() -> Result<Option<Arc<crate::telemetry::Traces>>, Status> {
    let names = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
    #[allow(clippy::disallowed_methods, reason = "OpenTelemetry is configured by the environment")]
    let wanted = names.iter().any(|name| std::env::var(name).is_ok_and(|url| !url.is_empty()));
    if !wanted {
        return Ok(None);
    }
    crate::telemetry::Traces::from_env().map(|traces| Some(Arc::new(traces))).map_err(misused)
}

/// The tools that the file's project knows.
///
/// # Errors
/// As [`project`].
pub(super) fn catalog(file: &SourceFile) -> Result<Catalog, Status> {
    Ok(known(&project(file)?))
}

/// The tools that a project knows; says of which namespaces it does not.
pub(super) fn known(project: &Project) -> Catalog {
    let note = |text: String| err(format_args!("{} {text}", paint().yellow().apply_to("note:")));
    for namespace in project.unsynced() {
        note(format!("the tools of `{namespace}` are not known yet: `flowc tools sync` asks for them"));
    }
    for (tool, meant) in project.idle_rules() {
        let meant = meant.map(|meant| format!(", did you mean `{meant}`?")).unwrap_or_default();
        note(format!("`flow.toml` has rules for `{tool}`, which there is not{meant}"));
    }
    project.catalog()
}

/// Compares the tools that are used with the lock file, and says what has changed.
///
/// # Errors
/// [`Status::Failed`] where a program that was checked against the lock file may not hold any more.
pub(super) async fn verify(project: &Project, used: &[Arc<Signature>]) -> Result<(), Status> {
    let (found, status) = match project.verify(used).await {
        Ok(found) => (found, Ok(())),
        Err(found) => (found, Err(Status::Failed)),
    };
    report::diagnostics(&found.list, &found.sources, Format::Human);
    status
}

/// Runs something on a runtime of one thread: enough for any number of calls that wait; more would only cost the start.
///
/// # Errors
/// [`Status::Misused`], once it was said that there can be no runtime.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> Result<T, Status> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|why| misused(format_args!("there can be no runtime: {why}")))?;
    let done = runtime.block_on(future);
    // What was left to other threads (looking up a host's name) is not waited for.
    runtime.shutdown_background();
    Ok(done)
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

/// The flows of these files and folders, on an engine for the project of the first, and that project.
///
/// # Errors
/// As [`project`]; what a file is wrong for was said, too.
pub(super) fn orchestrator(paths: &[PathBuf], options: EngineOptions) -> Result<(Project, Orchestrator), Status> {
    let files = files::read_all(paths).map_err(misused)?;
    let Some(first) = files.first() else { return Err(misused("there is no `.flow` file")) };
    let project = project(first)?;
    let mut orchestrator = Orchestrator::new(project.engine_builder(options).build().map_err(misused)?);
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
    if failed { Err(Status::Failed) } else { Ok((project, orchestrator)) }
}
