//! `flowc runs`: the runs that are kept. One file per subcommand, and those that they are made of: which runs are meant
//! ([`select`]), what a run waits for ([`waits`]), a run as JSON ([`json`]).

mod carry;
mod export;
mod json;
mod list;
mod prune;
mod select;
mod send;
mod show;
mod stats;
#[cfg(test)]
mod tests;
mod waits;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Subcommand, ValueEnum};
use jiff::Timestamp;

use super::host;
use super::output::{Status, misused};
use crate::run::{Clock, JournalError, RunStore, TokioClock};

/// List the runs that are kept, look into one, talk to it, or carry it on.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
    /// The database, in place of the one that flow.toml names: `sqlite:PATH` or `postgres://…`
    #[arg(long, global = true, value_name = "URL")]
    database: Option<String>,
    /// The project's folder
    #[arg(long, global = true, default_value = ".", value_name = "FOLDER")]
    project: PathBuf,
}

#[derive(Subcommand, Debug)]
enum What {
    List(list::Args),
    Show(show::Args),
    Watch(watch::Args),
    Resume(carry::Resume),
    Retry(carry::Retry),
    Fork(carry::Fork),
    Migrate(carry::Migrate),
    Cancel(send::Cancel),
    Answer(send::Answer),
    Signal(send::Signal),
    Export(export::Args),
    Prune(prune::Args),
    Stats(stats::Args),
}

/// Why there is no store.
const NOWHERE: &str = "runs are kept where there is a `flow.toml`, and none was found here or above: name a database with \
                       `--database sqlite:PATH`, or a folder with `--project FOLDER`";

/// How a command writes what it found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Human,
    /// For programs.
    Json,
}

/// The store, and the moment it is looked at.
struct Records<'a> {
    store: &'a dyn RunStore,
    now: Timestamp,
}

/// How a command ended; what went wrong was said.
type Done = Result<Status, Status>;

pub(super) fn runs(args: &Args) -> Status {
    let done = host::project_at(&args.project).and_then(|project| {
        host::block_on(async {
            let Some(store) = host::store(&project, args.database.as_deref()).await? else {
                return Err(misused(NOWHERE));
            };
            let records = Records { store: &*store, now: TokioClock::default().now() };
            let carrier = || carry::Carrier { project: &project, store: Arc::clone(&store) };
            match &args.what {
                What::List(args) => list::list(args, &records).await,
                What::Show(args) => show::show(args, &records).await,
                What::Watch(args) => watch::watch(args, &records).await,
                What::Resume(args) => carry::resume(args, &carrier(), &records).await,
                What::Retry(args) => carry::retry(args, &carrier(), &records).await,
                What::Fork(args) => carry::fork(args, &carrier(), &records).await,
                What::Migrate(args) => carry::migrate(args, &carrier(), &records).await,
                What::Cancel(args) => send::cancel(args, &records).await,
                What::Answer(args) => send::answer(args, &records).await,
                What::Signal(args) => send::signal(args, &records).await,
                What::Export(args) => export::export(args, &records).await,
                What::Prune(args) => prune::prune(args, &records).await,
                What::Stats(args) => stats::stats(args, &records).await,
            }
        })?
    });
    done.unwrap_or_else(|status| status)
}

/// Says what the store did not do, and why.
fn wrong(why: JournalError) -> Status {
    let status = misused(&why);
    if matches!(why, JournalError::Broken(_)) { Status::Failed } else { status }
}
