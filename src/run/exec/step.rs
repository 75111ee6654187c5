//! Steps: everything between `step` and the last clause.

use std::time::Duration;

use crate::program::{Action, Guard, Step, Undo};
use crate::run::event::EventKind;
use crate::run::exec::prepared::Prepared;
use crate::run::exec::retry::{Tally, attempts};
use crate::run::exec::{Exit, Failure, Flowing, Machine, Stop, Strand, guard, resumed, set, undo};
use crate::run::policy::{self, Plan};
use crate::run::ports::derived_key;
use crate::source::Span;
use crate::types::{Signature, Text, Type};
use crate::value::Value;

/// How a step that did not fail ended.
#[derive(Debug)]
pub(super) enum Performed {
    /// With a value.
    Value(Value),
    /// Its `when` was false.
    Skipped,
    /// Its block was left for somewhere further out.
    Left(Exit),
}

impl Performed {
    /// The value; null where there is none.
    pub(super) fn value(self) -> Value {
        if let Performed::Value(value) = self { value } else { Value::Null }
    }

    /// Of a step that is a statement: keeps the value where it goes, and says how the statement ended.
    pub(super) fn keep(self, frame: &mut [Value], step: &Step) -> Exit {
        if let Performed::Left(exit) = self {
            return exit;
        }
        if let Some(slot) = step.slot {
            set(frame, slot, self.value());
        }
        Exit::Next
    }
}

/// A step or an undo, ready to be attempted.
pub(super) struct Job<'m> {
    pub(super) action: &'m Action,
    /// The path without an attempt.
    pub(super) path: Text,
    pub(super) title: Option<Text>,
    pub(super) prepared: Result<Prepared, Box<Failure>>,
    /// What `retry` says.
    retry: Option<Box<Plan<'m>>>,
    /// Of one attempt.
    pub(super) timeout: Option<Duration>,
    /// What `key` says.
    pub(super) key: Option<Text>,
    /// What the action's value must fit.
    pub(super) result: Option<&'m Type>,
    pub(super) span: Span,
    /// Whether the step gives an outcome instead of its value.
    pub(super) outcome: bool,
    /// Whether it says `retry` or gives a key, so that it may be called again.
    pub(super) again: bool,
}

/// Runs a step: the skip, the attempts, what guards them, and the one event of its end.
///
/// Like all on the way from a branch to its tool it is a function that gives a block: an async function would hold its
/// arguments twice, and many wait at once.
pub(super) fn perform<'m>(
    strand: &mut Strand<'m>,
    frame: &mut [Value],
    step: &'m Step,
) -> impl Future<Output = Result<Performed, Stop>> {
    let machine = strand.machine;
    async move {
        strand.may_begin()?;
        strand.breathe().await?;
        strand.adrift = false;
        let mut job = Job::of_step(machine, step, strand.path_of(&step.segment));
        if machine.live().is_err() {
            resumed::reach(strand, &job.path).await?;
        }
        match job.prepare(strand, frame, step) {
            Ok(true) => {}
            Ok(false) => {
                machine.push(EventKind::StepSkipped { path: job.path });
                return Ok(Performed::Skipped);
            }
            Err(failure) => job.prepared = Err(failure),
        }
        let (flowing, tally) = attempts(strand, frame, &mut job).await;
        match &flowing {
            Ok(Exit::Yield(value)) => undo::hold(strand, frame, step, &job.path, value),
            Ok(Exit::Next) => undo::hold(strand, frame, step, &job.path, &Value::Null),
            _ => {}
        }
        match (&step.guard, flowing) {
            (Some(Guard::Catch { catch, finally }), flowing) => {
                let (catch, finally) = (catch.as_ref(), finally.as_ref());
                Box::pin(caught(strand, frame, flowing, catch, finally, Ending { path: job.path, tally })).await
            }
            (guard, Ok(exit)) => {
                let (performed, result) = match exit {
                    Exit::Yield(value) if guard.is_some() => split(guard::success(value)),
                    Exit::Next if guard.is_some() => split(guard::success(Value::Null)),
                    Exit::Yield(value) => split(value),
                    Exit::Next => split(Value::Null),
                    left => (Performed::Left(left), Value::Null),
                };
                Ending { path: job.path, tally }.completed(machine, result);
                Ok(performed)
            }
            (guard, Err(Stop::Failed(failure))) => {
                Ending { path: job.path, tally }.failed(machine, &failure);
                match (&step.otherwise, guard) {
                    (Some(otherwise), _) => Ok(Performed::Value(strand.eval(frame, otherwise)?)),
                    (None, Some(_)) => Ok(Performed::Value(guard::failure(&failure.error))),
                    (None, None) => Err(Stop::Failed(failure)),
                }
            }
            (_, Err(Stop::Cancelled)) => {
                Ending { path: job.path, tally }.cancelled(machine);
                Err(Stop::Cancelled)
            }
        }
    }
}

