//! The one that writes: a thread that owns the connection, takes all that is queued, and makes it durable at once.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use indexmap::IndexSet;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use rustc_hash::{FxBuildHasher, FxHashMap};
use tokio::sync::oneshot;

use crate::run::journal::{JournalError, Lease, Opening, RunStatus};
use crate::store::filter;
use crate::store::head::{Changes, Head};
use crate::store::owner::{Owner, Watch};
use crate::store::queue::{Batch, MANY, Part, Queue};
use crate::store::sqlite::tables::{Statements, ensure_program, finish_events, insert_events, write_steps};
use crate::store::sqlite::{SqliteOptions, Trouble, control, read, schema};
use crate::store::text::{input, instant, json};
use crate::types::Text;

/// How far the rows of runs and steps may be behind their events. Where steps follow each other faster, what a row shows only
/// for a moment is not written; where they are slower, rows are written with the events.
pub(super) const BEHIND: Duration = Duration::from_millis(100);

/// How long after many wrote together they are taken for many: some of them may come alone.
const CROWD: Duration = Duration::from_secs(1);

/// What else the writer is asked to do, within the transaction of a batch.
pub(super) trait Command: Send {
    /// Does it.
    ///
    /// # Errors
    /// Where the database fails; what it cannot do otherwise is part of the answer.
    fn run(&mut self, writer: &mut Writer, db: &Connection) -> rusqlite::Result<()>;

    /// Answers, once it is durable or has failed.
    fn answer(self: Box<Self>, outcome: Result<(), JournalError>);
}

struct Asked<T, F> {
    work: Option<F>,
    found: Option<Result<T, JournalError>>,
    tell: oneshot::Sender<Result<T, JournalError>>,
}

/// A command, and where its answer comes.
pub(super) fn command<T, F>(work: F) -> (Box<dyn Command>, oneshot::Receiver<Result<T, JournalError>>)
where
    T: Send + 'static,
    F: FnOnce(&mut Writer, &Connection) -> Result<T, Trouble> + Send + 'static,
{
    let (tell, told) = oneshot::channel();
    (Box::new(Asked { work: Some(work), found: None, tell }), told)
}

impl<T: Send, F: FnOnce(&mut Writer, &Connection) -> Result<T, Trouble> + Send> Command for Asked<T, F> {
    fn run(&mut self, writer: &mut Writer, db: &Connection) -> rusqlite::Result<()> {
        let Some(work) = self.work.take() else { return Ok(()) };
        self.found = Some(match work(writer, db) {
            Ok(found) => Ok(found),
            Err(Trouble::Refused(why)) => Err(why),
            Err(Trouble::Failed(why)) => return Err(why),
        });
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<(), JournalError>) {
        let Self { found, tell, .. } = *self;
        if let Some(found) = outcome.map_or_else(|why| Some(Err(why)), |()| found) {
            // Nobody may wait any more.
            let _ = tell.send(found);
        }
    }
}

/// The writer's state, all of which can be read again from the database.
pub(super) struct Writer {
    path: PathBuf,
    /// How long other processes' writers are waited for.
    patience: Duration,
    /// Closed by what fails, and opened again for the next batch.
    db: Option<Connection>,
    pub(super) me: Owner,
    /// Whether it stands in the database who this is.
    registered: bool,
    /// When it was last said there.
    seen: Option<Instant>,
    pub(super) watch: Watch,
    /// The runs that are written to.
    pub(super) heads: FxHashMap<Text, Held>,
    /// Those whose rows are behind their events.
    behind: IndexSet<Text, FxBuildHasher>,
    /// When all rows were last up to date.
    shown: Option<Instant>,
    /// When many last wrote together, while the log is kept as theirs.
    crowd: Option<Instant>,
    /// The leases whose events were refused: nothing may follow what is missing.
    pub(super) halted: FxHashMap<Text, (u64, JournalError)>,
    /// What the transaction that is under way makes this owner's, or parks.
    pub(super) seized: Vec<Lease>,
    /// The last message that was given out.
    pub(super) read: Arc<AtomicU64>,
}

/// A run that is written to.
pub(super) struct Held {
    key: i64,
    head: Head,
    /// What its rows do not show yet.
    changes: Changes,
    /// The last event that they show.
    shown: u64,
}

