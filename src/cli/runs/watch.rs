//! `flowc runs watch`: a run as it goes on, whoever carries it on.

use std::sync::Arc;
use std::time::Duration;

use super::super::interrupt::Interrupts;
use super::super::output::{Status, err, misused, out, paint};
use super::super::progress::{FRAME, Progress};
use super::super::{report, run as running};
use super::list::short;
use super::{Done, Records, select, wrong};
use crate::program::Program;
use crate::run::{Event, EventKind, RunError, RunStatus};
use crate::value::ErrorKind;

/// Watch a run until it ends, and write what it returns. Ctrl-C only stops watching
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The run
    #[arg(value_name = "ID")]
    id: String,
}

/// How often the store is asked for what is new.
const POLL: Duration = Duration::from_millis(300);
/// How many events are taken at a time.
const MOST: usize = 1_000;

pub(super) async fn watch(args: &Args, records: &Records<'_>) -> Done {
    let run = select::find(&args.id, records).await?;
    let kept = records.store.load(&run.run).await.map_err(wrong)?;
    let program = &kept.opening.program;
    let Some(flow) = program.flow(&run.flow) else {
        return Err(misused(format_args!("what is kept of the run has no flow `{}`", run.flow)));
    };
    let mut progress = Progress::new(flow, true);
    let mut end = take(&kept.events, &mut progress);
    let mut seen = kept.summary.events;
    let (mut frames, mut polls) = (tokio::time::interval(FRAME), tokio::time::interval(POLL));
    for timer in [&mut frames, &mut polls] {
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    }
    let mut interrupts = Interrupts::listen();
    while end.is_none() {
        tokio::select! {
            biased;
            () = interrupts.next() => {
                progress.clear();
                err(paint().dim().apply_to(format!("the run goes on: `flowc runs watch {}`", short(&run.run))));
                return Ok(Status::Interrupted);
            }
            _ = polls.tick() => {
                let events = records.store.events(&run.run, seen, MOST).await.map_err(wrong)?;
                seen = events.last().map_or(seen, |last| last.number);
                end = take(&events, &mut progress);
                if events.is_empty() && let Some(error) = parked(&run.run, records).await? {
                    progress.clear();
                    err(report::failure(&error, "the run", progress.label(&error.step), program).trim_end());
                    err(format_args!("the run is parked: `flowc runs resume {}` carries it on", short(&run.run)));
                    return Ok(Status::Failed);
                }
            }
            _ = frames.tick(), if progress.live() => progress.frame(),
        }
    }
    progress.finish();
    Ok(end.map_or(Status::Fine, |end| ended(&end, &progress, program)))
}

/// Shows events; gives the last of the run where it is among them.
fn take(events: &[Arc<Event>], progress: &mut Progress) -> Option<EventKind> {
    events.iter().for_each(|event| progress.event(event));
    events.last().map(|last| last.kind.clone()).filter(EventKind::ends_run)
}

/// Why a run is parked, if it is.
async fn parked(run: &str, records: &Records<'_>) -> Result<Option<RunError>, Status> {
    let run = records.store.summary(run).await.map_err(wrong)?;
    Ok(run.error.filter(|_| run.status == RunStatus::Parked))
}

/// Writes what a run returned, or says why it returned nothing.
fn ended(end: &EventKind, progress: &Progress, program: &Program) -> Status {
    match end {
        EventKind::RunCompleted { output, .. } => {
            out(report::pretty(&output.into()));
            Status::Fine
        }
        EventKind::RunFailed { error, .. } => running::failed(error, progress, program),
        _ => running::failed(&RunError::new(ErrorKind::Cancelled, "the run was cancelled"), progress, program),
    }
}