fn split(value: Value) -> (Performed, Value) {
    (Performed::Value(value.clone()), value)
}

/// `catch` and `finally` of a step: they run within it, and its end is theirs.
async fn caught<'m>(
    strand: &mut Strand<'m>,
    frame: &mut [Value],
    flowing: Flowing,
    catch: Option<&'m crate::program::Catch>,
    finally: Option<&'m crate::program::Block>,
    ending: Ending,
) -> Result<Performed, Stop> {
    let machine = strand.machine;
    ending.acted(machine, &flowing, finally.is_some());
    let base = strand.path.len();
    let emits = std::mem::take(&mut strand.emits);
    strand.enter(&ending.path);
    strand.path.push('.');
    let flowing = guard::settle(strand, frame, flowing, catch, finally).await;
    strand.path.truncate(base);
    strand.emits = emits;
    match flowing {
        Ok(exit) => {
            let (performed, result) = match exit {
                Exit::Yield(value) => split(value),
                Exit::Next => split(Value::Null),
                left => (Performed::Left(left), Value::Null),
            };
            ending.end(machine, |path, duration_ms, tally| EventKind::StepCompleted {
                path,
                result,
                duration_ms,
                usage: tally.usage(),
            });
            Ok(performed)
        }
        Err(Stop::Failed(failure)) => {
            ending.failed(machine, &failure);
            Err(Stop::Failed(failure))
        }
        Err(Stop::Cancelled) => {
            ending.cancelled(machine);
            Err(Stop::Cancelled)
        }
    }
}

/// Writes the one event of a step's end.
pub(super) struct Ending {
    pub(super) path: Text,
    pub(super) tally: Tally,
}

impl Ending {
    fn end(self, machine: &Machine<'_>, kind: impl FnOnce(Text, u64, &Tally) -> EventKind) {
        let now = machine.now();
        let duration_ms = self.tally.millis(now);
        machine.push_at(now, kind(self.path, duration_ms, &self.tally));
    }

    /// Records what came of the action itself, where more of the step follows: on resuming, that alone runs.
    fn acted(&self, machine: &Machine<'_>, flowing: &Flowing, finally: bool) {
        let (path, usage) = (self.path.clone(), self.tally.usage());
        let kind = match flowing {
            Err(Stop::Failed(failure)) => EventKind::StepCaught { path, error: failure.error.clone(), usage },
            Ok(Exit::Yield(value)) if finally => EventKind::StepReturned { path, result: value.clone(), usage },
            Ok(Exit::Next) if finally => EventKind::StepReturned { path, result: Value::Null, usage },
            _ => return,
        };
        machine.push(kind);
    }

    pub(super) fn completed(self, machine: &Machine<'_>, result: Value) {
        self.end(machine, |path, duration_ms, tally| EventKind::StepCompleted {
            path,
            result,
            duration_ms,
            usage: tally.usage(),
        });
    }

    pub(super) fn failed(self, machine: &Machine<'_>, failure: &Failure) {
        let error = failure.error.clone();
        self.end(machine, |path, duration_ms, tally| {
            let usage = tally.usage();
            EventKind::StepFailed { path, error, duration_ms, usage }
        });
    }

    pub(super) fn cancelled(self, machine: &Machine<'_>) {
        self.end(machine, |path, duration_ms, _| EventKind::StepCancelled { path, duration_ms });
    }
}

impl<'m> Job<'m> {
    /// A step's job before its expressions are evaluated.
    pub(super) fn of_step(machine: &Machine<'m>, step: &'m Step, path: Text) -> Self {
        let tool = machine.signature(&step.action);
        Self {
            action: &step.action,
            path,
            title: None,
            prepared: Ok(Prepared::Nothing),
            retry: None,
            timeout: tool.and_then(|tool| policy::tool_timeout(tool, None, &machine.engine.limits)),
            key: None,
            result: (tool.is_some() || step.checked).then_some(&step.result),
            span: step.span,
            outcome: matches!(step.guard, Some(Guard::Outcome)),
            again: step.retry.is_some() || step.key.is_some(),
        }
    }

    /// An undo's job: by the default policy.
    pub(super) fn of_undo(
        machine: &Machine<'m>,
        undo: &'m Undo,
        path: Text,
        prepared: Result<Prepared, Box<Failure>>,
    ) -> Self {
        let tool = machine.signature(&undo.call);
        let mut job = Self {
            action: &undo.call,
            path,
            title: None,
            prepared,
            retry: None,
            timeout: tool.and_then(|tool| policy::tool_timeout(tool, None, &machine.engine.limits)),
            key: None,
            result: None,
            span: undo.span,
            outcome: false,
            again: false,
        };
        job.give_key(machine);
        job
    }

