//! What waits to be written. Many runs append; one writer takes all of it at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indexmap::IndexMap;
use tokio::sync::{Notify, oneshot};

use crate::run::event::Event;
use crate::run::journal::{JournalError, Lease, Opening, Rest};
use crate::types::Text;

/// How long what nobody waits for may stay in memory.
const LINGER: Duration = Duration::from_millis(10);

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
    /// Somebody waits.
    urgent: bool,
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
        let state = State { entries: Vec::new(), commands: Vec::new(), urgent: false, closed: false };
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
            state.urgent = true;
            drop(state);
            self.wake.notify_one();
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

    /// All that waits, as soon as somebody waits for it or it has waited a while; nothing when the queue is closed and
    /// empty.
    pub(super) async fn next(&self) -> Option<Batch<C>> {
        loop {
            let lingers = {
                let mut state = self.lock();
                let empty = state.entries.is_empty() && state.commands.is_empty();
                if state.closed && empty {
                    return None;
                }
                if state.urgent || state.closed {
                    return Some(state.take());
                }
                !empty
            };
            if !lingers {
                self.wake.notified().await;
            } else if tokio::time::timeout(LINGER, self.wake.notified()).await.is_err() {
                return Some(self.lock().take());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> State<C> {
    fn take(&mut self) -> Batch<C> {
        self.urgent = false;
        let entries = std::mem::take(&mut self.entries);
        Batch { parts: parts(entries), commands: std::mem::take(&mut self.commands) }
    }
}

/// Each run's part. A run may be in it twice, with an old lease and a new one.
fn parts(entries: Vec<Entry>) -> Vec<Part> {
    let mut parts: IndexMap<(Text, u64), Part> = IndexMap::new();
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
