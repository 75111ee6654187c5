//! `flowc prompt`: what to tell a model of the flows and tools there are.

use std::path::PathBuf;

use clap::ValueEnum;

use super::output::{Status, misused, out, out_raw};
use super::{host, report};
use crate::orchestrator::Dialect;
use crate::project::EngineOptions;

/// Write what a model is to know of the flows and tools: a section of its system prompt, or tool definitions.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Files and folders with the flows
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,
    /// Tool definitions in this form, as JSON, instead of text
    #[arg(long, value_enum, value_name = "FORM")]
    tools: Option<Form>,
    /// Only the tools of these namespaces, parted by commas; all that are provided when left out, none for `none`
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Option<Vec<String>>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    /// Anthropic's Messages API
    Anthropic,
    /// OpenAI's chat completions
    Openai,
    /// MCP's `tools/list`
    Mcp,
}

pub(super) fn prompt(args: &Args) -> Status {
    let orchestrator = match host::orchestrator(&args.paths, EngineOptions::default()) {
        Ok((_, orchestrator)) => orchestrator,
        Err(status) => return status,
    };
    let spaces = args.only.as_deref().unwrap_or_default();
    let unknown = |space: &&String| *space != "none" && !orchestrator.engine().catalog().has_namespace(space);
    if let Some(space) = spaces.iter().find(unknown) {
        return misused(format_args!("there is no namespace `{space}`: see `flowc tools`"));
    }
    let include = |tool: &crate::types::Signature| {
        orchestrator.available(tool) && (args.only.is_none() || spaces.iter().any(|space| space == tool.namespace()))
    };
    match args.tools {
        None => out_raw(orchestrator.prompt(include)),
        Some(form) => {
            let dialect = match form {
                Form::Anthropic => Dialect::Anthropic,
                Form::Openai => Dialect::OpenAi,
                Form::Mcp => Dialect::Mcp,
            };
            out(report::pretty(&serde_json::Value::Array(orchestrator.definitions(dialect, include))));
        }
    }
    Status::Fine
}
