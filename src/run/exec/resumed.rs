//! What a run does otherwise while it goes through what an earlier life recorded. See [`crate::run::replay`].

use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;

use crate::run::event::{EventKind, RunError};
use crate::run::exec::call::{fitting, later, price};
use crate::run::exec::loops::pause;
use crate::run::exec::retry::Tally;
use crate::run::exec::step::Job;
use crate::run::exec::{Failure, Flowing, Machine, Stop, Strand, undo};
use crate::run::policy;
use crate::run::ports::Usage;
use crate::run::replay::{After, Outcome, Replay};
use crate::run::scope::{Ended, Scope, timed, unless_cancelled};
use crate::types::Text;
use crate::value::{ErrorKind, Value};

/// Waits at the gate before a step that no earlier life began.
pub(super) fn reach<'s>(strand: &'s Strand<'_>, path: &'s str) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        match strand.machine.live() {
            Err(replay) if replay.is_new(path) => gate(strand, replay, path).await,
            _ => Ok(()),
        }
    })
}

/// Waits at the gate.
async fn gate(strand: &Strand<'_>, replay: &Replay, step: &str) -> Result<(), Stop> {
    match unless_cancelled(&strand.scope, replay.opened()).await {
        // Others went through the same gate, and may have decided on this one.
        Ended::Done(()) | Ended::TimedOut if !strand.scope.is_cancelled() => Ok(()),
        _ => {
            replay.turn(replay.next_event(step, &strand.path, strand.shares())).await;
            Err(Stop::Cancelled)
        }
    }
}

/// What is recorded of an attempt of a tool's call. `None` where it is to be called: the gate is open then.
pub(super) fn called<'s, 'm: 's>(
    strand: &'s Strand<'m>,
    job: &'s Job<'m>,
    label: &'s str,
    tally: &'s mut Tally,
) -> BoxFuture<'s, Option<Result<Value, Stop>>> {
    Box::pin(async move {
        let Err(replay) = strand.machine.live() else { return None };
        match replay.outcome(&job.path, label) {
            Some(Outcome::Cancelled(event)) => {
                let cancelled = gate(strand, replay, &job.path).await;
                replay.turn(event.number).await;
                Some(cancelled.and(Err(Stop::Cancelled)))
            }
            Some(Outcome::Ended(event)) => {
                replay.turn(event.number).await;
                settle(strand, job, tally, &event.kind);
                Some(given(job, tally.attempts, &event.kind))
            }
            Some(Outcome::Failed(event, error)) => {
                replay.turn(event.number).await;
                settle(strand, job, tally, &event.kind);
                Some(Err(Stop::Failed(Failure::of(error.clone()))))
            }
            None => match gate(strand, replay, &job.path).await {
                Err(stop) => Some(Err(stop)),
                Ok(()) if repeatable(strand.machine, job) => None,
                Ok(()) => Some(Err(interrupted(strand.machine, job, tally.attempts))),
            },
        }
    })
}

/// How an attempt ended, in its turn. Where it is recorded that it was cancelled, it waits for that: what cancelled it
/// may have come at the very moment at which it ended. Where nothing is recorded, it ended after all that is.
pub(super) fn as_recorded<'s, 'm: 's>(
    strand: &'s Strand<'m>,
    job: &'s Job<'m>,
    label: &'s str,
    ended: Flowing,
) -> BoxFuture<'s, Flowing> {
    Box::pin(async move {
        let Err(replay) = strand.machine.live() else { return ended };
        match replay.outcome(&job.path, label) {
            Some(Outcome::Cancelled(event)) => {
                if !matches!(ended, Err(Stop::Cancelled)) {
                    gate(strand, replay, &job.path).await?;
                }
                replay.turn(event.number).await;
                Err(Stop::Cancelled)
            }
            Some(Outcome::Ended(event) | Outcome::Failed(event, _)) => {
                replay.turn(event.number).await;
                ended
            }
            None => at_last(strand, replay, &job.path, ended).await,
        }
    })
}

