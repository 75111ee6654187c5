//! Runs in PostgreSQL, shared by the machines that reach it.

mod batch;
mod control;
mod link;
mod read;
mod rows;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_postgres::Client;

use crate::program::Program;
use crate::run::event::Event;
use crate::run::journal::{
    Filter, FlowStats, Journal, JournalError, Kept, LEASE, Lease, Message, Note, Opening, Page, Rest, RunStore,
    RunSummary, Standing,
};
use crate::store::owner::Watch;
use crate::store::postgres::link::{Link, Trouble};
use crate::store::postgres::read::Reader;
use crate::store::postgres::writer::{Command, Writer};
use crate::store::queue::{Queue, closed};
use crate::store::text::Programs;
use crate::types::Text;

/// Runs in PostgreSQL 13 or later.
///
/// What is committed is on the database's disk (`synchronous_commit = on`). While the database cannot be reached, commits
/// wait, up to [`PostgresOptions::patience`], and are then [`JournalError::Broken`]. Where a connection breaks before the
/// answer to a commit has come, what is there is read, and only the rest is written again.
///
/// Connections are not encrypted: they are for loopback, or for a network that is.
pub struct PostgresStore {
    queue: Arc<Queue<Command>>,
    writer: Option<JoinHandle<()>>,
    /// Where connections are served: the writer's thread.
    served: Handle,
    reader: Arc<Reader>,
    programs: Arc<Programs>,
    lease: Duration,
    /// The last message that was given out.
    read: Arc<AtomicU64>,
}

/// What may be set.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// How long commits wait for a database that cannot be reached: 30 s.
    pub patience: Duration,
    /// How long another owner may be silent before its runs are anyone's: [`LEASE`]. A second at the least.
    pub lease: Duration,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self { patience: Duration::from_secs(30), lease: LEASE }
    }
}

impl PostgresStore {
    /// Connects to a database by its address, `postgres://user:password@host:port/database`, and brings its tables up to
    /// date.
    ///
    /// # Errors
    /// [`JournalError::Broken`] where it cannot be reached, or a newer flowc wrote it. The password is in no message.
    pub async fn connect(url: &str) -> Result<Self, JournalError> {
        Self::connect_with(url, PostgresOptions::default()).await
    }

    /// As [`PostgresStore::connect`].
    ///
    /// # Errors
    /// As there.
    pub async fn connect_with(url: &str, options: PostgresOptions) -> Result<Self, JournalError> {
        let link = Link::new(url)?;
        let mut writer = Writer::new(link.clone(), options.patience, Watch::new(options.lease));
        let (queue, read) = (Arc::new(Queue::new(usize::MAX)), Arc::clone(&writer.read));
        let no_thread = |why: std::io::Error| JournalError::Broken(format!("no thread can be started: {why}"));
        let (serving, (tell, told)) = (Serving(Arc::clone(&queue)), oneshot::channel());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(no_thread)?;
        let served = runtime.handle().clone();
        let thread = std::thread::Builder::new()
            .name("flow-postgres".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    let begun = writer.begin().await;
                    let fine = begun.is_ok();
                    if tell.send(begun).is_ok() && fine {
                        writer.serve(&serving.0).await;
                    }
                });
            })
            .map_err(no_thread)?;
        told.await.unwrap_or_else(|_| Err(closed()))?;
        let reader = Arc::new(Reader::new(link));
        Ok(Self { queue, writer: Some(thread), served, reader, programs: Arc::default(), lease: options.lease, read })
    }

    /// Has the writer do something.
    fn ask<T, F>(&self, work: F) -> BoxFuture<'static, Result<T, JournalError>>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Writer) -> BoxFuture<'a, Result<T, Trouble>> + Send + 'static,
    {
        let (tell, told) = oneshot::channel();
        self.queue.ask(Box::new(move |writer| {
            async move {
                let patience = writer.patience;
                let done = match tokio::time::timeout(patience, work(&mut *writer)).await {
                    Ok(done) => done,
                    Err(_) => {
                        writer.disconnect();
                        Err(Trouble::Cut("it gave no answer".to_owned()))
                    }
                };
                // Nobody may wait any more.
                let _ = tell.send(done.map_err(Trouble::told));
            }
            .boxed()
        }));
        async move { told.await.unwrap_or_else(|_| Err(closed())) }.boxed()
    }

    /// Reads, where connections are served.
    fn question<T, F>(&self, question: F) -> BoxFuture<'static, Result<T, JournalError>>
    where
        T: Send + 'static,
        F: Fn(Arc<Client>) -> BoxFuture<'static, Result<T, Trouble>> + Send + Sync + 'static,
    {
        let reader = Arc::clone(&self.reader);
        let answer = self.served.spawn(async move { reader.ask(question).await });
        async move { answer.await.unwrap_or_else(|_| Err(closed())) }.boxed()
    }

    /// Makes out what was read, where it keeps nobody else waiting.
    async fn made_out<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        self.served.spawn_blocking(read).await.unwrap_or_else(|_| Err(closed()))
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

