//! Runs in a file of SQLite, in WAL mode: <https://www.sqlite.org/wal.html>.

mod control;
mod read;
mod schema;
mod tables;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use rusqlite::{Connection, Row};

use crate::program::Program;
use crate::run::event::Event;
use crate::run::journal::{
    Filter, FlowStats, Journal, JournalError, Kept, LEASE, Lease, Message, Note, Opening, Page, Rest, RunStore,
    RunSummary, Standing,
};
use crate::store::queue::{MANY, Queue, closed};
use crate::store::sqlite::read::Readers;
use crate::store::sqlite::writer::{Command, Writer};
use crate::store::text::{Programs, parsed};
use crate::types::Text;

/// Runs in a file of SQLite. Several processes of one machine may open the same file; on a network file system it is not
/// safe.
///
/// What is committed has been synced to the disk (`synchronous = FULL`). Where that fails (the disk is full, a write or
/// sync fails, another process has locked the file for longer than [`SqliteOptions::patience`]) all that waited fails with [`JournalError::Broken`], the database is opened again before the next write,
/// and the runs concerned can be taken or claimed again, from what is durable.
pub struct SqliteStore {
    queue: Arc<Queue<Box<dyn Command>>>,
    writer: Option<JoinHandle<()>>,
    readers: Readers,
    programs: Arc<Programs>,
    lease: Duration,
    /// The last message that was given out.
    read: Arc<AtomicU64>,
}

/// What may be set.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// How long another process that writes is waited for: 30 s.
    pub patience: Duration,
    /// How long another owner may be silent before its runs are anyone's: [`LEASE`]. A second at the least.
    pub lease: Duration,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self { patience: Duration::from_secs(30), lease: LEASE }
    }
}

/// Why the database did not do what it was asked.
enum Trouble {
    /// It is not to be.
    Refused(JournalError),
    /// The database failed.
    Failed(rusqlite::Error),
}

