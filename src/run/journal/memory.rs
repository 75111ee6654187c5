//! A journal in memory: as durable as the process.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use indexmap::{IndexMap, IndexSet};
use jiff::Timestamp;

use crate::program::Program;
use crate::run::event::{Event, EventKind};
use crate::run::journal::{
    Filter, FlowStats, Journal, JournalError, Kept, Lease, MOST_RECOVERIES, Message, Note, Opening, Page, Rest,
    RunStatus, RunStore, RunSummary, Standing,
};
use crate::types::Text;

/// A journal in memory. Several handles may share it, each an owner of its own: see [`MemoryJournal::owner`].
pub struct MemoryJournal {
    state: Arc<Mutex<State>>,
    owner: u64,
    /// Whether what was appended counts only once it was committed, as if the process could die in between.
    durable: bool,
    /// What was appended and not committed.
    pending: Mutex<Vec<(Lease, Arc<Event>)>>,
    /// The last message that was given out.
    read: AtomicU64,
}

#[derive(Default)]
struct State {
    runs: IndexMap<Text, Run>,
    messages: Vec<Message>,
    owners: IndexSet<u64>,
    made: u64,
}

struct Run {
    opening: Opening,
    summary: RunSummary,
    events: Vec<Arc<Event>>,
    owner: Option<u64>,
    epoch: u64,
}

impl Default for MemoryJournal {
    fn default() -> Self {
        Self::of(Arc::default(), false)
    }
}

impl MemoryJournal {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty one that engines take for durable: what was not committed is lost when it is dropped. For tests of what
    /// happens after a crash.
    pub fn durable() -> Self {
        Self::of(Arc::default(), true)
    }

    /// Another owner of the same runs, as another process would be one.
    #[must_use]
    pub fn owner(&self) -> Self {
        Self::of(Arc::clone(&self.state), self.durable)
    }

    /// The same owner, through another handle.
    #[cfg(test)]
    pub(crate) fn peer(&self) -> Self {
        let state = Arc::clone(&self.state);
        Self { state, owner: self.owner, durable: self.durable, pending: Mutex::default(), read: AtomicU64::new(0) }
    }

    /// Ends the owner, as if its process were gone.
    #[cfg(test)]
    pub(crate) fn abandon(&self) {
        lock(&self.state).owners.shift_remove(&self.owner);
    }

    fn of(state: Arc<Mutex<State>>, durable: bool) -> Self {
        let mut inner = lock(&state);
        inner.made += 1;
        let owner = inner.made;
        inner.owners.insert(owner);
        drop(inner);
        Self { state, owner, durable, pending: Mutex::default(), read: AtomicU64::new(0) }
    }

    /// The events of a run, in order.
    pub fn recorded(&self, run: &str) -> Vec<Arc<Event>> {
        lock(&self.state).runs.get(run).map(|run| run.events.clone()).unwrap_or_default()
    }

    /// The ids of all runs, in the order they began.
    pub fn runs(&self) -> Vec<Text> {
        lock(&self.state).runs.keys().cloned().collect()
    }

    fn flush(&self) {
        let pending = std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner));
        let mut state = lock(&self.state);
        for (lease, event) in pending {
            state.keep(&lease, self.owner, event);
        }
    }

    fn ready<T: Send + 'static>(&self, give: impl FnOnce(&mut State) -> T) -> BoxFuture<'_, T> {
        let given = give(&mut lock(&self.state));
        std::future::ready(given).boxed()
    }
}

impl Drop for MemoryJournal {
    fn drop(&mut self) {
        lock(&self.state).owners.shift_remove(&self.owner);
    }
}

impl State {
    fn keep(&mut self, lease: &Lease, owner: u64, event: Arc<Event>) {
        let Some(run) = self.runs.get_mut(&lease.run) else { return };
        if run.holds(lease, owner) {
            run.summary.apply(&event);
            run.events.push(event);
        }
    }

    fn held(&mut self, lease: &Lease, owner: u64) -> Result<&mut Run, JournalError> {
        let run = self.runs.get_mut(&lease.run).ok_or_else(|| JournalError::Unknown(lease.run.clone()))?;
        if run.holds(lease, owner) { Ok(run) } else { Err(JournalError::Lost(lease.run.clone())) }
    }

    fn unread(&self, run: &Text) -> bool {
        let last = |run: &Run| run.events.iter().filter_map(|event| event.kind.message()).max().unwrap_or(0);
        let read = self.runs.get(run).map_or(0, last);
        self.messages.iter().any(|message| message.run == *run && message.number > read)
    }
}

