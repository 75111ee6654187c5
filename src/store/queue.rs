//! What waits to be written. Many runs append; one writer takes all of it at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use tokio::sync::{Notify, oneshot};

use crate::run::event::Event;
use crate::run::journal::{JournalError, Lease, Opening, Rest};
use crate::store::text::json;
use crate::types::Text;

/// How long what nobody waits for may stay in memory.
const LINGER: Duration = Duration::from_millis(10);

/// How long those are waited for who were told something together, where they are many: they come again together, and each
/// sync less is time for all of them (as PostgreSQL's `commit_delay` and `commit_siblings`).
const GATHER: Duration = Duration::from_millis(2);

/// How many are many: fewer are not waited for, and so many are worth the writer's while where more are due.
pub(super) const MANY: usize = 32;

/// Who waits until something is durable.
pub(super) type Waiter = oneshot::Sender<Result<(), JournalError>>;

/// The queue before a writer. `C` is what else it is asked to do.
pub(super) struct Queue<C> {
    state: Mutex<State<C>>,
    wake: Notify,
    /// How many are worth the writer's while, where more are due.
    worth: usize,
}

struct State<C> {
    entries: Vec<Entry>,
    commands: Vec<C>,
    /// How many wait.
    waiting: usize,
    /// How many were taken, to be told together.
    taken: usize,
    /// How many of those that were told together before are still to come, where they were many.
    due: usize,
    /// Nothing came for a while: the writer looks again only when it is told to.
    asleep: bool,
    closed: bool,
}

enum Entry {
    Open(Arc<Opening>),
    Append(Lease, Line),
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
    pub(super) events: Vec<Line>,
    /// It is given up.
    pub(super) rest: Option<Rest>,
    pub(super) waiters: Vec<Waiter>,
}

/// An event, and its JSON, which is made by whoever appends it: they are many, and the writer is one.
pub(super) struct Line {
    pub(super) event: Arc<Event>,
    pub(super) json: String,
}

impl<C> Queue<C> {
    /// `worth`: how many are worth the writer's while, where more are due.
    pub(super) fn new(worth: usize) -> Self {
        let state = State {
            entries: Vec::new(),
            commands: Vec::new(),
            waiting: 0,
            taken: 0,
            due: 0,
            asleep: false,
            closed: false,
        };
        Self { state: Mutex::new(state), wake: Notify::new(), worth }
    }

    pub(super) fn open(&self, opening: Arc<Opening>) {
        self.push([Entry::Open(opening)]);
    }

    pub(super) fn append(&self, lease: &Lease, events: &[Arc<Event>]) {
        let line = |event: &Arc<Event>| Line { event: Arc::clone(event), json: json(&**event) };
        // Nobody waits at the queue while it is made.
        let lines: Vec<_> = events.iter().map(line).collect();
        self.push(lines.into_iter().map(|line| Entry::Append(lease.clone(), line)));
    }