    /// Evaluates a step's clauses and arguments, `when` first; false where it is to be skipped.
    fn prepare(&mut self, strand: &Strand<'m>, frame: &mut [Value], step: &'m Step) -> Result<bool, Box<Failure>> {
        let machine = strand.machine;
        if let Some(when) = &step.when
            && !strand.holds(frame, when)?
        {
            return Ok(false);
        }
        if let Some(title) = &step.title {
            self.title = strand.text(frame, title)?;
        }
        if let Some(key) = &step.key {
            self.key = strand.text(frame, key)?;
        }
        if let Some(retry) = &step.retry {
            let count = strand.int(frame, &retry.count)?;
            let backoff = match &retry.backoff {
                Some((first, longest)) => Some((strand.duration(frame, first)?, strand.duration(frame, longest)?)),
                None => None,
            };
            let waits = self.plan(machine).waits;
            let more = u32::try_from(count.max(0)).unwrap_or(u32::MAX);
            self.retry = Some(Box::new(Plan { waits, ..Plan::explicit(more, backoff, &retry.on) }));
        }
        if let Some(timeout) = &step.timeout {
            let timeout = strand.duration(frame, timeout)?;
            self.timeout = match machine.signature(&step.action) {
                Some(tool) => policy::tool_timeout(tool, Some(timeout), &machine.engine.limits),
                None => Some(timeout),
            };
        }
        self.prepared = Ok(Prepared::of(strand, frame, &step.action)?);
        self.give_key(machine);
        Ok(true)
    }

    /// Whether and when an attempt follows one that failed.
    pub(super) fn plan(&self, machine: &Machine<'m>) -> Plan<'m> {
        match &self.retry {
            Some(said) => **said,
            None => machine.signature(self.action).map_or(Plan::ONCE, Plan::of_tool),
        }
    }

    /// What the action needs for one attempt; kept for the next where there may be one.
    ///
    /// # Errors
    /// Why it could not be evaluated: another attempt would fail the same way.
    pub(super) fn take_prepared(&mut self, machine: &Machine<'m>) -> Result<Prepared, Box<Failure>> {
        match std::mem::replace(&mut self.prepared, Ok(Prepared::Nothing)) {
            Ok(prepared) => {
                if self.plan(machine).more > 0 {
                    self.prepared = Ok(prepared.clone());
                }
                Ok(prepared)
            }
            Err(mut failure) => {
                failure.doomed = true;
                failure.error.step = self.path.clone();
                Err(failure)
            }
        }
    }

    /// Gives the idempotency key to a tool that has a parameter for it, unless the call does.
    fn give_key(&mut self, machine: &Machine<'m>) {
        let Some(param) = machine.signature(self.action).and_then(|tool| tool.annotations.key.as_ref()) else { return };
        let Ok(Prepared::Args(Value::Record(args))) = &mut self.prepared else { return };
        if args.get(param).is_some_and(|given| !given.is_null()) {
            return;
        }
        let key = self.key.clone().unwrap_or_else(|| derived_key(&machine.run.id, &self.path, 1));
        let rest = args.iter().filter(|(name, _)| *name != param).map(|(name, value)| (name.clone(), value.clone()));
        let with_key = Value::record(rest.chain([(param.clone(), Value::String(key))]));
        self.prepared = Ok(Prepared::Args(with_key));
    }

    /// What is called, or which form it is.
    pub(super) fn name(&self, machine: &Machine<'m>) -> Text {
        Text::new_static(match self.action {
            Action::Tool { .. } => {
                return machine.signature(self.action).map(|tool| tool.name.clone()).unwrap_or_default();
            }
            Action::Flow { flow, .. } => {
                return machine.program.flows.get(*flow as usize).map(|flow| flow.name.clone()).unwrap_or_default();
            }
            Action::Parallel(_) => "parallel",
            Action::Race(_) => "race",
            Action::For(_) => "for",
            Action::ParallelFor(_) => "parallel for",
            Action::Repeat(_) => "repeat",
            Action::Do(_) => "do",
            Action::If(_) => "if",
            Action::Match(_) => "match",
        })
    }

    /// How many items, for blocks over a list.
    pub(super) fn items(&self) -> Option<u32> {
        match &self.prepared {
            Ok(Prepared::Items(items)) => Some(u32::try_from(items.len()).unwrap_or(u32::MAX)),
            _ => None,
        }
    }
}

impl<'m> Machine<'m> {
    /// The signature of the tool an action calls.
    pub(super) fn signature(&self, action: &Action) -> Option<&'m Signature> {
        match action {
            Action::Tool { tool, .. } => self.program.tools.get(*tool as usize).map(AsRef::as_ref),
            _ => None,
        }
    }
}