/// How something ended whose end is not recorded: it comes after all that is, which may have cancelled it. Of what failed
/// it may be recorded that its undos have begun.
async fn at_last<T>(strand: &Strand<'_>, replay: &Replay, path: &str, ended: Result<T, Stop>) -> Result<T, Stop> {
    if matches!(ended, Err(Stop::Cancelled)) || replay.is_over() || replay.goes_on(path) {
        return ended;
    }
    gate(strand, replay, path).await.and(ended)
}

/// How an iteration of a `parallel for` failed, which no event tells but what follows: it cancels the others then, and not
/// before.
pub(super) fn fell<'s>(strand: &'s Strand<'_>, ended: Flowing) -> BoxFuture<'s, Flowing> {
    Box::pin(async move {
        let (Err(replay), Err(Stop::Failed(_))) = (strand.machine.live(), &ended) else { return ended };
        let block = strand.path.get(..strand.shared as usize).unwrap_or_default();
        match replay.fell(&strand.here(), block) {
            Some(number) => replay.turn(number).await,
            None => gate(strand, replay, &strand.here()).await?,
        }
        ended
    })
}

/// How the run's flow ended, which no event tells but the run's last: see [`at_last`].
pub(super) async fn at_the_end(strand: &mut Strand<'_>, ended: Result<Value, Stop>) -> Result<Value, Stop> {
    let Err(replay) = strand.machine.live() else { return ended };
    let ended = at_last(strand, replay, "", ended).await;
    if matches!(ended, Err(Stop::Cancelled)) {
        undo::down_to(strand, 0).await;
    }
    ended
}

/// Whether it is recorded that an attempt failed. What is around it may have been cancelled only since.
pub(super) fn failed(machine: &Machine<'_>, job: &Job<'_>, label: &str) -> bool {
    let outcome = machine.live().err().and_then(|replay| replay.outcome(&job.path, label));
    matches!(outcome, Some(Outcome::Failed(..)))
}

/// How a step ended that was cancelled between two attempts, in its turn.
pub(super) fn cut<'s, 'm: 's>(strand: &'s Strand<'m>, job: &'s Job<'m>, stop: Stop) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        if let Err(replay) = strand.machine.live()
            && let Some(number) = replay.settled(&job.path)
        {
            replay.turn(number).await;
        }
        Err(stop)
    })
}

/// The value of a call that is recorded, as it was.
fn given(job: &Job<'_>, attempts: u32, kind: &EventKind) -> Result<Value, Stop> {
    let value = match kind {
        EventKind::StepCompleted { result, .. } if job.outcome => result.get("result").cloned().unwrap_or_default(),
        EventKind::StepCompleted { result, .. } | EventKind::StepReturned { result, .. } => result.clone(),
        _ => Value::Null,
    };
    match job.result {
        Some(ty) => fitting(job, value, ty, attempts),
        None => Ok(value),
    }
}

/// Enters what a call spent into the accounts, which an earlier life has asked.
fn settle(strand: &Strand<'_>, job: &Job<'_>, tally: &mut Tally, kind: &EventKind) {
    let before = tally.usage().as_deref().copied().unwrap_or_default();
    let spent = match kind {
        EventKind::StepRetrying { usage, .. } => {
            let mut spent = before;
            spent.add(&usage.as_deref().copied().unwrap_or_default());
            spent
        }
        EventKind::StepCompleted { usage, .. }
        | EventKind::StepReturned { usage, .. }
        | EventKind::StepFailed { usage, .. }
        | EventKind::StepCaught { usage, .. } => usage.as_deref().copied().unwrap_or(before),
        _ => before,
    };
    tally.set_usage(&spent);
    if let Some(account) = &strand.account {
        let usage = Usage {
            input_tokens: spent.input_tokens.saturating_sub(before.input_tokens),
            output_tokens: spent.output_tokens.saturating_sub(before.output_tokens),
            usd: (spent.usd - before.usd).max(0.0),
        };
        account.repeat(price(strand.machine, job), &usage);
    }
}

/// Whether a call that may have been made can be made again.
fn repeatable(machine: &Machine<'_>, job: &Job<'_>) -> bool {
    let Some(tool) = machine.signature(job.action) else { return true };
    job.again || tool.annotations.repeatable() || tool.annotations.key.is_some() || policy::waits(tool)
}

