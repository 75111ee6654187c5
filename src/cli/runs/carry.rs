//! `flowc runs resume`, `retry`, `fork` and `migrate`: runs that go on here.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::super::host::{self, Host};
use super::super::output::{Status, err, misused, out, paint};
use super::super::progress::Progress;
use super::super::{files, report, run as running};
use super::list::short;
use super::{Done, Records, select, wrong};
use crate::compile::compile;
use crate::project::{EngineOptions, Project};
use crate::run::journal::{Filter, Kept, LEASE, Lease, Page, Rest};
use crate::run::{ForkError, JournalError, ResumeError, Run, RunStatus, RunStore, RunSummary};
use crate::source::DiskLoader;

/// How often it is looked for runs that others have left.
const LOOK: Duration = Duration::from_millis(500);
/// How many runs are named.
const SHOWN: usize = 5;

/// Carry runs on that nobody carries on, one after the other, as `flowc run` would
#[derive(clap::Args, Debug)]
pub(super) struct Resume {
    /// The runs
    #[arg(required_unless_present = "all", conflicts_with = "all", value_name = "ID")]
    ids: Vec<String>,
    /// Those whose process is gone, and those whose wait is over
    #[arg(long)]
    all: bool,
    /// Stay until no other process carries runs on either: what those leave is taken over
    #[arg(long, requires = "all")]
    wait: bool,
    /// Let flows reach addresses of private networks and of this machine
    #[arg(long)]
    allow_private: bool,
}

/// Do a run again from one of its steps on, as a run of its own: what its steps gave before stays
#[derive(clap::Args, Debug)]
pub(super) struct Retry {
    /// The run
    #[arg(value_name = "ID")]
    id: String,
    /// The path of the first step that is done again; without it, the one that the run failed at
    #[arg(long, value_name = "PATH")]
    from: Option<String>,
    /// Let the flow reach addresses of private networks and of this machine
    #[arg(long)]
    allow_private: bool,
}

/// Do a run again from its start, as a run of its own: the same program with the same input
#[derive(clap::Args, Debug)]
pub(super) struct Fork {
    /// The run
    #[arg(value_name = "ID")]
    id: String,
    /// Let the flow reach addresses of private networks and of this machine
    #[arg(long)]
    allow_private: bool,
}

/// Let a run go on with another program, if that could have done what the run has done
#[derive(clap::Args, Debug)]
pub(super) struct Migrate {
    /// The run
    #[arg(value_name = "ID")]
    id: String,
    /// The file of the program
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Only say whether it fits
    #[arg(long)]
    dry_run: bool,
}

/// What carries runs on.
pub(super) struct Carrier<'a> {
    pub(super) project: &'a Project,
    pub(super) store: Arc<dyn RunStore>,
}

impl Carrier<'_> {
    /// What is kept of a run whose tools are still what its program was checked against.
    async fn verified(&self, run: &str) -> Result<Kept, Status> {
        let kept = self.store.load(run).await.map_err(wrong)?;
        host::verify(self.project, &kept.opening.program.tools).await?;
        Ok(kept)
    }

    fn host(&self, allow_private: bool) -> Result<Host, Status> {
        let options = EngineOptions { allow_private, ..EngineOptions::default() };
        Host::new(self.project, options, Some(Arc::clone(&self.store)))
    }
}

pub(super) async fn resume(args: &Resume, carrier: &Carrier<'_>, records: &Records<'_>) -> Done {
    let host = carrier.host(args.allow_private)?;
    let mut worst = Status::Fine;
    for id in &args.ids {
        worst = worst.max(resume_one(id, &host, carrier, records).await.unwrap_or_else(|status| status));
    }
    if args.all {
        worst = worst.max(resume_all(args.wait, &host, carrier, records).await?);
    }
    host.close().await;
    carrier.project.close().await;
    Ok(worst)
}

async fn resume_one(id: &str, host: &Host, carrier: &Carrier<'_>, records: &Records<'_>) -> Done {
    let run = select::find(id, records).await?.run;
    let kept = carrier.verified(&run).await?;
    let run = host.engine.take(&run).await.map_err(refused)?;
    Ok(follow(&run, &kept).await)
}