    fn push(&self, entries: impl IntoIterator<Item = Entry>) {
        let mut state = self.lock();
        state.entries.extend(entries);
        // One that is awake looks again in a while: what is appended is mostly waited for at once, and two calls cost a step more.
        if std::mem::take(&mut state.asleep) {
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
            let wakes = state.waiting == 1 || state.waiting >= state.due.min(self.worth);
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

    /// All that waits, as soon as somebody waits for it, and enough of those that are due, or it has waited a while; nothing
    /// when the queue is closed and empty. Where nothing comes for so long, a batch of nothing.
    pub(super) async fn next(&self, idle: Option<Duration>) -> Option<Batch<C>> {
        self.lock().begin();
        let mut quiet = false;
        loop {
            let pause = {
                let mut state = self.lock();
                let empty = state.entries.is_empty() && state.commands.is_empty();
                if state.closed && empty {
                    return None;
                }
                state.asleep = quiet && empty;
                match state.waiting {
                    _ if state.closed => return Some(state.take()),
                    0 if state.asleep => idle,
                    0 => Some(LINGER),
                    waiting if waiting >= state.due.min(self.worth) => return Some(state.take()),
                    _ => Some(GATHER),
                }
            };
            let Some(pause) = pause else {
                self.wake.notified().await;
                continue;
            };
            if tokio::time::timeout(pause, self.wake.notified()).await.is_err() {
                let mut state = self.lock();
                if state.asleep || !state.entries.is_empty() || !state.commands.is_empty() {
                    return Some(state.take());
                }
                quiet = true;
            }
        }
    }

    /// What came meanwhile, or comes in a moment, and can be told together with what was taken: enough of those that are due;
    /// nothing where none are due any more.
    #[cfg(any(feature = "sqlite", test))]
    pub(super) async fn more(&self) -> Option<Batch<C>> {
        loop {
            {
                let mut state = self.lock();
                if state.due == 0 || state.closed {
                    return None;
                }
                if state.waiting >= state.due.min(self.worth) {
                    return Some(state.take());
                }
            }
            if tokio::time::timeout(GATHER, self.wake.notified()).await.is_err() {
                let mut state = self.lock();
                return (state.waiting > 0).then(|| state.take());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> State<C> {
    /// Those that are taken from now on are told together.
    fn begin(&mut self) {
        let taken = std::mem::take(&mut self.taken);
        self.due = if taken < MANY { 0 } else { taken };
    }

    fn take(&mut self) -> Batch<C> {
        let waiting = std::mem::take(&mut self.waiting);
        self.asleep = false;
        self.taken += waiting;
        self.due = self.due.saturating_sub(waiting);
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
            Entry::Append(_, line) => part.events.push(line),
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
    use crate::run::event::EventKind;

    /// Who waits in a batch, and how long it took to come.
    async fn told(batch: impl Future<Output = Option<Batch<()>>>) -> (Option<usize>, Duration) {
        let began = Instant::now();
        let batch = batch.await;
        let took = began.elapsed();
        let waiters = batch.map(|batch| {
            batch.parts.into_iter().flat_map(|part| part.waiters).map(|waiter| waiter.send(Ok(())).unwrap()).count()
        });
        (waiters, took)
    }

    fn leases() -> Vec<Lease> {
        (0..2 * MANY).map(|run| Lease { run: format!("{run}").into(), epoch: 1 }).collect()
    }

    async fn commits(queue: &Queue<()>, leases: &[Lease]) {
        join_all(leases.iter().map(|lease| queue.commit(lease, None))).await;
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_waited_together_are_waited_for_a_moment() {
        let (queue, leases) = (Queue::new(usize::MAX), leases());
        let at_once = Duration::ZERO..GATHER;
        let many = 2 * MANY;
        // What is few is not waited for, however few come.
        let rounds =
            [(2, true), (1, true), (many, true), (many, true), (MANY, false), (MANY, true), (1, false), (1, true)];
        for (runs, in_time) in rounds {
            let ((), (waiters, took)) = tokio::join!(commits(&queue, &leases[..runs]), told(queue.next(None)));
            assert_eq!((waiters, at_once.contains(&took)), (Some(runs), in_time), "{took:?}");
        }
    }

    /// It lingers, whether the writer was awake or asleep.
    #[tokio::test(start_paused = true)]
    async fn what_nobody_waits_for_is_taken_too() {
        let (queue, lease) = (Queue::new(MANY), leases().remove(0));
        let event = Event { number: 1, at: jiff::Timestamp::UNIX_EPOCH, kind: EventKind::RunResumed };
        let events = [Arc::new(event)];
        for pause in [LINGER / 2, 10 * LINGER] {
            let appends = async {
                tokio::time::sleep(pause).await;
                queue.append(&lease, &events);
            };
            let ((), (waiters, took)) = tokio::join!(appends, told(queue.next(None)));
            assert_eq!(waiters, Some(0));
            assert!((pause..=pause + LINGER).contains(&took), "{took:?}");
        }
        assert_eq!(told(queue.next(Some(5 * LINGER))).await, (Some(0), 6 * LINGER), "nothing came");
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_are_due_may_come_while_others_are_written() {
        let (queue, leases) = (Queue::new(MANY), leases());
        let (some, others) = leases.split_at(MANY);
        let at_once = Duration::ZERO;
        // Nobody is due yet: all that wait are taken, and no more are waited for.
        let ((), first) = tokio::join!(commits(&queue, &leases), told(queue.next(None)));
        assert_eq!((first, told(queue.more()).await), ((Some(2 * MANY), at_once), (None, at_once)));
        let come = async |late| {
            let later = async {
                tokio::time::sleep(late).await;
                commits(&queue, others).await;
            };
            let writer = async { (told(queue.next(None)).await, told(queue.more()).await, told(queue.more()).await) };
            let next = async { if late > GATHER { told(queue.next(None)).await.0 } else { None } };
            let ((), (), (found, left)) =
                tokio::join!(commits(&queue, some), later, async { (writer.await, next.await) });
            (found, left)
        };
        let in_time = GATHER / 2;
        let found = come(in_time).await;
        assert_eq!(found, (((Some(MANY), at_once), (Some(MANY), in_time), (None, at_once)), None));
        let found = come(4 * GATHER).await;
        assert_eq!(found, (((Some(MANY), at_once), (None, GATHER), (None, GATHER)), Some(MANY)));
    }
}