/// The writer's thread. Whatever ends it, nobody waits for it afterwards.
struct Serving(Arc<Queue<Command>>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl Journal for PostgresStore {
    fn open(&self, opening: Arc<Opening>) -> Lease {
        let lease = Lease { run: opening.run.clone(), epoch: 1 };
        self.queue.open(opening);
        lease
    }

    fn append(&self, lease: &Lease, events: &[Arc<Event>]) {
        self.queue.append(lease, events);
    }

    fn commit<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<(), JournalError>> {
        self.queue.commit(lease, None).boxed()
    }

    fn release<'a>(&'a self, lease: &'a Lease, rest: Rest) -> BoxFuture<'a, Result<(), JournalError>> {
        self.queue.commit(lease, Some(rest)).boxed()
    }

    fn lease(&self) -> Duration {
        self.lease
    }
}

impl RunStore for PostgresStore {
    fn find<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Text>, JournalError>> {
        let key = Text::new(key);
        self.question(move |client| {
            let key = key.clone();
            async move { read::find(&client, &key).await }.boxed()
        })
    }

    fn load<'a>(&'a self, run: &'a str) -> BoxFuture<'a, Result<Kept, JournalError>> {
        let (run, programs) = (Text::new(run), Arc::clone(&self.programs));
        async move {
            let known = Arc::clone(&programs);
            let question = self.question(move |client| {
                let (run, programs) = (run.clone(), Arc::clone(&known));
                async move { read::load(&client, &run, &programs).await }.boxed()
            });
            let stored = question.await?;
            self.made_out(move || stored.read(&programs)).await
        }
        .boxed()
    }

    fn summary<'a>(&'a self, run: &'a str) -> BoxFuture<'a, Result<RunSummary, JournalError>> {
        let run = Text::new(run);
        self.question(move |client| {
            let run = run.clone();
            async move { read::summary_of(&client, &run).await }.boxed()
        })
    }

    fn events<'a>(
        &'a self,
        run: &'a str,
        after: u64,
        most: usize,
    ) -> BoxFuture<'a, Result<Vec<Arc<Event>>, JournalError>> {
        let run = Text::new(run);
        async move {
            let question = self.question(move |client| {
                let run = run.clone();
                async move { read::events(&client, &run, after, most).await }.boxed()
            });
            let rows = question.await?;
            self.made_out(move || read::events_of(&rows)).await
        }
        .boxed()
    }

    fn list<'a>(&'a self, filter: &'a Filter, page: Page) -> BoxFuture<'a, Result<Vec<RunSummary>, JournalError>> {
        let filter = filter.clone();
        self.question(move |client| {
            let (filter, page) = (filter.clone(), page.clone());
            async move { read::list(&client, &filter, &page).await }.boxed()
        })
    }

    fn take<'a>(&'a self, run: &'a str, _now: Timestamp) -> BoxFuture<'a, Result<Lease, JournalError>> {
        let run = Text::new(run);
        self.ask(move |writer| async move { control::take(writer, &run).await }.boxed())
    }

    fn claim(&self, most: usize, now: Timestamp) -> BoxFuture<'_, Result<Vec<Lease>, JournalError>> {
        self.ask(move |writer| control::claim(writer, most, now).boxed())
    }

    fn beat(&self) -> BoxFuture<'_, Result<Vec<Message>, JournalError>> {
        let beaten = self.ask(|writer| {
            let read = writer.read.load(Ordering::Relaxed);
            control::beat(writer, read).boxed()
        });
        async move {
            let (messages, last) = beaten.await?;
            self.read.fetch_max(last, Ordering::Relaxed);
            Ok(messages)
        }
        .boxed()
    }

    fn send<'a>(&'a self, run: &'a str, note: Note, now: Timestamp) -> BoxFuture<'a, Result<u64, JournalError>> {
        let run = Text::new(run);
        self.ask(move |writer| async move { control::send(writer, &run, &note, now).await }.boxed())
    }

    fn migrate<'a>(&'a self, lease: &'a Lease, program: Arc<Program>) -> BoxFuture<'a, Result<(), JournalError>> {
        let lease = lease.clone();
        self.ask(move |writer| async move { control::migrate(writer, &lease, &program).await }.boxed())
    }

    fn prune<'a>(&'a self, filter: &'a Filter) -> BoxFuture<'a, Result<u64, JournalError>> {
        async move {
            let mut pruned = 0;
            loop {
                let filter = filter.clone();
                let some = self.ask(move |writer| async move { control::prune(writer, &filter).await }.boxed());
                match some.await? {
                    0 => break,
                    more => pruned += more,
                }
            }
            self.ask(|writer| control::prune_programs(writer).boxed()).await?;
            Ok(pruned)
        }
        .boxed()
    }

    fn stats<'a>(&'a self, filter: &'a Filter) -> BoxFuture<'a, Result<Vec<FlowStats>, JournalError>> {
        let filter = filter.clone();
        self.question(move |client| {
            let filter = filter.clone();
            async move { read::stats(&client, &filter).await }.boxed()
        })
    }

    fn standing(&self) -> BoxFuture<'_, Result<Vec<Standing>, JournalError>> {
        self.question(|client| async move { read::standing(&client).await }.boxed())
    }

    fn spent(&self, since: Timestamp) -> BoxFuture<'_, Result<f64, JournalError>> {
        self.question(move |client| async move { read::spent(&client, since).await }.boxed())
    }
}
