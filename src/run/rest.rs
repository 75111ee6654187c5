//! What of a run waits. A run in which nothing else happens need not be in memory.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

/// The waits of a run.
#[derive(Default)]
pub(crate) struct Rests {
    /// What is under way: calls, waits and commits, those that rest left out.
    busy: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    resting: usize,
    made: u64,
    /// When something happens by itself: a wait is over, or a time limit.
    due: BTreeSet<(Timestamp, u64)>,
}

impl Rests {
    /// Something is under way, until the guard is dropped.
    pub(crate) fn busy(&self) -> Busy<'_> {
        self.busy.fetch_add(1, Ordering::Relaxed);
        Busy(self)
    }

    /// What is under way only waits: until this moment, or for a message. Within a [`Rests::busy`].
    pub(crate) fn rest(&self, until: Option<Timestamp>) -> Rest<'_> {
        self.busy.fetch_sub(1, Ordering::Relaxed);
        let mut state = self.lock();
        state.resting += 1;
        Rest { due: state.due(self, until) }
    }

    /// Something has a time limit that is over at this moment.
    pub(crate) fn limit(&self, until: Timestamp) -> Due<'_> {
        self.lock().due(self, Some(until))
    }

    /// Whether something is under way, and all of it only waits.
    pub(crate) fn all_rest(&self) -> bool {
        self.busy.load(Ordering::Relaxed) == 0 && self.lock().resting > 0
    }

    /// When something happens by itself.
    pub(crate) fn until(&self) -> Option<Timestamp> {
        self.lock().due.first().map(|(at, _)| *at)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn due<'r>(&mut self, rests: &'r Rests, until: Option<Timestamp>) -> Due<'r> {
        self.made += 1;
        let key = until.map(|until| (until, self.made));
        self.due.extend(key);
        Due { rests, key }
    }
}

/// See [`Rests::busy`].
pub(crate) struct Busy<'r>(&'r Rests);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

/// See [`Rests::rest`].
pub(crate) struct Rest<'r> {
    due: Due<'r>,
}

impl Drop for Rest<'_> {
    fn drop(&mut self) {
        self.due.rests.busy.fetch_add(1, Ordering::Relaxed);
        self.due.rests.lock().resting -= 1;
    }
}

/// See [`Rests::limit`].
pub(crate) struct Due<'r> {
    rests: &'r Rests,
    key: Option<(Timestamp, u64)>,
}

impl Drop for Due<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.rests.lock().due.remove(&key);
        }
    }
}
