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
use crate::run::event::Event;
use crate::run::journal::{JournalError, Lease, RunStatus};
use crate::store::filter;
use crate::store::head::{Changes, Head};
use crate::store::owner::{Owner, Watch};
use crate::store::postgres::link::{Link, Trouble, broken, migrate};
use crate::store::postgres::read;
use crate::store::postgres::rows::{Cell, Column, Rows, clean, json, maybe, names, number, set, text, unnest};
use crate::store::queue::{Batch, Part, Queue};
use crate::store::text::{input, json as to_json};
use crate::types::Text;

/// What else the writer is asked to do.
pub(super) type Command = Box<dyn for<'a> FnOnce(&'a mut Writer) -> BoxFuture<'a, ()> + Send>;

/// What is committed is on the disk; and rows are found by their keys, whatever the planner believes of a table that has
/// just grown.
const SETTINGS: &str =
    "-c synchronous_commit=on -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off";

/// How long is waited before the next try, at first and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// What a run's row says of its state.
const STATE: [Column; 18] = [
    ("status", "text"),
    ("steps_total", "bigint"),
    ("steps_completed", "bigint"),
    ("steps_begun", "bigint"),
    ("events", "bigint"),
    ("input_tokens", "bigint"),
    ("output_tokens", "bigint"),
    ("usd", "float8"),
    ("completed_at", "timestamptz"),
    ("duration_ms", "bigint"),
    ("wakes_at", "timestamptz"),
    ("owner", "bigint"),
    ("recoveries", "bigint"),
    ("message_read", "bigint"),
    ("error_kind", "text"),
    ("error_message", "text"),
    ("error", "text"),
    ("output_data", "text"),
];

/// What a run's row says from its start.
const START: [Column; 11] = [
    ("run_id", "text"),
    ("workflow_name", "text"),
    ("program_hash", "text"),
    ("user_id", "text"),
    ("conversation_id", "text"),
    ("start_key", "text"),
    ("forked_from", "text"),
    ("started_at", "timestamptz"),
    ("epoch", "bigint"),
    ("input_data", "text"),
    ("input_exact", "text"),
];

/// Which run, in which epoch, and how many events it has now.
const RUN: [Column; 3] = [("run_id", "text"), ("epoch", "bigint"), ("after", "bigint")];

const EVENT: [Column; 3] = [("number", "bigint"), ("event", "text"), ("data", "text")];

/// What a step's row says from its start.
const BEGUN: [Column; 7] = [
    ("path", "text"),
    ("step_number", "bigint"),
    ("step_name", "text"),
    ("title", "text"),
    ("tool_name", "text"),
    ("tool_args_hash", "text"),
    ("started_at", "timestamptz"),
];

/// What a step's row says of its state.
const STEP: [Column; 10] = [
    ("status", "text"),
    ("attempt", "bigint"),
    ("error_kind", "text"),
    ("error_message", "text"),
    ("completed_at", "timestamptz"),
    ("duration_ms", "bigint"),
    ("input_tokens", "bigint"),
    ("output_tokens", "bigint"),
    ("usd", "float8"),
    ("result", "text"),
];

const SWEPT: [Column; 1] = [("ended_at", "timestamptz")];

/// The run of a row, where this batch has written it.
const WRITTEN: &str =
    "r.run_id = u.run_id AND r.epoch = u.epoch AND r.events = u.after AND (r.owner IS NULL OR r.owner = $0)";

/// A connection with its statements, each with its columns; the last parameter is the owner.
pub(super) struct Session {
    pub(super) client: Client,
    statements: Vec<Statement>,
    /// The programs that are kept.
    programs: HashSet<Text>,
}

/// The statements of a transaction, in their order.
fn statements() -> [(Vec<Column>, String); 6] {
    let of = |columns: &[&[Column]], sql: &dyn Fn(&[Column]) -> String| {
        let columns = columns.concat();
        // `$0` stands for the owner, after the columns.
        let sql = sql(&columns).replace("$0", &format!("${}", columns.len() + 1));
        (columns, sql)
    };
    [
        of(&[&START, &STATE], &|all| {
            let (names, rows) = (names(all, ""), unnest(all));
            format!(
                "INSERT INTO workflow_runs ({names}) SELECT {names} FROM {rows} WHERE $0::bigint IS NOT NULL
                 ON CONFLICT DO NOTHING RETURNING run_id"
            )
        }),
        of(&[&RUN[..2], &[("before", "bigint")], &STATE], &|all| {
            format!(
                "UPDATE workflow_runs AS r SET {} FROM {} WHERE r.run_id = u.run_id AND r.epoch = u.epoch
                     AND r.events = u.before AND r.owner = $0 RETURNING r.run_id",
                set(&STATE),
                unnest(all)
            )
        }),
        of(&[&RUN, &EVENT], &|all| {
            format!(
                "INSERT INTO workflow_events (workflow_run_id, number, event, data)
                 SELECT r.id, u.number, u.event, u.data FROM {} JOIN workflow_runs AS r ON {WRITTEN}",
                unnest(all)
            )
        }),
        of(&[&RUN, &BEGUN, &STEP], &|all| {
            let replaced = STEP.map(|(name, _)| format!("{name} = excluded.{name}")).join(", ");
            // A step whose start is told twice keeps its number and its start.
            format!(
                "INSERT INTO workflow_steps (workflow_run_id, {}, {}) SELECT r.id, {}, {}
                 FROM {} JOIN workflow_runs AS r ON {WRITTEN}
                 ON CONFLICT (workflow_run_id, path) DO UPDATE SET {replaced}",
                names(&BEGUN, ""),
                names(&STEP, ""),
                names(&BEGUN, "u."),
                names(&STEP, "u."),
                unnest(all)
            )
        }),
        of(&[&RUN, &BEGUN[..1], &STEP], &|all| {
            let set = set(&STEP).replace("attempt = u.attempt", "attempt = coalesce(u.attempt, s.attempt)");
            format!(
                "UPDATE workflow_steps AS s SET {set} FROM {} JOIN workflow_runs AS r ON {WRITTEN}
                 WHERE s.workflow_run_id = r.id AND s.path = u.path",
                unnest(all)
            )
        }),
        of(&[&RUN, &SWEPT], &|all| {
            format!(
                "UPDATE workflow_steps AS s SET status = 'cancelled', completed_at = u.ended_at
                 FROM {} JOIN workflow_runs AS r ON {WRITTEN}
                 WHERE s.workflow_run_id = r.id AND s.status IN ('running', 'retrying')",
                unnest(all)
            )
        }),
    ]
}

