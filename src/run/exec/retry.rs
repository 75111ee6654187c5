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
    pub(super) spent: Usage,
    /// Of that, by the last attempt.
    pub(super) last: Usage,
}

impl Tally {
    /// From the first attempt's start until `now`.
    pub(super) fn millis(&self, now: Timestamp) -> u64 {
        millis_between(self.began, now)
    }

    /// What was spent, if anything was.
    pub(super) fn usage(&self) -> Option<Box<Usage>> {
        (self.spent != Usage::default()).then(|| Box::new(self.spent))
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
        let mut tally =
            Tally { began: Timestamp::UNIX_EPOCH, attempts: 0, spent: Usage::default(), last: Usage::default() };
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
            let failure = match ended {
                Err(Stop::Failed(failure)) => failure,
                Err(Stop::Cancelled) => {
                    undo::down_to(strand, held).await;
                    return (Err(Stop::Cancelled), tally);
                }
                ended => return (ended, tally),
            };
            undo::down_to(strand, held).await;
            let after = machine
                .replay
                .as_ref()
                .and_then(|replay| replay.after(&job.path, &label, &path::attempt(&job.path, tally.attempts + 1)));
            let wait = match &after {
                Some(After::End) => None,
                Some(After::Began(_) | After::Due(_)) => Some(Duration::ZERO),
                None => job.plan.next(tally.attempts, &failure, machine.engine.clock.jitter()),
            };
            let Some(wait) = wait else { return (Err(Stop::Failed(failure)), tally) };
            machine.push(EventKind::StepRetrying {
                path: label,
                attempt: tally.attempts,
                error: failure.error,
                wait_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                usage: (tally.last != Usage::default()).then(|| Box::new(tally.last)),
            });
            if let Err(stop) = between_attempts(strand, &job.path, after, wait).await {
                let ended = if machine.live().is_ok() { Err(stop) } else { cut(strand, job, stop).await };
                return (ended, tally);
            }
        }
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
    let prepared = job.take_prepared()?;
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
