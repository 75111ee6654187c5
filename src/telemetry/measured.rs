//! A store of runs whose commits and failures show in the figures.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::program::Program;
use crate::run::journal::{Filter, FlowStats, Kept, Lease, Message, Note, Opening, Page, Rest, Standing};
use crate::run::{Event, Journal, JournalError, RunStore, RunSummary};
use crate::telemetry::Metrics;
use crate::types::Text;

/// How often the runs that have not ended are counted.
const COUNTED: Duration = Duration::from_secs(15);

/// A store, and the figures that it tells how long commits took, what failed, which runs it gave up, and
/// how many runs stand how.
pub struct Measured {
    store: Arc<dyn RunStore>,
    metrics: Arc<Metrics>,
    /// When the runs were counted last.
    counted: Mutex<Option<Instant>>,
}

impl Measured {
    /// The same store, measured.
    pub fn new(store: Arc<dyn RunStore>, metrics: Arc<Metrics>) -> Self {
        Self { store, metrics, counted: Mutex::default() }
    }

    /// Counts what is wrong with the database; that a run is somebody else's is no error of it.
    fn watched<'a, T: 'a>(
        &'a self,
        done: BoxFuture<'a, Result<T, JournalError>>,
    ) -> BoxFuture<'a, Result<T, JournalError>> {
        let count = |failure: &JournalError| {
            if matches!(failure, JournalError::Broken(_)) {
                self.metrics.database_error();
            }
        };
        done.map(move |done| done.inspect_err(count)).boxed()
    }
}

impl Measured {
    /// Whether it is time to count the runs again.
    fn due(&self) -> bool {
        let mut last = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|last| last.elapsed() >= COUNTED);
        if due {
            *last = Some(Instant::now());
        }
        due
    }
}

impl Journal for Measured {
    fn open(&self, opening: Arc<Opening>) -> Lease {
        self.store.open(opening)
    }

    fn append(&self, lease: &Lease, events: &[Arc<Event>]) {
        self.store.append(lease, events);
    }

    fn commit<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<(), JournalError>> {
        let start = Instant::now();
        let commit = self.store.commit(lease);
        let timed = commit.inspect(move |done| {
            if done.is_ok() {
                self.metrics.commit(start.elapsed());
            }
        });
        self.watched(timed.boxed())
    }

    fn release<'a>(&'a self, lease: &'a Lease, rest: Rest) -> BoxFuture<'a, Result<(), JournalError>> {
        self.metrics.released(&lease.run, matches!(rest, Rest::Parked(_)));
        self.watched(self.store.release(lease, rest))
    }

    fn lease(&self) -> Duration {
        self.store.lease()
    }

    fn durable(&self) -> bool {
        self.store.durable()
    }
}

impl RunStore for Measured {
    fn find<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Text>, JournalError>> {
        self.watched(self.store.find(key))
    }

    fn load<'a>(&'a self, run: &'a str) -> BoxFuture<'a, Result<Kept, JournalError>> {
        self.watched(self.store.load(run))
    }

    fn summary<'a>(&'a self, run: &'a str) -> BoxFuture<'a, Result<RunSummary, JournalError>> {
        self.watched(self.store.summary(run))
    }

    fn events<'a>(
        &'a self,
        run: &'a str,
        after: u64,
        most: usize,
    ) -> BoxFuture<'a, Result<Vec<Arc<Event>>, JournalError>> {
        self.watched(self.store.events(run, after, most))
    }

    fn list<'a>(&'a self, filter: &'a Filter, page: Page) -> BoxFuture<'a, Result<Vec<RunSummary>, JournalError>> {
        self.watched(self.store.list(filter, page))
    }

    fn take<'a>(&'a self, run: &'a str, now: Timestamp) -> BoxFuture<'a, Result<Lease, JournalError>> {
        self.watched(self.store.take(run, now))
    }

    fn claim(&self, most: usize, now: Timestamp) -> BoxFuture<'_, Result<Vec<Lease>, JournalError>> {
        self.watched(self.store.claim(most, now))
    }

    fn beat(&self) -> BoxFuture<'_, Result<Vec<Message>, JournalError>> {
        async move {
            let beaten = self.watched(self.store.beat()).await?;
            if self.due()
                && let Ok(standing) = self.standing().await
            {
                self.metrics.standing(&standing);
            }
            Ok(beaten)
        }
        .boxed()
    }

    fn send<'a>(&'a self, run: &'a str, note: Note, now: Timestamp) -> BoxFuture<'a, Result<u64, JournalError>> {
        self.watched(self.store.send(run, note, now))
    }

    fn migrate<'a>(&'a self, lease: &'a Lease, program: Arc<Program>) -> BoxFuture<'a, Result<(), JournalError>> {
        self.watched(self.store.migrate(lease, program))
    }

    fn prune<'a>(&'a self, filter: &'a Filter) -> BoxFuture<'a, Result<u64, JournalError>> {
        self.watched(self.store.prune(filter))
    }

    fn stats<'a>(&'a self, filter: &'a Filter) -> BoxFuture<'a, Result<Vec<FlowStats>, JournalError>> {
        self.watched(self.store.stats(filter))
    }

    fn standing(&self) -> BoxFuture<'_, Result<Vec<Standing>, JournalError>> {
        self.watched(self.store.standing())
    }

    fn spent(&self, since: Timestamp) -> BoxFuture<'_, Result<f64, JournalError>> {
        self.watched(self.store.spent(since))
    }
}
