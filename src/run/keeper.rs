//! Keeping runs: the runs of an engine that are in memory, the messages for them, and taking over those that nobody
//! carries on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures::StreamExt;
use rustc_hash::FxHashMap;

use crate::run::engine::{self, Engine};
use crate::run::handle::{self, Run};
use crate::run::journal::{JournalError, Lease, Message, RunStore};
use crate::types::Text;

/// How often a keeper looks for messages, and says that it is alive.
const BEAT: Duration = Duration::from_millis(250);

/// How many runs a keeper takes up at a time.
const BATCH: usize = 256;

/// How many of them it reads at once.
const AT_ONCE: usize = 16;

/// The runs of an engine that are in memory, where it has a store.
#[derive(Default)]
pub(crate) struct Keeping {
    on: AtomicBool,
    /// Whether there is a task that looks after the runs.
    looked_after: AtomicBool,
    runs: Mutex<FxHashMap<Text, Weak<handle::Shared>>>,
}

impl Keeping {
    /// Whether runs that wait may leave the memory: somebody will take them up again.
    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, run: &Arc<handle::Shared>) {
        let mut runs = lock(&self.runs);
        if runs.len() > 64 && runs.len() == runs.capacity() {
            runs.retain(|_, run| run.strong_count() > 0);
        }
        runs.insert(run.id.clone(), Arc::downgrade(run));
    }

    pub(crate) fn find(&self, run: &str) -> Option<Arc<handle::Shared>> {
        lock(&self.runs).get(run)?.upgrade()
    }

    /// Forgets a run, unless somebody has a handle of it.
    pub(crate) fn forget(&self, run: &str) -> bool {
        let mut runs = lock(&self.runs);
        // The one is its own task's.
        let alone = runs.get(run).is_none_or(|run| run.strong_count() <= 1);
        if alone {
            runs.remove(run);
        }
        alone
    }
}

/// Takes up others' runs for as long as it lives: see [`Engine::keep`].
#[derive(Debug)]
pub struct Keeper {
    engine: Weak<engine::Shared>,
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(engine) = self.engine.upgrade() {
            engine.keeping.on.store(false, Ordering::Relaxed);
        }
    }
}

impl Engine {
    /// Takes over the runs of the engine's store whose owners are gone, those whose wait is over, and those of this engine
    /// that stopped because the store failed; and lets runs leave
    /// the memory while they wait and nobody holds a handle of them. Until the keeper is dropped. Does nothing where the
    /// engine has no store.
    pub fn keep(&self) -> Keeper {
        self.shared.keeping.on.store(self.shared.store.is_some(), Ordering::Relaxed);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            self.look_after(&runtime);
        }
        Keeper { engine: Arc::downgrade(&self.shared) }
    }

    /// Has a task say that this process is alive, and give messages to the engine's runs, for as long as the engine
    /// lives: the runs of a process that is silent are taken for lost.
    pub(crate) fn look_after(&self, runtime: &tokio::runtime::Handle) {
        if self.shared.store.is_none() || self.shared.keeping.looked_after.swap(true, Ordering::Relaxed) {
            return;
        }
        let engine = LookedAfter(Arc::downgrade(&self.shared));
        runtime.spawn(async move {
            while let Some(shared) = engine.0.upgrade() {
                let engine = Engine { shared };
                if let Some(store) = &engine.shared.store
                    && let Err(why) = engine.beat(&**store).await
                {
                    tracing::warn!(%why, "the store of runs does not answer");
                }
                drop(engine);
                tokio::time::sleep(BEAT).await;
            }
        });
    }

    async fn beat(&self, store: &dyn RunStore) -> Result<(), JournalError> {
        for message in store.beat().await? {
            if let Some(run) = self.shared.keeping.find(&message.run) {
                run.deliver(message);
            }
        }
        if self.shared.keeping.is_on() {
            let leases = futures::stream::iter(store.claim(BATCH, self.shared.clock.now()).await?);
            leases.for_each_concurrent(AT_ONCE, |lease| self.take_up(lease)).await;
        }
        Ok(())
    }

    async fn take_up(&self, lease: Lease) {
        let run = lease.run.clone();
        if let Err(why) = self.resume(lease).await {
            tracing::error!(%run, %why, "a run cannot go on");
        }
    }

    /// A run of this engine that is in memory.
    pub fn run(&self, run: &str) -> Option<Run> {
        self.shared.keeping.find(run).map(Run::new)
    }
}

/// Says so when the task ends, with its runtime or its engine.
struct LookedAfter(Weak<engine::Shared>);

impl Drop for LookedAfter {
    fn drop(&mut self) {
        if let Some(engine) = self.0.upgrade() {
            engine.keeping.looked_after.store(false, Ordering::Relaxed);
        }
    }
}

impl handle::Shared {
    /// Takes a message, once.
    pub(crate) fn deliver(&self, message: Message) {
        use crate::run::journal::Note;
        if !self.first(message.number) {
            return;
        }
        let number = message.number;
        match message.note {
            Note::Answer { path, value } => self.inbox.deliver(&path, Ok(value), number),
            Note::Decline { path, why } => self.inbox.deliver(&path, Err(why), number),
            Note::Signal { name, value } => {
                // What a message brought is always taken.
                let _ = self.signal(&name, value, Some(number));
            }
            Note::Cancel => self.ask_to_cancel(Some(number)),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