impl Writer {
    pub(super) fn new(path: PathBuf, mut db: Connection, options: &SqliteOptions) -> rusqlite::Result<Self> {
        // What was said before comes with the runs that it was said to, when they are taken and loaded.
        let last: i64 = db.query_row("SELECT coalesce(max(number), 0) FROM workflow_messages", [], |row| row.get(0))?;
        let mut writer = Self {
            path,
            patience: options.patience,
            db: None,
            me: Owner::new(),
            registered: false,
            seen: None,
            watch: Watch::new(options.lease),
            heads: FxHashMap::default(),
            behind: IndexSet::default(),
            shown: None,
            crowd: None,
            halted: FxHashMap::default(),
            seized: Vec::new(),
            read: Arc::new(AtomicU64::new(last as u64)),
        };
        if control::living(&mut writer, &db)?.len() == 1 {
            // The last to write may have failed.
            schema::settle(&mut db, &writer.path)?;
        } else {
            schema::settled(&db)?;
        }
        writer.db = Some(db);
        Ok(writer)
    }

    /// Writes what is queued until the queue is closed.
    pub(super) async fn serve(mut self, queue: &Queue<Box<dyn Command>>) {
        while let Some(batch) = queue.next(self.show_in()).await {
            self.write(batch, queue).await;
        }
        if !self.behind.is_empty() {
            self.shown = None;
            self.write(Batch { parts: Vec::new(), commands: Vec::new() }, queue).await;
        }
        // Its runs need not wait until it is known to be dead.
        if let (true, Some(db)) = (self.registered, &self.db) {
            let _ = db.execute("DELETE FROM owners WHERE id = ?", [self.me.id]);
        }
    }

    /// When rows that are behind are to be written, though nobody waits for anything.
    fn show_in(&self) -> Option<Duration> {
        let since = self.shown.map_or(BEHIND, |at| at.elapsed());
        (!self.behind.is_empty()).then(|| BEHIND.saturating_sub(since))
    }

    async fn write(&mut self, mut batch: Batch<Box<dyn Command>>, queue: &Queue<Box<dyn Command>>) {
        let outcomes = match self.attempt(&mut batch, queue).await {
            Ok(outcomes) => {
                for lease in self.seized.drain(..) {
                    self.halted.remove(&lease.run);
                }
                outcomes
            }
            Err(why) => {
                // What a failed write left of the file in memory is not to be trusted, and a sync that failed once may
                // seem to succeed when it is tried again: <https://www.sqlite.org/wal.html>, `fsync` in postgres.
                let why = schema::broken(&self.path, &why);
                tracing::error!(%why, "the runs that were to be written stop, and go on from what is durable");
                (self.db, self.registered, self.crowd) = (None, false, None);
                self.heads.clear();
                self.behind.clear();
                for part in &batch.parts {
                    self.halted.insert(part.lease.run.clone(), (part.lease.epoch, why.clone()));
                }
                // It may have been done: nobody has these leases, and the runs can be taken or claimed again.
                for Lease { run, epoch } in self.seized.drain(..) {
                    self.halted.entry(run).or_insert_with(|| (epoch, why.clone()));
                }
                for command in batch.commands.drain(..) {
                    command.answer(Err(why.clone()));
                }
                batch.parts.iter().map(|_| Err(why.clone())).collect()
            }
        };
        for (part, outcome) in batch.parts.into_iter().zip(outcomes) {
            if !part.waiters.is_empty() && matches!(outcome, Err(JournalError::KeyTaken(_))) {
                self.halted.remove(&part.lease.run);
            }
            for waiter in part.waiters {
                let _ = waiter.send(outcome.clone());
            }
        }
        for command in batch.commands {
            command.answer(Ok(()));
        }
    }

