//! The event log of a run, from which every subscriber reads.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use jiff::Timestamp;

use crate::run::event::{Event, EventKind, RunError};
use crate::run::journal::{Journal, Lease};
use crate::run::ports::Observer;
use crate::types::Text;

/// The events of one run so far. Numbers are given here, without gaps.
pub(crate) struct Log {
    run: Text,
    pub(crate) flow: Text,
    journal: Option<(Arc<dyn Journal>, Lease)>,
    observers: Vec<Arc<dyn Observer>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    events: Vec<Arc<Event>>,
    /// How many of them may be seen: those that are durable, where they can be.
    shown: usize,
    /// The last event is there.
    full: bool,
    /// Nothing more comes.
    ended: bool,
    /// Why the run stopped where it stands.
    stopped: Option<RunError>,
    /// Who waits for the next event.
    readers: Vec<Waker>,
    /// Who waits for the end.
    waiters: Vec<Waker>,
}

impl Log {
    pub(crate) fn new(
        run: Text,
        flow: Text,
        journal: Option<(Arc<dyn Journal>, Lease)>,
        observers: Vec<Arc<dyn Observer>>,
        events: Vec<Arc<Event>>,
    ) -> Self {
        let state = State { shown: events.len(), events, ..State::default() };
        Self { run, flow, journal, observers, state: Mutex::new(state) }
    }

    /// Appends an event and gives its number. What comes after the run's last is dropped: a tool's thread may report
    /// late.
    pub(crate) fn push(&self, at: Timestamp, kind: EventKind) -> u64 {
        let mut state = self.lock();
        if state.full {
            return state.events.len() as u64;
        }
        state.full = kind.ends_run();
        let event = Arc::new(Event { number: state.events.len() as u64 + 1, at, kind });
        if let Some((journal, lease)) = &self.journal {
            journal.append(lease, std::slice::from_ref(&event));
        }
        for observer in &self.observers {
            observer.event(&self.run, &self.flow, &event);
        }
        state.events.push(event);
        let number = state.events.len() as u64;
        if !self.durable() {
            state.show(number);
        }
        number
    }

    /// The right to write to the journal, and the number of the last event.
    pub(crate) fn lease(&self) -> Option<(&Lease, u64)> {
        let (_, lease) = self.journal.as_ref()?;
        Some((lease, self.lock().events.len() as u64))
    }

    /// Whether the run's first event is there.
    pub(crate) fn begun(&self) -> bool {
        !self.lock().events.is_empty()
    }

    /// Whether there are events that are not known to be durable.
    pub(crate) fn lags(&self) -> bool {
        let state = self.lock();
        state.shown < state.events.len()
    }

    /// Says that the events up to this number are durable.
    pub(crate) fn show(&self, number: u64) {
        self.lock().show(number);
    }

    /// Takes no more events.
    pub(crate) fn close(&self) {
        self.lock().full = true;
    }

    /// Says that the run's last event is there, and durable where it is kept; or that it stopped where it stands.
    pub(crate) fn end(&self, stopped: Option<RunError>) {
        let mut state = self.lock();
        state.full = true;
        if stopped.is_none() {
            state.shown = state.events.len();
        }
        state.ended = true;
        state.stopped = stopped;
        let readers = std::mem::take(&mut state.readers);
        let waiters = std::mem::take(&mut state.waiters);
        drop(state);
        readers.into_iter().chain(waiters).for_each(Waker::wake);
    }

    fn durable(&self) -> bool {
        self.journal.as_ref().is_some_and(|(journal, _)| journal.durable())
    }

    /// All events so far that may be seen.
    pub(crate) fn snapshot(&self) -> Vec<Arc<Event>> {
        let state = self.lock();
        state.events.get(..state.shown).unwrap_or_default().to_vec()
    }

    /// The event at an index, or the end of all events.
    pub(crate) fn poll_event(&self, index: usize, cx: &mut Context<'_>) -> Poll<Option<Arc<Event>>> {
        let mut state = self.lock();
        if let Some(event) = state.events.get(index).filter(|_| index < state.shown) {
            return Poll::Ready(Some(Arc::clone(event)));
        }
        if state.ended {
            return Poll::Ready(None);
        }
        remember(&mut state.readers, cx.waker());
        Poll::Pending
    }

    /// The event that ended the run; or why it stopped where it stands.
    pub(crate) fn poll_end(&self, cx: &mut Context<'_>) -> Poll<Result<Arc<Event>, RunError>> {
        let mut state = self.lock();
        match (&state.stopped, state.events.last()) {
            (Some(stopped), _) => Poll::Ready(Err(stopped.clone())),
            (None, Some(last)) if state.ended => Poll::Ready(Ok(Arc::clone(last))),
            _ => {
                remember(&mut state.waiters, cx.waker());
                Poll::Pending
            }
        }
    }

    /// Whether the run has ended, or stopped.
    pub(crate) fn ended(&self) -> bool {
        self.lock().ended
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock is held leaves the events as they were: they are only ever appended to.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn show(&mut self, number: u64) {
        let shown = usize::try_from(number).unwrap_or(usize::MAX);
        if shown > self.shown {
            self.shown = shown;
            self.readers.drain(..).for_each(Waker::wake);
        }
    }
}

fn remember(wakers: &mut Vec<Waker>, waker: &Waker) {
    if !wakers.iter().any(|known| known.will_wake(waker)) {
        wakers.push(waker.clone());
    }
}
