//! `flowc runs prune`: forgets runs that have ended.

use std::io::{BufRead, IsTerminal};

use super::super::output::{Status, count, err, misused, out, paint, watched};
use super::select::Selection;
use super::{Done, Records, wrong};
use crate::run::RunStatus;
use crate::run::journal::Filter;

/// Forget runs that have ended, with all that is kept of them
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    which: Selection,
    /// Only say how many there are
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

pub(super) async fn prune(args: &Args, records: &Records<'_>) -> Done {
    if args.which.before.is_none() {
        return Err(misused("say how old runs have to be: `--before 30d`"));
    }
    if let Some(going) = args.which.status.iter().find(|status| !status.ended()) {
        return Err(misused(format_args!("only runs that have ended can be forgotten: `{going}` ones have not")));
    }
    let mut filter = args.which.filter(records.now);
    if filter.status.is_empty() {
        filter.status = RunStatus::ALL.into_iter().filter(|status| status.ended()).collect();
    }
    let found = number(&filter, records).await?;
    if args.dry_run {
        out(format_args!("{} would be forgotten", count(found, "run")));
        return Ok(Status::Fine);
    }
    if found > 0 && !args.yes && !sure(found)? {
        return Ok(Status::Fine);
    }
    let gone = records.store.prune(&filter).await.map_err(wrong)?;
    out(format_args!("{} forgotten", count(gone as usize, "run")));
    Ok(Status::Fine)
}

/// How many runs there are of a filter.
async fn number(filter: &Filter, records: &Records<'_>) -> Result<usize, Status> {
    let flows = records.store.stats(filter).await.map_err(wrong)?;
    Ok(flows.iter().map(|flow| flow.runs as usize).sum())
}

fn sure(found: usize) -> Result<bool, Status> {
    if !(std::io::stdin().is_terminal() && watched()) {
        return Err(misused("nobody is here to be asked: say `--yes` to forget them, or `--dry-run` to count them"));
    }
    let forget = format!("forget {} and all that is kept of them?", count(found, "run"));
    err(format_args!("{} {forget} y or n", paint().cyan().bold().apply_to("?")));
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    Ok(read.is_ok() && matches!(line.trim().to_lowercase().as_str(), "y" | "yes"))
}