    /// One transaction, of the batch and what comes while it is written; what came of each run's part.
    async fn attempt(
        &mut self,
        batch: &mut Batch<Box<dyn Command>>,
        queue: &Queue<Box<dyn Command>>,
    ) -> rusqlite::Result<Vec<Result<(), JournalError>>> {
        self.seized.clear();
        let mut db = match self.db.take() {
            Some(db) => db,
            None => schema::reopen(&self.path, self.patience)?,
        };
        let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut statements = Statements::new(&change);
        let mut outcomes = Vec::new();
        loop {
            for part in batch.parts.iter_mut().skip(outcomes.len()) {
                outcomes.push(match self.keep(&mut statements, part) {
                    Ok(()) => Ok(()),
                    Err(Trouble::Refused(why)) => Err(why),
                    Err(Trouble::Failed(why)) => return Err(why),
                });
            }
            let Some(more) = queue.more().await else { break };
            batch.parts.extend(more.parts);
            batch.commands.extend(more.commands);
        }
        finish_events(&mut statements)?;
        if self.shown.is_none_or(|at| at.elapsed() >= BEHIND) {
            self.show_all(&mut statements)?;
        }
        drop(statements);
        for command in &mut batch.commands {
            command.run(self, &change)?;
        }
        if batch.parts.len() >= MANY {
            if self.crowd.is_none() {
                schema::keep_log(&change, true)?;
            }
            self.crowd = Some(Instant::now());
        } else if self.crowd.is_some_and(|at| at.elapsed() >= CROWD) {
            schema::keep_log(&change, false)?;
            self.crowd = None;
        }
        change.commit()?;
        self.db = Some(db);
        Ok(outcomes)
    }

    /// Whether a run stopped here, and nobody has taken it up since.
    pub(super) fn stopped(&self, run: &Text) -> bool {
        self.halted.contains_key(run) && !self.seized.iter().any(|lease| lease.run == *run)
    }

    /// Says in the database who this is, before it takes up a run. When it was away, it says so again: it may have been taken
    /// for dead.
    pub(super) fn register(&mut self, db: &Connection) -> rusqlite::Result<()> {
        if !self.registered || self.watch.was_away(self.seen) {
            let me = &self.me;
            db.prepare_cached(
                "INSERT INTO owners (id, host, boot, pid, pid_started, beats) VALUES (?, ?, ?, ?, ?, 0)
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![me.id, me.host, me.boot, me.pid, me.pid_started])?;
            self.registered();
        }
        Ok(())
    }

    /// It was said just now who this is. While the database is away, or the machine asleep, everyone is silent: who was away
    /// itself takes nobody for dead.
    pub(super) fn registered(&mut self) {
        if self.watch.was_away(self.seen) {
            self.watch.restart();
        }
        (self.registered, self.seen) = (true, Some(Instant::now()));
    }

    /// Writes one run's part, where it is still this owner's.
    fn keep(&mut self, db: &mut Statements<'_>, part: &mut Part) -> Result<(), Trouble> {
        let run = &part.lease.run;
        if let Some((epoch, why)) = self.halted.get(run)
            && *epoch == part.lease.epoch
        {
            return Err(Trouble::Refused(why.clone()));
        }
        // A part of an older lease takes nothing from who has the run now.
        let late = self.heads.get(run).is_some_and(|held| held.head.epoch > part.lease.epoch);
        let known = if late { None } else { self.heads.remove(run) };
        let mut held = match (&part.opening, known) {
            (Some(opening), _) => Held { key: 0, head: Head::of(opening), changes: Changes::default(), shown: 0 },
            (None, Some(held)) if held.head.epoch == part.lease.epoch => held,
            (None, _) => self.load(db.connection, &part.lease)?,
        };
        held.head.fold(part.events.iter().map(|line| &*line.event), &mut held.changes)?;
        if let Some(rest) = &part.rest {
            held.head.rest(rest);
            held.changes.standing = true;
        }
        if let Some(opening) = &part.opening {
            self.register(db.connection)?;
            ensure_program(db.connection, &opening.program)?;
            held.key = match self.insert(db, &held.head, &held.changes, opening) {
                Err(Trouble::Refused(why @ JournalError::KeyTaken(_))) => {
                    // Whoever waits for it later is told then.
                    self.halted.insert(run.clone(), (1, why.clone()));
                    return Err(Trouble::Refused(why));
                }
                inserted => inserted?,
            };
            held.shows(db)?;
        } else if held.changes.standing || held.changes.spent {
            // What others go by.
            self.show(db, &mut held, part.rest.is_some())?;
        } else {
            self.check(db, &held)?;
        }
        insert_events(db, held.key, std::mem::take(&mut part.events))?;
        if !held.head.summary.status.ended() && part.rest.is_none() {
            if held.shown < held.head.summary.events {
                self.behind.insert(run.clone());
            }
            self.heads.insert(run.clone(), held);
        }
        Ok(())
    }

