//! Execution: a program's statements, block forms and steps, as futures of one task.
//!
//! A [`Machine`] is what all flows of control of a run share; a [`Strand`] is one flow of control: the flow's body, a
//! branch, an iteration of `parallel for`. Each has a frame of its own. Sequential blocks run on the strand they stand
//! in. Whoever fails or is cancelled has unwound (undos, `finally`) before its future ends, so no future is ever
//! dropped midway but a leaf: a tool's call or a sleep.

mod block;
mod call;
mod desk;
mod evaluate;
mod forms;
mod guard;
mod hooks;
mod loops;
mod parallel;
mod path;
mod prepared;
mod race;
mod resumed;
mod retry;
mod step;
mod undo;

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError};
use std::task::Poll;
use std::time::Duration;

use futures::future::pending;

use jiff::{SignedDuration, Timestamp};

use crate::program::Program;
use crate::run::budget::Account;
use crate::run::engine;
use crate::run::event::{EventKind, RunError};
use crate::run::handle;
use crate::run::journal::{Journal, JournalError};
use crate::run::ports::Tool;
use crate::run::replay::Replay;
use crate::run::rest::Rests;
use crate::run::scope::Scope;
use crate::run::testing::Bench;
use crate::source::Span;
use crate::types::Text;
use crate::value::{ErrorKind, Value};

pub(crate) use call::{panic_text, run_block, run_flow};
pub(crate) use retry::millis_between;

/// What the strands of a run share.
pub(crate) struct Machine<'m> {
    pub(crate) program: &'m Program,
    /// The program's tools, by their place in it.
    pub(crate) tools: &'m [Option<Arc<dyn Tool>>],
    pub(crate) engine: &'m engine::Shared,
    pub(crate) run: &'m handle::Shared,
    /// The journal, where a result must be durable before anything uses it.
    pub(crate) durable: Option<&'m dyn Journal>,
    /// The value of `run`.
    pub(crate) record: Value,
    /// When the run began.
    pub(crate) began: Timestamp,
    /// The mocks and findings of a test.
    pub(crate) bench: Option<&'m Bench>,
    /// What the operator lets the run spend.
    account: Option<Arc<Account>>,
    /// What an earlier life of the run recorded.
    pub(crate) replay: Option<Replay>,
    /// What waits, and whether anything does not.
    pub(crate) rests: Rests,
    /// Why the run stops where it stands.
    pub(crate) halt: OnceLock<Halt>,
    events: AtomicU64,
    steps: AtomicU32,
    /// How many wait for the journal.
    committing: AtomicU32,
}

/// Why a run stops where it stands, without its undos: it is not over.
#[derive(Debug)]
pub(crate) enum Halt {
    /// It cannot go on by itself: what is recorded does not fit the program.
    Parked(RunError),
    /// Its journal does not keep it any more.
    Journal(JournalError),
    /// It only waits: until this moment, or for a message.
    Rest(Option<Timestamp>),
}

/// One flow of control.
pub(crate) struct Strand<'m> {
    pub(crate) machine: &'m Machine<'m>,
    scope: Scope,
    /// What stands before a segment: empty, or ending in `.` or `/`.
    path: String,
    /// What undoes the completed steps that no surrounding strand holds yet.
    undos: Vec<undo::Pending<'m>>,
    account: Option<Arc<Account>>,
    /// How many `emit`s ran in the block.
    emits: u32,
    /// How many flows called flows to get here.
    depth: u32,
    /// How long the path of the block is of which it is a branch.
    shared: u32,
    /// Whether it may have let others run since its last step, in a loop: no event tells when it does what it does now.
    adrift: bool,
}

/// How a block that did not fail ended.
#[derive(Debug)]
pub(crate) enum Exit {
    /// After its last statement.
    Next,
    /// With `yield`; of an action: with this value.
    Yield(Value),
    /// With `return`.
    Return(Value),
    /// With `break`.
    Break,
    /// With `continue`.
    Continue,
}

/// Why a block did not come to its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It failed.
    Failed(Box<Failure>),
    /// Its scope was cancelled. Nothing catches or retries that.
    Cancelled,
}

