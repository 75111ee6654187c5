//! Attempts: one after the other until one succeeds, the plan gives up or the scope is cancelled.

use std::time::Duration;

use jiff::Timestamp;

use crate::program::Action;
use crate::run::event::{EventKind, RunError};
use crate::run::exec::prepared::Prepared;
use crate::run::exec::resumed::{as_recorded, between_attempts, cut, failed, limited};
use crate::run::exec::step::Job;
use crate::run::exec::{Exit, Failure, Flowing, Stop, Strand, call, forms, path, undo};
use crate::run::ports::Usage;
use crate::run::replay::After;
use crate::types::Text;
use crate::value::{ErrorKind, Value, format_duration};

/// What the attempts of a step came to.
pub(super) struct Tally {
    /// When the first began.
    pub(super) began: Timestamp,
    pub(super) attempts: u32,
    spent: Option<Box<Usage>>,
    /// Of that, by the last attempt.
    last: Option<Box<Usage>>,
}

impl Tally {
    /// Before the first attempt.
    pub(super) fn new() -> Self {
        Self { began: Timestamp::UNIX_EPOCH, attempts: 0, spent: None, last: None }
    }

    /// From the first attempt's start until `now`.
    pub(super) fn millis(&self, now: Timestamp) -> u64 {
        millis_between(self.began, now)
    }

    /// Adds what an attempt spent.
    pub(super) fn spend(&mut self, usage: &Usage) {
        let some = (*usage != Usage::default()).then(|| Box::new(*usage));
        if let Some(usage) = &some {
            self.spent.get_or_insert_default().add(usage);
        }
        self.last = some;
    }

    /// What was spent, if anything was.
    pub(super) fn usage(&self) -> Option<Box<Usage>> {
        self.spent.clone()
    }

    /// Says what all attempts so far spent.
    pub(super) fn set_usage(&mut self, spent: &Usage) {
        self.spent = (*spent != Usage::default()).then(|| Box::new(*spent));
    }
}

pub(crate) fn millis_between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0)
}

/// Attempts a job. Each attempt that fails or is cancelled has undone its steps before anything else happens.
pub(super) fn attempts<'m>(
    strand: &mut Strand<'m>,
    frame: &mut [Value],
    job: &mut Job<'m>,
) -> impl Future<Output = (Flowing, Tally)> {
    let machine = strand.machine;
    async move {
        let held = strand.undos.len();
        let mut tally = Tally::new();
        loop {
            tally.attempts += 1;
            let label = path::attempt(&job.path, tally.attempts);
            let at = machine.push(EventKind::StepStarted {
                path: label.clone(),
                title: job.title.clone(),
                action: job.name(machine),
                attempt: tally.attempts,
                items: job.items(),
                args_hash: call::args_hash(machine, job),
            });
            if tally.attempts == 1 {
                tally.began = at;
            }
            let ended = if let (Action::Tool { tool, .. }, Ok(_)) = (job.action, &job.prepared) {
                call::tool(strand, job, *tool, (&label, at), &mut tally).await.map(Exit::Yield)
            } else {
                form(strand, frame, job, (&label, at), tally.attempts).await
            };
            let ended = if machine.live().is_ok() { ended } else { as_recorded(strand, job, &label, ended).await };
            let Err(stop) = ended else { return (ended, tally) };
            // In a box: what it holds would be in the future of every step.
            if let Err(stop) = Box::pin(again(strand, job, stop, label, held, &mut tally)).await {
                return (Err(stop), tally);
            }
        }
    }
}

/// After an attempt that did not come to its end: undoes what it did, and waits until there is to be another.
///
/// # Errors
/// How the step ends where there is not.
async fn again<'m>(
    strand: &mut Strand<'m>,
    job: &Job<'m>,
    stop: Stop,
    label: Text,
    held: usize,
    tally: &mut Tally,
) -> Result<(), Stop> {
    let machine = strand.machine;
    undo::down_to(strand, held).await;
    let Stop::Failed(failure) = stop else { return Err(stop) };
    let next = path::attempt(&job.path, tally.attempts + 1);
    let after = machine.replay.as_ref().and_then(|replay| replay.after(&job.path, &label, &next));
    let wait = match &after {
        Some(After::End) => None,
        Some(After::Began(_) | After::Due(_)) => Some(Duration::ZERO),
        None => job.plan(machine).next(tally.attempts, &failure, machine.engine.clock.jitter()),
    };
    let Some(wait) = wait else { return Err(Stop::Failed(failure)) };
    machine.push(EventKind::StepRetrying {
        path: label,
        attempt: tally.attempts,
        error: failure.error,
        wait_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
        usage: tally.last.clone(),
    });
    match between_attempts(strand, &job.path, after, wait).await {
        Err(stop) if machine.live().is_err() => cut(strand, job, stop).await,
        ended => ended,
    }
}

/// One attempt of a block or flow, or of what could not even be prepared.
async fn form<'m>(
    strand: &mut Strand<'m>,
    frame: &mut [Value],
    job: &mut Job<'m>,
    (label, at): (&Text, Timestamp),
    attempts: u32,
) -> Flowing {
    let prepared = job.take_prepared(strand.machine)?;
    let flowing = if job.timeout.is_some() {
        Box::pin(within(strand, frame, job, prepared, (label, at))).await?
    } else {
        forms::form(strand, frame, job.action, prepared, label).await?
    };
    match (job.result, flowing) {
        (Some(ty), Exit::Yield(value)) => call::fitting(job, value, ty, attempts).map(Exit::Yield),
        (_, flowing) => Ok(flowing),
    }
}

/// An attempt of a block or flow that has a timeout: a scope of its own, which is cancelled when the time is up.
async fn within<'m>(
    strand: &mut Strand<'m>,
    frame: &mut [Value],
    job: &Job<'m>,
    prepared: Prepared,
    (label, at): (&Text, Timestamp),
) -> Flowing {
    let limit = job.timeout.unwrap_or_default();
    let machine = strand.machine;
    let scope = strand.scope.child();
    let around = std::mem::replace(&mut strand.scope, scope.clone());
    let body = forms::form(strand, frame, job.action, prepared, label);
    let (flowing, late) = limited(machine, label.clone(), at, limit, &scope, body).await;
    strand.scope = around;
    match flowing {
        Err(Stop::Cancelled) if late && (!strand.scope.is_cancelled() || failed(machine, job, label)) => {
            Err(Stop::Failed(Failure::of(RunError { step: job.path.clone(), span: Some(job.span), ..too_long(limit) })))
        }
        flowing => flowing,
    }
}

/// The error of what took longer than `limit`.
pub(super) fn too_long(limit: std::time::Duration) -> RunError {
    let limit = format_duration(i64::try_from(limit.as_millis()).unwrap_or(i64::MAX));
    RunError { attempts: 1, ..RunError::new(ErrorKind::Timeout, format!("it took longer than {limit}")) }
}