    /// Brings all rows up to date. A run that is not this owner's any more is shown by whoever has it.
    fn show_all(&mut self, db: &mut Statements<'_>) -> rusqlite::Result<()> {
        for run in std::mem::take(&mut self.behind) {
            let Some(mut held) = self.heads.remove(&run) else { continue };
            match self.show(db, &mut held, false) {
                Ok(()) => _ = self.heads.insert(run, held),
                Err(Trouble::Refused(_)) => {}
                Err(Trouble::Failed(why)) => return Err(why),
            }
        }
        self.shown = Some(Instant::now());
        Ok(())
    }

    /// Brings a run's rows up to date, and gives it up where it rests.
    fn show(&self, db: &mut Statements<'_>, held: &mut Held, rests: bool) -> Result<(), Trouble> {
        self.update(db, held, rests)?;
        Ok(held.shows(db)?)
    }

    /// Reads the head of a run that this owner has, whose rows may be behind.
    fn load(&self, db: &Connection, lease: &Lease) -> Result<Held, Trouble> {
        let found = db
            .prepare_cached(&format!(
                "SELECT {}, r.owner, r.epoch, r.steps_begun, r.message_read FROM workflow_runs AS r WHERE r.run_id = ?",
                filter::SUMMARY
            ))?
            .query_row([lease.run.as_str()], |row| {
                let held = row.get::<_, Option<i64>>("owner")? == Some(self.me.id)
                    && row.get::<_, i64>("epoch")? as u64 == lease.epoch;
                let key = row.get("id")?;
                let (begun, read) =
                    (row.get::<_, i64>("steps_begun")? as u64, row.get::<_, i64>("message_read")? as u64);
                Ok(held.then(|| read::summary(row)).map(|summary| (key, begun, read, summary)))
            })
            .optional()?
            .flatten();
        let Some((key, begun, read, summary)) = found else {
            return Err(Trouble::Refused(JournalError::Lost(lease.run.clone())));
        };
        // Which of its steps have not ended stands in their rows.
        let mut head = Head { epoch: lease.epoch, summary: summary?, begun, open: None, read };
        let (shown, recoveries, mut changes) = (head.summary.events, head.summary.recoveries, Changes::default());
        head.fold(read::events_of(db, key, shown, usize::MAX)?.iter().map(|event| &**event), &mut changes)?;
        // They were counted when the run was taken, after these events.
        head.summary.recoveries = recoveries;
        Ok(Held { key, head, changes, shown })
    }

