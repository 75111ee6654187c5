//! The event log of a run, from which every subscriber reads.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use jiff::Timestamp;

use crate::run::event::{Event, EventKind};
use crate::run::journal::{Journal, Lease};

/// The events of one run so far. Numbers are given here, without gaps.
pub(crate) struct Log {
    journal: Option<(Arc<dyn Journal>, Lease)>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    events: Vec<Arc<Event>>,
    /// The last event is there.
    full: bool,
    /// The run has ended.
    ended: bool,
    /// Who waits for the next event.
    readers: Vec<Waker>,
    /// Who waits for the end.
    waiters: Vec<Waker>,
}

impl Log {
    pub(crate) fn new(journal: Option<(Arc<dyn Journal>, Lease)>) -> Self {
        Self { journal, state: Mutex::default() }
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
        state.events.push(event);
        let number = state.events.len() as u64;
        let readers = std::mem::take(&mut state.readers);
        drop(state);
        readers.into_iter().for_each(Waker::wake);
        number
    }

    /// Says that the run's last event is there, and durable where it is kept.
    pub(crate) fn end(&self) {
        let mut state = self.lock();
        state.full = true;
        state.ended = true;
        let readers = std::mem::take(&mut state.readers);
        let waiters = std::mem::take(&mut state.waiters);
        drop(state);
        readers.into_iter().chain(waiters).for_each(Waker::wake);
    }

    /// All events so far.
    pub(crate) fn snapshot(&self) -> Vec<Arc<Event>> {
        self.lock().events.clone()
    }

    /// The event at an index, or the end of all events.
    pub(crate) fn poll_event(&self, index: usize, cx: &mut Context<'_>) -> Poll<Option<Arc<Event>>> {
        let mut state = self.lock();
        if let Some(event) = state.events.get(index) {
            return Poll::Ready(Some(Arc::clone(event)));
        }
        if state.ended {
            return Poll::Ready(None);
        }
        remember(&mut state.readers, cx.waker());
        Poll::Pending
    }

    /// The event that ended the run.
    pub(crate) fn poll_end(&self, cx: &mut Context<'_>) -> Poll<Arc<Event>> {
        let mut state = self.lock();
        match state.events.last() {
            Some(last) if state.ended => Poll::Ready(Arc::clone(last)),
            _ => {
                remember(&mut state.waiters, cx.waker());
                Poll::Pending
            }
        }
    }

    /// Whether the run has ended.
    pub(crate) fn ended(&self) -> bool {
        self.lock().ended
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock is held leaves the events as they were: they are only ever appended to.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn remember(wakers: &mut Vec<Waker>, waker: &Waker) {
    if !wakers.iter().any(|known| known.will_wake(waker)) {
        wakers.push(waker.clone());
    }
}