impl Run {
    fn holds(&self, lease: &Lease, owner: u64) -> bool {
        self.epoch == lease.epoch && self.owner == Some(owner)
    }

    fn seize(&mut self, owner: u64) -> Lease {
        self.epoch += 1;
        self.owner = Some(owner);
        self.summary.status = RunStatus::Running;
        Lease { run: self.opening.run.clone(), epoch: self.epoch }
    }
}

impl Journal for MemoryJournal {
    fn open(&self, opening: Arc<Opening>) -> Lease {
        let run = opening.run.clone();
        let summary = RunSummary::of(&opening);
        let opened =
            Run { opening: (*opening).clone(), summary, events: Vec::new(), owner: Some(self.owner), epoch: 1 };
        let mut state = lock(&self.state);
        let key = opening.labels.key.as_ref();
        if key.is_none_or(|key| state.runs.values().all(|run| run.opening.labels.key.as_ref() != Some(key))) {
            state.runs.insert(run.clone(), opened);
        }
        Lease { run, epoch: 1 }
    }

    fn append(&self, lease: &Lease, events: &[Arc<Event>]) {
        let added = events.iter().map(|event| (lease.clone(), Arc::clone(event)));
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).extend(added);
        if !self.durable {
            self.flush();
        }
    }

    fn commit<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<(), JournalError>> {
        self.flush();
        self.ready(|state| match state.held(lease, self.owner) {
            // It never was opened: its key is another's.
            Err(JournalError::Unknown(run)) => Err(JournalError::KeyTaken(run)),
            held => held.map(|_| ()),
        })
    }

    fn release<'a>(&'a self, lease: &'a Lease, rest: Rest) -> BoxFuture<'a, Result<(), JournalError>> {
        self.flush();
        self.ready(|state| {
            let run = state.held(lease, self.owner)?;
            run.owner = None;
            match rest {
                Rest::Waiting(until) => (run.summary.status, run.summary.wakes_at) = (RunStatus::Waiting, until),
                Rest::Parked(error) => (run.summary.status, run.summary.error) = (RunStatus::Parked, Some(error)),
            }
            Ok(())
        })
    }

    fn durable(&self) -> bool {
        self.durable
    }
}

impl RunStore for MemoryJournal {
    fn find<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Text>, JournalError>> {
        self.ready(|state| {
            let found = state.runs.values().find(|run| run.opening.labels.key.as_deref() == Some(key));
            Ok(found.map(|run| run.opening.run.clone()))
        })
    }

    fn load<'a>(&'a self, run: &'a str) -> BoxFuture<'a, Result<Kept, JournalError>> {
        self.ready(|state| {
            let found = state.runs.get(run).ok_or_else(|| JournalError::Unknown(run.into()))?;
            let messages = state.messages.iter().filter(|message| message.run == run).cloned().collect();
            let (opening, summary) = (found.opening.clone(), found.summary.clone());
            Ok(Kept { opening, summary, events: found.events.clone(), messages })
        })
    }

    fn summary<'a>(&'a self, run: &'a str) -> BoxFuture<'a, Result<RunSummary, JournalError>> {
        self.ready(|state| {
            let found = state.runs.get(run).ok_or_else(|| JournalError::Unknown(run.into()))?;
            Ok(found.summary.clone())
        })
    }

