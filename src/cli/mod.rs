//! The command line: one file per command, composed here. The only room that prints.
//!
//! Exit status: 0 all is well, 1 errors were found or the run failed, 2 used wrongly, 130 ended by Ctrl-C.

mod ask;
mod check;
mod completions;
mod demo;
mod explain;
mod files;
mod fmt;
mod graph;
mod host;
mod input;
mod interrupt;
mod log;
mod markdown;
mod mcp;
mod new;
mod output;
mod plan;
mod progress;
mod prompt;
mod report;
mod route;
mod run;
mod runs;
mod test;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::output::Status;

/// Flow: a small typed language for chaining tools.
#[derive(Parser, Debug)]
#[command(name = "flowc", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Exit status: 0 fine, 1 errors found or run failed, 2 used wrongly, 130 ended by Ctrl-C.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    New(new::Args),
    Check(check::Args),
    Fmt(fmt::Args),
    Run(run::Args),
    Runs(runs::Args),
    Test(test::Args),
    Plan(plan::Args),
    Graph(graph::Args),
    Tools(tools::Args),
    Route(route::Args),
    Prompt(prompt::Args),
    Mcp(mcp::Args),
    Explain(explain::Args),
    Demo(demo::Args),
    Completions(completions::Args),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    log::start();
    crate::tools::adopt_orphans();
    let status: Status = match cli.command {
        Command::New(args) => new::new(&args),
        Command::Check(args) => check::check(&args),
        Command::Fmt(args) => fmt::fmt(&args),
        Command::Run(args) => run::run(args),
        Command::Runs(args) => runs::runs(&args),
        Command::Test(args) => test::test(&args),
        Command::Plan(args) => plan::plan(&args),
        Command::Graph(args) => graph::graph(&args),
        Command::Tools(args) => tools::tools(&args),
        Command::Route(args) => route::route(&args),
        Command::Prompt(args) => prompt::prompt(&args),
        Command::Mcp(args) => mcp::mcp(args),
        Command::Explain(args) => explain::explain(&args),
        Command::Demo(args) => demo::demo(&args),
        Command::Completions(args) => completions::completions(&args),
    };
    // Servers that a command did not wait for.
    crate::tools::kill_all();
    status.into()
}
