//! The one that writes: a thread with a connection of its own, which takes all that is queued and makes it durable at once.
//!
//! A transaction is sent whole, without waiting for any answer: each of its statements says itself on what it depends. A
//! run's row changes where the run is still this owner's and ends where the batch begins, and what belongs to it is
//! written where that has happened. So a batch may be sent again after its answer was lost.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::future::{BoxFuture, join_all, try_join_all};
use tokio_postgres::{Client, Statement};

use crate::program::Program;
use crate::run::journal::{JournalError, Lease};
use crate::store::filter;
use crate::store::head::{Changes, Head};
use crate::store::owner::{Owner, Watch};
use crate::store::postgres::batch::{Plan, rows, statements};
use crate::store::postgres::link::{Link, Trouble, broken, migrate};
use crate::store::postgres::read;
use crate::store::postgres::rows::clean;
use crate::store::queue::{Batch, Line, Part, Queue};
use crate::store::text::json;
use crate::types::Text;

/// What else the writer is asked to do.
pub(super) type Command = Box<dyn for<'a> FnOnce(&'a mut Writer) -> BoxFuture<'a, ()> + Send>;

/// What is committed is on the disk; and rows are found by their keys, whatever the planner believes of a table that has
/// just grown.
const SETTINGS: &str =
    "-c synchronous_commit=on -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off";

/// A transaction that begins and does not come to its end holds rows that others wait for: the server ends it after so
/// long at the least, and else after a lease.
const LEAST_IDLE: Duration = Duration::from_secs(1);

/// How long is waited before the next try, at first and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// A connection with its statements, each with its columns; the last parameter is the owner.
pub(super) struct Session {
    pub(super) client: Client,
    statements: Vec<Statement>,
    /// The programs that are kept.
    programs: HashSet<Text>,
}

/// The leases whose events were refused, or that were seized without an answer.
pub(super) type Halted = HashMap<Text, (u64, JournalError)>;

/// The writer's state, all of which can be read again from the database.
pub(super) struct Writer {
    link: Link,
    settings: String,
    session: Option<Session>,
    /// How long is tried before what waits fails.
    pub(super) patience: Duration,
    pub(super) me: Owner,
    /// When it was last said in the database who this is.
    registered: Option<Instant>,
    watch: Watch,
    /// The runs that are written to.
    pub(super) heads: HashMap<Text, Head>,
    /// Nothing may follow what is missing; and the runs can be taken again.
    pub(super) halted: Halted,
    /// The last message that was given out.
    pub(super) read: Arc<AtomicU64>,
}

/// What came of a part; nothing where it is still to be written.
type Outcome = Option<Result<(), JournalError>>;

impl Writer {
    pub(super) fn new(link: Link, patience: Duration, watch: Watch) -> Self {
        let idle = watch.lease().max(LEAST_IDLE).as_millis();
        Self {
            link,
            settings: format!("{SETTINGS} -c idle_in_transaction_session_timeout={idle}"),
            session: None,
            patience,
            me: Owner::new(),
            registered: None,
            watch,
            heads: HashMap::new(),
            halted: HashMap::new(),
            read: Arc::default(),
        }
    }