    fn events<'a>(
        &'a self,
        run: &'a str,
        after: u64,
        most: usize,
    ) -> BoxFuture<'a, Result<Vec<Arc<Event>>, JournalError>> {
        self.ready(|state| {
            let found = state.runs.get(run).ok_or_else(|| JournalError::Unknown(run.into()))?;
            Ok(found.events.iter().filter(|event| event.number > after).take(most).cloned().collect())
        })
    }

    fn list<'a>(&'a self, filter: &'a Filter, page: Page) -> BoxFuture<'a, Result<Vec<RunSummary>, JournalError>> {
        self.ready(|state| {
            let newest = state.runs.values().rev().map(|run| &run.summary);
            let after = newest.skip_while(|run| page.after.as_ref().is_some_and(|after| run.run >= *after));
            Ok(after.filter(|run| filter.takes(run)).take(page.most).cloned().collect())
        })
    }

    fn take<'a>(&'a self, run: &'a str, _now: Timestamp) -> BoxFuture<'a, Result<Lease, JournalError>> {
        self.ready(|state| {
            let State { runs, owners, .. } = state;
            let found = runs.get_mut(run).ok_or_else(|| JournalError::Unknown(run.into()))?;
            if found.summary.status.ended() {
                return Err(JournalError::Ended(run.into()));
            }
            if found.owner.is_some_and(|owner| owners.contains(&owner)) {
                return Err(JournalError::Held(run.into()));
            }
            found.summary.recoveries = 0;
            Ok(found.seize(self.owner))
        })
    }

    fn claim(&self, most: usize, now: Timestamp) -> BoxFuture<'_, Result<Vec<Lease>, JournalError>> {
        self.ready(|state| {
            let ready: Vec<Text> = state
                .runs
                .iter()
                .filter(|(run, it)| match it.summary.status {
                    RunStatus::Running => it.owner.is_none_or(|owner| !state.owners.contains(&owner)),
                    RunStatus::Waiting => it.summary.wakes_at.is_some_and(|at| at <= now) || state.unread(run),
                    _ => false,
                })
                .map(|(run, _)| run.clone())
                .take(most)
                .collect();
            let mut leases = Vec::new();
            for run in &ready {
                let Some(run) = state.runs.get_mut(run) else { continue };
                if run.summary.status == RunStatus::Running {
                    run.summary.recoveries += 1;
                }
                if run.summary.recoveries > MOST_RECOVERIES {
                    run.owner = None;
                    run.summary.park();
                } else {
                    leases.push(run.seize(self.owner));
                }
            }
            Ok(leases)
        })
    }

    fn beat(&self) -> BoxFuture<'_, Result<Vec<Message>, JournalError>> {
        self.ready(|state| {
            let read = self.read.load(Ordering::Relaxed);
            let mine = |message: &&Message| {
                message.number > read && state.runs.get(&message.run).is_some_and(|run| run.owner == Some(self.owner))
            };
            let unread: Vec<_> = state.messages.iter().filter(mine).cloned().collect();
            self.read.store(state.messages.len() as u64, Ordering::Relaxed);
            Ok(unread)
        })
    }

    fn send<'a>(&'a self, run: &'a str, note: Note, _now: Timestamp) -> BoxFuture<'a, Result<u64, JournalError>> {
        self.ready(|state| {
            let found = state.runs.get(run).ok_or_else(|| JournalError::Unknown(run.into()))?;
            if found.summary.status.ended() {
                return Err(JournalError::Ended(run.into()));
            }
            let number = state.messages.len() as u64 + 1;
            state.messages.push(Message { number, run: run.into(), note });
            Ok(number)
        })
    }

    fn migrate<'a>(&'a self, lease: &'a Lease, program: Arc<Program>) -> BoxFuture<'a, Result<(), JournalError>> {
        self.ready(|state| {
            let run = state.held(lease, self.owner)?;
            run.summary.program = program.hash().clone();
            run.opening.program = program;
            Ok(())
        })
    }

    fn prune<'a>(&'a self, filter: &'a Filter) -> BoxFuture<'a, Result<u64, JournalError>> {
        self.ready(|state| {
            let before = state.runs.len();
            state.runs.retain(|_, run| !(run.summary.status.ended() && filter.takes(&run.summary)));
            let State { runs, messages, .. } = state;
            messages.retain(|message| runs.contains_key(&message.run));
            Ok((before - state.runs.len()) as u64)
        })
    }

    fn stats<'a>(&'a self, filter: &'a Filter) -> BoxFuture<'a, Result<Vec<FlowStats>, JournalError>> {
        self.ready(|state| {
            let taken = state.runs.values().filter(|run| filter.takes(&run.summary));
            Ok(FlowStats::of(taken.map(|run| (&run.summary, run.events.as_slice()))))
        })
    }

    fn standing(&self) -> BoxFuture<'_, Result<Vec<Standing>, JournalError>> {
        self.ready(|state| {
            let mut counts: BTreeMap<(Text, &str), Standing> = BTreeMap::new();
            for run in state.runs.values().map(|run| &run.summary).filter(|run| !run.status.ended()) {
                let none = || Standing { flow: run.flow.clone(), status: run.status, runs: 0 };
                counts.entry((run.flow.clone(), run.status.name())).or_insert_with(none).runs += 1;
            }
            Ok(counts.into_values().collect())
        })
    }

    fn spent(&self, since: Timestamp) -> BoxFuture<'_, Result<f64, JournalError>> {
        self.ready(|state| {
            let events = state.runs.values().flat_map(|run| &run.events).filter(|event| event.at >= since);
            let usd = |event: &Arc<Event>| match &event.kind {
                EventKind::StepCompleted { usage: Some(usage), .. }
                | EventKind::StepFailed { usage: Some(usage), .. } => Some(usage.usd),
                _ => None,
            };
            Ok(events.filter_map(usd).sum())
        })
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