impl SqliteStore {
    /// Opens a file, which is made where there is none, and brings its tables up to date.
    ///
    /// # Errors
    /// [`JournalError::Broken`] where it cannot be opened, is no database, or a newer flowc wrote it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, JournalError> {
        Self::open_with(path, SqliteOptions::default())
    }

    /// As [`SqliteStore::open`].
    ///
    /// # Errors
    /// As there.
    pub fn open_with(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self, JournalError> {
        let path = path.as_ref().to_owned();
        let db = schema::prepare(&path, options.patience)?;
        let writer = Writer::new(path.clone(), db, &options).map_err(|why| schema::broken(&path, &why))?;
        let (queue, read) = (Arc::new(Queue::new(MANY)), Arc::clone(&writer.read));
        let no_thread = |why: std::io::Error| JournalError::Broken(format!("no thread can be started: {why}"));
        let serving = Serving(Arc::clone(&queue));
        let thread = std::thread::Builder::new()
            .name("flow-sqlite-write".to_owned())
            .spawn(move || serving.run(writer))
            .map_err(no_thread)?;
        let readers = Readers::new(&path, options.patience).map_err(no_thread)?;
        Ok(Self { queue, writer: Some(thread), readers, programs: Arc::default(), lease: options.lease, read })
    }

    fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Writer, &Connection) -> Result<T, Trouble> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, JournalError>> {
        let (command, told) = writer::command(work);
        self.queue.ask(command);
        async move { told.await.unwrap_or_else(|_| Err(closed())) }.boxed()
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        // The writer last: the last connection brings what was written into the file and removes the log.
        self.readers.close();
        self.queue.close();
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

/// The writer's thread. Whatever ends it, nobody waits for it afterwards.
struct Serving(Arc<Queue<Box<dyn Command>>>);

impl Serving {
    fn run(self, writer: Writer) {
        match tokio::runtime::Builder::new_current_thread().enable_time().build() {
            Ok(runtime) => runtime.block_on(writer.serve(&self.0)),
            Err(why) => tracing::error!(%why, "the writer of runs cannot wait for work"),
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl Journal for SqliteStore {
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

impl RunStore for SqliteStore {
    fn find<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Text>, JournalError>> {
        let key = Text::new(key);
        self.readers.ask(move |db| read::find(db, &key))
    }

    fn load<'a>(&'a self, run: &'a str) -> BoxFuture<'a, Result<Kept, JournalError>> {
        let (run, programs) = (Text::new(run), Arc::clone(&self.programs));
        self.readers.ask(move |db| read::load(db, &run, &programs))
    }

    fn summary<'a>(&'a self, run: &'a str) -> BoxFuture<'a, Result<RunSummary, JournalError>> {
        let run = Text::new(run);
        self.readers.ask(move |db| read::summary_of(db, &run))
    }

    fn events<'a>(
        &'a self,
        run: &'a str,
        after: u64,
        most: usize,
    ) -> BoxFuture<'a, Result<Vec<Arc<Event>>, JournalError>> {
        let run = Text::new(run);
        self.readers.ask(move |db| read::events(db, &run, after, most))
    }

    fn list<'a>(&'a self, filter: &'a Filter, page: Page) -> BoxFuture<'a, Result<Vec<RunSummary>, JournalError>> {
        let filter = filter.clone();
        self.readers.ask(move |db| read::list(db, &filter, &page))
    }

    fn take<'a>(&'a self, run: &'a str, _now: Timestamp) -> BoxFuture<'a, Result<Lease, JournalError>> {
        let run = Text::new(run);
        self.ask(move |writer, db| control::take(writer, db, &run))
    }

    fn claim(&self, most: usize, now: Timestamp) -> BoxFuture<'_, Result<Vec<Lease>, JournalError>> {
        self.ask(move |writer, db| control::claim(writer, db, most, now))
    }

    fn beat(&self) -> BoxFuture<'_, Result<Vec<Message>, JournalError>> {
        let beaten = self.ask(|writer, db| {
            let read = writer.read.load(Ordering::Relaxed);
            control::beat(writer, db, read)
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
        self.ask(move |_, db| control::send(db, &run, &note, now))
    }

    fn migrate<'a>(&'a self, lease: &'a Lease, program: Arc<Program>) -> BoxFuture<'a, Result<(), JournalError>> {
        let lease = lease.clone();
        self.ask(move |writer, db| control::migrate(writer, db, &lease, &program))
    }

    fn prune<'a>(&'a self, filter: &'a Filter) -> BoxFuture<'a, Result<u64, JournalError>> {
        async move {
            let mut pruned = 0;
            loop {
                let filter = filter.clone();
                match self.ask(move |_, db| control::prune(db, &filter)).await? {
                    0 => break,
                    more => pruned += more,
                }
            }
            self.ask(|_, db| control::prune_programs(db)).await?;
            Ok(pruned)
        }
        .boxed()
    }

    fn stats<'a>(&'a self, filter: &'a Filter) -> BoxFuture<'a, Result<Vec<FlowStats>, JournalError>> {
        let filter = filter.clone();
        self.readers.ask(move |db| read::stats(db, &filter))
    }

    fn standing(&self) -> BoxFuture<'_, Result<Vec<Standing>, JournalError>> {
        self.readers.ask(read::standing)
    }

    fn spent(&self, since: Timestamp) -> BoxFuture<'_, Result<f64, JournalError>> {
        self.readers.ask(move |db| read::spent(db, since))
    }
}

impl Trouble {
    fn told(self, path: &Path) -> JournalError {
        match self {
            Trouble::Refused(why) => why,
            Trouble::Failed(why) => schema::broken(path, &why),
        }
    }
}

impl From<JournalError> for Trouble {
    fn from(why: JournalError) -> Self {
        Trouble::Refused(why)
    }
}

impl From<rusqlite::Error> for Trouble {
    fn from(why: rusqlite::Error) -> Self {
        Trouble::Failed(why)
    }
}

/// The message of a row: number, run, note.
fn message(row: &Row<'_>) -> Result<Message, Trouble> {
    let note = parsed(&row.get::<_, String>(2)?)?;
    Ok(Message { number: row.get::<_, i64>(0)? as u64, run: row.get::<_, String>(1)?.into(), note })
}
