//! `flowc tools call`: one tool, called as a step would.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ArgMatches;
use futures::StreamExt;

use super::super::input::{self, Given};
use super::super::output::{Status, err, misused, out};
use super::super::{host, report};
use crate::program::Program;
use crate::project::{EngineOptions, Project};
use crate::run::{Engine, EventKind, Run};
use crate::types::Bindings;
use crate::value::Value;

/// Call a tool as a step would, and write what it gives as JSON.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Such as web.scrape
    tool: String,
    /// Give an argument: a string as it is, anything else as JSON
    #[arg(long = "arg", value_name = "NAME=VALUE")]
    given: Vec<String>,
    /// Read the arguments from a file of JSON, `-` is standard input; `--arg` wins
    #[arg(long, value_name = "FILE|-")]
    input: Option<PathBuf>,
    /// Let the tool reach addresses of private networks and of this machine
    #[arg(long)]
    allow_private: bool,
}

pub(super) fn call(args: &Args, at: &Path) -> Status {
    let project = match host::project_at(at) {
        Ok(project) => project,
        Err(status) => return status,
    };
    let options = EngineOptions { allow_private: args.allow_private, ..EngineOptions::default() };
    let engine = match project.engine_builder(options).build() {
        Ok(engine) => engine,
        Err(why) => return misused(why),
    };
    let input = match read(args, &engine) {
        Ok(input) => input,
        Err(status) => return status,
    };
    let called = host::block_on(async {
        let status = perform(&args.tool, input, &engine, &project).await;
        project.close().await;
        status
    });
    called.unwrap_or_else(|status| status)
}

fn read(args: &Args, engine: &Engine) -> Result<Value, Status> {
    let Some(tool) = engine.catalog().get(&args.tool) else {
        return Err(super::unknown(&args.tool, engine.catalog()));
    };
    let mut given = Given::default();
    if let Some(path) = &args.input {
        given.fields = input::read_file(path).map_err(misused)?;
    }
    let program = Program::of_call(tool, &Bindings::default());
    if let Some(flow) = program.flows.first() {
        given.take(flow, &ArgMatches::default(), &args.given);
    }
    if given.errors.is_empty() {
        return Ok(serde_json::Value::Object(given.fields).into());
    }
    for error in &given.errors {
        misused(format_args!("`{}`: {}", error.field, error.message));
    }
    Err(Status::Misused)
}

async fn perform(tool: &str, input: Value, engine: &Engine, project: &Project) -> Status {
    let used: Vec<_> = engine.catalog().get(tool).map(Arc::clone).into_iter().collect();
    if let Err(status) = host::verify(project, &used).await {
        return status;
    }
    let run = match engine.call(tool, input) {
        Ok(run) => run,
        Err(why) => return misused(why),
    };
    run.unattended("nobody is here to answer: a flow that `flowc run` runs on a terminal can ask");
    tokio::select! {
        () = follow(&run) => {}
        Ok(()) = tokio::signal::ctrl_c() => run.cancel(),
    }
    match run.value().await {
        Ok(value) => {
            out(report::pretty(&serde_json::Value::from(&value)));
            Status::Fine
        }
        Err(error) => {
            err(format_args!("{} {error}", super::super::output::paint().red().bold().apply_to("error:")));
            Status::Failed
        }
    }
}

/// Writes partial output to standard error as it comes.
async fn follow(run: &Run) {
    let mut events = run.events();
    while let Some(event) = events.next().await {
        if let EventKind::StepOutput { output, .. } = &event.kind {
            err(output.to_json_text());
        }
    }
}