    /// A new run's row. Gives its key.
    fn insert(
        &self,
        db: &mut Statements<'_>,
        head: &Head,
        changes: &Changes,
        opening: &Opening,
    ) -> Result<i64, Trouble> {
        let summary = &head.summary;
        let labels = &summary.labels;
        let (plain, exact) = input(&opening.input);
        let owner = (!matches!(summary.status, RunStatus::Waiting | RunStatus::Parked)).then_some(self.me.id);
        let inserted = db
            .get(
                "INSERT INTO workflow_runs (run_id, workflow_name, program_hash, status, user_id, conversation_id,
                     start_key, forked_from, steps_total, steps_completed, steps_begun, events, input_tokens,
                     output_tokens, usd, started_at, completed_at, duration_ms, wakes_at, owner, epoch, recoveries,
                     message_read, error_kind, error_message, error, input_data, input_exact, output_data)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?)
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                summary.run.as_str(),
                summary.flow.as_str(),
                summary.program.as_str(),
                summary.status.name(),
                labels.user.as_deref(),
                labels.conversation.as_deref(),
                labels.key.as_deref(),
                labels.forked_from.as_deref(),
                summary.steps_total,
                summary.steps_completed as i64,
                head.begun as i64,
                summary.events as i64,
                summary.usage.input_tokens as i64,
                summary.usage.output_tokens as i64,
                summary.usage.usd,
                instant(summary.started_at),
                summary.ended_at.map(instant),
                head.duration_ms(),
                summary.wakes_at.map(instant),
                owner,
                summary.recoveries,
                head.read as i64,
                summary.error.as_ref().map(|error| error.kind.name()),
                summary.error.as_ref().map(|error| error.message.as_str()),
                summary.error.as_ref().map(json),
                plain,
                exact,
                changes.output,
            ])?;
        if inserted == 0 {
            let with_key = "SELECT run_id FROM workflow_runs WHERE start_key = ?";
            let key = labels.key.as_deref();
            let taken =
                db.connection.prepare_cached(with_key)?.query_row([key], |row| row.get::<_, String>(0)).optional()?;
            return Err(Trouble::Refused(match taken {
                Some(run) => JournalError::KeyTaken(run.into()),
                None => JournalError::Broken(format!("there is a run `{}` already", summary.run)),
            }));
        }
        Ok(db.connection.last_insert_rowid())
    }

    /// Whether a run is still this owner's.
    fn check(&self, db: &mut Statements<'_>, held: &Held) -> Result<(), Trouble> {
        let Held { key, head, .. } = held;
        let sql = "SELECT 1 FROM workflow_runs WHERE id = ? AND owner = ? AND epoch = ?";
        if db.get(sql)?.exists(params![key, self.me.id, head.epoch as i64])? {
            Ok(())
        } else {
            Err(Trouble::Refused(JournalError::Lost(head.summary.run.clone())))
        }
    }

    /// Changes a run's row, where it is still this owner's. What no index holds is changed alone where that is all: it happens
    /// with most steps.
    fn update(&self, db: &mut Statements<'_>, held: &Held, rests: bool) -> Result<(), Trouble> {
        let Held { key, head, changes, .. } = held;
        let summary = &head.summary;
        let (me, epoch) = (self.me.id, head.epoch as i64);
        let changed = if changes.standing {
            let owner = (!rests).then_some(me);
            db.get(
                "UPDATE workflow_runs SET status = ?, steps_total = ?, steps_completed = ?, steps_begun = ?, events = ?,
                     input_tokens = ?, output_tokens = ?, usd = ?, completed_at = ?, duration_ms = ?, wakes_at = ?,
                     owner = ?, recoveries = ?, message_read = ?, error_kind = ?, error_message = ?, error = ?,
                     output_data = ?
                 WHERE id = ? AND owner = ? AND epoch = ?",
            )?
            .execute(params![
                summary.status.name(),
                summary.steps_total,
                summary.steps_completed as i64,
                head.begun as i64,
                summary.events as i64,
                summary.usage.input_tokens as i64,
                summary.usage.output_tokens as i64,
                summary.usage.usd,
                summary.ended_at.map(instant),
                head.duration_ms(),
                summary.wakes_at.map(instant),
                owner,
                summary.recoveries,
                head.read as i64,
                summary.error.as_ref().map(|error| error.kind.name()),
                summary.error.as_ref().map(|error| error.message.as_str()),
                summary.error.as_ref().map(json),
                changes.output,
                key,
                me,
                epoch,
            ])?
        } else {
            db.get(
                "UPDATE workflow_runs SET steps_completed = ?, steps_begun = ?, events = ?, input_tokens = ?,
                     output_tokens = ?, usd = ?, recoveries = ?
                 WHERE id = ? AND owner = ? AND epoch = ?",
            )?
            .execute(params![
                summary.steps_completed as i64,
                head.begun as i64,
                summary.events as i64,
                summary.usage.input_tokens as i64,
                summary.usage.output_tokens as i64,
                summary.usage.usd,
                summary.recoveries,
                key,
                me,
                epoch,
            ])?
        };
        if changed == 0 { Err(Trouble::Refused(JournalError::Lost(summary.run.clone()))) } else { Ok(()) }
    }
}

impl Held {
    /// Brings the rows of steps up to date with the run's.
    fn shows(&mut self, db: &mut Statements<'_>) -> rusqlite::Result<()> {
        write_steps(db, self.key, &self.changes)?;
        (self.shown, self.changes) = (self.head.summary.events, Changes::default());
        Ok(())
    }
}
