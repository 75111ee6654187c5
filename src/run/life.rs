//! One life of a run: from its start, or from where an earlier life left it, to its end, or to where it stops.

use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;

use crate::program::{Flow, Program};
use crate::run::bind::Bound;
use crate::run::clock::Woken;
use crate::run::engine;
use crate::run::event::{Event, EventKind, RunError};
use crate::run::exec::{Halt, Machine, Stop, millis_between, panic_text, run_flow};
use crate::run::handle::{self, Cancel};
use crate::run::input::Arguments;
use crate::run::journal::{JournalError, Rest};
use crate::run::replay::{Next, Replay};
use crate::value::{ErrorKind, Value};

/// How long events may wait for others to be written with.
const LINGER: Duration = Duration::from_millis(10);

/// A run that goes on for less time than this is not worth leaving the memory for.
const SHORT: Duration = Duration::from_secs(5);

/// A run that is about to live.
pub(crate) struct Life {
    pub(crate) engine: Arc<engine::Shared>,
    pub(crate) program: Arc<Program>,
    pub(crate) bound: Arc<Bound>,
    pub(crate) run: Arc<handle::Shared>,
    pub(crate) flow: usize,
    pub(crate) steps: u32,
    pub(crate) arguments: Arguments,
    pub(crate) began: Timestamp,
    /// What an earlier life recorded.
    pub(crate) events: Option<Vec<Arc<Event>>>,
}

/// How a life ended: with what the flow gave, an error, `None` where it was cancelled; or where it stands.
type Ended = Result<Result<Value, Option<RunError>>, Halt>;

impl Life {
    /// Lives, whatever happens.
    pub(crate) async fn live(mut self) {
        let replay = self.events.take().map(Replay::new);
        let began = replay.as_ref().and_then(Replay::began).unwrap_or(self.began);
        let ended = self.through(began, replay).await;
        match ended {
            Ok(ended) => self.end(began, ended).await,
            Err(halt) => self.stop(halt).await,
        }
    }

    /// Goes through what is recorded, and says whether the program fits it; nothing is called or recorded.
    ///
    /// # Errors
    /// What does not fit.
    pub(crate) async fn rehearse(mut self) -> Result<(), RunError> {
        let replay = self.events.take().map(Replay::new);
        let began = replay.as_ref().and_then(Replay::began).unwrap_or(self.began);
        match self.through(began, replay.map(Replay::rehearsing)).await {
            Err(Halt::Parked(why)) => Err(why),
            _ => Ok(()),
        }
    }

    async fn through(&self, began: Timestamp, replay: Option<Replay>) -> Ended {
        let Some(flow) = self.program.flows.get(self.flow) else { return Ok(Err(None)) };
        let machine = Machine::new(&self.program, &self.bound.tools, &self.engine, &self.run, &flow.name, began, None);
        let machine = match replay {
            Some(replay) => machine.resuming(replay),
            None => machine,
        };
        let ended = drive(&machine, AssertUnwindSafe(self.body(&machine, flow)).catch_unwind()).await;
        match (ended, machine.halt.into_inner()) {
            (_, Some(halt)) => Err(halt),
            (Some(Ok(Ok(output))), None) => Ok(Ok(output)),
            (Some(Ok(Err(Stop::Failed(failure)))), None) => Ok(Err(Some(failure.error))),
            (Some(Ok(Err(Stop::Cancelled))) | None, None) => Ok(Err(None)),
            (Some(Err(panic)), None) => {
                let message = format!("the engine broke down: {}", panic_text(&*panic));
                Ok(Err(Some(RunError::new(ErrorKind::Internal, message))))
            }
        }
    }

    async fn body(&self, machine: &Machine<'_>, flow: &Flow) -> Result<Value, Stop> {
        let mut frame = self.arguments.values.clone();
        frame.resize(flow.slots as usize, Value::Null);
        let strand = machine.strand();
        let mut late = Ok(());
        for at in &self.arguments.defaults {
            if let Some(default) = flow.params.get(*at).and_then(|param| param.default.as_ref()) {
                match strand.eval(&mut frame, default) {
                    Ok(value) => frame.get_mut(*at).into_iter().for_each(|slot| *slot = value.clone()),
                    Err(failure) => late = Err(failure),
                }
            }
        }
        drop(strand);
        let names = flow.params.iter().map(|param| param.name.clone());
        machine.push_at(
            machine.began,
            EventKind::RunStarted {
                run: self.run.id.clone(),
                flow: flow.name.clone(),
                program: self.program.hash().clone(),
                input: Value::record(names.zip(frame.iter().cloned())),
                steps: self.steps,
            },
        );
        machine.commit().await;
        late?;
        run_flow(machine, self.flow as u32, frame).await
    }

    /// The run's end.
    async fn end(self, began: Timestamp, ended: Result<Value, Option<RunError>>) {
        let now = self.engine.clock.now();
        let duration_ms = millis_between(began, now);
        self.run.log.push(
            now,
            match ended {
                Ok(output) => EventKind::RunCompleted { output, duration_ms },
                Err(Some(error)) => EventKind::RunFailed { error, duration_ms },
                Err(None) => EventKind::RunCancelled { duration_ms },
            },
        );
        let committed = match (&self.engine.journal, self.run.log.lease()) {
            (Some(journal), Some((lease, _))) if journal.durable() => journal.commit(lease).await,
            _ => Ok(()),
        };
        match committed {
            Ok(()) => self.run.log.end(None),
            Err(why) => self.lost(&why),
        }
    }