/// A failure, with what decides on a retry.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: RunError,
    /// How long the other side asked to wait.
    pub(crate) retry_after: Option<Duration>,
    /// Whether it is known that nothing was delivered.
    pub(crate) undelivered: bool,
    /// Whether another attempt would surely fail the same way.
    pub(crate) doomed: bool,
}

pub(crate) type Flowing = Result<Exit, Stop>;

impl Exit {
    /// The value a block gave; null where it gave none.
    pub(crate) fn value(self) -> Value {
        match self {
            Exit::Yield(value) | Exit::Return(value) => value,
            Exit::Next | Exit::Break | Exit::Continue => Value::Null,
        }
    }
}

impl Failure {
    pub(crate) fn of(error: RunError) -> Box<Self> {
        Box::new(Self { error, retry_after: None, undelivered: false, doomed: false })
    }
}

impl From<Box<Failure>> for Stop {
    fn from(failure: Box<Failure>) -> Self {
        Stop::Failed(failure)
    }
}

impl<'m> Machine<'m> {
    pub(crate) fn new(
        program: &'m Program,
        tools: &'m [Option<Arc<dyn Tool>>],
        engine: &'m engine::Shared,
        run: &'m handle::Shared,
        flow: &Text,
        began: Timestamp,
        bench: Option<&'m Bench>,
    ) -> Self {
        let record = Value::record_of([
            ("id", Value::String(run.id.clone())),
            ("flow", Value::String(flow.clone())),
            ("started_at", Value::Datetime(began)),
        ]);
        Self {
            program,
            tools,
            engine,
            run,
            durable: engine.journal.as_deref().filter(|journal| journal.durable()),
            record,
            began,
            bench,
            account: Account::of_run(&engine.limits, engine.day.as_ref()),
            replay: None,
            rests: Rests::default(),
            halt: OnceLock::new(),
            events: AtomicU64::new(0),
            steps: AtomicU32::new(0),
            committing: AtomicU32::new(0),
        }
    }

    /// The machine of a run that goes on.
    pub(crate) fn resuming(mut self, replay: Replay) -> Self {
        if let Some(number) = replay.cancelling() {
            replay.cancel_at(number, &Scope::of(&self.run.cancel));
        }
        self.events = AtomicU64::new(replay.recorded());
        self.replay = Some(replay);
        self
    }