/// Carries on what nobody does, one at a time, so that others can take what is left.
async fn resume_all(wait: bool, host: &Host, carrier: &Carrier<'_>, records: &Records<'_>) -> Done {
    let (mut worst, mut done, mut told) = (Status::Fine, 0, 0);
    loop {
        while let Some(lease) = records.store.claim(1, host.engine.shared.clock.now()).await.map_err(wrong)?.pop() {
            done += 1;
            worst = worst.max(resume_claimed(lease, host, carrier, records).await?);
        }
        let others = carried_on(records).await?;
        if others.is_empty() || !wait {
            tell_what_is_left(done, &others);
            return Ok(worst);
        }
        if told != others.len() {
            told = others.len();
            err(paint().dim().apply_to(format_args!("waits for what other processes carry on: {}", names(&others))));
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn resume_claimed(lease: Lease, host: &Host, carrier: &Carrier<'_>, records: &Records<'_>) -> Done {
    let kept = match carrier.verified(&lease.run).await {
        Ok(kept) => kept,
        Err(status) => {
            // It is left to whoever has the tools that it knows.
            records.store.release(&lease, Rest::Waiting(Some(records.now))).await.map_err(wrong)?;
            return Err(status);
        }
    };
    Ok(match host.engine.resume(lease).await {
        Ok(run) => follow(&run, &kept).await,
        Err(why) => refused(why),
    })
}

/// The runs that other processes carry on, or that are theirs until they have been silent for long enough.
async fn carried_on(records: &Records<'_>) -> Result<Vec<RunSummary>, Status> {
    let running = Filter { status: vec![RunStatus::Running], ..Filter::default() };
    records.store.list(&running, Page { most: SHOWN + 1, after: None }).await.map_err(wrong)
}

fn tell_what_is_left(done: usize, others: &[RunSummary]) {
    if !others.is_empty() {
        let silent = LEASE.as_secs();
        err(format_args!(
            "other processes carry on {}; one that was silent for {silent} s has left its runs: `--wait` stays and takes \
             them over then",
            names(others)
        ));
    } else if done == 0 {
        err("no run waits for somebody to carry it on");
    }
}

fn names(runs: &[RunSummary]) -> String {
    let mut names: Vec<_> = runs.iter().take(SHOWN).map(|run| format!("`{}`", short(&run.run))).collect();
    if runs.len() > SHOWN {
        names.push("more".to_owned());
    }
    names.join(", ")
}

pub(super) async fn retry(args: &Retry, carrier: &Carrier<'_>, records: &Records<'_>) -> Done {
    let run = select::find(&args.id, records).await?;
    let failed = run.error.as_ref().map(|error| error.step.as_str()).filter(|step| !step.is_empty());
    let Some(from) = args.from.as_deref().or(failed) else {
        let id = short(&run.run);
        return Err(misused(format_args!(
            "the run did not fail at a step: say from which to do it again, `flowc runs retry {id} --from PATH`, or do \
             all of it again, `flowc runs fork {id}`"
        )));
    };
    copy(&run, Some(from), args.allow_private, carrier).await
}

pub(super) async fn fork(args: &Fork, carrier: &Carrier<'_>, records: &Records<'_>) -> Done {
    let run = select::find(&args.id, records).await?;
    copy(&run, None, args.allow_private, carrier).await
}

/// Starts a copy of a run and shows it until its end.
async fn copy(of: &RunSummary, from: Option<&str>, allow_private: bool, carrier: &Carrier<'_>) -> Done {
    let kept = carrier.verified(&of.run).await?;
    let host = carrier.host(allow_private)?;
    let run = host.engine.fork(&of.run, from).await.map_err(|why| match why {
        ForkError::Resume(why) => refused(why),
        step @ ForkError::NoStep { .. } => misused(step),
    })?;
    err(paint().dim().apply_to(format!("{} as {}", short(&of.run), run.id())));
    let status = follow(&run, &kept).await;
    host.close().await;
    carrier.project.close().await;
    Ok(status)
}

/// Shows a run until its end, and writes what it returns.
async fn follow(run: &Run, kept: &Kept) -> Status {
    let program = &kept.opening.program;
    let Some(flow) = program.flow(&kept.opening.flow) else { return Status::Misused };
    let mut progress = Progress::new(flow, true);
    running::follow_run(run, true, &mut progress).await;
    let end = run.value().await;
    progress.finish();
    match end {
        Ok(value) => {
            out(report::pretty(&(&value).into()));
            Status::Fine
        }
        Err(error) => {
            let status = running::failed(&error, &progress, program);
            if status == Status::Failed {
                err(paint().dim().apply_to(running::onward(run)));
            }
            status
        }
    }
}

pub(super) async fn migrate(args: &Migrate, carrier: &Carrier<'_>, records: &Records<'_>) -> Done {
    let run = select::find(&args.id, records).await?;
    let file = files::read(&args.to).map_err(misused)?;
    let program = compile(file, &carrier.project.catalog(), &DiskLoader).map_err(|found| {
        report::diagnostics(&found.list, &found.sources, report::Format::Human);
        Status::Failed
    })?;
    let program = Arc::new(program);
    let host = carrier.host(false)?;
    let fits = if args.dry_run {
        host.engine.rehearse(&run.run, &program).await
    } else {
        host.engine.migrate(&run.run, &program).await
    };
    host.close().await;
    match fits.map_err(refused)? {
        Ok(()) if args.dry_run => out(format_args!("`{}` could go on with `{}`", short(&run.run), args.to.display())),
        Ok(()) => out(format_args!(
            "`{}` goes on with `{}`: `flowc runs resume {}` carries it on",
            short(&run.run),
            args.to.display(),
            short(&run.run)
        )),
        Err(why) => {
            misused(format_args!("`{}` does not fit what the run has done", args.to.display()));
            err(report::failure(&why, "the flow", None, &program).trim_end());
            return Err(Status::Failed);
        }
    }
    Ok(Status::Fine)
}

/// Says why a run cannot go on here.
fn refused(why: ResumeError) -> Status {
    match why {
        ResumeError::Journal(why @ JournalError::Held(_)) => {
            let status = wrong(why);
            err(paint().dim().apply_to("`flowc runs watch` shows what it does"));
            status
        }
        ResumeError::Journal(why) => wrong(why),
        other => {
            misused(other);
            Status::Failed
        }
    }
}