    /// Stops the run where it stands: it is not over.
    async fn stop(self, halt: Halt) {
        self.run.log.close();
        let rest = match halt {
            Halt::Journal(why) => return self.lost(&why),
            Halt::Rest(until) => Rest::Waiting(until),
            Halt::Parked(error) => Rest::Parked(error),
        };
        let released = match (&self.engine.journal, self.run.log.lease()) {
            (Some(journal), Some((lease, _))) => journal.release(lease, rest.clone()).await,
            _ => Ok(()),
        };
        match (released, rest) {
            (Err(why), _) => self.lost(&why),
            (Ok(()), Rest::Parked(error)) => self.run.log.end(Some(error)),
            (Ok(()), Rest::Waiting(_)) => {
                let why = "it waits, and is not in memory";
                self.run.log.end(Some(RunError::new(ErrorKind::Interrupted, why)));
            }
        }
    }

    /// The journal does not keep the run any more.
    fn lost(&self, why: &JournalError) {
        tracing::error!(run = %self.run.id, %why, "a run stops where it stands");
        let message = format!("the journal failed: {why}; the run goes on from what it keeps when it is resumed");
        self.run.log.end(Some(RunError::new(ErrorKind::Interrupted, message)));
    }
}

/// Polls a run's body to its end; `None` where it was halted.
async fn drive<F: Future>(machine: &Machine<'_>, body: F) -> Option<F::Output> {
    let mut body = pin!(body);
    let mut writing = None;
    poll_fn(|cx| {
        machine.run.waker.register(cx.waker());
        machine.heed();
        let polled = match machine.live() {
            Ok(()) => body.as_mut().poll(cx),
            Err(replay) => replayed(machine, replay, body.as_mut(), cx),
        };
        if machine.halt.get().is_some() {
            return Poll::Ready(None);
        }
        if let Poll::Ready(output) = polled {
            return Poll::Ready(Some(output));
        }
        write(machine, &mut writing, cx);
        if machine.may_leave() {
            machine.halt(Halt::Rest(machine.rests.until()));
        }
        if machine.halt.get().is_some() { Poll::Ready(None) } else { Poll::Pending }
    })
    .await
}

/// Goes through what is recorded, all of it at once, since none of it takes time; and on into life.
fn replayed<F: Future>(
    machine: &Machine<'_>,
    replay: &Replay,
    mut body: Pin<&mut F>,
    cx: &mut Context<'_>,
) -> Poll<F::Output> {
    let woken = Arc::new(Woken(AtomicBool::new(true)));
    let waker = Waker::from(Arc::clone(&woken));
    let mut inner = Context::from_waker(&waker);
    loop {
        while woken.0.swap(false, Ordering::Relaxed) {
            let polled = body.as_mut().poll(&mut inner);
            if polled.is_ready()
                && let Err(unmet) = replay.complete()
            {
                machine.halt(Halt::Parked(*unmet));
            }
            if polled.is_ready() || machine.halt.get().is_some() {
                return polled;
            }
            // What moves still is a long loop, in which others are to have their share.
            if replay.is_over() {
                break;
            }
        }
        match replay.advance() {
            Ok(Next::Moves) => {}
            Ok(Next::Expires(path)) => {
                machine.push(EventKind::StepExpired { path });
            }
            Ok(Next::Opens) if replay.rehearses() => {
                machine.halt(Halt::Rest(None));
                return Poll::Pending;
            }
            Ok(Next::Opens) => {
                machine.push(EventKind::RunResumed);
                replay.open();
                machine.heed();
                return body.poll(cx);
            }
            Err(unmet) => {
                machine.halt(Halt::Parked(*unmet));
                return Poll::Pending;
            }
        }
    }
}

/// Writes events that nothing waits for, a moment after they were made: whoever follows the run sees what is durable.
fn write<'m>(machine: &'m Machine<'_>, writing: &mut Option<BoxFuture<'m, ()>>, cx: &mut Context<'_>) {
    if machine.durable.is_none() {
        return;
    }
    loop {
        if let Some(under_way) = writing {
            if under_way.poll_unpin(cx).is_pending() {
                return;
            }
            *writing = None;
        }
        if machine.commits() || !machine.run.log.lags() || machine.live().is_err() {
            return;
        }
        *writing = Some(Box::pin(async move {
            machine.engine.clock.sleep(LINGER).await;
            machine.commit_idle().await;
        }));
    }
}

impl Machine<'_> {
    /// Cancels the run where somebody has asked for it, and it is past what is recorded.
    fn heed(&self) {
        if let Some(Cancel { message }) = self.run.asked_to_cancel()
            && self.live().is_ok()
            && !self.run.cancel.is_cancelled()
            && self.run.log.begun()
        {
            self.push(EventKind::RunCancelling { message });
            self.run.cancel.cancel();
        }
    }

    /// Whether the run only waits, for longer than a moment, and nobody looks: it need not be in memory.
    fn may_leave(&self) -> bool {
        if self.durable.is_none() || self.live().is_err() || !self.engine.keeping.is_on() || !self.rests.all_rest() {
            return false;
        }
        let short = jiff::SignedDuration::try_from(SHORT).unwrap_or_default();
        let soon = self.rests.until().is_some_and(|until| until.duration_since(self.now()) < short);
        !soon && self.engine.keeping.forget(&self.run.id)
    }
}