    /// Connects, and brings the tables up to date.
    pub(super) async fn begin(&mut self) -> Result<(), JournalError> {
        let mut client = self.link.connect(&self.settings).await.map_err(Trouble::told)?;
        migrate(&mut client).await.map_err(Trouble::told)?;
        // What was said before comes with the runs that it was said to, when they are taken and loaded.
        let last = client.query_one("SELECT coalesce(max(number), 0) FROM workflow_messages", &[]).await;
        let last: i64 = last.map_err(|why| Trouble::from(why).told())?.get(0);
        self.read.store(last as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Writes what is queued until the queue is closed.
    pub(super) async fn serve(mut self, queue: &Queue<Command>) {
        while let Some(batch) = queue.next(None).await {
            let Batch { parts, commands } = batch;
            if !parts.is_empty() {
                self.write(parts).await;
            }
            for command in commands {
                command(&mut self).await;
            }
        }
        // Its runs need not wait until it is known to be dead.
        if let (Some(_), Some(session)) = (self.registered, &self.session) {
            let me = self.me.id;
            let gone = async { session.client.execute("DELETE FROM owners WHERE id = $1", &[&me]).await };
            let _ = tokio::time::timeout(Duration::from_secs(1), gone).await;
        }
    }

    async fn write(&mut self, parts: Vec<Part>) {
        let mut outcomes: Vec<Outcome> = parts.iter().map(|_| None).collect();
        let all: Vec<usize> = (0..parts.len()).collect();
        if self.insist(&parts, &all, &mut outcomes).await.is_err() {
            // One of them is what the database cannot take; the others are not to suffer from it.
            for at in all {
                if let Err(trouble) = self.insist(&parts, &[at], &mut outcomes).await {
                    let why = trouble.told();
                    tracing::error!(%why, "a run stops, since it could not be written");
                    self.fail(&parts, &[at], &mut outcomes, &why);
                }
            }
        }
        for (part, outcome) in parts.into_iter().zip(outcomes) {
            let outcome = outcome.unwrap_or_else(|| Err(broken("it gave no answer")));
            if let Err(taken @ JournalError::KeyTaken(_)) = &outcome {
                // Whoever waits for it later is told then.
                if part.waiters.is_empty() {
                    self.halted.insert(part.lease.run.clone(), (1, taken.clone()));
                } else {
                    self.halted.remove(&part.lease.run);
                }
            }
            for waiter in part.waiters {
                let _ = waiter.send(outcome.clone());
            }
        }
    }

    /// Writes some parts, and tries again while the database is not there.
    ///
    /// # Errors
    /// Where it is there and cannot.
    async fn insist(&mut self, parts: &[Part], some: &[usize], outcomes: &mut [Outcome]) -> Result<(), Trouble> {
        let (began, mut wait, mut again) = (Instant::now(), BACKOFF.0, false);
        loop {
            let left = self.patience.saturating_sub(began.elapsed());
            let tried = tokio::time::timeout(left, self.attempt(parts, some, outcomes, again)).await;
            let why = match tried {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(Trouble::Cut(why))) => why,
                Ok(Err(trouble)) => {
                    self.forget(parts, some);
                    return Err(trouble);
                }
                Err(_) => "it gave no answer".to_owned(),
            };
            // What was sent may have been done: what is there is read before any of it is sent again.
            self.forget(parts, some);
            (self.session, again) = (None, true);
            if began.elapsed() + wait >= self.patience {
                let why = format!("{why}; it was tried for {} s", self.patience.as_secs_f64());
                tracing::error!(%why, "the runs that were to be written stop, and go on from what is durable");
                self.fail(parts, some, outcomes, &broken(&why));
                return Ok(());
            }
            tracing::warn!(%why, "PostgreSQL is tried again");
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(BACKOFF.1);
        }
    }

    fn forget(&mut self, parts: &[Part], some: &[usize]) {
        for part in some.iter().filter_map(|at| parts.get(*at)) {
            self.heads.remove(&part.lease.run);
        }
    }

    fn fail(&mut self, parts: &[Part], some: &[usize], outcomes: &mut [Outcome], why: &JournalError) {
        for at in some {
            if let (Some(part), Some(outcome @ None)) = (parts.get(*at), outcomes.get_mut(*at)) {
                self.halted.insert(part.lease.run.clone(), (part.lease.epoch, why.clone()));
                *outcome = Some(Err(why.clone()));
            }
        }
    }

    /// A connection with its statements.
    pub(super) async fn session(&mut self) -> Result<&mut Session, Trouble> {
        if self.session.as_ref().is_none_or(|session| session.client.is_closed()) {
            let client = self.link.connect(&self.settings).await?;
            let statements = statements();
            let prepared = try_join_all(statements.iter().map(|(_, sql)| client.prepare(sql))).await?;
            self.session = Some(Session { client, statements: prepared, programs: HashSet::new() });
        }
        self.session.as_mut().ok_or_else(|| Trouble::Cut("there is no connection".to_owned()))
    }

    /// A connection, what was seen of other owners, and what came to a halt.
    pub(super) async fn session_and_state(&mut self) -> Result<(&mut Session, &mut Watch, &mut Halted), Trouble> {
        self.session().await?;
        let session = self.session.as_mut().ok_or_else(|| Trouble::Cut("there is no connection".to_owned()))?;
        Ok((session, &mut self.watch, &mut self.halted))
    }

    /// Leaves a connection that does not answer.
    pub(super) fn disconnect(&mut self) {
        self.session = None;
    }

    /// Says in the database who this is, before it takes up a run. When it was away, it says so again: it may have been taken
    /// for dead.
    pub(super) async fn register(&mut self) -> Result<(), Trouble> {
        if self.registered.is_none() || self.watch.was_away(self.registered) {
            let me = self.me.clone();
            let sql = "INSERT INTO owners (id, host, boot, pid, pid_started, beats) VALUES ($1, $2, $3, $4, $5, 0)
                       ON CONFLICT DO NOTHING";
            let client = &self.session().await?.client;
            client.execute(sql, &[&me.id, &me.host, &me.boot, &me.pid, &me.pid_started]).await?;
            self.registered();
        }
        Ok(())
    }

    /// It was said just now who this is. While the database is away, or the machine asleep, everyone is silent: who was away
    /// itself takes nobody for dead.
    pub(super) fn registered(&mut self) {
        if self.watch.was_away(self.registered) {
            self.watch.restart();
        }
        self.registered = Some(Instant::now());
    }

    /// One transaction of what is still to be written. `again` after a try whose end is not known.
    async fn attempt(
        &mut self,
        parts: &[Part],
        some: &[usize],
        outcomes: &mut [Outcome],
        again: bool,
    ) -> Result<(), Trouble> {
        let plans = self.plan(parts, some, outcomes, again).await?;
        if plans.is_empty() {
            return Ok(());
        }
        if plans.iter().any(|plan| plan.opens) {
            self.register().await?;
            self.ensure_programs(&plans, parts).await?;
        }
        let me = self.me.id;
        let rows = rows(&plans, parts, me);
        let session = self.session().await?;
        let client = &session.client;
        // Polled in order, sent in order, and answered in order.
        let begin = client.batch_execute("BEGIN");
        let steps =
            rows.iter().zip(&session.statements).filter(|(rows, _)| !rows.is_empty()).map(|(rows, statement)| {
                let mut params = rows.params();
                params.push(&me);
                async move { client.query(statement, &params).await }
            });
        let held: Vec<_> = plans.iter().filter(|plan| plan.holds(parts)).map(|plan| plan.key(parts)).collect();
        let (runs, epochs): (Vec<_>, Vec<_>) = held.into_iter().unzip();
        let holds = async {
            if runs.is_empty() {
                return Ok(Vec::new());
            }
            let sql = "SELECT r.run_id FROM unnest($1::text[], $2::bigint[]) AS u (run_id, epoch)
                       JOIN workflow_runs AS r ON r.run_id = u.run_id AND r.epoch = u.epoch AND r.owner = $3";
            client.query(sql, &[&runs, &epochs, &me]).await
        };
        let (begun, answers, committed) = futures::join!(begin, join_all(steps), client.batch_execute("COMMIT"));
        begun?;
        let mut written: HashSet<Text> = HashSet::new();
        let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
        // Where a statement failed the end is a rollback, which is no error; that was told above.
        committed?;
        for row in answers.iter().flatten().chain(&holds.await?) {
            written.insert(Text::new(row.get::<_, &str>(0)));
        }
        for plan in plans {
            let Some(part) = parts.get(plan.at) else { continue };
            let outcome = if written.contains(clean(&part.lease.run).as_str()) {
                if !plan.head.summary.status.ended() && part.rest.is_none() {
                    self.heads.insert(part.lease.run.clone(), plan.head);
                }
                Ok(())
            } else if plan.opens {
                Err(self.taken(&plan.head).await?)
            } else {
                Err(JournalError::Lost(part.lease.run.clone()))
            };
            if let Some(slot) = outcomes.get_mut(plan.at) {
                *slot = Some(outcome);
            }
        }
        Ok(())
    }

    /// Why a run could not begin.
    async fn taken(&mut self, head: &Head) -> Result<JournalError, Trouble> {
        let key = head.summary.labels.key.as_deref().map(clean);
        let sql = "SELECT run_id FROM workflow_runs WHERE start_key = $1";
        let found = self.session().await?.client.query_opt(sql, &[&key]).await?;
        Ok(match found {
            Some(row) => JournalError::KeyTaken(row.get::<_, String>(0).into()),
            None => JournalError::Broken(format!("there is a run `{}` already", head.summary.run)),
        })
    }

    /// What each part changes; what is refused, or done already, has its outcome.
    async fn plan(
        &mut self,
        parts: &[Part],
        some: &[usize],
        outcomes: &mut [Outcome],
        again: bool,
    ) -> Result<Vec<Plan>, Trouble> {
        let pending = |at: &&usize| outcomes.get(**at).is_some_and(Option::is_none);
        let some: Vec<usize> = some.iter().filter(pending).copied().collect();
        let unknown = |part: &&Part| again || (part.opening.is_none() && !self.heads.contains_key(&part.lease.run));
        let runs: Vec<String> =
            some.iter().filter_map(|at| parts.get(*at)).filter(unknown).map(|part| clean(&part.lease.run)).collect();
        let mut known = self.load(&runs, again).await?;
        let mut plans = Vec::new();
        for at in some {
            let (Some(part), Some(outcome)) = (parts.get(at), outcomes.get_mut(at)) else { continue };
            match self.plan_part(at, part, &mut known, again) {
                Ok(Some(plan)) => plans.push(plan),
                Ok(None) => *outcome = Some(Ok(())),
                Err(why) => *outcome = Some(Err(why)),
            }
        }
        Ok(plans)
    }

    fn plan_part(
        &mut self,
        at: usize,
        part: &Part,
        known: &mut HashMap<Text, (Option<i64>, Head)>,
        again: bool,
    ) -> Result<Option<Plan>, JournalError> {
        let Lease { run, epoch } = &part.lease;
        if let Some((halted, why)) = self.halted.get(run)
            && halted == epoch
        {
            return Err(why.clone());
        }
        let lost = || JournalError::Lost(run.clone());
        let last = part.events.last().map_or(0, |line| line.event.number);
        let (mut head, opens) = match (known.remove(clean(run).as_str()), self.heads.remove(run)) {
            (Some((None, head)), _)
                if again && part.rest.is_some() && head.epoch == *epoch && head.summary.events >= last =>
            {
                return Ok(None);
            }
            (Some((owner, head)), _) if owner == Some(self.me.id) && head.epoch == *epoch => (head, false),
            (None, Some(head)) if part.opening.is_none() && head.epoch == *epoch => (head, false),
            (None, _) => match &part.opening {
                Some(opening) => (Head::of(opening), true),
                None => return Err(lost()),
            },
            _ => return Err(lost()),
        };
        let before = head.summary.events;
        // After a try whose end is not known: what is there already.
        let there = |line: &&Line| again && line.event.number <= before;
        let skipped = part.events.iter().take_while(there).count();
        let events = part.events.get(skipped..).unwrap_or_default();
        if again && events.is_empty() && skipped > 0 && part.rest.is_none() {
            self.heads.insert(run.clone(), head);
            return Ok(None);
        }
        let mut changes = Changes::default();
        head.fold(events.iter().map(|line| &*line.event), &mut changes)?;
        if let Some(rest) = &part.rest {
            head.rest(rest);
        }
        let after = head.summary.events;
        Ok(Some(Plan { at, head, before, after, changes, opens }))
    }

    /// The heads of runs, and who owns them. `settled`: once whoever writes to them has come to an end.
    async fn load(&mut self, runs: &[String], settled: bool) -> Result<HashMap<Text, (Option<i64>, Head)>, Trouble> {
        if runs.is_empty() {
            return Ok(HashMap::new());
        }
        let lock = if settled { " FOR UPDATE" } else { "" };
        let sql = format!(
            "SELECT {}, r.owner, r.epoch, r.steps_begun, r.message_read FROM workflow_runs AS r
             WHERE r.run_id = ANY($1) ORDER BY r.id{lock}",
            filter::SUMMARY
        );
        let mut heads = HashMap::new();
        for row in self.session().await?.client.query(&sql, &[&runs]).await? {
            let of = |column: &str| row.get::<_, i64>(column) as u64;
            let summary = read::summary(&row)?;
            // Which of its steps have not ended stands in their rows.
            let (begun, epoch, read) = (of("steps_begun"), of("epoch"), of("message_read"));
            let head = Head { epoch, summary, begun, open: None, read };
            heads.insert(head.summary.run.clone(), (row.get("owner"), head));
        }
        Ok(heads)
    }

    async fn ensure_programs(&mut self, plans: &[Plan], parts: &[Part]) -> Result<(), Trouble> {
        let session = self.session().await?;
        for plan in plans {
            let Some(opening) = parts.get(plan.at).and_then(|part| part.opening.as_ref()) else { continue };
            if !session.programs.contains(opening.program.hash()) {
                ensure_program(&session.client, &opening.program).await?;
                session.programs.insert(opening.program.hash().clone());
            }
        }
        Ok(())
    }
}

/// Keeps a program, where it is not there.
pub(super) async fn ensure_program(client: &Client, program: &Program) -> Result<(), Trouble> {
    let hash = program.hash().as_str();
    if client.query_opt("SELECT 1 FROM programs WHERE hash = $1", &[&hash]).await?.is_none() {
        let source = program.sources.first();
        let (name, text) = source.map(|source| (clean(&source.name), clean(&source.text))).unwrap_or_default();
        let sql = "INSERT INTO programs (hash, name, source, program) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
        client.execute(sql, &[&hash, &name, &text, &json(program)]).await?;
    }
    Ok(())
}

impl Session {
    /// Looks again which programs are kept.
    pub(super) fn forget_programs(&mut self) {
        self.programs.clear();
    }
}
