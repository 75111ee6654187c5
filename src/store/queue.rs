//! What waits to be written. Many runs append; one writer takes all of it at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use tokio::sync::{Notify, oneshot};

use crate::run::event::Event;
use crate::run::journal::{JournalError, Lease, Opening, Rest};
use crate::types::Text;

/// How long what nobody waits for may stay in memory.
const LINGER: Duration = Duration::from_millis(10);

/// How long those are waited for who were told something together, where they are many: they come again together, and each
/// sync less is time for all of them (as PostgreSQL's `commit_delay` and `commit_siblings`).
const GATHER: Duration = Duration::from_millis(2);
const MANY: usize = 32;

/// Who waits until something is durable.
pub(super) type Waiter = oneshot::Sender<Result<(), JournalError>>;

/// The queue before a writer. `C` is what else it is asked to do.
pub(super) struct Queue<C> {
    state: Mutex<State<C>>,
    wake: Notify,
}

struct State<C> {
    entries: Vec<Entry>,
    commands: Vec<C>,
    /// How many wait.
    waiting: usize,
    /// How many waited the last time, where they were many.
    waited: usize,
    closed: bool,
}

enum Entry {
    Open(Arc<Opening>),
    Append(Lease, Arc<Event>),
    Commit(Lease, Option<Rest>, Waiter),
}

/// What the writer has to do at once.
pub(super) struct Batch<C> {
    /// For each run its part, in the order that they came first.
    pub(super) parts: Vec<Part>,
    /// What else is asked, in order.
    pub(super) commands: Vec<C>,
}

/// What is to be written of one run.
pub(super) struct Part {
    pub(super) lease: Lease,
    /// It begins.
    pub(super) opening: Option<Arc<Opening>>,
    pub(super) events: Vec<Arc<Event>>,
    /// It is given up.
    pub(super) rest: Option<Rest>,
    pub(super) waiters: Vec<Waiter>,
}

impl<C> Queue<C> {
    pub(super) fn new() -> Self {
        let state = State { entries: Vec::new(), commands: Vec::new(), waiting: 0, waited: 0, closed: false };
        Self { state: Mutex::new(state), wake: Notify::new() }
    }

    pub(super) fn open(&self, opening: Arc<Opening>) {
        self.push([Entry::Open(opening)]);
    }

    pub(super) fn append(&self, lease: &Lease, events: &[Arc<Event>]) {
        self.push(events.iter().map(|event| Entry::Append(lease.clone(), Arc::clone(event))));
    }

    fn push(&self, entries: impl IntoIterator<Item = Entry>) {
        let mut state = self.lock();
        // The writer is told to look again in a while, once.
        let idle = state.entries.is_empty();
        state.entries.extend(entries);
        if idle {
            drop(state);
            self.wake.notify_one();
        }
    }

    /// Waits until all that was appended for a run is durable; gives it up then where it rests.
    pub(super) async fn commit(&self, lease: &Lease, rest: Option<Rest>) -> Result<(), JournalError> {
        let (told, tells) = oneshot::channel();
        self.now(|state| state.entries.push(Entry::Commit(lease.clone(), rest, told)));
        tells.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Asks the writer for something else.
    pub(super) fn ask(&self, command: C) {
        self.now(|state| state.commands.push(command));
    }

    fn now(&self, add: impl FnOnce(&mut State<C>)) {
        let mut state = self.lock();
        // What is dropped here tells its waiter so.
        if !state.closed {
            add(&mut state);
            state.waiting += 1;
            // Between the first and the last of those that are waited for the writer need not look.
            let wakes = state.waiting == 1 || state.waiting >= state.waited;
            drop(state);
            if wakes {
                self.wake.notify_one();
            }
        }
    }

    /// Takes no more; the writer takes what is there and then ends.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_one();
    }

    /// Forgets what is there: nobody will write it.
    pub(super) fn abandon(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.entries.clear();
        state.commands.clear();
    }

    /// All that waits, as soon as somebody waits for it, and those that did the last time too, or it has waited a while;
    /// nothing when the queue is closed and empty.
    pub(super) async fn next(&self) -> Option<Batch<C>> {
        loop {
            let pause = {
                let mut state = self.lock();
                let empty = state.entries.is_empty() && state.commands.is_empty();
                if state.closed && empty {
                    return None;
                }
                match state.waiting {
                    _ if state.closed => return Some(state.take()),
                    0 if empty => None,
                    0 => Some(LINGER),
                    waiting if waiting >= state.waited => return Some(state.take()),
                    _ => Some(GATHER),
                }
            };
            match pause {
                None => self.wake.notified().await,
                Some(pause) => {
                    if tokio::time::timeout(pause, self.wake.notified()).await.is_err() {
                        return Some(self.lock().take());
                    }
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> State<C> {
    fn take(&mut self) -> Batch<C> {
        let waited = std::mem::take(&mut self.waiting);
        self.waited = if waited < MANY { 0 } else { waited };
        let entries = std::mem::take(&mut self.entries);
        Batch { parts: parts(entries), commands: std::mem::take(&mut self.commands) }
    }
}

/// Each run's part. A run may be in it twice, with an old lease and a new one.
fn parts(entries: Vec<Entry>) -> Vec<Part> {
    let mut parts: IndexMap<(Text, u64), Part, FxBuildHasher> = IndexMap::default();
    for entry in entries {
        let lease = match &entry {
            Entry::Open(opening) => &Lease { run: opening.run.clone(), epoch: 1 },
            Entry::Append(lease, _) | Entry::Commit(lease, ..) => lease,
        };
        let part = parts.entry((lease.run.clone(), lease.epoch)).or_insert_with(|| Part {
            lease: lease.clone(),
            opening: None,
            events: Vec::new(),
            rest: None,
            waiters: Vec::new(),
        });
        match entry {
            Entry::Open(opening) => part.opening = Some(opening),
            Entry::Append(_, event) => part.events.push(event),
            Entry::Commit(_, rest, waiter) => {
                part.rest = rest.or(part.rest.take());
                part.waiters.push(waiter);
            }
        }
    }
    parts.into_values().collect()
}

/// There is no writer any more.
pub(super) fn closed() -> JournalError {
    JournalError::Broken("the store is closed".to_owned())
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;
    use tokio::time::Instant;

    use super::*;

    /// Who waits in the next batch, and how long it took to come.
    async fn next(queue: &Queue<()>) -> (usize, Duration) {
        let began = Instant::now();
        let batch = queue.next().await.unwrap();
        let mut waiters = 0;
        for waiter in batch.parts.into_iter().flat_map(|part| part.waiters) {
            waiter.send(Ok(())).unwrap();
            waiters += 1;
        }
        (waiters, began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_waited_together_are_waited_for_a_moment() {
        let queue = Queue::new();
        let leases: Vec<_> = (0..2 * MANY).map(|run| Lease { run: format!("{run}").into(), epoch: 1 }).collect();
        let commits = |runs: usize| join_all(leases.iter().take(runs).map(|lease| queue.commit(lease, None)));
        let at_once = Duration::ZERO..GATHER;
        let many = 2 * MANY;
        // What is few is not waited for, however few come.
        let rounds =
            [(2, true), (1, true), (many, true), (many, true), (MANY, false), (MANY, true), (1, false), (1, true)];
        for (runs, in_time) in rounds {
            let (_, (waiters, took)) = tokio::join!(commits(runs), next(&queue));
            assert_eq!((waiters, at_once.contains(&took)), (runs, in_time), "{took:?}");
        }
    }
}
