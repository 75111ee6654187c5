//! `flowc plan`: what a flow may do, before it does anything.

use std::path::PathBuf;

use super::output::{Status, misused, out, out_raw};
use super::{host, report, run};
use crate::plan;

/// Say what a flow may do: its tools, how many calls, how many at once, what it may cost.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The file; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The flow; without one, every flow of the file
    #[arg(value_name = "FLOW")]
    flow: Option<String>,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn plan(args: &Args) -> Status {
    let (file, program) = match host::program(&args.file) {
        Ok(read) => read,
        Err(status) => return status,
    };
    let chosen = match &args.flow {
        Some(name) => run::choose(&program, Some(name), &file).map(|flow| vec![flow]),
        None => Ok(program.flows.iter().filter(|flow| flow.exported).collect()),
    };
    let flows = match chosen {
        Ok(flows) => flows,
        Err(why) => return misused(why),
    };
    let plans: Vec<plan::Plan> = flows.into_iter().map(|flow| plan::plan(&program, flow)).collect();
    if args.json {
        out(report::pretty(&serde_json::json!({ "plans": plans })));
        return Status::Fine;
    }
    let texts: Vec<String> = plans.iter().map(|plan| format!("{}\n", plan.to_string().trim_end())).collect();
    out_raw(texts.join("\n"));
    Status::Fine
}
