//! `flowc route`: which flow does what a person asks.

use std::path::PathBuf;

use serde_json::json;

use super::output::{Status, out};
use super::{host, report};
use crate::orchestrator::Routing;
use crate::project::EngineOptions;

/// Find the flow that does what is asked, by the flows' `@trigger` patterns, and say why.
///
/// Exit status 1 where none fits, or several fit equally well.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// What is asked, in plain words
    #[arg(value_name = "REQUEST")]
    request: String,
    /// Files and folders with the flows
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn route(args: &Args) -> Status {
    let orchestrator = match host::orchestrator(&args.paths, EngineOptions::default()) {
        Ok((_, orchestrator)) => orchestrator,
        Err(status) => return status,
    };
    let routing = orchestrator.route(&args.request);
    if args.json {
        out(report::pretty(&as_json(&routing)));
    } else {
        out(&routing);
        if let Routing::One(route) = &routing {
            out(report::pretty(&serde_json::Value::from(&route.input)));
        }
    }
    if matches!(routing, Routing::One(_)) { Status::Fine } else { Status::Failed }
}

fn as_json(routing: &Routing<'_>) -> serde_json::Value {
    match routing {
        Routing::One(route) => json!({
            "flow": route.workflow.name(),
            "file": route.workflow.file(),
            "trigger": route.trigger,
            "input": serde_json::Value::from(&route.input),
            "missing": route.missing,
        }),
        Routing::Several(routes) => {
            let routes: Vec<_> =
                routes.iter().map(|it| json!({ "flow": it.workflow.name(), "trigger": it.trigger })).collect();
            json!({ "flow": null, "several": routes })
        }
        Routing::None(near) => {
            let miss = |it: &crate::orchestrator::NearMiss<'_>| json!({ "flow": it.workflow.name(), "trigger": it.trigger, "reason": it.reason });
            json!({ "flow": null, "near": near.iter().map(miss).collect::<Vec<_>>() })
        }
    }
}