    /// The run's first strand.
    pub(crate) fn strand(&'m self) -> Strand<'m> {
        Strand {
            machine: self,
            scope: Scope::of(&self.run.cancel),
            path: String::new(),
            undos: Vec::new(),
            account: self.account.clone(),
            emits: 0,
            depth: 0,
            shared: u32::MAX,
            adrift: false,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.engine.clock.now()
    }

    /// Records an event and says when it was.
    pub(crate) fn push(&self, kind: EventKind) -> Timestamp {
        self.push_at(self.now(), kind)
    }

    /// Records an event, unless an earlier life did; says when it was.
    pub(crate) fn push_at(&self, at: Timestamp, kind: EventKind) -> Timestamp {
        match self.replay.as_ref().map_or(Ok(None), |replay| replay.meet(&kind)) {
            Ok(Some(at)) => return at,
            Ok(None) if self.halt.get().is_none() => {
                if self.replay.is_some() && kind.ends_step() {
                    self.run.inbox.settle(kind.path().unwrap_or_default());
                }
                self.events.store(self.run.log.push(at, kind), Ordering::Relaxed);
            }
            Ok(None) => {}
            Err(differs) => self.halt(Halt::Parked(*differs)),
        }
        at
    }

    /// Waits until what was recorded is durable: before every effect, so that a step's outcome and the intent of the
    /// next share one write. Where it cannot be, the run stops where it stands: nothing may happen unrecorded.
    pub(crate) async fn commit(&self) {
        if self.durable.is_none() || self.live().is_err() {
            return;
        }
        if self.halt.get().is_some() {
            return pending().await;
        }
        self.committing.fetch_add(1, Ordering::Relaxed);
        let _busy = self.rests.busy();
        self.commit_idle().await;
        self.committing.fetch_sub(1, Ordering::Relaxed);
    }

    /// Waits until a call may be made. What the journal said longer ago than a lease says nothing any more: the machine may
    /// have been asleep since, and the run be another's.
    pub(crate) async fn before_call(&self) {
        let asked = self.durable.map(|_| self.now());
        self.commit().await;
        if self.engine.day.is_some() {
            Box::pin(self.read_day()).await;
        }
        if let (Some(journal), Some(asked)) = (self.durable, asked)
            && self.now().duration_since(asked).unsigned_abs() >= journal.lease()
        {
            self.commit().await;
        }
    }

    /// Whether something waits until all events are durable.
    pub(crate) fn commits(&self) -> bool {
        self.committing.load(Ordering::Relaxed) > 0
    }

    /// As [`Machine::commit`], while the run may do nothing else.
    pub(crate) async fn commit_idle(&self) {
        let Some(journal) = self.durable else { return };
        let Some((lease, last)) = self.run.log.lease() else { return };
        match journal.commit(lease).await {
            Ok(()) => self.run.log.show(last),
            Err(why) => {
                self.halt(Halt::Journal(why));
                pending::<()>().await;
            }
        }
    }

    /// Learns what other processes have spent, every few seconds, where that is bounded.
    pub(crate) async fn read_day(&self) {
        let (Some(day), Some(store)) = (&self.engine.day, &self.engine.store) else { return };
        let now = self.now();
        let due = {
            let mut read = self.engine.day_read.lock().unwrap_or_else(PoisonError::into_inner);
            let due = read.is_none_or(|read| now.duration_since(read) > SignedDuration::from_secs(10));
            if due {
                *read = Some(now);
            }
            due
        };
        let since = now.checked_sub(SignedDuration::from_hours(24)).unwrap_or(now);
        if due && let Ok(usd) = store.spent(since).await {
            day.correct(usd);
        }
    }

    /// Stops the run where it stands, as soon as it waits.
    pub(crate) fn halt(&self, why: Halt) {
        let _ = self.halt.set(why);
    }

    /// Whether the run is past all that an earlier life recorded.
    ///
    /// # Errors
    /// What it recorded.
    pub(crate) fn live(&self) -> Result<(), &Replay> {
        self.replay.as_ref().filter(|replay| !replay.is_open()).map_or(Ok(()), Err)
    }

    /// Whether the run has made all events it may.
    fn events_spent(&self) -> bool {
        self.events.load(Ordering::Relaxed) >= self.engine.limits.events
    }

    /// Counts a piece of work; true when it is time to let others run.
    fn tick(&self) -> bool {
        self.steps.fetch_add(1, Ordering::Relaxed) % 128 == 127
    }
}

impl<'m> Strand<'m> {
    /// A strand of a branch, in a scope of its block.
    fn branch(&self, scope: &Scope) -> Strand<'m> {
        // With room for what an iteration adds.
        let mut path = String::with_capacity(self.path.len() + 12);
        path.push_str(&self.path);
        Strand {
            machine: self.machine,
            scope: scope.clone(),
            path,
            undos: Vec::new(),
            account: self.account.clone(),
            emits: 0,
            depth: self.depth,
            shared: u32::try_from(self.path.len()).unwrap_or(u32::MAX),
            adrift: false,
        }
    }

    /// Whether a step may begin.
    fn may_begin(&self) -> Result<(), Stop> {
        if self.scope.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        if self.machine.events_spent() && self.machine.live().is_ok() {
            let most = self.machine.engine.limits.events;
            return Err(self.failure(
                ErrorKind::Exhausted,
                format!("the run made {most} events, and may make no more"),
                None,
            ));
        }
        Ok(())
    }

    /// Before a step: lets others run now and then, and ends where the scope was cancelled meanwhile.
    async fn breathe(&self) -> Result<(), Stop> {
        if self.machine.tick() {
            yield_now().await;
            if self.scope.is_cancelled() {
                return Err(Stop::Cancelled);
            }
        }
        Ok(())
    }

    /// A failure here, outside of a tool.
    fn failure(&self, kind: ErrorKind, message: impl Into<String>, span: Option<Span>) -> Stop {
        let error = RunError { step: self.here(), attempts: 1, span, ..RunError::new(kind, message) };
        Stop::Failed(Failure::of(error))
    }
}

/// Lets others run. Unlike tokio's it wakes at once, so that a replay sees that it does not wait for anything.
async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Puts a value into its slot.
fn set(frame: &mut [Value], slot: crate::program::Slot, value: Value) {
    if let Some(place) = frame.get_mut(slot as usize) {
        *place = value;
    }
}
