//! `flowc tools sync`: asks every server and document for its tools, and writes them into the lock file.

use std::path::Path;

use super::super::output::{Status, count, err, misused, out, paint_out};
use super::super::{host, report};
use crate::project::{Asked, Lock, Project};
use crate::run::ToolError;

/// Asks, tells what has changed, and writes; with `check` it only tells.
pub(super) fn sync(at: &Path, check: bool) -> Status {
    // A lock file that cannot be read is written anew.
    let (project, old) = match (Project::load(at), Project::load_without_lock(at)) {
        (Ok(project), _) => (project, true),
        (Err(_), Ok(project)) => (project, false),
        (Err(_), Err(found)) => {
            report::diagnostics(&found.list, &found.sources, report::Format::Human);
            return Status::Misused;
        }
    };
    let synced = host::block_on(async {
        let synced = project.sync().await;
        project.close().await;
        synced
    });
    let synced = match synced {
        Ok(synced) => synced,
        Err(status) => return status,
    };
    if synced.asked.is_empty() {
        out("no namespace's tools have to be asked for: `flow.toml` names no MCP server and no OpenAPI document");
        return Status::Fine;
    }
    let mut status = Status::Fine;
    for (namespace, said) in &synced.asked {
        status = status.max(tell(namespace, said));
    }
    let same = old && written(&project) == synced.lock.text();
    match (same, check) {
        (true, _) => {}
        (false, true) => {
            err(format_args!("`{}` is out of date: run `flowc tools sync`", project.lock_file().display()));
            status = status.max(Status::Failed);
        }
        (false, false) => {
            if let Err(status) = write(&project, &synced.lock) {
                return status;
            }
        }
    }
    status
}

fn written(project: &Project) -> String {
    std::fs::read_to_string(project.lock_file()).unwrap_or_default()
}

fn write(project: &Project, lock: &Lock) -> Result<(), Status> {
    let file = project.lock_file();
    std::fs::write(&file, lock.text())
        .map_err(|why| misused(format_args!("`{}` cannot be written: {why}", file.display())))
}

fn tell(namespace: &str, said: &Result<Asked, ToolError>) -> Status {
    let name = paint_out().bold().apply_to(namespace);
    let asked = match said {
        Ok(asked) => asked,
        Err(error) => {
            err(format_args!("{} {error}", super::super::output::paint().red().bold().apply_to("error:")));
            return Status::Failed;
        }
    };
    out(format_args!("{name}  {}", count(asked.tools, "tool")));
    for tool in &asked.added {
        out(format_args!("  {} {namespace}.{tool}", paint_out().green().apply_to("+")));
    }
    for (tool, changes) in &asked.changed {
        out(format_args!("  {} {namespace}.{tool}", paint_out().yellow().apply_to("~")));
        for change in changes {
            out(format_args!("      {}", change.text));
        }
    }
    for tool in &asked.removed {
        out(format_args!("  {} {namespace}.{tool}", paint_out().red().apply_to("-")));
    }
    Status::Fine
}