/// The failure of a call of which nobody knows whether it was made.
fn interrupted(machine: &Machine<'_>, job: &Job<'_>, attempts: u32) -> Stop {
    let tool = job.name(machine);
    let message = format!(
        "the process ended while `{tool}` was in flight, and calling it again could do harm: nothing says that it only \
         reads, is idempotent or takes a key, and the step has no `retry`"
    );
    let error = RunError::new(ErrorKind::Interrupted, message);
    Stop::Failed(Failure::of(RunError { step: job.path.clone(), attempts, span: Some(job.span), ..error }))
}

/// Sleeps between two attempts: not at all where the next has begun, and not longer than is left.
pub(super) async fn between_attempts(
    strand: &Strand<'_>,
    step: &str,
    after: Option<After>,
    wait: Duration,
) -> Result<(), Stop> {
    let Err(replay) = strand.machine.live() else { return pause(strand, wait).await };
    let due = match after {
        Some(After::Began(number)) => {
            replay.turn(number).await;
            return Ok(());
        }
        Some(After::Due(due)) => Some(due),
        Some(After::End) | None => None,
    };
    gate(strand, replay, step).await?;
    pause(strand, due.map_or(wait, |due| left(strand.machine.now(), due))).await
}

/// Sleeps between two rounds of the `repeat` at `base`.
pub(super) async fn between_rounds(strand: &Strand<'_>, base: &str, round: u64, wait: Duration) -> Result<(), Stop> {
    let Err(replay) = strand.machine.live() else { return pause(strand, wait).await };
    let last = match replay.round(base, round) {
        Err(last) => last,
        Ok(number) => {
            replay.turn(number).await;
            return Ok(());
        }
    };
    // A round may do nothing that is recorded; what is then tells that the wait was over, or cut off.
    let block = base.get(..base.rfind(['.', '/']).map_or(0, |at| at + 1)).unwrap_or_default();
    if let Some(number) = replay.ahead(base, block, block.len() == strand.shared as usize) {
        replay.turn(number).await;
        return if strand.scope.is_cancelled() { Err(Stop::Cancelled) } else { Ok(()) };
    }
    gate(strand, replay, base).await?;
    let gone = last.map_or(Duration::ZERO, |last| left(last, strand.machine.now()));
    pause(strand, wait.saturating_sub(gone)).await
}

/// Runs work in a scope, and cancels the scope when `limit` is over since then. Waits for the work's end all the same,
/// and says whether the time was up. `path` is what is recorded as expired.
pub(super) async fn limited<F: Future>(
    machine: &Machine<'_>,
    path: Text,
    since: Timestamp,
    limit: Duration,
    scope: &Scope,
    work: F,
) -> (F::Output, bool) {
    let now = machine.now();
    let remaining = limit.saturating_sub(left(since, now));
    let until = machine.durable.and_then(|_| later(now, remaining));
    let _due = until.map(|until| machine.rests.limit(until));
    let expiry = machine.live().err().and_then(|replay| replay.expiry(&path, scope, remaining.is_zero()));
    match expiry {
        Some(expiry) => (work.await, expiry.fired()),
        None => {
            let up = || {
                machine.push(EventKind::StepExpired { path });
            };
            timed(scope, &*machine.engine.clock, remaining, up, work).await
        }
    }
}

/// From one moment to a later one.
pub(super) fn left(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or(Duration::ZERO)
}

impl Strand<'_> {
    /// Whether the block that it stands in has other strands: it is a branch of it.
    fn shares(&self) -> bool {
        self.path.len() == self.shared as usize
    }
}

impl Machine<'_> {
    /// The place of a step that has given something in the order in which steps did: the number of the event that says
    /// so.
    pub(super) fn order(&self, path: &str) -> u64 {
        let recorded = self.replay.as_ref().and_then(|replay| replay.settled(path));
        recorded.unwrap_or_else(|| self.events.load(std::sync::atomic::Ordering::Relaxed) + 1)
    }
}
