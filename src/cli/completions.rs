//! `flowc completions`: the script that teaches a shell the commands and flags.

use clap::CommandFactory;
use clap_complete::Shell;

use super::output::{Status, out_raw};

/// Print the completion script of a shell.
///
/// For bash: `flowc completions bash > ~/.local/share/bash-completion/completions/flowc`.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn completions(args: &Args) -> Status {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::Cli::command(), "flowc", &mut script);
    out_raw(String::from_utf8_lossy(&script));
    Status::Fine
}
