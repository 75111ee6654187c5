//! `flowc graph`: a picture of a flow.

use std::path::PathBuf;

use clap::ValueEnum;

use super::output::{Status, misused, out_raw};
use super::{host, run};
use crate::plan;

/// Draw a flow.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The file; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The flow; chosen as `flowc run` does where it is not named
    #[arg(value_name = "FLOW")]
    flow: Option<String>,
    /// How to write the picture
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How a picture is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For Markdown.
    #[default]
    Mermaid,
    /// For Graphviz.
    Dot,
    /// As it is.
    Svg,
}

pub(super) fn graph(args: &Args) -> Status {
    let (file, program) = match host::program(&args.file) {
        Ok(read) => read,
        Err(status) => return status,
    };
    let flow = match run::choose(&program, args.flow.as_deref(), &file) {
        Ok(flow) => flow,
        Err(why) => return misused(why),
    };
    let graph = plan::graph(&program, flow);
    let text = match args.format {
        Format::Mermaid => graph.to_mermaid(),
        Format::Dot => graph.to_dot(),
        Format::Svg => graph.to_svg(),
    };
    out_raw(format_args!("{}\n", text.trim_end()));
    Status::Fine
}