/// The writer's state, all of which can be read again from the database.
pub(super) struct Writer {
    link: Link,
    session: Option<Session>,
    /// How long is tried before what waits fails.
    pub(super) patience: Duration,
    pub(super) me: Owner,
    registered: bool,
    watch: Watch,
    /// The runs that are written to.
    pub(super) heads: HashMap<Text, Head>,
    /// The leases whose events were refused: nothing may follow what is missing.
    pub(super) halted: HashMap<Text, (u64, JournalError)>,
    /// The last message that was given out.
    pub(super) read: Arc<AtomicU64>,
}

/// What came of a part; nothing where it is still to be written.
type Outcome = Option<Result<(), JournalError>>;

/// What is to be written of a part.
struct Plan {
    at: usize,
    head: Head,
    /// The number of its last event so far.
    before: u64,
    /// The number of its last event after this.
    after: u64,
    changes: Changes,
    opens: bool,
}

impl Writer {
    pub(super) fn new(link: Link, patience: Duration, watch: Watch) -> Self {
        Self {
            link,
            session: None,
            patience,
            me: Owner::new(),
            registered: false,
            watch,
            heads: HashMap::new(),
            halted: HashMap::new(),
            read: Arc::default(),
        }
    }

    /// Connects, and brings the tables up to date.
    pub(super) async fn begin(&mut self) -> Result<(), JournalError> {
        let mut client = self.link.connect(SETTINGS).await.map_err(Trouble::told)?;
        migrate(&mut client).await.map_err(Trouble::told)?;
        // What was said before comes with the runs that it was said to, when they are taken and loaded.
        let last = client.query_one("SELECT coalesce(max(number), 0) FROM workflow_messages", &[]).await;
        let last: i64 = last.map_err(|why| Trouble::from(why).told())?.get(0);
        self.read.store(last as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Writes what is queued until the queue is closed.
    pub(super) async fn serve(mut self, queue: &Queue<Command>) {
        while let Some(batch) = queue.next().await {
            let Batch { parts, commands } = batch;
            if !parts.is_empty() {
                self.write(parts).await;
            }
            for command in commands {
                command(&mut self).await;
            }
        }
        // Its runs need not wait until it is known to be dead.
        if let (true, Some(session)) = (self.registered, &self.session) {
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
            let client = self.link.connect(SETTINGS).await?;
            let statements = statements();
            let prepared = try_join_all(statements.iter().map(|(_, sql)| client.prepare(sql))).await?;
            self.session = Some(Session { client, statements: prepared, programs: HashSet::new() });
        }
        self.session.as_mut().ok_or_else(|| Trouble::Cut("there is no connection".to_owned()))
    }

    /// A connection, and what was seen of other owners.
    pub(super) async fn session_and_watch(&mut self) -> Result<(&mut Session, &mut Watch), Trouble> {
        self.session().await?;
        let session = self.session.as_mut().ok_or_else(|| Trouble::Cut("there is no connection".to_owned()))?;
        Ok((session, &mut self.watch))
    }

    /// Leaves a connection that does not answer.
    pub(super) fn disconnect(&mut self) {
        self.session = None;
    }

    /// Says in the database who this is, before it takes up a run.
    pub(super) async fn register(&mut self) -> Result<(), Trouble> {
        if !self.registered {
            let me = self.me.clone();
            let sql = "INSERT INTO owners (id, host, boot, pid, pid_started, beats) VALUES ($1, $2, $3, $4, $5, 0)
                       ON CONFLICT DO NOTHING";
            let client = &self.session().await?.client;
            client.execute(sql, &[&me.id, &me.host, &me.boot, &me.pid, &me.pid_started]).await?;
            self.registered = true;
        }
        Ok(())
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
        let last = part.events.last().map_or(0, |event| event.number);
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
        let there = |event: &&Arc<Event>| again && event.number <= before;
        let skipped = part.events.iter().take_while(there).count();
        let events = part.events.get(skipped..).unwrap_or_default();
        if again && events.is_empty() && skipped > 0 && part.rest.is_none() {
            self.heads.insert(run.clone(), head);
            return Ok(None);
        }
        let changes = head.fold(events)?;
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
        client.execute(sql, &[&hash, &name, &text, &to_json(program)]).await?;
    }
    Ok(())
}

impl Session {
    /// Looks again which programs are kept.
    pub(super) fn forget_programs(&mut self) {
        self.programs.clear();
    }
}

impl Plan {
    /// Whether nothing is to be written, but only to be seen whether the lease holds.
    fn holds(&self, parts: &[Part]) -> bool {
        !self.opens && self.before == self.after && parts.get(self.at).is_some_and(|part| part.rest.is_none())
    }

    fn key(&self, parts: &[Part]) -> (String, i64) {
        let run = parts.get(self.at).map(|part| clean(&part.lease.run)).unwrap_or_default();
        (run, self.head.epoch as i64)
    }
}

/// The rows of each statement.
fn rows(plans: &[Plan], parts: &[Part], me: i64) -> [Rows; 6] {
    let mut all = statements().map(|(columns, _)| Rows::new(&columns));
    let [opened, changed, events, begun, steps, swept] = &mut all;
    for plan in plans {
        let Some(part) = parts.get(plan.at) else { continue };
        let summary = &plan.head.summary;
        let run = || [text(&summary.run), number(plan.head.epoch), number(plan.after)];
        match &part.opening {
            Some(opening) if plan.opens => {
                let labels = &summary.labels;
                let (plain, exact) = input(&opening.input);
                let start = [
                    text(&summary.run),
                    text(&summary.flow),
                    text(&summary.program),
                    maybe(labels.user.as_deref()),
                    maybe(labels.conversation.as_deref()),
                    maybe(labels.key.as_deref()),
                    maybe(labels.forked_from.as_deref()),
                    Cell::Time(Some(summary.started_at)),
                    number(1),
                    json(Some(plain)),
                    json(exact),
                ];
                opened.push(start.into_iter().chain(state(plan, part, me)));
            }
            _ if plan.holds(parts) => continue,
            _ => {
                let lease = [text(&summary.run), number(plan.head.epoch), number(plan.before)];
                changed.push(lease.into_iter().chain(state(plan, part, me)));
            }
        }
        for event in part.events.iter().filter(|event| event.number > plan.before) {
            let data = json(Some(to_json(&**event)));
            events.push(run().into_iter().chain([number(event.number), text(event.kind.name()), data]));
        }
        for (path, step) in &plan.changes.steps {
            let now = [
                text(step.status),
                Cell::Number(step.attempt.map(i64::from).or(step.begun.as_ref().map(|_| 1))),
                maybe(step.error.as_ref().map(|error| error.kind.name())),
                maybe(step.error.as_ref().map(|error| error.message.as_str())),
                Cell::Time(step.ended),
                Cell::Number(step.duration_ms.map(|millis| millis as i64)),
                number(step.usage.input_tokens),
                number(step.usage.output_tokens),
                Cell::Float(step.usage.usd),
                json(step.result.clone()),
            ];
            match &step.begun {
                Some(start) => {
                    let start = [
                        text(path),
                        number(start.number),
                        text(&start.name),
                        maybe(start.title.as_deref()),
                        maybe(start.action.as_deref()),
                        maybe(start.args_hash.as_deref()),
                        Cell::Time(Some(start.at)),
                    ];
                    begun.push(run().into_iter().chain(start).chain(now));
                }
                None => steps.push(run().into_iter().chain([text(path)]).chain(now)),
            }
        }
        if plan.changes.swept.is_some() {
            swept.push(run().into_iter().chain([Cell::Time(plan.changes.swept)]));
        }
    }
    all
}

/// The values of [`STATE`].
fn state(plan: &Plan, part: &Part, me: i64) -> [Cell; 18] {
    let (head, summary) = (&plan.head, &plan.head.summary);
    debug_assert!(part.rest.is_none() || matches!(summary.status, RunStatus::Waiting | RunStatus::Parked));
    [
        text(summary.status.name()),
        number(u64::from(summary.steps_total)),
        number(summary.steps_completed),
        number(head.begun),
        number(summary.events),
        number(summary.usage.input_tokens),
        number(summary.usage.output_tokens),
        Cell::Float(summary.usage.usd),
        Cell::Time(summary.ended_at),
        Cell::Number(head.duration_ms()),
        Cell::Time(summary.wakes_at),
        Cell::Number(part.rest.is_none().then_some(me)),
        number(u64::from(summary.recoveries)),
        number(head.read),
        maybe(summary.error.as_ref().map(|error| error.kind.name())),
        maybe(summary.error.as_ref().map(|error| error.message.as_str())),
        json(summary.error.as_ref().map(to_json)),
        json(plan.changes.output.clone()),
    ]
}
